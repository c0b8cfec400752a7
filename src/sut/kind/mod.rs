//! Kinds of machines: what `-s` can name, what comes of it, and how each is reached.
//!
//! A kind is a folder here and a line in [`KINDS`]; whoever wants to know what can be named, reached, looked at or made a shell on
//! reads that list. The way: a text becomes a [`Target`], whose [`Address`] the kind has read; with what holds for all
//! machines of an invocation ([`Means`]) that becomes an [`Access`], which makes the [`Sut`].
//!
//! Knows nothing of the configuration and of pools.

pub mod exec;
pub mod local;
pub mod parameters;
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

/// All kinds, in the order in which they are asked whether a target is theirs. The last one takes what no other has taken.
pub static KINDS: &[&dyn SutKind] = &[&local::LocalKind, &exec::ExecKind, &ssh::SshKind];

/// A kind of machine.
pub trait SutKind: Sync {
    /// Its name: `local`, `ssh`.
    fn name(&self) -> &'static str;

    /// How its targets are written, for help.
    fn forms(&self) -> &'static [&'static str];

    /// Its parameters beside those that all kinds have.
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }

    /// Whether its machines are this host, so that a directory on them may be relative.
    fn is_here(&self) -> bool {
        false
    }

    /// Reads what a target has before its parameters. Nothing where that is a target of another kind.
    fn read(&self, target: &target::TargetText<'_>) -> Option<Result<Box<dyn Address>, TargetError>>;

    /// The number in a target that stands for several machines, as written, where this kind has such: `4` of `local*4`.
    fn number<'t>(&self, _machine: &'t str) -> Option<&'t str> {
        None
    }

    /// The directory below which the machines of such a target have theirs, where nobody says otherwise.
    fn numbered_below(&self) -> Option<PathBuf> {
        None
    }

    /// Which numbers below such a directory were used.
    fn used_numbers(&self, _below: &Path) -> Vec<u32> {
        Vec::new()
    }
}

/// A machine as a target names it, understood and looked up nowhere. Shown as the target without its parameters.
pub trait Address: fmt::Debug + fmt::Display + Send + Sync {
    /// Whether the target may as well be the name of something else with a typing error in it: it is taken for a machine only because
    /// nothing speaks against it.
    fn is_guess(&self, _target: &str, _means: &Means<'_>) -> bool {
        false
    }

    /// Finds out how the machine is reached. `name` is what people call it, `beside` the directory that relative paths of the target
    /// are below. Fails with a text for people, and a hint.
    fn access(&self, name: &str, beside: &Path, means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess>;
}

/// Why nobody knows how a machine is reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NoAccess {
    /// What is wrong.
    pub problem: String,
    /// Advice, where there is some.
    pub hint: Option<String>,
}

/// What holds for all machines of an invocation.
pub struct Means<'a> {
    /// Where the SSH configuration is read from.
    pub ssh_files: &'a ssh::config::ConfigFiles,
    /// Whether host keys that are not known are taken.
    pub accept_new_host_keys: bool,
    /// How long a machine may be silent before it counts as dead.
    pub dead_after: Duration,
    /// Whether the user named the machine in this invocation, or in a configuration of theirs, and not the one of a tree.
    pub trusts_target: bool,
    /// The same for the SSH configuration.
    pub trusts_ssh_config: bool,
    /// Makes a path of this host absolute: `~/` is the home directory, all else is below a directory.
    pub absolute: fn(&Path, &Path) -> PathBuf,
    /// Is told what is not honoured.
    pub warn: &'a mut dyn FnMut(String),
}

/// How one machine is reached.
pub trait Access: fmt::Debug + Send + Sync {
    /// Which machine it is: equal for equal machines only. For those of a pool to be told apart, and for what is remembered of it.
    fn place(&self) -> String;

    /// The digest of what the machine is made of, as of a container's image, where that is known without a question. It is part of the
    /// base identity, so machines with different digests never share a record.
    fn digest(&self) -> Option<&str> {
        None
    }

    /// Makes the SUT, with what atex keeps there below `dir` or in the place where it is by default. Nothing is connected yet.
    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble>;

    /// The program of this host that becomes a shell there, or a command.
    fn shell(&self, command: &[String]) -> Command;

    /// What the machine is, where that is known without a question.
    fn facts(&self) -> Option<Facts> {
        None
    }

    /// What is seen of the machine from outside, so that nobody is kept waiting for it.
    fn peek(&self, _dir: Option<&Path>) -> Peek {
        Peek::default()
    }

    /// The files on this host that belong to the machine: they are no input of a test.
    fn own_files(&self, _dir: Option<&Path>) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The command of this host that is run to reach the machine, where it is not the user's but of a tree: it is run where the tree's
    /// tests are to be run, and not where somebody only looks at the tree.
    fn runs_of_tree(&self) -> Option<&str> {
        None
    }
}

/// What is seen of a machine from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// What it says of itself; it may be about to change.
    pub state: Option<SutState>,
    /// Who has it.
    pub lease: Option<String>,
}
