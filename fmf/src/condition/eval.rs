//! Evaluates the tree of a condition against the data of a node.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Expr, Field, Kind};
use super::eval_error::{Eval, EvalError};
use super::names::{IMPLEMENTED, REFUSED};
use super::object::{Found, Fuel, Object, Scope};
use super::table::Table;
use crate::Map;

/// The deepest nesting of calls and trees, which is limited because evaluation uses the stack.
const MAX_DEPTH: usize = 120;

/// One evaluation, with the data and the fuel that is left.
pub(super) struct Evaluator<'d> {
    data: &'d Map,
    pub(super) fuel: Fuel,
    /// The objects of names that were looked up. Each name stands for the same object during the whole evaluation.
    known: RefCell<HashMap<Arc<str>, Object>>,
    namespace: RefCell<Option<Object>>,
    depth: Cell<usize>,
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

    /// Evaluates an expression. An error gets the innermost place.
    pub(super) fn eval(&self, expr: &Expr, scope: Option<&Rc<Scope>>) -> Eval {
        self.fuel.spend(1)?;
        self.deeper()?;
        let result = self.kind(expr, scope).map_err(|stop| stop.at(&expr.span));
        self.shallower();
        result
    }

    pub(super) fn deeper(&self) -> Eval<()> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(EvalError::Limit("evaluation nested too deeply"));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    pub(super) fn shallower(&self) {
        self.depth.set(self.depth.get() - 1);
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

    /// Evaluates literals that contain other expressions.
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
                                return Err(EvalError::type_error(format!(
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
            _ => return Err(EvalError::unsupported("a starred expression here")),
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

    /// Evaluates `and` and `or`, which return the operand that decides.
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

    /// Looks a name up in the scopes, then in the data, then among the builtins.
    fn name(&self, name: &Arc<str>, scope: Option<&Rc<Scope>>) -> Eval {
        match scope.map_or(Found::Unknown, |scope| scope.find(name)) {
            Found::Bound(object) => return Ok(object),
            Found::Unbound => return Err(EvalError::Missing(format!("name '{name}' is not bound yet"))),
            Found::Unknown => {}
        }
        if let Some(object) = self.known.borrow().get(name) {
            return Ok(object.clone());
        }
        if let Some(value) = self.data.get(name) {
            let object = Object::from_value(value, 0)?;
            self.known.borrow_mut().insert(Arc::clone(name), object.clone());
            return Ok(object);
        }
        if let Some(builtin) = IMPLEMENTED.find(name) {
            return Ok(Object::Builtin(builtin));
        }
        if REFUSED.contains(name) {
            return Err(EvalError::unsupported(format!("the builtin `{name}`")));
        }
        Err(EvalError::Missing(format!("name '{name}' is not defined")))
    }

    /// Returns the namespace that `globals()` returns, and also `locals()` outside all scopes.
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
}
