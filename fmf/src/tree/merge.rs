//! Merges data: fmf's suffixes on all pairs of types, with the details of the Python code that decide the outcome.
//!
//! A suffix is stripped as Python's `rstrip` does it, so `a+++` is `a+`. Dictionaries are changed in place, see
//! [`heap`](super::heap); lists never are. This file does not know where data comes from: inheritance and adjust both call it.

use std::sync::Arc;

use super::heap::{Heap, has_dictionary};
use super::origin::History;
use crate::regex::Pattern;
use crate::value::{self, Entry, Map, Mark, NumberError, Value};

/// What to do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Set,
    Append,
    Prepend,
    RemoveMatching,
    Remove,
    Substitute,
}

/// The reason why data cannot be merged.
#[derive(Debug)]
pub(super) struct Conflict {
    /// The key, with its suffix.
    pub(super) key: String,
    pub(super) problem: String,
    pub(super) mark: Mark,
    /// The mark of the value that it should have been merged into.
    pub(super) before: Mark,
}

/// Merges mappings into the data of one node.
#[derive(Debug)]
pub(super) struct Merger<'m> {
    pub(super) heap: &'m mut Heap,
    pub(super) history: &'m mut History,
    /// The number of the adjust rule that is being applied.
    pub(super) rule: Option<u32>,
    /// Whether the node may refer to some dictionary twice.
    pub(super) tracked: bool,
}

impl Operation {
    /// Splits a key with a suffix into the operation and the key without the suffix.
    fn of(key: &str) -> (Self, &str) {
        let (operation, suffix): (_, &[char]) = if key.ends_with('+') {
            (Self::Append, &['+'])
        } else if key.ends_with("+<") {
            (Self::Prepend, &['+', '<'])
        } else if key.ends_with("-~") {
            (Self::RemoveMatching, &['-', '~'])
        } else if key.ends_with('-') {
            (Self::Remove, &['-'])
        } else if key.ends_with('~') {
            (Self::Substitute, &['~'])
        } else {
            return (Self::Set, key);
        };
        (operation, key.trim_end_matches(suffix))
    }
}

/// Returns the key without its suffix.
pub(super) fn bare_key(key: &str) -> &str {
    Operation::of(key).1
}

impl Merger<'_> {
    /// Merges the entries of `source` into a node's data. The marks of entries that change are extended with this step.
    pub(super) fn merge(&mut self, data: &mut Map, source: &[Entry]) -> Result<(), Conflict> {
        for entry in source {
            let before = entry
                .key
                .as_str()
                .and_then(|key| data.entry(bare_key(key)))
                .map(|entry| entry.mark);
            let key = self.merge_entry(data, entry).map_err(|conflict| Conflict {
                before: before.unwrap_or_default(),
                ..conflict
            })?;
            let Some((_, mark)) = data.entry_mut(key) else { continue };
            let replaced = matches!(Operation::of(entry.key.as_str().unwrap_or_default()).0, Operation::Set);
            *mark = if self.rule.is_some() || (before.is_some() && !replaced) {
                self.history.add_link(entry.mark, before.unwrap_or_default(), self.rule)
            } else {
                entry.mark
            };
        }
        Ok(())
    }

    /// Merges one entry and returns the key that it was about.
    fn merge_entry<'e>(&mut self, data: &mut Map, entry: &'e Entry) -> Result<&'e str, Conflict> {
        let conflict = |problem: String| Conflict {
            key: entry.key.to_python_str(),
            problem,
            mark: entry.mark,
            before: Mark::default(),
        };
        let Value::Str(full) = &entry.key else {
            return Err(conflict(format!(
                "a key to merge must be text, not `{}`",
                entry.key.type_name()
            )));
        };
        let (operation, key) = Operation::of(full);
        let name = if key.len() == full.len() {
            entry.key.clone()
        } else {
            Value::text(key)
        };
        match operation {
            Operation::Set => data.set(name, entry.value.clone(), entry.mark),
            Operation::Append => self.append(data, name, entry, false)?,
            Operation::Prepend => self.append(data, name, entry, true)?,
            _ => {
                let Some((current, mark)) = data.entry_mut(key) else {
                    return Ok(key);
                };
                *mark = entry.mark;
                let outcome = match operation {
                    Operation::RemoveMatching => self.remove_matching(current, &entry.value),
                    Operation::Remove => self.remove(current, &entry.value),
                    _ => substitute(current, &entry.value),
                };
                outcome.map_err(conflict)?;
            }
        }
        Ok(key)
    }

    /// Merges all entries of a dictionary into another dictionary inside the node's data.
    fn merge_inside(&mut self, data: &mut Map, source: &Arc<Map>) -> Result<(), Conflict> {
        if source.identity == 0 {
            let source = self.heap.current(source);
            return source
                .entries()
                .iter()
                .try_for_each(|entry| self.merge_entry(data, entry).map(drop));
        }
        // The source may be the dictionary that changes, directly or deeper inside. Then Python sees new values and refuses new
        // keys.
        let same = data.identity == source.identity;
        let live = |heap: &Heap, data: &Map, at: usize| {
            let current = heap.current(source);
            let map = if same { data } else { &*current };
            (map.entries().get(at).cloned(), map.len())
        };
        let (mut entry, length) = live(self.heap, data, 0);
        for at in 1..=length {
            let Some(merged) = entry else { break };
            self.merge_entry(data, &merged)?;
            let (next, now) = live(self.heap, data, at);
            if now != length {
                let problem = "the mapping that is merged changes by it, since an alias makes both the same".to_owned();
                return Err(Conflict {
                    key: merged.key.to_python_str(),
                    problem,
                    mark: merged.mark,
                    before: Mark::default(),
                });
            }
            entry = next;
        }
        Ok(())
    }

    fn append(&mut self, data: &mut Map, key: Value, entry: &Entry, prepend: bool) -> Result<(), Conflict> {
        let conflict = |problem: String| Conflict {
            key: entry.key.to_python_str(),
            problem,
            mark: entry.mark,
            before: Mark::default(),
        };
        let Some((current, mark)) = key.as_str().and_then(|key| data.entry_mut(key)) else {
            data.set(key, entry.value.clone(), entry.mark);
            return Ok(());
        };
        *mark = entry.mark;
        match (&mut *current, &entry.value) {
            (Value::List(items), Value::Map(source)) => {
                // All items get the same objects from inside the source.
                self.tracked |= source.values().any(has_dictionary);
                for item in Arc::make_mut(items) {
                    let Value::Map(item) = item else {
                        return Err(conflict(format!(
                            "each item of the list must be a mapping, not `{}`",
                            item.type_name()
                        )));
                    };
                    self.change(item, |this, item| this.merge_inside(item, source))?;
                }
            }
            (Value::Map(parent), Value::List(sources)) => {
                let mut list = Vec::with_capacity(sources.len());
                for source in sources.iter() {
                    let Value::Map(source) = source else {
                        return Err(conflict(format!(
                            "each item of the list must be a mapping, not `{}`",
                            source.type_name()
                        )));
                    };
                    let copy = self.heap.copy_all(parent);
                    let mut copy = copy.map_err(|knot| conflict(knot.to_string()))?;
                    self.merge_inside(&mut copy, source)?;
                    list.push(Value::Map(Arc::new(copy)));
                }
                *current = Value::List(Arc::new(list));
            }
            (Value::Map(target), Value::Map(source)) => {
                self.change(target, |this, target| this.merge_inside(target, source))?;
            }
            (left, right) => *current = if prepend { sum(right, left) } else { sum(left, right) }.map_err(conflict)?,
        }
        Ok(())
    }

    /// Changes a dictionary in place, which changes it for all references if there may be several.
    fn change<E>(
        &mut self,
        map: &mut Arc<Map>,
        change: impl FnOnce(&mut Self, &mut Map) -> Result<(), E>,
    ) -> Result<(), E> {
        if map.identity == 0 && !self.tracked {
            return change(self, Arc::make_mut(map));
        }
        let mut content = Map::clone(&self.heap.current(map));
        change(self, &mut content)?;
        self.heap.replace(map, content);
        Ok(())
    }

    /// Does `-`: subtracts numbers, and removes matches from text, items from lists, and keys from mappings.
    fn remove(&mut self, current: &mut Value, what: &Value) -> Result<(), String> {
        let new = match (&mut *current, what) {
            (Value::Str(text), Value::Str(pattern)) => {
                Value::from(pattern_of(pattern)?.sub("", text).map_err(|error| error.to_string())?)
            }
            (Value::List(items), Value::List(unwanted)) => {
                let kept = items
                    .iter()
                    .filter(|item| !unwanted.iter().any(|unwanted| item.same(unwanted)));
                Value::from(kept.cloned().collect::<Vec<_>>())
            }
            (Value::Map(map), Value::List(keys)) => {
                return self.change(map, |_, map| {
                    for key in keys.iter() {
                        // Python does not check the key if the dictionary is empty.
                        if !map.is_empty() && !key.is_hashable() {
                            return Err(format!("`{}` cannot be a key", key.type_name()));
                        }
                        map.remove(key);
                    }
                    Ok(())
                });
            }
            (left, right) => match value::subtract(left, right) {
                Ok(difference) => difference,
                Err(NumberError::Overflow) => return Err("the integer is too large for a float".to_owned()),
                Err(NumberError::NotNumbers) => {
                    return Err(format!(
                        "`{}` cannot be removed from `{}`",
                        right.type_name(),
                        left.type_name()
                    ));
                }
            },
        };
        *current = new;
        Ok(())
    }

    /// Does `-~`: empties a text, and removes list items and mapping keys, in which one of the patterns is found.
    fn remove_matching(&mut self, current: &mut Value, patterns: &Value) -> Result<(), String> {
        match current {
            Value::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items.iter() {
                    if !any_found(patterns, &item.to_python_str())? {
                        kept.push(item.clone());
                    }
                }
                *items = Arc::new(kept);
            }
            Value::Str(text) => {
                if any_found(patterns, text)? {
                    *current = Value::from("");
                }
            }
            Value::Map(map) => {
                self.change(map, |_, map| {
                    map.retain(|entry| Ok::<_, String>(!any_found(patterns, &entry.key.to_python_str())?))
                })?;
            }
            other => {
                return Err(format!(
                    "nothing can be removed from `{}` by pattern",
                    other.type_name()
                ));
            }
        }
        Ok(())
    }
}

/// Returns `left + right` for all that Python adds except mappings.
fn sum(left: &Value, right: &Value) -> Result<Value, String> {
    let joined =
        |a: &Arc<Vec<Value>>, b: &Arc<Vec<Value>>| Arc::new(a.iter().chain(b.iter()).cloned().collect::<Vec<_>>());
    Ok(match (left, right) {
        (Value::Str(a), Value::Str(b)) => Value::from(format!("{a}{b}")),
        (Value::List(a), Value::List(b)) => Value::List(joined(a, b)),
        (Value::Tuple(a), Value::Tuple(b)) => Value::Tuple(joined(a, b)),
        (Value::Bytes(a), Value::Bytes(b)) => Value::Bytes([&**a, &**b].concat().into()),
        _ => match value::add(left, right) {
            Ok(sum) => sum,
            Err(NumberError::Overflow) => return Err("the integer is too large for a float".to_owned()),
            Err(NumberError::NotNumbers) => {
                return Err(format!(
                    "`{}` and `{}` cannot be added",
                    left.type_name(),
                    right.type_name()
                ));
            }
        },
    })
}

fn pattern_of(pattern: &str) -> Result<Arc<Pattern>, String> {
    Pattern::cached(pattern).map_err(|error| error.to_string())
}

/// Iterates over the texts in a value that is one text or several: a list, or the keys of a mapping.
fn texts(value: &Value) -> Result<Vec<&Value>, String> {
    match value {
        Value::Str(_) => Ok(vec![value]),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => Ok(items.iter().collect()),
        Value::Map(map) => Ok(map.keys().collect()),
        other => Err(format!(
            "the value must be text or a list of text, not `{}`",
            other.type_name()
        )),
    }
}

/// Returns whether one of the patterns is found. Patterns after the first one that is found are not evaluated.
fn any_found(patterns: &Value, text: &str) -> Result<bool, String> {
    for pattern in texts(patterns)? {
        let pattern = pattern
            .as_str()
            .ok_or_else(|| format!("a pattern must be text, not `{}`", pattern.type_name()))?;
        if pattern_of(pattern)?.search(text).map_err(|error| error.to_string())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Does `~`: replaces matches in a text, or in all items of a list of texts.
fn substitute(current: &mut Value, what: &Value) -> Result<(), String> {
    let mut replacements = Vec::new();
    for source in texts(what)? {
        let source = source
            .as_str()
            .ok_or_else(|| format!("a replacement must be text, not `{}`", source.type_name()))?;
        replacements.push(split_replacement(source)?);
    }
    for (pattern, replacement) in replacements {
        let replace = |text: &str| -> Result<Value, String> {
            let replaced = pattern_of(pattern)?.sub(replacement, text);
            replaced.map(Value::from).map_err(|error| error.to_string())
        };
        let new = match current {
            Value::List(items) => {
                let items = items.iter().map(|item| match item {
                    Value::Str(text) => replace(text),
                    other => Err(format!(
                        "all items of the list must be text, not `{}`",
                        other.type_name()
                    )),
                });
                Value::from(items.collect::<Result<Vec<_>, _>>()?)
            }
            Value::Str(text) => replace(text)?,
            other => return Err(format!("nothing can be replaced in `{}`", other.type_name())),
        };
        *current = new;
    }
    Ok(())
}

/// Splits `/pattern/replacement/`, whatever the delimiter is.
fn split_replacement(source: &str) -> Result<(&str, &str), String> {
    let wrong = || format!("`{source}` is not like `/pattern/replacement/`, with any character for `/`");
    let delimiter = source.chars().next().ok_or_else(wrong)?;
    let inside = source[delimiter.len_utf8()..]
        .strip_suffix(delimiter)
        .ok_or_else(wrong)?;
    let (pattern, replacement) = inside.split_once(delimiter).ok_or_else(wrong)?;
    if replacement.contains(delimiter) || pattern.is_empty() {
        return Err(wrong());
    }
    Ok((pattern, replacement))
}
