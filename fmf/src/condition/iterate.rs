//! Iterators, which are lazy as in Python, because an item that is never requested never fails.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;

use super::ast::{Comprehension, Makes, Target};
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Object, Scope, View};
use super::table::Table;

/// The state of an iterator.
#[derive(Debug)]
pub(super) enum Iter {
    Items {
        items: Vec<Object>,
        at: usize,
    },
    Range {
        next: i64,
        step: i64,
        left: usize,
    },
    Generator {
        comprehension: Arc<Comprehension>,
        scope: Rc<Scope>,
        stack: Vec<Object>,
    },
    Map {
        function: Object,
        inputs: Vec<Object>,
    },
    Filter {
        function: Object,
        input: Object,
    },
    Zip {
        inputs: Vec<Object>,
        strict: bool,
    },
    Enumerate {
        input: Object,
        count: BigInt,
    },
}

impl Iter {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Items { .. } | Self::Range { .. } => "iterator",
            Self::Generator { .. } => "generator",
            Self::Map { .. } => "map",
            Self::Filter { .. } => "filter",
            Self::Zip { .. } => "zip",
            Self::Enumerate { .. } => "enumerate",
        }
    }

    pub(super) fn object(self) -> Object {
        Object::Iterator(Rc::new(RefCell::new(self)))
    }
}

impl Evaluator<'_> {
    /// Returns `iter(object)`.
    pub(super) fn iterate(&self, object: &Object) -> Eval {
        let items = |items: Vec<Object>| -> Eval {
            self.fuel.spend(items.len() / 8)?;
            Ok(Iter::Items { items, at: 0 }.object())
        };
        match object {
            Object::Iterator(_) => Ok(object.clone()),
            Object::List(list) | Object::Tuple(list) => items(list.to_vec()),
            Object::Str(text) => {
                self.fuel.spend(text.len() / 2)?;
                items(
                    text.chars()
                        .map(|c| Object::text(c.encode_utf8(&mut [0; 4]) as &str))
                        .collect(),
                )
            }
            Object::Bytes(bytes) => items(bytes.iter().map(|byte| Object::int(*byte)).collect()),
            Object::Dict(table) | Object::Set(table) | Object::FrozenSet(table) | Object::View(View::Keys, table) => {
                items(table.objects().cloned().collect())
            }
            Object::View(View::Values, table) => {
                items(table.entries().iter().map(|(_, value)| value.clone()).collect())
            }
            Object::View(View::Items, table) => {
                let pair = |(key, value): &(Object, Object)| Object::tuple(vec![key.clone(), value.clone()]);
                items(table.entries().iter().map(pair).collect())
            }
            Object::Range(range) => Ok(Iter::Range {
                next: range.start,
                step: range.step,
                left: range.length,
            }
            .object()),
            Object::Namespace => Err(EvalError::unsupported("the content of `__builtins__`")),
            other => Err(EvalError::type_error(format!(
                "'{}' object is not iterable",
                other.type_name()
            ))),
        }
    }

    /// Returns the next item of an iterator.
    pub(super) fn next(&self, iterator: &Object) -> Eval<Option<Object>> {
        self.fuel.spend(1)?;
        let Object::Iterator(iter) = iterator else {
            return Err(EvalError::type_error(format!(
                "'{}' object is not an iterator",
                iterator.type_name()
            )));
        };
        let Ok(mut iter) = iter.try_borrow_mut() else {
            return Err(EvalError::value_error("generator already executing"));
        };
        match &mut *iter {
            Iter::Items { items, at } => {
                *at += 1;
                Ok(items.get(*at - 1).cloned())
            }
            Iter::Range { next, step, left } => {
                if *left == 0 {
                    return Ok(None);
                }
                let item = Object::int(*next);
                *left -= 1;
                *next = next.saturating_add(*step);
                Ok(Some(item))
            }
            Iter::Generator {
                comprehension,
                scope,
                stack,
            } => {
                let entry = self.step(comprehension, scope, stack)?;
                Ok(entry.map(|(element, _)| element))
            }
            Iter::Map { function, inputs } => {
                let mut arguments = Vec::with_capacity(inputs.len());
                for input in inputs.iter() {
                    match self.next(input)? {
                        Some(item) => arguments.push(item),
                        None => return Ok(None),
                    }
                }
                ended(self.call(function, arguments).map(Some))
            }
            Iter::Filter { function, input } => loop {
                let Some(item) = self.next(input)? else { return Ok(None) };
                let kept = match &*function {
                    Object::None => item.truth(),
                    function => match ended(self.call(function, vec![item.clone()]).map(Some))? {
                        Some(result) => result.truth(),
                        None => return Ok(None),
                    },
                };
                if kept {
                    return Ok(Some(item));
                }
            },
            Iter::Zip { inputs, strict } => self.zip(inputs, *strict),
            Iter::Enumerate { input, count } => {
                let Some(item) = self.next(input)? else { return Ok(None) };
                let pair = Object::tuple(vec![Object::Int(count.clone()), item]);
                *count += 1;
                Ok(Some(pair))
            }
        }
    }

    fn zip(&self, inputs: &[Object], strict: bool) -> Eval<Option<Object>> {
        let mut items = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            match self.next(input)? {
                Some(item) => items.push(item),
                None if strict && index > 0 => return Err(EvalError::value_error("zip() arguments differ in length")),
                None if strict => {
                    for other in &inputs[1..] {
                        if self.next(other)?.is_some() {
                            return Err(EvalError::value_error("zip() arguments differ in length"));
                        }
                    }
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
        Ok(if inputs.is_empty() {
            None
        } else {
            Some(Object::tuple(items))
        })
    }

    /// Returns all items.
    pub(super) fn collect(&self, object: &Object) -> Eval<Vec<Object>> {
        let iterator = self.iterate(object)?;
        let mut items = Vec::new();
        while let Some(item) = self.next(&iterator)? {
            items.push(item);
        }
        Ok(items)
    }

    /// Returns the items as the members of a set.
    pub(super) fn table_of(&self, object: &Object) -> Eval<Table> {
        let mut table = Table::default();
        for item in self.collect(object)? {
            table.insert(item, Object::None)?;
        }
        Ok(table)
    }

    /// Evaluates a comprehension. The first iterable belongs to the scope around it.
    pub(super) fn comprehension(&self, comprehension: &Arc<Comprehension>, outer: Option<&Rc<Scope>>) -> Eval {
        let first = &comprehension.clauses[0].iterable;
        let iterable = self.eval(first, outer)?;
        let first = self.iterate(&iterable).map_err(|stop| stop.at(&first.span))?;
        let names = comprehension
            .locals
            .iter()
            .map(|name| (Arc::clone(name), None))
            .collect();
        let scope = Rc::new(Scope {
            names: RefCell::new(names),
            parent: outer.cloned(),
        });
        let mut stack = vec![first];
        match comprehension.makes {
            Makes::Generator => Ok(Iter::Generator {
                comprehension: Arc::clone(comprehension),
                scope,
                stack,
            }
            .object()),
            Makes::List => {
                let mut items = Vec::new();
                while let Some((item, _)) = self.step(comprehension, &scope, &mut stack)? {
                    items.push(item);
                }
                Ok(Object::list(items))
            }
            Makes::Set | Makes::Dict => {
                let mut table = Table::default();
                while let Some((key, value)) = self.step(comprehension, &scope, &mut stack)? {
                    table.insert(key, value)?;
                }
                let table = Rc::new(table);
                Ok(if comprehension.makes == Makes::Set {
                    Object::Set(table)
                } else {
                    Object::Dict(table)
                })
            }
        }
    }

    /// Goes to the next element. The stack has the iterators of the clauses that were entered.
    fn step(
        &self,
        comprehension: &Comprehension,
        scope: &Rc<Scope>,
        stack: &mut Vec<Object>,
    ) -> Eval<Option<(Object, Object)>> {
        while let Some(iterator) = stack.last() {
            let Some(item) = self.next(iterator)? else {
                stack.pop();
                continue;
            };
            let clause = &comprehension.clauses[stack.len() - 1];
            self.bind(&clause.target, item, scope)?;
            let mut holds = true;
            for condition in &clause.conditions {
                holds = self.eval(condition, Some(scope))?.truth();
                if !holds {
                    break;
                }
            }
            if !holds {
                continue;
            }
            if let Some(clause) = comprehension.clauses.get(stack.len()) {
                let iterable = self.eval(&clause.iterable, Some(scope))?;
                let inner = self.iterate(&iterable).map_err(|stop| stop.at(&clause.iterable.span))?;
                stack.push(inner);
                continue;
            }
            let element = self.eval(&comprehension.element, Some(scope))?;
            let value = match &comprehension.value {
                Some(value) => self.eval(value, Some(scope))?,
                None => Object::None,
            };
            return Ok(Some((element, value)));
        }
        Ok(None)
    }

    fn bind(&self, target: &Target, item: Object, scope: &Rc<Scope>) -> Eval<()> {
        let targets = match target {
            Target::Name(name) => {
                scope.bind(name, item);
                return Ok(());
            }
            Target::Starred(target) => return self.bind(target, item, scope),
            Target::Unpack(targets) => targets,
        };
        let kind = item.type_name();
        let items = self.collect(&item).map_err(|stop| match stop {
            EvalError::Raise { kind: "TypeError", .. } => {
                EvalError::type_error(format!("cannot unpack non-iterable {kind} object"))
            }
            stop => stop,
        })?;
        let star = targets.iter().position(|target| matches!(target, Target::Starred(_)));
        let (least, found) = (targets.len() - usize::from(star.is_some()), items.len());
        if found < least {
            return Err(EvalError::value_error(format!(
                "not enough values to unpack (expected {least}, got {found})"
            )));
        }
        if star.is_none() && found > least {
            return Err(EvalError::value_error(format!(
                "too many values to unpack (expected {least})"
            )));
        }
        let mut items = items.into_iter();
        for target in targets {
            let item = match target {
                Target::Starred(_) => Object::list(items.by_ref().take(found - least).collect()),
                _ => items.next().unwrap_or(Object::None),
            };
            self.bind(target, item, scope)?;
        }
        Ok(())
    }
}

/// Ends an iterator if a function inside it raised `StopIteration`.
fn ended(result: Eval<Option<Object>>) -> Eval<Option<Object>> {
    match result {
        Err(EvalError::Raise {
            kind: "StopIteration", ..
        }) => Ok(None),
        result => result,
    }
}
