//! Python's built-in functions and types.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use super::arithmetic::{float_divmod, floor_divide, number, whole};
use super::ast::Binary;
use super::eval::{Arguments, Evaluator};
use super::iterate::Iter;
use super::object::{Object, Range, View, is_type};
use super::stop::{Eval, Stop};
use super::table::Table;
use crate::fmf::python::chars::{digit_value, strip};
use crate::fmf::python::number::read_int;

/// The builtins that are here.
pub(super) const IMPLEMENTED: [&str; 43] = [
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytes",
    "callable",
    "chr",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hex",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "min",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
];

/// The builtins that Python has beside them, and that are refused by name.
pub(super) const REFUSED: [&str; 112] = [
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "Ellipsis",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplemented",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "__build_class__",
    "__builtins__",
    "__debug__",
    "__doc__",
    "__import__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
    "aiter",
    "anext",
    "ascii",
    "breakpoint",
    "bytearray",
    "classmethod",
    "compile",
    "complex",
    "copyright",
    "credits",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "format",
    "hash",
    "help",
    "id",
    "input",
    "issubclass",
    "license",
    "memoryview",
    "open",
    "print",
    "property",
    "quit",
    "setattr",
    "slice",
    "staticmethod",
    "super",
    "vars",
];

impl Arguments {
    /// Returns the positional arguments, if there are as many as the function takes and no keywords.
    pub(super) fn fixed(self, name: &str, least: usize, most: usize) -> Eval<Vec<Object>> {
        if !self.keywords.is_empty() {
            return Err(Stop::type_error(format!("{name}() takes no keyword arguments")));
        }
        let given = self.positional.len();
        if given < least || given > most {
            return Err(Stop::type_error(format!(
                "{name}() takes {least} to {most} arguments ({given} given)"
            )));
        }
        Ok(self.positional)
    }

    /// Takes a keyword argument out.
    pub(super) fn take(&mut self, keyword: &str) -> Option<Object> {
        let at = self.keywords.iter().position(|(known, _)| **known == *keyword)?;
        Some(self.keywords.remove(at).1)
    }
}

impl Evaluator<'_> {
    /// Calls a builtin.
    pub(super) fn builtin(&self, name: &'static str, mut arguments: Arguments) -> Eval {
        match name {
            "sorted" => self.sorted(arguments),
            "min" | "max" => self.extreme(name, arguments),
            "sum" => self.sum(arguments),
            "dict" => self.dict(arguments),
            "enumerate" => {
                let start = arguments.take("start");
                let items = arguments.fixed(name, 1, 2)?;
                let start = start
                    .as_ref()
                    .or(items.get(1))
                    .map_or(Some(BigInt::ZERO), Object::as_int);
                let count = start.ok_or_else(|| Stop::type_error("enumerate() start must be an integer"))?;
                Ok(Iter::Enumerate {
                    input: self.iterate(&items[0])?,
                    count,
                }
                .object())
            }
            "zip" => {
                let strict = arguments.take("strict").is_some_and(|strict| strict.truth());
                let items = arguments.fixed(name, 0, usize::MAX)?;
                let inputs = items.iter().map(|item| self.iterate(item)).collect::<Eval<_>>()?;
                Ok(Iter::Zip { inputs, strict }.object())
            }
            "locals" | "globals" => {
                arguments.fixed(name, 0, 0)?;
                self.namespace()
            }
            "int" if arguments.positional.len() > 1 || !arguments.keywords.is_empty() => {
                Err(Stop::unsupported("`int()` with a base"))
            }
            "str" | "bytes" if arguments.positional.len() > 1 || !arguments.keywords.is_empty() => {
                Err(Stop::unsupported(format!("`{name}()` with an encoding")))
            }
            "round" => {
                let digits = arguments.take("ndigits");
                let number = arguments.take("number");
                arguments.positional.extend(number);
                arguments.positional.extend(digits);
                let items = arguments.fixed(name, 1, 2)?;
                Self::round(&items[0], items.get(1))
            }
            "pow" => {
                let items = arguments.fixed(name, 2, 3)?;
                if items.len() == 3 {
                    return Err(Stop::unsupported("`pow()` with a modulus"));
                }
                self.binary(Binary::Power, &items[0], &items[1])
            }
            "type" => {
                let items = arguments.fixed(name, 1, 3)?;
                if items.len() > 1 {
                    return Err(Stop::unsupported("`type()` with more than one argument"));
                }
                Ok(Object::Builtin(items[0].type_name()))
            }
            kind if is_type(kind) => self.construct(kind, arguments),
            _ => self.function(name, arguments),
        }
    }

    /// Makes an object of a type.
    fn construct(&self, kind: &'static str, arguments: Arguments) -> Eval {
        let (least, most) = match kind {
            "range" => (1, 3),
            "map" => (2, usize::MAX),
            "filter" => (2, 2),
            "reversed" => (1, 1),
            "object" => return Err(Stop::unsupported("an instance of `object`")),
            _ => (0, 1),
        };
        let items = arguments.fixed(kind, least, most)?;
        let first = items.first();
        Ok(match kind {
            "str" => Object::text(first.map_or(Ok(String::new()), |object| self.str(object))?),
            "bool" => Object::Bool(first.is_some_and(Object::truth)),
            "int" => Object::Int(first.map_or(Ok(BigInt::ZERO), |object| self.int(object))?),
            "float" => Object::Float(first.map_or(Ok(0.0), |object| self.float(object))?),
            "list" => Object::list(first.map_or(Ok(Vec::new()), |object| self.collect(object))?),
            "tuple" => match first {
                Some(Object::Tuple(items)) => Object::Tuple(Rc::clone(items)),
                first => Object::tuple(first.map_or(Ok(Vec::new()), |object| self.collect(object))?),
            },
            "set" => Object::Set(Rc::new(
                first.map_or(Ok(Table::default()), |object| self.table_of(object))?,
            )),
            "frozenset" => Object::FrozenSet(Rc::new(
                first.map_or(Ok(Table::default()), |object| self.table_of(object))?,
            )),
            "range" => range(&items)?,
            "map" => {
                let inputs = items[1..].iter().map(|item| self.iterate(item)).collect::<Eval<_>>()?;
                Iter::Map {
                    function: items[0].clone(),
                    inputs,
                }
                .object()
            }
            "filter" => Iter::Filter {
                function: items[0].clone(),
                input: self.iterate(&items[1])?,
            }
            .object(),
            "reversed" => self.reversed(&items[0])?,
            _ => return Err(Stop::unsupported(format!("an instance of `{kind}`"))),
        })
    }

    fn function(&self, name: &'static str, arguments: Arguments) -> Eval {
        let (least, most) = match name {
            "isinstance" | "hasattr" | "divmod" => (2, 2),
            "getattr" => (2, 3),
            "next" | "iter" => (1, 2),
            _ => (1, 1),
        };
        let items = arguments.fixed(name, least, most)?;
        let first = &items[0];
        Ok(match name {
            "len" => Object::int(self.length(first)?),
            "any" | "all" => {
                let iterator = self.iterate(first)?;
                while let Some(item) = self.next(&iterator)? {
                    if item.truth() == (name == "any") {
                        return Ok(Object::Bool(name == "any"));
                    }
                }
                Object::Bool(name == "all")
            }
            "abs" => match first {
                Object::Float(value) => Object::Float(value.abs()),
                other => match other.as_int() {
                    Some(int) => Object::Int(int.abs()),
                    None => {
                        return Err(Stop::type_error(format!(
                            "bad operand type for abs(): '{}'",
                            other.type_name()
                        )));
                    }
                },
            },
            "repr" => Object::text(self.repr(first)?),
            "callable" => Object::Bool(matches!(
                first,
                Object::Builtin(_) | Object::Method(..) | Object::Unbound(..) | Object::Lambda(_)
            )),
            "isinstance" => Object::Bool(is_instance(first, &items[1])?),
            "hasattr" => match self.attribute(first, attribute_name(&items[1])?) {
                Ok(_) => Object::Bool(true),
                Err(Stop::Raise {
                    kind: "AttributeError", ..
                }) => Object::Bool(false),
                Err(stop) => return Err(stop),
            },
            "getattr" => match (self.attribute(first, attribute_name(&items[1])?), items.get(2)) {
                (
                    Err(Stop::Raise {
                        kind: "AttributeError", ..
                    }),
                    Some(default),
                ) => default.clone(),
                (result, _) => result?,
            },
            "iter" if items.len() == 2 => return Err(Stop::unsupported("`iter()` with a sentinel")),
            "iter" => self.iterate(first)?,
            "next" => match (self.next(first)?, items.get(1)) {
                (Some(item), _) => item,
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(Stop::raise("StopIteration", "")),
            },
            "divmod" => divmod(first, &items[1])?,
            "ord" => ord(first)?,
            "chr" => chr(first)?,
            "hex" | "oct" | "bin" => {
                let int = first.as_int().ok_or_else(|| {
                    Stop::type_error(format!(
                        "'{}' object cannot be interpreted as an integer",
                        first.type_name()
                    ))
                })?;
                let sign = if int.is_negative() { "-" } else { "" };
                let (radix, prefix) = match name {
                    "hex" => (16, "0x"),
                    "oct" => (8, "0o"),
                    _ => (2, "0b"),
                };
                Object::text(format!("{sign}{prefix}{}", int.magnitude().to_str_radix(radix)))
            }
            _ => return Err(Stop::unsupported(format!("the builtin `{name}`"))),
        })
    }

    pub(super) fn length(&self, object: &Object) -> Eval<usize> {
        Ok(match object {
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                text.chars().count()
            }
            Object::Bytes(bytes) => bytes.len(),
            Object::List(items) | Object::Tuple(items) => items.len(),
            Object::Dict(table) | Object::Set(table) | Object::FrozenSet(table) | Object::View(_, table) => table.len(),
            Object::Range(range) => range.length,
            Object::Namespace => return Err(Stop::unsupported("the content of `__builtins__`")),
            other => {
                return Err(Stop::type_error(format!(
                    "object of type '{}' has no len()",
                    other.type_name()
                )));
            }
        })
    }

    fn int(&self, object: &Object) -> Eval<BigInt> {
        match object {
            Object::Float(value) => whole(value.trunc()),
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                let invalid = || {
                    let shown = object_repr(text);
                    Stop::value_error(format!("invalid literal for int() with base 10: {shown}"))
                };
                let (negative, digits) = read_int(text).ok_or_else(invalid)?;
                let digits = if digits.is_empty() { "0" } else { &digits };
                let int = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(invalid)?;
                Ok(if negative { -int } else { int })
            }
            Object::Bytes(_) => Err(Stop::unsupported("`int()` of bytes")),
            other => other.as_int().ok_or_else(|| {
                let kind = other.type_name();
                Stop::type_error(format!(
                    "int() argument must be a string, a bytes-like object or a real number, not '{kind}'"
                ))
            }),
        }
    }

    fn float(&self, object: &Object) -> Eval<f64> {
        match object {
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                let message = || format!("could not convert string to float: {}", object_repr(text));
                read_float(text).ok_or_else(|| Stop::value_error(message()))
            }
            Object::Bytes(_) => Err(Stop::unsupported("`float()` of bytes")),
            other => number(other).unwrap_or_else(|| {
                let kind = other.type_name();
                Err(Stop::type_error(format!(
                    "float() argument must be a string or a real number, not '{kind}'"
                )))
            }),
        }
    }

    fn dict(&self, arguments: Arguments) -> Eval {
        let mut table = Table::default();
        if arguments.positional.len() > 1 {
            return Err(Stop::type_error("dict expected at most 1 argument"));
        }
        match arguments.positional.first() {
            None => {}
            Some(Object::Dict(other)) => table.extend(other)?,
            Some(pairs) => {
                for pair in self.collect(pairs)? {
                    let pair = self.collect(&pair)?;
                    let Ok([key, value]) = <[Object; 2]>::try_from(pair) else {
                        return Err(Stop::value_error("dictionary update sequence element has not length 2"));
                    };
                    table.insert(key, value)?;
                }
            }
        }
        for (name, value) in arguments.keywords {
            table.insert(Object::Str(name), value)?;
        }
        Ok(Object::Dict(Rc::new(table)))
    }

    fn reversed(&self, object: &Object) -> Eval {
        match object {
            Object::List(_)
            | Object::Tuple(_)
            | Object::Str(_)
            | Object::Range(_)
            | Object::Dict(_)
            | Object::View(..) => {
                let mut items = self.collect(object)?;
                items.reverse();
                Ok(Iter::Items { items, at: 0 }.object())
            }
            Object::Bytes(_) => Err(Stop::unsupported("`reversed()` of bytes")),
            other => Err(Stop::type_error(format!(
                "'{}' object is not reversible",
                other.type_name()
            ))),
        }
    }

    fn sum(&self, mut arguments: Arguments) -> Eval {
        let start = arguments.take("start");
        let items = arguments.fixed("sum", 1, 2)?;
        let mut total = start
            .or_else(|| items.get(1).cloned())
            .unwrap_or_else(|| Object::int(0));
        if matches!(total, Object::Str(_) | Object::Bytes(_)) {
            return Err(Stop::type_error("sum() can't sum strings [use ''.join(seq) instead]"));
        }
        let iterator = self.iterate(&items[0])?;
        while let Some(item) = self.next(&iterator)? {
            total = self.binary(Binary::Add, &total, &item)?;
        }
        Ok(total)
    }

    /// Calls the function given as `key=`.
    fn key(&self, key: Option<&Object>, item: &Object) -> Eval {
        match key {
            None | Some(Object::None) => Ok(item.clone()),
            Some(key) => self.call(key, vec![item.clone()]),
        }
    }

    fn extreme(&self, name: &'static str, mut arguments: Arguments) -> Eval {
        let (key, default) = (arguments.take("key"), arguments.take("default"));
        let items = arguments.fixed(name, 1, usize::MAX)?;
        let iterator = if items.len() == 1 {
            self.iterate(&items[0])?
        } else if default.is_some() {
            return Err(Stop::type_error(format!(
                "Cannot specify a default for {name}() with multiple positional arguments"
            )));
        } else {
            self.iterate(&Object::list(items))?
        };
        let symbol = if name == "min" { "<" } else { ">" };
        let wanted = if name == "min" {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        let mut best: Option<(Object, Object)> = None;
        while let Some(item) = self.next(&iterator)? {
            let rank = self.key(key.as_ref(), &item)?;
            let better = match &best {
                None => true,
                Some((_, known)) => self.sortable(&rank, known, symbol)? == Some(wanted),
            };
            if better {
                best = Some((item, rank));
            }
        }
        let empty = || Stop::value_error(format!("{name}() arg is an empty sequence"));
        best.map(|(item, _)| item).or(default).ok_or_else(empty)
    }

    fn sortable(&self, left: &Object, right: &Object, symbol: &str) -> Eval<Option<Ordering>> {
        if matches!(left, Object::Set(_) | Object::FrozenSet(_)) {
            return Err(Stop::unsupported("an order of sets"));
        }
        self.order(left, right, symbol)
    }

    fn sorted(&self, mut arguments: Arguments) -> Eval {
        let (key, reverse) = (arguments.take("key"), arguments.take("reverse"));
        let items = arguments.fixed("sorted", 1, 1)?;
        let mut ranked = Vec::new();
        for item in self.collect(&items[0])? {
            ranked.push((self.key(key.as_ref(), &item)?, item));
        }
        let reverse = match &reverse {
            None => false,
            Some(reverse) => match reverse.as_int() {
                Some(int) => int != BigInt::ZERO,
                None => return Err(Stop::type_error("'reverse' must be an integer")),
            },
        };
        // Reversed twice, equal items keep their order.
        if reverse {
            ranked.reverse();
        }
        let mut sorted = self.merge_sort(ranked)?;
        if reverse {
            sorted.reverse();
        }
        Ok(Object::list(sorted.into_iter().map(|(_, item)| item).collect()))
    }

    /// Sorts stably with comparisons that can fail.
    fn merge_sort(&self, mut items: Vec<(Object, Object)>) -> Eval<Vec<(Object, Object)>> {
        if items.len() < 2 {
            return Ok(items);
        }
        let right = items.split_off(items.len() / 2);
        let mut left = self.merge_sort(items)?.into_iter().peekable();
        let mut right = self.merge_sort(right)?.into_iter().peekable();
        let mut merged = Vec::new();
        while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
            let Some(order) = self.sortable(b, a, "<")? else {
                return Err(Stop::unsupported("sorting with a NaN"));
            };
            merged.extend(if order == Ordering::Less {
                right.next()
            } else {
                left.next()
            });
        }
        merged.extend(left);
        merged.extend(right);
        Ok(merged)
    }

    fn round(object: &Object, digits: Option<&Object>) -> Eval {
        let digits = match digits {
            None | Some(Object::None) => None,
            Some(digits) => Some(digits.as_int().and_then(|digits| digits.to_i32()).ok_or_else(|| {
                Stop::type_error(format!(
                    "'{}' object cannot be interpreted as an integer",
                    digits.type_name()
                ))
            })?),
        };
        match (object, digits) {
            (Object::Float(value), None) => whole(value.round_ties_even()).map(Object::Int),
            (Object::Float(value), Some(digits)) if !value.is_finite() || digits > 308 => Ok(Object::Float(*value)),
            (Object::Float(value), Some(digits)) if digits >= 0 => {
                let places = usize::try_from(digits).unwrap_or_default();
                let rounded = format!("{value:.places$}").parse();
                rounded
                    .map(Object::Float)
                    .map_err(|_| Stop::value_error("cannot round"))
            }
            (other, digits) => match (other.as_int(), digits) {
                (Some(int), None | Some(0..)) => Ok(Object::Int(int)),
                (None, _) if !matches!(other, Object::Float(_)) => Err(Stop::type_error(format!(
                    "type {} doesn't define __round__ method",
                    other.type_name()
                ))),
                _ => Err(Stop::unsupported("`round()` to tens and more")),
            },
        }
    }
}

fn object_repr(text: &str) -> String {
    crate::fmf::Value::text(text).to_python_repr()
}

fn attribute_name(object: &Object) -> Eval<&Arc<str>> {
    match object {
        Object::Str(name) => Ok(name),
        _ => Err(Stop::type_error("attribute name must be string")),
    }
}

fn is_instance(object: &Object, types: &Object) -> Eval<bool> {
    let kind = object.type_name();
    match types {
        Object::Builtin("object") => Ok(true),
        Object::Builtin("int") => Ok(matches!(kind, "int" | "bool")),
        Object::Builtin("datetime.date") => Ok(matches!(kind, "datetime.date" | "datetime.datetime")),
        Object::Builtin(name) if is_type(name) => Ok(*name == kind),
        Object::Tuple(types) => {
            for types in types.iter() {
                if is_instance(object, types)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Stop::type_error(
            "isinstance() arg 2 must be a type, a tuple of types, or a union",
        )),
    }
}

fn range(items: &[Object]) -> Eval {
    let mut bounds = Vec::new();
    for item in items {
        let int = item.as_int().ok_or_else(|| {
            Stop::type_error(format!(
                "'{}' object cannot be interpreted as an integer",
                item.type_name()
            ))
        })?;
        bounds.push(
            int.to_i64()
                .filter(|bound| bound.unsigned_abs() < 1 << 60)
                .ok_or(Stop::Limit("a range too large"))?,
        );
    }
    let (start, stop, step) = match bounds[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(Stop::type_error("range expected 1 to 3 arguments")),
    };
    if step == 0 {
        return Err(Stop::value_error("range() arg 3 must not be zero"));
    }
    let distance = if step > 0 { stop - start } else { start - stop };
    let length = if distance <= 0 {
        0
    } else {
        distance.unsigned_abs().div_ceil(step.unsigned_abs())
    };
    let length = usize::try_from(length).map_err(|_| Stop::Limit("a range too large"))?;
    Ok(Object::Range(Rc::new(Range {
        start,
        stop,
        step,
        length,
    })))
}

fn divmod(a: &Object, b: &Object) -> Eval {
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        if y == BigInt::ZERO {
            return Err(Stop::raise("ZeroDivisionError", "integer division or modulo by zero"));
        }
        let (quotient, rest) = floor_divide(&x, &y);
        return Ok(Object::tuple(vec![Object::Int(quotient), Object::Int(rest)]));
    }
    let (Some(x), Some(y)) = (number(a), number(b)) else {
        let (a, b) = (a.type_name(), b.type_name());
        return Err(Stop::type_error(format!(
            "unsupported operand type(s) for divmod(): '{a}' and '{b}'"
        )));
    };
    let (x, y) = (x?, y?);
    if y == 0.0 {
        return Err(Stop::raise("ZeroDivisionError", "float divmod()"));
    }
    let (quotient, rest) = float_divmod(x, y);
    Ok(Object::tuple(vec![Object::Float(quotient), Object::Float(rest)]))
}

fn ord(object: &Object) -> Eval {
    let Object::Str(text) = object else {
        return Err(Stop::type_error(format!(
            "ord() expected string of length 1, but {} found",
            object.type_name()
        )));
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Object::int(u32::from(c))),
        _ => Err(Stop::type_error("ord() expected a character")),
    }
}

fn chr(object: &Object) -> Eval {
    let Some(int) = object.as_int() else {
        let kind = object.type_name();
        return Err(Stop::type_error(format!(
            "'{kind}' object cannot be interpreted as an integer"
        )));
    };
    if int.to_i32().is_none() {
        return Err(Stop::raise("OverflowError", "Python int too large to convert to C int"));
    }
    match int.to_u32() {
        Some(0xd800..=0xdfff) => Err(Stop::unsupported("a surrogate in text")),
        code => match code.and_then(char::from_u32) {
            Some(c) => Ok(Object::text(c.encode_utf8(&mut [0; 4]) as &str)),
            None => Err(Stop::value_error("chr() arg not in range(0x110000)")),
        },
    }
}

/// Reads a float as `float(text)` does.
fn read_float(text: &str) -> Option<f64> {
    let mut plain = String::new();
    let mut before = ' ';
    let chars: Vec<char> = strip(text).chars().collect();
    for (index, c) in chars.iter().enumerate() {
        match digit_value(*c) {
            Some(digit) => plain.push(char::from(b'0' + digit)),
            // Underscores stand between digits.
            None if *c == '_' => {
                let next = chars.get(index + 1).copied().unwrap_or(' ');
                if digit_value(before).is_none() || digit_value(next).is_none() {
                    return None;
                }
            }
            None => plain.push(*c),
        }
        before = *c;
    }
    let unsigned = plain.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let word = matches!(unsigned.as_str(), "inf" | "infinity" | "nan");
    let digits = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if word || digits {
        plain
            .parse()
            .ok()
            .map(|float: f64| if unsigned == "nan" { f64::NAN } else { float })
    } else {
        None
    }
}

impl Object {
    /// Returns the view of a dict.
    pub(super) fn view(kind: View, table: &Rc<Table>) -> Self {
        Self::View(kind, Rc::clone(table))
    }
}
