//! Property tests of the real scheduler and workers with random outcomes: whatever happens to the machines, no test is lost, and
//! the exit code is the one for the outcomes. `bench` checks after each run that every test was reported exactly once.

use super::mock::Step;
use atex::event::{Event, NodeOutcome};
use atex::exec::options::{Mode, Until};
use atex::sut::{Trouble, TroubleKind};
use proptest::prelude::*;

use crate::exec_mock::bench::{Bench, breaks, says};

/// What one start of a job does.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Passes,
    Fails,
    Breaks,
    Overruns,
    Lies,
    Disconnects,
    Reconnects,
}

impl Fate {
    fn steps(self) -> Vec<Step> {
        match self {
            Self::Passes => vec![Step::Exit(0)],
            Self::Fails => vec![Step::Exit(1)],
            Self::Breaks => vec![breaks()],
            Self::Overruns => vec![Step::Overrun],
            Self::Lies => vec![says("nonsense\n"), Step::Exit(0)],
            Self::Disconnects => vec![says("disconnect\n"), Step::Exit(0)],
            Self::Reconnects => vec![says("reconnect\n"), breaks()],
        }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Passes),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Breaks),
        1 => Just(Fate::Overruns),
        1 => Just(Fate::Lies),
        1 => Just(Fate::Disconnects),
        1 => Just(Fate::Reconnects),
    ]
}

/// Which operation of which machine fails once, and how.
fn trouble() -> impl Strategy<Value = (usize, &'static str, TroubleKind)> {
    let operation = prop_oneof![
        Just("open"),
        Just("reopen"),
        Just("sync"),
        Just("adopt"),
        Just("reset-env-file"),
        Just("start"),
        Just("set-state"),
    ];
    let kind = prop_oneof![
        Just(TroubleKind::Unreachable),
        Just(TroubleKind::Aborted),
        Just(TroubleKind::Setup),
        Just(TroubleKind::Held),
    ];
    (0_usize..3, operation, kind)
}

const MACHINES: [&str; 3] = ["one", "two", "three"];

fn world(plans: usize, tests: usize) -> Bench {
    let bench = Bench::of(&[]);
    for plan in 0..plans {
        let text = format!(
            "discover: {{how: fmf}}\nexecute: {{how: tmt}}\nprepare: [{{how: shell, script: p{plan}}}, {{how: shell, script: q{plan}}}]\nfinish: {{script: f{plan}}}\n"
        );
        bench.write(&format!("plan{plan}.fmf"), &text);
    }
    for test in 0..tests {
        bench.write(&format!("t{test}.fmf"), "test: 'true'\n");
    }
    bench
}

/// The exit code that the outcomes stand for.
fn expected(events: &[Event], cancelled: bool) -> u8 {
    let infra = |event: &&Event| {
        matches!(
            event,
            Event::NodeFinished {
                outcome: NodeOutcome::Infra | NodeOutcome::Cancelled,
                ..
            } | Event::NodeSkipped {
                outcome: NodeOutcome::Infra | NodeOutcome::Cancelled,
                ..
            }
        )
    };
    let failed = |event: &&Event| {
        matches!(
            event,
            Event::NodeFinished {
                outcome: NodeOutcome::Fail,
                ..
            }
        )
    };
    if cancelled {
        130
    } else if events.iter().any(|event| infra(&event)) {
        3
    } else {
        u8::from(events.iter().any(|event| failed(&event)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_test_is_lost_and_the_exit_code_says_what_happened(
        (plans, tests, suts) in (1_usize..3, 0_usize..5, 1_usize..4),
        fates in proptest::collection::vec((0_usize..9, fate()), 0..12),
        troubles in proptest::collection::vec(trouble(), 0..5),
        cancel_at in proptest::option::weighted(0.2, 0_usize..30),
        mode in prop_oneof![Just(Mode::Build), Just(Mode::Test)],
    ) {
        let bench = world(plans, tests).on(&MACHINES[..suts]).mode(mode);
        for (job, fate) in fates {
            let name = match job {
                0..5 => format!("/t{job}"),
                5 => "p0".to_owned(),
                6 => "q1".to_owned(),
                7 => "f0".to_owned(),
                _ => "q0".to_owned(),
            };
            bench.lab.script(&name, fate.steps());
        }
        for (machine, operation, kind) in troubles {
            bench.lab.fail(MACHINES[machine], operation, Trouble::new(kind, format!("planned {operation}")));
        }
        let (mut seen, mut cancelled) = (0, false);
        let ended = bench.run_with(|_, cancel| {
            if Some(seen) == cancel_at {
                crate::exec_mock::bench::graceful(cancel);
                cancelled = true;
            }
            seen += 1;
        });
        prop_assert_eq!(&ended.finished.defect, &None);
        prop_assert_eq!(&ended.finished.host_failure, &None);
        // Who cancels after all is over has not cancelled anything.
        let cancelled = cancelled && ended.finished.cancelled;
        prop_assert_eq!(ended.finished.exit().code(), expected(&ended.events, cancelled), "{:#?}", ended.events);
        for (machine, _) in bench.lab.calls() {
            let state = bench.lab.state(&machine);
            prop_assert!(state.chain.len() <= 2);
        }
        // Whatever it was: the next run, in which nothing fails, passes.
        let calm = world_again(&bench);
        prop_assert_eq!(calm, 0);
    }
}

/// Runs the same world again on a machine of which nothing is known to fail.
fn world_again(bench: &Bench) -> u8 {
    let machines = |cancel: &atex::sut::Cancel| -> Vec<Box<dyn atex::sut::Sut>> {
        vec![Box::new(super::mock::Lab::default().machine("calm", cancel))]
    };
    assert_eq!(bench.options.until, Until::Finish);
    bench.run_on(machines, |_, _| ()).finished.exit().code()
}
