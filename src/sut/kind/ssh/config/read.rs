//! Reads `ssh_config` files for one host: which lines apply to it, in order.
//!
//! The format and the rules are those of OpenSSH's `ssh_config(5)`. A line applies if the `Host` or `Match` above it matches.
//! Of options that can be set once, the first value that applies wins; [`SshOptions`] sees to that.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::error::SshConfigError;
use super::options::SshOptions;
use super::tokens::{percent, tilde};
use super::{ConfigFiles, ConfigPlace, line};
use crate::sut::kind::ssh::pattern;

/// How deep files may include each other; the same limit as OpenSSH's.
const DEPTH: usize = 16;

/// A reader of the files for one host.
pub(super) struct ConfigReader<'a> {
    pub(super) files: &'a ConfigFiles,
    /// The host name that was given.
    pub(super) original: &'a str,
    /// The name that `Host` is compared with: the given one, and in the final pass the one that was found.
    pub(super) host: String,
    pub(super) options: SshOptions,
    /// Whether this is the second pass, which `Match final` asks for.
    pub(super) final_pass: bool,
    pub(super) wants_final_pass: bool,
}

/// The lines below one `Host` or `Match`.
#[derive(Clone, Copy)]
struct Block {
    holds: bool,
    /// Whether the file is included in a place where lines do not apply, so that none of it applies.
    never: bool,
}

impl ConfigReader<'_> {
    pub(super) fn read(&mut self) -> Result<(), SshConfigError> {
        for (file, beside) in self.files.given() {
            self.file(&file, &beside, true, 0)?;
        }
        Ok(())
    }

    /// Reads a file. A file that the user did not name may be missing.
    fn file(&mut self, file: &Path, beside: &Path, holds: bool, depth: usize) -> Result<(), SshConfigError> {
        let text = match crate::host::file::read(file) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.files.is_named(file) => return Ok(()),
            Err(source) => {
                let file = file.to_owned();
                return Err(SshConfigError::Unreadable { file, source });
            }
        };
        let mut block = Block { holds, never: !holds };
        for (index, text) in text.lines().enumerate() {
            let at = ConfigPlace {
                file: file.to_owned(),
                line: index + 1,
            };
            if let Some((keyword, rest)) = line::split(text) {
                self.line(&keyword.to_lowercase(), rest, &at, &mut block, (beside, depth))?;
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        keyword: &str,
        rest: &str,
        at: &ConfigPlace,
        block: &mut Block,
        (beside, depth): (&Path, usize),
    ) -> Result<(), SshConfigError> {
        match keyword {
            "match" => block.holds = self.matches(rest, at)? && !block.never,
            "host" => {
                let patterns = arguments(rest, at)?;
                let named = pattern::any_matches(patterns.iter().map(String::as_str), |pattern| {
                    pattern::matches_exactly(pattern, &self.host)
                });
                block.holds = named && !block.never;
            }
            "include" => {
                if depth >= DEPTH {
                    let problem = "`Include` goes too deep".to_owned();
                    return Err(SshConfigError::Line {
                        at: at.clone(),
                        problem,
                    });
                }
                for argument in arguments(rest, at)? {
                    let file = beside.join(tilde(&argument, &self.files.here.home));
                    for file in expanded(&file) {
                        self.file(&file, beside, block.holds, depth + 1)?;
                    }
                }
            }
            // The argument of these keywords is the rest of the line as it is.
            "proxycommand" | "localcommand" | "remotecommand" | "knownhostscommand" if block.holds => {
                self.options.set(keyword, vec![rest.to_owned()], at);
            }
            _ if block.holds => self.options.set(keyword, arguments(rest, at)?, at),
            _ => {}
        }
        Ok(())
    }

    /// Whether a `Match` line matches. A criterion that cannot be evaluated here does not match, and gives a warning.
    fn matches(&mut self, rest: &str, at: &ConfigPlace) -> Result<bool, SshConfigError> {
        let problem = |problem: String| SshConfigError::Line {
            at: at.clone(),
            problem,
        };
        let words = arguments(rest, at)?;
        let mut words = words.iter().map(String::as_str);
        let mut holds = true;
        while let Some(word) = words.next() {
            let (negated, criterion) = word.strip_prefix('!').map_or((false, word), |word| (true, word));
            let (criterion, joined) = criterion
                .split_once('=')
                .map_or((criterion, None), |(a, b)| (a, Some(b)));
            let criterion = criterion.to_lowercase();
            let found = match criterion.as_str() {
                "all" => true,
                "final" | "canonical" => {
                    self.wants_final_pass |= criterion == "final";
                    self.final_pass
                }
                _ => {
                    let argument = joined.filter(|text| !text.is_empty()).or_else(|| words.next());
                    let argument = argument.ok_or_else(|| problem(format!("`Match {word}` has no argument")))?;
                    self.criterion(&criterion, argument).unwrap_or_else(|| {
                        self.options.not_honoured(&format!("Match {criterion}"), at);
                        // Neither the criterion nor its opposite is known to hold.
                        negated
                    })
                }
            };
            holds &= found != negated;
        }
        Ok(holds)
    }

    fn criterion(&self, criterion: &str, patterns: &str) -> Option<bool> {
        let list = || patterns.split(',');
        let files = self.files;
        Some(match criterion {
            "host" => pattern::list_matches(list(), &self.found_host()),
            "originalhost" => pattern::list_matches(list(), self.original),
            "user" => {
                let user = self.options.first("user").unwrap_or(&files.here.user);
                pattern::any_matches(list(), |pattern| pattern::matches_exactly(pattern, user))
            }
            "localuser" => {
                let user = &files.here.user;
                pattern::any_matches(list(), |pattern| pattern::matches_exactly(pattern, user))
            }
            "tagged" => {
                let tag = self.options.first("tag").unwrap_or_default();
                pattern::any_matches(list(), |pattern| pattern::matches_exactly(pattern, tag))
            }
            _ => return None,
        })
    }

    /// Returns the host name as far as it is known by now.
    pub(super) fn found_host(&self) -> String {
        let host = |token| (token == 'h').then(|| self.host.clone());
        let name = self.options.first("hostname").map(|name| percent(name, host));
        name.and_then(Result::ok).unwrap_or_else(|| self.host.clone())
    }
}

fn arguments(rest: &str, at: &ConfigPlace) -> Result<Vec<String>, SshConfigError> {
    line::arguments(rest).ok_or_else(|| SshConfigError::Line {
        at: at.clone(),
        problem: "a quote is not closed".to_owned(),
    })
}

/// Returns the files that a path with wildcards names, sorted by name. A path without wildcards is returned as it is, whether
/// it exists or not.
fn expanded(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let name = part.as_os_str().to_string_lossy();
        let glob = GlobBuilder::new(&name).literal_separator(true).build();
        let matcher = match glob {
            Ok(glob) if name.contains(['*', '?', '[']) => glob.compile_matcher(),
            _ => {
                for path in &mut found {
                    path.push(part);
                }
                continue;
            }
        };
        let mut next = Vec::new();
        for dir in &found {
            let Ok(entries) = std::fs::read_dir(dir) else { continue };
            let names = entries.flatten().map(|entry| entry.file_name());
            // As in a shell, hidden files match only a pattern that begins with a dot.
            let shown = |entry: &std::ffi::OsString| name.starts_with('.') || !entry.to_string_lossy().starts_with('.');
            let mut names: Vec<_> = names.filter(|entry| shown(entry) && matcher.is_match(entry)).collect();
            names.sort();
            next.extend(names.into_iter().map(|name| dir.join(name)));
        }
        found = next;
    }
    found
}
