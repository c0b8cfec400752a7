//! Inheritance: merges a node's own data into a copy of its parent's data, from the root down.
//!
//! Nodes are renumbered in the order in which fmf visits them, so one pass over the numbers does the same as fmf's recursion.

use std::path::Path;
use std::sync::Arc;

use super::grow::Growth;
use super::heap::{self, Heap, Knot};
use super::merge::{Conflict, Merger};
use super::origin::{History, marked_line_at};
use super::walk::Walk;
use super::{Aliases, Body, Grown, MetadataFile, Record, Shape, Sprout, Tree};
use crate::Error;
use crate::value::Map;

/// Makes the tree from the nodes that grew.
pub(super) fn inherit(walk: Walk, growth: Growth) -> Result<Tree, Error> {
    let Growth {
        sprouts,
        files,
        mut heap,
    } = growth;
    let mut history = History::default();
    let mut nodes = renumber(sprouts);
    let mut shape = Shape {
        root: walk.root,
        files,
        nodes: Vec::with_capacity(nodes.len()),
        order: Vec::new(),
    };
    let mut data: Vec<Arc<Map>> = Vec::with_capacity(nodes.len());
    let mut aliases: Vec<Aliases> = Vec::with_capacity(nodes.len());
    for sprout in &mut nodes {
        let own = std::mem::take(&mut sprout.data);
        let own_identities = heap::has_identity(&own);
        let parent = sprout.parent.map(|parent| parent as usize);
        let inherits = sprout.directives.inherit != Some(false);
        let above = parent
            .filter(|_| inherits)
            .map(|parent| (&data[parent], aliases[parent]));
        let (merged, tracked) = merge_own(above, &own, &mut heap, &mut history)
            .map_err(|obstacle| obstacle.error(&shape, &history, &sprout.name))?;
        aliases.push(Aliases {
            identities: own_identities,
            repeated: tracked,
        });
        data.push(merged);
        let record = record(sprout, parent.map(|parent| &shape.nodes[parent]), inherits);
        shape.nodes.push(record);
    }
    rewrite_shared(&heap, &shape, &aliases, &mut data)?;
    shape.order = climb_order(&shape.nodes);
    Ok(Tree(Body::Grown(Grown {
        shape: Arc::new(shape),
        data,
        aliases: Arc::new(aliases),
        history: Arc::new(history),
    })))
}

/// The reason why a node's data cannot be merged into its parent's data.
#[derive(Debug)]
pub(super) enum Obstacle {
    Conflict(Conflict),
    Knot(Knot),
}

impl Obstacle {
    fn error(self, shape: &Shape, history: &History, node: &str) -> Error {
        match self {
            Self::Conflict(conflict) => merge_error((&shape.root, &shape.files), history, node, (conflict, None)),
            Self::Knot(knot) => knot_error(node, knot),
        }
    }
}

/// Merges a node's own data into a copy of what it inherits. Returns also whether the node may have several references to one
/// dictionary.
pub(super) fn merge_own(
    above: Option<(&Arc<Map>, Aliases)>,
    own: &Map,
    heap: &mut Heap,
    history: &mut History,
) -> Result<(Arc<Map>, bool), Obstacle> {
    let (mut merged, tracked) = match above {
        None => (Map::with_capacity(own.len()), false),
        Some((data, aliases)) if aliases.identities => {
            let (copy, repeated) = heap.copy(data).map_err(Obstacle::Knot)?;
            (Arc::unwrap_or_clone(copy), repeated || aliases.repeated)
        }
        Some((data, aliases)) => (data.clone_with_room(own.len()), aliases.repeated),
    };
    let mut merger = Merger {
        heap,
        history,
        rule: None,
        tracked,
    };
    merger.merge(&mut merged, own.entries()).map_err(Obstacle::Conflict)?;
    let tracked = merger.tracked;
    merged.shrink();
    let merged = heap.settle(Arc::new(merged)).map_err(Obstacle::Knot)?;
    Ok((merged, tracked))
}

/// Gives nodes with shared dictionaries the content that these have at the end.
pub(super) fn rewrite_shared(
    heap: &Heap,
    shape: &Shape,
    aliases: &[Aliases],
    data: &mut [Arc<Map>],
) -> Result<(), Error> {
    if heap.is_empty() {
        return Ok(());
    }
    for (number, data) in data.iter_mut().enumerate() {
        if aliases[number].identities {
            *data = heap
                .rewrite(data)
                .map_err(|knot| knot_error(&shape.nodes[number].name, knot))?;
        }
    }
    Ok(())
}

pub(super) fn knot_error(node: &str, knot: Knot) -> Error {
    Error::Format {
        node: node.to_owned(),
        problem: knot.to_string(),
        marked: None,
    }
}

/// Makes the error for a conflict. It contains the adjust rule of this number, from which the conflict came.
pub(super) fn merge_error(
    (root, files): (&Path, &[MetadataFile]),
    history: &History,
    node: &str,
    (conflict, rule): (Conflict, Option<u32>),
) -> Error {
    let marked = conflict
        .mark
        .as_place()
        .map(|place| Box::new(marked_line_at(root, files, place)));
    Error::Merge {
        node: node.to_owned(),
        key: conflict.key,
        problem: conflict.problem,
        marked,
        rule: rule.and_then(|rule| history.rule(rule, files)).map(Box::new),
        before: history.chain(conflict.before, files),
    }
}

/// Orders the nodes as fmf visits them, which drops the nodes that were removed.
fn renumber(mut sprouts: Vec<Sprout>) -> Vec<Sprout> {
    let mut ordered = Vec::with_capacity(sprouts.len());
    let mut todo = vec![(0_u32, None)];
    while let Some((old, parent)) = todo.pop() {
        let new = u32::try_from(ordered.len()).unwrap_or(u32::MAX);
        let mut sprout = std::mem::replace(&mut sprouts[old as usize], Sprout::root());
        sprout.parent = parent;
        todo.extend(
            std::mem::take(&mut sprout.children)
                .into_iter()
                .rev()
                .map(|child| (child, Some(new))),
        );
        ordered.push(sprout);
    }
    for child in 1..ordered.len() {
        if let Some(parent) = ordered[child].parent {
            ordered[parent as usize]
                .children
                .push(u32::try_from(child).unwrap_or(u32::MAX));
        }
    }
    ordered
}

fn record(sprout: &Sprout, parent: Option<&Record>, inherits: bool) -> Record {
    let inherited = parent.filter(|_| inherits).map(|parent| &parent.sources);
    let sources = match inherited {
        Some(sources) if sprout.sources.is_empty() => Arc::clone(sources),
        Some(sources) => sources.iter().chain(&sprout.sources).copied().collect(),
        None => sprout.sources.iter().copied().collect(),
    };
    Record {
        name: Arc::clone(&sprout.name),
        sources,
        file: sprout.sources.last().copied().or(parent.and_then(|parent| parent.file)),
        selected: sprout.directives.select.unwrap_or(sprout.children.is_empty()),
        children: sprout.children.clone(),
    }
}

/// Returns the order of `climb(whole=True)`, in which children are sorted by name.
fn climb_order(nodes: &[Record]) -> Vec<u32> {
    let mut order = Vec::with_capacity(nodes.len());
    let mut todo = vec![0_u32];
    while let Some(number) = todo.pop() {
        order.push(number);
        let mut children = nodes[number as usize].children.clone();
        // The names of siblings differ only after the parent's name, so comparing whole names gives the same order.
        children.sort_by(|&a, &b| nodes[b as usize].name.cmp(&nodes[a as usize].name));
        todo.extend(children);
    }
    order
}
