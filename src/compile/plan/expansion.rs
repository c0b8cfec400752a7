//! Expansion of variables and dimensions in the texts of a plan: `$NAME`, `${NAME}`, `$@dimension` and `$@{dimension}`.
//!
//! It is done once, as in tmt: what is put in is not expanded again, and what has no value stays as it is written. Nothing escapes a
//! `$`. Variables are those of the plan and of the command line, never those of the caller.
//!
//! Invariant: the value of a secret variable is put into the values of other variables only, which are secrets from then on. In any
//! other text the name stays; a script finds the variable in its environment all the same.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::compile::plan::context::Dimensions;
use crate::compile::plan::environment::{Variable, Variables};

/// How many bytes all texts of a plan may become longer by.
const LARGEST: usize = 16 << 20;

/// What the texts of one plan are expanded with.
#[derive(Debug)]
pub(crate) struct Expansion<'p> {
    variables: &'p Variables,
    secrets: &'p BTreeSet<String>,
    context: &'p Dimensions,
    /// How many bytes may still be put in; `None` when they did not suffice.
    left: Cell<Option<usize>>,
}

impl<'p> Expansion<'p> {
    pub(crate) fn new(variables: &'p Variables, secrets: &'p BTreeSet<String>, context: &'p Dimensions) -> Self {
        Self {
            variables,
            secrets,
            context,
            left: Cell::new(Some(LARGEST)),
        }
    }

    /// Returns a text with the values in it, or `None` if there are none. Secrets stay out.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        self.expanded(text, &|name| self.variable(name).filter(|_| !self.is_secret(name)))
    }

    /// Returns a variable with its value expanded. If that has a secret in it, the variable is a secret.
    pub(crate) fn of_variable(&self, variable: &Variable) -> Variable {
        let has_secret = Cell::new(variable.secret);
        let look = |name: &str| {
            let value = self.variable(name)?;
            has_secret.set(has_secret.get() || self.is_secret(name));
            Some(value)
        };
        let expanded = self.expanded(&variable.value, &look);
        Variable {
            value: expanded.unwrap_or_else(|| variable.value.clone()),
            origin: variable.origin.clone(),
            secret: has_secret.get(),
        }
    }

    /// Returns whether the texts became longer than they may, so that some were left as they are.
    pub(crate) fn is_too_long(&self) -> bool {
        self.left.get().is_none()
    }

    fn variable(&self, name: &str) -> Option<&'p str> {
        self.variables.get(name).map(|variable| variable.value.as_str())
    }

    fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(name)
    }

    fn expanded(&self, text: &str, variable: &dyn Fn(&str) -> Option<&'p str>) -> Option<String> {
        let (mut done, mut rest, mut any) = (String::new(), text, false);
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            done.push_str(before);
            let Some((name, length)) = reference(&after[1..]) else {
                done.push('$');
                rest = &after[1..];
                continue;
            };
            let (written, behind) = after.split_at(1 + length);
            match name {
                Name::Variable(name) => match variable(name) {
                    Some(value) => any |= self.put(&mut done, value),
                    None => done.push_str(written),
                },
                Name::Dimension(name) => match self.context.get(name) {
                    Some(values) => any |= self.put(&mut done, &values.join(",")),
                    None => done.push_str(written),
                },
            }
            rest = behind;
        }
        done.push_str(rest);
        any.then_some(done)
    }

    /// Appends a value if it is not too long, and returns whether it did.
    fn put(&self, text: &mut String, value: &str) -> bool {
        let left = self.left.get().and_then(|left| left.checked_sub(value.len()));
        self.left.set(left);
        if left.is_some() {
            text.push_str(value);
        }
        left.is_some()
    }
}

#[derive(Clone, Copy, Debug)]
enum Name<'t> {
    Variable(&'t str),
    Dimension(&'t str),
}

/// Returns the name that follows a `$`, and how many bytes it takes with its `@` and braces.
fn reference(text: &str) -> Option<(Name<'_>, usize)> {
    let (bare, is_dimension) = match text.strip_prefix('@') {
        Some(bare) => (bare, true),
        None => (text, false),
    };
    let make = |name| {
        if is_dimension {
            Name::Dimension(name)
        } else {
            Name::Variable(name)
        }
    };
    let sigil = text.len() - bare.len();
    if let Some(braced) = bare.strip_prefix('{') {
        let end = braced.find('}')?;
        return Some((make(&braced[..end]), sigil + end + 2));
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end = bare.bytes().take_while(|byte| is_word(*byte)).count();
    (end > 0).then(|| (make(&bare[..end]), sigil + end))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Expansion, LARGEST};
    use crate::compile::plan::context::Dimensions;
    use crate::compile::plan::environment::{Variable, Variables, of_command_line};

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        of_command_line(&pairs)
    }

    fn context() -> Dimensions {
        let dimension = |(name, values): (&str, &[&str])| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            (name.to_owned(), values)
        };
        [
            ("foo", &["b1", "b2"][..]),
            ("my-dim", &["q"]),
            ("distro", &["fedora-41"]),
        ]
        .map(dimension)
        .into()
    }

    /// Each with what tmt 1.78 makes of it.
    #[test]
    fn texts_are_expanded_as_in_tmt() {
        let variables = variables(&[("C", "c"), ("Z", ""), ("B", "$C"), ("P", "$@foo")]);
        let (secrets, context) = (BTreeSet::new(), context());
        let expansion = Expansion::new(&variables, &secrets, &context);
        for (text, expected) in [
            ("$C $S $$C \\$C $ ${ ${} ${C", "c $S $c \\c $ ${ ${} ${C"),
            ("$@{foo} $@foo-x", "b1,b2 b1,b2-x"),
            ("$@{my-dim} ; $@my-dim ;", "q ; $@my-dim ;"),
            ("$@nope $@ $@{} $@{foo bar", "$@nope $@ $@{} $@{foo bar"),
            (
                "${NOPE} $Z. $TMT_TREE $@{foo}$C $HOME",
                "${NOPE} . $TMT_TREE b1,b2c $HOME",
            ),
            (
                "ä$Cä $C_ $C.x ${C }x ${ C} ${C-1} ${C:-1}",
                "äcä $C_ c.x ${C }x ${ C} ${C-1} ${C:-1}",
            ),
            ("$1 $@ $* $# $? $!", "$1 $@ $* $# $? $!"),
            ("a $@distro b $ c $@nope d $C", "a fedora-41 b $ c $@nope d c"),
            ("$@{nope}x $@@distro @$@distro", "$@{nope}x $@@distro @fedora-41"),
            ("$B $P", "$C $@foo"),
        ] {
            assert_eq!(expansion.text(text).as_deref().unwrap_or(text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_is_put_into_variables_only_and_makes_them_secrets() {
        let variables = variables(&[("TOKEN", "hush"), ("A", "a")]);
        let (secrets, context) = (BTreeSet::from(["TOKEN".to_owned()]), context());
        let expansion = Expansion::new(&variables, &secrets, &context);
        assert_eq!(
            expansion.text("$A $TOKEN ${TOKEN}").as_deref(),
            Some("a $TOKEN ${TOKEN}")
        );
        assert_eq!(expansion.text("$TOKEN"), None);
        let of = |value: &str| {
            let variable = expansion.of_variable(&Variable::new(value.to_owned(), None));
            (variable.value, variable.secret)
        };
        assert_eq!(of("Bearer ${TOKEN}"), ("Bearer hush".to_owned(), true));
        assert_eq!(of("$A$@foo"), ("ab1,b2".to_owned(), false));
    }

    #[test]
    fn what_is_put_in_has_a_bound() {
        let variables = variables(&[("A", &"x".repeat(LARGEST / 4))]);
        let (secrets, context) = (BTreeSet::new(), context());
        let expansion = Expansion::new(&variables, &secrets, &context);
        assert_eq!(expansion.text("$A$A$A$A").map(|text| text.len()), Some(LARGEST));
        assert!(!expansion.is_too_long());
        assert_eq!(expansion.text("$A"), None);
        assert!(expansion.is_too_long());
    }
}
