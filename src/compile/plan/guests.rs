//! The guests that a plan asks for. atex runs a plan on one machine, or on several that are all alike; a plan that gives its machines
//! different roles is refused, because on one machine its tests would say nothing.
//!
//! A guest has a name and perhaps a role. `where` of a section or a phase names those that it is for.

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::how::StepKind;
use crate::compile::metadata::read::Scope;

/// The key for the guests.
pub(crate) const PROVISION: &str = "provision";

/// The key that says which guests something is for.
pub(crate) const WHERE: &str = "where";

/// The name of a guest that has none, as tmt makes it.
const UNNAMED: &str = "default-0";

/// The keys of a plan whose parts may have `where`.
const PARTS: [&str; 4] = ["discover", StepKind::Prepare.key(), StepKind::Finish.key(), "execute"];

/// Returns the guests that a plan asks for, as far as their `when` is fulfilled.
pub(crate) fn of_plan<'t>(
    plan: &Scope<'t>,
    applies: &mut dyn FnMut(&Scope<'_>) -> Result<bool, CompileError>,
) -> Result<Vec<Scope<'t>>, CompileError> {
    let mut guests = Vec::new();
    for (position, map) in plan.maps(PROVISION)?.into_iter().enumerate() {
        let guest = plan.inner(PROVISION, map, format!("{}, guest {}", plan.subject, position + 1));
        if applies(&guest)? {
            guests.push(guest);
        }
    }
    Ok(guests)
}

/// Refuses a plan with several guests, and a `where` that names another guest than the only one.
pub(crate) fn check(
    plan: &Scope<'_>,
    applies: &mut dyn FnMut(&Scope<'_>) -> Result<bool, CompileError>,
) -> Result<(), CompileError> {
    let guests = of_plan(plan, applies)?;
    if guests.len() > 1 {
        let mut names = Vec::new();
        for (number, guest) in guests.iter().enumerate() {
            names.push(name(guest)?.unwrap_or_else(|| format!("default-{number}")));
        }
        return Err(plan.error(PROVISION, MetadataProblem::SeveralGuests(names)));
    }
    let guest = guests.first();
    let known = match guest {
        Some(guest) => [name(guest)?, guest.text("role")?],
        None => [None, None],
    };
    let is_it = |word: &String| match &known[0] {
        None if word == UNNAMED => true,
        _ => known.iter().flatten().any(|known| known == word),
    };
    for part in PARTS {
        for map in plan.maps(part).unwrap_or_default() {
            let scope = plan.inner(part, map, format!("{}, {part}", plan.subject));
            let words = scope.texts(WHERE)?;
            if !words.is_empty() && applies(&scope)? && !words.iter().any(is_it) {
                return Err(scope.error(WHERE, MetadataProblem::OtherGuest(words.join("`, `"))));
            }
        }
    }
    Ok(())
}

fn name(guest: &Scope<'_>) -> Result<Option<String>, CompileError> {
    guest.text("name")
}
