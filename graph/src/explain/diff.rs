//! Finds the entries in which two transcripts differ.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::transcript::Entry;

/// A difference between two transcripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Only the new transcript has the entry.
    Added {
        /// The new entry.
        new: Entry,
    },
    /// Only the old transcript has the entry.
    Removed {
        /// The old entry.
        old: Entry,
    },
    /// Both transcripts have the entry, with different values.
    Changed {
        /// The old entry.
        old: Entry,
        /// The new entry.
        new: Entry,
    },
}

impl Change {
    /// Returns the path of what differs, as in a transcript: `environment.FOO`.
    pub fn path(&self) -> &str {
        match self {
            Self::Added { new: entry } | Self::Removed { old: entry } | Self::Changed { new: entry, .. } => &entry.path,
        }
    }

    /// Returns where the value comes from. If there is a new value, this is its place.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::Added { new: entry } | Self::Removed { old: entry } => entry.origin.as_deref(),
            Self::Changed { old, new } => new.origin.as_deref().or(old.origin.as_deref()),
        }
    }
}

/// Finds what differs between two transcripts. A value that only comes from another place does not differ. Entries of the new
/// transcript come first, in its order; then come the entries that are gone, in the order of the old one.
pub fn diff(old: &[Entry], new: &[Entry]) -> Vec<Change> {
    // A path can occur more than once if a tree was read while it changed. Such entries are paired in their order.
    let mut by_path: HashMap<&str, VecDeque<usize>> = HashMap::with_capacity(old.len());
    for (index, entry) in old.iter().enumerate() {
        by_path.entry(&entry.path).or_default().push_back(index);
    }
    let mut gone = vec![true; old.len()];
    let mut changes = Vec::new();
    for entry in new {
        let Some(index) = by_path.get_mut(entry.path.as_str()).and_then(VecDeque::pop_front) else {
            changes.push(Change::Added { new: entry.clone() });
            continue;
        };
        gone[index] = false;
        if old[index].value != entry.value {
            changes.push(Change::Changed {
                old: old[index].clone(),
                new: entry.clone(),
            });
        }
    }
    let removed = old.iter().zip(gone).filter(|(_, gone)| *gone);
    changes.extend(removed.map(|(entry, _)| Change::Removed { old: entry.clone() }));
    changes
}

#[cfg(test)]
mod tests {
    use super::{Change, diff};
    use crate::transcript::Entry;

    fn entry(path: &str, value: &str, origin: Option<&str>) -> Entry {
        Entry {
            path: path.to_owned(),
            value: value.to_owned(),
            origin: origin.map(str::to_owned),
        }
    }

    #[test]
    fn another_origin_alone_is_no_difference() {
        assert_eq!(
            diff(&[entry("a", "1", Some("x:1"))], &[entry("a", "1", Some("y:2"))]),
            []
        );
    }

    #[test]
    fn added_removed_and_changed_are_told_apart() {
        let (a1, a2, b, c) = (
            entry("a", "1", None),
            entry("a", "2", None),
            entry("b", "1", None),
            entry("c", "1", None),
        );
        let changes = diff(&[b.clone(), a1.clone()], &[a2.clone(), c.clone()]);
        let expected = [
            Change::Changed { old: a1, new: a2 },
            Change::Added { new: c },
            Change::Removed { old: b },
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_path_that_occurs_twice_is_compared_in_order() {
        let (one, two, three) = (entry("f", "1", None), entry("f", "2", None), entry("f", "3", None));
        let changes = diff(&[one.clone(), two.clone()], &[one, three.clone()]);
        assert_eq!(changes, [Change::Changed { old: two, new: three }]);
    }
}
