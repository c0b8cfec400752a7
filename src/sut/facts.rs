//! What a machine is.

use serde::{Deserialize, Serialize};

/// Facts a SUT tells when it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `ID` of os-release, e.g. `fedora`.
    pub os: String,
    /// `VERSION_ID` of os-release, empty where there is none.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The login user's name.
    pub user: String,
    /// Whether the user is root.
    pub root: bool,
    /// Changes with each boot.
    pub boot_id: String,
    /// Package managers found, best first: `dnf5`, `dnf`, `yum`, `rpm-ostree`, `apt`, `zypper`, `apk`.
    pub managers: Vec<String>,
}

/// The kind of machine: what the first prepare step, or a test without prepare, depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseIdentity {
    /// `ID` of os-release.
    pub os: String,
    /// `VERSION_ID` of os-release.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The target's `base` of the configuration; empty where not given.
    pub base: String,
}

impl Facts {
    /// Returns the base identity of this machine under the target's configured `base`.
    pub fn base_identity(&self, base: &str) -> BaseIdentity {
        BaseIdentity {
            os: self.os.clone(),
            version: self.version.clone(),
            arch: self.arch.clone(),
            base: base.to_owned(),
        }
    }
}
