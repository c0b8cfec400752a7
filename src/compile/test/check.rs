//! Reads the checks of a test: a word, a mapping, or a list of both.
//!
//! What tmt would not take makes the test an error, not the whole selection. Keys that a check does not know are ignored, as in tmt.

use std::sync::Arc;

use atex_fmf::regex::Pattern;
use atex_fmf::{Map, Value};

use crate::compile::metadata::read::{Scope, scalar, truthy};
use crate::compile::spec::check::{Check, CheckEffect, CheckKind, Checks, LinePatterns};

/// The check that tmt has and atex does not.
pub(crate) const WATCHDOG: &str = "watchdog";

/// What in a log of the kernel or the journal is a failure, where the metadata do not say it.
const FAILURES_OF_LOGS: &[&str] = &["Call Trace:", r"\ssegfault\s"];

/// The options of the journal that take a value.
const JOURNAL_OPTIONS: [&str; 3] = ["unit", "identifier", "priority"];

/// Reads the checks of a test.
pub(crate) fn read(scope: &Scope<'_>) -> Checks {
    let mut checks = Checks::default();
    for item in items(scope.value("check")) {
        match check(item) {
            Ok(Some(check)) => {
                // tmt knows a check by its name.
                checks.list.retain(|known| known.kind != check.kind);
                checks.list.push(check);
            }
            Ok(None) => {}
            Err(why) => {
                checks.wrong.get_or_insert(format!("`check`: {why}"));
            }
        }
    }
    checks
}

/// Returns the place among the checks of a value that is obeyed by tmt alone.
pub(crate) fn has_watchdog(check: &Value) -> bool {
    items(Some(check)).iter().any(|item| match item {
        Value::Map(map) => enabled(map) && map.get("how").and_then(Value::as_str) == Some(WATCHDOG),
        item => item.as_str() == Some(WATCHDOG),
    })
}

fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::List(items)) => items,
        Some(value) => std::slice::from_ref(value),
    }
}

fn enabled(map: &Map) -> bool {
    map.get("enabled").is_none_or(truthy)
}

/// Reads one check; there is nothing to do for one that is not enabled, and for the watchdog.
fn check(item: &Value) -> Result<Option<Check>, String> {
    let empty = Map::default();
    let (how, map): (String, &Map) = match item {
        Value::Str(word) => (word.to_string(), &empty),
        Value::Map(map) => (text(map, "how")?.ok_or("one has no `how`")?, map),
        other => return Err(format!("`{}` is no check", other.to_python_str())),
    };
    let kind = CheckKind::named(&how);
    if kind.is_none() && how != WATCHDOG {
        return Err(format!("`how: {how}` is nothing that tmt knows"));
    }
    let effect = match text(map, "result")? {
        None => CheckEffect::default(),
        Some(word) => CheckEffect::named(&word).ok_or_else(|| format!("`result: {word}` is nothing that tmt knows"))?,
    };
    let Some(kind) = kind.filter(|_| enabled(map)) else {
        return Ok(None);
    };
    let (failure, ignore): (&[&str], &[&str]) = match kind {
        CheckKind::Dmesg | CheckKind::Journal => (FAILURES_OF_LOGS, &[]),
        CheckKind::Avc => (
            &[r"\btype=(AVC|USER_AVC|SELINUX_ERR)\b"],
            &[r"avc:\s+received policyload notice"],
        ),
        CheckKind::Coredump => (&[r"\S"], &[]),
    };
    let is_log = matches!(kind, CheckKind::Dmesg | CheckKind::Journal);
    Ok(Some(Check {
        kind,
        effect,
        patterns: LinePatterns {
            failure: patterns(map, is_log.then_some("failure-pattern"), failure)?,
            ignore: patterns(map, (kind != CheckKind::Dmesg).then_some("ignore-pattern"), ignore)?,
        },
        options: options(kind, map)?,
    }))
}

/// What the program on the machine is told.
fn options(kind: CheckKind, map: &Map) -> Result<Vec<String>, String> {
    match kind {
        CheckKind::Dmesg | CheckKind::Coredump => Ok(Vec::new()),
        CheckKind::Avc => {
            let key = "delay-before-report";
            let delay = text(map, key)?.unwrap_or_else(|| "5".to_owned());
            let seconds: u32 = delay
                .parse()
                .map_err(|_| format!("`{key}: {delay}` is no number of seconds"))?;
            Ok(vec![seconds.to_string()])
        }
        CheckKind::Journal => {
            let mut options = Vec::new();
            if map.get("dmesg").is_some_and(truthy) {
                options.push("--dmesg".to_owned());
            }
            for key in JOURNAL_OPTIONS {
                options.extend(text(map, key)?.map(|value| format!("--{key}={value}")));
            }
            Ok(options)
        }
    }
}

fn text(map: &Map, key: &str) -> Result<Option<String>, String> {
    let Some(value) = map.get(key).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    scalar(value).map(Some).ok_or_else(|| format!("`{key}` is no text"))
}

/// Reads a pattern or a list of them; the ones given where there are none.
fn patterns(map: &Map, key: Option<&'static str>, or: &[&str]) -> Result<Vec<Arc<Pattern>>, String> {
    let value = key.and_then(|key| map.get(key)).filter(|value| !value.is_null());
    let key = key.unwrap_or_default();
    let texts: Option<Vec<String>> = match value {
        None => Some(or.iter().copied().map(str::to_owned).collect()),
        value => items(value).iter().map(scalar).collect(),
    };
    let texts = texts.ok_or_else(|| format!("`{key}` is no text or list of texts"))?;
    let pattern = |text: &String| Pattern::cached(text).map_err(|error| format!("`{key}`: {error}"));
    texts.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::read;
    use crate::compile::metadata::read::NodeReader;
    use crate::compile::spec::check::{CheckEffect, CheckKind, Checks};

    fn checks(text: &str) -> Checks {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("a directory");
            std::fs::write(file, text).expect("written");
        };
        write(".fmf/version", "1\n");
        write("t.fmf", &format!("test: x\ncheck: {text}\n"));
        let tree = atex_fmf::Tree::load(Path::new(dir.path())).expect("a tree");
        let node = tree.find("/t").expect("a test");
        read(&NodeReader::new(&tree, node).scope("test"))
    }

    fn kinds(text: &str) -> Vec<CheckKind> {
        let checks = checks(text);
        assert_eq!(checks.wrong, None, "{text}");
        checks.list.iter().map(|check| check.kind).collect()
    }

    #[test]
    fn a_word_a_mapping_and_a_list_of_both_are_checks() {
        use CheckKind::{Avc, Coredump, Dmesg, Journal};
        assert_eq!(kinds("dmesg"), [Dmesg]);
        assert_eq!(kinds("{how: avc, colour: red}"), [Avc]);
        assert_eq!(
            kinds("[journal, {how: coredump}, watchdog, {how: avc, enabled: false}]"),
            [Journal, Coredump]
        );
        assert_eq!(kinds("[dmesg, {how: dmesg, result: info}]"), [Dmesg]);
        assert_eq!(kinds("[]"), []);
        let effect = |text: &str| checks(text).list[0].effect;
        assert_eq!(effect("dmesg"), CheckEffect::Respect);
        assert_eq!(effect("[dmesg, {how: dmesg, result: xfail}]"), CheckEffect::Xfail);
    }

    #[test]
    fn what_tmt_would_not_take_is_said() {
        for text in [
            "nosuch",
            "5",
            "[[dmesg]]",
            "{name: dmesg}",
            "{how: nosuch, enabled: false}",
            "{how: dmesg, result: fail}",
            "{how: dmesg, failure-pattern: '('}",
            "{how: dmesg, failure-pattern: {a: b}}",
            "{how: avc, delay-before-report: soon}",
            "[dmesg, nosuch]",
        ] {
            assert!(checks(text).wrong.is_some(), "{text}");
        }
    }

    #[test]
    fn patterns_and_options_are_those_of_the_check() {
        let first = |text: &str, log: &str| {
            let found = checks(text).list[0].patterns.first(log).expect("patterns");
            found.map(str::to_owned)
        };
        let log = "fine\nx Call Trace:\na[1] segfault at 0\nblue\n";
        assert_eq!(first("dmesg", log).as_deref(), Some("x Call Trace:"));
        assert_eq!(
            first("journal", "a: segfault at 0").as_deref(),
            Some("a: segfault at 0")
        );
        assert_eq!(first("dmesg", "segfault"), None);
        assert_eq!(
            first("{how: dmesg, failure-pattern: [red, '^b']}", log).as_deref(),
            Some("blue")
        );
        assert_eq!(
            first("{how: journal, ignore-pattern: Trace}", log).as_deref(),
            Some("a[1] segfault at 0")
        );
        let denied = "----\ntype=AVC msg=audit(1): avc:  denied  { read }";
        assert!(first("avc", denied).is_some());
        assert_eq!(
            first("avc", "type=USER_AVC msg=x: avc:  received policyload notice"),
            None
        );
        assert_eq!(first("{how: avc, ignore-pattern: denied}", denied), None);
        let options = |text: &str| checks(text).list[0].options.clone();
        assert_eq!(options("avc"), ["5"]);
        assert_eq!(options("{how: avc, delay-before-report: 0}"), ["0"]);
        assert_eq!(
            options("{how: journal, unit: a b, priority: 3, dmesg: true}"),
            ["--dmesg", "--unit=a b", "--priority=3"]
        );
    }
}
