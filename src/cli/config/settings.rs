//! The second step for what every command needs: the tree, the configuration, places for files, how to print.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};

use crate::cli::args::{ColorWhen, GlobalArgs};
use crate::cli::config::Config;
use crate::cli::error::CliError;
use crate::host::ownership;
use crate::report::{Palette, Verbosity};

/// What holds for the whole invocation.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The directory that paths on the command line are relative to.
    pub(crate) here: PathBuf,
    /// Where the search for the tree starts: absolute.
    start: PathBuf,
    /// The nearest directory with `.fmf`, from `start` upwards.
    tree_root: Option<PathBuf>,
    pub(crate) config: Config,
    pub(crate) json: bool,
    pub(crate) verbosity: Verbosity,
    color: ColorWhen,
}

impl Settings {
    /// Validates the common options and reads the configuration.
    pub(crate) fn new(args: &GlobalArgs) -> Result<Self, CliError> {
        let (here, start) = directories(args.directory.as_deref())?;
        let tree_root = start
            .ancestors()
            .find(|dir| dir.join(".fmf").is_dir())
            .map(Path::to_owned);
        let config = Config::load(tree_root.as_deref(), xdg_dir("XDG_CONFIG_HOME", ".config").as_deref())?;
        let color = args.color.or(config.defaults.color).unwrap_or(ColorWhen::Auto);
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, false) => Verbosity::Normal,
            (false, true) => Verbosity::Verbose,
        };
        let json = args.json;
        Ok(Self {
            here,
            start,
            tree_root,
            config,
            json,
            verbosity,
            color,
        })
    }

    /// Returns the root of the tree, or says that there is none.
    pub(crate) fn tree_root(&self) -> Result<&Path, CliError> {
        self.tree_root.as_deref().ok_or_else(|| {
            CliError::usage(format!("no fmf tree in `{}` or above it", self.start.display())).hint(
                "`-C DIR` names a tree; the root of a tree has a directory `.fmf` with a file `version` that says 1",
            )
        })
    }

    /// Returns the directory of the cache.
    pub(crate) fn cache_dir(&self) -> Result<PathBuf, CliError> {
        let dir = match non_empty("ATEX_CACHE") {
            Some(dir) => self.here.join(dir),
            None => place("XDG_CACHE_HOME", ".cache")?,
        };
        own(dir, "cache", "ATEX_CACHE")
    }

    /// Returns the directory of fetched trees.
    pub(crate) fn fetched_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.cache_dir()?.join("trees-v1"))
    }

    /// Returns the directory for what is neither configuration nor cache.
    pub(crate) fn state_dir() -> Result<PathBuf, CliError> {
        own(
            place("XDG_STATE_HOME", ".local/state")?,
            "state directory",
            "XDG_STATE_HOME",
        )
    }

    /// Returns the directory below which runs are kept.
    pub(crate) fn runs_dir() -> Result<PathBuf, CliError> {
        Ok(Self::state_dir()?.join("runs"))
    }

    /// Returns the user's home directory.
    pub(crate) fn home() -> Option<PathBuf> {
        home()
    }

    /// Returns the colours for standard error.
    pub(crate) fn error_palette(&self) -> Palette {
        error_palette(Some(self.color))
    }

    /// Returns the colours for standard output.
    pub(crate) fn palette(&self) -> Palette {
        Palette::new(coloured(self.color, AutoStream::choice(&std::io::stdout())))
    }
}

/// Returns the colours for standard error, which are needed before anything else is known.
pub(crate) fn error_palette(color: Option<ColorWhen>) -> Palette {
    let color = color.unwrap_or(ColorWhen::Auto);
    Palette::new(coloured(color, AutoStream::choice(&std::io::stderr())))
}

/// Expands a leading `~/` and makes a path absolute below `base`.
pub(crate) fn absolute(path: &Path, base: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

fn coloured(when: ColorWhen, detected: ColorChoice) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => detected != ColorChoice::Never,
    }
}

/// Returns the current directory, and the one in which the search for the tree starts: what `-C` says, or the same.
fn directories(given: Option<&Path>) -> Result<(PathBuf, PathBuf), CliError> {
    let here =
        env::current_dir().map_err(|error| CliError::usage(format!("cannot tell the current directory: {error}")));
    let Some(given) = given else {
        return here.map(|here| (here.clone(), here));
    };
    let unusable = |error| CliError::usage(format!("cannot use directory `{}`: {error}", given.display()));
    let start = given.canonicalize().map_err(unusable)?;
    if start.is_dir() {
        // Where the current directory is gone, an absolute `-C` still works.
        return Ok((here.unwrap_or_else(|_| start.clone()), start));
    }
    Err(CliError::usage(format!("`{}` is no directory", given.display())))
}

/// Returns a directory of atex's if it is this user's; else says which variable names another.
fn own(dir: PathBuf, what: &str, variable: &str) -> Result<PathBuf, CliError> {
    match ownership::check(&dir) {
        Ok(()) => Ok(dir),
        Err(error) => Err(
            CliError::usage(format!("the {what} `{}` is not used: {error}", dir.display()))
                .hint(home_of_another().unwrap_or_else(|| format!("set {variable} to another: {}", ownership::HINT))),
        ),
    }
}

/// Says what to set where `HOME` is that of another user, as in a container or behind `sudo -E`, and this user has one of his own.
fn home_of_another() -> Option<String> {
    let (given, me) = (home()?, rustix::process::geteuid().as_raw());
    ownership::check(&given).err()?;
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let home_of = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok();
        (uid == Some(me)).then(|| fields.nth(2).map(PathBuf::from)).flatten()
    };
    let own = passwd.lines().find_map(home_of)?;
    let is_own = own.is_absolute() && own != given && own.is_dir() && ownership::check(&own).is_ok();
    is_own.then(|| {
        let (own, given) = (own.display(), given.display());
        format!("set `HOME={own}`, which is yours: `HOME` is `{given}`, which is not yours alone")
    })
}

/// Returns atex's directory below a base directory of the XDG specification.
fn place(variable: &str, below_home: &str) -> Result<PathBuf, CliError> {
    xdg_dir(variable, below_home)
        .map(|dir| dir.join("atex"))
        .ok_or_else(|| {
            CliError::usage(format!(
                "neither `HOME` nor `{variable}` is set, so there is no place for atex's files"
            ))
        })
}

/// Returns a base directory of the XDG specification, which says that relative ones are to be ignored.
fn xdg_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = non_empty(variable).map(PathBuf::from).filter(|dir| dir.is_absolute());
    named.or_else(|| home().map(|home| home.join(below_home)))
}

fn home() -> Option<PathBuf> {
    non_empty("HOME").map(PathBuf::from)
}

fn non_empty(variable: impl AsRef<OsStr>) -> Option<std::ffi::OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}
