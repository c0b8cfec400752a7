//! The machines of an invocation: targets and named SUTs made into a validated pool.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::args::select::SutArgs;
use super::config::SutConfig;
use super::error::CliError;
use super::fleet;
use super::nearest::nearest;
use super::settings::{Settings, absolute};
use super::target::{Target, TargetKind};

/// A machine that can be opened. In this version each is the local one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SutSpec {
    /// For people and records; unique in the pool.
    pub(crate) name: String,
    /// Where atex keeps its files there, if not in the default place; unique in the pool.
    pub(crate) dir: Option<PathBuf>,
    /// Free text of the configuration that joins the base identity.
    pub(crate) base: String,
}

/// Resolves `-s` and `--sut-dir`, with the configuration's `sut` and then `local` as default.
pub(crate) fn resolve(args: &SutArgs, settings: &Settings) -> Result<Vec<SutSpec>, CliError> {
    let configured = settings.config.defaults.sut.as_deref().unwrap_or_default();
    let given = if args.suts.is_empty() && args.sut_file.is_none() {
        configured
    } else {
        &args.suts
    };
    let mut given = given.to_vec();
    if let Some(path) = &args.sut_file {
        let lines = fleet::read(&absolute(path, &settings.here))?;
        given.extend(lines.into_iter().map(|line| line.target));
        if given.is_empty() {
            return Err(
                CliError::usage(format!("the file of SUTs `{}` names none", path.display()))
                    .hint("the first must be there when the run starts; others can be added while it goes on"),
            );
        }
    }
    if given.is_empty() {
        given.push("local".to_owned());
    }
    let given = fleet::spread(&given, args, settings)?;
    let mut pool: Vec<SutSpec> = Vec::new();
    let (mut names, mut dirs) = (BTreeSet::new(), BTreeSet::new());
    for text in &given {
        let sut = spec(text, args, settings)?;
        if !names.insert(sut.name.clone()) {
            return Err(CliError::usage(format!("two SUTs are called `{}`", sut.name))
                .hint("give one of them another name and directory, as in `-s 'local?name=two&dir=/srv/two'`"));
        }
        if !dirs.insert(sut.dir.clone()) {
            return Err(
                CliError::usage(format!("SUT `{}` has the directory of another one", sut.name))
                    .hint("give it its own, as in `-s 'local?name=two&dir=/srv/two'`"),
            );
        }
        pool.push(sut);
    }
    Ok(pool)
}

/// Resolves a target that joins a pool. Fails where the pool has one of its name or directory.
pub(crate) fn joining(text: &str, pool: &[SutSpec], settings: &Settings) -> Result<SutSpec, CliError> {
    let sut = spec(text, &SutArgs::default(), settings)?;
    if pool.iter().any(|other| other.name == sut.name) {
        return Err(CliError::usage(format!("two SUTs are called `{}`", sut.name)));
    }
    if pool.iter().any(|other| other.dir == sut.dir) {
        return Err(CliError::usage(format!(
            "SUT `{}` has the directory of another one",
            sut.name
        )));
    }
    Ok(sut)
}

fn spec(text: &str, args: &SutArgs, settings: &Settings) -> Result<SutSpec, CliError> {
    let target = match named(text, settings)? {
        Some(target) => target,
        None => parse(text, &settings.here)?,
    };
    if let TargetKind::Ssh(_) = target.kind {
        let known = settings.config.suts.keys().map(String::as_str).chain(["local"]);
        let meant = nearest(text, known).map(|name| format!("did you mean `{name}`?"));
        return Err(
            CliError::usage(format!("SUT `{}`: SSH is not in this version", target.kind))
                .hint(meant.unwrap_or_else(|| "`local` runs tests on this machine".to_owned())),
        );
    }
    let given_dir = args.sut_dir.as_deref().map(|dir| absolute(dir, &settings.here));
    Ok(SutSpec {
        name: target.name.unwrap_or_else(|| target.kind.to_string()),
        dir: target.dir.or(given_dir),
        base: target.base.unwrap_or_default(),
    })
}

/// Looks a name up in the configuration. Parameters after the name win over what the configuration says.
fn named(text: &str, settings: &Settings) -> Result<Option<Target>, CliError> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(SutConfig {
        target,
        dir,
        base,
        file,
    }) = settings.config.suts.get(name)
    else {
        return Ok(None);
    };
    let beside = file.parent().unwrap_or(&settings.here);
    let mut found = parse(target, beside)?;
    let given = parse(&format!("local?{query}"), &settings.here)?;
    found.name = given.name.or(found.name).or_else(|| Some(name.to_owned()));
    found.dir = given
        .dir
        .or_else(|| dir.as_ref().map(|dir| absolute(dir.as_ref(), beside)))
        .or(found.dir);
    found.base = given.base.or_else(|| base.clone()).or(found.base);
    Ok(Some(found))
}

/// Parses a target; a relative directory of a local one is meant below `base`.
fn parse(text: &str, base: &std::path::Path) -> Result<Target, CliError> {
    let mut target: Target = text
        .parse()
        .map_err(|error: super::target::TargetError| CliError::usage(error.to_string()).hint(error.hint()))?;
    if target.kind == TargetKind::Local {
        target.dir = target.dir.map(|dir| absolute(&dir, base));
    }
    Ok(target)
}
