//! The data of a plan, which its tests share: what one changes there, later ones see. So neither a test that changes it nor the tests after
//! it on that machine are recorded, until the data is made anew.
//!
//! Tests that share a tree depend on each other anyway, and their keys say so. Tests with atex's interface do not see the data. What is
//! there when a plan is over on a machine is kept in the run's directory.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fs, io};

use crate::compile::spec::{Framework, Interface, PhaseAction, PlanSpec, TestSpec};
use crate::control::{FILES, Verdict};
use crate::event::Event;
use crate::exec::attempt::framework::Rules;
use crate::exec::attempt::{self, Attempt, AttemptEnd, SutAfter};
use crate::exec::run::shared::Shared;
use crate::exec::schedule::After;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::trouble::without_os_numbers;
use crate::sut::{Job, JobKind, PLAN_DATA_CHANGES, PlanData, Trouble, TroubleKind, Urgency};

/// How long the data of a plan may take to be fetched.
const LONGEST: Duration = Duration::from_mins(10);

/// Returns a text for the run that the data of a plan must be of. Tests that share a tree find what their chain left, in each attempt.
pub(crate) fn run_of(shared: &Shared<'_>, plan: &PlanSpec, attempt: u32) -> String {
    if plan.shared_tree {
        format!("{} {attempt}", shared.mark)
    } else {
        shared.mark.clone()
    }
}

/// That the data of a plan may not be as its prepare steps left it.
#[derive(Debug)]
pub(crate) struct ChangedData {
    /// The first test that may have changed it.
    by: String,
    /// Whether a change was seen, and not only a test that could not tell.
    is_seen: bool,
}

impl Worker<'_> {
    /// Returns why a test that has ended is not to be recorded for what it or one before it did to the data of their plan. `was_lost` says
    /// that it was broken off, and so did not tell what it has changed.
    pub(crate) fn dependence(&mut self, test: &TestSpec, dir: &Path, was_lost: bool) -> Option<String> {
        let plan = self.shared.work.plan(test.plan);
        if test.interface != Interface::Tmt || plan.shared_tree {
            return None;
        }
        let has_changed = dir.join(FILES).join(PLAN_DATA_CHANGES).exists();
        let earlier = self.changed_data.get(&plan.name).map(|changed| changed.by.clone());
        if has_changed || was_lost {
            let changed = self.changed_data.entry(plan.name.clone());
            let changed = changed.or_insert_with(|| ChangedData {
                by: test.name.clone(),
                is_seen: false,
            });
            changed.is_seen |= has_changed;
        }
        if has_changed && !self.shared.told_changed_data.swap(true, Ordering::Relaxed) {
            let text = format!(
                "`{}` changed the data of its plan (`TMT_PLAN_DATA`), which later tests see: neither it nor the tests after it are recorded; \
                 `extra-atex-shared-tree: true` in the plan records them together",
                test.name
            );
            self.outbox.event(Event::Warning { text });
        }
        if has_changed {
            return Some("it changed the data of its plan: not recorded".to_owned());
        }
        earlier.map(|name| format!("`{name}` before it changed the data of their plan: not recorded"))
    }

    /// Keeps the data of a plan in the run's directory, when the plan is over on this machine, if a test has changed it or the text of a
    /// prepare or finish step names it.
    pub(crate) fn keep_plan_data(&mut self, plan: &PlanSpec) -> Result<(), CommandError> {
        let shared = self.shared;
        let steps = plan.chain.iter().chain(&plan.finish);
        let is_named = steps
            .map(|&step| shared.work.step(step))
            .any(|step| names_plan_data(&step.action));
        let is_changed = self.changed_data.get(&plan.name).is_some_and(|changed| changed.is_seen);
        if !is_named && !is_changed || shared.cancel.urgency() > Urgency::None {
            return Ok(());
        }
        let place = shared.dir.plan_data(&plan.name, self.sut.name());
        if let Err(reason) = self.take_plan_data(plan, &place)? {
            let text = format!(
                "the data of `{}` on `{}` is not kept: {reason}",
                plan.name,
                self.sut.name()
            );
            self.outbox.event(Event::Warning { text });
        }
        Ok(())
    }

    /// Does that for the plans of the lane that the machine is in and that have no finish steps, before the machine goes elsewhere.
    pub(crate) fn keep_data_of_lane(&mut self) -> Result<(), CommandError> {
        let Some(lane) = self.entered.take() else { return Ok(()) };
        for plan in self
            .shared
            .plans(lane)
            .filter(|plan| plan.finish.is_empty() || !self.shared.options.finishes())
        {
            self.keep_plan_data(plan)?;
        }
        Ok(())
    }

    /// Fetches the data as if it were the files of a test. The inner error says why it cannot be kept.
    fn take_plan_data(&mut self, plan: &PlanSpec, place: &Path) -> Result<Result<(), String>, CommandError> {
        let shared = self.shared;
        let unfinished = place.with_added_extension("unfinished");
        if let Err(error) = fs::create_dir_all(&unfinished) {
            return Ok(Err(error.to_string()));
        }
        let job = Job {
            kind: JobKind::SendPlanData(PlanData::OfPlan {
                plan: plan.name.clone(),
                run: String::new(),
            }),
            script: String::new(),
            slot: shared.slot(plan.upload).to_owned(),
            dir: String::new(),
            env_before: Vec::new(),
            env_after: Vec::new(),
            env_file: Shared::env_file(&plan.chain),
        };
        let attempt = Attempt {
            job,
            rules: Rules::Atex(Framework::Shell),
            duration: Some(LONGEST),
            dir: &unfinished,
            cancel: &shared.cancel,
            dead_after: shared.options.dead_after,
            max_output: shared.options.max_output,
            mask: &shared.options.mask,
        };
        let ended = attempt::run(attempt, self.sut.as_mut(), &mut |_, _| {});
        if let Ok(AttemptEnd {
            after: SutAfter::Usable(After::Tainted),
            summary,
            ..
        }) = &ended
        {
            self.doubt(format!(
                "the data of `{}` could not be fetched: {}",
                plan.name, summary.note
            ))?;
        }
        let kept = match ended {
            Ok(ended) => match (ended.after, ended.summary.verdict) {
                (SutAfter::Lost(reason), _) => {
                    return Err(CommandError::Sut(Trouble::new(TroubleKind::Aborted, reason)));
                }
                (SutAfter::Usable(_), Verdict::Pass) => Ok(()),
                (SutAfter::Usable(_), _) => Err(ended.summary.note),
            },
            Err(unwritten) => Err(without_os_numbers(&unwritten.error.to_string())),
        };
        let files = unfinished.join(FILES).join("data");
        let moved = kept.and_then(|()| {
            let moved = if files.exists() { put(&files, place) } else { Ok(()) };
            moved.map_err(|error| error.to_string())
        });
        let _stays_for_people = fs::remove_dir_all(&unfinished);
        Ok(moved)
    }
}

/// Puts a directory in the place of what an earlier end of the plan on the same machine has left there.
fn put(files: &Path, place: &Path) -> io::Result<()> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::rename(files, place)
}

fn names_plan_data(action: &PhaseAction) -> bool {
    match action {
        PhaseAction::Shell { scripts } => scripts.iter().any(|script| script.contains("TMT_PLAN_")),
        PhaseAction::Install(_) | PhaseAction::Ansible { .. } | PhaseAction::Feature { .. } => false,
    }
}
