//! Refuses patterns whose meaning in Python depends on an iteration that matches nothing.
//!
//! Python's loops end with one empty iteration if the body allows it, and then its groups are empty; the engine's loops do not do
//! that. Only what can be observed matters: a group that is referred to, or a possessive loop.

use super::ast::{Mode, Node, Width};

/// What is found while walking a pattern.
pub(super) struct Loops<'w> {
    widths: &'w [Option<Width>],
    /// Groups inside a loop whose body can be empty, so that their content differs.
    pub(super) unsettled: Vec<usize>,
    /// Groups that the pattern itself refers to.
    observed: Vec<usize>,
    possessive: bool,
}

impl<'w> Loops<'w> {
    pub(super) fn of(root: &Node, widths: &'w [Option<Width>]) -> Self {
        let mut loops = Self {
            widths,
            unsettled: Vec::new(),
            observed: Vec::new(),
            possessive: false,
        };
        loops.walk(root, false);
        loops
    }

    /// Returns the construct that cannot be supported, if there is one.
    pub(super) fn refused(&self) -> Option<&'static str> {
        if self.possessive {
            return Some("a possessive repetition of what can be empty");
        }
        let observed = self.observed.iter().any(|group| self.unsettled.contains(group));
        observed.then_some("a reference to a group in a repetition of what can be empty")
    }

    fn walk(&mut self, node: &Node, in_loop: bool) {
        match node {
            Node::Repeat { max, mode, body, .. } => {
                let (low, high) = body.width(self.widths);
                let empty_loop = low == 0 && *max != Some(1) && *max != Some(0);
                self.possessive |= empty_loop && *mode == Mode::Possessive && high > 0;
                self.walk(body, in_loop || empty_loop);
            }
            Node::Capture { index, body } => {
                if in_loop {
                    self.unsettled.push(*index);
                }
                self.walk(body, in_loop);
            }
            Node::Flagged { body, .. } | Node::Atomic(body) | Node::Look { body, .. } => self.walk(body, in_loop),
            Node::Conditional { group, yes, no } => {
                self.observed.push(*group);
                self.walk(yes, in_loop);
                if let Some(no) = no {
                    self.walk(no, in_loop);
                }
            }
            Node::Reference(group) => self.observed.push(*group),
            Node::Sequence(items) | Node::Branches(items) => items.iter().for_each(|item| self.walk(item, in_loop)),
            Node::Literal(_) | Node::Any | Node::Set { .. } | Node::At(_) => {}
        }
    }
}
