//! The machines of an invocation: targets and named SUTs made into a validated pool.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::select::SutArgs;
use super::error::CliError;
use super::fleet;
use super::nearest::nearest;
use super::notice;
use super::settings::{Settings, absolute};
use super::target::{self, SshTarget, Target, TargetError, TargetKind};
use super::values;
use crate::sut::facts::login_user;
use crate::sut::ssh::Login;
use crate::sut::ssh::config::{self, Ask, Files, Here, Only};
use crate::sut::ssh::login::{Password, Via};
use crate::sut::ssh::{Ssh, SshLink};
use crate::sut::{Cancel, Local, Sut, Trouble};

/// How long a machine may be silent where nobody says otherwise.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// How old may be what is remembered of a machine, where nobody says otherwise.
const MAX_FACTS_AGE: Duration = Duration::from_hours(24);

/// A machine that can be opened.
#[derive(Clone, Debug)]
pub(crate) struct SutSpec {
    /// For people and records; unique in the pool.
    pub(crate) name: String,
    /// Where atex keeps its files there, if not in the default place; unique among those of a machine.
    pub(crate) dir: Option<PathBuf>,
    /// Free text of the configuration that joins the base identity.
    pub(crate) base: String,
    pub(crate) kind: SutKind,
}

/// How a machine is reached.
#[derive(Clone, Debug)]
pub(crate) enum SutKind {
    /// It is this one.
    Local,
    /// By SSH: what was asked for, and what came of it.
    Ssh(Box<(Ask, Login)>),
}

/// Machines, and what holds for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) suts: Vec<SutSpec>,
    /// How long one may be silent before it counts as dead.
    pub(crate) dead_after: Duration,
    /// How old may be what is remembered of one.
    pub(crate) max_facts_age: Duration,
    /// Where the SSH configuration is read from.
    pub(crate) files: Files,
}

impl SutSpec {
    /// Makes the machine; nothing is connected yet.
    pub(crate) fn machine(&self, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        Ok(match &self.kind {
            SutKind::Local => Box::new(Local::new(&self.name, self.dir.clone(), cancel.clone())?),
            SutKind::Ssh(ssh) => Box::new(self.over_ssh(&ssh.1, cancel)),
        })
    }

    /// Makes the machine behind a login.
    pub(crate) fn over_ssh(&self, login: &Login, cancel: &Cancel) -> Ssh {
        Ssh::over(
            SshLink::new(login.clone(), cancel.clone()),
            self.dir.clone(),
            cancel.clone(),
        )
    }

    /// Which machine it is, for those of the pool to be told apart, and for what is remembered of it.
    pub(crate) fn place(&self) -> String {
        match &self.kind {
            SutKind::Local => "local".to_owned(),
            SutKind::Ssh(ssh) if ssh.0.sudo => format!("{} by sudo", place(&ssh.1)),
            SutKind::Ssh(ssh) => place(&ssh.1),
        }
    }
}

fn place(login: &Login) -> String {
    let Login { user, host, port, .. } = login;
    let way = match &login.via {
        Via::Direct => String::new(),
        Via::Jump(jump) => format!(" through {}", place(jump)),
        Via::Command(command) => format!(" by {command}"),
        Via::ControlPath(socket) => format!(" by {}", socket.display()),
    };
    format!("{user}@[{host}]:{port}{way}")
}

/// Resolves `-s` and its kin, with the configuration's `sut` and then `local` as default.
pub(crate) fn resolve(args: &SutArgs, settings: &Settings) -> Result<Pool, CliError> {
    let defaults = &settings.config.defaults;
    let given = fleet::given(args, settings)?;
    let max_facts_age = args.max_facts_age.as_deref().map(values::age).transpose()?;
    let dead_after = args.dead_after.as_deref().map(values::silence).transpose()?;
    let mut resolver = Resolver {
        args,
        settings,
        dead_after: dead_after.or(defaults.dead_after).unwrap_or(DEAD_AFTER),
        files: ssh_files(args, settings),
        told: Vec::new(),
    };
    let mut suts: Vec<SutSpec> = Vec::new();
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for text in &given {
        let sut = resolver.spec(text)?;
        if !names.insert(sut.name.clone()) {
            return Err(CliError::usage(format!("two SUTs are called `{}`", sut.name))
                .hint("give one of them another name and directory, as in `-s 'local?name=two&dir=/srv/two'`"));
        }
        if !places.insert((sut.place(), sut.dir.clone())) {
            return Err(
                CliError::usage(format!("SUT `{}` has the directory of another one", sut.name))
                    .hint("give it its own, as in `-s 'local?name=two&dir=/srv/two'`"),
            );
        }
        suts.push(sut);
    }
    Ok(Pool {
        suts,
        dead_after: resolver.dead_after,
        max_facts_age: max_facts_age.or(defaults.max_facts_age).unwrap_or(MAX_FACTS_AGE),
        files: resolver.files,
    })
}

/// Resolves a target that joins a pool, or several. Fails where the pool has one of its name or directory.
pub(crate) fn joining(text: &str, args: &SutArgs, pool: &Pool, settings: &Settings) -> Result<Vec<SutSpec>, CliError> {
    let args = SutArgs {
        suts: vec![text.to_owned()],
        sut_file: None,
        ..args.clone()
    };
    let joined = resolve(&args, settings)?.suts;
    for sut in &joined {
        if pool.suts.iter().any(|other| other.name == sut.name) {
            return Err(CliError::usage(format!("two SUTs are called `{}`", sut.name)));
        }
        let place = (sut.place(), &sut.dir);
        if pool.suts.iter().any(|other| (other.place(), &other.dir) == place) {
            let message = format!("SUT `{}` has the directory of another one", sut.name);
            return Err(CliError::usage(message));
        }
    }
    Ok(joined)
}

/// What targets are resolved with.
struct Resolver<'a> {
    args: &'a SutArgs,
    settings: &'a Settings,
    dead_after: Duration,
    files: Files,
    /// Warnings that were given already.
    told: Vec<config::Warning>,
}

impl Resolver<'_> {
    fn spec(&mut self, text: &str) -> Result<SutSpec, CliError> {
        let here = &self.settings.here;
        let (target, beside, is_named) = match named(text, self.settings)? {
            Some((target, beside)) => (target, beside, true),
            None => (text.parse()?, here.clone(), false),
        };
        let Target { kind, name, dir, base } = target;
        let name = name.unwrap_or_else(|| kind.to_string());
        let given_dir = dir.map(|dir| (dir, beside.clone()));
        let dir = given_dir.or_else(|| self.args.sut_dir.clone().map(|dir| (dir, here.clone())));
        let (dir, kind) = match kind {
            TargetKind::Local => (dir.map(|(dir, base)| absolute(&dir, &base)), SutKind::Local),
            TargetKind::Ssh(ssh) => {
                self.doubt(text, &ssh, is_named)?;
                let dir = dir.map(|(dir, _)| dir_there(&name, dir)).transpose()?;
                (dir, self.ssh(&name, ssh, &beside)?)
            }
        };
        Ok(SutSpec {
            name,
            dir,
            base: base.unwrap_or_default(),
            kind,
        })
    }

    /// Refuses a bare word that is most likely a name with a typing error: it must not become a connection to somewhere.
    fn doubt(&self, text: &str, ssh: &SshTarget, is_named: bool) -> Result<(), CliError> {
        let bare = !is_named && ssh.user.is_none() && !text.contains(['.', ':', '?', '/', '[']);
        let known = self.settings.config.suts.keys().map(String::as_str).chain(["local"]);
        let Some(meant) = nearest(text, known).filter(|_| bare) else {
            return Ok(());
        };
        let configured = config::look_up(&self.files, text, None).is_ok_and(|options| options.is_configured());
        if configured {
            return Ok(());
        }
        Err(CliError::usage(format!("there is no SUT `{text}`"))
            .hint(format!("did you mean `{meant}`? `ssh://{text}` names a host")))
    }

    fn ssh(&mut self, name: &str, ssh: SshTarget, beside: &Path) -> Result<SutKind, CliError> {
        let password = match &ssh.password_env {
            None => None,
            Some(variable) => Some(std::env::var(variable).map(Password).map_err(|_| {
                CliError::usage(format!("SUT `{name}`: the variable `{variable}` is not set"))
                    .hint("`password_env` names the environment variable that holds the password")
            })?),
        };
        let ask = Ask {
            name: name.to_owned(),
            host: ssh.host,
            user: ssh.user,
            port: ssh.port,
            key: ssh.key.map(|key| absolute(&key, beside)),
            control_path: ssh.control_path.map(|socket| absolute(&socket, beside)),
            password,
            sudo: ssh.sudo,
            accept_new: self.args.accept_new_host_keys,
            dead_after: self.dead_after,
        };
        let resolved =
            config::resolve(&ask, &self.files).map_err(|error| CliError::usage(format!("SUT `{name}`: {error}")))?;
        for warning in resolved.warnings {
            if !self.told.contains(&warning) {
                notice::warning(&warning.to_string(), self.settings);
                self.told.push(warning);
            }
        }
        Ok(SutKind::Ssh(Box::new((ask, resolved.login))))
    }
}

/// Where the SSH configuration is read from.
fn ssh_files(args: &SutArgs, settings: &Settings) -> Files {
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
        home: Settings::home().unwrap_or_default(),
        user: login_user(),
        uid: rustix::process::geteuid().as_raw(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    Files { here, only }
}

/// A directory on a machine far away, where nothing is known that a relative one could be below.
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
        Self::usage(error.to_string()).hint(error.hint())
    }
}

/// Looks a name up in the configuration. Parameters after the name win over what the configuration says, and its keys over the
/// parameters of its target. Also returns the directory that relative paths are below.
fn named(text: &str, settings: &Settings) -> Result<Option<(Target, PathBuf)>, CliError> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(sut) = settings.config.suts.get(name) else {
        return Ok(None);
    };
    let beside = sut.file.parent().unwrap_or(&settings.here).to_owned();
    let (_, given) = target::parts(&format!("{name}?{query}"))?;
    let (machine, of_target) = target::parts(&sut.target)?;
    let given = given.with_paths_below(&settings.here, machine == "local");
    let parameters = given.or(sut.parameters.clone()).or(of_target);
    let mut target = Target::new(&sut.target, machine, parameters)?;
    target.name.get_or_insert_with(|| name.to_owned());
    Ok(Some((target, beside)))
}
