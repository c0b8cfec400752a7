//! The text around a test with tmt's interface: the variables, the commands and the directory that tmt promises its tests.
//!
//! `around_test.bash` runs on the machine as part of the job, with `checks.bash` before it where the test has checks, and `commands.bash` is
//! what it puts in front of `PATH`. What the test leaves in
//! `TMT_TEST_DATA` comes back over the control stream as files of the test's own result.

use std::path::Path;

use crate::sut::agent::job_text::quote;

/// What a test with tmt's interface has beyond one with atex's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmtTest {
    /// Its number in its plan, from 1.
    pub serial: u32,
    /// Its framework, as the metadata call it.
    pub framework: &'static str,
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

/// Where and how a test of tmt's runs on its machine.
pub(crate) struct Surroundings<'a> {
    /// The directory for it.
    pub(crate) dir: &'a Path,
    /// Its script.
    pub(crate) script: &'a Path,
    /// How often the machine went away under it and came back.
    pub(crate) reboots: u32,
    /// Whether the machine comes back from a reboot.
    pub(crate) can_reboot: bool,
    /// The text that sets its variables.
    pub(crate) environment: &'a [u8],
}

/// The end of a job's text, that runs a test of tmt's.
pub(crate) fn text(test: &TmtTest, around: &Surroundings<'_>) -> Vec<u8> {
    let mut text = b"set --".to_vec();
    let (reboots, serial, most) = (
        around.reboots.to_string(),
        test.serial.to_string(),
        test.restart.most.to_string(),
    );
    let codes: Vec<String> = test.restart.exit_codes.iter().map(i32::to_string).collect();
    let codes = format!(" {} ", codes.join(" "));
    let word = |is_so: bool| if is_so { "yes" } else { "" };
    let words = [
        around.dir.as_os_str().as_encoded_bytes(),
        around.script.as_os_str().as_encoded_bytes(),
        reboots.as_bytes(),
        serial.as_bytes(),
        include_bytes!("commands.bash"),
        test.framework.as_bytes(),
        around.environment,
        codes.as_bytes(),
        most.as_bytes(),
        word(test.restart.with_reboot).as_bytes(),
        word(around.can_reboot).as_bytes(),
    ];
    for word in words {
        text.push(b' ');
        text.extend(quote(word));
    }
    text.push(b'\n');
    text.extend(checks(&test.checks));
    text.extend_from_slice(include_bytes!("around_test.bash"));
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
