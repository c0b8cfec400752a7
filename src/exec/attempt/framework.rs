//! Frameworks of tests: how a test of each is started, and what its end means where it gave no result for itself.
//!
//! A framework judges nothing else: results that a test reports are its own (`src/control/`), and that it never came to its end is the
//! infrastructure's. Which frameworks there are, [`Framework`] says; a test of another one runs as `shell`, which is told, and its pass is
//! not recorded (`src/compile/metadata/unsupported.rs`).

use crate::compile::spec::{Framework, TestSpec};
use crate::control::Status;

/// The bash text that runs a test, under `set -eo pipefail`.
pub(crate) fn script(test: &TestSpec) -> String {
    match test.framework {
        Framework::Shell => test.script.clone(),
    }
}

/// What the exit code of that text makes of the test.
pub(crate) fn judge(framework: Framework, code: i32) -> Status {
    match framework {
        Framework::Shell if code == 0 => Status::Pass,
        Framework::Shell => Status::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::compile::spec::Framework;
    use crate::control::Status;

    #[test]
    fn of_all_exit_codes_only_zero_is_a_pass() {
        for code in [i32::MIN, -1, 1, 2, 77, 124, 127, 137, 255, 256, i32::MAX] {
            assert_eq!(judge(Framework::Shell, code), Status::Fail, "{code}");
        }
        assert_eq!(judge(Framework::Shell, 0), Status::Pass);
    }
}
