//! The schema of the metadata: which keys have a meaning in which kind of node, both those that atex obeys and those that only
//! tmt does.
//!
//! The selection of plans and tests, the warnings of keys that are not obeyed, and lint all read this table. The keys of phases
//! are in the table of [`how`](crate::compile::how), with each `how`.

use crate::compile::how::Keys;

/// A key of a node, and how atex treats it.
pub(crate) struct MetadataKey {
    pub(crate) name: &'static str,
    pub(crate) meaning: Meaning,
}

/// How atex treats a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The key is obeyed.
    Obeyed,
    /// The key is not obeyed, and a verdict of tmt may depend on it. The text describes the consequence.
    Verdict(&'static str),
    /// The key changes something else that tmt does, which no verdict depends on.
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

/// The kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NodeKind {
    Test,
    Plan,
    Story,
    /// A node that neither atex nor tmt reads.
    Other,
}

impl NodeKind {
    /// Returns the name of the kind in messages.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Plan => "plan",
            Self::Story => "story",
            Self::Other => "node",
        }
    }

    /// Returns the plural of the name.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Test => "tests",
            Self::Plan => "plans",
            Self::Story => "stories",
            Self::Other => "nodes",
        }
    }

    /// Returns the keys of this kind only; those of [`COMMON`] have a meaning in all kinds.
    pub(crate) const fn keys(self) -> &'static [MetadataKey] {
        match self {
            Self::Test => TEST,
            Self::Plan => PLAN,
            Self::Story => STORY,
            Self::Other => &[],
        }
    }
}

/// The keys that tests, plans and stories share.
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

/// The keys of tests.
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

/// The keys of plans.
pub(crate) const PLAN: &[MetadataKey] = &[
    verdict("ansible", "it is not obeyed"),
    tmt_only("cleanup"),
    obeyed("context"),
    obeyed("discover"),
    obeyed("environment"),
    obeyed("environment-file"),
    obeyed("execute"),
    obeyed("finish"),
    tmt_only("login"),
    obeyed("plan"),
    obeyed("prepare"),
    tmt_only("provision"),
    verdict("reboot", "their machines are not rebooted for it"),
    tmt_only("report"),
];

/// The keys of stories.
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

/// The `extra-atex-…` keys, which only atex reads.
pub(crate) const EXTRA: &[&str] = &[
    "extra-atex-inputs",
    "extra-atex-interface",
    "extra-atex-probe",
    "extra-atex-shared-tree",
];

/// Keys that tmt no longer has.
pub(crate) const OBSOLETE: &[&str] = &["coverage", "relevancy"];

/// The keys of `execute` that change what tmt does and that are not obeyed, each with what happens instead.
pub(crate) const UNOBEYED_EXECUTE: [(&str, &str); 2] = [
    (
        "interactive",
        "nobody can type what a test asks for, and the durations of tests count",
    ),
    ("upgrade-path", "nothing is upgraded"),
];

/// The keys of a discover section. Those of phases are in the table of `compile::how`.
pub(crate) const SECTION: Keys = Keys {
    read: &[
        "adjust-tests",
        "condition",
        "exclude",
        "filter",
        "include",
        "link",
        "modified-only",
        "modified-ref",
        "modified-url",
        "path",
        "ref",
        "repository",
        "require-test",
        "revision",
        "test",
        "url",
    ],
    known: &[
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
        "prune",
        "sync-repo",
        "url-content-type",
    ],
};

/// The keys of a discover section with `how: shell`, whose tests are written in it.
pub(crate) const SHELL_SECTION: Keys = Keys {
    read: &["keep-git-metadata", "ref", "require-test", "tests", "url"],
    known: &[
        "dist-git-download-only",
        "dist-git-extract",
        "dist-git-init",
        "dist-git-install-builddeps",
        "dist-git-merge",
        "dist-git-remove-fmf-root",
        "dist-git-require",
        "dist-git-source",
        "dist-git-type",
        "url-content-type",
        "where",
    ],
};

/// The context dimensions that tmt and its users set.
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

/// The variables that only a test with tmt's interface sees under atex.
pub(crate) const VARIABLES_OF_TMT: &[&str] = &[
    "TMT_PLAN_DATA",
    "TMT_PLAN_SOURCE_SCRIPT",
    "TMT_REBOOT_REQUEST",
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

/// The variables that prepare and finish scripts see beside [`VARIABLES`].
pub(crate) const VARIABLES_OF_SCRIPTS: &[&str] = &[
    "TMT_PLAN_DATA",
    "TMT_PLAN_SOURCE_SCRIPT",
    "TMT_SCRIPTS_DIR",
    "TMT_TOPOLOGY_BASH",
    "TMT_TOPOLOGY_YAML",
    "TMT_VERSION",
];

/// The variables that every test sees under atex.
pub(crate) const VARIABLES: &[&str] = &[
    "TMT_PLAN_ENVIRONMENT_FILE",
    "TMT_REBOOT_COUNT",
    "TMT_TEST_METADATA",
    "TMT_TEST_NAME",
    "TMT_TEST_RESTART_COUNT",
    "TMT_TREE",
];

/// Returns a key of an adjust rule without its merge suffix.
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
