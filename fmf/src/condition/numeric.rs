//! Evaluates `int()`, `float()`, `round()`, `range()` and the other builtins for numbers.

use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::arithmetic::{float_divmod, floor_divide, number, whole};
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Object, Range};
use crate::python::chars::{digit_value, strip};
use crate::python::number::read_int;

impl Evaluator<'_> {
    pub(super) fn int(&self, object: &Object) -> Eval<BigInt> {
        match object {
            Object::Float(value) => whole(value.trunc()),
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                let invalid = || {
                    let shown = object_repr(text);
                    EvalError::value_error(format!("invalid literal for int() with base 10: {shown}"))
                };
                let (negative, digits) = read_int(text).ok_or_else(invalid)?;
                let digits = if digits.is_empty() { "0" } else { &digits };
                let int = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(invalid)?;
                Ok(if negative { -int } else { int })
            }
            Object::Bytes(_) => Err(EvalError::unsupported("`int()` of bytes")),
            other => other.as_int().ok_or_else(|| {
                let kind = other.type_name();
                EvalError::type_error(format!(
                    "int() argument must be a string, a bytes-like object or a real number, not '{kind}'"
                ))
            }),
        }
    }

    pub(super) fn float(&self, object: &Object) -> Eval<f64> {
        match object {
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                let message = || format!("could not convert string to float: {}", object_repr(text));
                read_float(text).ok_or_else(|| EvalError::value_error(message()))
            }
            Object::Bytes(_) => Err(EvalError::unsupported("`float()` of bytes")),
            other => number(other).unwrap_or_else(|| {
                let kind = other.type_name();
                Err(EvalError::type_error(format!(
                    "float() argument must be a string or a real number, not '{kind}'"
                )))
            }),
        }
    }
}

pub(super) fn round(object: &Object, digits: Option<&Object>) -> Eval {
    let digits = match digits {
        None | Some(Object::None) => None,
        Some(digits) => Some(digits.as_int().and_then(|digits| digits.to_i32()).ok_or_else(|| {
            EvalError::type_error(format!(
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
                .map_err(|_| EvalError::value_error("cannot round"))
        }
        (other, digits) => match (other.as_int(), digits) {
            (Some(int), None | Some(0..)) => Ok(Object::Int(int)),
            (None, _) if !matches!(other, Object::Float(_)) => Err(EvalError::type_error(format!(
                "type {} doesn't define __round__ method",
                other.type_name()
            ))),
            _ => Err(EvalError::unsupported("`round()` to tens and more")),
        },
    }
}

fn object_repr(text: &str) -> String {
    crate::Value::text(text).to_python_repr()
}

pub(super) fn range(items: &[Object]) -> Eval {
    let mut bounds = Vec::new();
    for item in items {
        let int = item.as_int().ok_or_else(|| {
            EvalError::type_error(format!(
                "'{}' object cannot be interpreted as an integer",
                item.type_name()
            ))
        })?;
        bounds.push(
            int.to_i64()
                .filter(|bound| bound.unsigned_abs() < 1 << 60)
                .ok_or(EvalError::Limit("a range too large"))?,
        );
    }
    let (start, stop, step) = match bounds[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(EvalError::type_error("range expected 1 to 3 arguments")),
    };
    if step == 0 {
        return Err(EvalError::value_error("range() arg 3 must not be zero"));
    }
    let distance = if step > 0 { stop - start } else { start - stop };
    let length = if distance <= 0 {
        0
    } else {
        distance.unsigned_abs().div_ceil(step.unsigned_abs())
    };
    let length = usize::try_from(length).map_err(|_| EvalError::Limit("a range too large"))?;
    Ok(Object::Range(Rc::new(Range {
        start,
        stop,
        step,
        length,
    })))
}

pub(super) fn divmod(a: &Object, b: &Object) -> Eval {
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        if y == BigInt::ZERO {
            return Err(EvalError::raise(
                "ZeroDivisionError",
                "integer division or modulo by zero",
            ));
        }
        let (quotient, rest) = floor_divide(&x, &y);
        return Ok(Object::tuple(vec![Object::Int(quotient), Object::Int(rest)]));
    }
    let (Some(x), Some(y)) = (number(a), number(b)) else {
        let (a, b) = (a.type_name(), b.type_name());
        return Err(EvalError::type_error(format!(
            "unsupported operand type(s) for divmod(): '{a}' and '{b}'"
        )));
    };
    let (x, y) = (x?, y?);
    if y == 0.0 {
        return Err(EvalError::raise("ZeroDivisionError", "float divmod()"));
    }
    let (quotient, rest) = float_divmod(x, y);
    Ok(Object::tuple(vec![Object::Float(quotient), Object::Float(rest)]))
}

pub(super) fn ord(object: &Object) -> Eval {
    let Object::Str(text) = object else {
        return Err(EvalError::type_error(format!(
            "ord() expected string of length 1, but {} found",
            object.type_name()
        )));
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Object::int(u32::from(c))),
        _ => Err(EvalError::type_error("ord() expected a character")),
    }
}

pub(super) fn chr(object: &Object) -> Eval {
    let Some(int) = object.as_int() else {
        let kind = object.type_name();
        return Err(EvalError::type_error(format!(
            "'{kind}' object cannot be interpreted as an integer"
        )));
    };
    if int.to_i32().is_none() {
        return Err(EvalError::raise(
            "OverflowError",
            "Python int too large to convert to C int",
        ));
    }
    match int.to_u32() {
        Some(0xd800..=0xdfff) => Err(EvalError::unsupported("a surrogate in text")),
        code => match code.and_then(char::from_u32) {
            Some(c) => Ok(Object::text(c.encode_utf8(&mut [0; 4]) as &str)),
            None => Err(EvalError::value_error("chr() arg not in range(0x110000)")),
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
            // Underscores are allowed between digits.
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
