//! `atex ls`: lists plans, or the tests that they discover.

use std::mem::ManuallyDrop;

use atex_fmf::Value;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::table::{self, Cell, Columns};
use crate::cli::output::{Out, open_object};
use crate::cli::request::{compile_request, unusable};
use crate::compile;
use crate::compile::spec::Request;
use crate::compile::{Listing, PlanListing, Unusable};
use crate::report::Exit;

/// List tests or plans
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex ls                               the tests of all plans
  atex ls plans                         the plans
  atex ls -c distro=rhel-9              as on another system
  atex ls --filter tag:smoke --json     for scripts")]
pub(crate) struct LsArgs {
    /// What to list
    #[arg(value_enum, default_value_t = LsWhat::Tests)]
    pub(crate) what: LsWhat,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// What `ls` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LsWhat {
    /// Tests that plans discover
    Tests,
    /// Plans
    Plans,
}

/// The beginning of the line of a test, which is printed before its data.
#[derive(Serialize)]
struct AboutTest<'a> {
    name: &'a str,
    plan: &'a str,
    dir: &'a str,
    interface: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    libraries: Vec<String>,
}

/// The beginning of the line of a plan, which is printed before its data.
#[derive(Serialize)]
struct AboutPlan<'a> {
    name: &'a str,
}

/// Prints the list. If nothing matches, the exit code says so, as in a run.
pub(crate) fn run(args: LsArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let request = compile_request::inspect(Vec::new(), args.select, &args.compile, &args.sut, settings)?;
    if args.what == LsWhat::Plans {
        return plans(compile::resolve_plans(&request)?.list_plans(&request)?, settings, out);
    }
    // Dropping the value would take longer than the rest of the process.
    let resolved = ManuallyDrop::new(compile::resolve(&request)?);
    let listing = resolved.list(&request)?;
    compile_request::warn(&listing.warnings, settings);
    if listing.has_no_tests() && listing.unusable.is_empty() {
        return Err(CliError::nothing("no test matches"));
    }
    tests(&listing, &request, settings, out)?;
    ended(&listing.unusable, settings, out)
}

/// Says what could not be listed, and returns how the command ends.
fn ended(unusable: &[Unusable], settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    unusable::tell(unusable, settings);
    if settings.json {
        unusable::print(unusable, out)?;
    }
    Ok(if unusable.is_empty() { Exit::Passed } else { Exit::Usage })
}

fn tests(listing: &Listing<'_>, request: &Request, settings: &Settings, out: &mut Out) -> Result<(), CliError> {
    if settings.json {
        let tests: Vec<_> = listing.tests().zip(listing.interfaces(request)?).collect();
        return out.lines(&tests, |(test, interface), line| {
            let about = AboutTest {
                name: test.name,
                plan: test.plan,
                dir: &test.dir()?,
                interface: interface.word(),
                libraries: test.libraries()?,
            };
            line.push_str(&open_object(&about, "data")?);
            test.write_data(line);
            line.push('}');
            Ok(())
        });
    }
    let dim = out.palette.dim;
    let mut rows = Vec::new();
    for test in listing.tests() {
        let summary = test.value("summary");
        rows.push([
            Cell::from(test.name),
            Cell::from(test.plan),
            Cell::styled(dim, first_line(summary.as_ref().and_then(Value::as_str))),
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    table::print(out, Columns::new(["TEST", "PLAN", "SUMMARY"]), &rows)
}

fn plans(listing: PlanListing, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let PlanListing {
        plans,
        warnings,
        unusable,
    } = listing;
    compile_request::warn(&warnings, settings);
    if plans.is_empty() && unusable.is_empty() {
        return Err(CliError::nothing("no plan matches"));
    }
    if settings.json {
        for plan in &plans {
            let about = AboutPlan { name: &plan.name };
            out.json_with(&about, "data", plan.data.as_bytes())?;
        }
        return ended(&unusable, settings, out);
    }
    let dim = out.palette.dim;
    let rows: Vec<_> = plans
        .iter()
        .map(|plan| {
            [
                Cell::from(&plan.name),
                Cell::from(plan.tests.map_or_else(|| "?".to_owned(), |tests| tests.to_string())),
                Cell::styled(dim, summary(&plan.data)),
            ]
        })
        .collect();
    if !rows.is_empty() {
        table::print(out, Columns::new(["PLAN", "TESTS", "SUMMARY"]).right(1), &rows)?;
    }
    ended(&unusable, settings, out)
}

/// Takes the summary out of a plan's metadata in JSON.
fn summary(data: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Known {
        #[serde(default)]
        summary: serde_json::Value,
    }
    let known = serde_json::from_str(data).unwrap_or(Known {
        summary: serde_json::Value::Null,
    });
    first_line(known.summary.as_str())
}

fn first_line(text: Option<&str>) -> String {
    text.and_then(|text| text.lines().next()).unwrap_or_default().to_owned()
}
