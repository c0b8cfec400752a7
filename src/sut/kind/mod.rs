//! Kinds of machines: what `-s` can name, and how a machine of each kind is reached.
//!
//! A kind is a folder here and a line in [`KINDS`]; all code that names machines, reaches them, looks at them or starts a
//! shell on them reads that list. The way from a text to a machine: the kind reads the text, which gives a [`Target`] with
//! its [`Address`]; that and what holds for all machines of an invocation ([`Means`]) give an [`Access`], which makes the
//! [`Sut`].
//!
//! This module knows nothing of the configuration or of pools.

pub mod exec;
pub mod local;
pub mod parameters;
pub mod podman;
pub mod provision;
pub mod ssh;
pub mod target;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub use parameters::{Parameter, Parameters};
pub use target::{Target, TargetError};

use super::{Cancel, Facts, Sut, SutState, Trouble};

/// All kinds, in the order in which they are asked whether a target is theirs. The last one takes what no other kind has
/// taken.
pub static KINDS: &[&dyn SutKind] = &[
    &local::LocalKind,
    &exec::ExecKind,
    &podman::PodmanKind,
    &provision::ProvisionKind,
    &ssh::SshKind,
];

/// A kind of machine.
pub trait SutKind: Sync {
    /// The name of the kind: `local`, `ssh`.
    fn name(&self) -> &'static str;

    /// The forms in which its targets are written, for the help.
    fn forms(&self) -> &'static [&'static str];

    /// The parameters of this kind, beside those that all kinds have.
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }

    /// Whether its machines are this host, so that a directory on them may be given by a relative path.
    fn is_here(&self) -> bool {
        false
    }

    /// Reads the part of a target that stands before its parameters. `None` where the target is of another kind.
    fn read(&self, target: &target::TargetText<'_>) -> Option<Result<Box<dyn Address>, TargetError>>;

    /// Returns the number, as written, in a target that stands for several machines: `4` of `local*4`. `None` for kinds
    /// without such targets.
    fn number<'t>(&self, _machine: &'t str) -> Option<&'t str> {
        None
    }

    /// Returns the directory below which the machines of such a target have their directories by default. `None` where the
    /// machines differ in more than their directory.
    fn numbered_below(&self) -> Option<PathBuf> {
        None
    }

    /// Returns the machines that atex made and that no configuration names. Those that differ in their directory alone are
    /// looked for below the given one, or else in the default place. `state_dir` is the directory in which this host remembers
    /// machines.
    fn used(&self, _below: Option<&Path>, _state_dir: Option<&Path>) -> Vec<UsedMachine> {
        Vec::new()
    }
}

/// A machine that atex made and that was used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedMachine {
    /// Its target, without the number.
    pub target: String,
    /// Its number, if the target stands for several machines.
    pub number: Option<u32>,
}

/// A machine as a target names it, parsed but not yet looked up anywhere. It is displayed as the target without its
/// parameters.
pub trait Address: fmt::Debug + fmt::Display + Send + Sync {
    /// Whether the target may just as well be the misspelled name of something else, so that it is taken for a machine only
    /// because nothing speaks against it.
    fn is_guess(&self, _target: &str, _means: &Means<'_>) -> bool {
        false
    }

    /// Finds out how the machine is reached. `name` is what people call it; relative paths of the target are below the
    /// directory `beside`. An error has a text for people, and a hint.
    fn access(&self, name: &str, beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess>;
}

/// Why it cannot be found out how a machine is reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NoAccess {
    /// What is wrong.
    pub problem: String,
    /// What to do about it, where there is advice.
    pub hint: Option<String>,
}

/// What holds for all machines of an invocation.
pub struct Means<'a> {
    /// Where the SSH configuration is read from.
    pub ssh_files: &'a ssh::config::ConfigFiles,
    /// Whether unknown host keys are accepted.
    pub accept_new_host_keys: bool,
    /// How long a machine may be silent before it counts as dead.
    pub dead_after: Duration,
    /// Whether the machine was named by the user, in this invocation or in the user's own configuration, and not by the
    /// configuration of a tree.
    pub trusts_target: bool,
    /// Whether the SSH configuration was named by the user in the same sense.
    pub trusts_ssh_config: bool,
    /// The number of the machine, if the target stands for several.
    pub number: Option<u32>,
    /// The directory in which this host remembers machines.
    pub state_dir: Option<&'a Path>,
    /// Makes a path of this host absolute: `~/` is the home directory, and any other relative path is below the given
    /// directory.
    pub absolute: fn(&Path, &Path) -> PathBuf,
    /// Is called with a text for everything that is not honoured.
    pub warn: &'a mut dyn FnMut(String),
}

/// How one machine is reached.
pub trait Access: fmt::Debug + Send + Sync {
    /// Which machine this is: equal for equal machines only. It tells the machines of a pool apart, and what is remembered of
    /// a machine is kept under it.
    fn place(&self) -> String;

    /// The digest of what the machine is made of, such as a container's image, where that is known without asking the
    /// machine. It is part of the base identity, so machines with different digests never share a record.
    fn digest(&self) -> Option<&str> {
        None
    }

    /// Makes the SUT. What atex keeps on the machine is below `dir`, or in the default place. Nothing is connected yet.
    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble>;

    /// The command to run on this host to get a shell, or to run `command`, on the machine.
    fn shell(&self, command: &[String]) -> Command;

    /// Returns whether the machine is provided for a run and is not there without one, so that nothing but a run asks for it.
    fn is_there_for_runs_only(&self) -> bool {
        false
    }

    /// Has the machine provided, where it is there for runs only. `notice` is told for what is waited. The run that follows uses
    /// that machine.
    fn provide(&self, _cancel: &Cancel, _notice: &mut dyn FnMut(String)) -> Result<(), Trouble> {
        Ok(())
    }

    /// The machine's facts, where they are known without asking the machine.
    fn facts(&self) -> Option<Facts> {
        None
    }

    /// What can be seen of the machine from outside, so that nobody is kept waiting for it.
    fn peek(&self, _dir: Option<&Path>) -> Peek {
        Peek::default()
    }

    /// The files on this host that belong to the machine; they are no input of a test.
    fn own_files(&self, _dir: Option<&Path>) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The command of this host that is run to reach the machine, where it was not named by the user but by a tree. Such a
    /// command is run when the tree's tests are to be run, and not when somebody only looks at the tree.
    fn runs_of_tree(&self) -> Option<&str> {
        None
    }
}

/// What is seen of a machine from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// The machine's state as it is kept; it may be about to change.
    pub state: Option<SutState>,
    /// Who holds the lease.
    pub lease: Option<String>,
}
