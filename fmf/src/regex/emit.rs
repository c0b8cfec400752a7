//! Writes a pattern's tree in the syntax of the engine (`fancy-regex`).
//!
//! Everything whose meaning differs between Python and the engine is written in another way: classes by category, `$` by
//! lookahead, `\b` by lookarounds. Most texts need none of that. For a [`Text::Plain`] text (ASCII, no newline at the end), short
//! forms mean the same and keep the engine on its linear-time path.

use std::fmt::Write;

use super::ast::{At, Category, CategoryKind, Code, Flags, Mode, Node, SetItem};

/// What is known of the text on which a translation will be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Text {
    /// The text is ASCII, and its last character is not a newline.
    Plain,
    Any,
}

impl Text {
    pub(super) fn of(text: &str) -> Self {
        if text.is_ascii() && !text.ends_with('\n') {
            Self::Plain
        } else {
            Self::Any
        }
    }
}

/// Where a match may begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    /// A match may begin anywhere (`re.search`).
    Free,
    /// A match must begin at the start of the text (`re.match`).
    Start,
    /// A match must begin at the position of the search and not be empty (`re.sub` after an empty match).
    Advance,
}

/// Letters that are equal for Python's `IGNORECASE`, but not by simple case folding.
const DOTTED: [char; 4] = ['i', 'I', 'İ', 'ı'];

/// A class that matches nothing, for code points that no text can contain.
pub(super) const NOTHING: &str = r"[^\s\S]";

/// Translates a pattern.
pub(super) fn emit(root: &Node, flags: Flags, text: Text, anchor: Anchor) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        text,
    };
    let (before, after) = match anchor {
        Anchor::Free => ("", ""),
        Anchor::Start => (r"\A(?:", ")"),
        // This is how the engine is told that the match must not be empty.
        Anchor::Advance => (r"\G(?:", ")"),
    };
    emitter.out += before;
    emitter.node(root, flags);
    emitter.out += after;
    emitter.out
}

struct Emitter {
    out: String,
    text: Text,
}

impl Emitter {
    fn node(&mut self, node: &Node, flags: Flags) {
        match node {
            Node::Literal(code) => self.literal(*code, flags),
            Node::Any => self.out += if flags.dot_all { "(?s:.)" } else { r"[^\n]" },
            Node::Set { negated, items } => self.set(*negated, items, flags),
            Node::At(at) => self.at(*at, flags),
            Node::Repeat { min, max, mode, body } => self.repeat(*min, *max, *mode, body, flags),
            Node::Capture { body, .. } => self.wrapped("(", body, flags),
            Node::Flagged { add, remove, body } => self.wrapped("(?:", body, flags.changed(*add, *remove)),
            Node::Atomic(body) => self.wrapped("(?>", body, flags),
            Node::Look { behind, negated, body } => {
                let open = match (behind, negated) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                };
                self.wrapped(open, body, flags);
            }
            Node::Reference(group) if flags.ignore_case => self.push(format_args!("(?i:\\{group})")),
            Node::Reference(group) => self.push(format_args!("(?:\\{group})")),
            Node::Conditional { group, yes, no } => {
                self.push(format_args!("(?({group})"));
                self.wrapped("(?:", yes, flags);
                self.out.push('|');
                match no {
                    Some(no) => self.wrapped("(?:", no, flags),
                    None => self.out += "(?:)",
                }
                self.out.push(')');
            }
            Node::Sequence(items) => items.iter().for_each(|item| self.node(item, flags)),
            Node::Branches(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.out += if index == 0 { "" } else { "|" };
                    self.node(item, flags);
                }
            }
        }
    }

    fn wrapped(&mut self, open: &str, body: &Node, flags: Flags) {
        self.out += open;
        self.node(body, flags);
        self.out.push(')');
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, mode: Mode, body: &Node, flags: Flags) {
        if max == Some(0) && !captures(body) {
            self.out += "(?:)";
            return;
        }
        self.out += if mode == Mode::Possessive { "(?>" } else { "" };
        match body {
            // The engine repeats neither a bare lookaround nor an empty pattern. An alternative that never matches makes it a
            // group.
            body if is_bare(body) => {
                self.out += "(?:";
                self.node(body, flags);
                self.push(format_args!("|{NOTHING})"));
            }
            Node::Literal(_) | Node::Any | Node::Set { .. } | Node::Capture { .. } | Node::Flagged { .. } => {
                self.node(body, flags);
            }
            other => self.wrapped("(?:", other, flags),
        }
        match (min, max) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (min, None) => self.push(format_args!("{{{min},}}")),
            (min, Some(max)) if min == max => self.push(format_args!("{{{min}}}")),
            (min, Some(max)) => self.push(format_args!("{{{min},{max}}}")),
        }
        match mode {
            Mode::Greedy => {}
            Mode::Lazy => self.out.push('?'),
            Mode::Possessive => self.out.push(')'),
        }
    }

    fn at(&mut self, at: At, flags: Flags) {
        let word = if flags.ascii || self.text == Text::Plain {
            "[0-9A-Za-z_]"
        } else {
            r"[\p{L}\p{N}_]"
        };
        match at {
            At::Beginning if flags.multiline => self.out += "(?m:^)",
            At::Beginning | At::TextBeginning => self.out += r"\A",
            At::End if flags.multiline => self.out += "(?m:$)",
            At::End if self.text == Text::Any => self.out += r"(?=\n?\z)",
            At::End | At::TextEnd => self.out += r"\z",
            At::Boundary if self.text == Text::Plain => self.out += r"\b",
            At::Boundary => self.push(format_args!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")),
            // In an empty text, no position matches `\B`.
            At::NoBoundary => {
                self.push(format_args!(r"(?!\A\z)(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"));
            }
        }
    }

    fn literal(&mut self, code: Code, flags: Flags) {
        let Some(c) = char::from_u32(code) else {
            self.out += NOTHING;
            return;
        };
        if !flags.ignore_case || c.is_ascii() && !c.is_ascii_alphabetic() {
            self.character(c);
        } else if flags.ascii {
            self.set(false, &[SetItem::Char(code)], flags);
        } else if DOTTED.contains(&c) {
            self.out += "[iIİı]";
        } else {
            self.out += "(?i:";
            self.character(c);
            self.out.push(')');
        }
    }

    fn character(&mut self, c: char) {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            self.push(format_args!("\\x{{{:x}}}", u32::from(c)));
        } else {
            self.out.push(c);
        }
    }

    fn set(&mut self, negated: bool, items: &[SetItem], flags: Flags) {
        let fold = flags.ignore_case && items.iter().any(|item| !matches!(item, SetItem::Category(_)));
        let engine_fold = fold && !flags.ascii;
        self.out += if engine_fold { "(?i:" } else { "" };
        self.out += if negated { "[^" } else { "[" };
        let start = self.out.len();
        for item in items {
            match *item {
                SetItem::Char(code) => self.range(code, code),
                SetItem::Range(low, high) => self.range(low, high),
                SetItem::Category(category) => self.category(category, flags),
            }
        }
        if fold && flags.ascii {
            self.ascii_cases(items);
        }
        if engine_fold
            && DOTTED
                .iter()
                .any(|c| items.iter().any(|item| holds(item, u32::from(*c))))
        {
            self.out.extend(DOTTED);
        }
        if self.out.len() == start {
            // The set has only code points that no text contains, so it matches nothing, and its negation matches everything.
            self.out.truncate(start - usize::from(negated) - 1);
            self.out += if negated { r"[\s\S]" } else { NOTHING };
        } else {
            self.out.push(']');
        }
        self.out += if engine_fold { ")" } else { "" };
    }

    /// Writes the other case of every ASCII letter that is in the items.
    fn ascii_cases(&mut self, items: &[SetItem]) {
        for letter in 'a'..='z' {
            let upper = letter.to_ascii_uppercase();
            if [letter, upper]
                .iter()
                .any(|c| items.iter().any(|item| holds(item, u32::from(*c))))
            {
                self.out.extend([letter, upper]);
            }
        }
    }

    /// Writes a range without the surrogates, which no text contains.
    fn range(&mut self, low: Code, high: Code) {
        for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
            if low < high {
                self.push(format_args!("\\x{{{low:x}}}-\\x{{{high:x}}}"));
            } else if low == high {
                self.push(format_args!("\\x{{{low:x}}}"));
            }
        }
    }

    fn category(&mut self, category: Category, flags: Flags) {
        let ascii = flags.ascii || self.text == Text::Plain;
        let members = match (category.kind, ascii) {
            (CategoryKind::Digit, true) => "0-9",
            (CategoryKind::Digit, false) => r"\p{Nd}",
            (CategoryKind::Word, true) => "0-9A-Za-z_",
            (CategoryKind::Word, false) => r"\p{L}\p{N}_",
            // With the flag `a`, the separators \x1c to \x1f do not count as spaces.
            (CategoryKind::Space, _) if flags.ascii => r"\x{9}-\x{d}\x{20}",
            (CategoryKind::Space, true) => r"\x{9}-\x{d}\x{1c}-\x{20}",
            (CategoryKind::Space, false) => r"\p{White_Space}\x{1c}-\x{1f}",
        };
        if category.negated {
            self.push(format_args!("[^{members}]"));
        } else {
            self.out += members;
        }
    }

    /// Appends formatted text; writing to a `String` cannot fail.
    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a string grows");
    }
}

/// Tells whether a piece consists of lookarounds or of nothing at all, in groups or not.
fn is_bare(node: &Node) -> bool {
    match node {
        Node::Look { .. } => true,
        Node::Repeat { max: Some(0), body, .. } => !captures(body),
        Node::Flagged { body, .. } | Node::Atomic(body) => is_bare(body),
        Node::Sequence(items) => items.iter().all(is_bare),
        _ => false,
    }
}

/// Tells whether the pattern contains a capturing group.
fn captures(node: &Node) -> bool {
    match node {
        Node::Capture { .. } => true,
        Node::Repeat { body, .. } | Node::Flagged { body, .. } | Node::Atomic(body) | Node::Look { body, .. } => {
            captures(body)
        }
        Node::Conditional { yes, no, .. } => captures(yes) || no.as_ref().is_some_and(|no| captures(no)),
        Node::Sequence(items) | Node::Branches(items) => items.iter().any(captures),
        _ => false,
    }
}

fn holds(item: &SetItem, code: Code) -> bool {
    match *item {
        SetItem::Char(c) => c == code,
        SetItem::Range(low, high) => (low..=high).contains(&code),
        SetItem::Category(_) => false,
    }
}
