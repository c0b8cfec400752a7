//! Lint of the differences from tmt: metadata that tmt obeys and atex does not, and the other way round.
//!
//! Phases and sections that atex ignores with a warning have findings of their own and are not repeated here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use atex_fmf::{Location, Map, Node, Value};

use super::nodes::may_run;
use super::{LintCode, Linter};
use crate::compile::library::requirement::{self, Requirement};
use crate::compile::metadata::read::{Scope, truthy};
use crate::compile::metadata::schema::{
    Meaning, NodeKind, PLAN, TEST, UNOBEYED_EXECUTE, VARIABLES, VARIABLES_OF_SCRIPTS, VARIABLES_OF_TMT,
};
use crate::compile::metadata::unsupported::variable_of_run;
use crate::compile::script::first_command::file_of;
use crate::compile::spec::{Framework, Interface, Interpretation};
use crate::compile::test::check::has_watchdog;
use crate::compile::test::{interface, run_directory};

/// Larger scripts are not read; the limit is in bytes.
const LARGEST: u64 = 1 << 20;

/// The commands that tmt provides on its guests.
const COMMANDS: [&str; 13] = [
    "rhts-abort",
    "rhts-reboot",
    "rhts-report-result",
    "rhts-submit-log",
    "rhts_submit_log",
    "rstrnt-abort",
    "rstrnt-reboot",
    "rstrnt-report-log",
    "rstrnt-report-result",
    "tmt-abort",
    "tmt-file-submit",
    "tmt-reboot",
    "tmt-report-result",
];

/// Checks a node for keys that could change a verdict and are not obeyed.
pub(super) fn check_verdict(linter: &mut Linter<'_>, kind: NodeKind, node: Node<'_>) {
    let scope = linter.scope(kind, node);
    match kind {
        NodeKind::Test if may_run(node) => {
            let interface = interface_of(linter, &scope, node);
            for key in TEST.iter().filter(|key| key.meaning == Meaning::TmtOnly) {
                let key = key.name;
                let value = scope.value(key).filter(|value| truthy(value));
                if value.is_some_and(|value| !is_obeyed(key, value, interface)) {
                    obeyed(linter, &scope, key, key);
                }
            }
            for key in ["require", "recommend"] {
                check_requires(linter, &scope, key);
            }
        }
        NodeKind::Plan => {
            for key in PLAN.iter().filter(|key| matches!(key.meaning, Meaning::Verdict(_))) {
                let key = key.name;
                if scope.value(key).is_some_and(truthy) {
                    obeyed(linter, &scope, key, key);
                }
            }
            check_execute(linter, &scope);
        }
        _ => {}
    }
}

/// Whether atex does with a value of a test's key what tmt does.
fn is_obeyed(key: &str, value: &Value, interface: Interface) -> bool {
    let word = value.as_str();
    match (key, interface) {
        ("check", Interface::Tmt) => !has_watchdog(value),
        ("restart-max-count" | "restart-on-exit-code" | "restart-with-reboot", Interface::Tmt) => true,
        ("framework", _) => word
            .and_then(Framework::named)
            .is_some_and(|framework| framework.is_of(interface)),
        ("result", Interface::Tmt) => {
            word.is_some_and(|word| !matches!(Interpretation::named(word), Interpretation::Unknown(_)))
        }
        ("result", Interface::Atex) => word == Some("respect"),
        _ => false,
    }
}

/// Checks a node for all other differences.
pub(super) fn check(linter: &mut Linter<'_>, kind: NodeKind, node: Node<'_>) {
    let scope = linter.scope(kind, node);
    match kind {
        NodeKind::Test if may_run(node) => check_test(linter, &scope, node),
        NodeKind::Plan => check_plan(linter, &scope),
        _ => {}
    }
}

fn check_test(linter: &mut Linter<'_>, scope: &Scope<'_>, node: Node<'_>) {
    check_environment_form(linter, scope);
    if let Some(path) = scope.value("path").and_then(Value::as_str)
        && !path.starts_with('/')
    {
        let message = "tmt takes no `path` that does not begin with `/`";
        linter.add(LintCode::TmtForm, (scope, "path"), path, message, None);
    }
    let Some(script) = scope.value("test").and_then(Value::as_str) else {
        return;
    };
    let of_tmt = interface_of(linter, scope, node) == Interface::Tmt;
    let known = Known {
        own: variables(scope.map),
        promised: if of_tmt { VARIABLES_OF_TMT } else { &[] },
        has_commands: of_tmt,
    };
    check_words(linter, (scope, "test"), script, &known);
    if let Some(file) = script_of(linter, scope, node) {
        check_file(linter, node, &file, &known);
    }
}

/// The file that a test starts.
fn script_of(linter: &Linter<'_>, scope: &Scope<'_>, node: Node<'_>) -> Option<PathBuf> {
    let script = scope.value("test").and_then(Value::as_str)?;
    file_of(script, &run_directory(linter.tree, node).ok()?)
}

/// By whose rules a test is judged, as far as it, its metadata and the file that it starts tell. Its plans and other files may say otherwise.
fn interface_of(linter: &Linter<'_>, scope: &Scope<'_>, node: Node<'_>) -> Interface {
    if let Ok(Some(said)) = interface::read(scope) {
        return said;
    }
    let mut data = String::new();
    node.write_data(&mut data);
    let file = script_of(linter, scope, node).and_then(|file| read(linter.root(), &file));
    let texts = [Some(data), file];
    if texts.iter().flatten().any(|text| interface::is_mentioned(text)) {
        Interface::Atex
    } else {
        Interface::Tmt
    }
}

/// What scripts may use without a finding.
struct Known {
    /// The variables that the node sets itself.
    own: BTreeSet<String>,
    /// The variables of tmt that are there, beside those of every test.
    promised: &'static [&'static str],
    /// Whether the commands are there that tests have.
    has_commands: bool,
}

impl Known {
    fn variable(&self, word: &str) -> bool {
        self.promised.contains(&word) || VARIABLES.contains(&word) || self.own.contains(word)
    }

    fn command(&self) -> bool {
        self.has_commands
    }
}

/// Checks what a script in the metadata uses of tmt.
fn check_words(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), script: &str, known: &Known) {
    for (word, code) in words(script, known) {
        let (message, hint) = told(&word, code);
        linter.add(code, at, &word, message, hint);
    }
}

/// Checks what a script file uses of tmt, and reports the first place of each use.
fn check_file(linter: &mut Linter<'_>, node: Node<'_>, file: &Path, known: &Known) {
    let Some(text) = read(linter.root(), file) else { return };
    let mut seen = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (word, code) in words(line, known) {
            if !seen.insert(word.clone()) {
                continue;
            }
            let location = Location {
                file: file.to_owned(),
                line: number,
            };
            let (message, hint) = told(&word, code);
            linter
                .findings
                .add_at(code, (node.name(), Some(&location)), &word, message, hint);
        }
    }
}

fn read(root: &Path, file: &Path) -> Option<String> {
    let path: PathBuf = root.join(file);
    let metadata = fs::metadata(&path).ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    fs::read_to_string(path).ok()
}

fn check_requires(linter: &mut Linter<'_>, scope: &Scope<'_>, key: &str) {
    for requirement in requirement::read(scope, key).unwrap_or_default() {
        let Requirement::Library(library) = requirement else {
            continue;
        };
        let Some(reference) = library.reference().filter(|reference| reference.starts_with('@')) else {
            continue;
        };
        let message = "tmt reads the `ref` of this library from a file; with atex the test cannot run";
        linter.add(LintCode::TmtRequire, (scope, key), reference, message, None);
    }
}

fn check_plan(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    // No verdict depends on these.
    let blockers = linter.findings.blockers.take();
    for key in PLAN.iter().filter(|key| key.meaning == Meaning::TmtOnly) {
        let key = key.name;
        let plain = match key {
            "report" => Some("display"),
            "provision" => Some("local"),
            _ => None,
        };
        let value = scope.value(key).filter(|value| truthy(value));
        if value.is_some_and(|value| !is_plain(value, plain)) {
            obeyed(linter, scope, key, key);
        }
    }
    linter.findings.blockers = blockers;
    check_environment_form(linter, scope);
    if scope.value("execute").is_none() && scope.value("plan").is_none() && scope.value("discover").is_some() {
        let message = "tmt takes this for no plan, because it has no `execute`";
        let hint = Some("`execute: {how: tmt}` makes it one for both".to_owned());
        linter.add(LintCode::TmtForm, (scope, "discover"), "discover", message, hint);
    }
    if let Some(environment) = scope.value("environment").and_then(Value::as_map) {
        check_expansion(linter, &scope.inner("environment", environment, String::new()));
    }
    let known = Known {
        own: variables(scope.map),
        promised: VARIABLES_OF_SCRIPTS,
        has_commands: false,
    };
    for step in ["discover", "prepare", "finish"] {
        for map in scope.maps(step).unwrap_or_default() {
            let phase = scope.inner(step, map, String::new());
            check_expansion(linter, &phase);
            for script in phase.texts("script").unwrap_or_default() {
                check_words(linter, (&phase, "script"), &script, &known);
            }
            if step == "discover" && phase.value("condition").is_some() {
                let message = "tmt knows no `condition` in a discover section";
                linter.add(LintCode::TmtForm, (&phase, "condition"), "condition", message, None);
            }
        }
    }
}

/// Returns whether a step says no more than the default does.
fn is_plain(step: &Value, how: Option<&str>) -> bool {
    let (Some(map), Some(how)) = (step.as_map(), how) else {
        return false;
    };
    map.len() == 1 && map.get("how").and_then(Value::as_str) == Some(how)
}

fn check_execute(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    for map in scope.maps("execute").unwrap_or_default() {
        let execute = scope.inner("execute", map, String::new());
        for key in map.keys().filter_map(Value::as_str) {
            let same = match key {
                "how" => map.get(key).and_then(Value::as_str) == Some("tmt"),
                _ => UNOBEYED_EXECUTE.iter().all(|(unobeyed, _)| *unobeyed != key),
            };
            if !same {
                let shown = format!("execute: {key}");
                obeyed(linter, &execute, key, &shown);
            }
        }
    }
}

fn obeyed(linter: &mut Linter<'_>, scope: &Scope<'_>, key: &str, shown: &str) {
    let message = format!("tmt obeys `{shown}`, atex does not");
    let hint = match shown {
        "provision" => Some("`-s TARGET` says where atex runs".to_owned()),
        "check" | "result" | "framework" => Some("the test's own results are what counts".to_owned()),
        _ => None,
    };
    linter.add(LintCode::TmtKey, (scope, key), key, message, hint);
}

fn check_environment_form(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    const KEY: &str = "environment";
    if scope.value(KEY).is_some_and(|value| value.as_map().is_none()) {
        let message = "tmt takes only a mapping for `environment`";
        linter.add(LintCode::TmtForm, (scope, KEY), KEY, message, None);
    }
}

/// Checks for variables of a run in the texts of a plan: tmt puts their values in. In scripts, bash does so on the SUT.
fn check_expansion(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    for (key, value) in scope.map.iter().filter(|(key, _)| key.as_str() != Some("script")) {
        let (Some(key), Some(word)) = (key.as_str(), variable_of_run(value)) else {
            continue;
        };
        let message = format!("tmt puts a value in the place of `{word}`, atex leaves it as it is");
        linter.add(LintCode::TmtExpansion, (scope, key), &word, message, None);
    }
}

/// Returns the variables that a node sets itself.
fn variables(data: &Map) -> BTreeSet<String> {
    let environment = data.get("environment").and_then(Value::as_map);
    let keys = environment.into_iter().flat_map(Map::keys);
    keys.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the words of a script that are variables or commands of tmt, in their order.
fn words(script: &str, known: &Known) -> Vec<(String, LintCode)> {
    let mut found = Vec::new();
    for line in script.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')) {
            let of_tmt = word
                .strip_prefix("TMT_")
                .is_some_and(|rest| !rest.is_empty() && !word.contains('-'));
            let assigned = line.contains(&format!("{word}="));
            if of_tmt && !known.variable(word) && !assigned {
                found.push((word.to_owned(), LintCode::TmtVariable));
            } else if COMMANDS.contains(&word) && !known.command() {
                found.push((word.to_owned(), LintCode::TmtCommand));
            }
        }
    }
    found
}

fn told(word: &str, code: LintCode) -> (String, Option<String>) {
    if code == LintCode::TmtVariable {
        let hint =
            (word == "TMT_TEST_DATA").then(|| "what a test leaves is reported through ATEX_TEST_CONTROL".to_owned());
        return (format!("tmt sets `{word}`, atex does not"), hint);
    }
    let hint = "atex hears of results and files through ATEX_TEST_CONTROL".to_owned();
    (format!("tmt brings the command `{word}`, atex does not"), Some(hint))
}
