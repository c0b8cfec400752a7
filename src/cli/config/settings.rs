//! The settings that every command needs, validated: the tree, the configuration, and how to print.

use std::env;
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};

use crate::cli::args::{ColorWhen, GlobalArgs};
use crate::cli::config::{AtexConfig, directories};
use crate::cli::error::CliError;
use crate::report::{Palette, Verbosity};

/// The settings of the whole invocation.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The directory that paths on the command line are relative to.
    pub(crate) here: PathBuf,
    /// The absolute path of the directory in which the search for the tree starts.
    start: PathBuf,
    /// The nearest directory with `.fmf`, from `start` upwards.
    tree_root: Option<PathBuf>,
    pub(crate) config: AtexConfig,
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
        let config = AtexConfig::load(tree_root.as_deref(), directories::user_config().as_deref())?;
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
        directories::cache(&self.here)
    }

    /// Returns the directory of fetched trees.
    pub(crate) fn fetched_dir(&self) -> Result<PathBuf, CliError> {
        Ok(atex_cache::fetched::directory(&self.cache_dir()?))
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

fn coloured(when: ColorWhen, detected: ColorChoice) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => detected != ColorChoice::Never,
    }
}

/// Returns the current directory, and the one in which the search for the tree starts, which `-C` may change.
fn directories(given: Option<&Path>) -> Result<(PathBuf, PathBuf), CliError> {
    let here =
        env::current_dir().map_err(|error| CliError::usage(format!("cannot tell the current directory: {error}")));
    let Some(given) = given else {
        return here.map(|here| (here.clone(), here));
    };
    let unusable = |error| CliError::usage(format!("cannot use directory `{}`: {error}", given.display()));
    let start = given.canonicalize().map_err(unusable)?;
    if start.is_dir() {
        // If the current directory is gone, an absolute `-C` still works.
        return Ok((here.unwrap_or_else(|_| start.clone()), start));
    }
    Err(CliError::usage(format!("`{}` is no directory", given.display())))
}
