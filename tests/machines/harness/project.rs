//! A generated tree of tests that log what they see.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::edits::file;
use crate::harness::faults::Kinds;
use crate::harness::files::{Entry, Files, git, put, read};
use crate::harness::machines::Machines;
use crate::harness::random::Random;
use crate::support::World;

/// A test, and what it does beside looking at files of its own, the library's, and one of another test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    pub(crate) dir: &'static str,
    pub(crate) name: &'static str,
    /// The directory of which it reads a file that is no input of it by any rule.
    pub(crate) near: &'static str,
    pub(crate) plan: &'static str,
    /// What else it does: `glob` reads whatever lies in `t0`, `flaky` fails once where it is told to, `blind` asks whether a file is
    /// there and does not read it.
    pub(crate) does: &'static str,
}

const fn test(
    dir: &'static str,
    name: &'static str,
    near: &'static str,
    plan: &'static str,
    does: &'static str,
) -> Test {
    Test {
        dir,
        name,
        near,
        plan,
        does,
    }
}

/// `/t1/deep` lies below `/t1/here`.
pub(crate) const TESTS: [Test; 9] = [
    test("t0", "/t0", "t2", "plain", ""),
    test("t1", "/t1/here", "t0", "plain", ""),
    test("t1/deep", "/t1/deep", "t3", "plain", ""),
    test("t2", "/t2", "t4", "plain", ""),
    test("t3", "/t3", "t0", "prepared", ""),
    test("t4", "/t4", "t1", "prepared", "flaky"),
    test("t5", "/t5", "t1", "whole", ""),
    test("t6", "/t6", "t0", "plain", "glob"),
    test("t7", "/t7", "t1", "plain", "blind"),
];

pub(crate) const DIRS: [&str; 9] = ["t0", "t1", "t1/deep", "t2", "t3", "t4", "t5", "t6", "t7"];

/// Copies a file out of the tree, and makes one in it; and what ends that.
const PREPARED: &str = r#". ./here.sh; touch "$due"; cat lib/one.txt >"$copy"; cat lib/one.txt >made.txt"#;
const FINISH: &str = r#". ./here.sh; rm -f "$due""#;

/// Ways to copy the whole tree; the last is the script of a file, which says nothing that a rule understands.
const WHOLE: [&str; 4] = [
    r#". ./here.sh; rm -rf "$whole"; cp -r . "$whole""#,
    r#". ./here.sh; rm -rf "$whole"; cp -r "$TMT_TREE/." "$whole""#,
    r#". ./here.sh; rm -rf "$whole"; mkdir "$whole"; tar -c * | tar -x -C "$whole""#,
    r#". ./here.sh; rm -rf "$whole"; ./whole.sh "$whole""#,
];

/// Says where the machine keeps what prepare steps make outside of the tree. A step that said it itself would name the whole tree by
/// the rules.
const HERE: &str = r#"here=$(pwd) rest=${here#"$SUTS"/} machine=$OUTSIDE/${rest%%/*}
mkdir -p "$machine"
copy=$machine/copy whole=$machine/whole due=$machine/due-${PROJECT-}
"#;

const COPY: &str = r#"#!/bin/bash
from=$(dirname "$(realpath "$0")")
cd /
cp -r "$from/." "$1"
"#;

/// What each test does. What stands behind the last bar of its line in the log is what nobody can see it ask for.
const SCRIPT: &str = r#"#!/bin/bash
rest=${TMT_TREE#"$SUTS"/} machine=$OUTSIDE/${rest%%/*} near=$TMT_TREE/$NEAR
seen=$MOOD blind=
look() {
    local file
    for file; do
        if [ -f "$file" ]; then seen+=" $(<"$file")"; else seen+=" none"; fi
        if [ -f "$file" ] && [ -x "$file" ]; then seen+=x; fi
    done
}
look a.txt b.txt c.txt link "$TMT_TREE"/{lib/{one,two},sub/{s,t}}.txt "$near/n.txt"
seen+=" $(ls -A "$near" | wc -l) names"
case $NAME in
    /t2) look inner/i.txt ;;
    /t[34]) look "$machine/copy" "$TMT_TREE/made.txt" ;;
    /t5) seen+=" $(cd "$machine/whole" && LC_ALL=C grep -r '' . | LC_ALL=C sort | cksum)" ;;
esac
case $DOES in
    glob) look "$TMT_TREE"/t0/*.txt ;;
    blind) [ ! -e "$TMT_TREE/t0/maybe.txt" ] || blind=bad ;;
esac
verdict=pass
if [[ $seen$blind == *bad* ]] || { [ "$DOES" = flaky ] && rm "$OUTSIDE/flake" 2>/dev/null; }; then verdict=fail; fi
printf '%s|%s|%s|%s\n' "$NAME" "$verdict" "$seen" "$blind" >>"$LOG"
{
    for harm in $(cat "$OUTSIDE/harm"); do
        case $harm in
            "$NAME=write") echo bad1 >"$near/a.txt"; echo bad2 >"$TMT_TREE/lib/two.txt" ;;
            "$NAME=made") echo bad1 >"$TMT_TREE/made.txt" ;;
            "$NAME=add") touch c.txt extra.txt; mkdir -p "$near/new/newer"; touch "$near/new/newer/file" ;;
            "$NAME=modes") chmod 777 "$near/n.txt"; chmod 000 b.txt "$TMT_TREE/lib" ;;
            "$NAME=remove") rm -rf "$near/test.sh" "$TMT_TREE/sub" link ;;
            "$NAME=swap") mv a.txt aside; mv b.txt a.txt; mv aside b.txt ;;
            "$NAME=kinds") rm -rf b.txt "$near/b.txt"; mkdir b.txt; ln -s "$TMT_TREE" "$near/b.txt" ;;
            "$NAME=times") cp -p "$near/n.txt" "$TMPDIR/old"; echo bad1 >"$near/n.txt"; touch -r "$TMPDIR/old" "$near/n.txt" ;;
            "$NAME=later") (sleep 0.2; echo bad1 >"$near/n.txt"; echo bad1 >a.txt) & ;;
        esac
    done
} 2>/dev/null
[ $verdict = pass ]
"#;

/// What a test may do to the tree before it ends.
const HARMS: [&str; 9] = [
    "write", "made", "add", "modes", "remove", "swap", "kinds", "times", "later",
];

/// Returns what tests do to the tree in a build.
pub(crate) fn harm(random: &mut Random) -> Vec<String> {
    let count = [0, 1, 1, 3][random.below(4)];
    let one = |_| format!("{}={}", random.one_of(&TESTS).name, random.one_of(&HARMS));
    (0..count).map(one).collect()
}

/// How a suite is.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) machines: Machines,
    /// Whether its trees are repositories, with a submodule and one below that is none.
    pub(crate) git: bool,
    pub(crate) projects: usize,
    /// How a plan copies the tree.
    whole: &'static str,
}

impl Shape {
    /// Returns that of a seed: sixty in a row have all kinds with each other.
    pub(crate) fn of(seed: u64, kinds: &Kinds) -> Self {
        Self {
            machines: Machines::of(seed, kinds),
            git: !seed.is_multiple_of(3) && kinds.has("git"),
            projects: if seed % 5 < 2 && kinds.has("projects") { 2 } else { 1 },
            whole: WHOLE[usize::try_from(seed / 2).expect("a small number") % WHOLE.len()],
        }
    }
}

/// A tree, with all that it was.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) tree: PathBuf,
    pub(crate) past: Vec<Files>,
    /// How a plan copies it.
    whole: &'static str,
}

impl Project {
    /// Makes one where all tests pass.
    pub(crate) fn new(world: &World, name: &str, shape: &Shape) -> Self {
        let project = Self {
            tree: world.path(name),
            past: Vec::new(),
            whole: shape.whole,
        };
        let at = |path: &str| project.tree.join(path);
        let plans = format!(
            "discover: {{how: fmf}}\nexecute: {{how: tmt}}\n/plain:\n  discover+: {{test: '^/t[01267]'}}\n\
             /prepared:\n  discover+: {{test: '^/t[34]'}}\n  prepare: {{how: shell, script: '{PREPARED}'}}\n  finish: {{how: shell, script: '{FINISH}'}}\n\
             /whole:\n  discover+: {{test: '^/t5'}}\n  prepare: {{how: shell, script: '{}'}}\n",
            project.whole
        );
        let script = |text: &str| Entry::File {
            bytes: text.as_bytes().to_vec(),
            mode: 0o755,
        };
        for (path, text) in [
            (".fmf/version", "1\n"),
            ("plans.fmf", &plans),
            ("lib/one.txt", "base"),
            ("lib/two.txt", "more"),
            ("sub/s.txt", "subs"),
            ("sub/t.txt", "subt"),
            ("t2/inner/i.txt", "inner"),
            ("here.sh", HERE),
        ] {
            put(&at(path), &file(text));
        }
        put(&at("whole.sh"), &script(COPY));
        for test in &TESTS {
            let dir = test.dir;
            put(&at(&format!("{dir}/test.sh")), &script(SCRIPT));
            for (name, word) in [("a.txt", "good"), ("b.txt", "fine"), ("n.txt", name)] {
                put(&at(&format!("{dir}/{name}")), &file(word));
            }
            put(&at(&format!("{dir}/main.fmf")), &file(&test.metadata()));
        }
        if shape.git {
            for dir in ["sub", "t2/inner"] {
                git(&at(dir), &["init", "--quiet"]);
                git(&at(dir), &["add", "."]);
                git(&at(dir), &["commit", "--quiet", "-m", "first"]);
            }
            git(&project.tree, &["init", "--quiet"]);
            // The repository below `t2` is not tracked: it is none of its submodules.
            git(&project.tree, &["add", "t0", "t1", "lib", "sub"]);
        }
        project
    }

    /// Returns the script that prepares for a plan.
    pub(crate) fn preparation(&self, plan: &str) -> &'static str {
        match plan {
            "prepared" => PREPARED,
            "whole" => self.whole,
            _ => "",
        }
    }

    pub(crate) fn is_git(&self) -> bool {
        self.tree.join(".git").exists()
    }

    /// Remembers how it is.
    pub(crate) fn remember(&mut self) {
        self.past.push(read(&self.tree));
    }
}

impl Test {
    fn metadata(&self) -> String {
        let (node, indent) = if self.name.ends_with("/here") {
            ("/here:\n", "  ")
        } else {
            ("", "")
        };
        let environment = self.environment("calm").map(|(key, value)| format!("{key}: {value}"));
        format!(
            "{node}{indent}summary: Number 0\n{indent}test: ./test.sh\n{indent}environment: {{{}}}\n",
            environment.join(", ")
        )
    }

    /// Returns the variables that its metadata gives it.
    pub(crate) fn environment(&self, mood: &str) -> [(&'static str, String); 4] {
        [
            ("NAME", self.name.to_owned()),
            ("NEAR", self.near.to_owned()),
            (
                "DOES",
                if self.does.is_empty() { "nothing" } else { self.does }.to_owned(),
            ),
            ("MOOD", mood.to_owned()),
        ]
    }

    /// Returns the mood that the metadata of a tree gives it.
    pub(crate) fn mood(&self, tree: &Path) -> String {
        let text = fs::read_to_string(tree.join(self.dir).join("main.fmf")).expect("metadata");
        let (_, rest) = text.split_once("MOOD: ").expect("a mood");
        rest.split('}').next().unwrap_or_default().to_owned()
    }
}
