//! Comparisons: equality, order, identity and membership.

use std::cmp::Ordering;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

use super::ast::Comparison;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Object, View};
use super::table::{Key, Table};

impl Evaluator<'_> {
    /// Evaluates one comparison of a chain.
    pub(super) fn compare(&self, left: &Object, operator: Comparison, right: &Object) -> Eval<bool> {
        match operator {
            Comparison::Equal => self.equal(left, right),
            Comparison::NotEqual => self.equal(left, right).map(|equal| !equal),
            Comparison::In => self.contains(right, left),
            Comparison::NotIn => self.contains(right, left).map(|found| !found),
            Comparison::Is => identical(left, right),
            Comparison::IsNot => identical(left, right).map(|same| !same),
            Comparison::Less => self.ordered(left, right, operator, "<"),
            Comparison::LessOrEqual => self.ordered(left, right, operator, "<="),
            Comparison::Greater => self.ordered(left, right, operator, ">"),
            Comparison::GreaterOrEqual => self.ordered(left, right, operator, ">="),
        }
    }

    /// Tells whether `left == right`.
    pub(super) fn equal(&self, left: &Object, right: &Object) -> Eval<bool> {
        self.fuel.spend(1)?;
        Ok(match (left, right) {
            (Object::Str(a), Object::Str(b)) => a == b,
            (Object::Bytes(a), Object::Bytes(b)) => a == b,
            (Object::Date(a), Object::Date(b)) => dates_equal(a, b)?,
            (Object::List(a), Object::List(b)) | (Object::Tuple(a), Object::Tuple(b)) => self.equal_items(a, b)?,
            (Object::Dict(a), Object::Dict(b)) => self.equal_dicts(a, b)?,
            (Object::Set(a) | Object::FrozenSet(a), Object::Set(b) | Object::FrozenSet(b)) => {
                a.len() == b.len() && a.within(b)
            }
            (Object::View(View::Values, a), Object::View(View::Values, b)) => {
                return if Rc::ptr_eq(a, b) {
                    Err(EvalError::unsupported("comparing dict values"))
                } else {
                    Ok(false)
                };
            }
            (Object::View(..), Object::View(..) | Object::Set(_) | Object::FrozenSet(_))
            | (Object::Set(_) | Object::FrozenSet(_), Object::View(..)) => {
                let (Some(a), Some(b)) = (as_set(left)?, as_set(right)?) else {
                    return Ok(false);
                };
                a.len() == b.len() && a.within(&b)
            }
            (Object::Range(_), Object::Range(_)) => Key::of(left)? == Key::of(right)?,
            (Object::Slice(a), Object::Slice(b)) => self.equal_items(a.as_slice(), b.as_slice())?,
            _ => match numbers(left, right) {
                Ok(order) => order == Some(Ordering::Equal),
                Err(NotNumbers) => singletons_equal(left, right)?,
            },
        })
    }

    fn equal_items(&self, left: &[Object], right: &[Object]) -> Eval<bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for (a, b) in left.iter().zip(right) {
            if !self.same(a, b)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_dicts(&self, left: &Table, right: &Table) -> Eval<bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for (key, value) in left.entries() {
            match right.get(key)? {
                Some(other) if self.same(value, other)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Tells whether containers take the two objects for the same, by identity or by equality. The result differs from `==` only
    /// for a NaN.
    pub(super) fn same(&self, left: &Object, right: &Object) -> Eval<bool> {
        match (left, right) {
            (Object::Float(a), Object::Float(b)) if a.is_nan() && b.is_nan() => Ok(true),
            _ => self.equal(left, right),
        }
    }

    fn ordered(&self, left: &Object, right: &Object, operator: Comparison, symbol: &str) -> Eval<bool> {
        if let (Some(a), Some(b)) = (as_set(left)?, as_set(right)?) {
            return Ok(match operator {
                Comparison::Less => a.len() < b.len() && a.within(&b),
                Comparison::LessOrEqual => a.within(&b),
                Comparison::Greater => b.len() < a.len() && b.within(&a),
                _ => b.within(&a),
            });
        }
        let order = self.order(left, right, symbol)?;
        Ok(match operator {
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    /// Orders two objects. Returns `None` if one of them is a NaN, and a `TypeError` if Python has no order for them.
    pub(super) fn order(&self, left: &Object, right: &Object, symbol: &str) -> Eval<Option<Ordering>> {
        self.fuel.spend(1)?;
        match (left, right) {
            (Object::Str(a), Object::Str(b)) => Ok(Some(a.cmp(b))),
            (Object::Bytes(a), Object::Bytes(b)) => Ok(Some(a.cmp(b))),
            (Object::Date(a), Object::Date(b)) if a.len() == 10 && b.len() == 10 => Ok(Some(a.cmp(b))),
            (Object::Date(_), Object::Date(_)) => Err(EvalError::unsupported("an order of timestamps")),
            (Object::List(a), Object::List(b)) | (Object::Tuple(a), Object::Tuple(b)) => {
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.same(a, b)? {
                        return self.order(a, b, symbol);
                    }
                }
                Ok(Some(a.len().cmp(&b.len())))
            }
            _ => numbers(left, right).map_err(|NotNumbers| {
                let (left, right) = (left.type_name(), right.type_name());
                EvalError::type_error(format!(
                    "'{symbol}' not supported between instances of '{left}' and '{right}'"
                ))
            }),
        }
    }

    /// Tells whether `needle in container`.
    fn contains(&self, container: &Object, needle: &Object) -> Eval<bool> {
        match (container, needle) {
            (Object::Str(text), Object::Str(part)) => {
                self.fuel.spend_text(text.len())?;
                Ok(text.contains(&**part))
            }
            (Object::Str(_), other) => {
                let kind = other.type_name();
                Err(EvalError::type_error(format!(
                    "'in <string>' requires string as left operand, not {kind}"
                )))
            }
            // A set is looked up in another set by its content.
            (Object::Set(table) | Object::FrozenSet(table), Object::Set(set)) => {
                table.contains(&Object::FrozenSet(Rc::clone(set)))
            }
            (
                Object::Set(table) | Object::FrozenSet(table) | Object::Dict(table) | Object::View(View::Keys, table),
                key,
            ) => table.contains(key),
            (Object::Bytes(_), _) => Err(EvalError::unsupported("`in` with bytes")),
            (Object::Namespace, _) => Err(EvalError::unsupported("the content of `__builtins__`")),
            (Object::View(View::Items, table), Object::Tuple(pair)) if pair.len() == 2 => match table.get(&pair[0])? {
                Some(value) => self.same(value, &pair[1]),
                None => Ok(false),
            },
            (Object::View(View::Items, _), _) => Ok(false),
            (container, needle) => {
                let iterator = self.iterate(container).map_err(|stop| match stop {
                    EvalError::Raise { kind: "TypeError", .. } => {
                        EvalError::type_error(format!("argument of type '{}' is not iterable", container.type_name()))
                    }
                    stop => stop,
                })?;
                while let Some(item) = self.next(&iterator)? {
                    if self.same(&item, needle)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// The error that one of two objects is not a number.
struct NotNumbers;

/// Compares numbers exactly. Returns `None` if one of them is NaN.
fn numbers(left: &Object, right: &Object) -> Result<Option<Ordering>, NotNumbers> {
    let int = |object: &Object| object.as_int().ok_or(NotNumbers);
    Ok(match (left, right) {
        (Object::Float(a), Object::Float(b)) => a.partial_cmp(b),
        (Object::Float(a), b) => float_with_int(*a, &int(b)?),
        (a, Object::Float(b)) => float_with_int(*b, &int(a)?).map(Ordering::reverse),
        (a, b) => Some(int(a)?.cmp(&int(b)?)),
    })
}

fn float_with_int(float: f64, int: &BigInt) -> Option<Ordering> {
    if float.is_infinite() {
        return float.partial_cmp(&0.0);
    }
    let whole = BigInt::from_f64(float.trunc())?;
    Some(whole.cmp(int).then(float.fract().partial_cmp(&0.0)?))
}

/// Returns the members of a set or of a view that acts as one.
pub(super) fn as_set(object: &Object) -> Eval<Option<Rc<Table>>> {
    Ok(match object {
        Object::Set(table) | Object::FrozenSet(table) | Object::View(View::Keys, table) => Some(Rc::clone(table)),
        Object::View(View::Items, table) => {
            let mut items = Table::default();
            for (key, value) in table.entries() {
                items.insert(Object::tuple(vec![key.clone(), value.clone()]), Object::None)?;
            }
            Some(Rc::new(items))
        }
        _ => None,
    })
}

fn dates_equal(left: &str, right: &str) -> Eval<bool> {
    let zoned = |text: &str| text.get(19..).is_some_and(|zone| zone.contains(['+', '-']));
    if left != right && zoned(left) && zoned(right) {
        return Err(EvalError::unsupported("comparing timestamps with time zones"));
    }
    Ok(left == right)
}

/// Compares objects that have no content to compare.
fn singletons_equal(left: &Object, right: &Object) -> Eval<bool> {
    match (left, right) {
        (Object::None, Object::None) => Ok(true),
        (Object::Builtin(a), Object::Builtin(b)) => Ok(a == b),
        (Object::Unbound(a, m), Object::Unbound(b, n)) => Ok((a, m) == (b, n)),
        (Object::Lambda(a), Object::Lambda(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::Iterator(a), Object::Iterator(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::Method(..), Object::Method(..)) => Err(EvalError::unsupported("comparing bound methods")),
        (Object::Namespace, Object::Dict(_) | Object::Namespace) | (Object::Dict(_), Object::Namespace) => {
            Err(EvalError::unsupported("the content of `__builtins__`"))
        }
        _ => Ok(false),
    }
}

/// Tells whether `left is right`, if that does not depend on how Python stores equal objects.
fn identical(left: &Object, right: &Object) -> Eval<bool> {
    let unknown = || {
        Err(EvalError::unsupported(format!(
            "`is` between two equal objects of type {}",
            left.type_name()
        )))
    };
    match (left, right) {
        (Object::None, Object::None) | (Object::Namespace, Object::Namespace) => Ok(true),
        (Object::Bool(a), Object::Bool(b)) => Ok(a == b),
        (Object::Builtin(a), Object::Builtin(b)) => Ok(a == b),
        (Object::Int(a), Object::Int(b)) if a == b => match a.to_i64() {
            Some(-5..=256) => Ok(true),
            _ => unknown(),
        },
        (Object::Float(a), Object::Float(b))
            if a.partial_cmp(b) != Some(Ordering::Less) && a.partial_cmp(b) != Some(Ordering::Greater) =>
        {
            unknown()
        }
        (Object::Str(a), Object::Str(b)) if a == b => unknown(),
        (Object::Bytes(a), Object::Bytes(b)) if a == b => unknown(),
        (Object::Date(a), Object::Date(b)) if a == b => unknown(),
        (Object::Tuple(a), Object::Tuple(b)) if a.len() == b.len() && !Rc::ptr_eq(a, b) => unknown(),
        (Object::Tuple(a), Object::Tuple(b)) | (Object::List(a), Object::List(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::Dict(a), Object::Dict(b)) | (Object::Set(a), Object::Set(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::Lambda(a), Object::Lambda(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::Iterator(a), Object::Iterator(b)) => Ok(Rc::ptr_eq(a, b)),
        (Object::FrozenSet(_), Object::FrozenSet(_)) | (Object::Unbound(..), Object::Unbound(..)) => unknown(),
        _ => Ok(false),
    }
}
