//! Evaluates attributes, and the methods of all objects except text.

use std::rc::Rc;
use std::sync::Arc;

use super::call::Arguments;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::names::methods;
use super::object::{Object, View};
use super::table::Table;

impl Evaluator<'_> {
    /// Returns `object.name`.
    pub(super) fn attribute(&self, object: &Object, name: &Arc<str>) -> Eval {
        self.fuel.spend(1)?;
        let kind = object.type_name();
        if let (Object::Builtin(of), "type") = (object, kind) {
            return type_attribute(of, name);
        }
        if let (Object::Date(text), "year" | "month" | "day") = (object, &**name) {
            let range = match &**name {
                "year" => 0..4,
                "month" => 5..7,
                _ => 8..10,
            };
            let number = text.get(range).and_then(|digits| digits.parse::<u32>().ok());
            return number
                .map(Object::int)
                .ok_or_else(|| EvalError::unsupported("an attribute of this date"));
        }
        let (here, refused) = methods(kind);
        if here.contains(name) {
            return Ok(Object::Method(Rc::new(object.clone()), Arc::clone(name)));
        }
        if refused.contains(name) {
            return Err(EvalError::unsupported(format!("the attribute `{name}` of {kind}")));
        }
        special(name)?;
        Err(EvalError::raise(
            "AttributeError",
            format!("'{kind}' object has no attribute '{name}'"),
        ))
    }

    /// Calls a method through its type, as in `str.upper(text)`.
    pub(super) fn unbound(&self, kind: &'static str, name: &Arc<str>, mut arguments: Arguments) -> Eval {
        if arguments.positional.is_empty() {
            return Err(EvalError::type_error(format!(
                "unbound method {kind}.{name}() needs an argument"
            )));
        }
        let object = arguments.positional.remove(0);
        let found = object.type_name();
        if found != kind && !(kind == "int" && found == "bool") {
            let message = format!("descriptor '{name}' for '{kind}' objects doesn't apply to a '{found}' object");
            return Err(EvalError::type_error(message));
        }
        self.method(&object, name, arguments)
    }

    /// Calls a method.
    pub(super) fn method(&self, object: &Object, name: &str, arguments: Arguments) -> Eval {
        match object {
            Object::Str(text) => self.text_method(text, name, arguments),
            Object::List(items) | Object::Tuple(items) => self.sequence_method(object, items, name, arguments),
            Object::Dict(table) => dict_method(table, name, arguments),
            Object::Set(table) | Object::FrozenSet(table) => self.set_method(object, table, name, arguments),
            Object::View(..) => {
                let items = arguments.fixed(name, 1, 1)?;
                let members = self.table_of(object)?;
                Ok(Object::Bool(
                    members.restricted(&self.table_of(&items[0])?, true)?.len() == 0,
                ))
            }
            Object::Date(text) => {
                if !arguments.positional.is_empty() || !arguments.keywords.is_empty() {
                    return Err(EvalError::unsupported("arguments of `isoformat()`"));
                }
                Ok(Object::Str(Arc::clone(text)))
            }
            Object::Float(value) => {
                arguments.fixed(name, 0, 0)?;
                Ok(Object::Bool(value.is_finite() && value.fract() == 0.0))
            }
            other => {
                arguments.fixed(name, 0, 0)?;
                let int = other
                    .as_int()
                    .ok_or_else(|| EvalError::unsupported(format!("the method `{name}`")))?;
                Ok(Object::int(int.bits()))
            }
        }
    }

    fn sequence_method(&self, object: &Object, items: &Rc<Vec<Object>>, name: &str, arguments: Arguments) -> Eval {
        match name {
            "copy" => {
                arguments.fixed(name, 0, 0)?;
                Ok(Object::list(items.to_vec()))
            }
            "count" => {
                let wanted = arguments.fixed(name, 1, 1)?;
                let mut count = 0;
                for item in items.iter() {
                    count += u32::from(self.same(item, &wanted[0])?);
                }
                Ok(Object::int(count))
            }
            _ => {
                let wanted = arguments.fixed(name, 1, 3)?;
                if wanted.len() > 1 {
                    return Err(EvalError::unsupported("`index()` with bounds"));
                }
                for (at, item) in items.iter().enumerate() {
                    if self.same(item, &wanted[0])? {
                        return Ok(Object::int(at));
                    }
                }
                Err(EvalError::value_error(format!(
                    "the value is not in {}",
                    object.type_name()
                )))
            }
        }
    }

    fn set_method(&self, object: &Object, table: &Rc<Table>, name: &str, arguments: Arguments) -> Eval {
        let (least, most) = match name {
            "copy" => (0, 0),
            "isdisjoint" | "issubset" | "issuperset" | "symmetric_difference" => (1, 1),
            _ => (0, usize::MAX),
        };
        let others = arguments.fixed(name, least, most)?;
        let others = others
            .iter()
            .map(|other| self.table_of(other))
            .collect::<Eval<Vec<_>>>()?;
        self.fuel.spend(table.len())?;
        let mut result = Table::clone(table);
        match name {
            "isdisjoint" => return Ok(Object::Bool(table.restricted(&others[0], true)?.len() == 0)),
            "issubset" => return Ok(Object::Bool(table.within(&others[0]))),
            "issuperset" => return Ok(Object::Bool(others[0].within(table))),
            "union" => others.iter().try_for_each(|other| result.extend(other))?,
            "intersection" => {
                for other in &others {
                    result = result.restricted(other, true)?;
                }
            }
            "difference" => {
                for other in &others {
                    result = result.restricted(other, false)?;
                }
            }
            "symmetric_difference" => {
                result = table.restricted(&others[0], false)?;
                result.extend(&others[0].restricted(table, false)?)?;
            }
            _ => {}
        }
        let result = Rc::new(result);
        Ok(if matches!(object, Object::FrozenSet(_)) {
            Object::FrozenSet(result)
        } else {
            Object::Set(result)
        })
    }
}

fn dict_method(table: &Rc<Table>, name: &str, arguments: Arguments) -> Eval {
    let (least, most) = if name == "get" { (1, 2) } else { (0, 0) };
    let items = arguments.fixed(name, least, most)?;
    Ok(match name {
        "get" => match table.get(&items[0])? {
            Some(Object::Namespace) => return Err(EvalError::unsupported("the content of `__builtins__`")),
            Some(value) => value.clone(),
            None => items.get(1).cloned().unwrap_or(Object::None),
        },
        "keys" => Object::view(View::Keys, table),
        "values" => Object::view(View::Values, table),
        "items" => Object::view(View::Items, table),
        _ => Object::Dict(Rc::new(Table::clone(table))),
    })
}

/// Returns an attribute of a type: its name, or a method that is not bound to an object.
fn type_attribute(of: &'static str, name: &Arc<str>) -> Eval {
    if matches!(&**name, "__name__" | "__qualname__") && of != "iterator" {
        return Ok(Object::text(of.rsplit('.').next().unwrap_or(of)));
    }
    let (here, refused) = methods(of);
    if here.contains(name) {
        return Ok(Object::Unbound(of, Arc::clone(name)));
    }
    if refused.contains(name) || **name == *"mro" {
        return Err(EvalError::unsupported(format!(
            "the attribute `{name}` of the type {of}"
        )));
    }
    special(name)?;
    Err(EvalError::raise(
        "AttributeError",
        format!("type object '{of}' has no attribute '{name}'"),
    ))
}

/// Refuses attributes with underscores around them, which most Python objects have.
fn special(name: &str) -> Eval<()> {
    if name.starts_with("__") {
        return Err(EvalError::unsupported(format!("the attribute `{name}`")));
    }
    Ok(())
}
