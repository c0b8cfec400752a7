//! Finds the file with which a script starts, if its text tells.
//!
//! Only the first command counts, after commands that only set things up: the files of later commands may have been made by then,
//! or the directory may be another one. Nothing is guessed about words that the shell expands.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::compile::plan::environment::is_name;
use crate::compile::script::read_files::inside;

/// The file that a script runs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstCommand {
    /// The word as it is written, without quotes.
    pub(crate) word: String,
    pub(crate) how: RunBy,
}

/// How a file is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunBy {
    /// As a program, which must be executable.
    Executed,
    /// By an interpreter, or by the shell that reads it.
    Read,
    /// By a word without a slash, which the shell looks up in `PATH`.
    Looked,
}

/// A word of a script; it is `fixed` if the shell does not expand it.
#[derive(Debug)]
struct Word {
    text: String,
    fixed: bool,
}

/// Commands that change neither the directory nor any file.
const HARMLESS: [&str; 6] = [":", "echo", "export", "set", "shopt", "ulimit"];
const SHELLS: [&str; 5] = ["bash", "dash", "ksh", "sh", "zsh"];
const INTERPRETERS: [&str; 6] = ["node", "perl", "python", "python2", "python3", "ruby"];

/// Returns the file with which a script starts, in the script's directory.
pub(crate) fn first(script: &str) -> Option<FirstCommand> {
    let mut rest = script;
    loop {
        let (words, after) = simple_command(rest)?;
        let words = without_assignments(&words);
        match words.first() {
            None if after.is_empty() => return None,
            None => {}
            Some(first) if first.fixed && HARMLESS.contains(&first.text.as_str()) => {}
            Some(_) => return named(words),
        }
        rest = after;
    }
}

/// Returns the path in the tree of the script file with which a script starts, if it is in the tree.
pub(crate) fn file_of(script: &str, directory: &Path) -> Option<PathBuf> {
    let command = first(script).filter(|command| command.how != RunBy::Looked)?;
    inside(directory, &command.word)
}

/// Returns whether a file is a shell script, by its first line or else by its name.
pub(crate) fn is_shell(path: &Path, text: &str) -> bool {
    let named = || {
        path.extension()
            .and_then(OsStr::to_str)
            .is_some_and(|name| SHELLS.contains(&name))
    };
    let Some(interpreter) = text.lines().next().and_then(|line| line.strip_prefix("#!")) else {
        return named();
    };
    let mut words = interpreter.split_whitespace().map(|word| word.rsplit('/').next());
    words.any(|word| word.is_some_and(|word| SHELLS.contains(&word)))
}

/// Splits off the first command. Returns `None` if the text is more than words, or redirects something.
fn simple_command(script: &str) -> Option<(Vec<Word>, &str)> {
    let mut words = Vec::new();
    let mut rest = script.trim_start_matches([' ', '\t']);
    loop {
        let Some(next) = rest.chars().next() else {
            return Some((words, ""));
        };
        match next {
            '\n' | ';' => return Some((words, &rest[1..])),
            '#' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                rest = &rest[end..];
                continue;
            }
            '&' if rest.starts_with("&&") => return Some((words, &rest[2..])),
            // What the command itself does is known; where its output goes does not matter.
            '&' | '|' | '<' | '>' if !harmless(&words) => return Some((words, "")),
            '&' | '|' | '<' | '>' | '(' | ')' | '{' | '}' | '!' => return None,
            _ => {}
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after.trim_start_matches([' ', '\t']);
    }
}

fn harmless(words: &[Word]) -> bool {
    words
        .first()
        .is_none_or(|first| HARMLESS.contains(&first.text.as_str()))
}

/// Splits off a word. Returns `None` if a quotation does not end.
fn word(text: &str) -> Option<(Word, &str)> {
    let mut word = Word {
        text: String::new(),
        fixed: true,
    };
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => return Some((word, &text[at..])),
            '\'' | '"' => loop {
                let (_, inside) = chars.next()?;
                match inside {
                    end if end == c => break,
                    '$' | '`' | '\\' if c == '"' => word.fixed = false,
                    _ => {}
                }
                word.text.push(inside);
            },
            '\\' | '$' | '`' | '*' | '?' | '[' | '{' | '~' => {
                word.fixed = false;
                word.text.push(c);
                if c == '\\' {
                    word.text.extend(chars.next().map(|(_, escaped)| escaped));
                }
            }
            other => word.text.push(other),
        }
    }
    Some((word, ""))
}

/// Returns the words without `NAME=value` and without words that only prefix a command.
fn without_assignments(words: &[Word]) -> &[Word] {
    let prefixes = |word: &Word| {
        let name = word.text.split('=').next().unwrap_or_default();
        let assigns = name.len() < word.text.len() && is_name(name);
        assigns || matches!(word.text.as_str(), "exec" | "time")
    };
    let start = words.iter().position(|word| !prefixes(word)).unwrap_or(words.len());
    &words[start..]
}

fn named(words: &[Word]) -> Option<FirstCommand> {
    let (first, arguments) = words.split_first()?;
    if !first.fixed {
        return None;
    }
    let command = |word: &Word, how| {
        (word.fixed && !word.text.starts_with('/')).then(|| FirstCommand {
            word: word.text.clone(),
            how,
        })
    };
    let name = first.text.as_str();
    if name == "." || name == "source" {
        return arguments
            .first()
            .filter(|file| file.text.contains('/'))
            .and_then(|file| command(file, RunBy::Read));
    }
    let file = if SHELLS.contains(&name) {
        Some(script_of_shell(arguments)?)
    } else if INTERPRETERS.contains(&name) {
        Some(arguments.first().filter(|argument| !argument.text.starts_with('-'))?)
    } else {
        None
    };
    match file {
        // Without a dot or a slash, it may be a program in `PATH`.
        Some(file) if file.text.contains(['.', '/']) => command(file, RunBy::Read),
        Some(_) => None,
        None if name.contains('/') => command(first, RunBy::Executed),
        None => command(first, RunBy::Looked),
    }
}

/// Returns the file that a shell is told to read.
fn script_of_shell(arguments: &[Word]) -> Option<&Word> {
    let mut arguments = arguments.iter();
    loop {
        let argument = arguments.next()?;
        let text = argument.text.as_str();
        match text.strip_prefix(['-', '+']) {
            None => return Some(argument),
            Some("o" | "O" | "eo" | "euo" | "exo" | "euxo") => {
                arguments.next()?;
            }
            Some(flags) if !flags.is_empty() && flags.bytes().all(|flag| b"aefhlnuvx".contains(&flag)) => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RunBy, first};

    #[test]
    fn the_first_file_is_found() {
        for (script, word, how) in [
            ("./test.sh", "./test.sh", RunBy::Executed),
            ("./test.sh a b | tee x", "./test.sh", RunBy::Executed),
            ("  A=1 B='x y' exec ../run --all", "../run", RunBy::Executed),
            ("# why\nset -x\n\nexport A=$B; ./t.sh", "./t.sh", RunBy::Executed),
            ("bash -eux -o pipefail t.sh", "t.sh", RunBy::Read),
            ("python3 'my test.py'", "my test.py", RunBy::Read),
            (". ./lib.sh; f", "./lib.sh", RunBy::Read),
            ("lib/x.sh && y", "lib/x.sh", RunBy::Executed),
            ("test.sh", "test.sh", RunBy::Looked),
            ("./a.sh >/dev/null 2>&1", "./a.sh", RunBy::Executed),
        ] {
            let found = first(script).unwrap_or_else(|| panic!("{script:?}"));
            assert_eq!((found.word.as_str(), found.how), (word, how), "{script:?}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_guessed() {
        for script in [
            "",
            "\n\n",
            "/usr/bin/true",
            "$DIR/test.sh",
            "./test*.sh",
            "bash -c './x.sh'",
            "python3 -m pytest x.py",
            "bash \"$X\"",
            "bash reboot",
            "echo x > run.sh; ./run.sh",
            "( ./x )",
            ". lib.sh",
            "~/x.sh",
            "'./x",
            "bash",
        ] {
            assert_eq!(first(script), None, "{script:?}");
        }
    }

    #[test]
    fn only_the_first_command_counts() {
        assert_eq!(
            first("make && ./built").map(|found| found.word),
            Some("make".to_owned())
        );
        assert_eq!(first("cd x; ./y").map(|found| found.how), Some(RunBy::Looked));
    }
}
