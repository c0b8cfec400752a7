//! Tests of hostile machines that do not speak the agent's protocol: whatever a machine sends, the runner ends with a clear
//! failure and uses little memory.
//!
//! Each machine is a bash that was meant to become the agent and does something else. Memory is measured in this process, so each
//! test must have its own process, as it has with cargo-nextest.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atex::sut::agent::link::child::ChildLink;
use atex::sut::agent::session::Machine;
use atex::sut::{
    Cancel, EnvFile, FileEntry, FileKind, Job, JobKind, OnHeld, SlotFiles, Sut, SyncMode, Trouble, TroubleKind, Upload,
    Urgency,
};

/// What the runner may hold more than before, in KiB.
const MOST: u64 = 96 << 10;

/// What a bash does that was to become the agent, and one that was to become a wrapper. `marker` was read, and not said.
struct Says<'a> {
    agent: &'a str,
    wrapper: &'a str,
}

/// An agent as it should be.
const HONEST: &str = r#"{ printf '%s\n' "$marker"; cat; } | eval "$program""#;

/// An agent that lets itself be opened, with an empty account of itself, and knows where the runner's request ends.
const OPENED: &str = r#"echo "$marker"
request() { read -r -a words; head -c "$1" >/dev/null; }
read -r _ dir holder _; head -c "$((dir + holder))" >/dev/null
told=$'user=x\nuid=0\narch=x\nboot=x\nmanagers='
echo "ok 4 ${#told} 0 0 0 0"; printf '/tmp%s' "$told"
"#;

fn machine(says: &Says<'_>) -> (Machine<ChildLink>, tempfile::TempDir) {
    let text = format!(
        "IFS= read -r n; IFS= read -r -N $n program; IFS= read -r marker; export LC_ALL=C\ncase $program in *agent_open*) {}\n;; *) {}\n;; esac",
        says.agent, says.wrapper
    );
    let command = ["bash", "--noprofile", "--norc", "-c", &text];
    let link = ChildLink::running("hostile", command.map(OsString::from).to_vec(), None);
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::over(link, Some(dir.path().join("sut")), Cancel::new().unwrap());
    (machine, dir)
}

/// The most that this process ever held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Runs something that must fail, in little memory and not for ever.
#[track_caller]
fn fails<T>(what: impl FnOnce() -> Result<T, Trouble>) -> Trouble {
    let (before, start) = (peak(), Instant::now());
    let Err(trouble) = what() else {
        panic!("nothing was wrong with it");
    };
    let grown = peak() - before;
    assert!(grown < MOST, "{grown} KiB more: {trouble}");
    assert!(start.elapsed() < Duration::from_mins(2), "{trouble}");
    assert!(
        trouble.message.len() < 20_000,
        "{} bytes of message",
        trouble.message.len()
    );
    trouble
}

#[track_caller]
fn opening_fails(agent: &str) -> Trouble {
    let (mut sut, _dir) = machine(&Says { agent, wrapper: "exit" });
    fails(|| sut.open(OnHeld::Fail, &mut |_| ()))
}

#[test]
fn login_that_prints_without_end_is_given_up() {
    let trouble = opening_fails("yes welcome");
    assert_eq!(trouble.kind, TroubleKind::Setup);
    assert!(trouble.message.contains("prints without end"), "{trouble}");
}

#[test]
fn line_without_end_is_given_up() {
    for agent in ["tr '\\0' x </dev/zero", "echo \"$marker\"; tr '\\0' x </dev/zero"] {
        let trouble = opening_fails(agent);
        assert_eq!(trouble.kind, TroubleKind::Setup);
        assert!(trouble.message.contains("a line without end"), "{trouble}");
    }
}

#[test]
fn reply_that_is_too_long_is_refused_before_it_is_read() {
    for agent in [
        "echo \"$marker\"; echo ok 1073741824; cat /dev/zero",
        "echo \"$marker\"; echo ok 10000000 10000000; cat /dev/zero",
        "echo \"$marker\"; echo ok 99999999999999999999999; cat /dev/zero",
        "echo \"$marker\"; echo err 1073741824; cat /dev/zero",
        "echo \"$marker\"; echo ok -1; cat /dev/zero",
    ] {
        let trouble = opening_fails(agent);
        assert_eq!(trouble.kind, TroubleKind::Setup, "{trouble}");
    }
}

#[test]
fn complaint_of_any_length_is_a_short_message() {
    let trouble = opening_fails("echo \"$marker\"; echo err 10000000; head -c 10000000 /dev/zero | tr '\\0' x; cat");
    assert_eq!(trouble.kind, TroubleKind::Setup);
    let trouble = opening_fails("echo \"$marker\"; tr '\\0' x </dev/zero | head -c 100000000 >&2");
    assert_eq!(trouble.kind, TroubleKind::Aborted);
}

#[test]
fn state_that_is_nested_without_end_is_a_taint() {
    let agent = OPENED.replace("managers='", "managers=\\nstate=kept'").replace(
        "0 0 0 0\"; printf '/tmp%s' \"$told\"",
        "0 1000000 5000 0\"; printf '/tmp%s' \"$told\"; head -c 1000000 /dev/zero | tr '\\0' '['; head -c 5000 /dev/zero | tr '\\0' '\\033'\nread -r _ n; head -c $n >/dev/null; echo ok; cat >/dev/null",
    );
    let (mut sut, _dir) = machine(&Says {
        agent: &agent,
        wrapper: "exit",
    });
    let hello = sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let reason = hello.state.taint.expect("it is not believed").reason;
    assert!(reason.contains("unreadable") && reason.len() < 1000, "{reason}");
}

/// One file of some MiB.
fn upload(dir: &Path) -> Upload {
    let source = dir.join("big");
    std::fs::write(&source, vec![b'x'; 8 << 20]).unwrap();
    let entry = FileEntry {
        path: "big".into(),
        kind: FileKind::File {
            digest: *blake3::hash(&std::fs::read(&source).unwrap()).as_bytes(),
            executable: false,
            size: 8 << 20,
        },
        source,
        content: None,
    };
    Upload {
        observed: false,
        slot: "tree".into(),
        files: Arc::new(SlotFiles { files: vec![entry] }),
    }
}

/// What a sync comes to on a machine whose agent answers so.
fn sync_fails(answer: &str) -> Trouble {
    let agent = format!("{OPENED}read -r _; {answer}");
    let (mut sut, _dir) = machine(&Says {
        agent: &agent,
        wrapper: "exit",
    });
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let upload = upload(dir.path());
    fails(|| sut.sync(&upload, SyncMode::Exact))
}

#[test]
fn list_of_files_that_is_too_long_is_refused() {
    let trouble = sync_fails("echo changed 300000000 0 0 0; cat /dev/zero");
    assert!(trouble.message.contains("a reply is longer than"), "{trouble}");
}

#[test]
fn machine_that_talks_instead_of_listening_is_given_up() {
    let trouble = sync_fails("echo changed 0 0 0 0; yes");
    assert!(trouble.message.contains("without being asked"), "{trouble}");
}

fn job() -> Job {
    Job {
        kind: JobKind::Test {
            name: "/a".into(),
            metadata: String::new(),
            restarts: 0,
            tty: false,
            tmt: None,
        },
        script: "true".into(),
        slot: "tree".into(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Prepared,
    }
}

#[test]
fn wrapper_that_never_starts_the_job_is_given_up() {
    for wrapper in [
        "yes",
        "tr '\\0' x </dev/zero",
        "echo \"$marker\"; tr '\\0' x </dev/zero",
        "echo \"$marker\"; echo perhaps",
        "echo \"$marker\"; printf 'refused '; tr '\\0' x </dev/zero",
    ] {
        let (mut sut, _dir) = machine(&Says { agent: HONEST, wrapper });
        sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
        let trouble = fails(|| sut.start(&job()).map(drop));
        assert_eq!(trouble.kind, TroubleKind::Setup, "{trouble}");
    }
}

#[test]
fn streams_without_end_are_read_as_they_come() {
    let wrapper = "echo \"$marker\"; echo started; yes & yes >&2";
    let (mut sut, _dir) = machine(&Says { agent: HONEST, wrapper });
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let mut channel = sut.start(&job()).unwrap();
    let before = peak();
    let (mut control, mut output) = (0, 0);
    let mut buffer = vec![0; 64 << 10];
    while control < 200 << 20 || output < 200 << 20 {
        let ready = channel
            .wait(Some(Instant::now() + Duration::from_mins(1)), Urgency::Now)
            .unwrap();
        assert!(!ready.timed_out);
        if ready.control {
            control += channel.read_control(&mut buffer).unwrap_or(0);
        }
        if ready.output {
            output += channel.read_output(&mut buffer).unwrap_or(0);
        }
    }
    let grown = peak() - before;
    assert!(grown < MOST, "{grown} KiB more");
}
