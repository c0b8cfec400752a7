//! The values of fmf data, as ruamel's safe loader makes them.
//!
//! Values are immutable and shared. Cloning costs a reference count, so a child that inherits a description of 1 MB shares it.
//! What Python does with a value is in the submodules: text and equality in `python`, arithmetic in `number`, JSON in `json`.

mod json;
mod map;
mod number;
mod python;

use std::sync::Arc;

use crate::yaml;

pub(crate) use json::{base64, write_float, write_int, write_text};
pub use map::{Entry, Map, Mark};
pub(crate) use number::{MAX_DIGITS, NumberError, add, decimal, subtract};

/// One YAML value.
///
/// Equality (`==`) is Python's: `1 == True == 1.0`, mappings regardless of order, and a NaN differs from itself unless it sits
/// in a container, where Python finds it by identity.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer beyond 64 bits, as canonical decimal digits with an optional `-`.
    BigInt(Arc<str>),
    /// A float.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A date or a timestamp, in Python's `isoformat()`.
    Date(Arc<str>),
    /// `!!binary`.
    Bytes(Arc<[u8]>),
    /// A sequence.
    List(Arc<Vec<Value>>),
    /// A mapping, in insertion order.
    Map(Arc<Map>),
    /// A sequence used as a mapping's key, or an item of `!!pairs`.
    Tuple(Arc<Vec<Value>>),
    /// `!!set`: distinct values, in the order of the document.
    Set(Arc<Vec<Value>>),
}

impl Value {
    /// Makes text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into())
    }

    /// Reads the single document of a YAML text as fmf reads a file. The marks of its mappings have 0 as the number of the file.
    pub fn from_yaml(text: &str) -> Result<Self, yaml::Problem> {
        yaml::load(text, 0)
    }

    /// Returns the value with other texts in it, also deep in lists and mappings, if `change` returns one for any of its texts.
    /// The keys of mappings stay.
    pub fn with_texts(&self, change: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        match self {
            Self::Str(text) => change(text).map(Self::from),
            Self::List(items) => {
                let changed: Vec<Option<Self>> = items.iter().map(|item| item.with_texts(change)).collect();
                if changed.iter().all(Option::is_none) {
                    return None;
                }
                let items = items
                    .iter()
                    .zip(changed)
                    .map(|(item, changed)| changed.unwrap_or_else(|| item.clone()));
                Some(Self::List(Arc::new(items.collect())))
            }
            Self::Map(map) => map.with_texts(change).map(Self::from),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the integer if it fits 64 bits. A boolean is not an integer here.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the name of the value's Python type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Date(text) if text.len() == "2024-01-01".len() => "date",
            Self::Date(_) => "datetime",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
        }
    }

    /// Returns whether Python can use the value as a dictionary's key.
    pub fn is_hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Map(_) | Self::Set(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            _ => true,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}
