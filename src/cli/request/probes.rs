//! Probes of plans: commands that run tests run the probes and remember the answers; commands that only look use the last
//! answers.
//!
//! A probe is a command that comes with the metadata, so a user who only wants to look at a tree does not want it to be run. The
//! cache keeps the answers by the root of the tree and the command.

use atex_cache::Store;
use serde::{Deserialize, Serialize};

use crate::cli::config::settings::Settings;
use crate::cli::output::messages;
use crate::compile::{Probe, ProbeProblem};
use crate::control::Mask;
use crate::host::clock::unix_now;
use crate::report::human;

/// Stands for an unknown answer. Real answers never end with a newline, so no step that ever ran has the key that this gives.
const UNKNOWN: &str = "(the probe was not run)\n";

/// A remembered answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// The output of the probe.
    answer: String,
    /// When the probe was run, in seconds since the epoch.
    at: u64,
}

/// Runs a probe and remembers its answer. An answer that cannot be kept is not reported here, because the cache reports that it
/// cannot write.
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

/// Returns the last answer of a probe, and warns that it is used. Without one, the plan counts as not prepared.
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

/// Returns the name under which the cache remembers a probe. It contains a newline, so it cannot be the name of a target.
fn name(probe: &Probe<'_>) -> String {
    format!("probe\n{}\n{}", probe.root.display(), probe.command)
}
