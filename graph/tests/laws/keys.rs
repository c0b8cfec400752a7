//! Keys against the model: equal exactly where everything they stand for is equal.

use std::collections::{HashMap, HashSet};

use atex_graph::{Entry, Graph, NodeId, diff, transcript};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use crate::model::{edits, worlds};

fn contents(entries: &[Entry]) -> Vec<(String, String)> {
    entries
        .iter()
        .map(|entry| (entry.path.clone(), entry.value.clone()))
        .collect()
}

fn entries(graph: &Graph, id: NodeId) -> Vec<Entry> {
    transcript(graph.node(id))
}

proptest! {
    #[test]
    fn keys_are_equal_exactly_where_all_they_stand_for_is(world in worlds(12), edit in edits()) {
        let mut changed = world.clone();
        changed.edit(&edit);
        let mut by_identity = HashMap::new();
        let mut by_key = HashMap::new();
        for world in [&world, &changed] {
            let (graph, ids) = world.build();
            for (position, id) in ids.into_iter().enumerate() {
                let (identity, key) = (world.identity(position), graph.node(id).key());
                prop_assert_eq!(*by_identity.entry(identity.clone()).or_insert(key), key);
                prop_assert_eq!(&*by_key.entry(key).or_insert_with(|| identity.clone()), &identity);
            }
        }
    }

    #[test]
    fn a_change_gives_new_keys_to_its_dependents_only(world in worlds(12), edit in edits()) {
        let mut changed = world.clone();
        let position = changed.edit(&edit);
        let ((old, old_ids), (new, new_ids)) = (world.build(), changed.build());
        let same = world.identity(position) == changed.identity(position);
        let dependents = world.dependents(position);
        for (at, (&old_id, &new_id)) in old_ids.iter().zip(&new_ids).enumerate() {
            let expected = !same && dependents.contains(&at);
            prop_assert_eq!(old.node(old_id).key() != new.node(new_id).key(), expected, "node {}", at);
        }
    }

    #[test]
    fn transcripts_differ_exactly_where_keys_do(world in worlds(12), edit in edits()) {
        let mut changed = world.clone();
        changed.edit(&edit);
        let (old, new) = (world.build(), changed.build());
        let all: Vec<_> = [&old, &new].into_iter().flat_map(|(graph, ids)| ids.iter().map(move |&id| (graph, id))).collect();
        for &(graph, id) in &all {
            for &(other_graph, other) in &all {
                let (one, two) = (entries(graph, id), entries(other_graph, other));
                let same_key = graph.node(id).key() == other_graph.node(other).key();
                prop_assert_eq!(contents(&one) == contents(&two), same_key);
                prop_assert_eq!(diff(&one, &two).is_empty(), same_key);
            }
        }
    }

    #[test]
    fn equal_nodes_are_one_node_with_all_their_names(world in worlds(12)) {
        let (graph, ids) = world.build();
        let (mut names, mut keys) = (HashSet::new(), HashSet::new());
        for (one, &id) in ids.iter().enumerate() {
            for (two, &other) in ids.iter().enumerate() {
                prop_assert_eq!(id == other, world.identity(one) == world.identity(two));
            }
        }
        for (_, node) in graph.nodes() {
            prop_assert!(keys.insert(node.key()), "no two nodes have one key");
            for name in node.names() {
                prop_assert!(names.insert(name.clone()), "no two nodes have one name");
            }
        }
        prop_assert_eq!(names.len(), world.0.len());
    }

    #[test]
    fn every_node_comes_after_all_it_waits_for(world in worlds(20)) {
        let (graph, _) = world.build();
        let place: HashMap<_, _> = graph.topological().iter().enumerate().map(|(place, &id)| (id, place)).collect();
        prop_assert_eq!(place.len(), graph.len());
        for id in graph.ids() {
            for earlier in graph.deps(id).chain(graph.after(id).iter().copied()) {
                prop_assert!(place[&earlier] < place[&id]);
            }
        }
    }
}
