//! The states of a SUT during a run, and the things that can happen to it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a SUT does now, or what happened to it. The note of its event says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SutEvent {
    /// It joined the pool while the run was going on.
    Joined,
    /// Somebody else holds it, or another process runs the test that it was to run. The note says who.
    Waiting,
    /// It is being connected to.
    Connecting,
    /// It is being brought into the state that some plans want. The note names them.
    Entering,
    /// Files are being uploaded to it.
    Syncing,
    /// Packages are being installed on it.
    Installing,
    /// It is not as it was when it was prepared. The note says what changed.
    Changed,
    /// Files of its tree that a test had changed were put back. The note names them.
    Restored,
    /// It is ready for what comes next.
    Ready,
    /// There is nothing to do on it for now.
    Idle,
    /// The finish steps of plans that touched it run, or are about to.
    Leaving,
    /// Its condition is not trusted any more. The note says why.
    Tainted,
    /// Finish steps are due on it since an earlier run. The note names their plans.
    Owing,
    /// It was taken out of the run. The note says why.
    Dropped,
    /// It was let go at the end.
    Released,
}

impl SutEvent {
    /// Returns the word for people, which is also the one in `events.jsonl`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Entering => "entering",
            Self::Syncing => "syncing",
            Self::Installing => "installing",
            Self::Changed => "changed",
            Self::Restored => "restored",
            Self::Ready => "ready",
            Self::Idle => "idle",
            Self::Leaving => "leaving",
            Self::Tainted => "tainted",
            Self::Owing => "owing",
            Self::Dropped => "dropped",
            Self::Released => "released",
        }
    }
}

impl fmt::Display for SutEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::SutEvent;

    #[test]
    fn people_and_the_wire_have_one_word() {
        for word in [
            "joined",
            "waiting",
            "connecting",
            "entering",
            "syncing",
            "installing",
            "changed",
            "restored",
            "ready",
            "idle",
            "leaving",
            "tainted",
            "owing",
            "dropped",
            "released",
        ] {
            let status: SutEvent = serde_json::from_str(&format!("\"{word}\"")).unwrap();
            assert_eq!(status.word(), word);
        }
    }
}
