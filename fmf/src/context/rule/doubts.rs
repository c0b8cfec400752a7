//! Doubts about a rule that need no context: patterns that do not compile, and parts that are true in no context.
//!
//! Only certain findings are reported: a doubt holds for every possible context.

use super::{Expression, Rule, Test};
use crate::context::version::DimensionValue;
use crate::regex::PatternError;

/// The reason why a rule does not do what its author meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// The operand of `~` or `!~` is not a usable pattern. fmf reports that only if the dimension is defined.
    Pattern(PatternError),
    /// A name without a version is not less or greater than anything.
    Versionless {
        /// The dimension.
        dimension: String,
        /// The value as it was written.
        value: String,
    },
    /// A value contains what looks like an operator, but `&&` and `||` are not operators.
    Operator {
        /// The value as it was written.
        value: String,
    },
    /// A dimension must be defined and not defined at the same time.
    Contradiction {
        /// The dimension.
        dimension: String,
    },
}

impl Rule {
    /// Iterates over the dimensions in the rule, in its order. A dimension may occur more than once.
    pub fn dimensions(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().filter_map(Expression::dimension)
    }

    /// Returns what is certainly wrong with the rule, in its order.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for group in self.groups.iter() {
            for expression in group {
                if let Expression::Compare {
                    dimension,
                    test,
                    values,
                } = expression
                {
                    doubts.extend(values.iter().filter_map(|value| doubt(dimension, *test, value)));
                }
            }
            doubts.extend(contradiction(group));
        }
        doubts
    }
}

impl Expression {
    fn dimension(&self) -> Option<&str> {
        match self {
            Self::Constant(_) => None,
            Self::Defined { dimension, .. } | Self::Compare { dimension, .. } => Some(dimension),
        }
    }
}

fn doubt(dimension: &str, test: Test, value: &DimensionValue) -> Option<Doubt> {
    let text = value.raw.as_str();
    match test {
        Test::Match | Test::NoMatch => {
            let usable = value.raw.get().and_then(|pattern| pattern.search(""));
            usable.err().map(Doubt::Pattern)
        }
        _ if ["&&", "||", "==", "!="].iter().any(|operator| text.contains(operator)) => {
            Some(Doubt::Operator { value: text.to_owned() })
        }
        Test::Less(_) | Test::Greater(_) if !value.has_version() => Some(Doubt::Versionless {
            dimension: dimension.to_owned(),
            value: text.to_owned(),
        }),
        _ => None,
    }
}

/// Finds a dimension that must be undefined but is also compared with something.
fn contradiction(group: &[Expression]) -> Option<Doubt> {
    let undefined = group.iter().find_map(|expression| match expression {
        Expression::Defined {
            dimension,
            expected: false,
        } => Some(dimension),
        _ => None,
    })?;
    let needed = group.iter().any(|expression| match expression {
        Expression::Compare { dimension, .. }
        | Expression::Defined {
            dimension,
            expected: true,
        } => dimension == undefined,
        _ => false,
    });
    needed.then(|| Doubt::Contradiction {
        dimension: undefined.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Doubt, Rule};

    fn doubts(rule: &str) -> Vec<Doubt> {
        Rule::parse(rule).expect(rule).doubts()
    }

    #[test]
    fn what_holds_in_no_context_is_told() {
        assert!(matches!(doubts("distro ~ (")[..], [Doubt::Pattern(_)]));
        assert!(matches!(doubts("distro < fedora")[..], [Doubt::Versionless { .. }]));
        assert!(matches!(doubts("a == b && c == d")[..], [Doubt::Operator { .. }]));
        assert!(matches!(
            doubts("a is not defined and a == b")[..],
            [Doubt::Contradiction { .. }]
        ));
    }

    #[test]
    fn what_may_hold_is_left_alone() {
        for rule in [
            "distro ~ ^fed",
            "distro < fedora-40",
            "distro <= fedora",
            "a == b or a is not defined",
            "a is defined and a != b",
            "component == a-b, c d",
            "a ~ b||c",
            "true",
        ] {
            assert_eq!(doubts(rule), [], "{rule}");
        }
    }

    #[test]
    fn dimensions_come_in_their_order() {
        let rule = Rule::parse("b == 1 and a is defined or b == 2 or true").expect("a rule");
        assert_eq!(rule.dimensions().collect::<Vec<_>>(), ["b", "a", "b"]);
    }
}
