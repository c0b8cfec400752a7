//! The codes of findings: short names that stay, so that they can be switched off by them.
//!
//! `docs/lint.md` explains each; a test compares.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It runs, and not as it reads.
    Warning,
    /// It does not run, or not in every context.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $severity:ident $name:literal,)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LintCode {
            $($(#[$doc])* $variant,)*
        }

        impl LintCode {
            /// Every code, in the order of `docs/lint.md`.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the name that users write.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns how bad findings with this code are.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A key that nobody reads.
    UnknownKey Warning "unknown-key",
    /// A key of tests in a plan, or the other way round.
    MisplacedKey Warning "misplaced-key",
    /// A key of a plan, a phase or a section that atex does not support.
    IgnoredKey Warning "ignored-key",
    /// A phase whose `how` is not supported.
    IgnoredPhase Warning "ignored-phase",
    /// A discover section whose `how` is not supported.
    IgnoredSection Warning "ignored-section",
    /// Phases in a node that is no plan.
    NotAPlan Warning "not-a-plan",
    /// A value of a type that cannot be read.
    WrongType Error "wrong-type",
    /// A value in the place of a boolean.
    NotBoolean Warning "not-boolean",
    /// A duration that is none.
    BadDuration Error "bad-duration",
    /// A variable that cannot be exported.
    BadVariable Error "bad-variable",
    /// A glob that does not compile.
    BadGlob Error "bad-glob",
    /// A path that leads out of the tree, or to no directory or tree.
    BadPath Error "bad-path",
    /// A script without a command.
    EmptyScript Warning "empty-script",
    /// An install phase without packages.
    EmptyPackage Warning "empty-package",
    /// A regular expression that does not compile.
    BadRegex Error "bad-regex",
    /// A Python expression that cannot be evaluated.
    BadCondition Error "bad-condition",
    /// An adjust rule of the wrong form, or one that cannot be merged.
    BadAdjust Error "bad-adjust",
    /// A context rule that is none.
    BadRule Error "bad-rule",
    /// A context rule that holds in no context, or that reads otherwise than it is read.
    DeadRule Warning "dead-rule",
    /// A dimension that looks like a misspelt one.
    UnknownDimension Warning "unknown-dimension",
    /// An adjust rule behind one that always ends the list.
    UnreachableRule Warning "unreachable-rule",
    /// One of several discover sections without a usable name of its own.
    SectionName Error "section-name",
    /// A filter or a condition that no test matches.
    FilterMatchesNothing Warning "filter-matches-nothing",
    /// A pattern of `test` or `exclude` that no test's name matches.
    NameMatchesNothing Warning "name-matches-nothing",
    /// A plan or a section without any test.
    NoTests Warning "no-tests",
    /// A script that names a file that is not there.
    MissingFile Error "missing-file",
    /// A script that starts a file that cannot be executed.
    NotExecutable Error "not-executable",
    /// A script that names a file of its directory as if it were a command.
    NotACommand Warning "not-a-command",
    /// A file that is named, and not brought to a machine.
    LeftOut Warning "left-out",
    /// A symlink that leads out of the tree.
    LinkOut Warning "link-out",
    /// An `id` that several nodes have.
    DuplicateId Warning "duplicate-id",
    /// tmt obeys the key, atex does not.
    TmtKey Warning "tmt-key",
    /// atex reads it, tmt does not.
    TmtForm Warning "tmt-form",
    /// tmt expands variables there.
    TmtExpansion Warning "tmt-expansion",
    /// tmt sets the variable.
    TmtVariable Warning "tmt-variable",
    /// tmt brings the command.
    TmtCommand Warning "tmt-command",
    /// tmt fetches the library or the file.
    TmtRequire Warning "tmt-require",
}

impl LintCode {
    /// Finds a code by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
