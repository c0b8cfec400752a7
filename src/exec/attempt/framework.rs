//! Test frameworks: how a test of each one is started, and what its exit code means if it reported no result.
//!
//! A framework judges nothing else: results that a test reports are its own (`src/control/`), and that it never came to its end is the
//! infrastructure's. A test with the interface `tmt` is judged by tmt's rules (`src/exec/attempt/interface`). Which frameworks there are,
//! [`Framework`] says; a test of another one runs as `shell`, which is told, and its pass is not recorded
//! (`src/compile/metadata/unsupported.rs`).

use std::path::Path;

use crate::compile::spec::{Framework, Interface, TestSpec};
use crate::control::{Finish, Status};
use crate::exec::attempt::interface::TmtRules;
use crate::exec::attempt::rest_of_plan::RestOfPlan;

/// The bash text that runs a test, under `set -eo pipefail`; for beakerlib without that.
pub(crate) fn script(test: &TestSpec) -> String {
    match test.framework {
        Framework::Shell | Framework::Beakerlib => test.script.clone(),
    }
}

/// How the end of a test is judged.
#[derive(Clone, Debug)]
pub(crate) enum Rules {
    /// By its framework, for a test with atex's own interface.
    Atex(Framework),
    /// By tmt's rules.
    Tmt(Box<TmtRules>),
}

impl Rules {
    /// Those of a test.
    pub(crate) fn of(test: &TestSpec) -> Self {
        match test.interface {
            Interface::Atex => Self::Atex(test.framework),
            Interface::Tmt => Self::Tmt(Box::new(TmtRules::of(test))),
        }
    }

    /// Judges a test that ended with an exit code, and whose files and results lie in the directory `test`. Returns also what only tmt's
    /// rules know of the tests after it.
    pub(crate) fn judge(&self, code: i32, test: &Path) -> (Finish, RestOfPlan) {
        match self {
            Self::Atex(framework) => (Finish::Exited(judge(*framework, code)), RestOfPlan::Runs),
            Self::Tmt(rules) => {
                let (judgement, rest) = rules.judge(code, test);
                (Finish::Judged(Box::new(judgement)), rest)
            }
        }
    }
}

/// What the exit code of that text makes of the test.
fn judge(framework: Framework, code: i32) -> Status {
    match framework {
        Framework::Shell if code == 0 => Status::Pass,
        // No test with the interface `atex` has beakerlib.
        Framework::Shell | Framework::Beakerlib => Status::Fail,
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
