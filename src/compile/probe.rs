//! `extra-atex-probe`: a command on this host whose output stands for the state of the world that a plan prepares from.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::ProbeProblem;

/// How long a probe may run.
const LIMIT: Duration = Duration::from_secs(60);
/// How long its last words may take after it was killed.
const GRACE: Duration = Duration::from_secs(1);
/// How much it may print: what it prints is kept in every record of the step.
const OUTPUT: u64 = 1 << 20;
/// How much of its complaint is shown.
const SHOWN: usize = 4096;

/// What comes from the threads that watch the probe.
enum News {
    Stdout(io::Result<Vec<u8>>),
    Stderr(io::Result<Vec<u8>>),
    Ended(io::Result<ExitStatus>),
}

#[derive(Default)]
struct Heard {
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<u8>>,
    status: Option<ExitStatus>,
}

/// Runs the command by bash in the root of the tree and gives what it printed, without newlines at the end.
pub(crate) fn run(command: &str, root: &Path) -> Result<String, ProbeProblem> {
    run_within(command, root, LIMIT)
}

fn run_within(command: &str, root: &Path, limit: Duration) -> Result<String, ProbeProblem> {
    let child = Command::new("bash")
        .args(["-eo", "pipefail", "-c", command])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let news = watch(child);
    let mut heard = Heard::default();
    listen(&news, Instant::now() + limit, &mut heard)?;
    let Heard { stdout, status, .. } = &mut heard;
    let (stdout, status) = (stdout.take(), status.take());
    // What it left behind would hold its output open, and belongs to no one.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    if heard.stderr.is_none() {
        listen(&news, Instant::now() + GRACE, &mut heard)?;
    }
    let stderr = tail(&heard.stderr.unwrap_or_default());
    let (Some(stdout), Some(status)) = (stdout, status) else {
        return Err(ProbeProblem::Timeout {
            seconds: limit.as_secs(),
            stderr,
        });
    };
    if stdout.len() as u64 > OUTPUT {
        return Err(ProbeProblem::TooMuch { limit: OUTPUT });
    }
    if !status.success() {
        return Err(ProbeProblem::Failed {
            status: status.to_string(),
            stderr,
        });
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end_matches('\n').to_owned())
}

/// Reads both outputs and waits for the end, each in a thread of its own, so that nothing can block the other.
fn watch(mut child: Child) -> Receiver<News> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        spawn_reader(sender.clone(), stdout, News::Stdout);
    }
    if let Some(stderr) = child.stderr.take() {
        spawn_reader(sender.clone(), stderr, News::Stderr);
    }
    // A receiver that has gone does not care.
    thread::spawn(move || sender.send(News::Ended(child.wait())));
    receiver
}

fn spawn_reader(sender: Sender<News>, pipe: impl Read + Send + 'static, news: fn(io::Result<Vec<u8>>) -> News) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // One byte more shows that there was too much; dropping the pipe then ends whoever still writes.
        let read = pipe.take(OUTPUT + 1).read_to_end(&mut bytes);
        sender.send(news(read.map(|_| bytes)))
    });
}

/// Listens until all is known or the time is over.
fn listen(news: &Receiver<News>, deadline: Instant, heard: &mut Heard) -> io::Result<()> {
    loop {
        match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(News::Stdout(bytes)) => heard.stdout = Some(bytes?),
            Ok(News::Stderr(bytes)) => heard.stderr = Some(bytes?),
            Ok(News::Ended(status)) => heard.status = Some(status?),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SHOWN)..]).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{run, run_within};
    use crate::compile::error::ProbeProblem;

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
