//! The command line that starts bash over SSH, and how bash's exit code is read.
//!
//! The command line removes from bash's environment what the login left there beside the variables that jobs may see.
//!
//! libssh2 returns 0 as the exit code of a command that has not ended yet, and `ssh2` cannot tell whether the exit code has
//! arrived. So success travels as [`SUCCESS`], and 0 means that the code was not told yet.

use crate::sut::agent::link::{BOOT, CLEAN, ProcessExit};

/// The number that stands for exit code 0 between the machine's bash and atex.
pub(crate) const SUCCESS: i32 = 199;

/// Returns the command line that starts bash on the machine. It has no single quote in it, so any login shell can be given
/// it.
pub(crate) fn command(sudo: bool) -> String {
    let tell = format!(r#"trap "exit \$((\$? ? \$? : {SUCCESS}))" EXIT; "#);
    bash(sudo, &tell)
}

/// Returns the same command line for the `ssh` client, which reports the exit code as it is.
pub(crate) fn plain_command(sudo: bool) -> String {
    bash(sudo, "")
}

fn bash(sudo: bool, first: &str) -> String {
    let become_root = if sudo { "sudo -n -H -- " } else { "" };
    format!("exec {become_root}bash --noprofile --norc -c '{first}{CLEAN}; {BOOT}'")
}

/// Reads how a channel's command ended; `None` if it has not ended yet.
pub(crate) fn read_exit(channel: &ssh2::Channel) -> Option<ProcessExit> {
    // The signal is asked for first, because the exit code of a command that a signal ended is 0 too.
    if let Some(name) = channel.exit_signal().ok().and_then(|signal| signal.exit_signal) {
        return Some(
            signal_number(&name).map_or_else(|| ProcessExit::Lost(format!("signal {name}")), ProcessExit::Signal),
        );
    }
    match channel.exit_status() {
        Ok(0) | Err(_) => None,
        Ok(SUCCESS) => Some(ProcessExit::Code(0)),
        Ok(code) => Some(ProcessExit::Code(code)),
    }
}

/// Returns the number on Linux of a signal of RFC 4254, or of one that OpenSSH adds.
fn signal_number(name: &str) -> Option<i32> {
    let numbers = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("ABRT", 6),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
    ];
    numbers
        .iter()
        .find_map(|(known, number)| (*known == name).then_some(*number))
}
