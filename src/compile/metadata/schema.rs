//! Which keys have a meaning where: the one table of those that atex obeys, and of those that only tmt does.
//!
//! What selects plans and tests, what warns of keys that are not obeyed, and lint read this table. The keys of phases are in the table
//! of [`how`](crate::compile::how), with each `how`.

use crate::compile::how::Keys;

/// A key of a node, and what becomes of it.
pub(crate) struct MetadataKey {
    pub(crate) name: &'static str,
    pub(crate) meaning: Meaning,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is obeyed.
    Obeyed,
    /// It is not obeyed, and a verdict of tmt may depend on it. The text says what follows.
    Verdict(&'static str),
    /// It is not supported, and warned of. The text says what follows.
    Unsupported(&'static str),
    /// It changes what else tmt does.
    TmtOnly,
}

const fn obeyed(name: &'static str) -> MetadataKey {
    MetadataKey {
        name,
        meaning: Meaning::Obeyed,
    }
}

const fn tmt_only(name: &'static str) -> MetadataKey {
    MetadataKey {
        name,
        meaning: Meaning::TmtOnly,
    }
}

const fn verdict(name: &'static str, consequence: &'static str) -> MetadataKey {
    MetadataKey {
        name,
        meaning: Meaning::Verdict(consequence),
    }
}

const fn unsupported(name: &'static str, consequence: &'static str) -> MetadataKey {
    MetadataKey {
        name,
        meaning: Meaning::Unsupported(consequence),
    }
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NodeKind {
    Test,
    Plan,
    Story,
    /// Something that neither atex nor tmt reads.
    Other,
}

impl NodeKind {
    /// What messages call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Plan => "plan",
            Self::Story => "story",
            Self::Other => "node",
        }
    }

    /// What messages call several.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Test => "tests",
            Self::Plan => "plans",
            Self::Story => "stories",
            Self::Other => "nodes",
        }
    }

    /// The keys of its own; those of [`COMMON`] have a meaning in all kinds.
    pub(crate) const fn keys(self) -> &'static [MetadataKey] {
        match self {
            Self::Test => TEST,
            Self::Plan => PLAN,
            Self::Story => STORY,
            Self::Other => &[],
        }
    }
}

/// Keys that tests, plans and stories share.
pub(crate) const COMMON: &[&str] = &[
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

/// Of tests.
pub(crate) const TEST: &[MetadataKey] = &[
    tmt_only("check"),
    obeyed("component"),
    obeyed("duration"),
    obeyed("environment"),
    tmt_only("framework"),
    obeyed("manual"),
    obeyed("path"),
    obeyed("recommend"),
    obeyed("require"),
    tmt_only("restart-max-count"),
    tmt_only("restart-on-exit-code"),
    tmt_only("restart-with-reboot"),
    tmt_only("result"),
    obeyed("test"),
    obeyed("tty"),
];

/// Of plans.
pub(crate) const PLAN: &[MetadataKey] = &[
    verdict("ansible", "it is not obeyed"),
    tmt_only("cleanup"),
    verdict("context", "it counts for no rule, as `-c DIM=VALUE` does"),
    obeyed("discover"),
    obeyed("environment"),
    unsupported("environment-file", "their variables are not set"),
    obeyed("execute"),
    obeyed("finish"),
    tmt_only("login"),
    unsupported("plan", "no plan is imported"),
    obeyed("prepare"),
    tmt_only("provision"),
    verdict("reboot", "their machines are not rebooted for it"),
    tmt_only("report"),
];

/// Of stories.
const STORY: &[MetadataKey] = &[
    tmt_only("example"),
    tmt_only("priority"),
    tmt_only("story"),
    tmt_only("title"),
];

/// Returns whether a key is in a table.
pub(crate) fn has(keys: &[MetadataKey], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// Returns the names of a table.
pub(crate) fn names(keys: &'static [MetadataKey]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}

/// `extra-atex-…`, which atex reads.
pub(crate) const EXTRA: &[&str] = &[
    "extra-atex-inputs",
    "extra-atex-interface",
    "extra-atex-probe",
    "extra-atex-shared-tree",
];

/// Keys that tmt had once.
pub(crate) const OBSOLETE: &[&str] = &["coverage", "relevancy"];

/// Of a section of discover. What phases may say is in the table of `compile::how`.
pub(crate) const SECTION: Keys = Keys {
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
pub(crate) const DIMENSIONS: &[&str] = &[
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

/// Variables that a test sees under atex beside those where its interface is tmt's.
pub(crate) const VARIABLES_OF_TMT: &[&str] = &[
    "TMT_PLAN_DATA",
    "TMT_PLAN_SOURCE_SCRIPT",
    "TMT_RESTRAINT_COMPATIBLE",
    "TMT_SCRIPTS_DIR",
    "TMT_SOURCE_DIR",
    "TMT_TEST_DATA",
    "TMT_TEST_INVOCATION_PATH",
    "TMT_TEST_ITERATION_ID",
    "TMT_TEST_SERIAL_NUMBER",
    "TMT_TEST_SUBMITTED_FILES",
    "TMT_TOPOLOGY_BASH",
    "TMT_TOPOLOGY_YAML",
    "TMT_VERSION",
];

/// Variables that every test sees under atex.
pub(crate) const VARIABLES: &[&str] = &[
    "TMT_PLAN_ENVIRONMENT_FILE",
    "TMT_REBOOT_COUNT",
    "TMT_TEST_METADATA",
    "TMT_TEST_NAME",
    "TMT_TEST_RESTART_COUNT",
    "TMT_TREE",
];

/// A key of an adjust rule without its merge suffix.
pub(crate) fn bare(key: &str) -> &str {
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
