//! Generated trees: several files, virtual nodes, suffixes on all pairs of types, directives, adjust rules.

use std::fmt::Write as _;

use super::words::{BROKEN, CONDITIONS, NAMES, NUMBERS, PATTERNS, REPLACEMENTS, SCALARS, TEXTS, WRONG_PATTERNS};
use crate::random::Random;

/// Files and symbolic links of a tree.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) links: Vec<(String, String)>,
    pub(crate) directories: Vec<String>,
}

struct Writer<'r> {
    random: &'r mut Random,
    out: String,
    anchors: usize,
    /// Anchors whose value is complete.
    closed: Vec<usize>,
}

/// How a collection's line ended.
enum Opening {
    /// With an alias: the collection is elsewhere.
    Alias,
    Anchor(usize),
    Bare,
}

/// Makes a tree.
pub(crate) fn tree(random: &mut Random) -> Plan {
    let mut plan = Plan::default();
    let directories = ["", "", "sub/", "sub/deep/", "b/", ".hidden/", "a/", "empty/"];
    for _ in 0..=random.below(4) {
        let directory = random.pick(&directories);
        let name = random.pick(&[
            "main.fmf",
            "main.fmf",
            "a.fmf",
            "b.fmf",
            "x.y.fmf",
            ".secret.fmf",
            "z.fmf",
            "note.txt",
            "..fmf",
            "caf\u{e9}.fmf",
        ]);
        let text = file(random);
        plan.files.push((format!("{directory}{name}"), text));
    }
    if random.percent(8) {
        let config = random.pick(&[
            "explore:\n  include: [.secret.fmf, .hidden]\n",
            "explore: {}\n",
            "other: 1\n",
            "explore:\n  include: .hidden\n",
            "explore:\n  include: [.fmf]\n",
            "",
            "explore:\n",
            "[]\n",
            "explore:\n  include: []\n",
            "x: [\n",
        ]);
        plan.files.push((".fmf/config".to_owned(), config.to_owned()));
    }
    if random.percent(5) {
        let version = random.pick(&["1", " 1\n", "+1", "1_0", "2", "x", "", "1.0", "-1", "__1"]);
        plan.files.push((".fmf/version".to_owned(), version.to_owned()));
    }
    if random.percent(8) {
        plan.directories.push(
            random
                .pick(&["sub/.fmf", "a/.fmf", "empty", "sub/empty/more", "b/.fmf"])
                .to_owned(),
        );
    }
    if random.percent(10) {
        let link = random.pick(&["link", "sub/link", "b/loop", "dead.fmf", "linked.fmf"]);
        let target = random.pick(&["..", ".", "../sub", "sub", "a.fmf", "nowhere", "../.."]);
        plan.links.push((link.to_owned(), target.to_owned()));
    }
    plan
}

/// Makes the text of one file.
fn file(random: &mut Random) -> String {
    if random.percent(4) {
        return random
            .pick(&[
                "",
                "\n",
                "# only a comment\n",
                "---\n",
                "- a\n- b\n",
                "just text\n",
                "12\n",
                "~\n",
                "...\n",
                "{}\n",
                "\u{feff}a: 1\n",
            ])
            .to_owned();
    }
    let mut writer = Writer {
        random,
        out: String::new(),
        anchors: 0,
        closed: Vec::new(),
    };
    writer.node(0, 0);
    let mut text = writer.out;
    if random.percent(6) {
        text.insert_str(
            0,
            random.pick(&[
                "---\n",
                "%YAML 1.1\n---\n",
                "%YAML 1.2\n---\n",
                "\u{feff}",
                "# comment\n",
                "\n\n",
            ]),
        );
    }
    if random.percent(5) {
        text = text.replace('\n', "\r\n");
    }
    if random.percent(8) {
        mutate(random, &mut text);
    }
    text
}

/// Changes a character or two.
pub(crate) fn mutate(random: &mut Random, text: &mut String) {
    for _ in 0..=random.below(2) {
        let mut at = random.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match random.below(3) {
            0 if at < text.len() => drop(text.remove(at)),
            _ => text.insert_str(
                at,
                random.pick(&[
                    ":", " ", "\t", "#", "-", "'", "\"", "\n", "[", "]", "{", "}", "&x ", "*x", "!", "|", ">", ",",
                    "?", "\u{7}", "%", "\u{85}", "\u{2028}", "  ",
                ]),
            ),
        }
    }
}

impl Writer<'_> {
    /// Chooses a key that the mapping does not have yet, mostly; nothing where that fails.
    fn fresh(
        &mut self,
        used: &mut Vec<String>,
        stems: &[&'static str],
        suffixes: &[&'static str],
    ) -> Option<(&'static str, &'static str)> {
        let (stem, suffix) = (self.random.pick(stems), self.random.pick(suffixes));
        let key = format!("{stem}{suffix}");
        if used.contains(&key) && !self.random.percent(2) {
            return None;
        }
        used.push(key);
        Some((stem, suffix))
    }

    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Writes a node's data: keys, directives, virtual nodes, rules.
    fn node(&mut self, indent: usize, depth: usize) {
        let mut used = Vec::new();
        if self.random.percent(10) {
            self.pad(indent);
            let directives = self.random.pick(&[
                "/: {inherit: false}",
                "/: {select: true}",
                "/: {select: false}",
                "/: {inherit: true, select: true}",
                "/: {}",
            ]);
            let wrong = self
                .random
                .pick(&["/: {inherit: yes}", "/: {other: true}", "/: []", "/:"]);
            let directives = if self.random.percent(5) { wrong } else { directives };
            used.push("/".to_owned());
            let _ = writeln!(self.out, "{directives}");
        }
        for _ in 0..=self.random.below(5) {
            self.entry(indent, &mut used);
        }
        if self.random.percent(35) {
            self.adjust(indent);
        }
        if depth < 3 {
            for _ in 0..self.random.below(3) {
                let Some((name, _)) = self.fresh(&mut used, NAMES, &[""]) else {
                    continue;
                };
                self.pad(indent);
                if self.random.percent(12) {
                    let value = self.random.pick(&[
                        "",
                        " {}",
                        " null",
                        " text",
                        " ~",
                        " ''",
                        " {text: x}",
                        " {/a: {text: y}}",
                    ]);
                    let value = if self.random.percent(4) { " 12" } else { value };
                    let _ = writeln!(self.out, "/{name}:{value}");
                } else {
                    let _ = writeln!(self.out, "/{name}:");
                    self.node(indent + 2, depth + 1);
                }
            }
        }
    }

    /// Writes a key with a value that mostly fits what the key's name promises.
    fn entry(&mut self, indent: usize, used: &mut Vec<String>) {
        let stems = ["text", "number", "list", "map", "dicts", "any", "env", "tag"];
        let suffixes = [
            "", "", "", "", "+", "+", "+", "+<", "-", "-~", "~", "++", "-+", "+-", "~~", "+<+<", "<",
        ];
        let Some((stem, suffix)) = self.fresh(used, &stems, &suffixes) else {
            return;
        };
        self.pad(indent);
        let _ = write!(self.out, "{stem}{suffix}:");
        if self.random.percent(if suffix.is_empty() { 12 } else { 4 }) {
            return self.value(indent + 2, 2);
        }
        match (stem, suffix) {
            ("text" | "tag" | "list", "~") => self.one_or_many(REPLACEMENTS),
            (_, "-~") => self.one_or_many(PATTERNS),
            ("text", "-") => self.one_of(PATTERNS),
            ("text", _) => self.one_of(TEXTS),
            ("number", _) => self.one_of(NUMBERS),
            ("map" | "env", "-") => self.one_of(&["[a]", "[a, b]", "[]", "[1]", "[[a]]", "[d+]"]),
            ("map" | "env", _) => self.map(indent + 2, 1),
            ("dicts", "+" | "+<") if self.random.percent(50) => self.map(indent + 2, 1),
            ("dicts", _) => self.dicts(indent + 2),
            ("list" | "tag", _) => self.list(),
            _ => self.value(indent + 2, 2),
        }
    }

    fn one_of(&mut self, choices: &[&str]) {
        let choice = self.random.pick(choices);
        let _ = writeln!(self.out, " {choice}");
    }

    fn one_or_many(&mut self, choices: &[&str]) {
        let choices = if self.random.percent(3) {
            WRONG_PATTERNS
        } else {
            choices
        };
        let (first, second) = (self.random.pick(choices), self.random.pick(choices));
        let _ = if self.random.percent(40) {
            writeln!(self.out, " [{first}, {second}]")
        } else {
            writeln!(self.out, " {first}")
        };
    }

    fn list(&mut self) {
        let items: Vec<_> = (0..self.random.below(4))
            .map(|_| {
                if self.random.percent(80) {
                    self.random.pick(TEXTS)
                } else {
                    self.random.pick(NUMBERS)
                }
            })
            .collect();
        let _ = writeln!(self.out, " [{}]", items.join(", "));
    }

    /// Writes a mapping whose keys may have suffixes.
    fn map(&mut self, indent: usize, depth: usize) {
        let opening = self.anchor_or_alias();
        if matches!(opening, Opening::Alias) {
            return;
        }
        if !self.closed.is_empty() && self.random.percent(15) {
            self.pad(indent);
            let number = self.closed[self.random.below(self.closed.len())];
            let _ = writeln!(self.out, "<<: *x{number}");
        }
        let mut used = Vec::new();
        for _ in 0..=self.random.below(3) {
            let keys = ["a", "b", "c", "d", "a", "b", "a+", "b+", "d+", "c-", "a+<", "1", "a~"];
            let keys = if self.random.percent(50) { &keys[..6] } else { &keys };
            let Some((key, _)) = self.fresh(&mut used, keys, &[""]) else {
                continue;
            };
            self.pad(indent);
            let _ = write!(self.out, "{key}:");
            if key.starts_with('d') && depth < 3 {
                self.map(indent + 2, depth + 1);
            } else if self.random.percent(80) {
                let texts = if key == "c-" {
                    &["[x]"]
                } else if key == "a~" {
                    &["/a/b/"]
                } else {
                    TEXTS
                };
                self.one_of(texts);
            } else {
                self.value(indent + 2, depth + 1);
            }
        }
        self.close(&opening);
    }

    fn dicts(&mut self, indent: usize) {
        let opening = self.anchor_or_alias();
        if matches!(opening, Opening::Alias) {
            return;
        }
        for _ in 0..=self.random.below(2) {
            self.pad(indent);
            let (name, more) = (
                self.random.pick(TEXTS),
                self.random.pick(&["", ", b: [1]", ", d: {a: x}", ", a+: y"]),
            );
            let _ = if self.random.percent(95) {
                writeln!(self.out, "- {{a: {name}{more}}}")
            } else {
                writeln!(self.out, "- {name}")
            };
        }
        self.close(&opening);
    }

    /// Ends the line of a key: with an alias, perhaps with an anchor, or with nothing.
    fn anchor_or_alias(&mut self) -> Opening {
        if !self.closed.is_empty() && self.random.percent(15) {
            let number = self.closed[self.random.below(self.closed.len())];
            let _ = writeln!(self.out, " *x{number}");
            return Opening::Alias;
        }
        if self.random.percent(85) {
            self.out.push('\n');
            return Opening::Bare;
        }
        self.anchors += 1;
        let _ = writeln!(self.out, " &x{}", self.anchors - 1);
        Opening::Anchor(self.anchors - 1)
    }

    fn close(&mut self, opening: &Opening) {
        if let Opening::Anchor(number) = opening {
            self.closed.push(*number);
        }
    }

    /// Writes any value.
    fn value(&mut self, indent: usize, depth: usize) {
        match self.random.below(if depth < 4 { 10 } else { 5 }) {
            0..=3 => {
                let scalars = if self.random.percent(2) { BROKEN } else { SCALARS };
                self.one_of(scalars);
            }
            4 => self.block_scalar(indent),
            5 => self.map(indent, depth),
            6 => {
                self.out.push('\n');
                for _ in 0..=self.random.below(3) {
                    self.pad(indent);
                    self.out.push('-');
                    self.value(indent + 2, depth + 1);
                }
            }
            7 => self.list(),
            8 => {
                let (a, b) = (self.random.pick(SCALARS), self.random.pick(TEXTS));
                let _ = writeln!(self.out, " {{x: {a}, y: [{b}, {{z: {b}}}], ? q, : w}}");
            }
            _ => {
                let text = self.random.pick(&[
                    " !!set {a, b}",
                    " !!omap [a: 1, b: 2]",
                    " !!pairs [a: 1, a: 2]",
                    " {[1, 2]: x}",
                    " {1: a, true: b}",
                    " {1: a, 2.5: b, null: c}",
                    " [a: b, c]",
                    " {a: 1, a: 2}",
                    " ? x",
                    " {a, b}",
                    " {\"a\":1}",
                    " [ , ]",
                    " [a,]",
                ]);
                let _ = writeln!(self.out, "{text}");
            }
        }
    }

    fn block_scalar(&mut self, indent: usize) {
        let header = if self.random.percent(3) {
            self.random.pick(&["|0", "|x", ">+-", "| x"])
        } else {
            self.random
                .pick(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1", "| # c", "|2-", ">-1"])
        };
        let _ = writeln!(self.out, " {header}");
        for _ in 0..self.random.below(6) {
            let more = self.random.pick(&["", "", "", "", "", "", "  ", "\t", " "]);
            let line = self.random.pick(&[
                "line",
                "more text",
                "",
                "- item",
                "key: value",
                "# not a comment",
                "trailing ",
                "\u{e9}",
            ]);
            if !line.is_empty() || self.random.percent(30) {
                self.pad(indent);
            }
            let _ = writeln!(self.out, "{more}{line}");
        }
    }

    fn adjust(&mut self, indent: usize) {
        self.pad(indent);
        let key = self.random.pick(&["adjust", "adjust", "adjust", "adjust+", "adjust+<"]);
        if self.random.percent(4) {
            let wrong = self.random.pick(&["null", "text", "[text]", "[]", "{}", "12"]);
            let _ = writeln!(self.out, "{key}: {wrong}");
            return;
        }
        let _ = writeln!(self.out, "{key}:");
        let single = self.random.percent(20);
        for _ in 0..if single { 1 } else { 1 + self.random.below(3) } {
            let start = if single { indent + 2 } else { indent + 4 };
            self.pad(indent + 2);
            if !single {
                self.out.push_str("- ");
            }
            let wrong = self.random.pick(&["no operator", "''", "1", "[]", "null", "a == b or"]);
            let when = if self.random.percent(2) {
                wrong
            } else {
                self.random.pick(CONDITIONS)
            };
            let _ = writeln!(self.out, "because: why");
            if self.random.percent(85) {
                self.pad(start);
                let _ = writeln!(self.out, "when: {when}");
            }
            if self.random.percent(20) {
                self.pad(start);
                let proceed = if self.random.percent(5) {
                    "no"
                } else {
                    self.random.pick(&["false", "true"])
                };
                let _ = writeln!(self.out, "continue: {proceed}");
            }
            let mut used = Vec::new();
            for _ in 0..=self.random.below(2) {
                self.entry(start, &mut used);
            }
            if self.random.percent(4) && !used.iter().any(|key| key == "adjust+") {
                self.pad(start);
                let _ = writeln!(self.out, "adjust+: {{when: 'true', text: changed}}");
            }
        }
    }
}
