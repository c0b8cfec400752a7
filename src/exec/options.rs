//! The options of a run: `cli` makes these validated options from the command line.

use std::time::Duration;

use crate::control::Mask;
pub use crate::event::Mode;
use crate::exec::record::audit::Share;
use crate::exec::schedule::ScheduleRules;
use crate::host::clock::unix_now;
use crate::sut::OnHeld;

/// The last kind of node that a build runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Nothing runs on a SUT.
    Discover,
    /// SUTs are prepared.
    Prepare,
    /// Tests run; finish does not.
    Test,
    /// Everything runs.
    Finish,
}

/// What to do with a SUT whose state is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTaint {
    /// It is prepared again from the first step.
    Prepare,
    /// It is taken out of the run.
    Drop,
    /// It is trusted all the same.
    Ignore,
}

/// What to do with a SUT that was booted since it was prepared, where no test asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReboot {
    /// It is prepared again from the first step.
    Prepare,
    /// It is trusted: everything is assumed to be still in force.
    Trust,
}

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command.
    pub mode: Mode,
    /// The last kind of node that runs.
    pub until: Until,
    /// Whether SUTs are prepared again, whatever they say of themselves, and the tests run on that.
    pub fresh: bool,
    /// Whether tests run that have a recorded result, too.
    pub rerun: bool,
    /// The share of the recorded tests that runs again, to see whether the verdicts agree.
    pub audit: Option<Share>,
    /// The greatest age of what was prepared, both on a SUT and where a recorded test ran.
    pub max_age: Option<Duration>,
    /// What to do with tainted SUTs.
    pub on_taint: OnTaint,
    /// What to do with SUTs that were booted since they were prepared.
    pub on_reboot: OnReboot,
    /// What to do with SUTs that somebody else holds.
    pub on_held: OnHeld,
    /// How long a SUT may be silent before it counts as dead.
    pub dead_after: Duration,
    /// How often a failure is tried again, and after how many failures the run stops.
    pub rules: ScheduleRules,
    /// How many bytes are kept of what a test or a step prints.
    pub max_output: u64,
    /// What is masked in everything that the run stores and shows.
    pub mask: Mask,
}

impl Options {
    /// Returns whether recorded results are used in place of running tests.
    pub(crate) fn takes_records(&self) -> bool {
        self.mode == Mode::Build && !self.rerun && !self.fresh
    }

    /// Returns whether the result of a test that ran on what was prepared at that time is believed. An unknown time counts as too
    /// old.
    pub(crate) fn believes(&self, prepared: Option<u64>, is_prepared: bool) -> bool {
        is_young(self.max_age, prepared, is_prepared)
    }

    /// Returns whether SUTs are prepared and nothing else.
    pub(crate) fn only_prepares(&self) -> bool {
        self.mode == Mode::Build && self.until == Until::Prepare
    }

    /// Returns whether finishes that are due since earlier runs are run even if nothing else has to run.
    pub(crate) fn pays(&self) -> bool {
        self.mode == Mode::Build && self.finishes()
    }

    /// Returns whether finish steps run.
    pub(crate) fn finishes(&self) -> bool {
        match self.mode {
            Mode::Build => self.until >= Until::Finish,
            Mode::Test => false,
            Mode::Finish => true,
        }
    }
}

/// Returns whether what was prepared at that time is not older than it may be. This is always true if nothing is prepared.
pub(crate) fn is_young(most: Option<Duration>, prepared: Option<u64>, is_prepared: bool) -> bool {
    let Some(most) = most.filter(|_| is_prepared) else {
        return true;
    };
    let age = |at| Duration::from_secs(unix_now().saturating_sub(at));
    prepared.is_some_and(|at| age(at) <= most)
}
