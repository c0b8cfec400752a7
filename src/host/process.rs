//! Marks of processes: a mark is a text that names one process for good, although the kernel reuses process numbers.

use std::fs;

/// Returns the mark of this process: the id of the boot, the process number and the start time. It is empty if `/proc` does not
/// tell.
pub(crate) fn own_mark() -> String {
    mark(std::process::id()).unwrap_or_default()
}

/// Returns whether the process of a mark is alive, on this host and in this boot.
pub(crate) fn lives(of: &str) -> bool {
    let pid = of.split(' ').nth(1).and_then(|pid| pid.parse().ok());
    pid.and_then(mark).is_some_and(|mark| mark == of)
}

fn mark(pid: u32) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program may contain anything and ends with the last parenthesis; the state follows it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| format!("{} {pid} {started}", boot.trim()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_mark_is_of_one_process_and_says_whether_it_lives() {
        assert!(lives(&own_mark()));
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let its = mark(child.id()).expect("it lives");
        assert!(lives(&its));
        let another = its.rsplit_once(' ').expect("three parts").0;
        assert!(!lives(&format!("{another} 1")), "the number was given out again");
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert!(!lives(&its));
        assert!(!lives(""));
    }
}
