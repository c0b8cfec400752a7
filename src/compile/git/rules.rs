//! Ignore rules: reads and matches the lines of `.gitignore`, `info/exclude` and `core.excludesFile`.

use std::path::Path;
use std::sync::Arc;

use super::wildmatch;
use crate::host;

/// A larger file is not taken for a list of rules.
const LIMIT: u64 = 16 << 20;

/// The rules of one file.
#[derive(Debug, Default)]
pub(crate) struct IgnoreRules {
    rules: Vec<Rule>,
    /// The directory that the rules apply to, relative to the repository, with a slash at its end unless it is the top.
    base: Vec<u8>,
}

#[derive(Debug)]
struct Rule {
    pattern: Vec<u8>,
    negated: bool,
    directories_only: bool,
    /// Whether the pattern has no slash within, so that it applies only to the last part of a path.
    name_only: bool,
    /// The file, the line and the text of the rule, for messages.
    said: Arc<str>,
}

impl IgnoreRules {
    /// Reads a file of rules, which messages call `shown`. A missing file has no rules. `linked` says whether the file may be a
    /// symlink, which git refuses in the work tree.
    pub(super) fn read(file: &Path, shown: &str, base: &[u8], linked: bool) -> Self {
        if !linked && file.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Self::default();
        }
        let small = file.metadata().is_ok_and(|found| found.len() <= LIMIT);
        let bytes = if small {
            host::file::read(file).unwrap_or_default()
        } else {
            Vec::new()
        };
        Self::parse(&bytes, shown, base)
    }

    pub(super) fn parse(bytes: &[u8], shown: &str, base: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
        let rules = lines.filter_map(|(number, line)| Rule::parse(line, (shown, number)));
        Self {
            rules: rules.collect(),
            base: base.to_owned(),
        }
    }

    /// Returns the verdict of the last rule that matches a path of the repository: the inner value is the rule's place if the
    /// rule ignores the path. Returns `None` where no rule matches.
    #[expect(
        clippy::option_option,
        reason = "ignored, not ignored and nothing said are three things"
    )]
    pub(super) fn verdict(&self, path: &[u8], directory: bool, fold: bool) -> Option<Option<&Arc<str>>> {
        let within = path.strip_prefix(self.base.as_slice())?;
        let rule = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.matches(within, directory, fold))?;
        Some((!rule.negated).then_some(&rule.said))
    }
}

impl Rule {
    fn parse(line: &[u8], (file, number): (&str, u32)) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Git reads each line as a C string, which ends at the first zero byte.
        let line = line.split(|byte| *byte == 0).next()?;
        if line.first() == Some(&b'#') {
            return None;
        }
        let line = without_trailing_spaces(line);
        let said = format!("{file}:{number} (`{}`)", String::from_utf8_lossy(line)).into();
        let (negated, line) = line.strip_prefix(b"!").map_or((false, line), |rest| (true, rest));
        let (directories_only, line) = line.strip_suffix(b"/").map_or((false, line), |rest| (true, rest));
        if line.is_empty() {
            return None;
        }
        let name_only = !line.contains(&b'/');
        let pattern = line.strip_prefix(b"/").unwrap_or(line).to_owned();
        Some(Self {
            pattern,
            negated,
            directories_only,
            name_only,
            said,
        })
    }

    fn matches(&self, path: &[u8], directory: bool, fold: bool) -> bool {
        if self.directories_only && !directory {
            return false;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().filter(|_| self.name_only);
        if let Some(name) = name {
            return wildmatch::matches(&self.pattern, name, fold);
        }
        // As git does it: what comes before the first special byte is compared on its own, so that `a**/b` matches `a/x/b`.
        let special = |byte: &u8| b"*?[\\".contains(byte);
        let literal = self.pattern.iter().position(special).unwrap_or(self.pattern.len());
        let (head, tail) = self.pattern.split_at(literal);
        path.split_at_checked(literal).is_some_and(|(start, rest)| {
            let same = if fold {
                start.eq_ignore_ascii_case(head)
            } else {
                start == head
            };
            same && wildmatch::matches(tail, rest, fold)
        })
    }
}

/// Removes the spaces at the end that are not escaped by a backslash.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let (mut end, mut at) = (0, 0);
    while at < line.len() {
        let length = if line[at] == b'\\' { 2 } else { 1 };
        if line[at] != b' ' {
            end = (at + length).min(line.len());
        }
        at += length;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::IgnoreRules;

    fn ignored(rules: &str, path: &str) -> Option<bool> {
        let directory = path.ends_with('/');
        let rules = IgnoreRules::parse(rules.as_bytes(), ".gitignore", b"");
        let verdict = rules.verdict(path.trim_end_matches('/').as_bytes(), directory, false);
        verdict.map(|ignored| ignored.is_some())
    }

    #[test]
    fn a_rule_knows_where_it_stands() {
        let rules = IgnoreRules::parse(b"# objects\n\n*.o \n", "lib/.gitignore", b"lib/");
        let said = rules.verdict(b"lib/x.o", false, false).flatten();
        assert_eq!(said.map(|said| &**said), Some("lib/.gitignore:3 (`*.o`)"));
    }

    #[test]
    fn rules_read_as_git_reads_them() {
        for (rules, path, expected) in [
            ("*.o\n!keep.o", "a/x.o", Some(true)),
            ("*.o\n!keep.o", "a/keep.o", Some(false)),
            ("/a", "b/a", None),
            ("a/b", "x/a/b", None),
            ("build/", "build", None),
            ("build/", "x/build/", Some(true)),
            ("# x\n\\#y", "#y", Some(true)),
            ("x  ", "x", Some(true)),
            ("x\\ ", "x ", Some(true)),
            ("x\r\n", "x", Some(true)),
            ("{a,b}", "a", None),
            ("**/z", "z", Some(true)),
            ("d/**", "d/e/f", Some(true)),
        ] {
            assert_eq!(ignored(rules, path), expected, "{rules} {path}");
        }
    }
}
