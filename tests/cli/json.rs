//! `docs/json.md` has exactly the fields that `--json` prints and that the files of a run hold, each with its type and unit.
//!
//! Approach: the tables of the page are read as a schema, the real commands are run on a small tree until each field was seen, and each
//! object is checked. In the end no field of the page may be left that nothing had, nor an optional one that everything had.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::examples::commands;
use crate::support::{Ran, World};
use atex::sut::kind::local::Local;
use atex::sut::{Cancel, OnHeld, Sut as _};

const PLANS: &str = "\
/main:
  discover: {how: fmf, filter: 'tag:main'}
  execute: {how: tmt}
  extra-weight: .inf
  environment: {GREETING: hello}
  prepare: {how: shell, script: sleep 1000 &}
  finish: {how: shell, script: echo bye}
/other:
  discover: {how: fmf, filter: 'tag:other'}
  execute: {how: tmt}
/broken:
  discover: {how: fmf, filter: 'tag:broken'}
  execute: {how: tmt}
  prepare: {how: shell, script: exit 1}
";

const TESTS: &str = "\
extra-weight: .nan
extra-numbers: [-.inf, .inf]
extra-parts: {of: main}
/pass: {tag: [main, other], test: 'echo fine', extra-parts+: {more: pass}}
/fail: {tag: main, test: 'false', adjust: [{extra-weight: 2, when: distro is defined}]}
/slow: {tag: main, test: 'sleep 60', duration: 1s}
/never: {tag: broken, test: 'true', durration: 5m, recommend: [{nick: own, name: /pass}]}
";

/// A plan and a test that cannot be used, and a section that would have to be fetched.
const WRONG: &str = "\
/far:
  enabled: false
  discover: {how: fmf, url: 'file:///nowhere'}
  execute: {how: tmt}
/plan:
  discover: {how: fmf, filter: 'tag:['}
  execute: {how: tmt}
/test: {tag: main, test: 'true', path: /nowhere, extra-weight: 1, extra-numbers: 1}
";

/// An hour, in milliseconds. A state of a machine is made so much older here.
const HOUR: u64 = 3_600_000;

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    u64::try_from(now).unwrap()
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap()
}

/// A row of the page.
struct Field {
    kind: String,
    is_optional: bool,
    may_be_null: bool,
    /// How often it was there, and how often not.
    seen: usize,
    missing: usize,
}

impl Field {
    /// Reads a type: `optional [record](#record) or null`.
    fn new(kind: &str) -> Self {
        let links = kind.split('[').map(|part| match part.split_once("](#") {
            Some((name, link)) => {
                let (link, rest) = link.split_once(')').expect("a link");
                assert_eq!(name, link, "a link leads to what it names");
                format!("{name}{rest}")
            }
            None => part.to_owned(),
        });
        let kind: String = links.collect();
        let required = kind.strip_prefix("optional ").unwrap_or(&kind);
        let filled = required.strip_suffix(" or null").unwrap_or(required);
        Self {
            kind: filled.to_owned(),
            is_optional: required != kind,
            may_be_null: filled != required,
            seen: 0,
            missing: 0,
        }
    }
}

/// The page, against which objects are checked.
struct Schema {
    tables: BTreeMap<String, BTreeMap<String, Field>>,
    begin: u64,
}

impl Schema {
    fn read(page: &str) -> Self {
        let mut tables: BTreeMap<String, BTreeMap<String, Field>> = BTreeMap::new();
        let mut heading = None;
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                heading = Some(name.replace('`', ""));
            }
            let Some(row) = line.strip_prefix("| `") else { continue };
            let (key, rest) = row.split_once("` | ").expect("a key");
            let (kind, _) = rest.split_once(" | ").expect("a type");
            let table = tables.entry(heading.clone().expect("a heading")).or_default();
            assert!(
                table.insert(key.to_owned(), Field::new(kind)).is_none(),
                "`{key}` twice"
            );
        }
        // What was made an hour older, in whole seconds.
        let begin = now() - HOUR - 1000;
        Self { tables, begin }
    }

    /// Checks an object against a table.
    fn object(&mut self, table: &str, value: &Value, at: &str) {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("{at}: {value} is no object"));
        let fields = self.tables.get_mut(table);
        let fields = fields.unwrap_or_else(|| panic!("{at}: the page has no `{table}`"));
        for key in object.keys() {
            assert!(fields.contains_key(key), "{at}: `{key}` is not on the page: {value}");
        }
        let mut inner = Vec::new();
        for (key, field) in fields {
            let at = format!("{at}.{key}");
            match object.get(key) {
                Some(Value::Null) if field.may_be_null => field.seen += 1,
                Some(value) => {
                    field.seen += 1;
                    inner.push((field.kind.clone(), value, at));
                }
                None if field.is_optional => field.missing += 1,
                None => panic!("{at} is missing: {value}"),
            }
        }
        for (kind, value, at) in inner {
            self.value(&kind, value, &at);
        }
    }

    fn value(&mut self, kind: &str, value: &Value, at: &str) {
        if let Some(kind) = kind.strip_prefix("list of ") {
            let items = value.as_array().unwrap_or_else(|| panic!("{at}: {value} is no list"));
            return items.iter().for_each(|item| self.value(kind, item, at));
        }
        if let Some(kind) = kind.strip_prefix("map of ") {
            let map = value.as_object().unwrap_or_else(|| panic!("{at}: {value} is no map"));
            return map.values().for_each(|value| self.value(kind, value, at));
        }
        let number = value.as_u64();
        let is_right = match kind {
            "any" => true,
            "text" => value.is_string(),
            "flag" => value.is_boolean(),
            "count" | "bytes" => number.is_some(),
            "span" => number.is_some_and(|span| span <= now() - self.begin),
            // A test of a second may end later.
            "time" => number.is_some_and(|time| (self.begin..now() + HOUR).contains(&time)),
            table => return self.object(table, value, at),
        };
        assert!(is_right, "{at}: {value} is no {kind}");
    }

    /// Checks what a command printed, each line of which has the version.
    fn printed(&mut self, table: &str, ran: &Ran) {
        let lines = ran.json();
        assert!(!lines.is_empty(), "{table}: {ran:?}");
        for mut line in lines {
            take(&mut line, "version", &1.into());
            // Some lines have another form than the others.
            let of_line = [("error", "unusable"), ("blockers", "score")];
            let other = of_line.iter().find(|(key, _)| line.get(key).is_some());
            self.object(other.map_or(table, |(_, other)| other), &line, table);
        }
    }

    /// Checks the events of a run.
    fn events(&mut self, events: &[Value]) {
        assert_eq!(
            (&events[0]["event"], &events[0]["version"]),
            (&"run-started".into(), &1.into())
        );
        for event in events {
            let mut event = event.clone();
            let name = event["event"].clone();
            take(&mut event, "event", &name);
            self.value("time", &event["time"], "time");
            let time = event["time"].clone();
            take(&mut event, "time", &time);
            let name = name.as_str().expect("a text");
            self.object(name, &event, name);
        }
    }

    /// Fails where the page has what nothing had.
    fn finish(self) {
        for (table, fields) in self.tables {
            for (key, field) in fields {
                assert!(field.seen > 0, "nothing had `{key}` of `{table}`");
                assert_eq!(
                    field.missing > 0,
                    field.is_optional,
                    "`{key}` of `{table}` was always there"
                );
            }
        }
    }
}

/// Takes a key with its value out of an object.
fn take(object: &mut Value, key: &str, value: &Value) {
    let object: &mut Map<String, Value> = object.as_object_mut().expect("an object");
    assert_eq!(object.remove(key).as_ref(), Some(value), "`{key}` of {object:?}");
}

/// A world and what is done in it.
struct Scene(World);

impl Scene {
    fn new() -> Self {
        let world = World::new();
        world.write("tree/plans.fmf", PLANS);
        world.write("tree/tests/main.fmf", TESTS);
        Self(world)
    }

    /// Runs a command with `--json`.
    fn run(&self, code: i32, command: &str) -> Ran {
        let words = command.split_whitespace();
        self.0.atex().args(words).args(["--json"]).run().expect(code)
    }

    /// Runs a command on the machine of the world.
    fn on_sut(&self, code: i32, command: &str) -> Ran {
        self.run(code, &format!("{command} --sut-dir {}", self.0.sut().display()))
    }

    /// Makes what is prepared on the machine an hour older.
    fn age_state(&self) {
        let mut machine = Local::new("local", Some(self.0.sut()), Cancel::new().unwrap()).unwrap();
        let mut state = machine.open(OnHeld::End, &mut |_| {}).unwrap().state;
        let times = state.done_at.iter_mut().chain(&mut state.prepared_at);
        times.for_each(|time| *time -= HOUR / 1000);
        machine.set_state(&state).unwrap();
        machine.close();
    }

    /// The keys of the records of tests, the newest first.
    fn keys(&self, schema: &mut Schema) -> Vec<String> {
        let ran = self.run(0, "cache ls");
        schema.printed("record", &ran);
        let of_tests = ran.json().into_iter().filter(|record| record["kind"] == "test");
        of_tests
            .map(|record| record["key"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Builds and tests until each event was told.
fn run_all(scene: &Scene, schema: &mut Schema) {
    let ran = scene.on_sut(3, "build --retries 1 -o ../out");
    schema.events(&ran.json());
    let recorded = scene.0.read("out/events.jsonl");
    assert_eq!(
        recorded,
        ran.stdout
            .replace("[TMP]", scene.0.path("").to_str().unwrap().trim_end_matches('/'))
    );
    let slow = ran
        .json()
        .into_iter()
        .find(|event| event["event"] == "node-finished" && event["node"] == "test /tests/slow");
    let took = slow.unwrap()["duration"].as_u64().unwrap();
    assert!((1000..60_000).contains(&took), "a test of a second took {took} ms");
    let summary: Value = serde_json::from_str(&scene.0.read("out/run.json")).unwrap();
    schema.object("run.json", &summary, "run.json");
    assert_eq!(summary["version"], 1);
    schema.printed("atex results", &scene.run(0, "results ../out"));
    schema.printed("atex sut ls", &scene.on_sut(0, "sut ls"));
    schema.events(&scene.on_sut(0, "build /other --audit all").json());

    schema.events(&scene.on_sut(0, "test /tests/pass --plan /main").json());
    scene.age_state();
    let ran = scene.on_sut(0, "test /tests/pass --plan /main");
    schema.events(&ran.json());
    let age = ran
        .json()
        .into_iter()
        .find(|event| event["event"] == "node-cached")
        .unwrap()["age"]
        .clone();
    assert!((HOUR..2 * HOUR).contains(&age.as_u64().unwrap()), "an hour is {age} ms");
    let ran = scene.on_sut(0, "sut show");
    assert_eq!(ran.json()[0]["daemons"][0]["command"], "sleep 1000");
    schema.printed("atex sut show", &ran);
    schema.events(&scene.on_sut(0, "build /main --name pass").json());
    schema.printed("atex build --dry-run", &scene.on_sut(0, "build --dry-run"));
}

/// Runs what only looks.
fn look(scene: &Scene, schema: &mut Schema) {
    let tests = scene.run(0, "ls");
    schema.printed("atex ls", &tests);
    let data = &tests.json()[0]["data"];
    assert_eq!(data["extra-weight"], "NaN");
    assert_eq!(data["extra-numbers"], serde_json::json!(["-Infinity", "Infinity"]));
    schema.printed("atex ls plans", &scene.run(0, "ls plans"));
    for command in ["fmf show", "fmf show --origin -c distro=rhel-9"] {
        for node in scene.run(0, command).json() {
            schema.object("atex fmf show", &node, command);
        }
    }
    schema.printed("atex graph", &scene.run(0, "graph"));
    schema.printed("atex lint", &scene.run(1, "lint"));
    schema.printed("atex lint", &scene.run(1, "lint --tmt"));
    schema.printed("atex why", &scene.run(0, "why /tests/"));
    schema.printed("atex why", &scene.run(0, "why /tests/pass -e GREETING=hi -e NEW=1"));
    scene.0.write("tree/wrong.fmf", WRONG);
    schema.printed("atex ls", &scene.run(2, "ls"));
    schema.printed("atex ls plans", &scene.run(2, "ls plans"));
    schema.printed("atex graph", &scene.run(2, "graph"));
    schema.printed("atex lint", &scene.run(1, "lint --tmt"));
    schema.events(&scene.on_sut(2, "build --name /pass --name ^/wrong/test$").json());
    fs::remove_file(scene.0.path("tree/wrong.fmf")).unwrap();
}

/// Looks at the cache, and removes from it.
fn use_cache(scene: &Scene, schema: &mut Schema) {
    let keys = scene.keys(schema);
    let [one, two, ..] = keys.as_slice() else {
        panic!("two records: {keys:?}")
    };
    for command in ["show", "log", "path"] {
        schema.printed(
            &format!("atex cache {command}"),
            &scene.run(0, &format!("cache {command} {one}")),
        );
    }
    for (old, new) in [(one, two), (two, one)] {
        schema.printed("change", &scene.run(0, &format!("cache diff {old} {new}")));
    }
    schema.printed("atex cache du", &scene.run(0, "cache du"));
    schema.printed("atex cache verify", &scene.run(0, "cache verify"));
    schema.printed("atex cache rm", &scene.run(0, &format!("cache rm {one}")));
    schema.printed("atex cache gc", &scene.run(0, "cache gc"));
}

#[test]
fn every_output_has_the_fields_of_the_page() {
    let (scene, mut schema) = (Scene::new(), Schema::read(&page()));
    run_all(&scene, &mut schema);
    look(&scene, &mut schema);
    use_cache(&scene, &mut schema);
    schema.printed("atex sut ls", &scene.run(3, "sut ls -s exec:false"));
    // A step that fails taints the machine.
    schema.events(&scene.on_sut(3, "build /broken").json());
    schema.printed("atex sut reset", &scene.on_sut(0, "sut reset"));
    schema.printed("atex sut reset", &scene.on_sut(0, "sut rm"));
    // A machine that is not given back is listed until it is.
    let lab = |release: &str| {
        let provide = r#"echo '{"target":"local","machine":"one"}'"#;
        let text =
            format!("while read -r line; do case $line in *'\"provision\"'*) {provide} ;; *) {release} ;; esac; done");
        scene.0.write("lab.sh", text);
    };
    lab(r#"echo '{"error":"stuck"}'"#);
    let path = scene.0.path("lab.sh");
    scene.on_sut(
        3,
        &format!("build /other --rerun -s provision:bash%20{}", path.display()),
    );
    schema.printed(
        "atex sut release",
        &Ran {
            stdout: last_line(&scene.run(0, "sut ls").stdout),
            ..scene.run(0, "sut ls")
        },
    );
    lab(r#"echo '{"done":true}'"#);
    schema.printed("atex sut release", &scene.run(0, "sut release"));
    schema.finish();
}

/// Returns the last line of a text.
fn last_line(text: &str) -> String {
    text.lines().next_back().unwrap_or_default().to_owned()
}

#[test]
fn all_keys_are_in_kebab_case() {
    let is_kebab = |key: &str| {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        key.split('-').all(is_word)
    };
    for (table, fields) in Schema::read(&page()).tables {
        for key in fields.keys() {
            assert!(is_kebab(key), "`{key}` of `{table}`");
        }
    }
}

#[test]
fn the_page_leaves_no_command_out() {
    let (world, page) = (World::new(), page());
    let all: BTreeSet<Vec<String>> = commands(&world, &[]).into_iter().collect();
    let has_more_below = |command: &Vec<String>| {
        all.iter()
            .any(|other| other.len() > command.len() && other.starts_with(command))
    };
    for command in all.iter().filter(|command| !has_more_below(command)) {
        let command = format!("`atex {}", command.join(" "));
        let is_named = |end: &str| page.contains(&format!("{command}{end}"));
        assert!(is_named("`") || is_named(" --"), "{command}`");
    }
}
