//! Writes the bash text of a job: its environment, in a fixed order, and then its script.
//!
//! Later variables win over earlier ones; the order is: the environment of the machine's login, the plan's environment, the
//! plan environment file, the environment of the test and then of the command line, and the variables that every test is
//! promised. Values travel in a file of mode 0600, never on a command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::sut::interface::{self, Surroundings};
use crate::sut::project::of_slot;
use crate::sut::{Job, JobKind};

/// The file descriptor of a test's control stream.
const CONTROL: &str = "7";

/// Why the text of a job cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadJob {
    /// A variable's name is not one that bash can export.
    #[error("`{0}` is not a name that an environment variable can have in bash")]
    Name(String),
    /// A value or a script has a NUL byte.
    #[error("{0} contains a NUL byte")]
    Nul(String),
    /// The working directory leads out of the tree.
    #[error("`{0}` is not a directory below the tree")]
    Dir(String),
    /// The slot's name leads out of the directory of trees.
    #[error("`{0}` is not a name for a slot: it must match `[a-z0-9-]+`")]
    Slot(String),
}

/// The agent that holds the lease for a job, by its process id and start time as the machine numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseHolder {
    agent: u64,
    begun: u64,
    /// When the machine's first process started. Two processes that disagree about it do not see the same process ids.
    init: u64,
}

impl LeaseHolder {
    /// Reads the facts that an agent tells.
    pub(crate) fn of(told: &str) -> Self {
        let line = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default()
        };
        let number = |word: &str| word.parse().unwrap_or_default();
        let (agent, begun) = line("agent").split_once(' ').unwrap_or_default();
        Self {
            agent: number(agent),
            begun: number(begun),
            init: number(line("init")),
        }
    }
}

/// A job in the form in which a wrapper takes it.
pub(crate) struct PackedJob {
    mode: String,
    holder: LeaseHolder,
    /// The machine's directory, the job's directory, the name of the job, and its three files.
    payloads: [Vec<u8>; 6],
}

impl PackedJob {
    /// Returns the line and the payloads to send. The wrapper ends its last line with the seal. Without a heartbeat the
    /// wrapper bears any silence of the runner.
    pub(crate) fn message(&self, seal: &str, heartbeat: Option<Duration>) -> Vec<u8> {
        let beat = heartbeat.map_or(0, |silence| silence.as_secs().max(1));
        let LeaseHolder { agent, begun, init } = self.holder;
        let mut message = format!("{} {beat} {seal} {agent} {begun} {init}", self.mode).into_bytes();
        for payload in &self.payloads {
            message.extend_from_slice(format!(" {}", payload.len()).as_bytes());
        }
        message.push(b'\n');
        message.extend(self.payloads.iter().flatten());
        message
    }
}

/// Packs a job for the machine whose directory is `dir` and whose data is in `data`. The job may run as long as `holder` has
/// the lease. A test may ask the machine to reboot if it comes back from that.
pub(crate) fn pack(
    job: &Job,
    (dir, data): (&Path, &Path),
    holder: LeaseHolder,
    can_reboot: bool,
) -> Result<PackedJob, BadJob> {
    check_slot(&job.slot)?;
    check_dir(&job.dir)?;
    let cwd = data.join("tree").join(&job.slot).join(&job.dir);
    let (mode, name, metadata) = match &job.kind {
        JobKind::Test {
            name, metadata, tty, ..
        } => (if *tty { "tty" } else { "test" }, name.as_str(), metadata.as_str()),
        JobKind::SendPlanData(_) => ("test", "", ""),
        JobKind::Script { step: Some(step), .. } => ("prepare", step.name.as_str(), ""),
        JobKind::Script { step: None, .. } => ("script", "", ""),
    };
    let mode = match &job.kind {
        JobKind::Script { step: Some(step), .. } => format!("{mode}:{}", step.index),
        _ => mode.to_owned(),
    };
    let called = match &job.kind {
        JobKind::Script { step: Some(_), .. } => name.to_owned(),
        _ => called(name),
    };
    let prologue = prologue(job, data, can_reboot)?;
    let texts = [
        ("the directory there", trimmed(dir)),
        ("the working directory", trimmed(&cwd)),
        ("the name", called.as_bytes()),
        ("the environment", prologue.as_slice()),
        ("the script", job.script.as_bytes()),
        ("the metadata", metadata.as_bytes()),
    ];
    if let Some((what, _)) = texts.iter().find(|(_, text)| text.contains(&0)) {
        return Err(BadJob::Nul((*what).to_owned()));
    }
    Ok(PackedJob {
        mode,
        holder,
        payloads: texts.map(|(_, text)| text.to_vec()),
    })
}

/// Returns the name of a job for the message that says that it was cut off.
fn called(test: &str) -> String {
    if test.is_empty() {
        "a script".to_owned()
    } else {
        format!("`{test}`")
    }
}

/// Returns a path without slashes at its end.
fn trimmed(path: &Path) -> &[u8] {
    path.components().as_path().as_os_str().as_bytes()
}

/// Checks that `slot` is a valid name of a slot.
pub(crate) fn check_slot(slot: &str) -> Result<(), BadJob> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !slot.is_empty() && slot.bytes().all(fits) {
        return Ok(());
    }
    Err(BadJob::Slot(slot.to_owned()))
}

/// Checks that `dir` stays below the tree.
fn check_dir(dir: &str) -> Result<(), BadJob> {
    let stays = Path::new(dir)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if stays && !dir.contains('\0') {
        return Ok(());
    }
    Err(BadJob::Dir(dir.to_owned()))
}

/// Quotes bytes for bash, as one word in which nothing is special.
pub(crate) fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Returns the text that sets a job's environment and then reads its script.
fn prologue(job: &Job, data: &Path, can_reboot: bool) -> Result<Vec<u8>, BadJob> {
    let work = data.join("job");
    let mut text = Text::default();
    if let JobKind::Test { tty: true, .. } = job.kind {
        text.enter_terminal(&work);
    }
    let environment = environment(job, (data, &work))?;
    let script = work.join("script");
    let around = Surroundings {
        dir: &data.join("tmt"),
        script: &script,
        chain: &data.join("plan").join(job.env_file.name(of_slot(&job.slot))),
        environment: &environment,
        can_reboot,
    };
    match &job.kind {
        JobKind::Test {
            tmt: Some(test),
            restarts,
            ..
        } => {
            text.0.extend(interface::of_test(test, &around, *restarts));
            return Ok(text.0);
        }
        JobKind::SendPlanData(data) => {
            text.0.extend(interface::send_plan_data(&around, data));
            return Ok(text.0);
        }
        JobKind::Script {
            plan_data: Some(data), ..
        } => text.0.extend(interface::before_script(&around, data)),
        JobKind::Test { tmt: None, .. } | JobKind::Script { plan_data: None, .. } => text.0.extend(&environment),
    }
    // A write that nobody reads then fails without ending this shell. The programs that it starts still die of SIGPIPE, as
    // usual.
    text.line(&[b"trap : PIPE"]);
    text.line(&[b"set --; set -eo pipefail"]);
    text.line(&[b". ", &quote(script.as_os_str().as_bytes())]);
    Ok(text.0)
}

/// Returns the text that sets a job's environment.
fn environment(job: &Job, (data, work): (&Path, &Path)) -> Result<Vec<u8>, BadJob> {
    let env_file = data.join("env").join(job.env_file.name(of_slot(&job.slot)));
    let mut text = Text::default();
    for (name, value) in &job.env_before {
        text.export(name, value.as_ref())?;
    }
    text.line(&[b"set -a; . ", &quote(env_file.as_os_str().as_bytes()), b"; set +a"]);
    for (name, value) in &job.env_after {
        text.export(name, value.as_ref())?;
    }
    text.export("TMT_PLAN_ENVIRONMENT_FILE", env_file.as_os_str())?;
    text.export("TMT_TREE", data.join("tree").join(&job.slot).as_os_str())?;
    if let JobKind::Test { name, restarts, .. } = &job.kind {
        text.export("TMT_TEST_NAME", name.as_ref())?;
        text.export("TMT_TEST_METADATA", work.join("metadata.yaml").as_os_str())?;
        text.export("TMT_REBOOT_COUNT", restarts.to_string().as_ref())?;
        text.export("TMT_TEST_RESTART_COUNT", restarts.to_string().as_ref())?;
        text.export("ATEX_TEST_CONTROL", CONTROL.as_ref())?;
    }
    Ok(text.0)
}

#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn line(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self.0.push(b'\n');
    }

    fn export(&mut self, name: &str, value: &OsStr) -> Result<(), BadJob> {
        let first = name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !first || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(BadJob::Name(name.to_owned()));
        }
        if value.as_bytes().contains(&0) {
            return Err(BadJob::Nul(format!("the value of `{name}`")));
        }
        self.line(&[b"export ", name.as_bytes(), b"=", &quote(value.as_bytes())]);
        Ok(())
    }

    /// Text for the shell that runs under `script`: it tells the wrapper of the new session, sets the size of the terminal,
    /// and restores `SHELL`.
    fn enter_terminal(&mut self, work: &Path) {
        let groups = quote(work.join("groups").as_os_str().as_bytes());
        self.line(&[
            b"read -r -a atex_stat </proc/$$/stat; printf '%s %s\\n' $$ \"${atex_stat[21]}\" >>",
            &groups,
        ]);
        self.line(&[b"unset -v atex_stat; stty rows 24 cols 80"]);
        // bash sets `TERM` to `dumb` by itself, without exporting it.
        self.line(&[b"printenv TERM >/dev/null || export TERM=xterm"]);
        self.line(&[b"if [[ $1 ]]; then export SHELL=\"$1\"; else unset -v SHELL; fi"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_everything_that_bash_treats_as_special() {
        for value in ["", "'", "''", "a b", "$HOME `id` $(id) \\ \" ! * ~ \n\t", "ü"] {
            let script = [b"printf %s ".as_slice(), &quote(value.as_bytes())].concat();
            let output = std::process::Command::new("bash")
                .arg("-c")
                .arg(OsStr::from_bytes(&script))
                .output()
                .unwrap();
            assert_eq!(output.stdout, value.as_bytes());
        }
    }

    #[test]
    fn names_that_bash_cannot_export_are_refused() {
        for name in ["", "1A", "A B", "A=B", "A-B", "ä", "A;id", "x[$(id)]"] {
            assert_eq!(
                Text::default().export(name, "".as_ref()),
                Err(BadJob::Name(name.to_owned()))
            );
        }
        assert_eq!(Text::default().export("_a1", "".as_ref()), Ok(()));
    }

    #[test]
    fn directories_and_slots_stay_below_the_tree() {
        for dir in ["..", "a/../..", "/etc", "a/./../x\0"] {
            assert!(check_dir(dir).is_err(), "{dir}");
        }
        for dir in ["", "a", "a/b c"] {
            assert_eq!(check_dir(dir), Ok(()));
        }
        for slot in ["", ".", "..", "a/b", "A", "a b"] {
            assert!(check_slot(slot).is_err(), "{slot}");
        }
        assert_eq!(check_slot("tree-1"), Ok(()));
    }
}
