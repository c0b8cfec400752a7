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
    /// Why the state cannot be trusted.
    pub taint: Option<Taint>,
    /// Plans (names) that touched the machine since their last finish.
    pub unfinished: Vec<String>,
    /// How many times it was prepared from the first step without being installed anew.
    pub layers: u32,
}

/// Why a SUT is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// For people: `test /a/b ended by timeout`.
    pub reason: String,
    /// Seconds since the epoch.
    pub at: u64,
}
