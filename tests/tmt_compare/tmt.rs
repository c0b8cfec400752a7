//! Runs a tree under tmt, and reads what it says of each test from the run's directory.
//!
//! It does not know atex. The program is the one that `ATEX_TMT` names, else the one that `tests/run` installs below `target/`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::namespace::Namespace;
use super::verdict::{Outcome, PlanVerdict, Verdict, Verdicts};
use super::{Choice, CompareError, json_at};

/// The version whose rules atex follows.
pub(crate) const VERSION: &str = "1.78.0";

/// The file beside a run that is kept, with the exit code of tmt.
const EXIT_CODE: &str = "tmt-compare-exit-code";

const SCRIPT: &str = r#"
tmt=$1 tree=$2 run=$3; shift 3
prepare_trees
context=() run_options=()
while (($#)); do
    case $1 in
        -c) context+=(-c "$2") ;;
        -e) run_options+=(-e "$2") ;;
    esac
    shift 2
done
exec "$tmt" --feeling-safe --root "$tree" "${context[@]}" run --all --id "$run" --on-plan-error continue \
    "${run_options[@]}" provision --how local
"#;

/// Returns the program.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("ATEX_TMT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/reference-tmt-{VERSION}/bin/tmt")),
        PathBuf::from,
    )
}

/// Runs all plans of a tree, or reads a run that is there.
pub(crate) fn verdicts(namespace: &Namespace, tree: &Path, choice: Choice) -> Result<Verdicts, CompareError> {
    if let Some(run) = choice.tmt_run.filter(|run| run.exists()) {
        return read(run);
    }
    let run = namespace.shared("tmt");
    let log = namespace.shared("tmt.log");
    let program = program();
    let mut args = vec![text(&program), text(tree), text(&run)];
    args.extend(choice.args());
    let exit_code = namespace.run(SCRIPT, &args, &log).map_err(CompareError::Namespace)?;
    let mut verdicts = read(&run)?;
    verdicts.exit_code = Some(exit_code);
    if verdicts.plans.is_empty() && !(2..=3).contains(&exit_code) {
        return Err(CompareError::Run {
            program: "tmt",
            exit_code,
            log: fs::read_to_string(&log).unwrap_or_default(),
        });
    }
    if let Some(kept) = choice.tmt_run {
        super::copy_tree(&run, kept).map_err(CompareError::Namespace)?;
        fs::write(kept.join(EXIT_CODE), exit_code.to_string()).map_err(CompareError::Namespace)?;
    }
    Ok(verdicts)
}

/// Reads a run's directory.
fn read(run: &Path) -> Result<Verdicts, CompareError> {
    let mut plans = Vec::new();
    plans_below(run, &mut plans);
    let mut verdicts = Verdicts {
        exit_code: fs::read_to_string(run.join(EXIT_CODE))
            .ok()
            .and_then(|code| code.parse().ok()),
        ..Verdicts::default()
    };
    for plan in plans {
        let name = format!("/{}", text(plan.strip_prefix(run).expect("a plan of the run")));
        verdicts.plans.insert(name, plan_verdict(&plan)?);
    }
    Ok(verdicts)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is UTF-8")
}

/// Finds the directories of plans: each has the state of its steps.
fn plans_below(dir: &Path, found: &mut Vec<PathBuf>) {
    if dir.join("discover/step.yaml").exists() {
        found.push(dir.to_owned());
        return;
    }
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut dirs: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    dirs.retain(|path| path.is_dir() && !path.is_symlink());
    dirs.sort();
    for dir in dirs {
        plans_below(&dir, found);
    }
}

fn plan_verdict(plan: &Path) -> Result<PlanVerdict, CompareError> {
    let step = fs::read_to_string(plan.join("discover/step.yaml")).unwrap_or_default();
    let tests = list(&plan.join("discover/tests.yaml"))?;
    let mut verdicts: Vec<(String, Verdict)> = Vec::new();
    for test in &tests {
        let name = test["name"].as_str().unwrap_or_default();
        if !verdicts.iter().any(|(known, _)| known == name) {
            let verdict = Verdict {
                unknown_framework: !["shell", "beakerlib"].contains(&json_text(test, "framework")),
                ..Verdict::default()
            };
            verdicts.push((name.to_owned(), verdict));
        }
    }
    for result in list(&plan.join("execute/results.yaml"))? {
        let name = result["name"].as_str().unwrap_or_default();
        // The result of a part has a longer name than its test, and the same number.
        let serial = &result["serial-number"];
        let test = tests.iter().find(|test| &test["serial-number"] == serial);
        let test = test.and_then(|test| test["name"].as_str()).unwrap_or(name);
        let Some((_, verdict)) = verdicts.iter_mut().find(|(known, _)| known == test) else {
            return Err(CompareError::Result(format!("a result of tmt's is of no test: {name}")));
        };
        let outcome = outcome(&result)?;
        let mut above = String::new();
        match name.strip_prefix(test) {
            Some("") => {
                verdict.outcome = verdict.outcome.take().max(Some(outcome));
                let notes = json_at(&result, "note").filter_map(Value::as_str);
                verdict.note = notes.collect::<Vec<_>>().join("; ");
                // A custom result names no directory, or one of its own making.
                let usual = format!("data/guest/default-0{}-{serial}/data", test.replace(' ', "-"));
                let places =
                    [usual.as_str(), json_text(&result, "data-path")].map(|place| plan.join("execute").join(place));
                let data = places.iter().find(|place| place.is_dir()).unwrap_or(&places[0]);
                verdict.files = super::files_below(data).map_err(CompareError::Namespace)?;
            }
            part => {
                let part = bare(part.unwrap_or(name));
                above = format!("{part}/");
                verdict.parts.push((part, outcome));
            }
        }
        for part in json_at(&result, "subresult") {
            let name = format!("{above}{}", bare(json_text(part, "name")));
            verdict.parts.push((name, self::outcome(part)?));
        }
        add_checks(verdict, &result)?;
    }
    Ok(PlanVerdict {
        tests: verdicts,
        knows_no_tests: !step.lines().any(|line| line == "status: done"),
    })
}

/// Adds the checks of a result: one part for each name, with the worst of what it said.
fn add_checks(verdict: &mut Verdict, result: &Value) -> Result<(), CompareError> {
    for check in json_at(result, "check") {
        let name = json_text(check, "name");
        if let Some(internal) = name.strip_prefix("internal/") {
            verdict.internal.push(internal.to_owned());
            continue;
        }
        let (name, outcome) = (format!("check/{name}"), outcome(check)?);
        if json_text(check, "event") == "before-test" && outcome >= Outcome::Fail {
            verdict.internal.push("failed before the test".to_owned());
        }
        match verdict.parts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, worst)) => *worst = outcome.max(worst.clone()),
            None => verdict.parts.push((name, outcome)),
        }
    }
    Ok(())
}

fn json_text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn bare(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

fn outcome(result: &Value) -> Result<Outcome, CompareError> {
    let word = json_text(result, "result");
    Outcome::named(word).ok_or_else(|| CompareError::Result(format!("tmt has no result `{word}`")))
}

/// Reads a file that tmt leaves out where there is nothing to say.
fn list(path: &Path) -> Result<Vec<Value>, CompareError> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(Vec::new());
    };
    serde_yaml::from_str::<Option<Vec<Value>>>(&text)
        .map(Option::unwrap_or_default)
        .map_err(|error| CompareError::Result(format!("{}: {error}", path.display())))
}
