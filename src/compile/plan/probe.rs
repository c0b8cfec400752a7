//! Runs the probe of a plan (`extra-atex-probe`): a command on this host whose output stands for the state of the world that the
//! plan prepares from.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::compile::error::ProbeProblem;
use crate::host::program::{self, Bounds};

/// The probe of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe<'p> {
    /// The name of the plan. Other plans may have the same probe.
    pub plan: &'p str,
    /// The root of the tree, in which the probe runs.
    pub root: &'p Path,
    /// The bash text of the command.
    pub command: &'p str,
}

impl Probe<'_> {
    /// Runs the probe on this host, and returns what it printed, without newlines at the end.
    pub fn run(&self) -> Result<String, ProbeProblem> {
        run_within(self.command, self.root, LIMIT)
    }
}

/// How long a probe may run.
const LIMIT: Duration = Duration::from_mins(1);
/// How many bytes a probe may print. The limit is there because the output is kept in every record of the step.
const OUTPUT: usize = 1 << 20;
/// How many bytes of its stderr are shown.
const SHOWN: usize = 4096;

fn run_within(command: &str, root: &Path, limit: Duration) -> Result<String, ProbeProblem> {
    let mut bash = Command::new("bash");
    bash.args(["-eo", "pipefail", "-c", command])
        .current_dir(root)
        .stdin(Stdio::null());
    let bounds = Bounds {
        time: Some(limit),
        // One byte more than allowed shows that there was too much.
        output: Some(OUTPUT + 1),
    };
    let ended = program::run(&mut bash, &format!("the probe `{command}`"), bounds)?;
    if ended.stdout.len() > OUTPUT {
        return Err(ProbeProblem::TooMuch { limit: OUTPUT as u64 });
    }
    let stderr = tail(&ended.stderr);
    let Some(status) = ended.status else {
        return Err(ProbeProblem::Timeout {
            seconds: limit.as_secs(),
            stderr,
        });
    };
    if !status.success() {
        return Err(ProbeProblem::Failed {
            status: status.to_string(),
            stderr,
        });
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim_end_matches('\n').to_owned())
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SHOWN)..]).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Probe, run_within};
    use crate::compile::error::ProbeProblem;

    fn run(command: &str, root: &Path) -> Result<String, ProbeProblem> {
        let plan = "/plan";
        Probe { plan, root, command }.run()
    }

    #[test]
    fn what_a_probe_prints_is_its_answer() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("file"), "in the root\n\n").expect("written");
        assert_eq!(
            run("cat file; echo loud >&2", root.path()).expect("it works"),
            "in the root"
        );
    }

    #[test]
    fn a_probe_that_fails_says_how() {
        let failed = run("echo why >&2; false | cat; echo not here", Path::new("/"));
        let Err(ProbeProblem::Failed { status, stderr }) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!((status.as_str(), stderr.as_str()), ("exit status: 1", "why\n"));
    }

    #[test]
    fn a_probe_that_never_ends_is_ended_with_all_it_started() {
        let ended = run_within(
            "echo so far >&2; sleep 1000 & sleep 1000",
            Path::new("/"),
            Duration::from_millis(300),
        );
        let Err(ProbeProblem::Timeout { stderr, .. }) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(stderr, "so far\n");
    }

    #[test]
    fn a_probe_that_prints_without_end_is_refused() {
        let refused = run("cat /dev/zero", Path::new("/"));
        assert!(matches!(refused, Err(ProbeProblem::TooMuch { .. })), "{refused:?}");
    }
}
