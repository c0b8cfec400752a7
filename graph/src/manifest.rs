//! The one traversal of everything that a node depends on.
//!
//! A [`Manifest`] shows its parts to a [`Visitor`], in an order that never changes. There are two visitors: [`crate::KeyHasher`]
//! makes the key, and [`crate::transcript()`] makes the text that explains the key. Because both see the same calls, an
//! explanation cannot omit what the key contains, nor the other way round.
//!
//! Rules for implementations:
//! - The name of a field is part of the key, so renaming a field needs a new version of the encoding.
//! - An absent value is not visited at all, so a new optional field does not change the keys of nodes without it.
//! - Maps are visited in the order of their keys, and their size is announced before ([`Visitor::enter`]).
//! - Origins are for people and must not reach a key.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::digest::ActionKey;
use crate::inputs::{EnvValue, InputFiles, Sourced};

/// A value that can show everything it depends on.
pub trait Manifest {
    /// Shows every part to the visitor, always in the same order.
    fn visit(&self, visitor: &mut dyn Visitor);
}

/// A visitor of the parts of a [`Manifest`]. `origin` is the place in the metadata that a value comes from, as `file:line`.
pub trait Visitor {
    /// Begins a manifest: what it is of, and the version of its fields.
    fn begin(&mut self, domain: &str, version: u64);
    /// Visits one of a fixed set of alternatives.
    fn choice(&mut self, field: &str, ordinal: u64, word: &str);
    /// Visits a text.
    fn text(&mut self, field: &str, text: &str, origin: Option<&str>);
    /// Visits a list of texts, whose order matters.
    fn texts(&mut self, field: &str, texts: &[String], origin: Option<&str>);
    /// Visits a keyed hash that stands for a secret text.
    fn secret(&mut self, field: &str, keyed: &[u8; 32], origin: Option<&str>);
    /// Visits a value of the metadata.
    fn json(&mut self, field: &str, value: &Value, origin: Option<&str>);
    /// Visits a set of files.
    fn files(&mut self, field: &str, files: &InputFiles);
    /// Visits the dependency at this position, from 0. `name` is for people.
    fn dep(&mut self, position: u64, key: ActionKey, name: &str);
    /// Begins a group. Its `count` fields follow.
    fn enter(&mut self, field: &str, count: u64);
    /// Ends the innermost group.
    fn leave(&mut self);
}

/// A value that can be one field of a manifest.
pub(crate) trait Field {
    /// Shows the value under the name `field`.
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor);
}

impl Field for String {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        visitor.text(field, self, origin);
    }
}

impl Field for Vec<String> {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        visitor.texts(field, self, origin);
    }
}

impl Field for Value {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        visitor.json(field, self, origin);
    }
}

impl Field for EnvValue {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        match self {
            Self::Plain(text) => visitor.text(field, text, origin),
            Self::Secret(keyed) => visitor.secret(field, keyed, origin),
        }
    }
}

impl<T: Field> Field for Sourced<T> {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        self.value.show(field, self.origin.as_deref().or(origin), visitor);
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn show(&self, field: &str, origin: Option<&str>, visitor: &mut dyn Visitor) {
        visitor.enter(field, self.len() as u64);
        for (name, value) in self {
            value.show(name, origin, visitor);
        }
        visitor.leave();
    }
}
