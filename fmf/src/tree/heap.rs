//! Emulates Python's mutable dictionaries, for the few cases in which changes in place can be observed.
//!
//! fmf changes dictionaries in place while it merges. The values here are immutable, and nobody can observe the difference as
//! long as only one place refers to a dictionary. There are several references if a YAML alias or merge key shares the dictionary
//! (such mappings have an [`identity`](Map::identity)), if one merge puts the same dictionary into several items of a list, and
//! if an adjust rule puts its own dictionary into the data. Then the current content is kept here, by the dictionary's identity,
//! until all references are rewritten to it. Within one node, two references without an identity are the same dictionary if they
//! are the same allocation.

use std::collections::HashMap;
use std::sync::Arc;

use crate::value::{Map, Value};
use crate::yaml::MAX_DEPTH;

/// The current content of dictionaries that changed in place.
#[derive(Debug, Default)]
pub(super) struct Heap {
    shared: HashMap<u32, Arc<Map>>,
    /// The changed dictionaries of the present node whose identity is their address.
    local: HashMap<usize, Changed>,
    /// The shared dictionaries that changed while the present node was merged.
    touched: Vec<u32>,
}

#[derive(Debug)]
struct Changed {
    /// The original, which is kept so that its address is not used again.
    _original: Arc<Map>,
    content: Arc<Map>,
}

/// The identity of a dictionary: the one from the document, or its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity {
    Shared(u32),
    Address(usize),
}

impl Identity {
    fn of(map: &Arc<Map>) -> Self {
        match map.identity {
            0 => Self::Address(Arc::as_ptr(map).addr()),
            identity => Self::Shared(identity),
        }
    }
}

impl Heap {
    /// Returns the current content of a dictionary.
    pub(super) fn current(&self, map: &Arc<Map>) -> Arc<Map> {
        let changed = match Identity::of(map) {
            Identity::Shared(identity) => self.shared.get(&identity),
            Identity::Address(address) => self.local.get(&address).map(|changed| &changed.content),
        };
        Arc::clone(changed.unwrap_or(map))
    }

    /// Sets the content of a dictionary for all references.
    pub(super) fn replace(&mut self, map: &Arc<Map>, content: Map) {
        let content = Arc::new(content);
        match Identity::of(map) {
            Identity::Shared(identity) => {
                self.touched.push(identity);
                self.shared.insert(identity, content);
            }
            Identity::Address(address) => {
                let changed = Changed {
                    _original: Arc::clone(map),
                    content,
                };
                self.local.insert(address, changed);
            }
        }
    }

    /// Returns whether no shared dictionary changed.
    pub(super) fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }

    /// Ends the work on a node: rewrites what changed under an address, both in the node's data and in shared dictionaries, and
    /// forgets those addresses.
    pub(super) fn settle(&mut self, data: Arc<Map>) -> Result<Arc<Map>, Knot> {
        let touched = std::mem::take(&mut self.touched);
        if self.local.is_empty() {
            return Ok(data);
        }
        let mut rewriter = Rewriter::new(self, Mode::Rewrite);
        let data = rewriter.content(&data)?;
        let mut settled = Vec::with_capacity(touched.len());
        for identity in touched {
            if let Some(content) = self.shared.get(&identity) {
                settled.push((identity, rewriter.content(content)?));
            }
        }
        self.shared.extend(settled);
        self.local.clear();
        Ok(data)
    }

    /// Returns data with the current content of all dictionaries. They keep their identities.
    pub(super) fn rewrite(&self, data: &Arc<Map>) -> Result<Arc<Map>, Knot> {
        Rewriter::new(self, Mode::Rewrite).content(data)
    }

    /// Returns Python's `deepcopy()` of a node's data: dictionaries with an identity are replaced by copies without one, and
    /// references to the same dictionary still refer to the same copy. Returns also whether there are such references.
    pub(super) fn copy(&self, data: &Arc<Map>) -> Result<(Arc<Map>, bool), Knot> {
        let mut rewriter = Rewriter::new(self, Mode::CopyShared);
        Ok((rewriter.content(data)?, rewriter.repeated))
    }

    /// Returns Python's `deepcopy()` of a dictionary inside a node, for which unchanged dictionaries must be copied too.
    pub(super) fn copy_all(&self, map: &Arc<Map>) -> Result<Map, Knot> {
        let copy = Rewriter::new(self, Mode::CopyAll).map(map)?;
        Ok(Arc::unwrap_or_clone(copy))
    }
}

/// Dictionaries were put into themselves, or nested too deeply. Python fails too, at the latest when it prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("aliases put mappings into themselves, or too deep into each other")]
pub(super) struct Knot;

/// What one pass over data does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It replaces content by the current content.
    Rewrite,
    /// It also drops identities.
    CopyShared,
    /// It also makes new allocations of all dictionaries.
    CopyAll,
}

/// One pass over data. Everything that does not change is shared.
struct Rewriter<'h> {
    heap: &'h Heap,
    mode: Mode,
    /// The results by dictionary, or `None` while a dictionary is being rewritten.
    done: HashMap<Identity, Option<Arc<Map>>>,
    /// Whether some dictionary with an identity was found twice.
    repeated: bool,
    depth: usize,
}

impl<'h> Rewriter<'h> {
    fn new(heap: &'h Heap, mode: Mode) -> Self {
        Self {
            heap,
            mode,
            done: HashMap::new(),
            repeated: false,
            depth: 0,
        }
    }

    /// Rewrites the content of a dictionary.
    fn content(&mut self, map: &Arc<Map>) -> Result<Arc<Map>, Knot> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Knot);
        }
        let mut changed: Option<Map> = None;
        for (at, value) in map.values().enumerate() {
            if let Some(new) = self.value(value)? {
                changed.get_or_insert_with(|| Map::clone(map)).replace_value(at, new);
            }
        }
        self.depth -= 1;
        Ok(changed.map_or_else(|| Arc::clone(map), Arc::new))
    }

    /// Returns the rewritten value, or `None` if it does not change.
    fn value(&mut self, value: &Value) -> Result<Option<Value>, Knot> {
        match value {
            Value::Map(map) => {
                let new = self.map(map)?;
                Ok((!Arc::ptr_eq(&new, map)).then_some(Value::Map(new)))
            }
            Value::List(items) => {
                let mut changed: Option<Vec<Value>> = None;
                for (at, item) in items.iter().enumerate() {
                    if let Some(new) = self.value(item)? {
                        changed.get_or_insert_with(|| items.to_vec())[at] = new;
                    }
                }
                Ok(changed.map(|items| Value::List(Arc::new(items))))
            }
            _ => Ok(None),
        }
    }

    fn map(&mut self, map: &Arc<Map>) -> Result<Arc<Map>, Knot> {
        let identity = Identity::of(map);
        if let Some(done) = self.done.get(&identity) {
            self.repeated |= map.identity != 0;
            return done.clone().ok_or(Knot);
        }
        self.done.insert(identity, None);
        let mut new = self.content(&self.heap.current(map))?;
        if self.mode != Mode::Rewrite && new.identity != 0 {
            Arc::make_mut(&mut new).identity = 0;
        }
        if self.mode == Mode::CopyAll {
            new = Arc::new(Map::clone(&new));
        }
        self.done.insert(identity, Some(Arc::clone(&new)));
        Ok(new)
    }
}

/// Returns whether a value contains a dictionary.
pub(super) fn has_dictionary(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(items) => items.iter().any(has_dictionary),
        _ => false,
    }
}

/// Returns whether a mapping contains a dictionary with an identity.
pub(super) fn has_identity(map: &Map) -> bool {
    fn inside(value: &Value) -> bool {
        match value {
            Value::Map(map) => map.identity != 0 || has_identity(map),
            Value::List(items) => items.iter().any(inside),
            _ => false,
        }
    }
    map.values().any(inside)
}
