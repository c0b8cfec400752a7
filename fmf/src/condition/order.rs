//! Evaluates `sum()`, `min()`, `max()` and `sorted()`.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::ast::Binary;
use super::call::Arguments;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::Object;

impl Evaluator<'_> {
    pub(super) fn sum(&self, mut arguments: Arguments) -> Eval {
        let start = arguments.take("start");
        let items = arguments.fixed("sum", 1, 2)?;
        let mut total = start
            .or_else(|| items.get(1).cloned())
            .unwrap_or_else(|| Object::int(0));
        if matches!(total, Object::Str(_) | Object::Bytes(_)) {
            return Err(EvalError::type_error(
                "sum() can't sum strings [use ''.join(seq) instead]",
            ));
        }
        let iterator = self.iterate(&items[0])?;
        while let Some(item) = self.next(&iterator)? {
            total = self.binary(Binary::Add, &total, &item)?;
        }
        Ok(total)
    }

    /// Calls the function given as `key=`.
    fn key(&self, key: Option<&Object>, item: &Object) -> Eval {
        match key {
            None | Some(Object::None) => Ok(item.clone()),
            Some(key) => self.call(key, vec![item.clone()]),
        }
    }

    pub(super) fn extreme(&self, name: &'static str, mut arguments: Arguments) -> Eval {
        let (key, default) = (arguments.take("key"), arguments.take("default"));
        let items = arguments.fixed(name, 1, usize::MAX)?;
        let iterator = if items.len() == 1 {
            self.iterate(&items[0])?
        } else if default.is_some() {
            return Err(EvalError::type_error(format!(
                "Cannot specify a default for {name}() with multiple positional arguments"
            )));
        } else {
            self.iterate(&Object::list(items))?
        };
        let symbol = if name == "min" { "<" } else { ">" };
        let wanted = if name == "min" {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        let mut best: Option<(Object, Object)> = None;
        while let Some(item) = self.next(&iterator)? {
            let rank = self.key(key.as_ref(), &item)?;
            let better = match &best {
                None => true,
                Some((_, known)) => self.sortable(&rank, known, symbol)? == Some(wanted),
            };
            if better {
                best = Some((item, rank));
            }
        }
        let empty = || EvalError::value_error(format!("{name}() arg is an empty sequence"));
        best.map(|(item, _)| item).or(default).ok_or_else(empty)
    }

    fn sortable(&self, left: &Object, right: &Object, symbol: &str) -> Eval<Option<Ordering>> {
        if matches!(left, Object::Set(_) | Object::FrozenSet(_)) {
            return Err(EvalError::unsupported("an order of sets"));
        }
        self.order(left, right, symbol)
    }

    pub(super) fn sorted(&self, mut arguments: Arguments) -> Eval {
        let (key, reverse) = (arguments.take("key"), arguments.take("reverse"));
        let items = arguments.fixed("sorted", 1, 1)?;
        let mut ranked = Vec::new();
        for item in self.collect(&items[0])? {
            ranked.push((self.key(key.as_ref(), &item)?, item));
        }
        let reverse = match &reverse {
            None => false,
            Some(reverse) => match reverse.as_int() {
                Some(int) => int != BigInt::ZERO,
                None => return Err(EvalError::type_error("'reverse' must be an integer")),
            },
        };
        // The items are reversed twice, so that equal items keep their order.
        if reverse {
            ranked.reverse();
        }
        let mut sorted = self.merge_sort(ranked)?;
        if reverse {
            sorted.reverse();
        }
        Ok(Object::list(sorted.into_iter().map(|(_, item)| item).collect()))
    }

    /// Sorts stably with comparisons that can fail.
    fn merge_sort(&self, mut items: Vec<(Object, Object)>) -> Eval<Vec<(Object, Object)>> {
        if items.len() < 2 {
            return Ok(items);
        }
        let right = items.split_off(items.len() / 2);
        let mut left = self.merge_sort(items)?.into_iter().peekable();
        let mut right = self.merge_sort(right)?.into_iter().peekable();
        let mut merged = Vec::new();
        while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
            let Some(order) = self.sortable(b, a, "<")? else {
                return Err(EvalError::unsupported("sorting with a NaN"));
            };
            merged.extend(if order == Ordering::Less {
                right.next()
            } else {
                left.next()
            });
        }
        merged.extend(left);
        merged.extend(right);
        Ok(merged)
    }
}
