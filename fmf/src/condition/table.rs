//! Hash tables in insertion order, from which dicts and sets are made.
//!
//! Invariant: two objects have the same [`Key`] exactly if Python finds them equal as keys.

use std::collections::HashMap;
use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::eval_error::{Eval, EvalError};
use super::object::Object;

/// The key that stands for an object in a hash table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    None,
    Int(BigInt),
    Float(u64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    Date(Arc<str>),
    Tuple(Vec<Key>),
    /// The members, sorted.
    FrozenSet(Vec<String>),
    Builtin(&'static str),
    Range(usize, i64, i64),
}

impl Key {
    /// Returns the key of an object. An object that Python cannot hash is a `TypeError`.
    pub(super) fn of(object: &Object) -> Eval<Self> {
        Ok(match object {
            Object::None => Self::None,
            Object::Bool(value) => Self::Int(BigInt::from(u8::from(*value))),
            Object::Int(value) => Self::Int(value.clone()),
            Object::Float(value) if value.fract() == 0.0 => match BigInt::from_f64(*value) {
                Some(int) => Self::Int(int),
                None => Self::Float(value.to_bits()),
            },
            Object::Float(value) => Self::Float(value.to_bits()),
            Object::Str(text) => Self::Str(Arc::clone(text)),
            Object::Bytes(bytes) => Self::Bytes(Arc::clone(bytes)),
            Object::Date(text) => Self::Date(Arc::clone(text)),
            Object::Tuple(items) => Self::Tuple(items.iter().map(Self::of).collect::<Eval<_>>()?),
            Object::FrozenSet(table) => {
                let mut members: Vec<String> = table.keys().map(|key| format!("{key:?}")).collect();
                members.sort_unstable();
                Self::FrozenSet(members)
            }
            Object::Builtin(name) => Self::Builtin(name),
            Object::Range(range) => match range.length {
                0 => Self::Range(0, 0, 0),
                1 => Self::Range(1, range.start, 0),
                length => Self::Range(length, range.start, range.step),
            },
            Object::List(_)
            | Object::Dict(_)
            | Object::Set(_)
            | Object::Slice(_)
            | Object::Namespace
            | Object::View(..) => {
                return Err(EvalError::type_error(format!(
                    "unhashable type: '{}'",
                    object.type_name()
                )));
            }
            Object::Iterator(_) | Object::Method(..) | Object::Unbound(..) | Object::Lambda(_) => {
                return Err(EvalError::unsupported(format!("a {} as a key", object.type_name())));
            }
        })
    }
}

/// A hash table with entries in insertion order. In a set, the values are `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    index: HashMap<Key, usize>,
    entries: Vec<(Object, Object)>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Sets a value. A key that exists keeps its position and its own spelling.
    pub(super) fn insert(&mut self, key: Object, value: Object) -> Eval<()> {
        let hashed = Key::of(&key)?;
        if let Some(at) = self.index.get(&hashed) {
            self.entries[*at].1 = value;
        } else {
            self.index.insert(hashed, self.entries.len());
            self.entries.push((key, value));
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &Object) -> Eval<Option<&Object>> {
        Ok(self.index.get(&Key::of(key)?).map(|at| &self.entries[*at].1))
    }

    pub(super) fn contains(&self, key: &Object) -> Eval<bool> {
        Ok(self.index.contains_key(&Key::of(key)?))
    }

    pub(super) fn entries(&self) -> &[(Object, Object)] {
        &self.entries
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.entries.iter().map(|(key, _)| key)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.index.keys()
    }

    /// Tells whether the other table has all keys.
    pub(super) fn within(&self, other: &Self) -> bool {
        self.index.keys().all(|key| other.index.contains_key(key))
    }

    /// Returns the entries whose keys the other table has, or does not have.
    pub(super) fn restricted(&self, other: &Self, has: bool) -> Eval<Self> {
        let mut kept = Self::default();
        for (key, value) in &self.entries {
            if other.contains(key)? == has {
                kept.insert(key.clone(), value.clone())?;
            }
        }
        Ok(kept)
    }

    /// Adds the other's entries.
    pub(super) fn extend(&mut self, other: &Self) -> Eval<()> {
        other
            .entries
            .iter()
            .try_for_each(|(key, value)| self.insert(key.clone(), value.clone()))
    }
}
