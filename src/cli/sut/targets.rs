//! Expands what the user writes into single targets: `-s`, groups of the configuration, `local*N`, and the lines of `--sut-file`.
//!
//! It handles only the texts of targets. [`crate::cli::sut::pool`] decides what they mean.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cli::args::shared::SutArgs;
use crate::cli::config::directories::{self, absolute};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::sut::kind::{KINDS, UsedMachine};

/// A greater number of SUTs is taken for a typing error.
const MOST: u32 = 1000;

/// A target for one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// The target as it is written, without the number of machines.
    pub(crate) text: String,
    /// The number of the SUT, if the target stands for several (`local*4`).
    pub(crate) number: Option<u32>,
    /// Whether the user wrote it for this invocation, rather than in a configuration.
    pub(crate) is_users: bool,
}

/// A target as it is written, with its place for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// `FILE:LINE`
    pub(crate) place: String,
    pub(crate) target: String,
}

/// Returns the targets of an invocation, each for one machine: those of `-s` and `--sut-file`, or else those of the
/// configuration, or else `local`.
pub(crate) fn given(args: &SutArgs, settings: &Settings) -> Result<Vec<Given>, CliError> {
    let mut users = args.suts.clone();
    if let Some(path) = &args.sut_file {
        let lines = read(&absolute(path, &settings.here))?;
        users.extend(lines.into_iter().map(|line| line.target));
        if users.is_empty() {
            return Err(
                CliError::usage(format!("the file of SUTs `{}` names none", path.display()))
                    .hint("the first must be there when the run starts; others can be added while it goes on"),
            );
        }
    }
    let configured = settings.config.defaults.sut.as_deref().unwrap_or_default();
    let is_users = !users.is_empty();
    let mut texts = if is_users { users } else { configured.to_vec() };
    if texts.is_empty() {
        texts.push("local".to_owned());
    }
    let mut targets = Vec::new();
    for text in &texts {
        spread((text, is_users), settings, &mut BTreeSet::new(), &mut targets)?;
    }
    Ok(targets)
}

/// Returns the targets of a line of a file.
pub(crate) fn of_line(line: &Line, settings: &Settings) -> Result<Vec<Given>, CliError> {
    let mut targets = Vec::new();
    spread((&line.target, true), settings, &mut BTreeSet::new(), &mut targets)?;
    Ok(targets)
}

/// Appends a target, or the targets that it stands for.
fn spread(
    (text, is_users): (&str, bool),
    settings: &Settings,
    groups: &mut BTreeSet<String>,
    targets: &mut Vec<Given>,
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
            spread((member, false), settings, groups, targets)?;
        }
        groups.remove(text);
        return Ok(());
    }
    let (machine, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(number) = KINDS.iter().find_map(|kind| kind.number(machine)) else {
        targets.push(Given {
            text: text.to_owned(),
            number: None,
            is_users,
        });
        return Ok(());
    };
    let count = number.parse().ok().filter(|count| (1..=MOST).contains(count));
    let Some(count) = count else {
        return Err(
            CliError::usage(format!("target `{text}` has a bad number of SUTs `{number}`"))
                .hint(format!("write a number from 1 to {MOST}, as in `local*4`")),
        );
    };
    let machine = machine
        .strip_suffix(number)
        .and_then(|machine| machine.strip_suffix('*'));
    let one = format!("{}?{query}", machine.unwrap_or_default());
    targets.extend((1..=count).map(|number| Given {
        text: one.clone(),
        number: Some(number),
        is_users,
    }));
    Ok(())
}

/// Returns the machines that atex made and used before: the numbered ones (`local*4`), in the default place or below
/// `--sut-dir`, and containers.
pub(crate) fn used(args: &SutArgs, settings: &Settings) -> Vec<Given> {
    let given = args.sut_dir.as_deref().map(|dir| absolute(dir, &settings.here));
    let state = directories::state().ok();
    let machines = KINDS
        .iter()
        .flat_map(|kind| kind.used(given.as_deref(), state.as_deref()));
    let in_range = machines.filter(|machine| machine.number.is_none_or(|number| (1..=MOST).contains(&number)));
    let given = |machine: UsedMachine| Given {
        text: machine.target,
        number: machine.number,
        is_users: true,
    };
    in_range.map(given).collect()
}

/// Reads the targets of a file, one per line. A `#` at the beginning of a line or after a blank begins a comment.
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
