//! Runs a tree under atex, and reads what it says of each test from what its commands print as JSON.
//!
//! It does not know tmt.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::namespace::Namespace;
use super::verdict::{Outcome, Verdict, Verdicts};
use super::{Choice, CompareError};

const SCRIPT: &str = r#"
atex=$1 tree=$2 out=$3; shift 3
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
    let mut verdicts = Verdicts::default();
    for test in lines(&namespace.shared("atex.tests"))? {
        let plan = verdicts.plans.entry(word(&test, "plan")).or_default();
        let not_run = Verdict {
            outcome: Some(Outcome::Pending),
            ..Verdict::default()
        };
        plan.tests.push((word(&test, "name"), not_run));
    }
    if !(0..=4).contains(&exit_code) || verdicts.plans.is_empty() && exit_code < 2 {
        return Err(CompareError::Run {
            program: "atex",
            exit_code,
            log: fs::read_to_string(&log).unwrap_or_default(),
        });
    }
    for line in lines(&namespace.shared("atex.results"))? {
        add(&mut verdicts, &line);
    }
    Ok(verdicts)
}

/// Adds one result to its test. A test that several plans have is run once for all of them.
fn add(verdicts: &mut Verdicts, line: &Value) {
    let (plan, test, result) = (line["plan"].as_str(), word(line, "test"), &line["result"]);
    let status = word(result, "status");
    let outcome = match Outcome::named(&status) {
        Some(outcome) => outcome,
        None if status == "infra" => Outcome::Other(word(result, "error")),
        None => Outcome::Other(status),
    };
    let plans = verdicts
        .plans
        .iter_mut()
        .filter(|(name, _)| plan.is_none_or(|plan| *name == plan));
    for (_, verdict) in plans
        .flat_map(|(_, plan)| &mut plan.tests)
        .filter(|(name, _)| *name == test)
    {
        match result["name"].as_str() {
            Some(name) => verdict.parts.push((name.to_owned(), outcome.clone())),
            None => verdict.outcome = Some(outcome.clone()),
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
