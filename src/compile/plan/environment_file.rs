//! Environment files: variables in a file of the tree or a page of the web (`environment-file` of a plan), or in a file of the
//! host (`--environment-file` and `-e @FILE`).
//!
//! A file whose name ends in `.yaml` or `.yml` is a flat mapping. Any other is a list of words `NAME=VALUE`, split as tmt splits
//! them, which is Python's `shlex` with comments: quotes and backslashes count, nothing is expanded, and a `#` begins a comment
//! even inside a word. Files are read where they are named, and never brought to a machine for it.

use std::io;
use std::path::{Path, PathBuf};

use atex_fmf::Value;

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::fetch::{self, FetchError, Network};
use crate::compile::metadata::read::{Scope, scalar};
use crate::compile::plan::environment::{Variable, Variables, unusable};
use crate::compile::spec::Warning;
use crate::host::file;

/// The key of a plan.
pub(crate) const KEY: &str = "environment-file";

/// A larger file is refused.
const LARGEST: u64 = 1 << 20;

/// A variable that a file sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The line in the file, from 1.
    pub(crate) line: u32,
}

/// Why an environment file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentFileError {
    /// It cannot be read.
    #[error("environment file `{path}`: {source}")]
    Read {
        /// The file as it is named.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// It lies outside the tree.
    #[error("environment file `{0}` is outside the tree")]
    Outside(String),
    /// It is a page that cannot be fetched.
    #[error("environment file: {0}")]
    Page(FetchError),
    /// A line of it is wrong.
    #[error("environment file `{path}`, line {line}: {problem}")]
    Content {
        /// The file as it is named.
        path: String,
        /// The line, from 1.
        line: u32,
        /// What is wrong.
        problem: String,
    },
}

impl EnvironmentFileError {
    /// Returns the file as it is named.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Read { path, .. } | Self::Outside(path) | Self::Content { path, .. } => path,
            Self::Page(error) => error.url(),
        }
    }
}

/// What the files that a plan names say.
#[derive(Debug, Default)]
pub(crate) struct FileVariables {
    pub(crate) variables: Variables,
    /// The pages that were not fetched, without passwords.
    pub(crate) left: Vec<String>,
}

/// Reads the variables of all files that a plan names. A later file wins.
pub(crate) fn of_plan(
    plan: &Scope<'_>,
    root: &Path,
    network: Network,
    warnings: &mut Vec<Warning>,
) -> Result<FileVariables, CompileError> {
    let mut read = FileVariables::default();
    for path in plan.texts(KEY)? {
        let refused = |error| plan.error(KEY, MetadataProblem::EnvironmentFile(error));
        let path = path.trim();
        let (path, assignments) = if is_url(path) {
            let shown = fetch::without_secrets(path, path);
            if network == Network::Unused {
                read.left.push(shown);
                continue;
            }
            let page = fetch::page::fetch(path).map_err(EnvironmentFileError::Page);
            let assignments = page.and_then(|page| of_page(&shown, page)).map_err(refused)?;
            (shown, assignments)
        } else {
            let place = within(path, root).map_err(refused)?;
            (path.to_owned(), of_file(path, &place).map_err(refused)?)
        };
        if assignments.is_empty() {
            warnings.push(plan.warning(KEY, &format!("environment file `{path}` is empty")));
        }
        for Assignment { name, value, line } in assignments {
            let origin = Some(format!("{path}:{line}"));
            read.variables.insert(name, Variable::new(value, origin));
        }
    }
    Ok(read)
}

fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

fn of_page(shown: &str, page: Vec<u8>) -> Result<Vec<Assignment>, EnvironmentFileError> {
    let unreadable = |source| EnvironmentFileError::Read {
        path: shown.to_owned(),
        source,
    };
    let text =
        String::from_utf8(page).map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(too_large()));
    }
    parsed(shown, &text)
}

/// Returns the place of a file that must lie in the tree, also if symlinks lead to it.
fn within(path: &str, root: &Path) -> Result<PathBuf, EnvironmentFileError> {
    let unreadable = |source| EnvironmentFileError::Read {
        path: path.to_owned(),
        source,
    };
    let place = root.join(path).canonicalize().map_err(unreadable)?;
    if place.starts_with(root.canonicalize().map_err(unreadable)?) {
        Ok(place)
    } else {
        Err(EnvironmentFileError::Outside(path.to_owned()))
    }
}

/// Reads the file at a place; `path` is how it is named.
pub(crate) fn of_file(path: &str, place: &Path) -> Result<Vec<Assignment>, EnvironmentFileError> {
    let text = text_of(place).map_err(|source| EnvironmentFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    parsed(path, &text)
}

fn parsed(path: &str, text: &str) -> Result<Vec<Assignment>, EnvironmentFileError> {
    let is_yaml = Path::new(path)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"));
    let parsed = if is_yaml { of_yaml(text) } else { of_words(text) };
    parsed.map_err(|(line, problem)| EnvironmentFileError::Content {
        path: path.to_owned(),
        line,
        problem,
    })
}

fn text_of(place: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    file::open(place)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(too_large());
    }
    Ok(text)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")
}

/// A line, and what is wrong in it.
type Wrong = (u32, String);

fn of_yaml(text: &str) -> Result<Vec<Assignment>, Wrong> {
    let document = Value::from_yaml(text).map_err(|problem| (problem.line, problem.text))?;
    let map = match &document {
        Value::Null => return Ok(Vec::new()),
        Value::Map(map) => map,
        _ => return Err((1, "it must be a mapping of names and values".to_owned())),
    };
    let assignment = |entry: &atex_fmf::value::Entry| {
        let line = entry.mark.as_place().map_or(1, |(_, line)| line);
        let name = entry.key.to_python_str();
        let value = scalar(&entry.value).ok_or_else(|| (line, format!("the value of `{name}` must be a text")))?;
        checked(Assignment { name, value, line })
    };
    map.entries().iter().map(assignment).collect()
}

fn of_words(text: &str) -> Result<Vec<Assignment>, Wrong> {
    let assignment = |(word, line): (String, u32)| {
        let Some((name, value)) = word.split_once('=') else {
            return Err((line, format!("`{word}` is not of the form `KEY=VALUE`")));
        };
        checked(Assignment {
            name: name.to_owned(),
            value: value.to_owned(),
            line,
        })
    };
    words(text)?.into_iter().map(assignment).collect()
}

fn checked(assignment: Assignment) -> Result<Assignment, Wrong> {
    match unusable(&assignment.name, &assignment.value) {
        None => Ok(assignment),
        Some(problem) => Err((assignment.line, format!("`{}` {problem}", assignment.name))),
    }
}

/// Splits a text into words as Python's `shlex.split(text, comments=True)` does, each with the line in which it begins.
fn words(text: &str) -> Result<Vec<(String, u32)>, Wrong> {
    let mut words = Vec::new();
    let mut word: Option<(String, u32)> = None;
    let mut line = 1;
    let mut characters = text.chars();
    let mut next = || {
        let character = characters.next();
        let at = line;
        line += u32::from(character == Some('\n'));
        (character, at)
    };
    while let (Some(character), at) = next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' => {
                words.extend(word.take());
                while let (Some(skipped), _) = next()
                    && skipped != '\n'
                {}
            }
            '\\' => match next().0 {
                Some(escaped) => word.get_or_insert((String::new(), at)).0.push(escaped),
                None => return Err((at, "nothing follows the last backslash".to_owned())),
            },
            quote @ ('\'' | '"') => {
                let (text, _) = word.get_or_insert((String::new(), at));
                loop {
                    match next().0 {
                        Some(end) if end == quote => break,
                        Some('\\') if quote == '"' => match next().0 {
                            Some(escaped @ ('"' | '\\')) => text.push(escaped),
                            Some(other) => text.extend(['\\', other]),
                            None => return Err((at, "the quotation has no end".to_owned())),
                        },
                        Some(quoted) => text.push(quoted),
                        None => return Err((at, "the quotation has no end".to_owned())),
                    }
                }
            }
            other => word.get_or_insert((String::new(), at)).0.push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::{of_words, of_yaml};

    fn shown(read: Result<Vec<super::Assignment>, super::Wrong>) -> Vec<String> {
        match read {
            Ok(all) => all
                .iter()
                .map(|one| format!("{} {}={}", one.line, one.name, one.value))
                .collect(),
            Err((line, problem)) => vec![format!("{line}: {problem}")],
        }
    }

    /// Each with what tmt 1.78 makes of it.
    #[test]
    fn words_are_split_as_in_tmt() {
        for (text, expected) in [
            ("A=1 B=2\nC=3\n", &["1 A=1", "1 B=2", "2 C=3"][..]),
            ("# all\nA='a b' # more\nB=\"a\\\"b\"\n", &["2 A=a b", "3 B=a\"b"]),
            (
                "E=a#b\nX1=#no\nE2=$DOT\nF=a\\ b\\\\\n",
                &["1 E=a", "2 X1=", "3 E2=$DOT", "4 F=a b\\"],
            ),
            ("A='\nx'\nB=\"a\\c\"'d'e\nC=", &["1 A=\nx", "3 B=a\\cde", "4 C="]),
            ("", &[]),
            ("\nA\n", &["2: `A` is not of the form `KEY=VALUE`"]),
            ("export A=1", &["1: `export` is not of the form `KEY=VALUE`"]),
            ("A: 1", &["1: `A:` is not of the form `KEY=VALUE`"]),
            ("A=1\nB='x", &["2: the quotation has no end"]),
            ("A=\\", &["1: nothing follows the last backslash"]),
            ("A=1\n\n1A=2", &["3: `1A` has no name that bash can export"]),
            ("UID=0", &["1: `UID` has a name that bash keeps for itself"]),
        ] {
            assert_eq!(shown(of_words(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_mapping_gives_values_as_python_prints_them() {
        for (text, expected) in [
            (
                "A: true\nB: 1.50\nC:\nD: '$X y'\n",
                &["1 A=True", "2 B=1.5", "3 C=None", "4 D=$X y"][..],
            ),
            ("", &[]),
            ("- A=1\n", &["1: it must be a mapping of names and values"]),
            ("A: 1\nB: {C: 1}\n", &["2: the value of `B` must be a text"]),
            ("A: 1\n1a: 1\n", &["2: `1a` has no name that bash can export"]),
        ] {
            assert_eq!(shown(of_yaml(text)), expected, "{text}");
        }
    }
}
