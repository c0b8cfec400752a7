//! Adjusting: the rules under a node's `adjust` key, applied to its own data where the context matches.
//!
//! Each node has inherited its parents' rules as data and applies them all itself; a rule that cannot be decided is
//! skipped. Rules are decided once per text.

use std::collections::HashMap;
use std::sync::Arc;

use super::heap::{Heap, has_dictionary};
use super::inherit::{knot_error, merge_error, rewrite_shared};
use super::merge::{Merger, bare_key};
use super::origin::{History, spot_at};
use super::{Aliases, Shape, Tree};
use crate::fmf::Error;
use crate::fmf::context::Context;
use crate::fmf::value::{Entry, Map, Mark, Value};

/// The key of the rules.
const ADJUST: &str = "adjust";

/// Keys of a rule that are not data.
const CONTROL: [&str; 3] = ["because", "continue", "when"];

struct Adjuster<'c> {
    shape: Arc<Shape>,
    aliases: Arc<Vec<Aliases>>,
    context: &'c Context,
    heap: Heap,
    history: History,
    decisions: HashMap<Arc<str>, Option<bool>>,
    /// Numbers of the rules that were applied, by their place and condition.
    numbers: HashMap<(u64, Option<Arc<str>>), u32>,
}

impl Tree {
    /// Returns the tree adjusted to a context, as fmf's `Tree.adjust()` does with `undecided='skip'`.
    pub fn adjusted(&self, context: &Context) -> Result<Self, Error> {
        self.clone().into_adjusted(context)
    }

    /// Adjusts the tree to a context as [`Tree::adjusted`] does; data that nothing else needs are let go.
    pub fn into_adjusted(mut self, context: &Context) -> Result<Self, Error> {
        let mut adjuster = Adjuster {
            shape: Arc::clone(&self.shape),
            aliases: Arc::clone(&self.aliases),
            context,
            heap: Heap::default(),
            history: Arc::unwrap_or_clone(self.history),
            decisions: HashMap::new(),
            numbers: HashMap::new(),
        };
        for (number, data) in self.data.iter_mut().enumerate() {
            if let Some(rules) = data.get(ADJUST) {
                *data = adjuster.node(number, data, rules)?;
            }
        }
        rewrite_shared(&adjuster.heap, &self.shape, &self.aliases, &mut self.data)?;
        Ok(Self {
            history: Arc::new(adjuster.history),
            ..self
        })
    }
}

impl Adjuster<'_> {
    /// Applies the rules of one node.
    fn node(&mut self, number: usize, before: &Arc<Map>, rules: &Value) -> Result<Arc<Map>, Error> {
        let place = before.entry(ADJUST).map(|entry| entry.mark);
        let rules = match rules {
            Value::Map(_) => std::slice::from_ref(rules),
            Value::List(rules) => rules,
            other => {
                let problem = format!(
                    "`adjust` must be a mapping or a list of mappings, not `{}`",
                    other.type_name()
                );
                return Err(self.format_error(number, problem, place));
            }
        };
        let mut tracked = self.aliases[number].repeated;
        let mut data: Option<Map> = None;
        for rule in rules {
            let Value::Map(rule) = rule else {
                let problem = format!("an adjust rule must be a mapping, not `{}`", rule.type_name());
                return Err(self.format_error(number, problem, place));
            };
            // An earlier rule may have changed this one.
            let rule = self.heap.current(rule);
            let place = rule.entries().first().map_or(Mark::default(), |entry| entry.mark);
            let proceed = match rule.get("continue") {
                None => true,
                Some(Value::Bool(proceed)) => *proceed,
                Some(other) => {
                    let problem = format!(
                        "`continue` of an adjust rule must be a boolean, not `{}`",
                        other.type_name()
                    );
                    return Err(self.format_error(number, problem, Some(place)));
                }
            };
            if self.decide(number, rule.get("when"), place)? == Some(true) {
                let data = data.get_or_insert_with(|| Map::clone(before));
                tracked = self.apply(number, &rule, place, data, tracked)?;
                if !proceed {
                    break;
                }
            }
        }
        let Some(mut data) = data else {
            return Ok(Arc::clone(before));
        };
        data.shrink();
        self.heap
            .settle(Arc::new(data))
            .map_err(|knot| knot_error(&self.shape.nodes[number].name, knot))
    }

    /// Merges a rule into a node's data; tells whether dictionaries of the node may have several references now.
    fn apply(&mut self, number: usize, rule: &Map, place: Mark, data: &mut Map, tracked: bool) -> Result<bool, Error> {
        // What the rule puts into the data is also still in the rule.
        let puts_dictionaries = rule
            .iter()
            .any(|(key, value)| has_dictionary(value) || key.as_str().is_some_and(|key| bare_key(key) == ADJUST));
        let entries: Vec<Entry> = rule
            .entries()
            .iter()
            .filter(|entry| !is_control(&entry.key))
            .cloned()
            .collect();
        let rule = Some(self.rule_number(place, rule.get("when")));
        let tracked = tracked || puts_dictionaries;
        let mut merger = Merger {
            heap: &mut self.heap,
            history: &mut self.history,
            rule,
            tracked,
        };
        let merged = merger.merge(data, &entries);
        let tracked = merger.tracked;
        merged.map_err(|conflict| merge_error(&self.shape, &self.shape.nodes[number].name, conflict))?;
        Ok(tracked)
    }

    /// Decides a rule's condition, once per text.
    fn decide(&mut self, number: usize, when: Option<&Value>, place: Mark) -> Result<Option<bool>, Error> {
        let Some(when) = when else { return Ok(Some(true)) };
        if let Value::Str(text) = when
            && let Some(&decided) = self.decisions.get(text)
        {
            return Ok(decided);
        }
        let decided = self
            .context
            .matches(when)
            .map_err(|error| self.format_error(number, error.to_string(), Some(place)))?;
        if let Value::Str(text) = when {
            self.decisions.insert(Arc::clone(text), decided);
        }
        Ok(decided)
    }

    fn rule_number(&mut self, place: Mark, when: Option<&Value>) -> u32 {
        let when = when.map(|when| match when {
            Value::Str(text) => Arc::clone(text),
            other => Arc::from(other.to_python_str()),
        });
        let history = &mut self.history;
        *self
            .numbers
            .entry((place.0, when.clone()))
            .or_insert_with(|| history.add_rule(when, place))
    }

    fn format_error(&self, number: usize, problem: String, mark: Option<Mark>) -> Error {
        let shape = &self.shape;
        let place = mark.and_then(|mark| self.history.place_of(mark).as_place());
        let spot = place.map(|place| Box::new(spot_at(&shape.root, &shape.files, place)));
        Error::Format {
            node: shape.nodes[number].name.to_string(),
            problem,
            spot,
        }
    }
}

fn is_control(key: &Value) -> bool {
    key.as_str().is_some_and(|key| CONTROL.contains(&key))
}
