//! Turns the name of a test into the path of an attempt, and reads it back.
//!
//! The name of a test is its path. A component that could be taken for a file of an attempt is escaped by writing its first byte
//! as `%XX`. A `%` before two hexadecimal digits is escaped in the same way, so the escaping is reversible. A component that no
//! file system could take is cut, and ends with a digest of the whole.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::TESTS;
use crate::control::{FILES, LONGEST_COMPONENT, OUTPUT, RESULTS, cut_component};

/// What the directory of a further plan begins with.
const PLAN: char = '@';
/// What the directory of a further attempt begins with.
const ATTEMPT: &str = "attempt-";

/// Returns the path of a test's attempt, relative to the run's directory.
pub fn test_path(name: &str, plan: Option<&str>, attempt: u32) -> PathBuf {
    let mut path = PathBuf::with_capacity(name.len() + 16);
    path.push(TESTS);
    for part in name.split('/').filter(|part| !part.is_empty()) {
        path.push(&*component(part));
    }
    if let Some(plan) = plan {
        path.push(plan_component(plan));
    }
    if attempt > 1 {
        path.push(format!("{ATTEMPT}{attempt}"));
    }
    path
}

/// Returns the path of the data of a plan on a SUT, relative to the directory of all such data.
pub(super) fn of_plan_data(plan: &str, sut: &str) -> PathBuf {
    [plan_component(plan), plan_component(sut)]
        .map(|name| name[PLAN.len_utf8()..].to_owned())
        .iter()
        .collect()
}

/// Turns a plan's name into one file name; the slashes between its parts become colons, and its own colons are escaped.
fn plan_component(plan: &str) -> String {
    let escaped = plan.trim_matches('/').replace('%', "%25").replace(':', "%3a");
    let name = format!("{PLAN}{}", escaped.replace('/', ":").replace('\0', "%00"));
    if name.len() <= LONGEST_COMPONENT {
        return name;
    }
    cut_component(&name, plan)
}

/// Turns a component of a test's name into a file name that does not collide with a file name of the run's directory.
fn component(name: &str) -> Cow<'_, str> {
    if !reserved(name) && !name.contains(['%', '\0']) && name.len() <= LONGEST_COMPONENT {
        return Cow::Borrowed(name);
    }
    Cow::Owned(escaped(name))
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, character) in name.char_indices() {
        let first_of_reserved = at == 0 && reserved(name);
        let looks_escaped =
            character == '%' && name[at + 1..].bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        if first_of_reserved || looks_escaped || character == '\0' {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _infallible = write!(escaped, "%{byte:02x}");
            }
        } else {
            escaped.push(character);
        }
    }
    if escaped.len() <= LONGEST_COMPONENT {
        return escaped;
    }
    cut_component(&escaped, name)
}

/// Returns whether a component could be taken for a file name of the run's directory, or for no name at all.
fn reserved(component: &str) -> bool {
    matches!(component, FILES | RESULTS | OUTPUT | "." | "..")
        || component.starts_with(PLAN)
        || attempt_number(component).is_some()
}

/// Returns the digits of the number in a component, if it could be taken for the directory of a further attempt.
fn attempt_number(component: &str) -> Option<&str> {
    let number = component.strip_prefix(ATTEMPT)?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// Undoes the escapes (`%XX`) of a component.
fn unescaped(component: &str) -> String {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The meaning of a directory below `tests/`, by its name.
pub(super) enum Component {
    /// The tests or results in it belong to this plan.
    Plan(String),
    /// The results in it belong to this attempt.
    Attempt(u32),
    /// It is one more part of the test's name.
    Name(String),
}

impl Component {
    /// Reads a directory's name back.
    pub(super) fn read(name: &str) -> Self {
        if let Some(plan) = name.strip_prefix(PLAN) {
            return Self::Plan(format!("/{}", unescaped(&plan.replace(':', "/"))));
        }
        match attempt_number(name).and_then(|number| number.parse().ok()) {
            Some(number) => Self::Attempt(number),
            None => Self::Name(unescaped(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_test_name_is_its_path() {
        assert_eq!(test_path("/a/b c", None, 1), Path::new("tests/a/b c"));
        assert_eq!(test_path("/a", None, 2), Path::new("tests/a/attempt-2"));
        assert_eq!(test_path("/a", Some("/plans/b"), 1), Path::new("tests/a/@plans:b"));
    }

    #[test]
    fn names_that_would_collide_with_our_files_are_escaped_and_stay_distinct() {
        assert_eq!(test_path("/a/files/x", None, 1), Path::new("tests/a/%66iles/x"));
        assert_eq!(test_path("/a/%66iles/x", None, 1), Path::new("tests/a/%2566iles/x"));
        assert_eq!(test_path("/a/../b", None, 1), Path::new("tests/a/%2e./b"));
        assert_eq!(test_path("/a/attempt-2", None, 1), Path::new("tests/a/%61ttempt-2"));
        assert_eq!(test_path("/a/100%", None, 1), Path::new("tests/a/100%"));
    }

    #[test]
    fn a_name_too_long_for_a_file_system_is_shortened_and_stays_distinct() {
        let (one, two) = (format!("/{}1", "é".repeat(300)), format!("/{}2", "é".repeat(300)));
        let (one, two) = (test_path(&one, None, 1), test_path(&two, None, 1));
        assert_ne!(one, two);
        assert!(one.file_name().unwrap().len() < 255);
    }

    #[test]
    fn plans_never_share_a_path() {
        let long = |end| format!("/{}{end}", "p".repeat(300));
        let plans = ["/x/y", "/x:y", "/x%3ay", "/x%253ay", &long("1"), &long("2")];
        let paths: std::collections::BTreeSet<_> = plans.map(|plan| test_path("/a", Some(plan), 1)).into();
        assert_eq!(paths.len(), plans.len());
        assert!(paths.iter().all(|path| path.file_name().unwrap().len() < 255));
    }
}
