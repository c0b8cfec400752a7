//! Python's arithmetic on numbers: `bool` counts as 0 and 1, integers have no limit, and floats are IEEE doubles.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Value;

/// The most decimal digits that Python converts between text and integers.
pub(crate) const MAX_DIGITS: usize = 4300;

/// The reason why two values have no sum or difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// At least one is not a number.
    NotNumbers,
    /// An integer is too large to be converted to a float.
    Overflow,
}

/// A number. Booleans and small integers have the same form.
enum Number<'a> {
    Small(i64),
    Big(&'a str),
    Float(f64),
}

fn number(value: &Value) -> Option<Number<'_>> {
    Some(match value {
        Value::Bool(flag) => Number::Small(i64::from(*flag)),
        Value::Int(int) => Number::Small(*int),
        Value::BigInt(digits) => Number::Big(digits),
        Value::Float(float) => Number::Float(*float),
        _ => return None,
    })
}

/// Returns `left + right`.
pub(crate) fn add(left: &Value, right: &Value) -> Result<Value, NumberError> {
    combine(left, right, i64::checked_add, |a, b| a + b, false)
}

/// Returns `left - right`.
pub(crate) fn subtract(left: &Value, right: &Value) -> Result<Value, NumberError> {
    combine(left, right, i64::checked_sub, |a, b| a - b, true)
}

fn combine(
    left: &Value,
    right: &Value,
    small: fn(i64, i64) -> Option<i64>,
    float: fn(f64, f64) -> f64,
    negate_right: bool,
) -> Result<Value, NumberError> {
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        return Err(NumberError::NotNumbers);
    };
    match (&a, &b) {
        (Number::Float(_), _) | (_, Number::Float(_)) => Ok(Value::Float(float(to_float(&a)?, to_float(&b)?))),
        (Number::Small(x), Number::Small(y)) if small(*x, *y).is_some() => {
            Ok(Value::Int(small(*x, *y).unwrap_or_default()))
        }
        _ => Ok(big_sum(&digits_of(&a), &digits_of(&b), negate_right)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Python rounds to nearest even here too")]
fn to_float(number: &Number<'_>) -> Result<f64, NumberError> {
    match number {
        Number::Small(int) => Ok(*int as f64),
        Number::Float(float) => Ok(*float),
        Number::Big(digits) => {
            let float: f64 = digits.parse().unwrap_or(f64::INFINITY);
            if float.is_finite() {
                Ok(float)
            } else {
                Err(NumberError::Overflow)
            }
        }
    }
}

fn digits_of(number: &Number<'_>) -> String {
    match number {
        Number::Small(int) => int.to_string(),
        Number::Big(digits) => (*digits).to_owned(),
        Number::Float(float) => format!("{float:.0}"),
    }
}

/// Adds (or subtracts) two canonical decimal integers.
fn big_sum(left: &str, right: &str, negate_right: bool) -> Value {
    let (left_negative, left) = split_sign(left);
    let (right_negative, right) = split_sign(right);
    let right_negative = right_negative != negate_right;
    let (negative, digits) = if left_negative == right_negative {
        (left_negative, add_digits(left, right))
    } else {
        match compare_digits(left, right) {
            Ordering::Less => (right_negative, subtract_digits(right, left)),
            _ => (left_negative, subtract_digits(left, right)),
        }
    };
    decimal(negative, &digits)
}

fn split_sign(digits: &str) -> (bool, &str) {
    digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest))
}

fn compare_digits(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn add_digits(left: &str, right: &str) -> String {
    let (mut a, mut b) = (left.bytes().rev(), right.bytes().rev());
    let mut sum = Vec::with_capacity(left.len().max(right.len()) + 1);
    let mut carry = 0;
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() && carry == 0 {
            break;
        }
        let total = x.map_or(0, |d| d - b'0') + y.map_or(0, |d| d - b'0') + carry;
        sum.push(char::from(b'0' + total % 10));
        carry = total / 10;
    }
    sum.into_iter().rev().collect()
}

/// Subtracts strings of digits. The left one must not be smaller than the right one.
fn subtract_digits(left: &str, right: &str) -> String {
    let mut b = right.bytes().rev();
    let mut borrow = 0;
    let mut difference = Vec::with_capacity(left.len());
    for x in left.bytes().rev() {
        let taken = b.next().map_or(0, |d| d - b'0') + borrow;
        let digit = x - b'0';
        borrow = u8::from(digit < taken);
        difference.push(char::from(b'0' + (digit + 10 * borrow - taken)));
    }
    difference.into_iter().rev().collect()
}

/// Makes an integer from ASCII decimal digits. It has 64 bits if they are enough.
pub(crate) fn decimal(negative: bool, digits: &str) -> Value {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Value::Int(0);
    }
    let text = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    text.parse().map_or_else(|_| Value::BigInt(Arc::from(text)), Value::Int)
}

/// Compares two numbers exactly, as Python does. Returns `None` if one of them is not a number, or is NaN.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (number(left)?, number(right)?) {
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
        (Number::Float(a), b) => compare_float(a, &b),
        (a, Number::Float(b)) => compare_float(b, &a).map(Ordering::reverse),
        (Number::Small(a), Number::Small(b)) => Some(a.cmp(&b)),
        (a, b) => Some(compare_signed(&digits_of(&a), &digits_of(&b))),
    }
}

/// Compares a float with an integer without rounding the integer.
fn compare_float(float: f64, int: &Number<'_>) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Greater } else { Ordering::Less });
    }
    let whole = format!("{:.0}", float.trunc());
    let whole = if whole == "-0" { "0" } else { &whole };
    let fraction = float - float.trunc();
    Some(compare_signed(whole, &digits_of(int)).then(fraction.partial_cmp(&0.0)?))
}

fn compare_signed(left: &str, right: &str) -> Ordering {
    match (split_sign(left), split_sign(right)) {
        ((false, _), (true, _)) => Ordering::Greater,
        ((true, _), (false, _)) => Ordering::Less,
        ((false, a), (false, b)) => compare_digits(a, b),
        ((true, a), (true, b)) => compare_digits(b, a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(text: &str) -> Value {
        let (negative, digits) = split_sign(text);
        decimal(negative, digits)
    }

    #[test]
    fn integers_grow_beyond_64_bits_and_shrink_back() {
        let sum = add(&Value::Int(i64::MAX), &Value::Int(1)).unwrap();
        assert_eq!(sum.to_python_str(), "9223372036854775808");
        assert!(matches!(subtract(&sum, &Value::Bool(true)), Ok(Value::Int(i64::MAX))));
        let less = subtract(&Value::Int(5), &big("100000000000000000000")).unwrap();
        assert_eq!(less.to_python_str(), "-99999999999999999995");
    }

    #[test]
    fn numbers_compare_without_rounding() {
        assert_eq!(
            compare(&big("9007199254740993"), &Value::Float(9_007_199_254_740_992.0)),
            Some(Ordering::Greater)
        );
        assert_eq!(
            compare(&big("100000000000000000000"), &Value::Float(1e20)),
            Some(Ordering::Equal)
        );
        assert_eq!(compare(&Value::Int(-1), &Value::Float(-1.5)), Some(Ordering::Greater));
        assert_eq!(compare(&Value::Bool(true), &Value::Float(1.0)), Some(Ordering::Equal));
    }
}
