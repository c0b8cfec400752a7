//! Shards of a suite (`--shard m/n`): which tests belong to this part, if several invocations divide the tests of a tree.
//!
//! The parts are a pure function of the tests' names and `duration`s, which are the same wherever the tree is. So whoever
//! computes them, they are disjoint, and together they contain all tests. (Measured durations differ from host to host and must
//! not be used here.) A test goes to a part by the hash of its name, as long as that part has room: this is consistent hashing
//! with bounded loads, by Mirrokni, Thorup and Zadimoghaddam. So adding or removing a test moves few other tests.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::compile::spec::{TestSpec, Workload};

/// How much more than its share a part may hold, as a divisor: a twentieth.
const SLACK: u32 = 20;

/// A part of a suite: `m/n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl FromStr for Shard {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (index, count) = text.split_once('/').ok_or(())?;
        let (index, count) = (
            index.parse::<u32>().map_err(|_| ())?,
            count.parse::<u32>().map_err(|_| ())?,
        );
        if index == 0 || index > count || count > 10_000 {
            return Err(());
        }
        Ok(Self {
            index: index - 1,
            count,
        })
    }
}

impl Shard {
    /// Leaves in the workload only the tests of this part.
    pub fn narrow(self, work: &mut Workload) {
        let mut weights: BTreeMap<&str, Duration> = BTreeMap::new();
        for &test in work.plans.iter().flat_map(|plan| &plan.tests) {
            let test = work.test(test);
            *weights.entry(unit(work, test)).or_default() += test.duration;
        }
        let parts = parts(&weights, self.count);
        let mine = |name: &str| parts.get(name) == Some(&self.index);
        let kept: Vec<bool> = work.tests.iter().map(|test| mine(unit(work, test))).collect();
        for plan in &mut work.plans {
            plan.tests.retain(|test| kept[test.0 as usize]);
        }
    }
}

/// Returns the name of what goes to one part as a whole: the test, or its plan if the tests of the plan share a tree.
fn unit<'w>(work: &'w Workload, test: &'w TestSpec) -> &'w str {
    let plan = work.plan(test.plan);
    if plan.shared_tree { &plan.name } else { &test.name }
}

/// Returns which part each test belongs to.
///
/// Approach: the longest tests come first. Each one goes to the first part with room for it, in an order of parts that the hash of its name
/// gives. If no part has room, it goes to the part with the least load.
fn parts<'a>(weights: &BTreeMap<&'a str, Duration>, count: u32) -> BTreeMap<&'a str, u32> {
    let total: Duration = weights.values().sum();
    let share = total / count;
    let room = share + share / SLACK;
    let mut loads = vec![Duration::ZERO; count as usize];
    let mut order: Vec<_> = weights.iter().collect();
    order.sort_by_key(|&(name, weight)| (std::cmp::Reverse(*weight), *blake3::hash(name.as_bytes()).as_bytes()));
    let mut parts = BTreeMap::new();
    for (&name, &weight) in order {
        let mut liked: Vec<u32> = (0..count).collect();
        liked.sort_by_cached_key(|part| *blake3::hash(format!("{part} {name}").as_bytes()).as_bytes());
        let fits = |part: &&u32| loads[**part as usize] + weight <= room;
        let emptiest = || liked.iter().min_by_key(|part| loads[**part as usize]);
        let part = liked.iter().find(fits).or_else(emptiest).copied().unwrap_or_default();
        loads[part as usize] += weight;
        parts.insert(name, part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(names: &[String], weight: impl Fn(usize) -> u64) -> BTreeMap<&str, Duration> {
        let pairs = names.iter().enumerate();
        pairs
            .map(|(at, name)| (name.as_str(), Duration::from_secs(weight(at))))
            .collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("/suite/test-{number}")).collect()
    }

    #[test]
    fn parts_are_balanced_by_time_also_where_times_differ_much() {
        let names = names(2000);
        let weights = weights(&names, |at| {
            if at % 50 == 0 {
                3600
            } else {
                1 + (at as u64 * 7919) % 300
            }
        });
        let parts = parts(&weights, 8);
        let mut loads = [0; 8];
        for (name, part) in &parts {
            loads[*part as usize] += weights[name].as_secs();
        }
        let share = weights.values().sum::<Duration>().as_secs() / 8;
        assert!(
            loads.iter().all(|load| *load <= share * 106 / 100),
            "{loads:?}, share {share}"
        );
    }

    #[test]
    fn as_many_parts_as_tests_hold_one_each() {
        let names = names(5);
        let mut found: Vec<u32> = parts(&weights(&names, |_| 300), 5).into_values().collect();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_test_that_comes_moves_few_others() {
        let names = names(1001);
        let before = parts(&weights(&names[..1000], |_| 300), 8);
        let after = parts(&weights(&names, |_| 300), 8);
        let moved = before.iter().filter(|(name, part)| after[*name] != **part).count();
        assert!(moved < 100, "{moved} of 1000");
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "0/3", "4/3", "a/b", "1/0", "-1/2", "1/2/3"] {
            assert_eq!(text.parse::<Shard>(), Err(()), "{text}");
        }
        assert_eq!("3/3".parse(), Ok(Shard { index: 2, count: 3 }));
    }
}
