//! Test frameworks: how a test of each one is started, and what its exit code means where the test reported no result for itself.
//!
//! A framework judges nothing else. Results that a test reports are taken as they are (`src/control/`), and a test that never came to its
//! end is the infrastructure's failure. [`Framework`] lists the frameworks that exist. A test of any other one runs as `shell`; the user is
//! told so, and its pass is not recorded (see `Ignored` in `compile`).

use crate::compile::spec::{Framework, TestSpec};
use crate::control::Status;

/// Returns the bash text that runs a test, under `set -eo pipefail`.
pub(crate) fn script(test: &TestSpec) -> String {
    match test.framework {
        Framework::Shell => test.script.clone(),
    }
}

/// Returns the result that the exit code of that text gives to the test.
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
