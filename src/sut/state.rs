//! What a machine says of itself.

use serde::{Deserialize, Serialize};

/// The state kept on the SUT, beside what it describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SutState {
    /// Keys (hex) of the prepare steps done, in order: each stands for the whole chain up to it. Empty: nothing is known to be prepared.
    pub chain: Vec<String>,
    /// When the last step of the chain ended: seconds since the epoch, by the runner's clock.
    pub prepared_at: Option<u64>,
    /// When each step of the chain ended, as far as it is known.
    #[serde(default)]
    pub done_at: Vec<u64>,
    /// In which boot of the machine the chain is still in force: that in which its last step was done, or one that a test asked for
    /// since.
    #[serde(default)]
    pub boot: Option<String>,
    /// Why the state cannot be trusted.
    pub taint: Option<Taint>,
    /// Plans (names) that touched the machine since their last finish.
    pub unfinished: Vec<String>,
    /// How many times it was prepared from the first step without being installed anew.
    pub layers: u32,
}

impl SutState {
    /// Returns whether something is prepared, but the machine is in a boot that no test asked for since: what was started, mounted or
    /// put into memory is gone.
    pub fn is_booted_away(&self, boot: &str) -> bool {
        !self.chain.is_empty() && self.boot.as_deref() != Some(boot)
    }

    /// Forgets what was prepared.
    pub(crate) fn unprepare(&mut self) {
        self.chain.clear();
        self.done_at.clear();
        self.prepared_at = None;
        self.boot = None;
    }
}

/// Why a SUT is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// For people: `test /a/b ended by timeout`.
    pub reason: String,
    /// Seconds since the epoch.
    pub at: u64,
}
