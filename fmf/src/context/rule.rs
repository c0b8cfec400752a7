//! Adjust rules: their grammar, read exactly as fmf's regular expressions read it, and their three-valued outcome.

mod doubts;

use std::sync::Arc;

pub use doubts::Doubt;

use super::version::{Comparison, DimensionValue};
use super::{Context, RuleError};
use crate::python::chars::{is_space, is_word, strip};

/// A parsed rule, as alternatives of conjunctions.
#[derive(Clone, Debug)]
pub struct Rule {
    groups: Arc<Vec<Vec<Expression>>>,
}

#[derive(Debug)]
enum Expression {
    Constant(bool),
    Defined {
        dimension: String,
        expected: bool,
    },
    Compare {
        dimension: String,
        test: Test,
        values: Vec<DimensionValue>,
    },
}

/// What an operator tests about a dimension's value and a value of the rule.
#[derive(Clone, Copy, Debug)]
enum Test {
    Less(Comparison),
    LessOrEqual(Comparison),
    Equal(Comparison),
    NotEqual(Comparison),
    GreaterOrEqual(Comparison),
    Greater(Comparison),
    Match,
    NoMatch,
}

const MAJOR: Comparison = Comparison {
    minor: false,
    ordered: true,
};
const MINOR: Comparison = Comparison {
    minor: true,
    ordered: true,
};
const MAJOR_EQUAL: Comparison = Comparison {
    minor: false,
    ordered: false,
};
const MINOR_EQUAL: Comparison = Comparison {
    minor: true,
    ordered: false,
};

/// The operators in the order in which fmf tries them.
const OPERATORS: [(&str, Test); 14] = [
    ("<", Test::Less(MAJOR)),
    ("~<", Test::Less(MINOR)),
    ("<=", Test::LessOrEqual(MAJOR)),
    ("~<=", Test::LessOrEqual(MINOR)),
    ("==", Test::Equal(MAJOR_EQUAL)),
    ("~=", Test::Equal(MINOR_EQUAL)),
    ("!=", Test::NotEqual(MAJOR_EQUAL)),
    ("~!=", Test::NotEqual(MINOR_EQUAL)),
    (">=", Test::GreaterOrEqual(MAJOR)),
    ("~>=", Test::GreaterOrEqual(MINOR)),
    (">", Test::Greater(MAJOR)),
    ("~>", Test::Greater(MINOR)),
    ("~", Test::Match),
    ("!~", Test::NoMatch),
];

/// The texts that follow `is`, and whether the dimension must be defined then.
const DEFINED: [(&str, bool); 2] = [(" defined", true), (" not defined", false)];

impl Rule {
    /// Returns the rule that a boolean stands for.
    pub fn constant(value: bool) -> Self {
        Self {
            groups: Arc::new(vec![vec![Expression::Constant(value)]]),
        }
    }

    /// Parses a rule such as `distro == fedora and arch != x86_64 or trigger is defined`.
    pub fn parse(rule: &str) -> Result<Self, RuleError> {
        let spelled = double_equals(rule);
        let mut groups = Vec::new();
        for alternative in split_at_word(&spelled, "or") {
            if alternative.is_empty() {
                return Err(RuleError::Empty {
                    rule: rule.to_owned(),
                    operator: "or",
                });
            }
            let mut group = Vec::new();
            for part in split_at_word(alternative, "and") {
                let part = strip(part);
                if part.is_empty() {
                    return Err(RuleError::Empty {
                        rule: rule.to_owned(),
                        operator: "and",
                    });
                }
                group.push(Expression::parse(part).ok_or_else(|| RuleError::Syntax {
                    rule: rule.to_owned(),
                    expression: part.to_owned(),
                })?);
            }
            groups.push(group);
        }
        Ok(Self {
            groups: Arc::new(groups),
        })
    }

    /// Decides the rule. `None` stands for fmf's `CannotDecide`.
    ///
    /// `and` is false as soon as one part is false, and `or` is true as soon as one part is true. Otherwise a part that cannot be
    /// decided wins.
    pub fn decide(&self, context: &Context) -> Result<Option<bool>, RuleError> {
        let mut outcome = Some(false);
        for group in self.groups.iter() {
            match decide_group(group, context)? {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => outcome = None,
            }
        }
        Ok(outcome)
    }
}

fn decide_group(group: &[Expression], context: &Context) -> Result<Option<bool>, RuleError> {
    let mut outcome = Some(true);
    for expression in group {
        match expression.decide(context)? {
            Some(false) => return Ok(Some(false)),
            Some(true) => {}
            None => outcome = None,
        }
    }
    Ok(outcome)
}

impl Expression {
    /// Parses a stripped part. Text after a complete expression is ignored, as in fmf.
    fn parse(part: &str) -> Option<Self> {
        if part.starts_with("true") || part.starts_with("false") {
            return Some(Self::Constant(part.starts_with("true")));
        }
        let end = part.find(|c| !is_word(c) && c != '-').unwrap_or(part.len());
        let (dimension, rest) = part.split_at(end);
        if dimension.is_empty() {
            return None;
        }
        let after = rest.trim_start_matches(is_space);
        for (operator, test) in OPERATORS {
            if let Some(values) = after.strip_prefix(operator).and_then(raw_values) {
                let values = values
                    .split(',')
                    .map(|value| DimensionValue::new(strip(value)))
                    .collect();
                return Some(Self::Compare {
                    dimension: dimension.to_owned(),
                    test,
                    values,
                });
            }
        }
        let is = |text: &str| {
            DEFINED
                .iter()
                .find(|(tail, _)| text.starts_with(tail))
                .map(|(_, expected)| *expected)
        };
        // For fmf, `distrois defined` is not a mistake.
        let (dimension, expected) = match after.strip_prefix("is").and_then(is) {
            Some(expected) => (dimension, expected),
            None => (dimension.strip_suffix("is").filter(|name| !name.is_empty())?, is(rest)?),
        };
        Some(Self::Defined {
            dimension: dimension.to_owned(),
            expected,
        })
    }

    fn decide(&self, context: &Context) -> Result<Option<bool>, RuleError> {
        let (dimension, test, values) = match self {
            Self::Constant(value) => return Ok(Some(*value)),
            Self::Defined { dimension, expected } => return Ok(Some(context.get(dimension).is_some() == *expected)),
            Self::Compare {
                dimension,
                test,
                values,
            } => (dimension, test, values),
        };
        let Some(actual) = context.get(dimension) else {
            return Ok(None);
        };
        let mut outcome = None;
        for actual in actual {
            for wanted in values {
                match test.holds(actual, wanted)? {
                    Some(true) => return Ok(Some(true)),
                    Some(false) => outcome = Some(false),
                    None => {}
                }
            }
        }
        Ok(outcome)
    }
}

impl Test {
    fn holds(self, actual: &DimensionValue, wanted: &DimensionValue) -> Result<Option<bool>, RuleError> {
        let compare = |how| actual.compare(wanted, how);
        Ok(match self {
            Self::Less(how) => compare(how).map(std::cmp::Ordering::is_lt),
            Self::LessOrEqual(how) => compare(how).map(std::cmp::Ordering::is_le),
            Self::Equal(how) => compare(how).map(std::cmp::Ordering::is_eq),
            Self::NotEqual(how) => compare(how).map(std::cmp::Ordering::is_ne),
            Self::GreaterOrEqual(how) => compare(how).map(std::cmp::Ordering::is_ge),
            Self::Greater(how) => compare(how).map(std::cmp::Ordering::is_gt),
            Self::Match => Some(wanted.raw.get()?.search(actual.raw.as_str())?),
            Self::NoMatch => Some(!wanted.raw.get()?.search(actual.raw.as_str())?),
        })
    }
}

/// Returns the text of the values after an operator. It does not begin with `=`, and it ends with the line.
///
/// If only space is between the operator and a `=`, the last space is the beginning of the text, as Python's backtracking makes
/// it.
fn raw_values(rest: &str) -> Option<&str> {
    let trimmed = rest.trim_start_matches(is_space);
    let values = if trimmed.is_empty() || trimmed.starts_with('=') {
        let (space, _) = rest[..rest.len() - trimmed.len()].char_indices().next_back()?;
        &rest[space..]
    } else {
        trimmed
    };
    let first = values.chars().next().map_or(0, char::len_utf8);
    let end = values[first..].find('\n').map_or(values.len(), |end| first + end);
    Some(&values[..end])
}

/// Writes `==` for each `=` that does not belong to an operator.
fn double_equals(rule: &str) -> String {
    let mut spelled = String::with_capacity(rule.len() + 4);
    let mut previous = None;
    let mut chars = rule.chars().peekable();
    while let Some(c) = chars.next() {
        spelled.push(c);
        if c == '=' && chars.peek() != Some(&'=') && !matches!(previous, Some('=' | '!' | '~' | '<' | '>')) {
            spelled.push(c);
        }
        previous = Some(c);
    }
    spelled
}

/// Splits the text at each place where a word occurs between word boundaries.
fn split_at_word<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text[from..].find(word) {
        let (begin, end) = (from + found, from + found + word.len());
        let inside =
            text[..begin].chars().next_back().is_some_and(is_word) || text[end..].chars().next().is_some_and(is_word);
        if !inside {
            parts.push(&text[start..begin]);
            start = end;
        }
        from = end;
    }
    parts.push(&text[start..]);
    parts
}
