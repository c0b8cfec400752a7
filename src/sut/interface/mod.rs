//! The text around a test with tmt's interface: the variables, the commands and the directory that tmt promises its tests.
//!
//! `around_test.bash` runs on the machine as part of the job, and `commands.bash` is what it puts in front of `PATH`. What the test leaves in
//! `TMT_TEST_DATA` comes back over the control stream as files of the test's own result.

use std::path::Path;

use crate::sut::agent::job_text::quote;

/// What a test with tmt's interface has beyond one with atex's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TmtTest {
    /// Its number in its plan, from 1.
    pub serial: u32,
    /// Its framework, as the metadata call it.
    pub framework: &'static str,
}

/// The end of a job's text, that runs `script` as a test of tmt's. `dir` is the directory for it, and `environment` the text that sets the
/// test's variables.
pub(crate) fn text(test: TmtTest, (dir, script): (&Path, &Path), restarts: u32, environment: &[u8]) -> Vec<u8> {
    let mut text = b"set --".to_vec();
    let (restarts, serial) = (restarts.to_string(), test.serial.to_string());
    let words = [
        dir.as_os_str().as_encoded_bytes(),
        script.as_os_str().as_encoded_bytes(),
        restarts.as_bytes(),
        serial.as_bytes(),
        include_bytes!("commands.bash"),
        test.framework.as_bytes(),
        environment,
    ];
    for word in words {
        text.push(b' ');
        text.extend(quote(word));
    }
    text.push(b'\n');
    text.extend_from_slice(include_bytes!("around_test.bash"));
    text
}
