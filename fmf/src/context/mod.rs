//! The context of adjust rules: dimensions with values, and the decision of rules against them.
//!
//! This module has the meaning of fmf's `Context`, comparison by comparison. It does not know trees, nor what a rule adjusts.

mod rule;
mod version;

pub use rule::{Doubt, Rule};
use version::DimensionValue;

use super::Value;
use super::regex::PatternError;

/// The reason why a rule cannot be decided at all. (A rule that depends on an unknown dimension has an outcome and is not an
/// error.)
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// One side of `and` or `or` is empty.
    #[error("empty `{operator}` expression in rule `{rule}`")]
    Empty {
        /// The rule.
        rule: String,
        /// `and` or `or`.
        operator: &'static str,
    },
    /// A part of the rule is not an expression.
    #[error("cannot parse expression `{expression}` of rule `{rule}`")]
    Syntax {
        /// The rule.
        rule: String,
        /// The part.
        expression: String,
    },
    /// The rule is neither text nor a boolean.
    #[error("rule `{rule}` is of type {kind}, not text or a boolean")]
    NotText {
        /// The rule, as Python's `repr()` shows it.
        rule: String,
        /// Its type in Python.
        kind: &'static str,
    },
    /// The operand of `~` or `!~` is not a usable pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Dimensions and their values, in the order in which they were set.
#[derive(Clone, Debug, Default)]
pub struct Context {
    dimensions: Vec<(String, Vec<DimensionValue>)>,
}

impl Context {
    /// Returns a context without dimensions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a dimension's values in place of earlier ones. Values that differ only in separators are the same.
    pub fn set<S: AsRef<str>>(&mut self, dimension: &str, values: &[S]) {
        let mut kept: Vec<DimensionValue> = Vec::with_capacity(values.len());
        for value in values {
            let value = DimensionValue::new(value.as_ref());
            if !kept.iter().any(|other| other.same(&value)) {
                kept.push(value);
            }
        }
        match self.dimensions.iter_mut().find(|(name, _)| name == dimension) {
            Some((_, values)) => *values = kept,
            None => self.dimensions.push((dimension.to_owned(), kept)),
        }
    }

    /// Returns whether no dimension is set.
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    /// Iterates over the dimensions and their values as they were given.
    pub fn dimensions(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.dimensions
            .iter()
            .map(|(name, values)| (name.as_str(), values.iter().map(|value| value.raw.as_str())))
    }

    /// Decides a rule as it is in the metadata. `None` stands for fmf's `CannotDecide`.
    pub fn matches(&self, rule: &Value) -> Result<Option<bool>, RuleError> {
        Rule::from_value(rule)?.decide(self)
    }

    fn get(&self, dimension: &str) -> Option<&[DimensionValue]> {
        self.dimensions
            .iter()
            .find(|(name, _)| name == dimension)
            .map(|(_, values)| values.as_slice())
    }
}

impl Rule {
    /// Parses the value of a `when` key. A boolean is its own outcome, a text is a rule, and anything else is an error.
    pub fn from_value(rule: &Value) -> Result<Self, RuleError> {
        match rule {
            Value::Bool(value) => Ok(Self::constant(*value)),
            Value::Str(text) => Self::parse(text),
            other => Err(RuleError::NotText {
                rule: other.to_python_repr(),
                kind: other.type_name(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::new();
        context.set("distro", &["centos-8.4"]);
        context.set("component", &["bash", "dash-0.5"]);
        context.set("bare", &["fedora"]);
        context.set("empty", &[] as &[&str]);
        context
    }

    fn decide(rule: &str) -> Option<bool> {
        context().matches(&Value::Str(rule.into())).expect(rule)
    }

    #[test]
    fn the_right_side_sets_the_precision() {
        assert_eq!(decide("distro == centos"), Some(true));
        assert_eq!(decide("distro == centos-8"), Some(true));
        assert_eq!(decide("distro = centos-8.4.1"), Some(false));
        assert_eq!(decide("distro < centos-8.4.1"), Some(true));
        assert_eq!(decide("distro < fedora-40"), None);
        assert_eq!(decide("bare < fedora-40"), None);
    }

    #[test]
    fn minor_versions_compare_within_a_major_only() {
        assert_eq!(decide("distro ~< centos-9"), Some(true));
        assert_eq!(decide("distro ~< centos-9.1"), None);
        assert_eq!(decide("distro ~= centos-8.4"), Some(true));
        assert_eq!(decide("distro ~!= centos-9.4"), Some(true));
        assert_eq!(decide("bare ~= fedora-40"), None);
    }

    #[test]
    fn what_cannot_be_decided_gives_way_to_false_in_and_and_to_true_in_or() {
        assert_eq!(decide("unknown == x and distro == fedora"), Some(false));
        assert_eq!(decide("unknown == x and distro == centos"), None);
        assert_eq!(decide("unknown == x or distro == centos"), Some(true));
        assert_eq!(decide("distro == fedora or unknown == x or distro == rhel"), None);
        assert_eq!(decide("empty == x"), None);
        assert_eq!(decide("empty is defined and unknown is not defined"), Some(true));
    }

    #[test]
    fn operators_of_patterns_search() {
        assert_eq!(decide("component ~ ^d.sh"), Some(true));
        assert_eq!(decide("component !~ sh, x"), Some(true));
        assert!(matches!(
            context().matches(&Value::Str("bare ~ (".into())),
            Err(RuleError::Pattern(_))
        ));
        assert_eq!(decide("unknown ~ ("), None);
    }

    #[test]
    fn only_text_and_booleans_are_rules() {
        assert_eq!(context().matches(&Value::Bool(true)), Ok(Some(true)));
        assert_eq!(context().matches(&Value::Bool(false)), Ok(Some(false)));
        for value in [Value::Null, Value::Int(1), Value::List(vec![].into())] {
            assert!(matches!(context().matches(&value), Err(RuleError::NotText { .. })));
        }
    }

    #[test]
    fn malformed_rules_are_errors() {
        for rule in [
            "",
            " ",
            "a == b and",
            "or a == b",
            "a ==",
            "== b",
            "a b",
            "a is",
            "a ~==",
        ] {
            assert!(Rule::parse(rule).is_err(), "{rule}");
        }
    }

    #[test]
    fn values_that_differ_in_separators_are_one() {
        let mut context = Context::new();
        context.set("d", &["a-1", "a.1", "a"]);
        let all: Vec<Vec<&str>> = context.dimensions().map(|(_, values)| values.collect()).collect();
        assert_eq!(all, [["a-1", "a"]]);
    }
}
