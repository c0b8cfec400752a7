//! How bash is started over SSH, and how its end is told.
//!
//! The command line rids bash of what the login left in its environment beside the variables that jobs may see.
//!
//! libssh2 gives 0 for the exit code of a command that has not ended yet, and its arrival cannot be asked for through `ssh2`. So
//! success travels as [`SUCCESS`], and 0 means "not told".

use crate::sut::agent::link::{BOOT, CLEAN, ProcessExit};

/// What stands for exit code 0 between bash there and here.
pub(crate) const SUCCESS: i32 = 199;

/// The command line that starts bash there, for whatever login shell takes it: no single quote is in it.
pub(crate) fn command(sudo: bool) -> String {
    let tell = format!(r#"trap "exit \$((\$? ? \$? : {SUCCESS}))" EXIT; "#);
    bash(sudo, &tell)
}

/// The same where the exit code is told as it is: by the `ssh` client.
pub(crate) fn plain_command(sudo: bool) -> String {
    bash(sudo, "")
}

fn bash(sudo: bool, first: &str) -> String {
    let become_root = if sudo { "sudo -n -H -- " } else { "" };
    format!("exec {become_root}bash --noprofile --norc -c '{first}{CLEAN}; {BOOT}'")
}

/// Reads what a channel has of an end; nothing if there was none yet.
pub(crate) fn read_exit(channel: &ssh2::Channel) -> Option<ProcessExit> {
    // Asked for first: the exit code of a command that a signal ended is 0 too.
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

/// The number of a signal of RFC 4254 on Linux, and of those that OpenSSH adds.
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
