//! The text around what tmt makes promises to: the variables, the commands and the directories that its tests, and its prepare and finish
//! scripts, find.
//!
//! `around_test.bash` and `around_script.bash` run on the machine as part of the job, with the functions of `promised.bash` and
//! `send.bash`, and those of `checks.bash` where a test has checks; `commands.bash` is what they put in front of `PATH`. What the test
//! leaves in `TMT_TEST_DATA`, and what it changes in the data of its plan, comes back over the control stream as files of the test's own
//! result.

use std::path::{Path, PathBuf};

use crate::sut::agent::job_text::quote;

/// The file of a test's result that lists what the test has changed in the data of its plan. Without any change there is no such file.
pub const PLAN_DATA_CHANGES: &str = "plan-data.txt";

/// What a test with tmt's interface has beyond one with atex's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmtTest {
    /// Its number in its plan, from 1.
    pub serial: u32,
    /// Its framework, as the metadata call it.
    pub framework: &'static str,
    /// Whether it finds what restraint promises beside.
    pub restraint: bool,
    /// The data of its plan.
    pub plan_data: PlanData,
    /// When it is started again by itself.
    pub restart: TestRestart,
    /// What is looked at before and after it: the name of each check, and its options.
    pub checks: Vec<Vec<String>>,
}

/// When a test is started again after its end, under the same deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRestart {
    /// After these exit codes.
    pub exit_codes: Vec<i32>,
    /// Not more often than that, together with its reboots.
    pub most: u32,
    /// Whether the machine is rebooted before.
    pub with_reboot: bool,
}

/// Which data of a plan a job has as `TMT_PLAN_DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanData {
    /// What the prepare steps of a chain make, for these steps.
    OfChain,
    /// The copy of that which the tests and finish steps of a plan share.
    OfPlan {
        /// The name of the plan.
        plan: String,
        /// The run that the copy must be of: one that another run has left is made anew. Finish steps take any, and name none.
        run: String,
    },
}

impl PlanData {
    /// Returns the directory, where `chain` is what the prepare steps make.
    fn directory(&self, chain: &Path) -> PathBuf {
        match self {
            Self::OfChain => chain.to_owned(),
            Self::OfPlan { plan, .. } => {
                let name = &blake3::hash(plan.as_bytes()).to_hex()[..16];
                chain.with_added_extension(format!("plan-{name}"))
            }
        }
    }

    fn run(&self) -> &str {
        match self {
            Self::OfChain => "",
            Self::OfPlan { run, .. } => run,
        }
    }
}

/// Where and how a job of tmt's runs on its machine.
pub(crate) struct Surroundings<'a> {
    /// The directory for what is promised, which is emptied before.
    pub(crate) dir: &'a Path,
    /// Its script.
    pub(crate) script: &'a Path,
    /// The plan data that prepare steps make.
    pub(crate) chain: &'a Path,
    /// Whether the machine comes back from a reboot.
    pub(crate) can_reboot: bool,
    /// The text that sets its variables.
    pub(crate) environment: &'a [u8],
}

/// The end of a job's text, that runs a test of tmt's. `reboots` says how often the machine went away under it and came back.
pub(crate) fn of_test(test: &TmtTest, around: &Surroundings<'_>, reboots: u32) -> Vec<u8> {
    let (reboots, serial, most) = (
        reboots.to_string(),
        test.serial.to_string(),
        test.restart.most.to_string(),
    );
    let codes: Vec<String> = test.restart.exit_codes.iter().map(i32::to_string).collect();
    let codes = format!(" {} ", codes.join(" "));
    let word = |is_so: bool| if is_so { "yes" } else { "" };
    let own = test.plan_data.directory(around.chain);
    let words = [
        bytes(around.dir),
        bytes(around.script),
        reboots.as_bytes(),
        serial.as_bytes(),
        include_bytes!("commands.bash"),
        test.framework.as_bytes(),
        around.environment,
        codes.as_bytes(),
        most.as_bytes(),
        word(test.restart.with_reboot).as_bytes(),
        word(around.can_reboot).as_bytes(),
        bytes(around.chain),
        bytes(&own),
        test.plan_data.run().as_bytes(),
        word(test.restraint).as_bytes(),
    ];
    let checks = checks(&test.checks);
    text(&words, &[PROMISED, SEND, &checks, include_bytes!("around_test.bash")])
}

/// The text before a prepare or finish script.
pub(crate) fn before_script(around: &Surroundings<'_>, data: &PlanData) -> Vec<u8> {
    let own = data.directory(around.chain);
    let copy = if own == around.chain { &[] } else { bytes(&own) };
    let words = [
        bytes(around.dir),
        include_bytes!("commands.bash"),
        around.environment,
        bytes(around.chain),
        copy,
    ];
    text(&words, &[PROMISED, include_bytes!("around_script.bash")])
}

/// The text that sends the data of a plan.
pub(crate) fn send_plan_data(around: &Surroundings<'_>, data: &PlanData) -> Vec<u8> {
    let own = data.directory(around.chain);
    let words = [bytes(&own), bytes(around.chain)];
    text(&words, &[SEND, include_bytes!("send_plan_data.bash")])
}

const PROMISED: &[u8] = include_bytes!("promised.bash");
const SEND: &[u8] = include_bytes!("send.bash");

fn text(words: &[&[u8]], programs: &[&[u8]]) -> Vec<u8> {
    let mut text = b"set --".to_vec();
    for word in words {
        text.push(b' ');
        text.extend(quote(word));
    }
    text.push(b'\n');
    text.extend(programs.concat());
    text
}

/// The text that defines `checks DIRECTORY EVENT`, which runs all checks of a test before or after it.
fn checks(checks: &[Vec<String>]) -> Vec<u8> {
    if checks.is_empty() {
        return b"checks() { :; }\n".to_vec();
    }
    let mut text = include_bytes!("checks.bash").to_vec();
    text.extend_from_slice(b"checks() {\n");
    for words in checks {
        text.extend_from_slice(b"check \"$1\" \"$2\"");
        for word in words {
            text.push(b' ');
            text.extend(quote(word.as_bytes()));
        }
        text.push(b'\n');
    }
    text.extend_from_slice(b"}\n");
    text
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}
