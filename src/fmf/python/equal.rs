//! Truth and equality of fmf values: numbers compare across types, mappings without regard to order.

use crate::fmf::{Map, Value};

/// Tells whether `bool(value)` holds.
pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Int(value) => *value != 0,
        Value::BigInt(_) | Value::Date(_) => true,
        Value::Float(value) => *value != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => map.iter().next().is_some(),
    }
}

/// Tells whether `left == right` holds.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Str(a), Value::Str(b)) | (Value::Date(a), Value::Date(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => equal_maps(a, b),
        (Value::BigInt(a), Value::BigInt(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::BigInt(big), Value::Float(float)) | (Value::Float(float), Value::BigInt(big)) => {
            float.fract() == 0.0 && format!("{float:.0}") == **big
        }
        _ => match (small_int(left), small_int(right)) {
            (Some(a), Some(b)) => a == b,
            (Some(int), None) => equals_float(int, right),
            (None, Some(int)) => equals_float(int, left),
            (None, None) => false,
        },
    }
}

fn small_int(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Int(value) => Some(*value),
        _ => None,
    }
}

/// Compares without rounding the integer: the float's exact decimal text is the integer's, or they differ.
fn equals_float(int: i64, other: &Value) -> bool {
    match other {
        Value::Float(float) if *float == 0.0 => int == 0,
        Value::Float(float) => float.fract() == 0.0 && format!("{float:.0}") == int.to_string(),
        _ => false,
    }
}

fn equal_maps(left: &Map, right: &Map) -> bool {
    let find = |key: &Value| {
        right
            .iter()
            .find(|(other, _)| equal(key, other))
            .map(|(_, value)| value)
    };
    left.iter().count() == right.iter().count()
        && left
            .iter()
            .all(|(key, value)| find(key).is_some_and(|other| equal(value, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_types_without_rounding() {
        assert!(equal(&Value::Bool(true), &Value::Int(1)));
        assert!(equal(&Value::Float(1.0), &Value::Bool(true)));
        assert!(equal(&Value::Float(-0.0), &Value::Int(0)));
        assert!(!equal(
            &Value::Int(9_007_199_254_740_993),
            &Value::Float(9_007_199_254_740_992.0)
        ));
        assert!(equal(
            &Value::BigInt("100000000000000000000".into()),
            &Value::Float(1e20)
        ));
        assert!(!equal(&Value::Str("1".into()), &Value::Int(1)));
        assert!(!equal(&Value::Float(f64::NAN), &Value::Float(f64::NAN)));
    }
}
