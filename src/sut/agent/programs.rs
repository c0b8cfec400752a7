//! The bash programs in the form in which they are sent to a machine: a length, then the text without its comments.
//!
//! Invariant: what is sent is ASCII, because [`BOOT`](crate::sut::agent::link::BOOT) counts characters in whatever locale a
//! login has.

/// The agent: the program that holds the lease and answers requests.
///
/// Its files hold functions and may stand in any order, except for the first and the last: `start` sets bash up for the
/// functions, and `main` runs the loop that calls them.
pub(crate) const AGENT: &str = concat!(
    include_str!("bash/agent/start.bash"),
    include_str!("bash/agent/protocol.bash"),
    include_str!("bash/agent/heartbeat.bash"),
    include_str!("bash/agent/directory.bash"),
    include_str!("bash/agent/reserve.bash"),
    include_str!("bash/agent/lease.bash"),
    include_str!("bash/agent/job.bash"),
    include_str!("bash/agent/facts.bash"),
    include_str!("bash/agent/state.bash"),
    include_str!("bash/daemons.bash"),
    include_str!("bash/agent/daemons.bash"),
    include_str!("bash/agent/environment.bash"),
    include_str!("bash/agent/plan_data.bash"),
    include_str!("bash/agent/tree/mounts.bash"),
    include_str!("bash/agent/tree/listing.bash"),
    include_str!("bash/agent/tree/reads.bash"),
    include_str!("bash/agent/tree/slots.bash"),
    include_str!("bash/agent/tree/sync.bash"),
    include_str!("bash/agent/main.bash"),
);

/// The wrapper: the program that runs a job.
pub(crate) const WRAPPER: &str = concat!(include_str!("bash/daemons.bash"), include_str!("bash/wrapper.bash"));

/// Returns what is sent to a bash that was just started, so that it becomes `program` and prints the line `marker` first.
pub(crate) fn opening(program: &str, marker: &str) -> Vec<u8> {
    let lines = program.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    format!("{}\n{text}{marker}\n", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_travel_in_ascii_and_bash_understands_them() {
        for program in [AGENT, WRAPPER] {
            let sent = String::from_utf8(opening(program, "marker")).unwrap();
            let (length, text) = sent.split_once('\n').unwrap();
            let text = text.strip_suffix("marker\n").unwrap();
            assert!(text.is_ascii());
            assert_eq!(length.parse(), Ok(text.len()));
            let checked = std::process::Command::new("bash").args(["-n", "-c", text]).output();
            assert_eq!(String::from_utf8(checked.unwrap().stderr).unwrap(), "");
        }
    }
}
