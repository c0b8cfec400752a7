//! Says what is wrong with plans and tests that were asked for and cannot be used. The others are used all the same, and the exit
//! code says that it was not all.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::{Out, messages};
use crate::compile::{CompileError, Unusable};

/// What cannot be used as one line of JSON.
#[derive(Serialize)]
struct UnusableJson<'a> {
    plan: &'a str,
    test: Option<&'a str>,
    error: String,
    file: Option<String>,
    line: Option<u32>,
    hint: Option<String>,
}

impl<'a> From<&'a Unusable> for UnusableJson<'a> {
    fn from(unusable: &'a Unusable) -> Self {
        let location = unusable.error.location();
        Self {
            plan: &unusable.plan,
            test: unusable.test.as_deref(),
            error: unusable.error.to_string(),
            file: location.map(|location| location.file.display().to_string()),
            line: location.map(|location| location.line),
            hint: unusable.error.hint(),
        }
    }
}

/// Says what is wrong on standard error. What is wrong with several of them for one reason is said once, and of very many the first.
pub(crate) fn tell<'u>(unusable: impl IntoIterator<Item = &'u Unusable>, settings: &Settings) {
    const SHOWN: usize = 20;
    let mut reasons: HashSet<*const CompileError> = HashSet::new();
    let new = unusable
        .into_iter()
        .filter(|unusable| reasons.insert(Arc::as_ptr(&unusable.error)));
    let new: Vec<&Unusable> = new.collect();
    for unusable in new.iter().take(SHOWN) {
        messages::say(&CliError::from(&*unusable.error).render(&settings.error_palette()));
    }
    if let more @ 1.. = new.len().saturating_sub(SHOWN) {
        let error = CliError::usage(format!("and {more} more plans and tests that cannot be used"));
        messages::say(&error.render(&settings.error_palette()));
    }
}

/// Prints a line of JSON for each.
pub(crate) fn print(unusable: &[Unusable], out: &mut Out) -> Result<(), CliError> {
    unusable
        .iter()
        .try_for_each(|unusable| out.json(&UnusableJson::from(unusable)))
}

/// Returns the last word of a run in which all else went well.
pub(crate) fn left_out(unusable: &[Unusable]) -> CliError {
    const SHOWN: usize = 5;
    let names: Vec<String> = unusable
        .iter()
        .map(|unusable| format!("`{}`", unusable.name()))
        .collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = names[..names.len().min(SHOWN)].join(", ");
    CliError::usage(format!("left out, for the reasons given above: {shown}{more}"))
}
