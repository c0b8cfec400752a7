//! The objects of an evaluation: those from the data, and those that expressions make.
//!
//! Objects are immutable except iterators. Methods that change an object in place are not supported at all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;

use super::ast;
use super::eval_error::{Eval, EvalError};
use super::iterate::Iter;
use super::table::Table;
use crate::Value;

#[derive(Clone, Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    /// A date or a timestamp, in Python's `isoformat()`.
    Date(Arc<str>),
    List(Rc<Vec<Object>>),
    Tuple(Rc<Vec<Object>>),
    Dict(Rc<Table>),
    Set(Rc<Table>),
    FrozenSet(Rc<Table>),
    View(View, Rc<Table>),
    Range(Rc<Range>),
    Slice(Rc<[Object; 3]>),
    Iterator(Rc<RefCell<Iter>>),
    /// A built-in function or a type.
    Builtin(&'static str),
    /// `"x".upper`
    Method(Rc<Object>, Arc<str>),
    /// `str.upper`
    Unbound(&'static str, Arc<str>),
    Lambda(Rc<Closure>),
    /// The object in `locals()["__builtins__"]`.
    Namespace,
}

/// The part of a dict that a view shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum View {
    Keys,
    Values,
    Items,
}

/// The object `range(start, stop, step)`. Its length is known to be small enough to count.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) start: i64,
    pub(super) stop: i64,
    pub(super) step: i64,
    pub(super) length: usize,
}

/// A lambda with the names around it.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) lambda: Arc<ast::Lambda>,
    pub(super) defaults: Vec<Object>,
    pub(super) scope: Option<Rc<Scope>>,
}

/// The names that a comprehension or a call binds. A name without a value is not bound yet.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) names: RefCell<Vec<(Arc<str>, Option<Object>)>>,
    pub(super) parent: Option<Rc<Scope>>,
}

/// The result of looking a name up.
#[derive(Debug)]
pub(super) enum Found {
    Bound(Object),
    /// The name is local, and has no value yet.
    Unbound,
    Unknown,
}

impl Scope {
    /// Returns what a name stands for in this scope and the scopes around it.
    pub(super) fn find(&self, name: &str) -> Found {
        let names = self.names.borrow();
        match (names.iter().find(|(known, _)| **known == *name), &self.parent) {
            (Some((_, Some(object))), _) => Found::Bound(object.clone()),
            (Some((_, None)), _) => Found::Unbound,
            (None, Some(parent)) => parent.find(name),
            (None, None) => Found::Unknown,
        }
    }

    /// Binds a name of this scope.
    pub(super) fn bind(&self, name: &Arc<str>, object: Object) {
        let mut names = self.names.borrow_mut();
        match names.iter_mut().find(|(known, _)| known == name) {
            Some((_, bound)) => *bound = Some(object),
            None => names.push((Arc::clone(name), Some(object))),
        }
    }
}

/// The fuel that an evaluation may still use. Hostile expressions use it up; ordinary ones need a few hundred units.
#[derive(Debug)]
pub(super) struct Fuel(Cell<u64>);

/// How many units of work an evaluation may do: an evaluated node, an iterated item, eight bytes of text.
const FUEL: u64 = 4_000_000;

impl Fuel {
    pub(super) fn new() -> Self {
        Self(Cell::new(FUEL))
    }

    /// Takes units of fuel before the work is done.
    pub(super) fn spend(&self, units: usize) -> Eval<()> {
        let left = self.0.get().checked_sub(u64::try_from(units).unwrap_or(u64::MAX));
        self.0.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvalError::Limit("too much work"))
    }

    /// Takes the fuel for a text of that many bytes, or for a list of that many elements.
    pub(super) fn spend_text(&self, bytes: usize) -> Eval<()> {
        self.spend(bytes / 8 + 1)
    }
}

/// The deepest nesting of the data.
const MAX_NESTING: usize = 100;

impl Object {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into())
    }

    pub(super) fn int(value: impl Into<BigInt>) -> Self {
        Self::Int(value.into())
    }

    pub(super) fn list(items: Vec<Object>) -> Self {
        Self::List(Rc::new(items))
    }

    pub(super) fn tuple(items: Vec<Object>) -> Self {
        Self::Tuple(Rc::new(items))
    }

    /// Makes the object of a value of the data.
    pub(super) fn from_value(value: &Value, level: usize) -> Eval {
        if level > MAX_NESTING {
            return Err(EvalError::Limit("data nested too deeply"));
        }
        let items = |items: &[Value]| {
            items
                .iter()
                .map(|item| Self::from_value(item, level + 1))
                .collect::<Eval<Vec<_>>>()
        };
        Ok(match value {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::int(*value),
            Value::BigInt(digits) => match BigInt::parse_bytes(digits.as_bytes(), 10) {
                Some(int) => Self::Int(int),
                None => return Err(EvalError::Limit("an integer that cannot be read")),
            },
            Value::Float(value) => Self::Float(*value),
            Value::Str(text) => Self::Str(Arc::clone(text)),
            Value::Date(text) => Self::Date(Arc::clone(text)),
            Value::Bytes(bytes) => Self::Bytes(Arc::clone(bytes)),
            Value::List(list) => Self::list(items(list)?),
            Value::Tuple(list) => Self::tuple(items(list)?),
            Value::Set(list) => {
                let mut set = Table::default();
                for item in items(list)? {
                    set.insert(item, Self::None)?;
                }
                Self::Set(Rc::new(set))
            }
            Value::Map(map) => {
                let mut dict = Table::default();
                for (key, value) in map.iter() {
                    dict.insert(Self::from_value(key, level + 1)?, Self::from_value(value, level + 1)?)?;
                }
                Self::Dict(Rc::new(dict))
            }
        })
    }

    /// Returns the name of the type, as Python's messages have it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Date(text) if text.contains('T') => "datetime.datetime",
            Self::Date(_) => "datetime.date",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) | Self::Namespace => "dict",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Slice(_) => "slice",
            Self::Iterator(iter) => iter.try_borrow().map_or("generator", |iter| iter.type_name()),
            Self::Builtin(name) if is_type(name) => "type",
            Self::Builtin(_) | Self::Method(..) => "builtin_function_or_method",
            Self::Unbound(..) => "method_descriptor",
            Self::Lambda(_) => "function",
        }
    }

    /// Tells whether `bool(object)` holds.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != BigInt::ZERO,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Dict(table) | Self::Set(table) | Self::FrozenSet(table) | Self::View(_, table) => table.len() > 0,
            Self::Range(range) => range.length > 0,
            _ => true,
        }
    }

    /// Returns the integer that a boolean or an integer is.
    pub(super) fn as_int(&self) -> Option<BigInt> {
        match self {
            Self::Bool(value) => Some(BigInt::from(u8::from(*value))),
            Self::Int(value) => Some(value.clone()),
            _ => None,
        }
    }
}

/// Tells whether a built-in name is a type.
pub(super) fn is_type(name: &str) -> bool {
    matches!(
        name,
        "str"
            | "int"
            | "float"
            | "bool"
            | "list"
            | "dict"
            | "set"
            | "frozenset"
            | "tuple"
            | "range"
            | "enumerate"
            | "zip"
            | "map"
            | "filter"
            | "reversed"
            | "type"
            | "object"
            | "bytes"
            | "slice"
            | "NoneType"
            | "datetime.date"
            | "datetime.datetime"
            | "dict_keys"
            | "dict_values"
            | "dict_items"
            | "generator"
            | "function"
            | "builtin_function_or_method"
            | "method_descriptor"
            | "iterator"
    )
}
