//! Filters: fmf's `filter()`, which is a disjunctive normal form over a node's data and name.
//!
//! This file has the syntax (`|`, `&`, `-`, `,`, escapes) and the order of evaluation, which matters because the first error that
//! is found is the result. It does not know trees.

use std::collections::HashMap;

use super::python::chars::is_space;
use super::regex::{LazyPattern, PatternError};
use super::{Map, Value};

/// The reason why a filter gives no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// The data has no key that the filter asks for. Selection treats that as a filter that does not match.
    #[error("invalid filter `{key}`: no such key in the data")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value of the filter is not a usable pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// Whether values and names are patterns. Otherwise they are compared for equality.
    pub regexp: bool,
    /// Whether case matters.
    pub sensitive: bool,
}

impl Default for Mode {
    fn default() -> Self {
        Self {
            regexp: true,
            sensitive: true,
        }
    }
}

/// A parsed filter.
#[derive(Clone, Debug)]
pub struct Filter {
    clauses: Vec<Clause>,
    mode: Mode,
}

/// Literals that must all be true.
#[derive(Clone, Debug, Default)]
struct Clause {
    names: Vec<LazyPattern>,
    /// For each key, the values that must each match: alternatives, separated by commas.
    keys: Vec<(String, Vec<Vec<Atom>>)>,
}

#[derive(Clone, Debug)]
struct Atom {
    negative: bool,
    /// The value as it was written, which may be a pattern.
    value: LazyPattern,
}

impl Filter {
    /// Parses a filter as selection uses it: values are patterns, and case matters. Every text is a filter.
    pub fn parse(filter: &str) -> Self {
        Self::with_mode(filter, Mode::default())
    }

    /// Parses a filter that compares in another way.
    pub fn with_mode(filter: &str, mode: Mode) -> Self {
        if filter.is_empty() {
            return Self {
                clauses: vec![Clause::default()],
                mode,
            };
        }
        let lowered = if mode.sensitive {
            None
        } else {
            Some(filter.to_lowercase())
        };
        let filter = lowered.as_deref().unwrap_or(filter);
        let clauses = split_unescaped(filter, '|')
            .into_iter()
            .map(|clause| Clause::parse(&clause, mode))
            .collect();
        Self { clauses, mode }
    }

    /// Returns whether a node matches.
    pub fn matches(&self, data: &Map, name: &str) -> Result<bool, FilterError> {
        self.any_clause(data, Some(name))
    }

    /// Returns whether data without a name match. A clause that searches for a name does not, as in Python without one.
    pub fn matches_data(&self, data: &Map) -> Result<bool, FilterError> {
        self.any_clause(data, None)
    }

    fn any_clause(&self, data: &Map, name: Option<&str>) -> Result<bool, FilterError> {
        let mut texts = Texts {
            data,
            sensitive: self.mode.sensitive,
            known: HashMap::new(),
        };
        let mut matched = false;
        // All clauses are evaluated, even after one that is true, because a missing key in any of them is an error.
        for clause in &self.clauses {
            matched |= self.clause_matches(clause, &mut texts, name)?;
        }
        Ok(matched)
    }

    /// Reports the first pattern that cannot be used, even one that would not be evaluated for any data.
    pub fn check(&self) -> Result<(), PatternError> {
        let atoms = |clause: &Clause| {
            let values = clause.keys.iter().flat_map(|(_, values)| values.iter().flatten());
            let values = values.map(|atom| atom.value.clone());
            clause.names.iter().cloned().chain(values).collect::<Vec<_>>()
        };
        let mut patterns = self.clauses.iter().flat_map(atoms).filter(|_| self.mode.regexp);
        patterns.try_for_each(|pattern| pattern.get()?.search("").map(|_| ()))
    }

    /// Iterates over the keys that the filter asks for.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let clauses = self.clauses.iter();
        clauses.flat_map(|clause| clause.keys.iter().map(|(key, _)| key.as_str()))
    }

    fn clause_matches(&self, clause: &Clause, texts: &mut Texts<'_>, name: Option<&str>) -> Result<bool, FilterError> {
        for wanted in &clause.names {
            let Some(name) = name else { return Ok(false) };
            let found = if self.mode.regexp {
                wanted.get()?.search(name)?
            } else {
                wanted.as_str() == name
            };
            if !found {
                return Ok(false);
            }
        }
        let mut matched = true;
        for (key, values) in &clause.keys {
            let Some(actual) = texts.get(key) else {
                return Err(FilterError::Missing { key: key.clone() });
            };
            for value in values {
                matched &= self.any_atom(value, actual)?;
            }
        }
        Ok(matched)
    }

    fn any_atom(&self, atoms: &[Atom], actual: &[String]) -> Result<bool, FilterError> {
        for atom in atoms {
            let mut found = false;
            for text in actual {
                found = if self.mode.regexp {
                    atom.value.get()?.match_start(text)?
                } else {
                    atom.value.as_str() == text
                };
                if found {
                    break;
                }
            }
            if found != atom.negative {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns whether a node matches a filter.
pub fn filter(expression: &str, data: &Map, name: &str) -> Result<bool, FilterError> {
    Filter::parse(expression).matches(data, name)
}

impl Clause {
    fn parse(clause: &str, mode: Mode) -> Self {
        let mut parsed = Self::default();
        for literal in split_unescaped(clause, '&') {
            let Some((key, value)) = key_and_value(&literal) else {
                parsed.names.push(LazyPattern::new(literal));
                continue;
            };
            let atoms = split_trimmed(value, |_, c| c == ',')
                .into_iter()
                .map(|atom| Atom::new(atom, mode))
                .collect();
            match parsed.keys.iter_mut().find(|(known, _)| known == key) {
                Some((_, values)) => values.push(atoms),
                None => parsed.keys.push((key.to_owned(), vec![atoms])),
            }
        }
        parsed
    }
}

impl Atom {
    fn new(text: &str, mode: Mode) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let value = if mode.regexp {
            format!("^{text}$")
        } else {
            text.to_owned()
        };
        let value = LazyPattern::new(value);
        Self { negative, value }
    }
}

/// The data as lists of texts, which are made when they are needed.
struct Texts<'d> {
    data: &'d Map,
    sensitive: bool,
    known: HashMap<String, Option<Vec<String>>>,
}

impl Texts<'_> {
    fn get(&mut self, key: &str) -> Option<&[String]> {
        if !self.known.contains_key(key) {
            let value = self.find(key).map(texts_of);
            let value = match value {
                Some(texts) if !self.sensitive => Some(texts.iter().map(|text| text.to_lowercase()).collect()),
                value => value,
            };
            self.known.insert(key.to_owned(), value);
        }
        self.known.get(key)?.as_deref()
    }

    /// If case does not matter and several keys become the same, the last one is used.
    fn find(&self, key: &str) -> Option<&Value> {
        if self.sensitive {
            return self.data.get(key);
        }
        let lowered = |entry: &Value| entry.as_str().is_some_and(|entry| entry.to_lowercase() == key);
        self.data
            .iter()
            .filter(|(entry, _)| lowered(entry))
            .last()
            .map(|(_, value)| value)
    }
}

fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().map(Value::to_python_str).collect(),
        other => vec![other.to_python_str()],
    }
}

/// Splits at each separator without a backslash before it, trims the space around it, and then removes the backslash of escaped
/// ones.
fn split_unescaped(text: &str, separator: char) -> Vec<String> {
    let parts = split_trimmed(text, |before, c| c == separator && before != Some('\\'));
    let escaped = ['\\', separator].iter().collect::<String>();
    parts
        .into_iter()
        .map(|part| part.replace(&escaped, separator.encode_utf8(&mut [0; 4])))
        .collect()
}

/// Splits where `separates` returns true for a character and the one before it, and drops the space around these places.
fn split_trimmed(text: &str, separates: impl Fn(Option<char>, char) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut before) = (0, None);
    for (index, c) in text.char_indices() {
        if separates(before, c) {
            // The space that was trimmed after the previous separator cannot be trimmed once more.
            parts.push(text[start.min(index)..index].trim_end_matches(is_space));
            let rest = &text[index + c.len_utf8()..];
            start = text.len() - rest.trim_start_matches(is_space).len();
        }
        before = Some(c);
    }
    parts.push(&text[start..]);
    parts
}

/// Splits `key: value`. `None` means that the literal searches for a name. A value contains no newline except one at its end.
fn key_and_value(literal: &str) -> Option<(&str, &str)> {
    let (key, rest) = literal.split_once(':')?;
    let value = rest.trim_start_matches(is_space);
    match value.find('\n') {
        None => Some((key, value)),
        Some(end) if end + 1 == value.len() => Some((key, &value[..end])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_trimmed_and_escapes_dropped() {
        assert_eq!(split_unescaped(" a | b\\|c |d ", '|'), [" a", "b|c", "d "]);
        assert_eq!(split_unescaped("a \\ | b", '|'), ["a \\", "b"]);
        assert_eq!(split_trimmed("a , ,b", |_, c| c == ','), ["a", "", "b"]);
    }

    #[test]
    fn a_missing_key_is_an_error_of_its_own() {
        let data = Map::default();
        assert_eq!(
            filter("tag: a", &data, "/x"),
            Err(FilterError::Missing { key: "tag".into() })
        );
        assert_eq!(
            filter("x | tag: a", &data, "/x"),
            Err(FilterError::Missing { key: "tag".into() })
        );
        assert_eq!(filter("y & tag: a", &data, "/x"), Ok(false));
    }

    #[test]
    fn a_filter_without_key_searches_the_name() {
        let data = Map::default();
        assert_eq!(filter("^/te.t", &data, "/test/a"), Ok(true));
        assert_eq!(filter("", &data, "/test/a"), Ok(true));
        assert!(matches!(filter("(", &data, "/test/a"), Err(FilterError::Pattern(_))));
        assert_eq!(
            Filter::with_mode(
                "/TEST",
                Mode {
                    regexp: false,
                    sensitive: false
                }
            )
            .matches(&data, "/test"),
            Ok(true)
        );
    }
}
