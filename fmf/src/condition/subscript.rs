//! Evaluates subscripts and slices.

use num_traits::ToPrimitive;

use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::Object;

impl Evaluator<'_> {
    pub(super) fn subscript(&self, object: &Object, index: &Object) -> Eval {
        if let Object::Slice(slice) = index {
            return self.slice(object, slice);
        }
        match object {
            Object::Dict(table) => match table.get(index)? {
                Some(Object::Namespace) => Err(EvalError::unsupported("the content of `__builtins__`")),
                Some(value) => Ok(value.clone()),
                None => Err(EvalError::Missing(format!("key {} is not defined", self.repr(index)?))),
            },
            Object::List(items) | Object::Tuple(items) => Ok(items[position(object, index, items.len())?].clone()),
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                let length = text.chars().count();
                let at = position(object, index, length)?;
                let c = text.chars().nth(at).unwrap_or_default();
                Ok(Object::text(c.encode_utf8(&mut [0; 4]) as &str))
            }
            Object::Range(range) => {
                let at = position(object, index, range.length)?;
                Ok(Object::int(range.start + i64::try_from(at).unwrap_or(0) * range.step))
            }
            Object::Bytes(_) | Object::Namespace | Object::Builtin(_) => {
                Err(EvalError::unsupported(format!("a subscript of {}", object.type_name())))
            }
            other => Err(EvalError::type_error(format!(
                "'{}' object is not subscriptable",
                other.type_name()
            ))),
        }
    }

    fn slice(&self, object: &Object, slice: &[Object; 3]) -> Eval {
        let chars: Vec<Object>;
        let items: &[Object] = match object {
            Object::List(items) | Object::Tuple(items) => items,
            Object::Str(_) => {
                chars = self.collect(object)?;
                &chars
            }
            Object::Dict(_) => return Err(EvalError::type_error("unhashable type: 'slice'")),
            Object::Bytes(_) | Object::Range(_) | Object::Builtin(_) | Object::Namespace => {
                return Err(EvalError::unsupported(format!("a slice of {}", object.type_name())));
            }
            other => {
                return Err(EvalError::type_error(format!(
                    "'{}' object is not subscriptable",
                    other.type_name()
                )));
            }
        };
        self.fuel.spend(items.len())?;
        let mut chosen = Vec::new();
        for at in slice_positions(slice, items.len())? {
            chosen.push(items[at].clone());
        }
        Ok(match object {
            Object::List(_) => Object::list(chosen),
            Object::Tuple(_) => Object::tuple(chosen),
            _ => {
                let text = chosen.iter().map(|c| if let Object::Str(c) = c { c } else { "" });
                Object::text(text.collect::<String>())
            }
        })
    }
}

/// Returns the position for an index.
fn position(object: &Object, index: &Object, length: usize) -> Eval<usize> {
    let kind = object.type_name();
    let Some(int) = index.as_int() else {
        let found = index.type_name();
        return Err(EvalError::type_error(format!(
            "{kind} indices must be integers or slices, not {found}"
        )));
    };
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let at = int.to_i128().map(|at| if at < 0 { at + length } else { at });
    let at = at
        .filter(|at| (0..length).contains(at))
        .and_then(|at| usize::try_from(at).ok());
    at.ok_or_else(|| EvalError::raise("IndexError", format!("{kind} index out of range")))
}

/// Returns the positions for a slice, in its order.
fn slice_positions(slice: &[Object; 3], length: usize) -> Eval<Vec<usize>> {
    let bound = |object: &Object| -> Eval<Option<i128>> {
        match (object, object.as_int()) {
            (Object::None, _) => Ok(None),
            (_, Some(int)) => Ok(Some(int.to_i128().unwrap_or(if int < 0.into() {
                i128::MIN / 4
            } else {
                i128::MAX / 4
            }))),
            _ => Err(EvalError::type_error(
                "slice indices must be integers or None or have an __index__ method",
            )),
        }
    };
    let length = i128::try_from(length).unwrap_or(i128::MAX / 4);
    let step = bound(&slice[2])?.unwrap_or(1);
    if step == 0 {
        return Err(EvalError::value_error("slice step cannot be zero"));
    }
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |at: i128| (if at < 0 { at + length } else { at }).clamp(low, high);
    let mut at = bound(&slice[0])?.map_or(if step > 0 { low } else { high }, clamp);
    let end = bound(&slice[1])?.map_or(if step > 0 { high } else { low }, clamp);
    let mut places = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        places.extend(usize::try_from(at));
        at += step;
    }
    Ok(places)
}
