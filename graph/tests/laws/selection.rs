//! What runs against the model, over random graphs and random changes: no false hit, no needless run.

use std::collections::{BTreeSet, HashSet};

use atex_graph::{Graph, Kind, Need, NodeId, Selection};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::model::{World, edits, worlds};

/// What must run, by search until nothing changes: identities of nodes.
fn must_run(world: &World, targets: &BTreeSet<usize>, recorded: &HashSet<String>) -> BTreeSet<String> {
    let mut running: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = running.len();
        for (position, spec) in world.0.iter().enumerate() {
            let identity = world.identity(position);
            // What is asked of one is asked of all that are equal to it.
            let equal: Vec<_> = (0..world.0.len())
                .filter(|&other| world.identity(other) == identity)
                .collect();
            let targeted = equal.iter().any(|position| targets.contains(position));
            let runs = if spec.kind == Kind::Finish {
                let earlier = equal.iter().flat_map(|&position| &world.0[position].after);
                targeted
                    && earlier
                        .into_iter()
                        .any(|&earlier| running.contains(&world.identity(earlier)))
            } else {
                let wanted = (0..world.0.len()).any(|later| {
                    running.contains(&world.identity(later))
                        && world.0[later].deps.iter().any(|&dep| world.identity(dep) == identity)
                });
                (targeted || wanted) && !recorded.contains(&identity)
            };
            if runs {
                running.insert(identity);
            }
        }
        if running.len() == before {
            return running;
        }
    }
}

fn running(selection: &Selection, graph: &Graph, world: &World, ids: &[NodeId]) -> BTreeSet<String> {
    let position = |id: NodeId| {
        ids.iter()
            .position(|&other| other == id)
            .expect("every node has a position")
    };
    let runs = graph.ids().filter(|&id| selection.runs(id));
    runs.map(|id| world.identity(position(id))).collect()
}

proptest! {
    #[test]
    fn over_all_changes_exactly_what_must_run_does(
        mut world in worlds(12),
        steps in vec((vec(edits(), 0..3), vec(any::<bool>(), 12), vec(any::<bool>(), 12)), 1..6),
    ) {
        let (mut recorded, mut records) = (HashSet::new(), HashSet::new());
        for (changes, targeted, passes) in steps {
            for edit in &changes {
                world.edit(edit);
            }
            let (graph, ids) = world.build();
            let targets: BTreeSet<usize> = (0..ids.len()).filter(|&position| targeted[position]).collect();
            let expected = must_run(&world, &targets, &recorded);

            let target_ids: Vec<_> = targets.iter().map(|&position| ids[position]).collect();
            let selection = Selection::of(&graph, &target_ids, |id| records.contains(&graph.node(id).key()));
            prop_assert_eq!(running(&selection, &graph, &world, &ids), expected.clone());

            for (position, &id) in ids.iter().enumerate() {
                let identity = world.identity(position);
                if expected.contains(&identity) && passes[position] && world.0[position].kind != Kind::Finish {
                    records.insert(graph.node(id).key());
                    recorded.insert(identity);
                }
            }
        }
    }

    #[test]
    fn records_are_looked_up_once_and_only_for_what_is_needed(world in worlds(12), reusable in vec(any::<bool>(), 12)) {
        let (graph, ids) = world.build();
        let mut asked = Vec::new();
        let selection = Selection::of(&graph, &ids, |id| {
            asked.push(id);
            reusable[id.index()]
        });
        let once: HashSet<_> = asked.iter().copied().collect();
        prop_assert_eq!(asked.len(), once.len());
        for id in graph.ids() {
            let finish = graph.node(id).kind() == Kind::Finish;
            prop_assert_eq!(once.contains(&id), !finish && selection.need(id) != Need::Unneeded);
            prop_assert!(!finish || selection.need(id) != Need::Reuse);
        }
    }

    #[test]
    fn nothing_runs_where_all_targets_are_recorded(world in worlds(12)) {
        let (graph, ids) = world.build();
        let selection = Selection::of(&graph, &ids, |_| true);
        prop_assert!(!graph.ids().any(|id| selection.runs(id)));
    }
}
