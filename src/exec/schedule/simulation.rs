//! A simulation of a pool with a clock of its own, which plays machines, tests and failures to the [`Schedule`]. It is test code;
//! the schedule's benchmark uses it too.
//!
//! It checks the schedule against a model of its own, and panics if the two disagree: no test runs twice or is lost; no test runs
//! on a machine that is tainted or in another lane; every lane that was touched is finished once; and a cancellation takes effect
//! at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::exec::schedule::{
    After, AttemptOutcome, Decision, Input, JobId, Lane, LaneId, Ruling, Schedule, ScheduleRules, Skip, SutId,
    WorkerCommand,
};

/// What happens to one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It succeeds.
    Well,
    /// The SUT is lost after this many thousandths of the time that the command takes.
    Lost(u16),
    /// Prepare fails, in one of several ways.
    Unprepared(u8),
    /// The test fails.
    Fails,
    /// The test overruns and leaves the SUT tainted.
    Overruns,
    /// The SUT breaks the test off, and comes back tainted.
    Breaks,
    /// Another process runs the test.
    Busy,
}

/// The facts of the simulated pool, whatever the schedule believes.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// How long each test takes, in milliseconds.
    pub times: Vec<u64>,
    /// How long it takes to enter each lane with nothing prepared.
    pub prepare: Vec<u64>,
    /// How long it takes to open a SUT.
    pub open: u64,
    /// How long it takes to leave a lane that has finish steps.
    pub finish: u64,
}

/// The result of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// When the last SUT was released.
    pub end: u64,
    /// When the last test was over.
    pub makespan: u64,
    /// How many decisions the schedule made.
    pub decisions: u64,
    /// The number of tests that passed.
    pub passed: u64,
    /// The number of tests that failed in their last attempt.
    pub failed: u64,
    /// The number of tests that did not run.
    pub skipped: u64,
    /// How often a SUT entered a lane.
    pub entries: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Waits,
    Runs,
    /// Another process runs it.
    Elsewhere,
    Over,
}

#[derive(Clone, Debug, Default)]
struct Machine {
    doing: Option<(WorkerCommand, Fate)>,
    opened: bool,
    gone: bool,
    lane: Option<LaneId>,
    /// The lane whose chain the SUT has done.
    prepared: Option<LaneId>,
    tainted: bool,
    failed: Vec<LaneId>,
    since_halt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Answer(SutId),
    Join,
    Cancel,
    /// Of so many tests, one is given up.
    GiveUp(u32),
}

/// A simulated pool.
pub struct Simulation<F> {
    schedule: Schedule,
    truth: Truth,
    lanes: Vec<Lane>,
    rules: ScheduleRules,
    lane_of: Vec<LaneId>,
    fate: F,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    number: u64,
    machines: Vec<Machine>,
    /// The SUTs that have to be opened, whatever else has to be done.
    owing: BTreeSet<SutId>,
    tests: Vec<Test>,
    unprepared: Vec<u32>,
    cancelled: bool,
    given_up: BTreeSet<JobId>,
    report: SimulationReport,
}

impl<F: FnMut(SutId, WorkerCommand) -> Fate> Simulation<F> {
    /// Makes a pool. `fate` decides what happens to each command.
    pub fn new(lanes: Vec<Lane>, suts: usize, rules: ScheduleRules, truth: Truth, fate: F) -> Self {
        let mut lane_of = vec![LaneId(0); truth.times.len()];
        for (lane, index) in lanes.iter().zip(0..) {
            for task in &lane.tasks {
                lane_of[task.job.0 as usize] = LaneId(index);
            }
        }
        Self {
            schedule: Schedule::new(lanes.clone(), suts, rules),
            tests: vec![Test::Waits; truth.times.len()],
            unprepared: vec![0; lanes.len()],
            truth,
            lanes,
            rules,
            lane_of,
            fate,
            now: 0,
            queue: BinaryHeap::new(),
            number: 0,
            machines: vec![Machine::default(); suts],
            owing: BTreeSet::new(),
            cancelled: false,
            given_up: BTreeSet::new(),
            report: SimulationReport::default(),
        }
    }

    /// Makes one more SUT join at that time.
    #[must_use]
    pub fn joined_at(mut self, time: u64) -> Self {
        self.later(time, Happening::Join);
        self
    }

    /// Cancels the run at that time.
    #[must_use]
    pub fn cancelled_at(mut self, time: u64) -> Self {
        self.later(time, Happening::Cancel);
        self
    }

    /// Gives up one of so many tests at that time.
    #[must_use]
    pub fn given_up_at(mut self, time: u64, of: u32) -> Self {
        self.later(time, Happening::GiveUp(of));
        self
    }

    /// Makes a SUT prepared for a lane when it is opened.
    #[must_use]
    pub fn prepared(mut self, sut: SutId, lane: LaneId) -> Self {
        self.machines[sut.0 as usize].prepared = Some(lane);
        self
    }

    /// Makes a finish due on a SUT.
    #[must_use]
    pub fn owing(mut self, sut: SutId) -> Self {
        self.owing.insert(sut);
        self.schedule.owe(sut);
        self
    }

    /// Runs the simulation to its end.
    ///
    /// # Panics
    ///
    /// Panics if the schedule breaks one of its invariants.
    pub fn run(mut self) -> SimulationReport {
        let decisions = self.schedule.start(0);
        self.carry_out(decisions);
        loop {
            if let Some(Reverse((time, _, happening))) = self.queue.pop() {
                self.now = time;
                self.happen(happening);
            } else if let Some(&job) = self.schedule.busy().first() {
                self.free(job);
            } else {
                break;
            }
            assert!(self.number < 1_000_000_000, "the run does not end");
        }
        assert!(
            self.schedule.is_over(),
            "nothing happens any more: {:?}",
            self.schedule.estimate(self.now)
        );
        assert!(self.tests.iter().all(|test| *test == Test::Over), "a test is lost");
        assert!(
            self.owing.is_empty() || self.is_halted(),
            "a SUT that owes was not opened"
        );
        let left = self.machines.iter().find(|machine| machine.opened && !machine.gone);
        assert!(left.is_none(), "a SUT was not let go: {left:?}");
        self.report
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Answer(sut) => self.answer(sut),
            Happening::Join if self.schedule.is_over() => {}
            Happening::Join => {
                self.machines.push(Machine::default());
                let (sut, decisions) = self.schedule.join(self.now);
                assert_eq!(sut.0 as usize + 1, self.machines.len());
                self.carry_out(decisions);
            }
            Happening::Cancel => {
                self.cancelled = true;
                let decisions = self.schedule.cancel(self.now);
                self.carry_out(decisions);
            }
            Happening::GiveUp(of) => {
                let jobs: Vec<JobId> = (0..).take(self.tests.len()).step_by(of as usize).map(JobId).collect();
                self.given_up.extend(&jobs);
                let reason = Skip::Stopped("given up".to_owned());
                let decisions = self.schedule.give_up(self.now, &jobs, &reason);
                self.carry_out(decisions);
            }
        }
    }

    /// Ends a test that another process runs, with a record or without one.
    fn free(&mut self, job: JobId) {
        let decisions = if job.0.is_multiple_of(2) {
            self.tests[job.0 as usize] = Test::Over;
            self.report.passed += 1;
            self.schedule.answered_elsewhere(self.now, job)
        } else {
            self.tests[job.0 as usize] = Test::Waits;
            self.schedule.offer_again(self.now, job)
        };
        self.carry_out(decisions);
    }

    fn later(&mut self, time: u64, happening: Happening) {
        self.number += 1;
        self.queue.push(Reverse((time, self.number, happening)));
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        self.report.decisions += decisions.len() as u64;
        for decision in decisions {
            match decision {
                Decision::Tell(sut, command) => self.tell(sut, command),
                Decision::Skip(job, skip) => self.skip(job, &skip),
            }
        }
    }

    fn is_halted(&self) -> bool {
        self.cancelled || self.schedule.is_stopped()
    }

    fn skip(&mut self, job: JobId, skip: &Skip) {
        let state = &mut self.tests[job.0 as usize];
        assert!(
            matches!(state, Test::Waits | Test::Elsewhere),
            "{job:?} is skipped, but {state:?}"
        );
        *state = Test::Over;
        self.report.skipped += 1;
        if matches!(skip, Skip::Cancelled | Skip::Stopped(_)) {
            assert!(self.is_halted() || self.given_up.contains(&job));
            return;
        }
        let lane = self.lane_of[job.0 as usize];
        let closed = self.unprepared[lane.0 as usize] >= self.rules.same_failures;
        let could = |machine: &Machine| !machine.gone && !machine.failed.contains(&lane);
        assert!(
            closed || !self.machines.iter().any(could),
            "{job:?} is skipped while a SUT is left for it"
        );
    }

    fn tell(&mut self, sut: SutId, command: WorkerCommand) {
        let halted = self.is_halted();
        let machine = &mut self.machines[sut.0 as usize];
        assert_eq!(machine.doing, None, "{sut:?} has one command at a time");
        assert_eq!(machine.opened, command != WorkerCommand::Open, "{sut:?}: {command:?}");
        if halted {
            machine.since_halt += 1;
            assert!(
                machine.since_halt <= 2,
                "a halted SUT leaves its lane and is let go, no more"
            );
            assert!(
                matches!(command, WorkerCommand::Leave(_) | WorkerCommand::Close),
                "{command:?} after the end"
            );
        }
        let takes = match command {
            WorkerCommand::Open => {
                (machine.opened, machine.gone) = (true, false);
                self.owing.remove(&sut);
                self.truth.open
            }
            WorkerCommand::Enter(lane) => {
                assert!(!machine.failed.contains(&lane), "{lane:?} failed on {sut:?}");
                assert!(
                    machine.lane.is_none_or(|now| now == lane && machine.tainted),
                    "a lane is left first"
                );
                self.report.entries += 1;
                let done = machine.prepared == Some(lane) && !machine.tainted;
                machine.lane = Some(lane);
                if done { 0 } else { self.truth.prepare[lane.0 as usize] }
            }
            WorkerCommand::Run(job) => {
                let lane = self.lane_of[job.0 as usize];
                assert_eq!(machine.lane, Some(lane), "a test runs in its lane");
                assert!(!machine.tainted, "no test runs on a tainted SUT");
                let state = &mut self.tests[job.0 as usize];
                assert_eq!(*state, Test::Waits, "{job:?} is given out once");
                assert!(!self.given_up.contains(&job), "{job:?} was given up");
                *state = Test::Runs;
                self.truth.times[job.0 as usize]
            }
            WorkerCommand::Leave(lane) => {
                assert_eq!(machine.lane.take(), Some(lane), "what was touched is finished once");
                if self.lanes[lane.0 as usize].finishes {
                    machine.prepared = None;
                    self.truth.finish
                } else {
                    0
                }
            }
            WorkerCommand::Close => {
                assert_eq!(machine.lane, None, "a lane is left before the SUT is let go");
                0
            }
        };
        let fate = (self.fate)(sut, command);
        self.machines[sut.0 as usize].doing = Some((command, fate));
        let takes = match fate {
            Fate::Lost(when) => takes * u64::from(when) / 1000,
            Fate::Busy if matches!(command, WorkerCommand::Run(_)) => 0,
            _ => takes,
        };
        self.later(self.now + takes, Happening::Answer(sut));
    }

    fn answer(&mut self, sut: SutId) {
        let machine = &mut self.machines[sut.0 as usize];
        let Some((command, fate)) = machine.doing.take() else {
            panic!("{sut:?} answers twice")
        };
        self.report.end = self.now;
        if let WorkerCommand::Run(job) = command {
            self.over(sut, job, fate);
        }
        let machine = &mut self.machines[sut.0 as usize];
        let input = match (command, fate) {
            (WorkerCommand::Close, _) => {
                machine.opened = false;
                Input::Closed
            }
            (_, Fate::Lost(_)) => {
                machine.gone = true;
                machine.lane = None;
                Input::Lost(Skip::Unreachable("unplugged".to_owned()))
            }
            (WorkerCommand::Open, _) => {
                let prepared = machine.prepared.map(|lane| &self.lanes[lane.0 as usize].chain);
                Input::Opened(prepared.and_then(|chain| chain.last()).map(|last| last.step))
            }
            (WorkerCommand::Enter(lane), Fate::Unprepared(how)) => {
                machine.failed.push(lane);
                (machine.prepared, machine.tainted) = (None, true);
                self.unprepared[lane.0 as usize] += 1;
                Input::EnterFailed(Skip::Prepare(format!("exited with {how}")))
            }
            (WorkerCommand::Enter(lane), _) => {
                (machine.prepared, machine.tainted) = (Some(lane), false);
                Input::Entered
            }
            (WorkerCommand::Run(_), fate) => {
                let after = match fate {
                    Fate::Busy => After::Busy,
                    Fate::Overruns | Fate::Breaks => After::Tainted,
                    _ => After::Clean,
                };
                machine.tainted = after == After::Tainted;
                Input::Ended(after)
            }
            (WorkerCommand::Leave(_), _) => {
                machine.tainted = false;
                Input::Left
            }
        };
        let decisions = self.schedule.handle(self.now, sut, input);
        self.carry_out(decisions);
    }

    /// Tells the schedule the outcome of a test.
    fn over(&mut self, sut: SutId, job: JobId, fate: Fate) {
        let state = &mut self.tests[job.0 as usize];
        assert_eq!(*state, Test::Runs);
        let said = match fate {
            Fate::Busy => {
                *state = Test::Elsewhere;
                return;
            }
            Fate::Well | Fate::Unprepared(_) => AttemptOutcome::Passed,
            Fate::Fails | Fate::Overruns => AttemptOutcome::Failed,
            Fate::Breaks | Fate::Lost(_) => AttemptOutcome::Broken,
        };
        self.report.makespan = self.now;
        // The test may be given out again before its SUT has answered.
        *state = Test::Waits;
        let (ruling, decisions) = self.schedule.verdict(self.now, sut, said);
        match ruling {
            Ruling::Again => assert_ne!(said, AttemptOutcome::Passed, "what passed does not run again"),
            Ruling::Final { .. } => {
                self.tests[job.0 as usize] = Test::Over;
                if said == AttemptOutcome::Passed {
                    self.report.passed += 1;
                } else {
                    self.report.failed += 1;
                }
            }
        }
        self.carry_out(decisions);
    }
}

/// A small generator of random-looking numbers, which are the same for the same seed (splitmix64, by Steele, Lea and Flood).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Returns the next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Returns a number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let numerator = (self.roll() >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }
}
