//! Evaluates the operators on numbers, text, sequences and sets.

use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{FromPrimitive, Pow, Signed, ToPrimitive, Zero};

use super::ast::{Binary, Unary};
use super::compare::as_set;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Object, View};
use super::table::Table;

/// How many bits an integer may have.
const MAX_BITS: u64 = 1 << 20;

impl Evaluator<'_> {
    pub(super) fn unary(operator: Unary, operand: &Object) -> Eval {
        if let Object::Float(value) = operand {
            match operator {
                Unary::Plus => return Ok(Object::Float(*value)),
                Unary::Minus => return Ok(Object::Float(-value)),
                Unary::Invert => {}
            }
        }
        let (Some(int), false) = (operand.as_int(), matches!(operand, Object::Float(_))) else {
            let symbol = match operator {
                Unary::Plus => "+",
                Unary::Minus => "-",
                Unary::Invert => "~",
            };
            return Err(EvalError::type_error(format!(
                "bad operand type for unary {symbol}: '{}'",
                operand.type_name()
            )));
        };
        Ok(Object::Int(match operator {
            Unary::Plus => int,
            Unary::Minus => -int,
            Unary::Invert => !int,
        }))
    }

    pub(super) fn binary(&self, operator: Binary, left: &Object, right: &Object) -> Eval {
        if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
            if let (Object::Bool(x), Object::Bool(y)) = (left, right) {
                match operator {
                    Binary::And => return Ok(Object::Bool(x & y)),
                    Binary::Or => return Ok(Object::Bool(x | y)),
                    Binary::Xor => return Ok(Object::Bool(x ^ y)),
                    _ => {}
                }
            }
            return self.integers(operator, &a, &b);
        }
        if let (Some(a), Some(b)) = (number(left), number(right)) {
            return floats(operator, a?, b?).unwrap_or_else(|| Err(mismatch(operator, left, right)));
        }
        match (operator, left, right) {
            (Binary::Add, Object::Str(a), Object::Str(b)) => {
                self.fuel.spend_text(a.len() + b.len())?;
                Ok(Object::text([&**a, &**b].concat()))
            }
            (Binary::Add, Object::Str(_), other) => Err(EvalError::type_error(format!(
                "can only concatenate str (not \"{}\") to str",
                other.type_name()
            ))),
            (Binary::Add, Object::List(a), Object::List(b)) => {
                self.fuel.spend(a.len() + b.len())?;
                Ok(Object::list([&a[..], &b[..]].concat()))
            }
            (Binary::Add, Object::Tuple(a), Object::Tuple(b)) => {
                self.fuel.spend(a.len() + b.len())?;
                Ok(Object::tuple([&a[..], &b[..]].concat()))
            }
            (Binary::Multiply, sequence, count) | (Binary::Multiply, count, sequence)
                if count.as_int().is_some() && is_sequence(sequence) =>
            {
                self.repeated(sequence, count)
            }
            (Binary::Modulo, Object::Str(template), arguments) => self.percent(template, arguments),
            (Binary::Or, Object::Dict(a), Object::Dict(b)) => {
                let mut merged = Table::clone(a);
                merged.extend(b)?;
                Ok(Object::Dict(Rc::new(merged)))
            }
            (_, Object::Bytes(_) | Object::Date(_), _) | (_, _, Object::Bytes(_) | Object::Date(_)) => Err(
                EvalError::unsupported(format!("operators with {} and {}", left.type_name(), right.type_name())),
            ),
            (Binary::Or, Object::Builtin(_), Object::Builtin(_) | Object::None) => {
                Err(EvalError::unsupported("a union of types"))
            }
            _ => self.sets(operator, left, right),
        }
    }

    fn sets(&self, operator: Binary, left: &Object, right: &Object) -> Eval {
        let is_set = |object: &Object| matches!(object, Object::Set(_) | Object::FrozenSet(_));
        let views = matches!(left, Object::View(View::Keys | View::Items, _))
            || (is_set(left) && matches!(right, Object::View(View::Keys | View::Items, _)));
        let both = is_set(left) && is_set(right);
        if !(both || views) || !matches!(operator, Binary::And | Binary::Or | Binary::Xor | Binary::Subtract) {
            return Err(mismatch(operator, left, right));
        }
        let members = |object: &Object| match as_set(object)? {
            Some(table) => Ok(table),
            None => self.table_of(object).map(Rc::new),
        };
        let (a, b) = (members(left)?, members(right)?);
        self.fuel.spend(a.len() + b.len())?;
        let plain = |table: &Table| -> Eval<Table> {
            let mut set = Table::default();
            table
                .objects()
                .try_for_each(|key| set.insert(key.clone(), Object::None))?;
            Ok(set)
        };
        let result = match operator {
            Binary::And => plain(&a.restricted(&b, true)?)?,
            Binary::Subtract => plain(&a.restricted(&b, false)?)?,
            Binary::Xor => {
                let mut only = plain(&a.restricted(&b, false)?)?;
                only.extend(&plain(&b.restricted(&a, false)?)?)?;
                only
            }
            _ => {
                let mut all = plain(&a)?;
                all.extend(&plain(&b.restricted(&a, false)?)?)?;
                all
            }
        };
        Ok(if matches!(left, Object::FrozenSet(_)) {
            Object::FrozenSet(Rc::new(result))
        } else {
            Object::Set(Rc::new(result))
        })
    }

    fn repeated(&self, sequence: &Object, count: &Object) -> Eval {
        let count = count.as_int().and_then(|count| count.to_i64());
        let count =
            count.ok_or_else(|| EvalError::raise("OverflowError", "cannot fit 'int' into an index-sized integer"))?;
        let count = usize::try_from(count).unwrap_or(0);
        let length = match sequence {
            Object::Str(text) => text.len(),
            Object::List(items) | Object::Tuple(items) => items.len().saturating_mul(8),
            _ => 0,
        };
        if length == 0 {
            return Ok(sequence.clone());
        }
        self.fuel.spend_text(length.saturating_mul(count))?;
        Ok(match sequence {
            Object::Str(text) => Object::text(text.repeat(count)),
            Object::List(items) => Object::list(copies(items, count)),
            Object::Tuple(items) => Object::tuple(copies(items, count)),
            other => other.clone(),
        })
    }

    fn integers(&self, operator: Binary, a: &BigInt, b: &BigInt) -> Eval {
        let size = a.bits().saturating_add(b.bits());
        if size > 2 * MAX_BITS {
            return Err(EvalError::Limit("an integer too large"));
        }
        self.fuel.spend(usize::try_from(size / 64).unwrap_or(usize::MAX))?;
        let zero = |what: &str| EvalError::raise("ZeroDivisionError", what);
        Ok(match operator {
            Binary::Add => Object::Int(a + b),
            Binary::Subtract => Object::Int(a - b),
            Binary::Multiply => {
                // This is the cost of a product by the schoolbook method, in units of several words.
                let cost = (a.bits() / 64).saturating_mul(b.bits() / 64) / 64;
                self.fuel.spend(usize::try_from(cost).unwrap_or(usize::MAX))?;
                Object::Int(a * b)
            }
            Binary::Divide if b.is_zero() => return Err(zero("division by zero")),
            Binary::Divide => Object::Float(divide(a, b)?),
            Binary::FloorDivide if b.is_zero() => return Err(zero("integer division or modulo by zero")),
            Binary::Modulo if b.is_zero() => return Err(zero("integer modulo by zero")),
            Binary::FloorDivide => Object::Int(floor_divide(a, b).0),
            Binary::Modulo => Object::Int(floor_divide(a, b).1),
            Binary::Power => return self.power(a, b),
            Binary::ShiftLeft | Binary::ShiftRight if b.is_negative() => {
                return Err(EvalError::value_error("negative shift count"));
            }
            Binary::ShiftLeft => match b.to_u64() {
                _ if a.is_zero() => Object::int(0),
                Some(bits) if bits < MAX_BITS => Object::Int(a << bits),
                _ => return Err(EvalError::Limit("an integer too large")),
            },
            Binary::ShiftRight => match b.to_u64() {
                Some(bits) => Object::Int(a >> bits),
                None => Object::int(if a.is_negative() { -1 } else { 0 }),
            },
            Binary::And => Object::Int(a & b),
            Binary::Or => Object::Int(a | b),
            Binary::Xor => Object::Int(a ^ b),
            Binary::MatrixMultiply => return Err(mismatch(operator, &Object::int(0), &Object::int(0))),
        })
    }

    fn power(&self, base: &BigInt, exponent: &BigInt) -> Eval {
        if exponent.is_negative() {
            if base.is_zero() {
                return Err(EvalError::raise(
                    "ZeroDivisionError",
                    "0.0 cannot be raised to a negative power",
                ));
            }
            return float_power(to_float(base)?, to_float(exponent)?);
        }
        if base.bits() <= 1 {
            let odd = exponent.bit(0);
            return Ok(Object::Int(match (base.is_zero(), base.is_negative() && odd) {
                (true, _) => BigInt::from(u8::from(exponent.is_zero())),
                (false, true) => BigInt::from(-1),
                (false, false) => BigInt::from(1),
            }));
        }
        let bits = exponent
            .to_u64()
            .map_or(u64::MAX, |exponent| base.bits().saturating_mul(exponent));
        if bits > MAX_BITS {
            return Err(EvalError::Limit("an integer too large"));
        }
        self.fuel.spend(usize::try_from(bits / 8).unwrap_or(usize::MAX))?;
        let exponent = exponent.to_u32().ok_or(EvalError::Limit("an integer too large"))?;
        Ok(Object::Int(Pow::pow(base, exponent)))
    }
}

fn copies(items: &[Object], count: usize) -> Vec<Object> {
    std::iter::repeat_n(items, count).flatten().cloned().collect()
}

fn is_sequence(object: &Object) -> bool {
    matches!(object, Object::Str(_) | Object::List(_) | Object::Tuple(_))
}

fn mismatch(operator: Binary, left: &Object, right: &Object) -> EvalError {
    let symbol = operator.symbol();
    let (left, right) = (left.type_name(), right.type_name());
    EvalError::type_error(format!(
        "unsupported operand type(s) for {symbol}: '{left}' and '{right}'"
    ))
}

/// Returns the float that a number is. An integer beyond the range of floats is an `OverflowError`.
pub(super) fn number(object: &Object) -> Option<Eval<f64>> {
    match object {
        Object::Float(value) => Some(Ok(*value)),
        other => other.as_int().map(|int| to_float(&int)),
    }
}

pub(super) fn to_float(int: &BigInt) -> Eval<f64> {
    match int.to_f64() {
        Some(float) if float.is_finite() => Ok(float),
        _ => Err(EvalError::raise("OverflowError", "int too large to convert to float")),
    }
}

/// Divides and rounds once, even if the operands are beyond the range of floats.
fn divide(a: &BigInt, b: &BigInt) -> Eval<f64> {
    const EXACT: u64 = 53;
    if a.bits() <= EXACT && b.bits() <= EXACT {
        return Ok(to_float(a)? / to_float(b)?);
    }
    // The shift makes the quotient have at least 66 bits, whose last bit stands for the rest of the division.
    let shift = 66 + i64::try_from(b.bits()).unwrap_or(i64::MAX) - i64::try_from(a.bits()).unwrap_or(i64::MAX);
    let (mut upper, mut lower) = (a.abs(), b.abs());
    if shift > 0 {
        upper <<= shift.unsigned_abs();
    } else {
        lower <<= shift.unsigned_abs();
    }
    let (mut quotient, rest) = (&upper / &lower, &upper % &lower);
    if !rest.is_zero() {
        quotient |= BigInt::from(1);
    }
    let scaled = quotient.to_f64().unwrap_or(f64::INFINITY);
    if shift > 1000 {
        return Err(EvalError::unsupported("dividing integers with a tiny result"));
    }
    let result = scaled * 2_f64.powi(i32::try_from(-shift).unwrap_or(i32::MAX));
    if !result.is_finite() {
        return Err(EvalError::raise(
            "OverflowError",
            "integer division result too large for a float",
        ));
    }
    Ok(if a.is_negative() == b.is_negative() {
        result
    } else {
        -result
    })
}

/// Returns the quotient, rounded down, and the rest, which has the divisor's sign.
pub(super) fn floor_divide(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (quotient, rest) = (a / b, a % b);
    if !rest.is_zero() && rest.is_negative() != b.is_negative() {
        (quotient - 1, rest + b)
    } else {
        (quotient, rest)
    }
}

/// Computes with floats. Returns `None` if the operator is not defined for them.
fn floats(operator: Binary, a: f64, b: f64) -> Option<Eval> {
    let zero = |what: &str| Some(Err(EvalError::raise("ZeroDivisionError", what)));
    Some(Ok(Object::Float(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide if b == 0.0 => return zero("float division by zero"),
        Binary::Divide => a / b,
        Binary::FloorDivide if b == 0.0 => return zero("float floor division by zero"),
        Binary::Modulo if b == 0.0 => return zero("float modulo"),
        Binary::FloorDivide => float_divmod(a, b).0,
        Binary::Modulo => float_divmod(a, b).1,
        Binary::Power => return Some(float_power(a, b)),
        _ => return None,
    })))
}

/// Python's `divmod` of floats: the rest has the divisor's sign, and the quotient is whole.
pub(super) fn float_divmod(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

fn float_power(a: f64, b: f64) -> Eval {
    if a == 0.0 && b < 0.0 {
        return Err(EvalError::raise(
            "ZeroDivisionError",
            "0.0 cannot be raised to a negative power",
        ));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(EvalError::unsupported("a power that is a complex number"));
    }
    let result = a.powf(b);
    if result.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(EvalError::raise(
            "OverflowError",
            "(34, 'Numerical result out of range')",
        ));
    }
    Ok(Object::Float(result))
}

/// Returns the integer of a float without fraction.
pub(super) fn whole(float: f64) -> Eval<BigInt> {
    if float.is_nan() {
        return Err(EvalError::value_error("cannot convert float NaN to integer"));
    }
    BigInt::from_f64(float).ok_or_else(|| EvalError::raise("OverflowError", "cannot convert float infinity to integer"))
}
