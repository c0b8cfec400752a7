//! How a run is to go, validated: what the engine sees of the command line.

use std::time::Duration;

use crate::exec::schedule::Rules;
use crate::sut::OnHeld;

/// Which command a run carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole graph; recorded results are taken, finish runs.
    Build,
    /// The given tests, always; the SUT stays prepared.
    Test,
    /// Only the finish steps of plans that touched the SUTs.
    Finish,
}

impl Mode {
    /// The command's name.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Finish => "finish",
        }
    }
}

/// The last kind of node that a build runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Nothing runs on a SUT.
    Discover,
    /// SUTs are prepared.
    Prepare,
    /// Tests run; finish does not.
    Test,
    /// Everything.
    Finish,
}

/// What to do with a SUT whose state is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTaint {
    /// Prepare it again from the first step.
    Prepare,
    /// Take it out of the run.
    Drop,
    /// Trust it.
    Ignore,
}

/// What to do with a SUT that was booted since it was prepared, where no test asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReboot {
    /// Prepare it again from the first step.
    Prepare,
    /// Trust that all is still in force.
    Trust,
}

/// How a run is to go.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which command.
    pub mode: Mode,
    /// How far.
    pub until: Until,
    /// Prepare anew, whatever the SUT says of itself, and run the tests on that.
    pub fresh: bool,
    /// Run tests whose results are recorded, too.
    pub rerun: bool,
    /// How old a prepared state may be.
    pub max_age: Option<Duration>,
    /// What to do with tainted SUTs.
    pub on_taint: OnTaint,
    /// What to do with SUTs that were booted since they were prepared.
    pub on_reboot: OnReboot,
    /// What to do with SUTs that somebody else holds.
    pub on_held: OnHeld,
    /// How long a SUT may be silent before it counts as dead.
    pub dead_after: Duration,
    /// How often what fails is tried again, and when enough has failed.
    pub rules: Rules,
    /// Bytes that are kept of what a test or a step prints.
    pub max_output: u64,
}

impl Options {
    /// Returns whether recorded results stand for tests.
    pub(crate) fn takes_records(&self) -> bool {
        self.mode == Mode::Build && !self.rerun && !self.fresh
    }

    /// Returns whether SUTs are prepared and nothing else.
    pub(crate) fn only_prepares(&self) -> bool {
        self.mode == Mode::Build && self.until == Until::Prepare
    }

    /// Returns whether the finish that earlier runs owe is run where nothing else has to.
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
