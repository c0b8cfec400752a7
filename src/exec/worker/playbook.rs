//! Runs a playbook of Ansible against the worker's SUT, with the `ansible-playbook` of this host.
//!
//! It sees the environment of atex and the variables of the plan, starts in the root of the plan's tree, and is ended when the user
//! cancels. What it prints goes to the log of the step.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use atex_graph::{FileMode, InputFile, Inputs};
use tempfile::TempDir;

use crate::compile::spec::{Playbook, StepSpec, UploadFile, UploadKind};
use crate::control::InfraKind;
use crate::exec::attempt::log::NodeLog;
use crate::exec::attempt::script::{SCRIPT_DURATION, ScriptEnd};
use crate::exec::worker::{CommandError, Worker};
use crate::host::clock::unix_millis;
use crate::host::program::{self, Follower};
use crate::sut::agent::packages::{self, PackageNeed};
use crate::sut::{Cancel, Inventory, Sut, Urgency};

/// The program.
const ANSIBLE: &str = "ansible-playbook";

/// How often the machine is told that its runner lives, while the program does the work.
const TEND: Duration = Duration::from_secs(5);

impl Worker<'_> {
    /// Runs one playbook.
    pub(super) fn run_playbook(
        &mut self,
        step: &StepSpec,
        (playbook, extra_args): (&Playbook, &[String]),
        borne: Urgency,
        log: &mut NodeLog<'_>,
    ) -> Result<ScriptEnd, CommandError> {
        let setup = |text: String| Ok(ScriptEnd::Infra(InfraKind::Setup, text));
        let inventory = match self.sut.inventory() {
            Ok(inventory) => inventory,
            Err(trouble) => return setup(trouble.with_advice()),
        };
        let root = &self.shared.work.root;
        let (place, _page) = match place_of(playbook, root) {
            Ok(place) => place,
            Err(problem) => return setup(problem),
        };
        let mut command = command(step, extra_args, &inventory, &place, root);
        let mut follower = Play {
            cancel: &self.shared.cancel,
            borne,
            sut: self.sut.as_mut(),
            log,
            tended: Instant::now(),
            until: Instant::now() + SCRIPT_DURATION,
        };
        let what = format!("{ANSIBLE} for `{}`", follower.sut.name());
        let ended = program::follow(&mut command, &what, &mut follower);
        let cancelled = follower.is_cancelled();
        log.end_script()?;
        let status = match ended {
            Ok(status) => status,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return setup(format!(
                    "`{ANSIBLE}` is not installed on this host; hint: `how: ansible` needs it (`ansible-core`)"
                ));
            }
            Err(error) => return setup(format!("cannot run `{ANSIBLE}`: {error}")),
        };
        Ok(match status {
            None if cancelled => ScriptEnd::Infra(InfraKind::Cancelled, "cancelled by the user".to_owned()),
            None => ScriptEnd::Infra(InfraKind::Timeout, "the playbook did not end within a day".to_owned()),
            Some(status) => match (status.code(), self.changed_input(step)) {
                (Some(0), Some(path)) => ScriptEnd::Infra(
                    InfraKind::Setup,
                    format!("`{path}` has changed since the run began, so it is not known what Ansible did"),
                ),
                (Some(code), _) => ScriptEnd::Exited(code),
                (None, _) => ScriptEnd::Infra(InfraKind::Aborted, format!("`{ANSIBLE}` ended by {status}")),
            },
        })
    }

    /// Returns a script that makes sure that the machine has Python, which Ansible's modules need.
    pub(super) fn python_script(&self) -> String {
        let managers = self.facts.as_ref().map(|facts| facts.managers.as_slice());
        let package = match managers.and_then(|managers| managers.first()).map(String::as_str) {
            Some("apt" | "apk") => "python3",
            _ => "/usr/bin/python3",
        };
        let facts = self.facts.as_ref();
        let install =
            facts.and_then(|facts| packages::install_script(facts, &[package.to_owned()], PackageNeed::Required).ok());
        let install =
            install.unwrap_or_else(|| "echo 'atex: Ansible needs `python3` on the machine' >&2\nexit 1\n".to_owned());
        format!("if type -P python3 || [[ -x /usr/libexec/platform-python ]]; then exit 0; fi >/dev/null\n{install}")
    }

    /// Returns an input file of the step that is not any more what the key says. Ansible reads the files themselves, and not what
    /// was brought to the machine.
    fn changed_input(&self, step: &StepSpec) -> Option<String> {
        let Inputs::Prepare(inputs) = self.shared.work.graph.node(step.node).inputs() else {
            return None;
        };
        let root = &self.shared.work.root;
        let is_changed = |file: &&InputFile| {
            let path = Path::new(&file.path);
            // A name that was escaped cannot be looked up.
            UploadFile::input_name(path) == file.path && !is_as_before(&root.join(path), file)
        };
        inputs.files.iter().find(is_changed).map(|file| file.path.clone())
    }
}

fn is_as_before(place: &Path, file: &InputFile) -> bool {
    match (UploadKind::of(place), file.mode) {
        (Some(UploadKind::File { digest, executable, .. }), FileMode::Regular) => digest == file.digest && !executable,
        (Some(UploadKind::File { digest, executable, .. }), FileMode::Executable) => {
            digest == file.digest && executable
        }
        // What a symbolic link leads to is an input of its own, if it is in the tree.
        (Some(UploadKind::Symlink(_)), FileMode::Symlink) | (_, FileMode::Directory) => true,
        _ => false,
    }
}

/// Returns what the program is told to run: a path or a name. A page is a file in a directory that goes with the returned value.
fn place_of(playbook: &Playbook, root: &Path) -> Result<(OsString, Option<TempDir>), String> {
    match playbook {
        Playbook::Collection(name) => Ok((name.into(), None)),
        Playbook::File(path) => {
            let place = root.join(path);
            if place.is_file() {
                Ok((place.into(), None))
            } else {
                Err(format!("there is no playbook `{path}` in the tree"))
            }
        }
        Playbook::Url { content, .. } => {
            let write = || {
                let directory = tempfile::Builder::new().prefix("atex-playbook-").tempdir()?;
                let place: PathBuf = directory.path().join("playbook.yml");
                std::fs::write(&place, content.as_deref().unwrap_or_default())?;
                io::Result::Ok((place.into(), Some(directory)))
            };
            write().map_err(|error| format!("cannot write the playbook: {error}"))
        }
    }
}

/// Runs Ansible, and when it is told to end, ends all that Ansible has started: its workers lead sessions of their own, and one whose
/// parent is already ending is not told. They are known by the variable that they inherit.
const SUPERVISOR: &str = r#"end() {
    trap '' TERM
    PATH=/usr/bin:/bin
    kill -s TERM "$ansible"
    for ((round = 0; round < 40; round++)); do
        left=
        for entry in /proc/[0-9]*; do
            process=${entry#/proc/}
            [[ $process != "$$" ]] && grep -qsF "ATEX_PLAYBOOK=$ATEX_PLAYBOOK" "$entry/environ" || continue
            left=yes
            ((round < 4)) || kill -s KILL "$process"
        done 2>/dev/null
        [[ $left ]] || break
        sleep 0.05
    done
    exit 143
}
trap end TERM
"$@" &
ansible=$!
wait "$ansible"
exit "$?""#;

/// Returns the command line. Under `setpriv`, the program ends with atex even if atex is killed.
fn command(step: &StepSpec, extra_args: &[String], inventory: &Inventory, place: &OsString, root: &Path) -> Command {
    // The variables of the plan may have another `PATH`.
    let ansible = found(ANSIBLE);
    let mut command = match (found("setpriv"), found("bash"), &ansible) {
        (Some(setpriv), Some(bash), Some(ansible)) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(bash);
            command.args(["-p", "-c", SUPERVISOR, ANSIBLE]);
            command.arg(ansible);
            command
        }
        _ => Command::new(ansible.as_deref().unwrap_or(Path::new(ANSIBLE))),
    };
    command.args(extra_args).args(inventory.arguments()).arg(place);
    for variables in [&step.env_before, &step.env_after] {
        command.envs(variables.iter().map(|(name, value)| (name, value)));
    }
    command
        .env("ANSIBLE_RETRY_FILES_ENABLED", "False")
        .env("PYTHONUNBUFFERED", "1")
        .env("ATEX_PLAYBOOK", format!("{}-{}", std::process::id(), unix_millis()))
        .current_dir(root)
        .stdin(Stdio::null());
    command
}

/// Finds a program of this host.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    places.find_map(|directory| Some(directory.join(name)).filter(|place| place.is_file()))
}

/// What follows the program while it runs.
struct Play<'a, 'l> {
    cancel: &'a Cancel,
    borne: Urgency,
    sut: &'a mut dyn Sut,
    log: &'a mut NodeLog<'l>,
    tended: Instant,
    until: Instant,
}

impl Play<'_, '_> {
    fn is_cancelled(&self) -> bool {
        self.cancel.urgency() > self.borne
    }
}

impl Follower for Play<'_, '_> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.log.write(bytes)
    }

    fn gives_up(&mut self) -> bool {
        if self.tended.elapsed() >= TEND {
            self.sut.tend();
            self.tended = Instant::now();
        }
        self.is_cancelled() || Instant::now() >= self.until
    }
}
