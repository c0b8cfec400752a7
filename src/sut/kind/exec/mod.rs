//! The kind `exec`: machines reached by any command that starts a bash there, such as `exec:podman exec -i NAME`,
//! `exec:kubectl exec -i POD --` or `exec:chroot /srv/root`.
//!
//! The command is started on this host with the whole environment of atex, and gets as its last arguments the words that
//! start bash. It must pass these words on one by one, and stdin, stdout and stderr as they are, without a terminal. It is
//! not known where the command leads, and the end of the command need not be the end of what runs there; so the programs
//! there are given signs of life.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::target::TargetText;
use super::{Access, Means, NoAccess, Parameter, TargetError};
use crate::sut::agent::link::child::ChildLink;
use crate::sut::agent::link::{BOOT, CLEAN};
use crate::sut::agent::session::Machine;
use crate::sut::{Cancel, Sut, Trouble};

/// The prefix of a target of this kind.
const PREFIX: &str = "exec:";

/// How long the programs there may hear nothing before they take the runner for dead.
const HEARTBEAT: Duration = Duration::from_secs(21);

/// The kind `exec`.
#[derive(Debug)]
pub struct ExecKind;

/// A command that starts a bash. It has at least one word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExecAddress {
    /// The command as the user wrote it.
    text: String,
    words: Vec<String>,
    /// The digest that the user gives for what the machine is made of.
    digest: Option<String>,
}

/// A machine that is reached by a command.
#[derive(Clone, Debug)]
struct Behind {
    name: String,
    address: ExecAddress,
    dead_after: Duration,
    is_trusted: bool,
}

impl super::SutKind for ExecKind {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["exec:COMMAND"]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const ALL: &[Parameter] = &[Parameter::text("digest")];
        ALL
    }

    fn read(&self, target: &TargetText<'_>) -> Option<Result<Box<dyn super::Address>, TargetError>> {
        target.machine.strip_prefix(PREFIX)?;
        Some(ExecAddress::read(target).map(|address| Box::new(address) as Box<dyn super::Address>))
    }
}

impl ExecAddress {
    fn read(target: &TargetText<'_>) -> Result<Self, TargetError> {
        let machine = target.decoded()?;
        let text = machine.strip_prefix(PREFIX).unwrap_or_default().trim();
        let words = shlex::split(text).ok_or_else(|| TargetError::Words(target.whole.to_owned()))?;
        if words.first().is_none_or(String::is_empty) {
            return Err(target.empty());
        }
        let text = text.to_owned();
        let digest = target.parameters.get("digest").map(str::to_owned);
        Ok(Self { text, words, digest })
    }
}

impl fmt::Display for ExecAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.text)
    }
}

impl super::Address for ExecAddress {
    fn access(&self, name: &str, beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess> {
        let mut address = self.clone();
        // The command is started in `/`, so a program that is given by a path and not looked up in `PATH` needs an absolute
        // one.
        if let Some(program) = address.words.first_mut().filter(|program| program.contains('/')) {
            *program = (means.absolute)(Path::new(program), beside)
                .to_string_lossy()
                .into_owned();
        }
        Ok(Arc::new(Behind {
            name: name.to_owned(),
            address,
            dead_after: means.dead_after,
            is_trusted: means.trusts_target,
        }))
    }
}

impl Access for Behind {
    fn place(&self) -> String {
        let words = self.address.words.iter().map(String::as_str);
        // Words with a zero byte were refused before: no command line can hold one.
        let joined = shlex::try_join(words).unwrap_or_else(|_| self.address.text.clone());
        format!("{PREFIX}{joined}")
    }

    fn digest(&self) -> Option<&str> {
        self.address.digest.as_deref()
    }

    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        let boot = format!("{CLEAN}; {BOOT}");
        let bash = ["bash", "--noprofile", "--norc", "-c", &boot];
        let words = self.address.words.iter().map(String::as_str).chain(bash);
        let link = ChildLink::running(&self.name, words.map(OsString::from).collect(), Some(HEARTBEAT))
            .with_whole_environment()
            .far(self.dead_after);
        Ok(Box::new(Machine::over(link, dir.map(Path::to_owned), cancel.clone())))
    }

    /// Without a command, bash is told to be interactive, since the command that leads there may give it no terminal.
    fn shell(&self, command: &[String]) -> Command {
        let mut words = self.address.words.iter();
        let mut program = Command::new(words.next().map_or("", String::as_str));
        program.args(words);
        match command {
            [] => program.args(["bash", "-i"]),
            command => program.args(command),
        };
        program
    }

    fn runs_of_tree(&self) -> Option<&str> {
        (!self.is_trusted).then_some(&self.address.text)
    }
}

#[cfg(test)]
mod tests {
    use crate::sut::kind::{Target, TargetError};

    fn shown(text: &str) -> Result<String, String> {
        let target: Target = text.parse().map_err(|error: TargetError| error.to_string())?;
        Ok(format!("{} {}", target.kind.name(), target.address))
    }

    #[test]
    fn a_command_is_taken_apart_as_a_shell_does_it() {
        for (text, machine) in [
            ("exec:podman exec -i web", "exec exec:podman exec -i web"),
            ("exec:nsenter 'a b' \"c\"?name=x", "exec exec:nsenter 'a b' \"c\""),
            ("exec:run a%3Fb 100%25", "exec exec:run a?b 100%"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(machine), "{text}");
        }
        for (text, problem) in [
            ("exec:", "target `exec:` names no machine"),
            ("exec: ''", "target `exec: ''` names no machine"),
            (
                "exec:a 'b",
                "target `exec:a 'b` has a command with an open quote or a backslash at its end",
            ),
            (
                "exec:a?user=b",
                "target `exec:a?user=b` has an unknown parameter `user`",
            ),
        ] {
            assert_eq!(shown(text), Err(problem.to_owned()), "{text}");
        }
    }
}
