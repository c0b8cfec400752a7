//! A tree of tests that say what they saw, as it should be, and as it lies on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Ran, World};

/// Directory and name of each test. The first four are of the plan without prepare; `/t1/deep` lies below `/t1/here`.
pub(crate) const TESTS: [(&str, &str); 6] = [
    ("t0", "/t0"),
    ("t1", "/t1/here"),
    ("t1/deep", "/t1/deep"),
    ("t2", "/t2"),
    ("t3", "/t3"),
    ("t4", "/t4"),
];

/// The directory of which each test reads a file that is no input of it by any rule: by name, and as its way there.
pub(crate) fn near(dir: &str) -> (&'static str, &'static str) {
    match dir {
        "t0" => ("t2", "../t2"),
        "t1" | "t3" => ("t0", "../t0"),
        "t1/deep" => ("t3", "../../t3"),
        "t2" => ("t4", "../t4"),
        _ => ("t1", "../t1"),
    }
}

/// The tests whose plan prepares.
pub(crate) fn is_prepared(name: &str) -> bool {
    matches!(name, "/t3" | "/t4")
}

const PLANS: &str = "\
discover: {how: fmf}
execute: {how: tmt}
/plain:
  discover+: {test: '^/t[0-2]'}
/prepared:
  discover+: {test: '^/t[34]'}
  prepare:
    how: shell
    script: cat lib/one.txt > \"$COPY.new\"; mv \"$COPY.new\" \"$COPY\"
";

/// What each test does: it looks at its files and one of another test, tells them, and fails where one holds `bad`. Before it ends, it
/// leaves some harm in the tree.
const SCRIPT: &str = r#"#!/bin/bash
seen=
for file in a.txt b.txt c.txt link "$TMT_TREE/lib/one.txt" "$TMT_TREE/lib/two.txt" ${COPIED:+"$COPY"}; do
    if [ -e "$file" ]; then seen+=" $(cat "$file")"; else seen+=" none"; fi
    if [ -x "$file" ] && [ "$file" != "$COPY" ]; then seen+=x; fi
done
seen+=" $(cat "$NEAR/n.txt")"
echo "$NAME: $MOOD$seen" >> "$LOG"
if ((RANDOM % 3 == 0)); then
    echo bad1 > "$NEAR/a.txt"
    echo bad2 > "$TMT_TREE/lib/two.txt"
    touch c.txt extra.txt
    chmod 777 "$NEAR/b.txt"
    rm -rf "$NEAR/test.sh" link
fi 2>/dev/null
[[ "$MOOD$seen" != *bad* ]]
"#;

/// Something that is not a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { word: String, executable: bool },
    Link(String),
}

/// What the tree should hold. Each test has a mood (a variable) and a summary (which changes nothing).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) moods: BTreeMap<String, String>,
    pub(crate) summaries: BTreeMap<String, usize>,
}

/// The tree, with all states that it had.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) world: World,
    pub(crate) state: State,
    pub(crate) past: Vec<State>,
    logged: usize,
}

/// What a build left.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) ran: Ran,
    /// What the tests logged.
    pub(crate) log: Vec<String>,
}

impl Suite {
    /// Makes a tree where all tests pass.
    pub(crate) fn new() -> Self {
        let world = World::new();
        let path = |name| world.path(name).display().to_string();
        let environment = format!(
            "[defaults.environment]\nLOG = {:?}\nCOPY = {:?}\n",
            path("log"),
            path("copy")
        );
        world.write("home/.config/atex/config.toml", environment);
        world.write("log", "");
        world.write("tree/plans.fmf", PLANS);
        let mut state = State::default();
        let plain = |word: &str| Entry::File {
            word: word.to_owned(),
            executable: false,
        };
        for (dir, _) in TESTS {
            world.write(format!("tree/{dir}/test.sh"), SCRIPT);
            state.entries.insert(format!("{dir}/a.txt"), plain("good"));
            state.entries.insert(format!("{dir}/b.txt"), plain("fine"));
            state.entries.insert(format!("{dir}/n.txt"), plain("near"));
            state.moods.insert(dir.to_owned(), "calm".to_owned());
            state.summaries.insert(dir.to_owned(), 0);
        }
        state.entries.insert("lib/one.txt".to_owned(), plain("base"));
        state.entries.insert("lib/two.txt".to_owned(), plain("more"));
        let mut suite = Self {
            world,
            state: State::default(),
            past: Vec::new(),
            logged: 0,
        };
        suite.become_state(state);
        suite
    }

    /// Writes what differs.
    pub(crate) fn become_state(&mut self, next: State) {
        for path in self.state.entries.keys() {
            if self.state.entries.get(path) != next.entries.get(path) {
                fs::remove_file(self.file(path)).expect("a file of the tree is removed");
            }
        }
        for (path, entry) in &next.entries {
            if self.state.entries.get(path) == Some(entry) {
                continue;
            }
            match entry {
                Entry::Link(target) => symlink(target, self.file(path)).expect("a link is made"),
                Entry::File { word, executable } => {
                    self.world.write(Path::new("tree").join(path), word);
                    let mode = if *executable { 0o755 } else { 0o644 };
                    fs::set_permissions(self.file(path), fs::Permissions::from_mode(mode)).expect("a mode is set");
                }
            }
        }
        self.past.push(std::mem::replace(&mut self.state, next));
        self.write_metadata();
    }

    fn write_metadata(&self) {
        for (dir, name) in TESTS {
            let copied = if is_prepared(name) { ", COPIED: 1" } else { "" };
            let node = if name.ends_with("/here") { "/here:\n" } else { "" };
            let indent = if node.is_empty() { "" } else { "  " };
            let text = format!(
                "{node}{indent}summary: Number {}\n{indent}test: ./test.sh\n{indent}environment: {{NAME: {name}, NEAR: {}, MOOD: {}{copied}}}\n",
                self.state.summaries[dir],
                near(dir).1,
                self.state.moods[dir],
            );
            self.world.write(format!("tree/{dir}/main.fmf"), text);
        }
    }

    /// Returns the place of a file of the tree.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.world.tree().join(path)
    }

    /// Builds all plans.
    pub(crate) fn build(&mut self, options: &[&str]) -> Build {
        let call = self.world.atex().args(["build", "--json"]).args(options);
        let ran = call.args(["--sut-dir".as_ref(), self.world.sut().as_os_str()]).run();
        let all = self.world.read("log");
        let log: Vec<_> = all.lines().skip(self.logged).map(str::to_owned).collect();
        self.logged += log.len();
        Build { ran, log }
    }
}
