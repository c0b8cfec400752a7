//! Reads the phases of `prepare` and `finish`: which of them run and in which order. Everything that is not honoured gets a
//! warning. Each `how` is defined in its own file in `how`.

use atex_fmf::context::{Context, RuleError};
use atex_fmf::{Location, Map};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::how::{self, StepKind};
use crate::compile::inputs::files::TreeFiles;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::metadata::read::{ORDER, Scope};
use crate::compile::plan::phase_names;
use crate::compile::spec::{PhaseAction, Warning};

/// A phase that will run.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// The `name` of the phase, or else its `how`.
    pub(crate) label: String,
    pub(crate) action: PhaseAction,
    /// Where the phase's packages or scripts are written.
    pub(crate) origin: Option<String>,
    /// The same place as a location, for warnings.
    pub(crate) location: Option<Location>,
    /// What the phase is called in errors, and the origin of its content.
    pub(crate) subject: String,
    pub(crate) cause: ValueOrigin,
}

impl Phase {
    /// Refuses a phase that reads files of the plan's own tree which git ignores: nothing of them would be in its key.
    pub(crate) fn refuse_ignored(&self, own: &TreeFiles) -> Result<(), CompileError> {
        if !how::reads_on_host(&self.action) {
            return Ok(());
        }
        match how::left_out(&self.action, own, "").into_iter().next() {
            None => Ok(()),
            Some(found) => Err(CompileError::Metadata {
                cause: Box::new(self.cause.clone()),
                subject: self.subject.clone(),
                problem: MetadataProblem::NotInKey {
                    path: found.path.display().to_string(),
                    rule: found.rule,
                },
            }),
        }
    }
}

/// Reads the phases of a plan, in the order in which they run.
pub(crate) fn read(
    plan: &Scope<'_>,
    step: StepKind,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Phase>, CompileError> {
    let key = step.key();
    let mut phases = Vec::new();
    let maps = plan.maps(key)?;
    let names = phase_names::of_step(plan, key, &maps)?;
    for (position, (map, name)) in maps.into_iter().zip(names).enumerate() {
        let how = scope_of(plan, key, position, map)
            .text("how")?
            .unwrap_or_else(|| how::DEFAULT.to_owned());
        let name = if map.contains_key("name") { &name } else { &how };
        let subject = format!("{}, {key} phase {} (`{name}`)", plan.subject, position + 1);
        let scope = plan.inner(key, map, subject);
        let order = scope.integer("order", ORDER)?;
        if !applies(&scope, context)? {
            continue;
        }
        if let Some(phase) = read_phase(&scope, step, &how, name, warnings)? {
            phases.push((order, phase));
        }
    }
    phases.sort_by_key(|(order, _)| *order);
    Ok(phases.into_iter().map(|(_, phase)| phase).collect())
}

fn scope_of<'t>(plan: &Scope<'t>, key: &'t str, position: usize, map: &'t Map) -> Scope<'t> {
    plan.inner(key, map, format!("{}, {key} phase {}", plan.subject, position + 1))
}

fn read_phase(
    scope: &Scope<'_>,
    step: StepKind,
    word: &str,
    name: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Phase>, CompileError> {
    let Some(how) = how::find(step, word) else {
        let meant = how::meant(step, word).map(|meant| format!(" ({meant})"));
        let text = format!(
            "`how: {word}` is not supported, the phase is ignored{}",
            meant.unwrap_or_default()
        );
        warnings.push(scope.warning("how", &text));
        return Ok(None);
    };
    unknown_keys(scope, how.keys.read, warnings);
    let content = how.content;
    let Some(action) = (how.read)(scope)? else {
        warnings.push(scope.warning(content, &format!("has no `{content}`, so there is nothing to do")));
        return Ok(None);
    };
    Ok(Some(Phase {
        label: name.to_owned(),
        action,
        origin: scope.origin(content),
        location: scope.location(content),
        subject: scope.subject.clone(),
        cause: scope.cause(content),
    }))
}

/// Returns whether one of the rules in `when` holds. As in tmt, a rule that cannot be decided does not hold.
pub(crate) fn applies(scope: &Scope<'_>, context: &Context) -> Result<bool, CompileError> {
    let Some(when) = scope.value("when") else {
        return Ok(true);
    };
    let rules = when.as_list().unwrap_or(std::slice::from_ref(when));
    for rule in rules {
        let problem = |error: RuleError| MetadataProblem::Expression {
            key: "when",
            problem: error.to_string(),
        };
        if context
            .matches(rule)
            .map_err(|error| scope.error("when", problem(error)))?
            == Some(true)
        {
            return Ok(true);
        }
    }
    Ok(rules.is_empty())
}

/// Warns of every key that is neither common to all phases nor among the given ones.
pub(crate) fn unknown_keys(scope: &Scope<'_>, known: &[&str], warnings: &mut Vec<Warning>) {
    for key in scope.map.keys().filter_map(|key| key.as_str()) {
        if !how::COMMON.contains(&key) && !known.contains(&key) {
            warnings.push(scope.warning(key, &format!("`{key}` is not supported and ignored")));
        }
    }
}
