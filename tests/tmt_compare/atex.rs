//! Runs a tree under atex, and reads what it says of each test from what its commands print as JSON.
//!
//! It does not know tmt.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::namespace::Namespace;
use super::verdict::{Outcome, PlanVerdict, Verdict, Verdicts};
use super::{Choice, CompareError};

const SCRIPT: &str = r#"
atex=$1 tree=$2 out=$3; shift 3
prepare_trees
"$atex" -C "$tree" ls --json "$@" >"$out.tests"
"$atex" -C "$tree" build --output "$out" "$@"
code=$?
[ ! -e "$out" ] || "$atex" -C "$tree" results --json "$out" >"$out.results"
exit "$code"
"#;

/// Builds all plans of a tree.
pub(crate) fn verdicts(
    namespace: &Namespace,
    program: &Path,
    tree: &Path,
    choice: Choice,
) -> Result<Verdicts, CompareError> {
    let out = namespace.shared("atex");
    let log = namespace.shared("atex.log");
    let text = |path: &Path| path.to_str().expect("a path is UTF-8").to_owned();
    let paths = [text(program), text(tree), text(&out)];
    let mut args: Vec<&str> = paths.iter().map(String::as_str).collect();
    args.extend(choice.args());
    let exit_code = namespace.run(SCRIPT, &args, &log).map_err(CompareError::Namespace)?;
    let mut verdicts = Verdicts {
        exit_code: Some(exit_code),
        ..Verdicts::default()
    };
    let tests = lines(&namespace.shared("atex.tests"))?;
    for test in tests.iter().filter(|test| test["name"].is_string()) {
        let plan = verdicts.plans.entry(word(test, "plan")).or_default();
        let not_run = Verdict {
            outcome: Some(Outcome::Pending),
            ..Verdict::default()
        };
        plan.tests.push((word(test, "name"), not_run));
    }
    if !(0..=4).contains(&exit_code) || verdicts.plans.is_empty() && exit_code < 2 {
        return Err(CompareError::Run {
            program: "atex",
            exit_code,
            log: fs::read_to_string(&log).unwrap_or_default(),
        });
    }
    let results = lines(&namespace.shared("atex.results"))?;
    for (plan, PlanVerdict { tests, .. }) in &mut verdicts.plans {
        for (test, verdict) in tests {
            // A test that several plans share is run once for all of them: its results name no plan.
            let of_test = || results.iter().filter(|line| word(line, "test") == *test);
            let own = of_test().any(|line| line["plan"] == **plan);
            let of_plan = of_test().filter(|line| {
                if own {
                    line["plan"] == **plan
                } else {
                    line["plan"].is_null()
                }
            });
            of_plan.for_each(|line| add(verdict, &line["result"]));
            let of_plan = out.join(format!("tests{test}/@{}", plan[1..].replace('/', ":")));
            let own = if of_plan.exists() {
                of_plan
            } else {
                out.join(format!("tests{test}"))
            };
            let data = own.join("files/data");
            verdict.files = super::files_below(&data).map_err(CompareError::Namespace)?;
        }
    }
    // The directory of a plan, from which its name is read on tmt's side, has no blanks.
    let plans = std::mem::take(&mut verdicts.plans).into_iter();
    verdicts.plans = plans.map(|(name, plan)| (name.replace(' ', "-"), plan)).collect();
    Ok(verdicts)
}

/// Adds one result to its test.
fn add(verdict: &mut Verdict, result: &Value) {
    let status = word(result, "status");
    let outcome = match Outcome::named(&status) {
        Some(outcome) => outcome,
        // A test before it ended the plan.
        None if status == "infra" && result["error"] == "cancelled" => Outcome::Pending,
        None if status == "infra" => Outcome::Other(word(result, "error")),
        None => Outcome::Other(status),
    };
    match result["name"].as_str() {
        // Of tmt's, too, these are no parts but say how the test ended.
        Some(name) if name.starts_with("check/internal/") => {}
        Some(name) => verdict.parts.push((name.to_owned(), outcome)),
        None => {
            verdict.outcome = Some(outcome);
            verdict.note = word(result, "note");
        }
    }
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Reads a file with a JSON object a line, which is not there where the command before it failed.
fn lines(path: &Path) -> Result<Vec<Value>, CompareError> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let parse = |line| serde_json::from_str(line).map_err(|error| CompareError::Result(format!("{error}: {line}")));
    text.lines().map(parse).collect()
}
