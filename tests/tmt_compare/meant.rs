//! The differences between tmt and atex that are meant: each with its reason, and the words in `docs/tmt.md` that tell users.

use super::difference::{Difference, Sight};
use super::verdict::{Outcome, Verdict, Verdicts};

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
        reason: "only what the log of the kernel got during the test counts",
        documented: "fails for what was in it before the test",
        applies: |difference, sight| {
            difference.atex == "pass"
                && sight
                    .tmt
                    .is_some_and(|tmt| tmt.internal.iter().any(|what| what == "failed before the test"))
        },
    },
    Meant {
        reason: "prepare and tests share one tree",
        documented: "what a prepare step leaves there, a test finds in its directory",
        applies: |difference, _| difference.test == "/prepare-in-tree/t/own",
    },
    Meant {
        reason: "`tty` is a terminal on each machine",
        documented: "tmt gives none on `local`",
        applies: |difference, _| difference.test == "/tty/t/with",
    },
    Meant {
        reason: "of the modes of files only the right to execute is brought",
        documented: "Of the mode of a file only the right to execute is brought, as by git",
        applies: |difference, _| difference.test == "/modes/t/group",
    },
    Meant {
        reason: "a report without its log, and options after the score, are taken as they are meant",
        documented: "Options are read after the score, too, and a log that is not there leaves no empty file",
        applies: |difference, _| {
            let part = difference.part.as_deref();
            let logs = [
                ("/reports/t/no-log", "file x/nothing.txt"),
                ("/reports/t/options", "file x/l.txt"),
            ];
            logs.into_iter()
                .any(|(test, log)| difference.test == test && part == Some(log))
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

/// Returns whether atex ends as it is to where tmt ends as it did: the table of `docs/from-tmt.md`. A run of which no code is known agrees.
pub(crate) fn exit_codes_agree(tmt: &Verdicts, atex: &Verdicts) -> bool {
    let (Some(of_tmt), Some(of_atex)) = (tmt.exit_code, atex.exit_code) else {
        return true;
    };
    let infra = |outcome: &Outcome| matches!(outcome, Outcome::Other(_));
    match (of_tmt, of_atex) {
        (same, other) if same == other => same < 3,
        // An error of a test is a failed test.
        (2, 1) => atex.has(|outcome| *outcome == Outcome::Error),
        // There was nothing to run, all was skipped, or what tmt calls an error or a failed step is a failure of the infrastructure.
        (3, 4) | (4, 0) | (2, 3) => true,
        (1, 3) => atex.has(infra),
        // Where all plans are disabled, there is nothing to run.
        (2, 4) => atex.plans.is_empty(),
        // It ran as `shell`, and that is said.
        (2, 0) => tmt
            .plans
            .values()
            .flat_map(|plan| &plan.tests)
            .any(|(_, test)| test.unknown_framework),
        _ => false,
    }
}

fn is_pending(verdict: Option<&Verdict>) -> bool {
    verdict.is_some_and(|verdict| verdict.outcome == Some(Outcome::Pending))
}

fn worst(verdict: &Verdict) -> Option<Outcome> {
    verdict.parts.iter().map(|(_, outcome)| outcome.clone()).max()
}
