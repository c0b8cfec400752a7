//! Calls Python's built-in functions and types.

use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::Signed;

use super::ast::Binary;
use super::call::Arguments;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::iterate::Iter;
use super::numeric;
use super::object::{Object, View, is_type};
use super::table::Table;

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
                let count = start.ok_or_else(|| EvalError::type_error("enumerate() start must be an integer"))?;
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
                Err(EvalError::unsupported("`int()` with a base"))
            }
            "str" | "bytes" if arguments.positional.len() > 1 || !arguments.keywords.is_empty() => {
                Err(EvalError::unsupported(format!("`{name}()` with an encoding")))
            }
            "round" => {
                let digits = arguments.take("ndigits");
                let number = arguments.take("number");
                arguments.positional.extend(number);
                arguments.positional.extend(digits);
                let items = arguments.fixed(name, 1, 2)?;
                numeric::round(&items[0], items.get(1))
            }
            "pow" => {
                let items = arguments.fixed(name, 2, 3)?;
                if items.len() == 3 {
                    return Err(EvalError::unsupported("`pow()` with a modulus"));
                }
                self.binary(Binary::Power, &items[0], &items[1])
            }
            "type" => {
                let items = arguments.fixed(name, 1, 3)?;
                if items.len() > 1 {
                    return Err(EvalError::unsupported("`type()` with more than one argument"));
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
            "object" => return Err(EvalError::unsupported("an instance of `object`")),
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
            "range" => numeric::range(&items)?,
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
            _ => return Err(EvalError::unsupported(format!("an instance of `{kind}`"))),
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
                        return Err(EvalError::type_error(format!(
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
                Err(EvalError::Raise {
                    kind: "AttributeError", ..
                }) => Object::Bool(false),
                Err(stop) => return Err(stop),
            },
            "getattr" => match (self.attribute(first, attribute_name(&items[1])?), items.get(2)) {
                (
                    Err(EvalError::Raise {
                        kind: "AttributeError", ..
                    }),
                    Some(default),
                ) => default.clone(),
                (result, _) => result?,
            },
            "iter" if items.len() == 2 => return Err(EvalError::unsupported("`iter()` with a sentinel")),
            "iter" => self.iterate(first)?,
            "next" => match (self.next(first)?, items.get(1)) {
                (Some(item), _) => item,
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(EvalError::raise("StopIteration", "")),
            },
            "divmod" => numeric::divmod(first, &items[1])?,
            "ord" => numeric::ord(first)?,
            "chr" => numeric::chr(first)?,
            "hex" | "oct" | "bin" => {
                let int = first.as_int().ok_or_else(|| {
                    EvalError::type_error(format!(
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
            _ => return Err(EvalError::unsupported(format!("the builtin `{name}`"))),
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
            Object::Namespace => return Err(EvalError::unsupported("the content of `__builtins__`")),
            other => {
                return Err(EvalError::type_error(format!(
                    "object of type '{}' has no len()",
                    other.type_name()
                )));
            }
        })
    }

    fn dict(&self, arguments: Arguments) -> Eval {
        let mut table = Table::default();
        if arguments.positional.len() > 1 {
            return Err(EvalError::type_error("dict expected at most 1 argument"));
        }
        match arguments.positional.first() {
            None => {}
            Some(Object::Dict(other)) => table.extend(other)?,
            Some(pairs) => {
                for pair in self.collect(pairs)? {
                    let pair = self.collect(&pair)?;
                    let Ok([key, value]) = <[Object; 2]>::try_from(pair) else {
                        return Err(EvalError::value_error(
                            "dictionary update sequence element has not length 2",
                        ));
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
            Object::Bytes(_) => Err(EvalError::unsupported("`reversed()` of bytes")),
            other => Err(EvalError::type_error(format!(
                "'{}' object is not reversible",
                other.type_name()
            ))),
        }
    }
}

fn attribute_name(object: &Object) -> Eval<&Arc<str>> {
    match object {
        Object::Str(name) => Ok(name),
        _ => Err(EvalError::type_error("attribute name must be string")),
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
        _ => Err(EvalError::type_error(
            "isinstance() arg 2 must be a type, a tuple of types, or a union",
        )),
    }
}

impl Object {
    /// Returns the view of a dict.
    pub(super) fn view(kind: View, table: &Rc<Table>) -> Self {
        Self::View(kind, Rc::clone(table))
    }
}
