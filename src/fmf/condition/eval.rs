//! Evaluates a tree against the data of a node.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use num_traits::ToPrimitive;

use super::ast::{Argument, Expr, Field, Kind, Lambda};
use super::builtins::{IMPLEMENTED, REFUSED};
use super::object::{Closure, Fuel, Object, Scope};
use super::stop::{Eval, Stop};
use super::table::Table;
use crate::fmf::Map;

/// How deep calls and trees may go, on the stack.
const MAX_DEPTH: usize = 120;

/// One evaluation: the data, and what it has spent.
pub(super) struct Evaluator<'d> {
    data: &'d Map,
    pub(super) fuel: Fuel,
    /// The objects of names that were looked up: each name stands for one object throughout.
    known: RefCell<HashMap<Arc<str>, Object>>,
    namespace: RefCell<Option<Object>>,
    depth: Cell<usize>,
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Object>,
    pub(super) keywords: Vec<(Arc<str>, Object)>,
}

impl<'d> Evaluator<'d> {
    pub(super) fn new(data: &'d Map) -> Self {
        Self {
            data,
            fuel: Fuel::new(),
            known: RefCell::default(),
            namespace: RefCell::default(),
            depth: Cell::new(0),
        }
    }

    /// Evaluates an expression; errors carry the innermost place.
    pub(super) fn eval(&self, expr: &Expr, scope: Option<&Rc<Scope>>) -> Eval {
        self.fuel.spend(1)?;
        self.deeper()?;
        let result = self.kind(expr, scope).map_err(|stop| stop.at(&expr.span));
        self.depth.set(self.depth.get() - 1);
        result
    }

    fn deeper(&self) -> Eval<()> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(Stop::Limit("evaluation nested too deeply"));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    fn kind(&self, expr: &Expr, scope: Option<&Rc<Scope>>) -> Eval {
        match &expr.kind {
            Kind::None => Ok(Object::None),
            Kind::Bool(value) => Ok(Object::Bool(*value)),
            Kind::Int(value) => Ok(Object::Int(value.clone())),
            Kind::Float(value) => Ok(Object::Float(*value)),
            Kind::Str(text) => Ok(Object::Str(Arc::clone(text))),
            Kind::Bytes(bytes) => Ok(Object::Bytes(Arc::clone(bytes))),
            Kind::Name(name) => self.name(name, scope),
            Kind::Not(operand) => Ok(Object::Bool(!self.eval(operand, scope)?.truth())),
            Kind::Unary(operator, operand) => Self::unary(*operator, &self.eval(operand, scope)?),
            Kind::Binary(operator, left, right) => {
                let left = self.eval(left, scope)?;
                self.binary(*operator, &left, &self.eval(right, scope)?)
            }
            Kind::And(items) => self.junction(items, scope, false),
            Kind::Or(items) => self.junction(items, scope, true),
            Kind::Compare(first, rest) => {
                let mut left = self.eval(first, scope)?;
                for (operator, right) in rest {
                    let right = self.eval(right, scope)?;
                    if !self.compare(&left, *operator, &right)? {
                        return Ok(Object::Bool(false));
                    }
                    left = right;
                }
                Ok(Object::Bool(true))
            }
            Kind::Conditional(parts) => {
                let [test, yes, no] = &**parts;
                self.eval(if self.eval(test, scope)?.truth() { yes } else { no }, scope)
            }
            Kind::Call(callee, arguments) => {
                let callee = self.eval(callee, scope)?;
                let arguments = self.arguments(arguments, scope)?;
                self.call_in(&callee, arguments, scope)
            }
            Kind::Attribute(object, name) => self.attribute(&self.eval(object, scope)?, name),
            Kind::Subscript(object, index) => {
                let object = self.eval(object, scope)?;
                self.subscript(&object, &self.eval(index, scope)?)
            }
            Kind::Comprehension(comprehension) => self.comprehension(comprehension, scope),
            Kind::Lambda(lambda) => self.lambda(lambda, scope),
            _ => self.display(expr, scope),
        }
    }

    /// Evaluates literals that hold other expressions.
    fn display(&self, expr: &Expr, scope: Option<&Rc<Scope>>) -> Eval {
        Ok(match &expr.kind {
            Kind::List(items) => Object::list(self.items(items, scope)?),
            Kind::Tuple(items) => Object::tuple(self.items(items, scope)?),
            Kind::Set(items) => {
                let mut set = Table::default();
                for item in self.items(items, scope)? {
                    set.insert(item, Object::None)?;
                }
                Object::Set(Rc::new(set))
            }
            Kind::Dict(entries) => {
                let mut dict = Table::default();
                for (key, value) in entries {
                    match key {
                        Some(key) => {
                            let key = self.eval(key, scope)?;
                            dict.insert(key, self.eval(value, scope)?)?;
                        }
                        None => match self.eval(value, scope)? {
                            Object::Dict(other) => dict.extend(&other)?,
                            other => {
                                return Err(Stop::type_error(format!(
                                    "'{}' object is not a mapping",
                                    other.type_name()
                                )));
                            }
                        },
                    }
                }
                Object::Dict(Rc::new(dict))
            }
            Kind::Slice(parts) => {
                let part = |part: &Option<Box<Expr>>| match part {
                    Some(part) => self.eval(part, scope),
                    None => Ok(Object::None),
                };
                let [start, stop, step] = parts;
                Object::Slice(Rc::new([part(start)?, part(stop)?, part(step)?]))
            }
            Kind::Joined(fields) => {
                let mut text = String::new();
                for field in fields {
                    match field {
                        Field::Text(literal) => text += literal,
                        Field::Value(value, conversion) => {
                            let value = self.eval(value, scope).map_err(|stop| stop.moved_to(&expr.span))?;
                            text += &if *conversion == Some('r') {
                                self.repr(&value)?
                            } else {
                                self.str(&value)?
                            };
                        }
                    }
                }
                self.fuel.spend_text(text.len())?;
                Object::text(text)
            }
            _ => return Err(Stop::unsupported("a starred expression here")),
        })
    }

    fn items(&self, items: &[Expr], scope: Option<&Rc<Scope>>) -> Eval<Vec<Object>> {
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                Kind::Starred(inner) => {
                    let inner = self.eval(inner, scope)?;
                    objects.extend(self.collect(&inner)?);
                }
                _ => objects.push(self.eval(item, scope)?),
            }
        }
        Ok(objects)
    }

    /// `and` and `or` return the operand that decides.
    fn junction(&self, items: &[Expr], scope: Option<&Rc<Scope>>, decides: bool) -> Eval {
        let mut last = Object::None;
        for item in items {
            last = self.eval(item, scope)?;
            if last.truth() == decides {
                break;
            }
        }
        Ok(last)
    }

    /// Looks a name up: in the scopes, in the data, among the builtins.
    fn name(&self, name: &Arc<str>, scope: Option<&Rc<Scope>>) -> Eval {
        match scope.and_then(|scope| scope.find(name)) {
            Some(Some(object)) => return Ok(object),
            Some(None) => return Err(Stop::Missing(format!("name '{name}' is not bound yet"))),
            None => {}
        }
        if let Some(object) = self.known.borrow().get(name) {
            return Ok(object.clone());
        }
        if let Some(value) = self.data.get(name) {
            let object = Object::from_value(value, 0)?;
            self.known.borrow_mut().insert(Arc::clone(name), object.clone());
            return Ok(object);
        }
        if let Some(builtin) = IMPLEMENTED.iter().find(|builtin| **builtin == &**name) {
            return Ok(Object::Builtin(builtin));
        }
        if REFUSED.contains(&&**name) {
            return Err(Stop::unsupported(format!("the builtin `{name}`")));
        }
        Err(Stop::Missing(format!("name '{name}' is not defined")))
    }

    /// Returns the namespace that `globals()`, and `locals()` outside of all scopes, give.
    pub(super) fn namespace(&self) -> Eval {
        if let Some(namespace) = &*self.namespace.borrow() {
            return Ok(namespace.clone());
        }
        let mut table = Table::default();
        for (key, value) in self.data.iter() {
            let value = match key.as_str() {
                Some(name) => self.name(&name.into(), None)?,
                None => Object::from_value(value, 0)?,
            };
            table.insert(Object::from_value(key, 0)?, value)?;
        }
        if self.data.get("__builtins__").is_none() {
            table.insert(Object::text("__builtins__"), Object::Namespace)?;
        }
        let namespace = Object::Dict(Rc::new(table));
        *self.namespace.borrow_mut() = Some(namespace.clone());
        Ok(namespace)
    }

    fn arguments(&self, arguments: &[Argument], scope: Option<&Rc<Scope>>) -> Eval<Arguments> {
        let mut evaluated = Arguments::default();
        // Python evaluates `*rest` behind a keyword before that keyword; only errors can tell.
        for argument in arguments {
            match argument {
                Argument::Positional(value) => evaluated.positional.push(self.eval(value, scope)?),
                Argument::Star(value) => {
                    let value = self.eval(value, scope)?;
                    evaluated.positional.extend(self.collect(&value)?);
                }
                Argument::Keyword(name, value) => evaluated.keyword(name, self.eval(value, scope)?)?,
                Argument::DoubleStar(value) => {
                    let value = self.eval(value, scope)?;
                    let Object::Dict(table) = &value else {
                        let message = format!("argument after ** must be a mapping, not {}", value.type_name());
                        return Err(Stop::type_error(message));
                    };
                    for (key, value) in table.entries() {
                        let Object::Str(name) = key else {
                            return Err(Stop::type_error("keywords must be strings"));
                        };
                        evaluated.keyword(name, value.clone())?;
                    }
                }
            }
        }
        Ok(evaluated)
    }

    fn lambda(&self, lambda: &Arc<Lambda>, scope: Option<&Rc<Scope>>) -> Eval {
        let defaults = lambda.parameters.iter().filter_map(|(_, default)| default.as_ref());
        let defaults = defaults.map(|default| self.eval(default, scope)).collect::<Eval<_>>()?;
        Ok(Object::Lambda(Rc::new(Closure {
            lambda: Arc::clone(lambda),
            defaults,
            scope: scope.cloned(),
        })))
    }

    /// Calls an object with positional arguments.
    pub(super) fn call(&self, callee: &Object, positional: Vec<Object>) -> Eval {
        self.call_in(
            callee,
            Arguments {
                positional,
                keywords: Vec::new(),
            },
            None,
        )
    }

    fn call_in(&self, callee: &Object, arguments: Arguments, scope: Option<&Rc<Scope>>) -> Eval {
        self.deeper()?;
        let result = match callee {
            Object::Builtin("locals") if scope.is_some() => {
                Err(Stop::unsupported("`locals()` inside a comprehension or a lambda"))
            }
            Object::Builtin(name) => self.builtin(name, arguments),
            Object::Method(object, name) => self.method(object, name, arguments),
            Object::Unbound(kind, name) => self.unbound(kind, name, arguments),
            Object::Lambda(closure) => self.call_lambda(closure, arguments),
            other => Err(Stop::type_error(format!(
                "'{}' object is not callable",
                other.type_name()
            ))),
        };
        self.depth.set(self.depth.get() - 1);
        result
    }

    fn call_lambda(&self, closure: &Closure, arguments: Arguments) -> Eval {
        let lambda = &closure.lambda;
        let mut names: Vec<(Arc<str>, Option<Object>)> = Vec::with_capacity(lambda.parameters.len());
        let mut positional = arguments.positional.into_iter();
        for (name, _) in &lambda.parameters {
            names.push((Arc::clone(name), positional.next()));
        }
        let rest: Vec<Object> = positional.collect();
        match &lambda.rest {
            Some(name) => names.push((Arc::clone(name), Some(Object::tuple(rest)))),
            None if !rest.is_empty() => return Err(Stop::type_error("<lambda>() takes fewer positional arguments")),
            None => {}
        }
        for (name, value) in arguments.keywords {
            let slot = names[..lambda.parameters.len()]
                .iter_mut()
                .find(|(known, _)| *known == name);
            match slot {
                Some((_, slot)) if slot.is_none() => *slot = Some(value),
                Some(_) => {
                    return Err(Stop::type_error(format!(
                        "<lambda>() got multiple values for argument '{name}'"
                    )));
                }
                None => {
                    return Err(Stop::type_error(format!(
                        "<lambda>() got an unexpected keyword argument '{name}'"
                    )));
                }
            }
        }
        let first_default = lambda.parameters.len() - closure.defaults.len();
        for (index, (name, value)) in names.iter_mut().enumerate() {
            if value.is_none() {
                let default = index
                    .checked_sub(first_default)
                    .and_then(|index| closure.defaults.get(index));
                let missing = || Stop::type_error(format!("<lambda>() missing required argument: '{name}'"));
                *value = Some(default.cloned().ok_or_else(missing)?);
            }
        }
        let scope = Rc::new(Scope {
            names: RefCell::new(names),
            parent: closure.scope.clone(),
        });
        self.eval(&lambda.body, Some(&scope))
    }

    fn subscript(&self, object: &Object, index: &Object) -> Eval {
        if let Object::Slice(slice) = index {
            return self.slice(object, slice);
        }
        match object {
            Object::Dict(table) => match table.get(index)? {
                Some(Object::Namespace) => Err(Stop::unsupported("the content of `__builtins__`")),
                Some(value) => Ok(value.clone()),
                None => Err(Stop::Missing(format!("key {} is not defined", self.repr(index)?))),
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
                Err(Stop::unsupported(format!("a subscript of {}", object.type_name())))
            }
            other => Err(Stop::type_error(format!(
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
            Object::Dict(_) => return Err(Stop::type_error("unhashable type: 'slice'")),
            Object::Bytes(_) | Object::Range(_) | Object::Builtin(_) | Object::Namespace => {
                return Err(Stop::unsupported(format!("a slice of {}", object.type_name())));
            }
            other => {
                return Err(Stop::type_error(format!(
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

impl Arguments {
    fn keyword(&mut self, name: &Arc<str>, value: Object) -> Eval<()> {
        if self.keywords.iter().any(|(known, _)| known == name) {
            return Err(Stop::type_error(format!(
                "got multiple values for keyword argument '{name}'"
            )));
        }
        self.keywords.push((Arc::clone(name), value));
        Ok(())
    }
}

/// Returns the place that an index means.
fn position(object: &Object, index: &Object, length: usize) -> Eval<usize> {
    let kind = object.type_name();
    let Some(int) = index.as_int() else {
        let found = index.type_name();
        return Err(Stop::type_error(format!(
            "{kind} indices must be integers or slices, not {found}"
        )));
    };
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let at = int.to_i128().map(|at| if at < 0 { at + length } else { at });
    let at = at
        .filter(|at| (0..length).contains(at))
        .and_then(|at| usize::try_from(at).ok());
    at.ok_or_else(|| Stop::raise("IndexError", format!("{kind} index out of range")))
}

/// Returns the places that a slice means, in its order.
fn slice_positions(slice: &[Object; 3], length: usize) -> Eval<Vec<usize>> {
    let bound = |object: &Object| -> Eval<Option<i128>> {
        match (object, object.as_int()) {
            (Object::None, _) => Ok(None),
            (_, Some(int)) => Ok(Some(int.to_i128().unwrap_or(if int < 0.into() {
                i128::MIN / 4
            } else {
                i128::MAX / 4
            }))),
            _ => Err(Stop::type_error(
                "slice indices must be integers or None or have an __index__ method",
            )),
        }
    };
    let length = i128::try_from(length).unwrap_or(i128::MAX / 4);
    let step = bound(&slice[2])?.unwrap_or(1);
    if step == 0 {
        return Err(Stop::value_error("slice step cannot be zero"));
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
