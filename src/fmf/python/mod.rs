//! What Python says about fmf values: truth, equality, `str()` and `repr()`.
//!
//! Owns the rules of CPython 3.11 that fmf leans on without naming them. Knows values and nothing else of fmf.

pub(crate) mod chars;
mod equal;
pub(crate) mod number;
mod text;

pub(crate) use equal::{equal, truth};
pub(crate) use text::{repr, repr_text, str};

use super::Value;

/// Returns the name of the value's type as Python prints it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::BigInt(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::Date(text) if text.len() == "2000-01-01".len() => "datetime.date",
        Value::Date(_) => "datetime.datetime",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Map(_) => "dict",
    }
}
