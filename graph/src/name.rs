//! The names that people read for nodes. The identity of a node is its [`crate::ActionKey`].
//!
//! A name never enters a key and is never parsed from its text; it is stored in its parts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Resolves the tests of a plan.
    Discover,
    /// Changes the state of a SUT.
    Prepare,
    /// Runs a test.
    Test,
    /// Ends the prepared state of a SUT.
    Finish,
}

impl Kind {
    /// All kinds, in the order in which they occur in a run.
    pub const ALL: [Self; 4] = [Self::Discover, Self::Prepare, Self::Test, Self::Finish];

    /// Returns the number that stands for the kind in a key. It never changes.
    pub const fn ordinal(self) -> u64 {
        match self {
            Self::Discover => 1,
            Self::Prepare => 2,
            Self::Test => 3,
            Self::Finish => 4,
        }
    }

    /// Returns the word that stands for the kind in names.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Prepare => "prepare",
            Self::Test => "test",
            Self::Finish => "finish",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A node's name for people.
///
/// ```
/// use atex_graph::NodeName;
///
/// assert_eq!(NodeName::discover("/plans/x").to_string(), "discover /plans/x");
/// assert_eq!(NodeName::prepare("/plans/x", 2, "install").to_string(), "prepare /plans/x#2 install");
/// assert_eq!(NodeName::test("/a/b").to_string(), "test /a/b");
/// assert_eq!(NodeName::test_of("/plans/x", "/a/b").to_string(), "test /a/b (/plans/x)");
/// assert_eq!(NodeName::finish("/plans/x", 1).to_string(), "finish /plans/x#1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum NodeName {
    /// A discover node: `discover /plans/x`.
    Discover {
        /// Name of the plan.
        plan: String,
    },
    /// A prepare step: `prepare /plans/x#2 install`.
    Prepare {
        /// Name of the plan.
        plan: String,
        /// Position among the plan's prepare steps, from 1.
        step: u32,
        /// What the step does: `install` or `shell`.
        what: String,
    },
    /// A test: `test /a/b`, or `test /a/b (/plans/x)`.
    Test {
        /// Name of the test.
        test: String,
        /// The plan, if several plans run the test differently.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// A finish step: `finish /plans/x#1`.
    Finish {
        /// Name of the plan.
        plan: String,
        /// Position among the plan's finish steps, from 1.
        step: u32,
    },
}

impl NodeName {
    /// Names the discover node of a plan.
    pub fn discover(plan: impl Into<String>) -> Self {
        Self::Discover { plan: plan.into() }
    }

    /// Names a prepare step of a plan. `step` counts from 1.
    pub fn prepare(plan: impl Into<String>, step: u32, what: impl Into<String>) -> Self {
        Self::Prepare {
            plan: plan.into(),
            step,
            what: what.into(),
        }
    }

    /// Names a test.
    pub fn test(test: impl Into<String>) -> Self {
        Self::Test {
            test: test.into(),
            plan: None,
        }
    }

    /// Names a test as one plan runs it, if other plans run it differently.
    pub fn test_of(plan: impl Into<String>, test: impl Into<String>) -> Self {
        Self::Test {
            test: test.into(),
            plan: Some(plan.into()),
        }
    }

    /// Names a finish step of a plan. `step` counts from 1.
    pub fn finish(plan: impl Into<String>, step: u32) -> Self {
        Self::Finish {
            plan: plan.into(),
            step,
        }
    }

    /// Returns the kind of node that can have this name.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Discover { .. } => Kind::Discover,
            Self::Prepare { .. } => Kind::Prepare,
            Self::Test { .. } => Kind::Test,
            Self::Finish { .. } => Kind::Finish,
        }
    }

    /// Returns the plan in the name, if there is one.
    pub fn plan(&self) -> Option<&str> {
        match self {
            Self::Discover { plan } | Self::Prepare { plan, .. } | Self::Finish { plan, .. } => Some(plan),
            Self::Test { plan, .. } => plan.as_deref(),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Discover { plan } => write!(f, "{kind} {plan}"),
            Self::Prepare { plan, step, what } => write!(f, "{kind} {plan}#{step} {what}"),
            Self::Test { test, plan: None } => write!(f, "{kind} {test}"),
            Self::Test { test, plan: Some(plan) } => write!(f, "{kind} {test} ({plan})"),
            Self::Finish { plan, step } => write!(f, "{kind} {plan}#{step}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, NodeName};

    #[test]
    fn ordinals_of_kinds_never_change() {
        assert_eq!(Kind::ALL.map(Kind::ordinal), [1, 2, 3, 4]);
        assert_eq!(Kind::ALL.map(Kind::word), ["discover", "prepare", "test", "finish"]);
    }

    #[test]
    fn names_are_stored_in_their_parts() {
        let names = [
            NodeName::discover("/p"),
            NodeName::prepare("/p", 1, "shell"),
            NodeName::test("/a (/b)"),
            NodeName::test_of("/b", "/a"),
            NodeName::finish("/p", 3),
        ];
        let json = serde_json::to_string(&names).expect("names are JSON");
        assert!(json.contains(r#"{"kind":"test","test":"/a","plan":"/b"}"#), "{json}");
        let back: Vec<NodeName> = serde_json::from_str(&json).expect("reads back");
        assert_eq!(back, names);
    }
}
