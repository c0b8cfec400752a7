//! The stage of each SUT in the schedule, and the counts that follow from the stages. Only [`Schedule::set`] changes either.

use super::Schedule;
use super::lane::LaneState;
use super::messages::{JobId, LaneId, StepNo, SutId};

/// What a SUT can do for the lane it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It can run the lane's tests.
    Ready,
    /// It has to enter the lane again first.
    Tainted,
    /// It could not enter the lane.
    Failed,
}

/// The stage of a SUT in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SutStage {
    /// It was not needed so far.
    Spare,
    Opening,
    /// It is being opened, but somebody else still holds it.
    Held,
    /// It has nothing to do, in a lane that it has to leave or in none.
    Idle(Option<(LaneId, Fit)>),
    Entering(LaneId),
    Running {
        lane: LaneId,
        job: JobId,
        /// When the test is expected to be over.
        end: u64,
        /// Whether its verdict is known, so that only the SUT's answer is missing.
        ruled: bool,
    },
    Leaving {
        lane: LaneId,
        /// Where it is needed next.
        next: Option<LaneId>,
    },
    Closing,
    /// It was released because there was nothing to do.
    Rested,
    Gone,
}

/// What the schedule knows of a SUT.
#[derive(Debug)]
pub(super) struct ScheduledSut {
    pub(super) state: SutStage,
    /// When it came into its stage.
    pub(super) since: u64,
    /// The last step of a chain that it has done.
    pub(super) at: Option<StepNo>,
    /// The lane for which it has left another one.
    pub(super) bound: Option<LaneId>,
    /// The lanes that it could not enter.
    pub(super) failed: Vec<LaneId>,
    /// The lanes that it entered because they require it even without tests.
    pub(super) entered: Vec<LaneId>,
}

impl Default for ScheduledSut {
    fn default() -> Self {
        Self {
            state: SutStage::Spare,
            since: 0,
            at: None,
            bound: None,
            failed: Vec::new(),
            entered: Vec::new(),
        }
    }
}

/// The numbers of SUTs by what their stages mean for the schedule.
#[derive(Debug, Default)]
pub(super) struct SutCounts {
    /// SUTs whose stage is not [`SutStage::Gone`].
    pub(super) alive: u32,
    /// SUTs that are opened, and neither released nor lost.
    pub(super) active: u32,
    /// SUTs that work, or will work.
    pub(super) supply: usize,
    /// SUTs that are being connected to.
    pub(super) opening: u32,
    /// SUTs that run a test.
    pub(super) testing: usize,
}

impl SutStage {
    /// Returns whether it can take more work, now or later.
    pub(super) fn works(self) -> bool {
        match self {
            Self::Opening | Self::Held | Self::Idle(_) | Self::Entering(_) | Self::Running { .. } => true,
            Self::Leaving { next, .. } => next.is_some(),
            Self::Spare | Self::Closing | Self::Rested | Self::Gone => false,
        }
    }

    fn is_active(self) -> bool {
        !matches!(self, Self::Spare | Self::Rested | Self::Gone)
    }

    /// Returns the lane that it serves, or will serve.
    pub(super) fn serves(self) -> Option<LaneId> {
        match self {
            Self::Idle(Some((lane, Fit::Ready | Fit::Tainted))) | Self::Entering(lane) | Self::Running { lane, .. } => {
                Some(lane)
            }
            Self::Leaving { next, .. } => next,
            _ => None,
        }
    }
}

impl Schedule {
    /// Brings a SUT into a stage, and updates all counts.
    pub(super) fn set(&mut self, sut: SutId, new: SutStage) {
        let old = self.suts[sut.0 as usize].state;
        self.count(old, |count| *count -= 1);
        self.count(new, |count| *count += 1);
        self.counts.supply = self.counts.supply + usize::from(new.works()) - usize::from(old.works());
        let tests = |state| usize::from(matches!(state, SutStage::Running { ruled: false, .. }));
        self.counts.testing = self.counts.testing + tests(new) - tests(old);
        if let SutStage::Running { lane, end, .. } = old {
            self.lanes[lane.0 as usize].ends -= end;
        }
        if let SutStage::Running { lane, end, .. } = new {
            self.lanes[lane.0 as usize].ends += end;
        }
        match new {
            SutStage::Gone if old != SutStage::Gone => self.forget(sut),
            SutStage::Rested => {
                self.rested.push(sut);
                self.review = true;
            }
            _ => {}
        }
        let row = &mut self.suts[sut.0 as usize];
        (row.state, row.since) = (new, self.now);
    }

    /// Changes every count that a SUT in this stage is part of.
    fn count(&mut self, state: SutStage, change: impl Fn(&mut u32)) {
        if state.is_active() {
            change(&mut self.counts.active);
        }
        if state == SutStage::Opening {
            change(&mut self.counts.opening);
        }
        let Some(lane) = state.serves() else { return };
        let LaneState {
            served,
            coming,
            inside,
            running,
            ..
        } = &mut self.lanes[lane.0 as usize];
        change(served);
        match state {
            SutStage::Leaving { .. } => change(coming),
            SutStage::Entering(_) => {
                change(coming);
                change(inside);
            }
            SutStage::Running { .. } => {
                change(running);
                change(inside);
            }
            _ => change(inside),
        }
    }

    /// Removes a SUT that is gone from the counts.
    fn forget(&mut self, sut: SutId) {
        self.counts.alive -= 1;
        self.review = true;
        for lane in std::mem::take(&mut self.suts[sut.0 as usize].failed) {
            self.lanes[lane.0 as usize].failed_on -= 1;
        }
    }
}
