//! Probes of plans: run by what runs tests, and remembered; everything that only looks uses what they said last.
//!
//! A probe is a command that the metadata bring along, so whoever only wants to see a tree does not want it run. The cache remembers
//! answers by the tree's root and the command.

use atex_cache::Store;
use serde::{Deserialize, Serialize};

use crate::cli::config::settings::Settings;
use crate::cli::output::messages;
use crate::cli::process::clock::unix_now;
use crate::compile::{Probe, ProbeProblem};
use crate::control::Mask;
use crate::report::human;

/// Stands for an answer that nobody knows. No answer ends with a newline, so no step that ever ran has the key that this gives.
const UNKNOWN: &str = "(the probe was not run)\n";

/// What is remembered of a probe.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// What it printed.
    answer: String,
    /// When: seconds since the epoch.
    at: u64,
}

/// Runs a probe, and remembers its answer; where that cannot be kept, the cache tells of it soon enough.
pub(crate) fn run(probe: &Probe<'_>, store: &Store, mask: &Mask) -> Result<String, ProbeProblem> {
    let masked = |text: &String| mask.text(text).into_owned();
    let said = probe.run().map_err(|problem| problem.map_text(masked))?;
    let answer = masked(&said);
    let kept = Answer {
        answer: answer.clone(),
        at: unix_now(),
    };
    if let Ok(kept) = serde_json::to_value(&kept) {
        let _is_unknown_later = store.remember_facts(&name(probe), &kept);
    }
    Ok(answer)
}

/// Gives a probe's last answer, and says so. Without one its plan's preparation is taken for one that would run.
pub(crate) fn recall(probe: &Probe<'_>, store: &Store, settings: &Settings) -> String {
    let facts = store.facts(&name(probe)).ok().flatten();
    let known: Option<Answer> = facts.and_then(|facts| serde_json::from_value(facts).ok());
    let plan = probe.plan;
    let text = if let Some(Answer { at, .. }) = &known {
        let age = human::age(unix_now().saturating_sub(*at));
        format!("the probe of `{plan}` was not run: its answer of {age} is used")
    } else {
        format!("the probe of `{plan}` was not run, and never was: its plan is taken as one to prepare anew")
    };
    messages::warning(&text, settings);
    known.map_or_else(|| UNKNOWN.to_owned(), |known| known.answer)
}

/// The name under which the cache remembers a probe: no target's, which has no newline.
fn name(probe: &Probe<'_>) -> String {
    format!("probe\n{}\n{}", probe.root.display(), probe.command)
}
