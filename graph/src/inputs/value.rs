//! Values that several kinds of nodes depend on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::manifest::{Field, Manifest, Visitor};

/// A value, and where in the metadata it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// `file:line`, for people; explained, never hashed.
    pub origin: Option<Arc<str>>,
}

impl<T> Sourced<T> {
    /// A value of which nobody knows where it comes from.
    pub const fn new(value: T) -> Self {
        Self { value, origin: None }
    }

    /// A value from a place in the metadata, such as `plans/main.fmf:12`.
    pub fn at(value: T, origin: impl Into<Arc<str>>) -> Self {
        Self {
            value,
            origin: Some(origin.into()),
        }
    }
}

impl<T> From<T> for Sourced<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Variables by name.
pub type Environment = BTreeMap<String, Sourced<EnvValue>>;

/// The value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A text that everybody may see.
    Plain(String),
    /// A keyed hash that stands for a secret text. The text itself never comes here.
    Secret([u8; 32]),
}

impl EnvValue {
    /// Replaces a secret text by its hash under a key that only its owner has.
    pub fn secret(key: &[u8; 32], text: &str) -> Self {
        Self::Secret(blake3::keyed_hash(key, text.as_bytes()).into())
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.debug_tuple("Plain").field(text).finish(),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

impl From<&str> for EnvValue {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for EnvValue {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

/// The kind of machine a chain of prepare steps starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// `ID` of os-release.
    pub os: String,
    /// `VERSION_ID` of os-release.
    pub version: String,
    /// Architecture, as `uname -m` says it.
    pub arch: String,
    /// The target's free text, to be changed when its machines are installed differently.
    pub base: String,
    /// The digest of what the machine is made of, as of an image; nothing where it has none.
    pub digest: Option<String>,
    /// Who jobs run as there; empty where that is not told.
    pub user: String,
    /// Variables that jobs find there by themselves and could go by: `PATH`, `LANG`, `LC_…`, `TZ`.
    pub environment: BTreeMap<String, String>,
}

impl Manifest for Base {
    fn visit(&self, visitor: &mut dyn Visitor) {
        let told = [
            self.digest.is_some(),
            !self.user.is_empty(),
            !self.environment.is_empty(),
        ];
        visitor.enter("base", 4 + told.into_iter().map(u64::from).sum::<u64>());
        self.os.show("os", None, visitor);
        self.version.show("version", None, visitor);
        self.arch.show("arch", None, visitor);
        self.base.show("base", None, visitor);
        if let Some(digest) = &self.digest {
            digest.show("digest", None, visitor);
        }
        if !self.user.is_empty() {
            self.user.show("user", None, visitor);
        }
        if !self.environment.is_empty() {
            visitor.enter("environment", self.environment.len() as u64);
            for (name, value) in &self.environment {
                value.show(name, None, visitor);
            }
            visitor.leave();
        }
        visitor.leave();
    }
}
