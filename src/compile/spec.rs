//! The compiled workload as plain data, made once by `compile` and only read by `exec` and `cli`.
//!
//! This module knows no fmf. Every path is relative (to the slot on the SUT, or to the root of the tree), except for the two host
//! paths [`Workload::root`] and [`UploadFile::source`], which no key contains. Ids are dense indexes into the vectors of the
//! [`Workload`] that made them.

pub mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atex_graph::{ActionKey, Base, BlobDigest, Graph, InputFile, NodeId};

use crate::compile::graph::uploads;
use crate::compile::inputs::files;
use crate::compile::unusable::Unusable;
use check::Checks;

/// What the user wants compiled.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where to look for the tree: its root, or any directory below it.
    pub start: PathBuf,
    /// The names of plans: an exact name, or else a Python-style regex to search for. If it is empty, all enabled plans are
    /// meant.
    pub plans: Vec<String>,
    /// The names of tests (`atex test NAME…`): an exact name, or else a regex to search for. If it is empty, all tests are meant.
    pub tests: Vec<String>,
    /// What narrows the selection of every discover section.
    pub narrowing: Narrowing,
    /// The variables of `-e KEY=VAL`, in the order given.
    pub environment: Vec<(String, String)>,
    /// The context facts known of the SUT: `distro` and `arch`.
    pub default_context: BTreeMap<String, Vec<String>>,
    /// The context of `-c DIM=VAL,VAL`, which overrides the default, dimension by dimension.
    pub context: BTreeMap<String, Vec<String>>,
    /// The base identity that the keys start from.
    pub base: Base,
    /// Whether it is an error if something in the metadata would be ignored with a warning.
    pub strict: bool,
    /// The variables whose values enter keys only as a keyed hash.
    pub secrets: Secrets,
    /// The directory in which fetched repositories are kept.
    pub fetch_cache: PathBuf,
    /// The directory in which digests of file contents are remembered between runs; with `None`, every file is read.
    pub digest_cache: Option<PathBuf>,
    /// The interface of tests of which neither they nor their plans say one.
    pub interface: Option<Interface>,
    /// Absolute paths of atex's own files and directories. What is there is no input, even if it is in the tree.
    pub own: Vec<PathBuf>,
}

/// A selection of tests from the command line, which narrows the selection of every section.
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// `--name`: regexes, one of which a test must match.
    pub names: Vec<String>,
    /// `--filter`: filters, all of which must hold.
    pub filters: Vec<String>,
    /// `--condition`: conditions, all of which must hold.
    pub conditions: Vec<String>,
    /// `--exclude`: regexes, none of which a test may match.
    pub exclude: Vec<String>,
}

/// The names of secret variables, and the key that hides their values.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The names of the secret variables.
    pub names: BTreeSet<String>,
    /// The key of the keyed hash.
    pub key: [u8; 32],
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Index of a plan in [`Workload::plans`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub u32);

/// Index of a test of a plan in [`Workload::tests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestId(pub u32);

/// Index of a prepare or finish step in [`Workload::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// Index of a tree to upload to a SUT in [`Workload::uploads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u32);

/// Everything that may have to run, with the key of each node.
#[derive(Debug)]
pub struct Workload {
    /// The absolute path of the root of the tree on the host.
    pub root: PathBuf,
    /// The digest of all files of the tree, .fmf files included. It is the same in every clone, and serves people (`run.json`).
    pub tree_digest: BlobDigest,
    /// The context that the tree was adjusted with.
    pub context: BTreeMap<String, Vec<String>>,
    /// The sealed graph, to which the node ids below belong.
    pub graph: Arc<Graph>,
    /// The selected plans, in tmt's order. Plans without any test are included, with empty `tests`. However, if tests were asked
    /// for by name, plans that have none of them are left out.
    pub plans: Vec<PlanSpec>,
    /// The tests of all plans, plan by plan, in the order in which tmt would run them. A test of several plans occurs once for
    /// each plan; those with the same key share a node.
    pub tests: Vec<TestSpec>,
    /// The specs of the prepare and finish nodes, one for each node; plans share them.
    pub steps: Vec<StepSpec>,
    /// The trees that SUTs need.
    pub uploads: Vec<UploadSpec>,
    /// The warnings about metadata that are ignored, in the order of plans.
    pub warnings: Vec<Warning>,
    /// The plans and tests that were asked for and are left out, because they cannot be used.
    pub unusable: Vec<Unusable>,
}

impl Workload {
    /// Returns the plan with an id.
    pub fn plan(&self, id: PlanId) -> &PlanSpec {
        &self.plans[id.0 as usize]
    }

    /// Returns the test with an id.
    pub fn test(&self, id: TestId) -> &TestSpec {
        &self.tests[id.0 as usize]
    }

    /// Returns the step with an id.
    pub fn step(&self, id: StepId) -> &StepSpec {
        &self.steps[id.0 as usize]
    }

    /// Returns the upload with an id.
    pub fn upload(&self, id: UploadId) -> &UploadSpec {
        &self.uploads[id.0 as usize]
    }
}

/// What is remembered of a workload of which nothing has to run: the names of its tests, and their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullBuild {
    /// See [`Workload::tree_digest`].
    pub tree_digest: BlobDigest,
    /// The names of the plans, in order.
    pub plans: Vec<String>,
    /// The tests in the order of plans, each node once.
    pub tests: Vec<NullBuildTest>,
    /// See [`Workload::warnings`].
    pub warnings: Vec<Warning>,
}

/// A test of a [`NullBuild`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullBuildTest {
    /// See [`TestSpec::name`].
    pub name: String,
    /// The plan's name, if an earlier plan has a test of the same name with another key.
    pub distinct_in: Option<String>,
    /// The name of the node.
    pub label: String,
    /// The key of the node.
    pub key: ActionKey,
}

/// A plan.
#[derive(Clone, Debug)]
pub struct PlanSpec {
    /// The full name, such as `/plans/a`.
    pub name: String,
    /// The plan's discover node.
    pub discover: NodeId,
    /// The prepare steps in order; if there are none, the tests run on the base.
    pub chain: Vec<StepId>,
    /// The finish steps in order.
    pub finish: Vec<StepId>,
    /// The selected tests in order.
    pub tests: Vec<TestId>,
    /// The tree that the plan's scripts and tests use.
    pub upload: UploadId,
    /// `extra-atex-shared-tree`: the tests hand files to each other. Either all of them are selected or none; they run in order
    /// on one SUT, and the key of each contains the keys of all.
    pub shared_tree: bool,
    /// What its step `execute` says.
    pub execute: ExecuteSpec,
    /// The plan's own environment (without `-e`), which its tests get before the plan environment file is sourced.
    pub environment: Vec<(String, String)>,
    /// The value of `enabled` in the metadata.
    pub enabled: bool,
    /// The plan's metadata as JSON text, with the keys in fmf's order.
    pub data: Arc<str>,
    /// The place of the definition, such as `plans/main.fmf:3`.
    pub origin: Option<String>,
}

/// What the step `execute` of a plan says of its tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecuteSpec {
    /// `exit-first`: no test starts after one that failed. It is in no key, since no verdict depends on it.
    pub exit_first: bool,
    /// `ignore-duration`: the tests run as long as they want.
    pub ignore_duration: bool,
    /// `restraint-compatible`: tests with tmt's interface find some of what restraint promises.
    pub restraint_compatible: bool,
}

/// A prepare or finish step. It is one node, whose name lists the plans that use it.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// The node.
    pub node: NodeId,
    /// The name for people: the phase's `name`, or else its `how`.
    pub label: String,
    /// What the step does.
    pub action: PhaseAction,
    /// The variables of the plan, which are set before the plan environment file is sourced.
    pub env_before: Vec<(String, String)>,
    /// The variables of `-e`, which are set after that file is sourced.
    pub env_after: Vec<(String, String)>,
    /// The tree in whose root the scripts run. Plans that share the step may have other trees, but then every file that the step
    /// may read is the same in all of them.
    pub upload: UploadId,
    /// The place where the phase is defined.
    pub origin: Option<String>,
}

/// The action of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseAction {
    /// Installs packages.
    Install(InstallSpec),
    /// Runs scripts one after the other, each as a job of its own, which starts in the root of the tree and sources the plan
    /// environment file anew. The first script that fails ends the step.
    Shell {
        /// The bash texts; there is at least one.
        scripts: Vec<String>,
    },
    /// Runs playbooks of Ansible on this host against the machine, one after the other. The first one that fails ends the step.
    Ansible {
        /// The playbooks; there is at least one.
        playbooks: Vec<Playbook>,
        /// Further arguments of `ansible-playbook`, before all others.
        extra_args: Vec<String>,
    },
    /// Switches features of Enterprise Linux.
    Feature {
        /// The features, each with `enabled` or `disabled`; there is at least one.
        features: Vec<String>,
    },
}

/// Which packages to install. Lists are sorted and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallSpec {
    /// The packages, as the package manager takes them; files of the tree, addresses and debuginfo are among them.
    pub packages: Vec<String>,
    /// Directories of the tree, all packages of which are installed.
    pub directories: Vec<String>,
    /// Repositories of Copr that are enabled before.
    pub copr: Vec<String>,
    /// Patterns of names that are not installed.
    pub exclude: Vec<String>,
    /// Whether the step goes on where a package cannot be installed.
    pub skips_missing: bool,
}

/// A playbook of Ansible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playbook {
    /// A file of the plan's own tree, relative to its root.
    File(String),
    /// A playbook of a collection that is installed on this host: `namespace.collection.name`.
    Collection(String),
    /// A page of the web.
    Url {
        /// Its address.
        url: String,
        /// Its content, once it was fetched.
        content: Option<Arc<[u8]>>,
    },
}

impl Playbook {
    /// Returns the playbook as people know it.
    pub fn name(&self) -> &str {
        match self {
            Self::File(name) | Self::Collection(name) | Self::Url { url: name, .. } => name,
        }
    }
}

/// The test framework, which judges a test. `src/exec/attempt/framework.rs` has what each of them does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framework {
    /// The exit code of the test is the verdict.
    #[default]
    Shell,
    /// The file in which beakerlib keeps its own verdict; of tests with the interface `tmt` only.
    Beakerlib,
}

impl Framework {
    /// Returns the framework that `framework: WORD` means, if it is supported.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "shell" => Some(Self::Shell),
            "beakerlib" => Some(Self::Beakerlib),
            _ => None,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Beakerlib => "beakerlib",
        }
    }

    /// Whether tests with this interface can have it.
    pub fn is_of(self, interface: Interface) -> bool {
        self == Self::Shell || interface == Interface::Tmt
    }

    /// The package that a test needs for it.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::Shell => None,
            Self::Beakerlib => Some("beakerlib"),
        }
    }
}

/// By whose rules a test speaks to its runner and is judged; the rules of tmt are in `src/exec/attempt/interface`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Those of atex: the control protocol.
    Atex,
    /// Those of tmt: its variables and commands, and the keys `result` and `framework`.
    Tmt,
}

impl Interface {
    /// The one that a word of the metadata or of the configuration names.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "atex" => Some(Self::Atex),
            "tmt" => Some(Self::Tmt),
            _ => None,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Atex => "atex",
            Self::Tmt => "tmt",
        }
    }
}

/// What tmt makes of the outcome of a test: the key `result`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Interpretation {
    /// `respect`: it stays.
    #[default]
    Respect,
    /// `xfail`: a failure was expected.
    Xfail,
    /// `pass`, `fail`, `info`, `warn` or `error`: the word is the outcome, whatever came.
    Forced(&'static str),
    /// `custom`: the test writes a file of results.
    Custom,
    /// `restraint`: each result that the test reports stands for itself.
    Restraint,
    /// No word that tmt knows: the value for people.
    Unknown(String),
}

impl Interpretation {
    /// The one that `result: WORD` means.
    pub fn named(word: &str) -> Self {
        const FORCED: [&str; 5] = ["pass", "fail", "info", "warn", "error"];
        match word {
            "respect" => Self::Respect,
            "xfail" => Self::Xfail,
            "custom" => Self::Custom,
            "restraint" => Self::Restraint,
            other => match FORCED.into_iter().find(|forced| *forced == other) {
                Some(forced) => Self::Forced(forced),
                None => Self::Unknown(other.to_owned()),
            },
        }
    }
}

/// When a test with tmt's interface is started again after its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// `restart-on-exit-code`: after these exit codes.
    pub exit_codes: Vec<i32>,
    /// `restart-max-count`: not more often than that, together with its reboots.
    pub most: u32,
    /// `restart-with-reboot`: the machine is rebooted before.
    pub with_reboot: bool,
}

/// A test of a plan.
#[derive(Clone, Debug)]
pub struct TestSpec {
    /// The full name, which includes the section's if the plan has several: `/section/a/b`.
    pub name: String,
    /// The plan that the test belongs to.
    pub plan: PlanId,
    /// The node of the test.
    pub node: NodeId,
    /// The directory in which the test runs, relative to the slot; it is empty for the slot's root.
    pub dir: String,
    /// The bash text of `test`.
    pub script: String,
    /// The framework that judges the test.
    pub interface: Interface,
    /// What is made of its outcome where the interface is tmt's.
    pub interpretation: Interpretation,
    /// Who judges it.
    pub framework: Framework,
    /// When it is started again where the interface is tmt's.
    pub restart: Restart,
    /// What is looked at before and after it where the interface is tmt's.
    pub checks: Checks,
    /// Whether a skip is an error where the interface is tmt's: `require-test` of its plan names it.
    pub is_required: bool,
    /// Its number in the plan, from 1.
    pub serial: u32,
    /// Variables of the plan: set before the plan environment file is sourced.
    pub env_before: Vec<(String, String)>,
    /// The variables of the test, overridden by `-e`, which are set after that file is sourced.
    pub env_after: Vec<(String, String)>,
    /// The packages that must be installed, in the order given.
    pub requires: Vec<String>,
    /// The packages that are installed if they are available.
    pub recommends: Vec<String>,
    /// The libraries of tests that it needs, by their directory in the slot, each with its commit or what else it is.
    pub libraries: BTreeMap<PathBuf, String>,
    /// Why it cannot run: a library or file that it requires cannot be had.
    pub missing: Option<String>,
    /// How long the test may run, where its plan does not ignore that.
    pub duration: Duration,
    /// Whether the test gets a terminal.
    pub tty: bool,
    /// The resolved metadata as YAML: the text of the file that `TMT_TEST_METADATA` names.
    pub metadata: Arc<str>,
    /// The resolved metadata as JSON text, with the keys in fmf's order.
    pub data: Arc<str>,
    /// The value of `tag` as a list.
    pub tags: Vec<String>,
    /// Whether the test leaves its SUT in a state in which nothing else may run: `extra-destructive: true`, or a tag
    /// `destructive`.
    pub destructive: bool,
    /// Why a pass of the test is reported but not recorded: its metadata have a rule that is not obeyed and could make it a
    /// failure.
    pub doubt: Option<String>,
    /// `extra-priority`: tests with a higher value start first. The default is 0.
    pub priority: i64,
    /// The value of `order`; the default is 50. The vector of tests is already in this order.
    pub order: i64,
    /// The place of the `test` key, such as `tests/main.fmf:3`.
    pub origin: Option<String>,
}

/// A tree that is uploaded to a SUT.
#[derive(Clone, Debug)]
pub struct UploadSpec {
    /// The name of the directory below `tree/` on the SUT: `[a-z0-9-]+`. `main` is the request's own tree.
    pub slot: String,
    /// The files, sorted by path, without duplicates: the whole tree with its .fmf files, without `.git` and what git ignores.
    pub files: Arc<Vec<UploadFile>>,
}

/// One file of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadFile {
    /// The path below the slot.
    pub path: PathBuf,
    /// The path on the host.
    pub source: PathBuf,
    /// The kind of the file.
    pub kind: UploadKind,
    /// For a symlink, the digest of what it leads to on the host, if that is outside the tree.
    pub beyond: Option<BlobDigest>,
    /// The content of a file that atex makes and that does not exist on the host.
    pub content: Option<Arc<[u8]>>,
}

impl UploadFile {
    /// Returns the file's name as an input of a node, and the input itself, which is `None` for a directory.
    pub(crate) fn input(&self) -> (String, Option<InputFile>) {
        uploads::input(self)
    }

    /// Returns the name, as an input, of a file at a path below a slot.
    pub(crate) fn input_name(path: &Path) -> String {
        files::escaped(path)
    }
}

impl UploadKind {
    /// Looks at a file of the host without using anything remembered. Returns `None` if it is gone or of a kind that is not
    /// uploaded.
    pub(crate) fn of(place: &Path) -> Option<Self> {
        files::kind_now(place)
    }
}

/// The kind of a file of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadKind {
    /// A regular file.
    File {
        /// The BLAKE3 digest of the content.
        digest: BlobDigest,
        /// Whether the owner may execute the file.
        executable: bool,
        /// The size in bytes.
        size: u64,
    },
    /// A symlink, with its target as it is written.
    Symlink(PathBuf),
    /// A directory without any other entry of the upload.
    Directory,
}

/// A warning about something in the metadata that is ignored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The text in one line, with the plan and the phase, but without the place.
    pub text: String,
    /// The path of the .fmf file, relative to the root.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(formatter, "{file}:{line}: {}", self.text),
            (Some(file), None) => write!(formatter, "{file}: {}", self.text),
            _ => formatter.write_str(&self.text),
        }
    }
}
