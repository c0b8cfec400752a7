//! Calls of functions: arguments, lambdas, and the objects that can be called.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Argument, Lambda};
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Closure, Object, Scope};

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Object>,
    pub(super) keywords: Vec<(Arc<str>, Object)>,
}

impl Arguments {
    fn keyword(&mut self, name: &Arc<str>, value: Object) -> Eval<()> {
        if self.keywords.iter().any(|(known, _)| known == name) {
            return Err(EvalError::type_error(format!(
                "got multiple values for keyword argument '{name}'"
            )));
        }
        self.keywords.push((Arc::clone(name), value));
        Ok(())
    }

    /// Returns the positional arguments, if there are as many as the function takes and no keywords.
    pub(super) fn fixed(self, name: &str, least: usize, most: usize) -> Eval<Vec<Object>> {
        if !self.keywords.is_empty() {
            return Err(EvalError::type_error(format!("{name}() takes no keyword arguments")));
        }
        let given = self.positional.len();
        if given < least || given > most {
            return Err(EvalError::type_error(format!(
                "{name}() takes {least} to {most} arguments ({given} given)"
            )));
        }
        Ok(self.positional)
    }

    /// Takes a keyword argument out.
    pub(super) fn take(&mut self, keyword: &str) -> Option<Object> {
        let at = self.keywords.iter().position(|(known, _)| **known == *keyword)?;
        Some(self.keywords.remove(at).1)
    }
}

impl Evaluator<'_> {
    pub(super) fn arguments(&self, arguments: &[Argument], scope: Option<&Rc<Scope>>) -> Eval<Arguments> {
        let mut evaluated = Arguments::default();
        // Python evaluates `*rest` after a keyword before that keyword, which only errors can show.
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
                        return Err(EvalError::type_error(message));
                    };
                    for (key, value) in table.entries() {
                        let Object::Str(name) = key else {
                            return Err(EvalError::type_error("keywords must be strings"));
                        };
                        evaluated.keyword(name, value.clone())?;
                    }
                }
            }
        }
        Ok(evaluated)
    }

    pub(super) fn lambda(&self, lambda: &Arc<Lambda>, scope: Option<&Rc<Scope>>) -> Eval {
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

    pub(super) fn call_in(&self, callee: &Object, arguments: Arguments, scope: Option<&Rc<Scope>>) -> Eval {
        self.deeper()?;
        let result = match callee {
            Object::Builtin("locals") if scope.is_some() => {
                Err(EvalError::unsupported("`locals()` inside a comprehension or a lambda"))
            }
            Object::Builtin(name) => self.builtin(name, arguments),
            Object::Method(object, name) => self.method(object, name, arguments),
            Object::Unbound(kind, name) => self.unbound(kind, name, arguments),
            Object::Lambda(closure) => self.call_lambda(closure, arguments),
            other => Err(EvalError::type_error(format!(
                "'{}' object is not callable",
                other.type_name()
            ))),
        };
        self.shallower();
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
            None if !rest.is_empty() => {
                return Err(EvalError::type_error("<lambda>() takes fewer positional arguments"));
            }
            None => {}
        }
        for (name, value) in arguments.keywords {
            let slot = names[..lambda.parameters.len()]
                .iter_mut()
                .find(|(known, _)| *known == name);
            match slot {
                Some((_, slot)) if slot.is_none() => *slot = Some(value),
                Some(_) => {
                    return Err(EvalError::type_error(format!(
                        "<lambda>() got multiple values for argument '{name}'"
                    )));
                }
                None => {
                    return Err(EvalError::type_error(format!(
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
                let missing = || EvalError::type_error(format!("<lambda>() missing required argument: '{name}'"));
                *value = Some(default.cloned().ok_or_else(missing)?);
            }
        }
        let scope = Rc::new(Scope {
            names: RefCell::new(names),
            parent: closure.scope.clone(),
        });
        self.eval(&lambda.body, Some(&scope))
    }
}
