//! The schedule against its invariants: thousands of seeded runs with failures at random moments.

use proptest::prelude::*;

use super::*;

/// One step of a random world: which SUT answers next, and how.
#[derive(Clone, Copy, Debug)]
struct Fate {
    who: usize,
    luck: u8,
}

/// What happened to each test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Waiting,
    Running,
    Ran,
    Skipped,
}

struct World {
    schedule: Schedule,
    lanes: Vec<Lane>,
    doing: Vec<Option<Command>>,
    in_lane: Vec<Option<LaneId>>,
    tainted: Vec<bool>,
    gone: Vec<bool>,
    jobs: Vec<Seen>,
}

impl World {
    fn new(lanes: Vec<Lane>, suts: usize) -> Self {
        let jobs = lanes.iter().map(|lane| lane.jobs.len()).sum();
        Self {
            schedule: Schedule::new(lanes.clone(), suts, jobs),
            lanes,
            doing: vec![None; suts],
            in_lane: vec![None; suts],
            tainted: vec![false; suts],
            gone: vec![false; suts],
            jobs: vec![Seen::Waiting; jobs],
        }
    }

    fn lane_of(&self, job: JobId) -> LaneId {
        let at = self.lanes.iter().position(|lane| lane.jobs.contains(&job)).unwrap();
        LaneId(u32::try_from(at).unwrap())
    }

    fn take(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Skip(job, _) => {
                    assert_eq!(
                        self.jobs[job.0 as usize],
                        Seen::Waiting,
                        "only a waiting test is skipped"
                    );
                    self.jobs[job.0 as usize] = Seen::Skipped;
                }
                Decision::Tell(sut, command) => self.tell(sut.0 as usize, command),
            }
        }
    }

    fn tell(&mut self, sut: usize, command: Command) {
        assert_eq!(self.doing[sut], None, "a SUT has one command at a time");
        assert!(!self.gone[sut], "a SUT that is gone is told nothing");
        match command {
            Command::Run(job) => {
                assert_eq!(self.in_lane[sut], Some(self.lane_of(job)), "a test runs in its lane");
                assert!(!self.tainted[sut], "no test runs on a tainted SUT");
                assert_eq!(self.jobs[job.0 as usize], Seen::Waiting, "no test runs twice");
                self.jobs[job.0 as usize] = Seen::Running;
            }
            Command::Enter(lane) => {
                assert!(
                    self.in_lane[sut].is_none_or(|now| now == lane && self.tainted[sut]),
                    "a lane is left first"
                );
            }
            Command::Leave(lane) => assert_eq!(self.in_lane[sut], Some(lane)),
            Command::Close => assert_eq!(self.in_lane[sut], None, "a lane is left before the SUT is let go"),
            Command::Open => {}
        }
        self.doing[sut] = Some(command);
    }

    /// Lets one SUT answer.
    fn step(&mut self, fate: Fate) {
        let busy: Vec<usize> = (0..self.doing.len()).filter(|&sut| self.doing[sut].is_some()).collect();
        if busy.is_empty() {
            let Some(&job) = self.schedule.busy().first() else {
                return;
            };
            let decisions = if fate.luck < 128 {
                self.schedule.offer_again(job)
            } else {
                self.jobs[job.0 as usize] = Seen::Ran;
                self.schedule.answered_elsewhere(job)
            };
            return self.take(decisions);
        }
        let sut = busy[fate.who % busy.len()];
        let Some(command) = self.doing[sut].take() else { return };
        let input = self.answer(sut, command, fate.luck);
        let decisions = self.schedule.handle(sut_id(sut), input);
        self.take(decisions);
    }

    fn answer(&mut self, sut: usize, command: Command, luck: u8) -> Input {
        if luck < 8 && command != Command::Close {
            if let Command::Run(job) = command {
                self.jobs[job.0 as usize] = Seen::Ran;
            }
            self.gone[sut] = true;
            return Input::Lost(unplugged());
        }
        match command {
            Command::Open => Input::Opened,
            Command::Enter(lane) => {
                self.in_lane[sut] = Some(lane);
                self.tainted[sut] = luck < 40;
                if luck < 40 {
                    Input::EnterFailed(no())
                } else {
                    Input::Entered
                }
            }
            Command::Run(job) => {
                let after = match luck {
                    0..40 => After::Tainted,
                    40..60 => After::Busy,
                    _ => After::Clean,
                };
                self.tainted[sut] = after == After::Tainted;
                self.jobs[job.0 as usize] = if after == After::Busy { Seen::Waiting } else { Seen::Ran };
                Input::Ended(after)
            }
            Command::Leave(_) => {
                self.in_lane[sut] = None;
                self.tainted[sut] = false;
                Input::Left
            }
            Command::Close => {
                self.gone[sut] = true;
                Input::Closed
            }
        }
    }
}

fn unplugged() -> Skip {
    Skip::Unreachable("unplugged".to_owned())
}

fn no() -> Skip {
    Skip::Prepare("no".to_owned())
}

fn lanes(sizes: &[usize]) -> Vec<Lane> {
    let mut next = 0..;
    sizes
        .iter()
        .map(|&size| Lane {
            jobs: next.by_ref().take(size).map(JobId).collect(),
            entries: 0,
        })
        .collect()
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (any::<usize>(), any::<u8>()).prop_map(|(who, luck)| Fate { who, luck });
    proptest::collection::vec(fate, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_test_is_answered_once_whatever_befalls_the_suts(
        sizes in proptest::collection::vec(0_usize..6, 0..5),
        suts in 0_usize..5,
        fates in fates(),
        cancel_at in proptest::option::of(0_usize..200),
    ) {
        let mut world = World::new(lanes(&sizes), suts);
        let decisions = world.schedule.start();
        world.take(decisions);
        for (at, &fate) in fates.iter().enumerate() {
            if cancel_at == Some(at) {
                let decisions = world.schedule.cancel();
                world.take(decisions);
            }
            world.step(fate);
        }
        // From here on everything goes well, so it must come to an end.
        let bound = 10 * (world.jobs.len() + suts + 10);
        for who in 0..bound {
            if world.schedule.is_over() {
                break;
            }
            world.step(Fate { who, luck: 255 });
        }
        prop_assert!(world.schedule.is_over(), "the run ends: {:?}", world.schedule);
        prop_assert!(world.jobs.iter().all(|seen| matches!(seen, Seen::Ran | Seen::Skipped)), "{:?}", world.jobs);
    }
}

#[test]
fn a_sut_whose_prepare_failed_leaves_the_tests_to_the_others() {
    let mut schedule = Schedule::new(lanes(&[3]), 2, 3);
    assert_eq!(schedule.start().len(), 2);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(
        schedule.handle(one, Input::Opened),
        [Decision::Tell(one, Command::Enter(LaneId(0)))]
    );
    let failed = schedule.handle(one, Input::EnterFailed(no()));
    assert_eq!(failed, [Decision::Tell(one, Command::Leave(LaneId(0)))]);
    schedule.handle(two, Input::Opened);
    let decisions = schedule.handle(two, Input::Entered);
    assert_eq!(decisions, [Decision::Tell(two, Command::Run(JobId(0)))]);
}

#[test]
fn prepare_that_fails_on_every_sut_skips_its_tests_and_no_others() {
    let mut schedule = Schedule::new(lanes(&[1, 1]), 1, 2);
    schedule.start();
    let sut = SutId(0);
    schedule.handle(sut, Input::Opened);
    let decisions = schedule.handle(sut, Input::EnterFailed(no()));
    assert_eq!(
        decisions,
        [
            Decision::Skip(JobId(0), no()),
            Decision::Tell(sut, Command::Leave(LaneId(0)))
        ]
    );
    let decisions = schedule.handle(sut, Input::Left);
    assert_eq!(decisions, [Decision::Tell(sut, Command::Enter(LaneId(1)))]);
}

#[test]
fn suts_without_use_are_not_opened() {
    let mut schedule = Schedule::new(lanes(&[2]), 5, 2);
    assert_eq!(schedule.start().len(), 2);
    let mut idle = Schedule::new(lanes(&[0]), 5, 0);
    assert_eq!(idle.start(), []);
    assert!(idle.is_over());
}

#[test]
fn a_spare_is_opened_in_place_of_a_sut_that_was_lost() {
    let mut schedule = Schedule::new(lanes(&[1]), 2, 1);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(schedule.start(), [Decision::Tell(one, Command::Open)]);
    let decisions = schedule.handle(one, Input::Lost(unplugged()));
    assert_eq!(decisions, [Decision::Tell(two, Command::Open)]);
    let decisions = schedule.handle(two, Input::Lost(unplugged()));
    assert_eq!(decisions, [Decision::Skip(JobId(0), unplugged())]);
    assert!(schedule.is_over());
}

#[test]
fn a_spare_is_opened_where_prepare_failed_on_the_others() {
    let mut schedule = Schedule::new(lanes(&[1]), 2, 1);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start();
    schedule.handle(one, Input::Opened);
    let decisions = schedule.handle(one, Input::EnterFailed(no()));
    assert!(decisions.contains(&Decision::Tell(two, Command::Open)), "{decisions:?}");
}

#[test]
fn a_test_that_another_process_runs_is_not_lost_when_the_sut_has_done_all_else() {
    let mut schedule = Schedule::new(lanes(&[1, 1]), 1, 2);
    let sut = SutId(0);
    schedule.start();
    schedule.handle(sut, Input::Opened);
    schedule.handle(sut, Input::Entered);
    let decisions = schedule.handle(sut, Input::Ended(After::Busy));
    assert_eq!(decisions, [Decision::Tell(sut, Command::Leave(LaneId(0)))]);
    schedule.handle(sut, Input::Left);
    schedule.handle(sut, Input::Entered);
    assert_eq!(schedule.handle(sut, Input::Ended(After::Clean)), []);
    assert_eq!(schedule.busy(), [JobId(0)]);
    let decisions = schedule.offer_again(JobId(0));
    assert_eq!(decisions, [Decision::Tell(sut, Command::Leave(LaneId(1)))]);
    let decisions = schedule.handle(sut, Input::Left);
    assert_eq!(decisions, [Decision::Tell(sut, Command::Enter(LaneId(0)))]);
}

#[test]
fn a_lane_that_wants_two_suts_for_itself_is_not_entered_twice_by_one() {
    let lane = Lane {
        jobs: Vec::new(),
        entries: 2,
    };
    let mut schedule = Schedule::new(vec![lane], 2, 0);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(schedule.start().len(), 2);
    schedule.handle(one, Input::Opened);
    let decisions = schedule.handle(one, Input::Entered);
    assert_eq!(decisions, [Decision::Tell(one, Command::Leave(LaneId(0)))]);
    assert_eq!(schedule.handle(one, Input::Left), [Decision::Tell(one, Command::Close)]);
    let decisions = schedule.handle(two, Input::Opened);
    assert_eq!(decisions, [Decision::Tell(two, Command::Enter(LaneId(0)))]);
}
