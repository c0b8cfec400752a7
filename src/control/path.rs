//! Names that a test gives to files, made into paths below its own directory.
//!
//! The rules, also where the protocol leaves room:
//! * A file's name is relative and has no `..` among its components, no NUL, and a last component. `.` and doubled slashes
//!   mean nothing, as everywhere in Unix: `./a//b` is `a/b`.
//! * The name of a subtest is not the name of a file and may begin with `/`; its slashes part directories all the same,
//!   so `/sub/one` lies in `sub/one`. `..` and NUL in it are refused once it has files.

use std::fmt;

/// A path below `files/` that stays there: components that are neither empty, `.` nor `..`, without NUL, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePath(String);

impl FilePath {
    /// Where the file `name` of a subtest, or of the test itself, lies. The error says what is wrong with a name.
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
        Ok(Self(path))
    }

    /// The directories on the way, outermost first, and the last component.
    pub(crate) fn split(&self) -> (impl Iterator<Item = &str>, &str) {
        let (directories, file) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (components(directories), file)
    }

    /// How many directories are on the way.
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
