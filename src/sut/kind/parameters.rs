//! Parameters of a target: the `key=value` pairs after `?`, and the keys of a named SUT in the configuration. Both use this
//! list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{KINDS, SutKind, TargetError};

/// A parameter that a kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a path on this host.
    pub is_path: bool,
}

impl Parameter {
    /// Makes a parameter that is a text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_path: false }
    }

    /// Makes a parameter that is a path on this host.
    pub const fn path(name: &'static str) -> Self {
        Self { name, is_path: true }
    }
}

/// The parameters that all kinds have: free text that distinguishes how machines were installed, the directory for everything
/// that atex keeps there, and the name for people and records.
const COMMON: [&str; 3] = ["base", "dir", "name"];

/// Parameters as they were written: decoded, and their values not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Returns the names of all parameters of all kinds, in alphabetical order.
    pub fn names() -> Vec<&'static str> {
        let own = KINDS.iter().flat_map(|kind| kind.parameters());
        let mut names: Vec<_> = own.map(|parameter| parameter.name).chain(COMMON).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns a parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a parameter, and returns the value that it had.
    pub fn set(&mut self, name: &'static str, value: String) -> Option<String> {
        self.0.insert(name, value)
    }

    /// Takes those parameters from `other` that are not set here.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    /// Makes the paths on this host absolute by `absolute`, so that they keep their meaning when they are joined with
    /// parameters from elsewhere.
    #[must_use]
    pub fn with_paths(mut self, kind: &dyn SutKind, absolute: impl Fn(&Path) -> PathBuf) -> Self {
        let of_kind = kind.parameters().iter().filter(|parameter| parameter.is_path);
        let names = of_kind.map(|parameter| parameter.name);
        for name in names.chain(kind.is_here().then_some("dir")) {
            if let Some(path) = self.0.get_mut(name) {
                *path = absolute(Path::new(path)).to_string_lossy().into_owned();
            }
        }
        self
    }

    /// Returns the first parameter that a kind does not have.
    pub(super) fn beyond(&self, kind: &dyn SutKind) -> Option<&'static str> {
        let has = |name: &str| COMMON.contains(&name) || kind.parameters().iter().any(|own| own.name == name);
        self.0.keys().copied().find(|name| !has(name))
    }

    /// Parses `key=value&key=value`; `target` is the whole text, for messages.
    pub fn parse(target: &str, query: &str) -> Result<Self, TargetError> {
        let mut parameters = Self::default();
        let names = Self::names();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let bad = |problem| TargetError::Value {
                target: target.to_owned(),
                parameter: pair.to_owned(),
                problem,
            };
            let (key, value) = pair.split_once('=').ok_or_else(|| bad("it has no value"))?;
            let name = names
                .iter()
                .find(|name| **name == key)
                .ok_or_else(|| TargetError::Parameter {
                    target: target.to_owned(),
                    parameter: key.to_owned(),
                })?;
            let value = percent_decoded(value).ok_or_else(|| bad("`%` needs two hexadecimal digits of UTF-8 text"))?;
            if value.is_empty() {
                return Err(bad("its value is empty"));
            }
            if parameters.set(name, value).is_some() {
                return Err(bad("it is given twice"));
            }
        }
        Ok(parameters)
    }
}

/// Decodes `%20`; `None` where the escape or the resulting UTF-8 is bad. `+` stays as it is.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}
