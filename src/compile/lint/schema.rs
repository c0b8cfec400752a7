//! Which keys have a meaning where: those that atex reads and those that tmt knows.

use crate::compile::how::Keys;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NodeKind {
    Test,
    Plan,
    Story,
    /// Something that neither atex nor tmt reads.
    Other,
}

impl NodeKind {
    /// What messages call it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Plan => "plan",
            Self::Story => "story",
            Self::Other => "node",
        }
    }

    /// What messages call several.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Test => "tests",
            Self::Plan => "plans",
            Self::Story => "stories",
            Self::Other => "nodes",
        }
    }

    /// The keys of its own; those of [`COMMON`] have a meaning in all kinds.
    pub(super) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Test => TEST,
            Self::Plan => PLAN,
            Self::Story => STORY,
            Self::Other => &[],
        }
    }
}

/// Keys that tests, plans and stories share.
pub(super) const COMMON: &[&str] = &[
    "adjust",
    "author",
    "contact",
    "description",
    "enabled",
    "id",
    "link",
    "order",
    "summary",
    "tag",
    "tier",
];

pub(super) const TEST: &[&str] = &[
    "check",
    "component",
    "duration",
    "environment",
    "framework",
    "manual",
    "path",
    "recommend",
    "require",
    "restart-max-count",
    "restart-on-exit-code",
    "restart-with-reboot",
    "result",
    "test",
    "tty",
];

pub(super) const PLAN: &[&str] = &[
    "ansible",
    "cleanup",
    "context",
    "discover",
    "environment",
    "environment-file",
    "execute",
    "finish",
    "login",
    "plan",
    "prepare",
    "provision",
    "reboot",
    "report",
];

const STORY: &[&str] = &["example", "priority", "story", "title"];

/// Keys of tests that change what tmt does, and that atex reads over.
pub(super) const TEST_TMT_ONLY: &[&str] = &[
    "check",
    "framework",
    "restart-max-count",
    "restart-on-exit-code",
    "restart-with-reboot",
    "result",
];

/// Keys of plans that change a verdict of tmt, and that atex reads over.
pub(super) const PLAN_VERDICT: &[&str] = &["ansible", "context", "reboot"];

/// Keys of plans that change what else tmt does, and that atex reads over.
pub(super) const PLAN_TMT_ONLY: &[&str] = &["cleanup", "login", "provision", "report"];

/// Keys of plans that atex warns of when it runs them.
pub(super) const PLAN_REFUSED: &[&str] = &["environment-file", "plan"];

/// `extra-atex-…`, which atex reads.
pub(super) const EXTRA: &[&str] = &["extra-atex-inputs", "extra-atex-probe", "extra-atex-shared-tree"];

/// Keys that tmt had once.
pub(super) const OBSOLETE: &[&str] = &["coverage", "relevancy"];

/// Of a section of discover. What phases may say is in the table of `compile::how`.
pub(super) const SECTION: Keys = Keys {
    read: &["condition", "exclude", "filter", "path", "ref", "test", "url"],
    known: &[
        "adjust-tests",
        "dist-git-download-only",
        "dist-git-extract",
        "dist-git-init",
        "dist-git-install-builddeps",
        "dist-git-merge",
        "dist-git-remove-fmf-root",
        "dist-git-require",
        "dist-git-source",
        "dist-git-type",
        "fmf-id",
        "include",
        "link",
        "modified-only",
        "modified-ref",
        "modified-url",
        "prune",
        "repository",
        "require-test",
        "revision",
        "sync-repo",
        "url-content-type",
        "where",
    ],
};

/// Dimensions of contexts that tmt and its users set.
pub(super) const DIMENSIONS: &[&str] = &[
    "arch",
    "collection",
    "component",
    "distro",
    "how",
    "initiator",
    "module",
    "product",
    "provision_method",
    "trigger",
    "variant",
];

/// Variables that a test sees under atex.
pub(super) const VARIABLES: &[&str] = &[
    "TMT_PLAN_ENVIRONMENT_FILE",
    "TMT_REBOOT_COUNT",
    "TMT_TEST_METADATA",
    "TMT_TEST_NAME",
    "TMT_TEST_RESTART_COUNT",
    "TMT_TREE",
];

/// A key of an adjust rule without its merge suffix.
pub(super) fn bare(key: &str) -> &str {
    key.trim_end_matches(['+', '<', '-', '~'])
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn suffixes_are_no_part_of_a_key() {
        assert_eq!(
            ["tag+<", "tag-~", "tag+", "a-b"].map(bare),
            ["tag", "tag", "tag", "a-b"]
        );
    }
}
