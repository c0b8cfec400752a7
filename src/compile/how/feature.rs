//! `how: feature` switches features of Enterprise Linux: repositories, and the FIPS mode. The half that runs on a SUT is
//! `src/sut/agent/features.rs`.

use std::sync::Arc;

use atex_graph::{Sourced, StepAction};

use super::{How, Keys, StepKind};
use crate::compile::error::CompileError;
use crate::compile::lint::LintCode;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::PhaseAction;

/// The features, in the order in which they are switched. EPEL needs CRB.
const FEATURES: [&str; 3] = ["crb", "epel", "fips"];

pub(super) const HOW: How = How {
    word: "feature",
    steps: &[StepKind::Prepare],
    content: "epel",
    keys: Keys {
        read: &FEATURES,
        known: &["profile"],
    },
    empty: LintCode::EmptyScript,
    read,
};

fn read(phase: &Scope<'_>) -> Result<Option<PhaseAction>, CompileError> {
    let mut features = Vec::new();
    for name in FEATURES {
        let Some(value) = phase.value(name) else { continue };
        match value.as_str() {
            Some(state @ "enabled") => features.push(format!("{name} {state}")),
            Some(state @ "disabled") if name != "fips" => features.push(format!("{name} {state}")),
            _ if name == "fips" => return Err(phase.wrong(name, "`enabled`", value)),
            _ => return Err(phase.wrong(name, "`enabled` or `disabled`", value)),
        }
    }
    Ok((!features.is_empty()).then_some(PhaseAction::Feature { features }))
}

pub(super) fn input(features: &[String], origin: Option<Arc<str>>) -> StepAction {
    StepAction::Feature {
        features: Sourced {
            value: features.to_vec(),
            origin,
        },
    }
}
