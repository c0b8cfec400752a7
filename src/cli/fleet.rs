//! Where one word stands for several machines: groups of the configuration, `local*N`, and the lines of a file.
//!
//! Knows texts of targets and nothing of what they name: that is for [`crate::cli::pool`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::args::select::SutArgs;
use super::error::CliError;
use super::settings::{Settings, absolute};
use super::target::Target;
use crate::sut::local::{default_dir, peek_state};

/// More local SUTs than this are a slip of the hand.
const MOST: u32 = 1000;

/// A target as it is written, and where that is, for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// `FILE:LINE`
    pub(crate) place: String,
    pub(crate) target: String,
}

/// Returns the targets of an invocation, each for one machine: those of `-s` and `--sut-file`, else those of the configuration, else
/// `local`.
pub(crate) fn given(args: &SutArgs, settings: &Settings) -> Result<Vec<String>, CliError> {
    let configured = settings.config.defaults.sut.as_deref().unwrap_or_default();
    let mut given = match &args.suts[..] {
        [] if args.sut_file.is_none() => configured.to_vec(),
        given => given.to_vec(),
    };
    if let Some(path) = &args.sut_file {
        let lines = read(&absolute(path, &settings.here))?;
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
    spread(&given, args, settings)
}

/// Replaces each target that stands for several by those.
fn spread(given: &[String], args: &SutArgs, settings: &Settings) -> Result<Vec<String>, CliError> {
    let mut targets = Vec::new();
    for text in given {
        spread_one(text, (args, settings), &mut BTreeSet::new(), &mut targets)?;
    }
    Ok(targets)
}

fn spread_one(
    text: &str,
    (args, settings): (&SutArgs, &Settings),
    groups: &mut BTreeSet<String>,
    targets: &mut Vec<String>,
) -> Result<(), CliError> {
    if let Some(group) = settings.config.groups.get(text) {
        if settings.config.suts.contains_key(text) {
            return Err(
                CliError::usage(format!("`{text}` is a SUT and a group in the configuration"))
                    .hint("give one of them another name"),
            );
        }
        if !groups.insert(text.to_owned()) {
            return Err(CliError::usage(format!("the group `{text}` is in itself")));
        }
        for member in &group.suts {
            spread_one(member, (args, settings), groups, targets)?;
        }
        groups.remove(text);
        return Ok(());
    }
    match text.strip_prefix("local*") {
        Some(rest) => targets.extend(locals(text, rest, args, settings)?),
        None => targets.push(text.to_owned()),
    }
    Ok(())
}

/// Makes `N` targets of `local*N`, with names and directories of their own.
fn locals(text: &str, rest: &str, args: &SutArgs, settings: &Settings) -> Result<Vec<String>, CliError> {
    let (number, query) = rest.split_once('?').unwrap_or((rest, ""));
    let count = number.parse().ok().filter(|count| (1..=MOST).contains(count));
    let Some(count) = count else {
        return Err(
            CliError::usage(format!("target `{text}` has a bad number of SUTs `{number}`"))
                .hint(format!("write a number from 1 to {MOST}, as in `local*4`")),
        );
    };
    let base: Target = format!("local?{query}")
        .parse()
        .map_err(|error: super::target::TargetError| CliError::usage(error.to_string()).hint(error.hint()))?;
    let dir = pool_dir(base.dir.as_deref(), args, settings).ok_or_else(|| {
        CliError::usage("neither `XDG_STATE_HOME` nor `HOME` is set, so there is no place for the SUTs' files")
            .hint("give a directory with `--sut-dir`")
    })?;
    let name = base.name.unwrap_or_else(|| "local".to_owned());
    let one = |number| local(&name, number, &dir, base.base.as_deref());
    Ok((1..=count).map(one).collect())
}

/// Returns the targets of `local*N` that were used in the place where they are by default, or below `--sut-dir`.
pub(crate) fn used_locals(args: &SutArgs, settings: &Settings) -> Vec<String> {
    let Some(dir) = pool_dir(None, args, settings) else {
        return Vec::new();
    };
    let numbers = fs::read_dir(&dir).into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let used: BTreeSet<u32> = numbers
        .filter(|number| (1..=MOST).contains(number))
        .filter(|number| peek_state(Some(&dir.join(number.to_string()))).is_some())
        .collect();
    used.into_iter()
        .map(|number| local("local", number, &dir, None))
        .collect()
}

/// Where the directories of `local*N` are, if that can be told.
fn pool_dir(given: Option<&Path>, args: &SutArgs, settings: &Settings) -> Option<PathBuf> {
    match given.or(args.sut_dir.as_deref()) {
        Some(dir) => Some(absolute(dir, &settings.here)),
        None => Some(default_dir()?.join("pool")),
    }
}

fn local(name: &str, number: u32, dir: &Path, base: Option<&str>) -> String {
    let dir = dir.join(number.to_string());
    let mut target = format!(
        "local?name={}&dir={}",
        escaped(&format!("{name}-{number}")),
        escaped(&dir.to_string_lossy())
    );
    if let Some(base) = base {
        let _infallible = write!(target, "&base={}", escaped(base));
    }
    target
}

/// Writes a value so that a target's parser reads it as it is.
fn escaped(value: &str) -> String {
    value.replace('%', "%25").replace('&', "%26")
}

/// Reads the targets of a file: one a line; `#` and what follows it, at the beginning or after a blank, is a comment.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("cannot read the file of SUTs `{}`: {error}", path.display())))?;
    Ok(lines(&text, path))
}

fn lines(text: &str, path: &Path) -> Vec<Line> {
    let target = |line: &str| -> String {
        let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        words.collect::<Vec<_>>().join(" ")
    };
    let line = |(number, line): (usize, &str)| Line {
        place: format!("{}:{}", path.display(), number + 1),
        target: target(line),
    };
    let all = text.lines().enumerate().map(line);
    all.filter(|line| !line.target.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_target_on_each_line_and_comments() {
        let text = "# the lab\nroot@one\n\n  two?dir=/srv/x   # slow\nthree#4\n";
        let lines = lines(text, Path::new("pool"));
        let lines: Vec<_> = lines.iter().map(|line| (&*line.place, &*line.target)).collect();
        assert_eq!(
            lines,
            [
                ("pool:2", "root@one"),
                ("pool:4", "two?dir=/srv/x"),
                ("pool:5", "three#4")
            ]
        );
    }
}
