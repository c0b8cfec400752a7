//! Adjusts nodes: applies the rules under a node's `adjust` key to its own data if the context matches.
//!
//! Each node has inherited its parents' rules as data, and applies all of them itself. A rule that cannot be decided is skipped.
//! The condition of a rule is decided once for each text.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::heap::{Heap, has_dictionary};
use super::inherit::{knot_error, merge_error, rewrite_shared};
use super::merge::{Merger, bare_key};
use super::origin::{History, marked_line_at};
use super::{Body, MetadataFile, Tree};
use crate::Error;
use crate::context::Context;
use crate::value::{Entry, Map, Mark, Value};

/// The key of the rules.
const ADJUST: &str = "adjust";

/// The keys of a rule that are not data.
const CONTROL: [&str; 3] = ["because", "continue", "when"];

/// Adjusts one node after the other.
pub(super) struct Adjuster<'c> {
    context: &'c Context,
    /// Rules for all nodes, which come after their own.
    after: &'c [Value],
    heap: Heap,
    decisions: HashMap<Arc<str>, Option<bool>>,
    /// The numbers of the rules that were applied, by their place and condition.
    numbers: HashMap<(u64, Option<Arc<str>>), u32>,
}

/// The node that is being adjusted.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) name: &'s str,
    /// Whether the node may have several references to one dictionary.
    pub(super) repeated: bool,
    /// The root of the tree, for the places in messages.
    pub(super) root: &'s Path,
    pub(super) files: &'s [MetadataFile],
}

impl Tree {
    /// Returns the tree adjusted to a context, as fmf's `Tree.adjust()` does with `undecided='skip'`.
    ///
    /// A tree that was adjusted before it was packed stays as it is.
    pub fn adjusted(&self, context: &Context) -> Result<Self, Error> {
        self.clone().into_adjusted(context)
    }

    /// Adjusts the tree to a context as [`Tree::adjusted`] does. Data that nothing else needs is freed.
    pub fn into_adjusted(self, context: &Context) -> Result<Self, Error> {
        let (tree, failed) = self.into_adjusted_as_far_as_possible(context, &[])?;
        match failed.into_iter().next() {
            None => Ok(tree),
            Some((_, error)) => Err(error),
        }
    }

    /// Adjusts the tree to a context as [`Tree::into_adjusted`] does, but for nodes whose rules cannot be applied: they are
    /// returned by name, each with the error, and keep the data that they had. `rules` come after those that each node has; they
    /// must have no marks of another tree.
    pub fn into_adjusted_as_far_as_possible(
        self,
        context: &Context,
        rules: &[Value],
    ) -> Result<(Self, Vec<(String, Error)>), Error> {
        let Body::Grown(mut grown) = self.0 else {
            return Ok((self, Vec::new()));
        };
        let mut failed = Vec::new();
        let mut adjuster = Adjuster::new(context);
        adjuster.after = rules;
        let mut history = Arc::unwrap_or_clone(grown.history);
        let shape = &grown.shape;
        for (number, data) in grown.data.iter_mut().enumerate() {
            let subject = Subject {
                name: &shape.nodes[number].name,
                repeated: grown.aliases[number].repeated,
                root: &shape.root,
                files: &shape.files,
            };
            match adjuster.node(subject, &mut history, data) {
                Ok(Some(adjusted)) => *data = adjusted,
                Ok(None) => {}
                // Half of a rule may already be in a dictionary that other nodes have, too.
                Err(error) if !adjuster.heap.is_empty() => return Err(error),
                Err(error) => {
                    adjuster.heap = Heap::default();
                    failed.push((subject.name.to_owned(), error));
                }
            }
        }
        rewrite_shared(&adjuster.heap, shape, &grown.aliases, &mut grown.data)?;
        grown.history = Arc::new(history);
        Ok((Self(Body::Grown(grown)), failed))
    }
}

impl<'c> Adjuster<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            after: &[],
            heap: Heap::default(),
            decisions: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    /// Forgets the numbers of the rules that the history has forgotten.
    pub(super) fn forget_rules(&mut self) {
        self.numbers.clear();
    }

    /// Applies the rules of one node, if it has any.
    pub(super) fn node(
        &mut self,
        subject: Subject<'_>,
        history: &mut History,
        before: &Arc<Map>,
    ) -> Result<Option<Arc<Map>>, Error> {
        let entry = before.entry(ADJUST);
        let place = entry.map(|entry| entry.mark);
        let rules = match entry.map(|Entry { value, .. }| value) {
            None if self.after.is_empty() => return Ok(None),
            None => &[],
            Some(rules @ Value::Map(_)) => std::slice::from_ref(rules),
            Some(Value::List(rules)) => rules,
            Some(other) => {
                let problem = format!(
                    "`adjust` must be a mapping or a list of mappings, not `{}`",
                    other.type_name()
                );
                return Err(subject.error(history, problem, place));
            }
        };
        let mut tracked = subject.repeated;
        let mut data: Option<Map> = None;
        for rule in rules.iter().chain(self.after) {
            let Value::Map(rule) = rule else {
                let problem = format!("an adjust rule must be a mapping, not `{}`", rule.type_name());
                return Err(subject.error(history, problem, place));
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
                    return Err(subject.error(history, problem, Some(place)));
                }
            };
            if self.decide(subject, history, rule.get("when"), place)? == Some(true) {
                let data = data.get_or_insert_with(|| Map::clone(before));
                tracked = self.apply(subject, history, (&rule, place), data, tracked)?;
                if !proceed {
                    break;
                }
            }
        }
        let Some(mut data) = data else { return Ok(None) };
        data.shrink();
        let settled = self.heap.settle(Arc::new(data));
        settled.map(Some).map_err(|knot| knot_error(subject.name, knot))
    }

    /// Merges a rule into a node's data. Returns whether the node may now have several references to one dictionary.
    fn apply(
        &mut self,
        subject: Subject<'_>,
        history: &mut History,
        (rule, place): (&Map, Mark),
        data: &mut Map,
        tracked: bool,
    ) -> Result<bool, Error> {
        // What the rule puts into the data stays in the rule as well.
        let puts_dictionaries = rule
            .iter()
            .any(|(key, value)| has_dictionary(value) || key.as_str().is_some_and(|key| bare_key(key) == ADJUST));
        let entries: Vec<Entry> = rule
            .entries()
            .iter()
            .filter(|entry| !is_control(&entry.key))
            .cloned()
            .collect();
        let rule = Some(self.rule_number(history, place, rule.get("when")));
        let tracked = tracked || puts_dictionaries;
        let mut merger = Merger {
            heap: &mut self.heap,
            history,
            rule,
            tracked,
        };
        let merged = merger.merge(data, &entries);
        let tracked = merger.tracked;
        merged
            .map_err(|conflict| merge_error((subject.root, subject.files), history, subject.name, (conflict, rule)))?;
        Ok(tracked)
    }

    /// Decides the condition of a rule, once for each text.
    fn decide(
        &mut self,
        subject: Subject<'_>,
        history: &History,
        when: Option<&Value>,
        place: Mark,
    ) -> Result<Option<bool>, Error> {
        let Some(when) = when else { return Ok(Some(true)) };
        if let Value::Str(text) = when
            && let Some(&decided) = self.decisions.get(text)
        {
            return Ok(decided);
        }
        let decided = self
            .context
            .matches(when)
            .map_err(|error| subject.error(history, error.to_string(), Some(place)))?;
        if let Value::Str(text) = when {
            self.decisions.insert(Arc::clone(text), decided);
        }
        Ok(decided)
    }

    fn rule_number(&mut self, history: &mut History, place: Mark, when: Option<&Value>) -> u32 {
        let when = when.map(|when| match when {
            Value::Str(text) => Arc::clone(text),
            other => Arc::from(other.to_python_str()),
        });
        *self
            .numbers
            .entry((place.0, when.clone()))
            .or_insert_with(|| history.add_rule(when, place))
    }
}

impl Subject<'_> {
    fn error(&self, history: &History, problem: String, mark: Option<Mark>) -> Error {
        let place = mark.and_then(|mark| history.place_of(mark).as_place());
        let marked = place.map(|place| Box::new(marked_line_at(self.root, self.files, place)));
        Error::Format {
            node: self.name.to_owned(),
            problem,
            marked,
        }
    }
}

fn is_control(key: &Value) -> bool {
    key.as_str().is_some_and(|key| CONTROL.contains(&key))
}
