//! The audit of `--audit`: some recorded tests run again, to see whether they still pass.
//!
//! A test that fails now and has passed under the same key is flaky by definition. The cache remembers that the verdicts under
//! this key differ, and from then on no pass under it is recorded. Only other inputs, and so another key, end that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use atex_cache::{CacheError, RecordOutput, Store};
use atex_graph::{ActionKey, NodeId};
use serde::{Deserialize, Serialize};

use crate::compile::spec::Workload;
use crate::exec::pending::{leave_whole, sharing};
use crate::host::clock::unix_now;

/// A share of the recorded tests, in parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// All recorded tests.
    pub const ALL: Self = Self(1_000_000);

    /// Makes a share of this many parts of a million, if that is more than zero and at most all.
    pub fn of_million(parts: u32) -> Option<Self> {
        (1..=Self::ALL.0).contains(&parts).then_some(Self(parts))
    }

    /// Returns how many of `count` things the share is: at least one, if there is one.
    fn of(self, count: usize) -> usize {
        let parts = count as u64 * u64::from(self.0);
        usize::try_from(parts.div_ceil(u64::from(Self::ALL.0)))
            .unwrap_or(count)
            .min(count)
    }
}

/// Takes a random share of the recorded tests out of `hits`, so that they run. Returns when each of them passed. Of tests that share
/// a tree, either all run or none does.
pub fn choose(
    work: &Workload,
    hits: &mut HashMap<NodeId, RecordOutput, impl BuildHasher>,
    share: Share,
) -> BTreeMap<NodeId, u64> {
    leave_whole(work, hits);
    let seed = seed();
    let mut nodes: Vec<NodeId> = hits.keys().copied().collect();
    let lot = |node: &NodeId| *blake3::keyed_hash(&seed, &node.index().to_le_bytes()).as_bytes();
    nodes.sort_by_cached_key(lot);
    nodes.truncate(share.of(nodes.len()));
    let chosen: BTreeSet<NodeId> = nodes.iter().copied().collect();
    let with_others = sharing(work).filter(|tests| tests.iter().any(|node| chosen.contains(node)));
    nodes.extend(with_others.flatten());
    let passed = |node: NodeId| Some((node, hits.remove(&node)?.started));
    nodes.into_iter().filter_map(passed).collect()
}

/// Returns a seed that is different in each run.
fn seed() -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&crate::host::clock::unix_millis().to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    hasher.finalize().into()
}

/// Verdicts that differ under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// When the test passed, in seconds since the epoch.
    pub passed: u64,
    /// When the test failed.
    pub failed: u64,
}

/// Returns the verdicts that are known to differ under a key.
pub fn disagreement(store: &Store, key: ActionKey) -> Option<Disagreement> {
    let document = store.facts(&document_name(key)).ok().flatten()?;
    serde_json::from_value(document).ok()
}

/// Remembers that a test has failed now which passed at that time under the same key.
pub(crate) fn disagrees(store: &Store, key: ActionKey, passed: u64) -> Result<(), CacheError> {
    let failed = unix_now();
    store.remember_facts(&document_name(key), &serde_json::json!(Disagreement { passed, failed }))
}

fn document_name(key: ActionKey) -> String {
    format!("verdicts differ under {key}")
}

/// The result of the audit of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSummary {
    /// How many recorded tests ran again and came to a verdict.
    pub ran: u64,
    /// The tests among them that did not pass.
    pub disagreed: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_is_rounded_up_and_is_never_more_than_all() {
        let five = Share::of_million(50_000).expect("it is a share");
        assert_eq!([0, 1, 20, 21, 4212].map(|count| five.of(count)), [0, 1, 1, 2, 211]);
        assert_eq!([0, 1, 7].map(|count| Share::ALL.of(count)), [0, 1, 7]);
        assert_eq!(Share::of_million(0), None);
        assert_eq!(Share::of_million(1_000_001), None);
    }
}
