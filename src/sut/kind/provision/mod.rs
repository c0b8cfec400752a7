//! The kind `provision`: machines that a program provides for the time of a run, and takes back, as in
//! `provision:./lab.sh rack-7*4`.
//!
//! The program speaks the protocol of `docs/provision.md` on its standard input and output; there is a process of it for each
//! machine. A machine is asked for when something has to run there or when nothing is known of it yet, and is given back when
//! nothing is left for it, or by the end of atex at the latest. What atex and the provisioner do not survive is remembered.

mod lease;
mod message;
mod program;
mod provided_sut;
mod recipe;
mod record;
mod shipped;

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use lease::left_behind;
pub use record::{ProvidedMachine, provided};

use self::lease::Lease;
use self::program::Program;
use self::provided_sut::ProvidedSut;
use self::recipe::{OwnMeans, Recipe};
use super::target::TargetText;
use super::{Access, Means, NoAccess, Parameter, TargetError};
use crate::sut::{Cancel, Sut, Trouble};

/// The prefix of a target of this kind.
const PREFIX: &str = "provision:";

/// How long a provisioner may say nothing by default.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a machine may be waited for by default.
const WAIT: Duration = Duration::from_hours(2);

/// The kind `provision`.
#[derive(Debug)]
pub struct ProvisionKind;

/// A provisioner, and how long it may take.
#[derive(Clone, Debug)]
struct ProvisionAddress {
    /// The command as the user wrote it.
    text: String,
    program: Program,
    silence: Duration,
    wait: Duration,
    digest: Option<String>,
    base: Option<String>,
}

/// A machine that is provided when it is needed. All SUTs that are made of it share its lease, so a machine that was looked at is
/// the one that the run uses.
#[derive(Debug)]
struct ProvidedAccess {
    recipe: Recipe,
    /// The command, with the number of the machine.
    text: String,
    lease: Mutex<Option<Lease>>,
}

impl super::SutKind for ProvisionKind {
    fn name(&self) -> &'static str {
        "provision"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["provision:PROGRAM", "provision:ssh-pool FILE*4"]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const ALL: &[Parameter] = &[
            Parameter::text("digest"),
            Parameter::text("silence"),
            Parameter::text("wait"),
        ];
        ALL
    }

    fn read(&self, target: &TargetText<'_>) -> Option<Result<Box<dyn super::Address>, TargetError>> {
        target.machine.strip_prefix(PREFIX)?;
        Some(ProvisionAddress::read(target).map(|address| Box::new(address) as Box<dyn super::Address>))
    }

    /// A `*` counts only where a number follows it at the end.
    fn number<'t>(&self, machine: &'t str) -> Option<&'t str> {
        let (_, number) = machine.strip_prefix(PREFIX)?.rsplit_once('*')?;
        (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())).then_some(number)
    }
}

impl ProvisionAddress {
    fn read(target: &TargetText<'_>) -> Result<Self, TargetError> {
        let machine = target.decoded()?;
        let text = machine.strip_prefix(PREFIX).unwrap_or_default().trim();
        let words = shlex::split(text).ok_or_else(|| TargetError::Words(target.whole.to_owned()))?;
        if words.first().is_none_or(String::is_empty) {
            return Err(target.empty());
        }
        let parameter = |name: &str| target.parameters.get(name).map(str::to_owned);
        let time = |name: &str, usual: Duration| {
            let Some(text) = target.parameters.get(name) else {
                return Ok(usual);
            };
            let bad = || {
                target.bad(
                    format!("{name}={text}"),
                    "write a number and a unit (s, m, h), as in `30s`",
                )
            };
            let time: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
            Duration::try_from(time)
                .ok()
                .filter(|time| !time.is_zero())
                .ok_or_else(bad)
        };
        Ok(Self {
            text: text.to_owned(),
            program: Program(words),
            silence: time("silence", SILENCE)?,
            wait: time("wait", WAIT)?,
            digest: parameter("digest"),
            base: parameter("base"),
        })
    }
}

impl fmt::Display for ProvisionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.text)
    }
}

impl super::Address for ProvisionAddress {
    fn access(&self, name: &str, beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess> {
        let mut program = self.program.clone();
        // The program is started in `/`, so all words that name a file by a path need an absolute one.
        for word in program
            .0
            .iter_mut()
            .filter(|word| word.starts_with("./") || word.starts_with("../") || word.starts_with("~/"))
        {
            *word = (means.absolute)(Path::new(word), beside).to_string_lossy().into_owned();
        }
        if let Some(first) = program.0.first_mut().filter(|first| first.contains('/')) {
            *first = (means.absolute)(Path::new(first), beside)
                .to_string_lossy()
                .into_owned();
        }
        let Some(state_dir) = means.state_dir else {
            return Err(NoAccess {
                problem: "there is no state directory, so it could not be remembered what was provided".to_owned(),
                hint: Some("set `XDG_STATE_HOME` or `HOME`".to_owned()),
            });
        };
        let words = shlex::try_join(program.0.iter().map(String::as_str)).unwrap_or_else(|_| self.text.clone());
        let number = means.number.map(|number| format!("#{number}")).unwrap_or_default();
        Ok(Arc::new(SharedAccess(Arc::new(ProvidedAccess {
            recipe: Recipe {
                sut: name.to_owned(),
                number: means.number,
                program,
                silence: self.silence,
                wait: self.wait,
                digest: self.digest.clone(),
                base: self.base.clone(),
                state_dir: state_dir.to_owned(),
                beside: beside.to_owned(),
                means: OwnMeans::keep(means),
            },
            text: format!("{words}{number}"),
            lease: Mutex::new(None),
        }))))
    }
}

impl ProvidedAccess {
    fn lease(&self) -> MutexGuard<'_, Option<Lease>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A SUT that is made for a run keeps the way to the lease of its machine.
#[derive(Clone, Debug)]
struct SharedAccess(Arc<ProvidedAccess>);

impl Drop for ProvidedAccess {
    /// Gives back a machine that no run took over after it was looked at.
    fn drop(&mut self) {
        if let Some(lease) = self.lease().take() {
            lease.give_back();
        }
    }
}

impl Access for SharedAccess {
    fn place(&self) -> String {
        format!("{PREFIX}{}", self.0.text)
    }

    fn digest(&self) -> Option<&str> {
        self.0.recipe.digest.as_deref()
    }

    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        Ok(Box::new(ProvidedSut::new(Arc::clone(&self.0), dir, cancel)))
    }

    /// The machine is there only during a run, so this is a command that says so.
    fn shell(&self, _command: &[String]) -> Command {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'atex: a provisioned machine is there only during a run' >&2; exit 2",
        ]);
        command
    }

    fn is_there_for_runs_only(&self) -> bool {
        true
    }

    fn provide(&self, cancel: &Cancel, notice: &mut dyn FnMut(String)) -> Result<(), Trouble> {
        let mut lease = self.0.lease();
        if lease.is_none() {
            *lease = Some(Lease::take(&self.0.recipe, cancel, notice)?);
        }
        Ok(())
    }

    fn runs_of_tree(&self) -> Option<&str> {
        (!self.0.recipe.means.trusts_target).then_some(&self.0.text)
    }
}

/// Has a machine given back that was provided to a process that is gone. The error is a text that says what is left.
pub fn give_back(machine: &ProvidedMachine) -> Result<(), String> {
    lease::give_back_anew(machine, None, SILENCE)
}
