//! Reads the few settings of git that decide which files belong to a repository. Nothing that a setting names is ever run.

use std::env;
use std::path::{Path, PathBuf};

use super::wildmatch;
use crate::host;

/// How deep configuration files may include each other; git has the same limit.
const DEPTH: usize = 10;

/// The settings of a configuration; `None` where it does not set them.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, as git has them"
)]
pub(super) struct GitConfig {
    pub(super) excludes_file: Option<PathBuf>,
    pub(super) ignore_case: bool,
    pub(super) bare: bool,
    pub(super) work_tree: Option<PathBuf>,
    pub(super) sha256: bool,
    per_work_tree: bool,
}

impl GitConfig {
    /// Reads the configuration of the system, the user and the repository; later ones win. `git` is the directory of the
    /// repository, `common` the one that its work trees share.
    pub(super) fn read(git: &Path, common: &Path) -> Self {
        let mut config = Self::default();
        if env::var_os("GIT_CONFIG_NOSYSTEM").is_none() {
            let system = env::var_os("GIT_CONFIG_SYSTEM").map_or_else(|| "/etc/gitconfig".into(), PathBuf::from);
            config.file(&system, git, DEPTH);
        }
        if let Some(global) = env::var_os("GIT_CONFIG_GLOBAL") {
            config.file(Path::new(&global), git, DEPTH);
        } else {
            if let Some(directory) = user_directory() {
                config.file(&directory.join("config"), git, DEPTH);
            }
            if let Some(home) = home() {
                config.file(&home.join(".gitconfig"), git, DEPTH);
            }
        }
        config.file(&common.join("config"), git, DEPTH);
        if config.per_work_tree {
            config.file(&git.join("config.worktree"), git, DEPTH);
        }
        config
    }

    /// Returns the user's own file of ignore rules.
    pub(super) fn excludes(&self) -> Option<PathBuf> {
        self.excludes_file
            .clone()
            .or_else(|| Some(user_directory()?.join("ignore")))
    }

    fn file(&mut self, file: &Path, git: &Path, depth: usize) {
        let Ok(bytes) = host::file::read(file) else { return };
        for (section, key, value) in settings(&String::from_utf8_lossy(&bytes)) {
            self.set((&section, &key, value.as_deref()), file, git, depth);
        }
    }

    fn set(&mut self, (section, key, value): (&str, &str, Option<&str>), file: &Path, git: &Path, depth: usize) {
        let path = || Some(expanded(value?, file));
        match (section, key) {
            ("core", "excludesfile") => self.excludes_file = path(),
            ("core", "ignorecase") => self.ignore_case = truth(value),
            ("core", "bare") => self.bare = truth(value),
            // The path is relative to the repository's own directory.
            ("core", "worktree") => self.work_tree = value.map(|value| git.join(value)),
            ("extensions", "objectformat") => self.sha256 = value.is_some_and(|value| value == "sha256"),
            ("extensions", "worktreeconfig") => self.per_work_tree = truth(value),
            (_, "path") if depth > 0 && included(section, file, git) => {
                if let Some(other) = path() {
                    self.file(&other, git, depth - 1);
                }
            }
            _ => {}
        }
    }
}

/// Returns whether the condition of a section holds here, so that the section includes another file.
fn included(section: &str, file: &Path, git: &Path) -> bool {
    if section == "include" {
        return true;
    }
    let Some(condition) = section.strip_prefix("includeif.") else {
        return false;
    };
    let (pattern, fold) = match (condition.strip_prefix("gitdir:"), condition.strip_prefix("gitdir/i:")) {
        (Some(pattern), _) => (pattern, false),
        (_, Some(pattern)) => (pattern, true),
        _ => return false,
    };
    let mut pattern = match (pattern.strip_prefix("./"), pattern.strip_prefix("~/")) {
        (Some(rest), _) => file.with_file_name(rest).to_string_lossy().into_owned(),
        (_, Some(_)) => expanded(pattern, file).to_string_lossy().into_owned(),
        _ if pattern.starts_with('/') => pattern.to_owned(),
        _ => format!("**/{pattern}"),
    };
    if pattern.ends_with('/') || condition.ends_with('/') {
        pattern = format!("{}/**", pattern.trim_end_matches('/'));
    }
    let git = git.to_string_lossy();
    wildmatch::matches(pattern.as_bytes(), git.as_bytes(), fold)
}

fn home() -> Option<PathBuf> {
    env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

fn user_directory() -> Option<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME").filter(|directory| !directory.is_empty());
    Some(
        config
            .map_or_else(|| Some(home()?.join(".config")), |directory| Some(directory.into()))?
            .join("git"),
    )
}

/// Returns a path of a configuration file: `~/` is the user's home, and a relative path starts from the file's directory.
fn expanded(value: &str, file: &Path) -> PathBuf {
    match (value.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => file.with_file_name(value),
    }
}

fn truth(value: Option<&str>) -> bool {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "yes" | "on") => true,
        Some(number) => number.parse::<i64>().is_ok_and(|number| number != 0),
    }
}

/// Returns the settings of a file as section (with its subsection after a dot), key and value. Names that git compares without
/// case are in lower case.
fn settings(text: &str) -> Vec<(String, String, Option<String>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let (mut found, mut section) = (Vec::new(), String::new());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('[') {
            let Some((name, after)) = header(after) else {
                return found;
            };
            (section, rest) = (name, after);
        } else if rest.starts_with(['#', ';']) {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .unwrap_or(rest.len());
            let key = rest[..end].to_ascii_lowercase();
            let after = rest[end..].trim_start_matches([' ', '\t']);
            if key.is_empty() {
                return found;
            }
            if let Some(after) = after.strip_prefix('=') {
                let (value, after) = value(after);
                found.push((section.clone(), key, Some(value)));
                rest = after;
            } else {
                found.push((section.clone(), key, None));
                rest = after.split_once('\n').map_or("", |(_, after)| after);
            }
        }
    }
    found
}

/// Reads the head of a section, from behind its opening bracket.
fn header(text: &str) -> Option<(String, &str)> {
    let end = text.find([']', '"', '\n'])?;
    let name = text[..end].trim().to_ascii_lowercase();
    if text[end..].starts_with(']') {
        return Some((name, &text[end + 1..]));
    }
    let (mut second, mut escaped) = (String::new(), false);
    for (at, character) in text[end + 1..].char_indices() {
        match character {
            '\n' => return None,
            '\\' if !escaped => escaped = true,
            '"' if !escaped => {
                let after = text[end + 1 + at + 1..].trim_start().strip_prefix(']')?;
                return Some((format!("{name}.{second}"), after));
            }
            other => {
                second.push(other);
                escaped = false;
            }
        }
    }
    None
}

/// Reads a value up to the end of its line.
fn value(text: &str) -> (String, &str) {
    let (mut value, mut quoted, mut kept) = (String::new(), false, 0);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\n' => return (value[..kept].to_owned(), &text[at + 1..]),
            '#' | ';' if !quoted => {
                let after = text[at..].split_once('\n').map_or("", |(_, after)| after);
                return (value[..kept].to_owned(), after);
            }
            '"' => quoted = !quoted,
            '\\' => match characters.next().map(|(_, next)| next) {
                Some('\n') | None => {}
                Some(next) => {
                    value.push(match next {
                        'n' => '\n',
                        't' => '\t',
                        'b' => '\u{8}',
                        other => other,
                    });
                    kept = value.len();
                }
            },
            space if space.is_whitespace() && !quoted => {
                if !value.is_empty() {
                    value.push(space);
                }
            }
            other => {
                value.push(other);
                kept = value.len();
            }
        }
    }
    (value[..kept].to_owned(), "")
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let text =
            "[core]\n\texcludesFile = \"~/a b\" # why\n bare\n[includeIf \"gitdir:/x\\\"y/\"]\npath=one\\\ntwo ; no\n";
        let found = settings(text);
        let line = |section: &str, key: &str, value: Option<&str>| (section.into(), key.into(), value.map(Into::into));
        assert_eq!(
            found,
            [
                line("core", "excludesfile", Some("~/a b")),
                line("core", "bare", None),
                line("includeif.gitdir:/x\"y/", "path", Some("onetwo")),
            ]
        );
    }
}
