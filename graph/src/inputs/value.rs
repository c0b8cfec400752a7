//! Types of values that are inputs of several kinds of nodes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::manifest::{Field, Manifest, Visitor};

/// A value with the place in the metadata that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The place as `file:line`, for people. It is shown in explanations and never hashed.
    pub origin: Option<Arc<str>>,
}

impl<T> Sourced<T> {
    /// Makes a value whose place is not known.
    pub const fn new(value: T) -> Self {
        Self { value, origin: None }
    }

    /// Makes a value from a place in the metadata, such as `plans/main.fmf:12`.
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

/// Environment variables by name.
pub type Environment = BTreeMap<String, Sourced<EnvValue>>;

/// The value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A text that everybody may see.
    Plain(String),
    /// A keyed hash that stands for a secret text. The text itself never gets here.
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

/// The kind of machine from which a chain of prepare steps starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The `ID` of os-release.
    pub os: String,
    /// The `VERSION_ID` of os-release.
    pub version: String,
    /// The architecture, as `uname -m` prints it.
    pub arch: String,
    /// The free text of the target, which its owner changes when its machines are installed differently.
    pub base: String,
    /// The digest of what the machine is made of, for example of an image, if there is one.
    pub digest: Option<String>,
    /// The user as whom jobs run there, or an empty text if that is not known.
    pub user: String,
    /// The variables that jobs find there by themselves and could depend on: `PATH`, `LANG`, `LC_…`, `TZ`.
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
