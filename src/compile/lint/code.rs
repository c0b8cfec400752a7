//! The codes of lint findings: short, stable names with which users can switch findings off.
//!
//! `docs/lint.md` explains each code; a test compares that page with this list.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The metadata can be used, but not with the meaning that they seem to have.
    Warning,
    /// The metadata cannot be used, at least in some contexts.
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

            /// Returns the severity of findings with this code.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// No tool reads the key.
    UnknownKey Warning "unknown-key",
    /// A plan has a key of tests, or a test has a key of plans.
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
    /// A value is not a boolean where one is expected.
    NotBoolean Warning "not-boolean",
    /// A text is not a valid duration.
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
    /// A context rule is not valid.
    BadRule Error "bad-rule",
    /// A context rule holds in no context, or is evaluated otherwise than it reads.
    DeadRule Warning "dead-rule",
    /// A dimension that looks like a misspelt one.
    UnknownDimension Warning "unknown-dimension",
    /// An adjust rule follows one that always ends the list.
    UnreachableRule Warning "unreachable-rule",
    /// Two phases of a step, or two discover sections, have the same name; or a section has one that no directory can have.
    SectionName Error "section-name",
    /// Tests that are written in a plan cannot be taken.
    BadDiscover Error "bad-discover",
    /// A plan asks for several guests, or a part of it is for another guest.
    SeveralGuests Error "several-guests",
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
    /// A file is named but not uploaded to a SUT.
    LeftOut Warning "left-out",
    /// A symlink that leads out of the tree.
    LinkOut Warning "link-out",
    /// Several nodes have the same `id`.
    DuplicateId Warning "duplicate-id",
    /// tmt obeys the key, but atex does not.
    TmtKey Warning "tmt-key",
    /// atex reads a value of this form, but tmt does not.
    TmtForm Warning "tmt-form",
    /// tmt expands variables in the value.
    TmtExpansion Warning "tmt-expansion",
    /// tmt sets the variable, but atex does not.
    TmtVariable Warning "tmt-variable",
    /// tmt provides the command on its guests, but atex does not.
    TmtCommand Warning "tmt-command",
    /// tmt fetches the library, but atex does not.
    TmtRequire Warning "tmt-require",
}

impl LintCode {
    /// Returns the code with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
