//! The durations of nodes in earlier runs, which are the schedule's estimates for the next run.
//!
//! They are in a small document in the cache, which has for each node's name its duration and the key that it had then. It
//! contains estimates and nothing else. If two processes write it at once, the later one wins. If it cannot be read or written,
//! the estimates are worse.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use atex_cache::Store;
use atex_graph::NodeId;

use crate::compile::spec::Workload;
use crate::exec::run::shared::identify;

/// The name of the document in the cache.
const DOCUMENT: &str = "times";

/// How many hex digits of a key are kept.
const KEY: usize = 16;

/// If there are more nodes than this, those that have not run for long are forgotten.
const MANY: usize = 50_000;

/// For how many days they are kept then.
const DAYS: u64 = 90;

/// The latest key of a name, its duration in milliseconds, and the day it was measured, counted from the epoch.
type Entry = (String, u32, u64);

/// What was measured in all trees of the user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    by_name: BTreeMap<String, Entry>,
    by_key: HashMap<String, u32>,
    changed: bool,
}

impl Durations {
    /// Reads the document of the cache. What cannot be read counts as unknown.
    pub(crate) fn load(store: &Store) -> Self {
        let document = store.facts(DOCUMENT).ok().flatten().unwrap_or_default();
        let by_name: BTreeMap<String, Entry> = serde_json::from_value(document).unwrap_or_default();
        let by_key = by_name.values().map(|(key, took, _)| (key.clone(), *took)).collect();
        Self {
            by_name,
            by_key,
            changed: false,
        }
    }

    /// Returns how long a node is expected to take: the duration under the same key, or else under the same name.
    pub(crate) fn expected(&self, name: &str, key: &str) -> Option<Duration> {
        let key = key.get(..KEY).unwrap_or(key);
        let took = self.by_key.get(key).copied();
        let took = took.or_else(|| self.by_name.get(name).map(|&(_, took, _)| took))?;
        Some(Duration::from_millis(took.into()))
    }

    /// Returns how long a node of a workload is expected to take.
    pub(crate) fn of(&self, work: &Workload, node: NodeId) -> Option<Duration> {
        if self.by_name.is_empty() {
            return None;
        }
        let (name, key) = identify(work, node);
        self.expected(name.label(), &key)
    }

    /// Notes how long a node took. An earlier duration under the same key counts for half.
    pub(crate) fn note(&mut self, name: &str, key: &str, took: Duration, now: Duration) {
        let key = key.get(..KEY).unwrap_or(key).to_owned();
        let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let took = self.by_key.get(&key).map_or(took, |&before| before / 2 + took / 2);
        let day = now.as_secs() / (24 * 3600);
        self.by_key.insert(key.clone(), took);
        self.by_name.insert(name.to_owned(), (key, took, day));
        self.changed = true;
    }

    /// Writes the document to the cache, if something new was measured.
    pub(crate) fn save(mut self, store: &Store, now: Duration) {
        if !self.changed {
            return;
        }
        if self.by_name.len() > MANY {
            let oldest = (now.as_secs() / (24 * 3600)).saturating_sub(DAYS);
            self.by_name.retain(|_, &mut (_, _, day)| day >= oldest);
        }
        if let Ok(document) = serde_json::to_value(&self.by_name) {
            let _only_a_guess = store.remember_facts(DOCUMENT, &document);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(500_000);

    #[test]
    fn what_took_long_is_expected_to_do_so_again_by_its_inputs_or_else_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut times = Durations::load(&store);
        assert_eq!(times.expected("test /a", &"a".repeat(64)), None);
        times.note("test /a", &"a".repeat(64), Duration::from_millis(500), NOW);
        times.note("test /a", &"b".repeat(64), Duration::from_millis(900), NOW);
        times.save(&store, NOW);
        let times = Durations::load(&store);
        assert_eq!(
            times.expected("test /a", &"c".repeat(64)),
            Some(Duration::from_millis(900))
        );
        assert_eq!(
            times.expected("test /renamed", &"b".repeat(64)),
            Some(Duration::from_millis(900))
        );
        assert_eq!(times.expected("test /b", &"c".repeat(64)), None);
    }

    #[test]
    fn a_document_that_is_none_is_no_knowledge() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store
            .remember_facts(DOCUMENT, &serde_json::json!(["nonsense"]))
            .unwrap();
        assert_eq!(Durations::load(&store).expected("test /a", "a"), None);
    }
}
