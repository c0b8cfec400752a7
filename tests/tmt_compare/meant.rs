//! The differences between tmt and atex that are meant: each with its reason, and the words in `docs/tmt.md` that tell users.

use super::difference::{Difference, Sight};
use super::verdict::{Outcome, Verdict};

/// A difference that stays.
#[derive(Debug)]
pub(crate) struct Meant {
    pub(crate) reason: &'static str,
    /// Words of `docs/tmt.md` that say so.
    pub(crate) documented: &'static str,
    /// Whether it explains this difference.
    pub(crate) applies: fn(&Difference, &Sight) -> bool,
}

pub(crate) const MEANT: &[Meant] = &[
    Meant {
        reason: "a timeout is a failure of the infrastructure",
        documented: "A test that is not over when its duration is over is a failure of the infrastructure here",
        applies: |difference, sight| {
            difference.atex == "timeout"
                && sight
                    .tmt
                    .is_some_and(|tmt| tmt.internal.iter().any(|what| what == "timeout"))
        },
    },
    Meant {
        reason: "a test has a result of its own beside those of its parts",
        documented: "no result for the test itself, there is one here: the worst of them",
        applies: |difference, sight| {
            difference.part.is_none()
                && sight.tmt.is_some_and(|tmt| tmt.outcome.is_none())
                && sight
                    .atex
                    .is_some_and(|atex| atex.outcome.is_some() && atex.outcome == worst(atex))
        },
    },
    Meant {
        reason: "what the log of the kernel holds before a test is none of its failures",
        documented: "only lines that were not there at the start of the test count",
        applies: |_, sight| {
            let saw = |verdict: Option<&Verdict>, outcome: Outcome| {
                verdict.is_some_and(|verdict| verdict.parts.contains(&("check/dmesg".to_owned(), outcome)))
            };
            saw(sight.tmt, Outcome::Fail) && saw(sight.atex, Outcome::Pass)
        },
    },
    Meant {
        reason: "a test at fault is an error, and ends no other",
        documented: "tmt ends the plan there",
        applies: |_, sight| {
            let is_error = sight.atex.is_some_and(|atex| {
                matches!(
                    atex.outcome,
                    Some(Outcome::Error | Outcome::Other(_) | Outcome::Pending)
                )
            });
            is_pending(sight.tmt) && (is_error || !sight.is_first_pending)
        },
    },
    Meant {
        reason: "a framework that is not known runs as shell, and each run says so",
        documented: "A test with another one runs as `shell`: each run says so, and a pass is not recorded",
        applies: |_, sight| is_pending(sight.tmt) && sight.tmt.is_some_and(|tmt| tmt.unknown_framework),
    },
    Meant {
        reason: "a test whose metadata is wrong does not run and is told, and the run ends with 2",
        documented: "is an error of that plan or test, for those who ask for it. The others run.",
        applies: |_, sight| sight.is_first_pending && sight.atex.is_none(),
    },
    Meant {
        reason: "metadata that is wrong makes its test an error, and ends no other",
        documented: "tmt does not run the plan",
        applies: |_, sight| sight.knows_no_tests && sight.tmt.is_none() && sight.atex.is_some(),
    },
];

fn is_pending(verdict: Option<&Verdict>) -> bool {
    verdict.is_some_and(|verdict| verdict.outcome == Some(Outcome::Pending))
}

fn worst(verdict: &Verdict) -> Option<Outcome> {
    verdict.parts.iter().map(|(_, outcome)| outcome.clone()).max()
}
