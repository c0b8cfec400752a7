//! The syntax tree of a Python pattern, and the widths by which lookbehinds are checked.

/// A code point. It is not a `char`, because a Python pattern may name a surrogate, which no text contains.
pub(super) type Code = u32;

/// One piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Code),
    /// `.`
    Any,
    Set {
        negated: bool,
        items: Vec<SetItem>,
    },
    At(At),
    Repeat {
        min: u32,
        max: Option<u32>,
        mode: Mode,
        body: Box<Node>,
    },
    /// A capturing group with its number.
    Capture {
        index: usize,
        body: Box<Node>,
    },
    /// A group that changes flags.
    Flagged {
        add: Flags,
        remove: Flags,
        body: Box<Node>,
    },
    Atomic(Box<Node>),
    Look {
        behind: bool,
        negated: bool,
        body: Box<Node>,
    },
    Reference(usize),
    Conditional {
        group: usize,
        yes: Box<Node>,
        no: Option<Box<Node>>,
    },
    Sequence(Vec<Node>),
    Branches(Vec<Node>),
}

/// A member of `[…]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SetItem {
    Char(Code),
    Range(Code, Code),
    Category(Category),
}

/// `\d`, `\s`, `\w` and their negations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Category {
    pub(super) kind: CategoryKind,
    pub(super) negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CategoryKind {
    Digit,
    Space,
    Word,
}

/// A position in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    /// `^`
    Beginning,
    /// `$`
    End,
    /// `\A`
    TextBeginning,
    /// `\Z`
    TextEnd,
    /// `\b`
    Boundary,
    /// `\B`
    NoBoundary,
}

/// The order in which a repetition is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

/// The flags that change what a pattern matches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent, as in Python")]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multiline: bool,
    pub(super) dot_all: bool,
    pub(super) verbose: bool,
    pub(super) ascii: bool,
    pub(super) unicode: bool,
}

impl Flags {
    /// Returns the flags inside a group that adds and removes some.
    pub(super) fn changed(self, add: Self, remove: Self) -> Self {
        Self {
            ignore_case: (self.ignore_case || add.ignore_case) && !remove.ignore_case,
            multiline: (self.multiline || add.multiline) && !remove.multiline,
            dot_all: (self.dot_all || add.dot_all) && !remove.dot_all,
            verbose: (self.verbose || add.verbose) && !remove.verbose,
            ascii: (self.ascii && !add.unicode) || add.ascii,
            unicode: self.unicode,
        }
    }

    /// Tells whether both have a flag in common.
    pub(super) fn overlap(self, other: Self) -> bool {
        (self.ignore_case && other.ignore_case)
            || (self.multiline && other.multiline)
            || (self.dot_all && other.dot_all)
            || (self.verbose && other.verbose)
    }
}

/// The fewest and the most characters that a piece can match. `u64::MAX` means that there is no limit.
pub(super) type Width = (u64, u64);

impl Node {
    /// Returns the width. `groups` has the widths of the groups that are complete.
    pub(super) fn width(&self, groups: &[Option<Width>]) -> Width {
        match self {
            Self::Literal(_) | Self::Any | Self::Set { .. } => (1, 1),
            Self::At(_) | Self::Look { .. } => (0, 0),
            Self::Capture { body, .. } | Self::Flagged { body, .. } | Self::Atomic(body) => body.width(groups),
            Self::Reference(group) => groups.get(*group).copied().flatten().unwrap_or((0, u64::MAX)),
            Self::Repeat { min, max, body, .. } => {
                let (low, high) = body.width(groups);
                let high = match max {
                    Some(max) => high.saturating_mul(u64::from(*max)),
                    None if high == 0 => 0,
                    None => u64::MAX,
                };
                (low.saturating_mul(u64::from(*min)), high)
            }
            Self::Sequence(items) => items.iter().fold((0, 0), |(low, high), item| {
                let (l, h) = item.width(groups);
                (low.saturating_add(l), high.saturating_add(h))
            }),
            Self::Branches(items) => span(items.iter().map(|item| item.width(groups))),
            Self::Conditional { yes, no, .. } => {
                let no = no.as_ref().map_or((0, 0), |no| no.width(groups));
                span([yes.width(groups), no].into_iter())
            }
        }
    }
}

fn span(widths: impl Iterator<Item = Width>) -> Width {
    widths.fold((u64::MAX, 0), |(low, high), (l, h)| (low.min(l), high.max(h)))
}
