//! All that is known of a machine before it is provided: who provides it, for which SUT, how long that may take, and how a
//! machine that was provided is reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::program::{AskError, Program};
use super::{PREFIX, ProvisionKind};
use crate::sut::kind::ssh::config::ConfigFiles;
use crate::sut::kind::{Access, KINDS, Means, SutKind as _, Target};
use crate::sut::{Cancel, Sut, Trouble, TroubleKind};

/// What a machine is provided for, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The name of the SUT.
    pub(super) sut: String,
    pub(super) number: Option<u32>,
    pub(super) program: Program,
    /// How long the provisioner may say nothing.
    pub(super) silence: Duration,
    /// How long a machine may be waited for.
    pub(super) wait: Duration,
    /// What the user says that the machine is made of, and how it was installed. A machine of which the provisioner says
    /// something else is refused, since records are kept under what the user says.
    pub(super) digest: Option<String>,
    pub(super) base: Option<String>,
    /// The directory in which this host remembers what was provided.
    pub(super) state_dir: PathBuf,
    /// Relative paths of the targets that are provided are below this directory.
    pub(super) beside: PathBuf,
    pub(super) means: OwnMeans,
}

/// What holds for all machines of an invocation, as it is needed after their targets were read.
#[derive(Clone, Debug)]
pub(super) struct OwnMeans {
    pub(super) ssh_files: ConfigFiles,
    pub(super) accept_new_host_keys: bool,
    pub(super) dead_after: Duration,
    pub(super) trusts_target: bool,
    pub(super) trusts_ssh_config: bool,
    pub(super) absolute: fn(&Path, &Path) -> PathBuf,
}

/// How a machine that was provided is reached.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    access: Arc<dyn Access>,
    /// The directory on the machine that its target names.
    dir: Option<PathBuf>,
}

impl Reach {
    /// Returns the text that tells the machine, or the directory on it, from others.
    pub(super) fn place(&self) -> String {
        let dir = self.dir.iter().map(|dir| format!(" {}", dir.display()));
        std::iter::once(self.access.place()).chain(dir).collect()
    }

    /// Makes the machine. A directory that the user gave wins over that of its target.
    pub(super) fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        self.access.sut(dir.or(self.dir.as_deref()), cancel)
    }
}

impl Recipe {
    /// Reads the target of a machine that was provided. `warn` is called with a text for everything that is not honoured.
    pub(super) fn reach(&self, text: &str, warn: &mut dyn FnMut(String)) -> Result<Reach, Trouble> {
        let refused = |problem: &str| {
            let what = format!("provided the target `{text}`, which cannot be used: {problem}");
            self.trouble(TroubleKind::Setup, &what)
        };
        let machine = text.split('?').next().unwrap_or_default();
        if machine.starts_with(PREFIX) || KINDS.iter().any(|kind| kind.number(machine).is_some()) {
            return Err(refused("it must be one machine, and not one to be provided"));
        }
        let target: Target = text.parse().map_err(|error| refused(&format!("{error}")))?;
        if target.name.is_some() {
            return Err(refused("it must not have a `name`, which `-s` gives"));
        }
        if let Some(base) = target.base.filter(|base| self.base.as_ref() != Some(base)) {
            let trouble = refused(&format!("it has the base `{base}`, and `-s` does not say so"));
            return Err(trouble.with_hint(format!("write `?base={base}` there, which is part of all keys")));
        }
        let own = &self.means;
        let mut means = Means {
            ssh_files: &own.ssh_files,
            accept_new_host_keys: own.accept_new_host_keys,
            dead_after: own.dead_after,
            trusts_target: own.trusts_target,
            trusts_ssh_config: own.trusts_ssh_config,
            number: None,
            state_dir: Some(&self.state_dir),
            absolute: own.absolute,
            warn,
        };
        let access = target.address.access(&self.sut, &self.beside, &mut means);
        let access = access.map_err(|none| refused(&none.problem))?;
        if let Some(digest) = access.digest().filter(|digest| self.digest.as_deref() != Some(*digest)) {
            let trouble = refused(&format!("it has the digest `{digest}`, and `-s` does not say so"));
            return Err(trouble.with_hint(format!("write `?digest={digest}` there, which is part of all keys")));
        }
        let dir = match target.dir {
            Some(dir) if target.kind.is_here() => Some((self.means.absolute)(&dir, &self.beside)),
            Some(dir) if !dir.is_absolute() => return Err(refused("its `dir` is not absolute")),
            dir => dir,
        };
        Ok(Reach { access, dir })
    }

    /// Makes a trouble with the provisioner.
    pub(super) fn trouble(&self, kind: TroubleKind, what: &str) -> Trouble {
        Trouble::new(kind, format!("`{}`: `{}` {what}", self.sut, self.program.name()))
    }

    /// Makes the trouble that the provisioner gives as its reason.
    pub(super) fn refused(&self, reason: &str, hint: Option<String>) -> Trouble {
        let trouble = Trouble::new(
            TroubleKind::Unreachable,
            format!("`{}`: `{}`: {reason}", self.sut, self.program.name()),
        );
        match hint {
            Some(hint) => trouble.with_hint(hint),
            None => trouble,
        }
    }

    /// Makes the trouble that there is no answer, with what the provisioner wrote to standard error.
    pub(super) fn no_answer(&self, error: &AskError, complaint: Option<String>) -> Trouble {
        let kind = match error {
            AskError::Cancelled => TroubleKind::Cancelled,
            AskError::Start(_) => TroubleKind::Setup,
            _ => TroubleKind::Unreachable,
        };
        let complaint = complaint.map(|said| format!(": {said}")).unwrap_or_default();
        let trouble = self.trouble(kind, &format!("{error}{complaint}"));
        match error {
            AskError::Silent(_) => {
                trouble.with_hint("a provisioner that waits says so from time to time: `{\"wait\":\"REASON\"}`")
            }
            AskError::Slow(_) => trouble.with_hint("`?wait=4h` gives it more time"),
            AskError::Start(_) => trouble.with_hint(format!(
                "`{PREFIX}PROGRAM` names a program by its path or one of `PATH`, or one that atex brings: {}",
                ProvisionKind.forms()[1..].join(", ")
            )),
            _ => trouble,
        }
    }
}

impl OwnMeans {
    /// Keeps what the provided targets need.
    pub(super) fn keep(means: &Means<'_>) -> Self {
        Self {
            ssh_files: means.ssh_files.clone(),
            accept_new_host_keys: means.accept_new_host_keys,
            dead_after: means.dead_after,
            trusts_target: means.trusts_target,
            trusts_ssh_config: means.trusts_ssh_config,
            absolute: means.absolute,
        }
    }
}
