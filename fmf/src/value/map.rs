//! The mapping: Python's `dict`, with the place in the files from which each entry came.
//!
//! Invariant: keys are distinct under Python equality. Small mappings are searched in order. From [`INDEXED_FROM`] entries on
//! there is a hash index, so that the cost stays linear for hostile sizes.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Value;

/// The number of entries from which lookups use a hash index.
const INDEXED_FROM: usize = 24;

/// Where an entry came from: a place in a file, or a link of a tree's history of merges.
///
/// It is opaque here; `tree::origin` gives it its meaning. Marks are ignored by equality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(pub(crate) u64);

/// One entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key, which is a text in all ordinary files and can be any hashable value.
    pub key: Value,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub mark: Mark,
}

/// A mapping with Python's `dict` semantics: insertion order, any hashable value as key.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<Entry>,
    index: Option<Arc<HashMap<Key, u32>>>,
    /// A number other than zero if several places of a document refer to this very mapping (an anchor with aliases); see
    /// `tree::heap`.
    pub(crate) identity: u32,
}

impl Map {
    /// Makes an empty mapping.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty mapping with room for `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            entries: Vec::with_capacity(capacity),
            ..Self::default()
        }
    }

    /// Makes a copy with room for `more` entries.
    pub(crate) fn clone_with_room(&self, more: usize) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len() + more);
        entries.extend_from_slice(&self.entries);
        Self {
            entries,
            index: self.index.clone(),
            identity: self.identity,
        }
    }

    /// Frees memory that is not used.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Returns the value of a text key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the value of any key, under Python equality.
    pub fn get_value(&self, key: &Value) -> Option<&Value> {
        self.position_of(key).map(|at| &self.entries[at].value)
    }

    /// Returns the entry of a text key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.position(key).map(|at| &self.entries[at])
    }

    /// Returns whether there is an entry with the text key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Iterates over the entries in insertion order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Iterates over the keys in insertion order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// Iterates over the values in insertion order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// Returns the entries with their marks, in insertion order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the mapping with other texts in its values, as [`Value::with_texts`] does. The marks stay.
    pub fn with_texts(&self, change: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let mut changed = None;
        for (at, entry) in self.entries.iter().enumerate() {
            if let Some(value) = entry.value.with_texts(change) {
                changed.get_or_insert_with(|| self.clone()).replace_value(at, value);
            }
        }
        changed
    }

    /// Sets a text key's value. A key that exists keeps its position.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, value: Value) {
        self.set(Value::Str(key.into()), value, Mark::default());
    }

    /// Sets a key's value and mark. A key that exists keeps its position and its own spelling, as in Python.
    pub fn set(&mut self, key: Value, value: Value, mark: Mark) {
        if let Some(at) = self.position_of(&key) {
            let entry = &mut self.entries[at];
            entry.value = value;
            entry.mark = mark;
            return;
        }
        if let Some(index) = &mut self.index {
            Arc::make_mut(index).insert(Key(key.clone()), position_number(self.entries.len()));
        }
        self.entries.push(Entry { key, value, mark });
        if self.index.is_none() && self.entries.len() >= INDEXED_FROM {
            self.reindex();
        }
    }

    /// Returns the entry of a text key, so that its value or mark can be changed.
    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<(&mut Value, &mut Mark)> {
        let at = self.position(key)?;
        let entry = &mut self.entries[at];
        Some((&mut entry.value, &mut entry.mark))
    }

    /// Sets the value of the entry at a position, which must exist.
    pub(crate) fn replace_value(&mut self, at: usize, value: Value) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.value = value;
        }
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &Value) -> Option<Value> {
        let at = self.position_of(key)?;
        let entry = self.entries.remove(at);
        self.reindex();
        Some(entry.value)
    }

    /// Keeps only the entries for which the predicate returns true.
    pub(crate) fn retain<E>(&mut self, mut keep: impl FnMut(&Entry) -> Result<bool, E>) -> Result<(), E> {
        let mut failed = None;
        self.entries.retain(|entry| {
            failed.is_some()
                || keep(entry).unwrap_or_else(|error| {
                    failed = Some(error);
                    true
                })
        });
        self.reindex();
        failed.map_or(Ok(()), Err)
    }

    fn reindex(&mut self) {
        self.index = (self.entries.len() >= INDEXED_FROM).then(|| {
            let numbered = self.entries.iter().enumerate();
            Arc::new(
                numbered
                    .map(|(at, entry)| (Key(entry.key.clone()), position_number(at)))
                    .collect(),
            )
        });
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(_) => self.position_of(&Value::text(key)),
            None => self.entries.iter().position(|entry| entry.key.as_str() == Some(key)),
        }
    }

    fn position_of(&self, key: &Value) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&Key(key.clone())).map(|&at| at as usize),
            None => self.entries.iter().position(|entry| entry.key.same(key)),
        }
    }
}

/// A key as Python's `dict` compares it, for which a NaN equals itself.
#[derive(Clone, Debug)]
struct Key(Value);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

impl Eq for Key {}

/// Returns a position as 32 bits. The size limit of documents is far below that.
fn position_number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.entries.iter().all(|entry| {
                other
                    .get_value(&entry.key)
                    .is_some_and(|value| value.same(&entry.value))
            })
    }
}

impl FromIterator<(Value, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.set(key, value, Mark::default());
        }
        map
    }
}
