//! Tests that the mock does what it is scripted to do.

use std::time::{Duration, Instant};

use super::{Lab, Step};
use atex::sut::{
    Cancel, Channel, Cut, End, EnvFile, Job, JobKind, OnHeld, Sut, SutState, Trouble, TroubleKind, Urgency,
};

fn job() -> Job {
    Job {
        kind: JobKind::Script {
            plan_data: None,
            step: None,
        },
        script: "x".into(),
        slot: "tree".into(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Base,
    }
}

fn drain(channel: &mut dyn Channel) -> (Vec<u8>, Vec<u8>) {
    let (mut control, mut output) = (Vec::new(), Vec::new());
    let mut buffer = [0; 7];
    let mut over = (false, false);
    while over != (true, true) {
        channel.wait(None, Urgency::Now).unwrap();
        if let Ok(count) = channel.read_control(&mut buffer) {
            control.extend_from_slice(&buffer[..count]);
            over.0 = count == 0;
        }
        if let Ok(count) = channel.read_output(&mut buffer) {
            output.extend_from_slice(&buffer[..count]);
            over.1 = count == 0;
        }
    }
    (control, output)
}

#[test]
fn a_scripted_job_says_its_steps_in_order_and_then_exits_0() {
    let lab = Lab::default();
    let mut mock = lab.machine("m", &Cancel::new().unwrap());
    let says = |text: &str| Step::Control(text.into());
    lab.script(
        "x",
        vec![
            says("noop\n"),
            Step::Pause,
            Step::Output("printed".into()),
            says("noop\n"),
            Step::Exit(3),
        ],
    );
    let mut channel = mock.start(&job()).unwrap();
    assert_eq!(
        drain(&mut *channel),
        (b"noop\nnoop\nexitcode 3\n".to_vec(), b"printed".to_vec())
    );
    assert_eq!(channel.end(Instant::now()), End::Clean);
    let mut channel = mock.start(&job()).unwrap();
    assert_eq!(drain(&mut *channel).0, b"exitcode 0\n");
    assert_eq!(lab.lines(), ["m: start x", "m: start x"]);
}

#[test]
fn an_overrun_is_a_passed_deadline_and_ends_when_it_is_told() {
    let lab = Lab::default();
    let mut mock = lab.machine("m", &Cancel::new().unwrap());
    lab.script("x", vec![Step::Overrun]);
    let mut channel = mock.start(&job()).unwrap();
    let far = Instant::now() + Duration::from_hours(1);
    assert!(channel.wait(Some(far), Urgency::None).unwrap().timed_out);
    channel.terminate(Cut::Wanted);
    assert_eq!(drain(&mut *channel).0, b"exitcode 143\n");
}

#[test]
fn planned_troubles_come_once_and_states_survive_the_connection() {
    let lab = Lab::default();
    let cancel = Cancel::new().unwrap();
    lab.fail("m", "open", Trouble::new(TroubleKind::Unreachable, "gone"));
    let mut mock = lab.machine("m", &cancel);
    assert_eq!(
        mock.open(OnHeld::Fail, &mut |_| ()).unwrap_err().kind,
        TroubleKind::Unreachable
    );
    assert!(mock.open(OnHeld::Fail, &mut |_| ()).is_ok());
    let state = SutState {
        layers: 3,
        ..SutState::default()
    };
    mock.set_state(&state).unwrap();
    drop(mock);
    assert_eq!(
        lab.machine("m", &cancel).open(OnHeld::Fail, &mut |_| ()).unwrap().state,
        state
    );
}
