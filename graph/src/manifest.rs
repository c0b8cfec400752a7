//! The one traversal of what a node depends on.
//!
//! A [`Manifest`] shows its parts to a [`Visitor`], in an order that never changes. Two visitors exist: [`crate::KeyHasher`]
//! makes the key, [`crate::transcript()`] the text that explains it. As both see the same calls, an explanation cannot
//! leave out what the key holds, nor the other way round.
//!
//! Rules for implementations:
//! - a field's name is part of the key; renaming one is a new version of the encoding;
//! - what is absent is not visited at all, so a new optional field leaves the keys of nodes without it as they are;
//! - maps are visited in the order of their keys, and their size is told before ([`Visitor::enter`]);
//! - origins are for people and must not reach a key.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::digest::ActionKey;
use crate::inputs::{EnvValue, InputFiles, Sourced};

/// Something that can show all that it depends on.
pub trait Manifest {
    /// Shows every part to the visitor, always in the same order.
    fn visit(&self, visitor: &mut dyn Visitor);
}

/// Sees the parts of a [`Manifest`]. `origin` is where in the metadata a value comes from, as `file:line`.
pub trait Visitor {
    /// Opens a manifest: what it is, and the version of its fields.
    fn begin(&mut self, domain: &str, version: u64);
    /// One of a fixed set of alternatives.
    fn choice(&mut self, field: &str, ordinal: u64, word: &str);
    /// A text.
    fn text(&mut self, field: &str, text: &str, origin: Option<&str>);
    /// A list of texts, whose order matters.
    fn texts(&mut self, field: &str, texts: &[String], origin: Option<&str>);
    /// A keyed hash that stands for a secret text.
    fn secret(&mut self, field: &str, keyed: &[u8; 32], origin: Option<&str>);
    /// A value of the metadata.
    fn json(&mut self, field: &str, value: &Value, origin: Option<&str>);
    /// A set of files.
    fn files(&mut self, field: &str, files: &InputFiles);
    /// The node at this position among the dependencies, from 0; `name` is for people.
    fn dep(&mut self, position: u64, key: ActionKey, name: &str);
    /// Opens a group of `count` fields, which follow.
    fn enter(&mut self, field: &str, count: u64);
    /// Ends the innermost group.
    fn leave(&mut self);
}

/// A value that can stand as one field of a manifest.
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
