//! What a compiled workload is: plain data, made once by `compile` and only read by `exec` and `cli`.
//!
//! Knows no fmf. Everything that names a place is relative (to the slot on the SUT, to the root of the tree); the two host paths are
//! [`Workload::root`] and [`UploadFile::source`], and no key contains them. Ids are dense indexes into the vectors of the
//! [`Workload`] that made them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atex_graph::{ActionKey, Base, BlobDigest, Graph, InputFile, NodeId};

use crate::compile::graph::uploads;
use crate::compile::inputs::files;

/// What the user wants compiled.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where to look for the tree: its root or any directory below.
    pub start: PathBuf,
    /// Names of plans: exact, else Python-style regexes that are searched. Empty: all that are enabled.
    pub plans: Vec<String>,
    /// Names of tests (`atex test NAME…`): exact, else regexes that are searched. Empty: all.
    pub tests: Vec<String>,
    /// What narrows every discover section.
    pub narrowing: Narrowing,
    /// `-e KEY=VAL`, in the order given.
    pub environment: Vec<(String, String)>,
    /// What is known of the SUT: `distro`, `arch`.
    pub default_context: BTreeMap<String, Vec<String>>,
    /// `-c DIM=VAL,VAL`; wins over the default, dimension by dimension.
    pub context: BTreeMap<String, Vec<String>>,
    /// The base identity that the keys start from.
    pub base: Base,
    /// Whether what would be ignored with a warning is an error.
    pub strict: bool,
    /// Variables whose values enter keys only as a keyed hash.
    pub secrets: Secrets,
    /// Where fetched repositories are kept.
    pub fetch_cache: PathBuf,
    /// Where digests of file contents are remembered between runs; `None`: every file is read.
    pub digest_cache: Option<PathBuf>,
    /// The interface of all tests for which neither they nor their plans name one; nothing: their files decide.
    pub interface: Option<Interface>,
    /// Files and directories of this atex, absolute: what lies there is no input, though it lies in the tree.
    pub own: Vec<PathBuf>,
}

/// Selection of tests from the command line, applied to every section on top of what the section selects.
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// `--name`: regexes, a test must match one of them.
    pub names: Vec<String>,
    /// `--filter`: all must hold.
    pub filters: Vec<String>,
    /// `--condition`: all must hold.
    pub conditions: Vec<String>,
    /// `--exclude`: regexes, a test must match none of them.
    pub exclude: Vec<String>,
}

/// Names of secret variables and the key that hides their values.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Names of variables.
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

/// Index of a tree to bring to a SUT in [`Workload::uploads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u32);

/// Everything that may have to run, with the key of each node.
#[derive(Debug)]
pub struct Workload {
    /// The root of the tree on the host, absolute.
    pub root: PathBuf,
    /// Digest of all files of the tree, .fmf files too, the same in every clone; for people (`run.json`).
    pub tree_digest: BlobDigest,
    /// The context it was compiled under.
    pub context: BTreeMap<String, Vec<String>>,
    /// The sealed graph; the node ids below are its.
    pub graph: Arc<Graph>,
    /// The selected plans, in tmt's order. Plans without any test are there too, with empty `tests`; but where tests were asked for
    /// by name, plans that hold none of them are left out.
    pub plans: Vec<PlanSpec>,
    /// The tests of each plan, plan by plan, in the order in which tmt would run them. A test that several plans hold is there
    /// once for each; where its key is the same, they share the node.
    pub tests: Vec<TestSpec>,
    /// One for each prepare and finish node; plans share them.
    pub steps: Vec<StepSpec>,
    /// The trees that SUTs need.
    pub uploads: Vec<UploadSpec>,
    /// What is ignored, in the order of plans.
    pub warnings: Vec<Warning>,
}

impl Workload {
    /// The plan of an id.
    pub fn plan(&self, id: PlanId) -> &PlanSpec {
        &self.plans[id.0 as usize]
    }

    /// The test of an id.
    pub fn test(&self, id: TestId) -> &TestSpec {
        &self.tests[id.0 as usize]
    }

    /// The step of an id.
    pub fn step(&self, id: StepId) -> &StepSpec {
        &self.steps[id.0 as usize]
    }

    /// The upload of an id.
    pub fn upload(&self, id: UploadId) -> &UploadSpec {
        &self.uploads[id.0 as usize]
    }
}

/// What is remembered of a workload of which nothing has to run: the names of its tests and their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullBuild {
    /// See [`Workload::tree_digest`].
    pub tree_digest: BlobDigest,
    /// The plans by name, in order.
    pub plans: Vec<String>,
    /// The tests, each node once, in the order of plans.
    pub tests: Vec<NullBuildTest>,
    /// See [`Workload::warnings`].
    pub warnings: Vec<Warning>,
}

/// A test of a [`NullBuild`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullBuildTest {
    /// See [`TestSpec::name`].
    pub name: String,
    /// The plan's name, where an earlier plan holds a test of the same name under another key.
    pub distinct_in: Option<String>,
    /// What the node is called.
    pub label: String,
    /// The node's key.
    pub key: ActionKey,
}

/// A plan.
#[derive(Clone, Debug)]
pub struct PlanSpec {
    /// Its full name: `/plans/a`.
    pub name: String,
    /// Its discover node.
    pub discover: NodeId,
    /// Its prepare steps in order; empty: tests run on the base.
    pub chain: Vec<StepId>,
    /// Its finish steps in order.
    pub finish: Vec<StepId>,
    /// Its selected tests in order.
    pub tests: Vec<TestId>,
    /// The tree that its scripts and tests use.
    pub upload: UploadId,
    /// `extra-atex-shared-tree`: its tests hand files to each other. They are all of the plan's or none, run in order on one machine, and
    /// the key of each holds those of all.
    pub shared_tree: bool,
    /// The plan's own environment (without `-e`): what its tests get before the plan environment file is sourced.
    pub environment: Vec<(String, String)>,
    /// `enabled`, as the metadata say.
    pub enabled: bool,
    /// Its metadata as JSON text, keys in fmf's order.
    pub data: Arc<str>,
    /// Where it is defined: `plans/main.fmf:3`.
    pub origin: Option<String>,
}

/// A prepare or finish step: one node, whose name lists the plans it serves.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// The node.
    pub node: NodeId,
    /// For people: the phase's `name`, else its `how`.
    pub label: String,
    /// What it does.
    pub action: PhaseAction,
    /// Variables of the plan that are set before the plan environment file is sourced.
    pub env_before: Vec<(String, String)>,
    /// `-e`: set after it.
    pub env_after: Vec<(String, String)>,
    /// The tree in whose root its scripts run. Plans that share the step may have other trees; then every file that it may
    /// read is the same in them.
    pub upload: UploadId,
    /// Where the phase is defined.
    pub origin: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseAction {
    /// Installs packages: sorted, unique, not empty.
    Install {
        /// Names, as the package manager takes them.
        packages: Vec<String>,
    },
    /// Runs scripts one after the other, each a job of its own: each starts in the root of the tree and sources the plan
    /// environment file anew. The first that fails ends the step.
    Shell {
        /// Bash texts; not empty.
        scripts: Vec<String>,
    },
}

/// Who judges a test; what each does is in `src/exec/attempt/framework.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framework {
    /// Its exit code.
    #[default]
    Shell,
    /// The file in which beakerlib keeps its own verdict; of tests with the interface `tmt` only.
    Beakerlib,
}

impl Framework {
    /// The one that `framework: WORD` means, if it is there.
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

/// A test of a plan.
#[derive(Clone, Debug)]
pub struct TestSpec {
    /// Its full name, with the section's where the plan has many: `/section/a/b`.
    pub name: String,
    /// The plan it belongs to.
    pub plan: PlanId,
    /// Its node.
    pub node: NodeId,
    /// The directory it runs in, relative to the slot; empty for the slot's root.
    pub dir: String,
    /// The bash text of `test`.
    pub script: String,
    /// By whose rules it speaks and is judged.
    pub interface: Interface,
    /// What is made of its outcome where the interface is tmt's.
    pub interpretation: Interpretation,
    /// Who judges it.
    pub framework: Framework,
    /// Its place among the tests of its plan, from 1.
    pub serial: u32,
    /// Variables of the plan: set before the plan environment file is sourced.
    pub env_before: Vec<(String, String)>,
    /// The test's own, then `-e` over them: set after it.
    pub env_after: Vec<(String, String)>,
    /// Packages that must be there, in the order given.
    pub requires: Vec<String>,
    /// Packages that may be there.
    pub recommends: Vec<String>,
    /// How long it may run.
    pub duration: Duration,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Its resolved metadata as YAML: the text of the file that `TMT_TEST_METADATA` names.
    pub metadata: Arc<str>,
    /// Its resolved metadata as JSON text, keys in fmf's order.
    pub data: Arc<str>,
    /// `tag`, as a list.
    pub tags: Vec<String>,
    /// Whether it leaves its machine in a state that nothing else may run in: `extra-destructive: true`, or a tag `destructive`.
    pub destructive: bool,
    /// Why a pass of it is told but not recorded: its metadata hold a rule that is not obeyed and could make it a failure.
    pub doubt: Option<String>,
    /// `extra-priority`: higher goes first; 0 by default.
    pub priority: i64,
    /// `order`; 50 by default. The vector is already in this order.
    pub order: i64,
    /// Where its `test` key comes from: `tests/main.fmf:3`.
    pub origin: Option<String>,
}

/// A tree that is brought to a SUT.
#[derive(Clone, Debug)]
pub struct UploadSpec {
    /// The directory below `tree/` there: `[a-z0-9-]+`. `main` is the tree itself.
    pub slot: String,
    /// Sorted by path, unique. Holds the whole tree with its .fmf files, without `.git` and what git ignores.
    pub files: Arc<Vec<UploadFile>>,
}

/// One file of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadFile {
    /// Below the slot.
    pub path: PathBuf,
    /// On the host.
    pub source: PathBuf,
    /// What it is.
    pub kind: UploadKind,
    /// Of a symlink, what it leads to on the host and out of the tree.
    pub beyond: Option<BlobDigest>,
}

impl UploadFile {
    /// What the file is called as an input of a node, and that input; nothing for a directory.
    pub(crate) fn input(&self) -> (String, Option<InputFile>) {
        uploads::input(self)
    }

    /// What a file at a path below a slot is called as an input.
    pub(crate) fn input_name(path: &Path) -> String {
        files::escaped(path)
    }
}

impl UploadKind {
    /// Looks at a file of the host, whatever is remembered of it; nothing where it is gone or of no kind that is brought.
    pub(crate) fn of(place: &Path) -> Option<Self> {
        files::kind_now(place)
    }
}

/// What a file of an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadKind {
    /// A regular file.
    File {
        /// BLAKE3 of its content.
        digest: BlobDigest,
        /// Whether its owner may execute it.
        executable: bool,
        /// In bytes.
        size: u64,
    },
    /// A symlink, with its target as it is.
    Symlink(PathBuf),
    /// A directory that holds nothing else of the upload.
    Directory,
}

/// Something in the metadata that is ignored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// One line, with plan and phase, without the place.
    pub text: String,
    /// The .fmf file, relative to the root.
    pub file: Option<String>,
    /// Its line, from 1.
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
