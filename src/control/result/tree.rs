//! JSON values that grow by merging, for partial results.
//!
//! A value stays text until a piece changes something in it. Then only the objects on the way to the change are split
//! into members. Numbers keep their digits, and members keep the order of their first appearance.
//!
//! Invariant: each function that takes `size` changes it by as much as it changes [`JsonNode::size`] of the whole
//! value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::control::json::{self, Members};

/// The cost, in bytes, of holding a member of a split object, in addition to its text.
const MEMBER_COST: usize = 64;

/// A value: either its compact text, or an object that was split into members.
#[derive(Debug)]
pub(crate) enum JsonNode {
    Text(String),
    JsonObject(JsonObject),
}

/// The members of an object, each with its position among them.
#[derive(Debug, Default)]
pub(crate) struct JsonObject {
    members: BTreeMap<Box<str>, (u64, JsonNode)>,
    appeared: u64,
}

impl Default for JsonNode {
    fn default() -> Self {
        Self::JsonObject(JsonObject::default())
    }
}

impl JsonNode {
    /// Makes a value from its compact text.
    pub(crate) fn text(compact: Vec<u8>) -> Self {
        // The bytes were copied from UTF-8 text at character boundaries, so they are UTF-8.
        Self::Text(String::from_utf8(compact).unwrap_or_default())
    }

    pub(crate) fn string(text: &str) -> Self {
        let mut out = Vec::with_capacity(text.len() + 2);
        json::push_string(&mut out, text);
        Self::text(out)
    }

    /// Returns the decoded text if the value is a string.
    pub(crate) fn as_string(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(value) => json::string(value),
            Self::JsonObject(_) => None,
        }
    }

    fn compact(value: &str) -> Self {
        let mut out = Vec::with_capacity(value.len());
        json::push_compact(&mut out, value);
        Self::text(out)
    }

    /// Returns the number of bytes of text, plus the cost of holding the members that were split off.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::JsonObject(object) => object
                .members
                .iter()
                .map(|(key, (_, node))| MEMBER_COST + key.len() + node.size())
                .sum(),
        }
    }

    /// Returns the value as a split object. A value that is not an object becomes an empty one. Updates `size`.
    pub(crate) fn taken_apart(&mut self, size: &mut usize) -> &mut JsonObject {
        if let Self::Text(text) = self {
            let mut object = JsonObject::default();
            *size -= text.len();
            for (key, value) in json::members(text).unwrap_or_default() {
                object.put(&key, Self::Text(value.to_owned()), size);
            }
            *self = Self::JsonObject(object);
        }
        match self {
            Self::JsonObject(object) => object,
            Self::Text(_) => unreachable!("the text was just replaced"),
        }
    }

    fn merge(&mut self, value: &str, size: &mut usize) {
        let is_object =
            matches!(self, Self::JsonObject(_)) || matches!(self, Self::Text(text) if text.starts_with('{'));
        match self {
            _ if is_object && value.starts_with('{') => {
                let members = json::members(value).unwrap_or_default();
                self.taken_apart(size).merge(&members, size);
            }
            Self::Text(array) if array.starts_with('[') && value.starts_with('[') => {
                *size -= array.len();
                append(array, value);
                *size += array.len();
            }
            _ => {
                *size -= self.size();
                *self = Self::compact(value);
                *size += self.size();
            }
        }
    }

    /// Appends what is between the braces of an object, or any other value as a whole.
    pub(crate) fn push_inner(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                let inner = text
                    .strip_prefix('{')
                    .and_then(|text| text.strip_suffix('}'))
                    .unwrap_or(text);
                out.extend_from_slice(inner.as_bytes());
            }
            Self::JsonObject(object) => object.push_members(out),
        }
    }
}

impl JsonObject {
    pub(crate) fn get(&self, key: &str) -> Option<&JsonNode> {
        self.members.get(key).map(|(_, node)| node)
    }

    /// Merges members by the rules of partial results. Updates `size`.
    pub(crate) fn merge(&mut self, members: &Members<'_>, size: &mut usize) {
        for (key, value) in members {
            if *value == "null" {
                if let Some((_, node)) = self.members.remove(key.as_ref()) {
                    *size -= MEMBER_COST + key.len() + node.size();
                }
            } else if let Some((_, node)) = self.members.get_mut(key.as_ref()) {
                node.merge(value, size);
            } else {
                self.put(key, JsonNode::compact(value), size);
            }
        }
    }

    /// Sets a member: a new one goes after the others, and an existing one keeps its position.
    pub(crate) fn put(&mut self, key: &str, node: JsonNode, size: &mut usize) {
        if let Some((_, old)) = self.members.get_mut(key) {
            *size = *size - old.size() + node.size();
            *old = node;
        } else {
            *size += MEMBER_COST + key.len() + node.size();
            self.members.insert(key.into(), (self.appeared, node));
            self.appeared += 1;
        }
    }

    fn push_members(&self, out: &mut Vec<u8>) {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|(_, (appeared, _))| *appeared);
        for (position, (key, (_, node))) in members.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            json::push_string(out, key);
            out.push(b':');
            match node {
                JsonNode::Text(text) => out.extend_from_slice(text.as_bytes()),
                JsonNode::JsonObject(object) => {
                    out.push(b'{');
                    object.push_members(out);
                    out.push(b'}');
                }
            }
        }
    }
}

/// Appends the elements of an array to another compact array.
fn append(array: &mut String, more: &str) {
    let mut compact = Vec::with_capacity(more.len());
    json::push_compact(&mut compact, more);
    let more = String::from_utf8(compact).unwrap_or_default();
    let Some(elements) = more.strip_prefix('[').filter(|elements| *elements != "]") else {
        return;
    };
    array.pop();
    if array.len() > 1 {
        array.push(',');
    }
    array.push_str(elements);
}
