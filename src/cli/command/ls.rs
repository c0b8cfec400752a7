//! `atex ls`: plans, or the tests that they discover.

use serde::Serialize;

use crate::cli::args::inspect::{LsArgs, LsWhat};
use crate::cli::error::CliError;
use crate::cli::out::Out;
use crate::cli::settings::Settings;
use crate::cli::table::{self, Cell, Columns};
use crate::cli::workload;
use crate::compile;
use crate::compile::spec::Listing;
use crate::fmf::Value;
use crate::report::Exit;

/// What is printed before the data of a test, as the beginning of its line.
#[derive(Serialize)]
struct AboutTest<'a> {
    name: &'a str,
    plan: &'a str,
    dir: &'a str,
}

/// What is printed before the data of a plan.
#[derive(Serialize)]
struct AboutPlan<'a> {
    name: &'a str,
}

/// Lists. Nothing that matches is told by the exit code, as when it was to be run.
pub(crate) fn run(args: LsArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let request = workload::inspect(Vec::new(), args.select, &args.compile, &args.sut, settings)?;
    let listing = compile::list(&request)?;
    workload::warn(&listing.warnings, settings);
    match args.what {
        LsWhat::Tests if listing.tests.is_empty() => Err(CliError::nothing("no test matches")),
        LsWhat::Plans if listing.plans.is_empty() => Err(CliError::nothing("no plan matches")),
        LsWhat::Tests => tests(&listing, settings, out),
        LsWhat::Plans => plans(&listing, settings, out),
    }
}

fn tests(listing: &Listing, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    if settings.json {
        for test in &listing.tests {
            let about = AboutTest {
                name: &test.name,
                plan: &test.plan,
                dir: &test.dir,
            };
            out.json_with(&about, "data", |out| test.data.write_json(out))?;
        }
        return Ok(Exit::Passed);
    }
    let dim = out.palette.dim;
    let rows: Vec<_> = listing
        .tests
        .iter()
        .map(|test| {
            [
                Cell::from(&test.name),
                Cell::from(&test.plan),
                Cell::styled(dim, first_line(test.data.get("summary").and_then(Value::as_str))),
            ]
        })
        .collect();
    table::print(out, Columns::new(["TEST", "PLAN", "SUMMARY"]), &rows)?;
    Ok(Exit::Passed)
}

fn plans(listing: &Listing, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    if settings.json {
        for plan in &listing.plans {
            let about = AboutPlan { name: &plan.name };
            out.json_with(&about, "data", |out| out.write_all(plan.data.as_bytes()))?;
        }
        return Ok(Exit::Passed);
    }
    let dim = out.palette.dim;
    let rows: Vec<_> = listing
        .plans
        .iter()
        .map(|plan| {
            let tests = listing.tests.iter().filter(|test| test.plan == plan.name).count();
            [
                Cell::from(&plan.name),
                Cell::from(tests.to_string()),
                Cell::styled(dim, summary(&plan.data)),
            ]
        })
        .collect();
    table::print(out, Columns::new(["PLAN", "TESTS", "SUMMARY"]).right(1), &rows)?;
    Ok(Exit::Passed)
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
