//! The pool of machines of an invocation: makes it from targets and named SUTs, and validates it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::shared::SutArgs;
use crate::cli::args::values;
use crate::cli::config::directories::{self, absolute};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::{did_you_mean, nearest};
use crate::cli::output::messages;
use crate::cli::sut::targets::{self, Given};
use crate::sut::facts::login_user;
use crate::sut::kind::ssh::config::{ConfigFiles, Here, Only};
use crate::sut::kind::target;
use crate::sut::kind::{Access, KINDS, Means, Parameters, SutKind, Target, TargetError};
use crate::sut::{Cancel, Installation, Sut, Trouble};

/// How long a machine may be silent by default.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// How old the remembered facts of a machine may be by default.
const MAX_FACTS_AGE: Duration = Duration::from_hours(24);

/// A machine that can be opened.
#[derive(Clone, Debug)]
pub(crate) struct SutSpec {
    /// The name for people and records, which is unique in the pool.
    pub(crate) name: String,
    /// The directory in which atex keeps its files on the machine, if not in the default one. No two SUTs of one machine have the
    /// same.
    pub(crate) dir: Option<PathBuf>,
    /// Free text of the configuration that joins the base identity.
    pub(crate) base: String,
    /// How the machine is reached.
    pub(crate) access: Arc<dyn Access>,
}

/// The machines, and the settings that apply to all of them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) suts: Vec<SutSpec>,
    /// How long a machine may be silent before it counts as dead.
    pub(crate) dead_after: Duration,
    /// How old the remembered facts of a machine may be.
    pub(crate) max_facts_age: Duration,
}

impl SutSpec {
    /// Makes the machine; nothing is connected yet.
    pub(crate) fn machine(&self, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        self.access.sut(self.dir.as_deref(), cancel)
    }

    /// Returns how the machine was installed, as far as the target says.
    pub(crate) fn installation(&self) -> Installation<'_> {
        Installation {
            base: &self.base,
            digest: self.access.digest(),
        }
    }

    /// Returns the identity of the machine, which distinguishes it in the pool and in what is remembered.
    pub(crate) fn place(&self) -> String {
        self.access.place()
    }
}

/// Resolves `-s` and the options beside it. The default is `sut` of the configuration, and then `local`.
pub(crate) fn resolve(args: &SutArgs, settings: &Settings) -> Result<Pool, CliError> {
    let given = targets::given(args, settings)?;
    let max_facts_age = args.max_facts_age.as_deref().map(values::age).transpose()?;
    let mut resolver = Resolver::new(args, settings)?;
    let suts = resolver.specs(&given, &[])?;
    Ok(Pool {
        suts,
        dead_after: resolver.dead_after,
        max_facts_age: max_facts_age
            .or(settings.config.defaults.max_facts_age)
            .unwrap_or(MAX_FACTS_AGE),
    })
}

/// Resolves targets that join a pool, and fails if a machine of the pool has the same name or directory.
pub(crate) fn joining(
    given: &[Given],
    args: &SutArgs,
    pool: &Pool,
    settings: &Settings,
) -> Result<Vec<SutSpec>, CliError> {
    Resolver::new(args, settings)?.specs(given, &pool.suts)
}

/// The settings with which targets are resolved.
struct Resolver<'a> {
    args: &'a SutArgs,
    settings: &'a Settings,
    dead_after: Duration,
    ssh_files: ConfigFiles,
    /// Warnings that were given already.
    told: Vec<String>,
}

/// The meaning of a target, and what is known of who wrote it.
struct Meant {
    target: Target,
    /// The directory that relative paths are below.
    beside: PathBuf,
    /// Whether the target is a name of the configuration.
    is_named: bool,
    /// Whether it comes from the user, and not from the `atex.toml` of a tree.
    is_users: bool,
}

impl<'a> Resolver<'a> {
    fn new(args: &'a SutArgs, settings: &'a Settings) -> Result<Self, CliError> {
        let dead_after = args.dead_after.as_deref().map(values::silence).transpose()?;
        Ok(Self {
            args,
            settings,
            dead_after: dead_after.or(settings.config.defaults.dead_after).unwrap_or(DEAD_AFTER),
            ssh_files: ssh_files(args, settings),
            told: Vec::new(),
        })
    }

    /// Resolves targets. Their names and places must differ from each other and from those of the machines in `there`.
    fn specs(&mut self, given: &[Given], there: &[SutSpec]) -> Result<Vec<SutSpec>, CliError> {
        let place = |sut: &SutSpec| (sut.place(), sut.dir.clone());
        let mut names: BTreeSet<String> = there.iter().map(|sut| sut.name.clone()).collect();
        let mut places: BTreeSet<_> = there.iter().map(place).collect();
        let mut suts = Vec::with_capacity(given.len());
        for given in given {
            let sut = self.spec(given)?;
            if !names.insert(sut.name.clone()) {
                return Err(CliError::usage(format!("two SUTs are called `{}`", sut.name))
                    .hint("give one of them another name and directory, as in `-s 'local?name=two&dir=/srv/two'`"));
            }
            if !places.insert(place(&sut)) {
                return Err(
                    CliError::usage(format!("SUT `{}` has the directory of another one", sut.name))
                        .hint("give it its own, as in `-s 'local?name=two&dir=/srv/two'`"),
                );
            }
            suts.push(sut);
        }
        Ok(suts)
    }

    fn spec(&mut self, given: &Given) -> Result<SutSpec, CliError> {
        let meant = self.meant(given)?;
        let Target {
            kind,
            address,
            name,
            dir,
            base,
        } = &meant.target;
        let mut name = name.clone().unwrap_or_else(|| address.to_string());
        if let Some(number) = given.number {
            name = format!("{name}-{number}");
        }
        let dir = dir.clone().map(|dir| (dir, meant.beside.clone()));
        let dir = dir.or_else(|| Some((self.args.sut_dir.clone()?, self.settings.here.clone())));
        let dir = match dir {
            Some((dir, base)) if kind.is_here() => Some(absolute(&dir, &base)),
            Some((dir, _)) => Some(dir_there(&name, dir)?),
            None => None,
        };
        let dir = match given.number {
            // Machines of one target differ in their directory, where they are one machine otherwise.
            Some(number) if kind.is_here() => Some(numbered(*kind, dir)?.join(number.to_string())),
            _ => dir,
        };
        let is_ssh_configured = self.args.ssh_config.is_none() && self.settings.config.defaults.ssh_config.is_some();
        let state_dir = directories::state().ok();
        let (settings, told) = (self.settings, &mut self.told);
        let mut means = Means {
            ssh_files: &self.ssh_files,
            accept_new_host_keys: self.args.accept_new_host_keys,
            dead_after: self.dead_after,
            trusts_target: meant.is_users,
            trusts_ssh_config: !is_ssh_configured,
            number: given.number,
            state_dir: state_dir.as_deref(),
            absolute,
            warn: &mut |warning| {
                if !told.contains(&warning) {
                    messages::warning(&warning, settings);
                    told.push(warning);
                }
            },
        };
        if !meant.is_named && address.is_guess(&given.text, &means) {
            doubt(&given.text, settings)?;
        }
        let access = address
            .access(&name, &meant.beside, &mut means)
            .map_err(|none| CliError::usage(format!("SUT `{name}`: {}", none.problem)).hint_if(none.hint))?;
        Ok(SutSpec {
            name,
            dir,
            base: base.clone().unwrap_or_default(),
            access,
        })
    }

    /// Returns the target that a text means: the named one in the configuration, or the text itself.
    fn meant(&self, given: &Given) -> Result<Meant, CliError> {
        let settings = self.settings;
        let named = named(&given.text, settings)?;
        let is_named = named.is_some();
        let (target, beside) = match named {
            Some(named) => named,
            None => (given.text.parse()?, settings.here.clone()),
        };
        let is_of_tree = is_named && settings.tree_root().is_ok_and(|root| root == beside);
        Ok(Meant {
            target,
            beside,
            is_named,
            is_users: given.is_users && !is_of_tree,
        })
    }
}

/// Refuses a bare word that is most likely a misspelt name, because it would become a connection to some host otherwise.
fn doubt(text: &str, settings: &Settings) -> Result<(), CliError> {
    let kinds = KINDS.iter().map(|kind| kind.name());
    let known = settings.config.suts.keys().map(String::as_str).chain(kinds);
    let Some(meant) = nearest(text, known) else {
        return Ok(());
    };
    Err(CliError::usage(format!("there is no SUT `{text}`"))
        .hint(format!("did you mean `{meant}`? `ssh://{text}` names a host")))
}

/// Returns the directory below which numbered machines (`local*4`) have their directories.
fn numbered(kind: &dyn SutKind, given: Option<PathBuf>) -> Result<PathBuf, CliError> {
    given.or_else(|| kind.numbered_below()).ok_or_else(|| {
        CliError::usage("neither `XDG_STATE_HOME` nor `HOME` is set, so there is no place for the SUTs' files")
            .hint("give a directory with `--sut-dir`")
    })
}

/// Returns the files of the SSH configuration.
fn ssh_files(args: &SutArgs, settings: &Settings) -> ConfigFiles {
    let configured = || settings.config.defaults.ssh_config.as_ref().map(PathBuf::from);
    let only = args
        .ssh_config
        .clone()
        .or_else(configured)
        .map(|file| match file.to_str() {
            Some("none") => Only::Nothing,
            _ => Only::File(absolute(&file, &settings.here)),
        });
    let here = Here {
        home: directories::home().unwrap_or_default(),
        user: login_user(),
        uid: rustix::process::geteuid().as_raw(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    ConfigFiles { here, only }
}

/// Checks a directory on another machine. It must be absolute, since a relative one has no known base there.
fn dir_there(name: &str, dir: PathBuf) -> Result<PathBuf, CliError> {
    if dir.is_absolute() {
        return Ok(dir);
    }
    Err(CliError::usage(format!(
        "SUT `{name}`: the directory `{}` is not absolute",
        dir.display()
    ))
    .hint("a directory on another machine begins with `/`"))
}

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> Self {
        let hint = if let TargetError::Parameter { parameter, .. } = &error {
            let names = Parameters::names();
            did_you_mean(parameter, names.iter().copied())
                .unwrap_or_else(|| format!("parameters are `{}`", names.join("`, `")))
        } else {
            let forms: Vec<_> = KINDS.iter().flat_map(|kind| kind.forms()).copied().collect();
            format!(
                "targets are `{}`, each with parameters as in `local?dir=/srv/atex&name=one`",
                forms.join("`, `")
            )
        };
        Self::usage(error.to_string()).hint(hint)
    }
}

/// Looks up a name in the configuration. Parameters after the name win over the configuration, and the keys of the configuration
/// over the parameters of its target. Also returns the base directory of relative paths.
fn named(text: &str, settings: &Settings) -> Result<Option<(Target, PathBuf)>, CliError> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(sut) = settings.config.suts.get(name) else {
        return Ok(None);
    };
    let beside = sut.file.parent().unwrap_or(&settings.here).to_owned();
    let (_, given) = target::parts(&format!("{name}?{query}"))?;
    let (machine, of_target) = target::parts(&sut.target)?;
    let kind = Target::new(&sut.target, machine, &Parameters::default())?.kind;
    let given = given.with_paths(kind, |path| absolute(path, &settings.here));
    let parameters = given.or(sut.parameters.clone()).or(of_target);
    let mut target = Target::new(&sut.target, machine, &parameters)?;
    target.name.get_or_insert_with(|| name.to_owned());
    Ok(Some((target, beside)))
}
