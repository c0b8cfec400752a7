//! Turns the names that a test gives to files into paths below its own directory.
//!
//! The rules, also where the protocol leaves room:
//! * The name of a file is relative. It has no `..` among its components, no NUL, and it has a last component. `.`
//!   and doubled slashes mean nothing, as everywhere in Unix: `./a//b` is `a/b`.
//! * The name of a subtest is not the name of a file and may begin with `/`. Its slashes still separate directories,
//!   so the files of `/sub/one` lie in `sub/one`. `..` and NUL in it are refused if the subtest has files.
//! * Names that a file system or a reader could not take are shortened and end with a digest of the whole name. This
//!   is done to a component that is too long, and to the rest of a path that is too long or too deep.

use std::borrow::Cow;
use std::fmt;

/// The longest component that is kept as it is, in bytes; file systems allow 255.
pub(crate) const LONGEST_COMPONENT: usize = 200;

/// The longest path, in bytes, and the deepest path, in components, that is kept as it is. They leave room for the
/// run's directory and the test's name before the path, and for code that recurses into it, as the
/// cache and the removal of a run do.
const LONGEST: usize = 1500;
const DEEPEST: usize = 64;

/// A path that stays below `files/`: it has at least one component, none is empty, `.` or `..`, and none contains
/// NUL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FilePath(String);

impl FilePath {
    /// Returns the path of the file `name` of a subtest, or of the test itself. The error says what is wrong with a
    /// name.
    pub(crate) fn new(subtest: Option<&str>, name: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("file name {what}: `{}`", name.escape_debug()));
        if name.is_empty() {
            return fault("is empty");
        }
        if name.starts_with('/') {
            return fault("is absolute");
        }
        let mut path = String::new();
        for part in components(subtest.unwrap_or_default()) {
            push(&mut path, part).map_err(|what| {
                let subtest = subtest.unwrap_or_default().escape_debug();
                format!("subtest has files and {what} in its name: `{subtest}`")
            })?;
        }
        let directory = path.len();
        for part in components(name) {
            if let Err(what) = push(&mut path, part) {
                return fault(&format!("has {what}"));
            }
        }
        if path.len() == directory || name.ends_with('/') || name.ends_with("/.") {
            return fault("is that of a directory");
        }
        Ok(Self(shortened(path)))
    }

    /// Returns the directories on the way, outermost first, and the last component.
    pub(crate) fn split(&self) -> (impl Iterator<Item = &str>, &str) {
        let (directories, file) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (components(directories), file)
    }

    /// Returns how many directories are on the way.
    pub(crate) fn directories(&self) -> usize {
        self.0.bytes().filter(|byte| *byte == b'/').count()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

fn components(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// Shortens a path to a length and depth that can be stored. Different paths stay different.
fn shortened(path: String) -> String {
    let depth = 1 + path.bytes().filter(|byte| *byte == b'/').count();
    if path.len() <= LONGEST_COMPONENT && depth <= DEEPEST {
        path
    } else {
        folded(&path)
    }
}

fn folded(path: &str) -> String {
    let mut short = String::new();
    let mut rest = path;
    let mut level = 1;
    while let Some((part, behind)) = rest.split_once('/') {
        if level == DEEPEST || short.len() + part.len().min(LONGEST_COMPONENT) > LONGEST {
            break;
        }
        short.push_str(&component(part));
        short.push('/');
        rest = behind;
        level += 1;
    }
    if rest.contains('/') {
        let last = rest.rsplit('/').next().unwrap_or(rest);
        short.push_str(&cut_component(last, path));
    } else {
        short.push_str(&component(rest));
    }
    short
}

fn component(part: &str) -> Cow<'_, str> {
    if part.len() <= LONGEST_COMPONENT {
        Cow::Borrowed(part)
    } else {
        Cow::Owned(cut_component(part, part))
    }
}

/// Returns the beginning of a name that is too long for a component, and a digest of what it stands for.
pub(crate) fn cut_component(name: &str, whole: &str) -> String {
    let end = name.floor_char_boundary(LONGEST_COMPONENT);
    format!("{}~{}", &name[..end], &blake3::hash(whole.as_bytes()).to_hex()[..16])
}

fn push(path: &mut String, part: &str) -> Result<(), &'static str> {
    if part == ".." {
        return Err("`..`");
    }
    if part.contains('\0') {
        return Err("NUL");
    }
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(part);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_lie_below_the_name_of_their_subtest() {
        for (subtest, name, path) in [
            (None, "log", "log"),
            (None, "logs/a.log", "logs/a.log"),
            (None, "./logs//a..b", "logs/a..b"),
            (None, "...", "..."),
            (Some("sub"), "log", "sub/log"),
            (Some("/sub/one/"), "dir/log", "sub/one/dir/log"),
            (Some("/"), "log", "log"),
        ] {
            assert_eq!(FilePath::new(subtest, name).map(|path| path.0).as_deref(), Ok(path));
        }
    }

    #[test]
    fn names_that_lead_outside_or_name_no_file_are_refused() {
        for name in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "a\0b",
            ".",
            "./",
            "a/",
            "a/.",
        ] {
            assert!(FilePath::new(None, name).is_err(), "{name:?}");
            assert!(FilePath::new(Some("sub"), name).is_err(), "{name:?}");
        }
        for subtest in ["..", "../x", "a/../../b", "a\0"] {
            assert!(FilePath::new(Some(subtest), "log").is_err(), "{subtest:?}");
        }
    }

    #[test]
    fn names_of_any_length_and_depth_are_stored_and_stay_distinct() {
        let long = "x".repeat(300);
        let deep = "a/".repeat(2000);
        let names = [
            format!("{long}1"),
            format!("{long}2"),
            format!("{long}1/log"),
            format!("{deep}b"),
            format!("{deep}c"),
            format!("{deep}b/b"),
            format!("{}/b", format!("{long}/").repeat(20)),
            format!("{}/c", "é".repeat(2000)),
        ];
        let paths: Vec<_> = names.iter().map(|name| FilePath::new(None, name).unwrap()).collect();
        for (at, path) in paths.iter().enumerate() {
            assert!(path.as_str().len() < 2000 && path.directories() < DEEPEST, "{path}");
            assert!(path.as_str().split('/').all(|part| part.len() < 255), "{path}");
            assert!(!paths[..at].contains(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_names_a_path_stays_below(subtest in "[./a\0]{0,8}", name in "[./a\0]{0,8}") {
            if let Ok(path) = FilePath::new(Some(&subtest), &name) {
                prop_assert!(!path.0.is_empty() && !path.0.contains('\0'));
                prop_assert!(path.0.split('/').all(|part| !["", ".", ".."].contains(&part)));
                let (directories, file) = path.split();
                let joined: Vec<_> = directories.chain([file]).collect();
                prop_assert_eq!(joined.len(), path.directories() + 1);
                prop_assert_eq!(joined.join("/"), path.0);
            }
        }
    }
}
