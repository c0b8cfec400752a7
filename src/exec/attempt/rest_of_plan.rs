//! What the end of a test means for the tests of its plan that come after it.

use crate::control::{InfraKind, TestSummary, Verdict};

/// What becomes of the tests after a test, the weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RestOfPlan {
    /// They run.
    #[default]
    Runs,
    /// They run, unless the plan ends at its first failure.
    EndsByExitFirst,
    /// They do not run: the test gave them up.
    GivenUp,
}

impl RestOfPlan {
    /// Decides by the end of a test. `judged` is what tmt's rules made of it, where they apply: under them a warning makes a run fail, and
    /// ends no plan.
    pub(crate) fn after(summary: &TestSummary, judged: Option<(Verdict, Self)>) -> Self {
        let by_verdict = match (&summary.infra, summary.verdict) {
            (Some((InfraKind::Cancelled, _)), _) | (None, Verdict::Pass) => Self::Runs,
            _ => Self::EndsByExitFirst,
        };
        match judged {
            Some((Verdict::Fail, rest)) if summary.infra.is_none() => rest,
            Some((_, rest)) => rest.max(by_verdict),
            None => by_verdict,
        }
    }

    /// Returns whether a plan ends, which may be one that ends at its first failure.
    pub(crate) fn ends(self, exit_first: bool) -> bool {
        match self {
            Self::Runs => false,
            Self::EndsByExitFirst => exit_first,
            Self::GivenUp => true,
        }
    }

    /// Returns why the tests after a test do not run, for people.
    pub(crate) fn reason(self, test: &str) -> String {
        match self {
            Self::Runs | Self::EndsByExitFirst => format!("`{test}` failed, and its plan has `exit-first`"),
            Self::GivenUp => format!("`{test}` gave its plan up (`tmt-abort`)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::RestOfPlan::{self, EndsByExitFirst, GivenUp, Runs};
    use crate::control::{InfraKind, TestSummary, Verdict};

    fn summary(verdict: Verdict, infra: Option<InfraKind>) -> TestSummary {
        TestSummary {
            verdict,
            results: 1,
            counts: BTreeMap::new(),
            note: String::new(),
            infra: infra.map(|kind| (kind, String::new())),
            late: Vec::new(),
        }
    }

    #[test]
    fn a_failure_of_the_test_or_of_its_machine_ends_a_plan_with_exit_first_and_a_cancellation_does_not() {
        let after = |verdict, infra| RestOfPlan::after(&summary(verdict, infra), None);
        assert_eq!(after(Verdict::Pass, None), Runs);
        assert_eq!(after(Verdict::Fail, None), EndsByExitFirst);
        assert_eq!(after(Verdict::Infra, Some(InfraKind::Timeout)), EndsByExitFirst);
        assert_eq!(after(Verdict::Infra, Some(InfraKind::Cancelled)), Runs);
    }

    #[test]
    fn what_tmt_makes_of_a_test_can_spare_a_warning_but_no_failure_of_the_machine_or_of_the_control_stream() {
        let after = |verdict, infra, judged| RestOfPlan::after(&summary(verdict, infra), Some(judged));
        assert_eq!(after(Verdict::Fail, None, (Verdict::Fail, Runs)), Runs);
        assert_eq!(after(Verdict::Fail, None, (Verdict::Pass, Runs)), EndsByExitFirst);
        assert_eq!(after(Verdict::Pass, None, (Verdict::Pass, GivenUp)), GivenUp);
        let aborted = Some(InfraKind::Aborted);
        assert_eq!(after(Verdict::Infra, aborted, (Verdict::Fail, Runs)), EndsByExitFirst);
    }

    #[test]
    fn only_a_test_that_gave_its_plan_up_ends_one_without_exit_first() {
        let ends = |rest: RestOfPlan| [false, true].map(|exit_first| rest.ends(exit_first));
        assert_eq!(
            [Runs, EndsByExitFirst, GivenUp].map(ends),
            [[false; 2], [false, true], [true; 2]]
        );
    }
}
