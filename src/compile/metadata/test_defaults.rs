//! What tmt fills in for a test before a filter, a condition or the test itself looks at it: one table, [`KEYS`].
//!
//! So `tag: -slow` selects a test without tags, and `duration == '5m'` one without a duration. A key that the table does not have
//! and the test does not have either makes a filter false. `atex fmf show` does not use this: it selects by fmf's own rules.

use std::borrow::Cow;
use std::sync::Arc;

use atex_fmf::condition::{Condition, ConditionError, Outcome};
use atex_fmf::filter::{Filter, FilterError};
use atex_fmf::{Error, Map, Node, Value};

use crate::compile::metadata::read::{ORDER, scalar};

/// The form in which a filter or a condition sees the value of a key.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A text, or `None` where it is not given.
    Text,
    /// A list, which is empty where it is not given. A single value is its only item.
    List,
    /// A list of mappings. A text is the value of this key in a mapping.
    Mappings(&'static str),
    /// A mapping of texts.
    Texts,
    /// The value as it is written, or else this text.
    Word(&'static str),
    /// The value as it is written, or else this number.
    Number(i64),
    /// The value as it is written, or else this boolean.
    Flag(bool),
}

/// The keys that depend on the place of a test.
const PLACE: [&str; 3] = ["name", "path", "sources"];

/// The keys that every test has for tmt, beside those of [`PLACE`].
const KEYS: [(&str, Form); 26] = [
    ("author", Form::List),
    ("check", Form::Mappings("how")),
    ("component", Form::List),
    ("contact", Form::List),
    ("description", Form::Text),
    ("duration", Form::Word("5m")),
    ("enabled", Form::Flag(true)),
    ("environment", Form::Texts),
    ("framework", Form::Word("shell")),
    ("id", Form::Text),
    ("link", Form::Mappings("relates")),
    ("manual", Form::Flag(false)),
    ("order", Form::Number(ORDER)),
    ("recommend", Form::List),
    ("require", Form::List),
    ("restart-max-count", Form::Number(1)),
    ("restart-on-exit-code", Form::List),
    ("restart-with-reboot", Form::Flag(false)),
    ("result", Form::Word("respect")),
    ("summary", Form::Text),
    ("tag", Form::List),
    ("test", Form::Text),
    ("tier", Form::Text),
    ("tty", Form::Flag(false)),
    ("where", Form::Text),
    ("name", Form::Text),
];

impl Form {
    /// Returns what tmt fills in where nothing is given, as YAML.
    fn nothing(self) -> Cow<'static, str> {
        match self {
            Self::Text => "null".into(),
            Self::List | Self::Mappings(_) => "[]".into(),
            Self::Texts => "{}".into(),
            Self::Word(word) => word.into(),
            Self::Number(number) => number.to_string().into(),
            Self::Flag(flag) => if flag { "true" } else { "false" }.into(),
        }
    }

    fn of(self, given: Option<&Value>) -> Value {
        let Some(given) = given.filter(|value| !value.is_null()) else {
            return match self {
                Self::Text => Value::Null,
                Self::List | Self::Mappings(_) => Value::from(Vec::new()),
                Self::Texts => Value::from(Map::new()),
                Self::Word(word) => Value::from(word),
                Self::Number(number) => Value::from(number),
                Self::Flag(flag) => Value::from(flag),
            };
        };
        let items = || given.as_list().unwrap_or(std::slice::from_ref(given));
        match self {
            Self::Text => scalar(given).map_or_else(|| given.clone(), Value::from),
            Self::List => Value::from(items().to_vec()),
            Self::Mappings(key) => {
                let item = |item: &Value| match item {
                    Value::Str(text) => Value::from(Map::from_iter([(Value::from(key), Value::from(&**text))])),
                    other => other.clone(),
                };
                Value::from(items().iter().map(item).collect::<Vec<_>>())
            }
            Self::Texts => given.as_map().map_or_else(
                || given.clone(),
                |map| {
                    let text = |value: &Value| scalar(value).map_or_else(|| value.clone(), Value::from);
                    let texts = map.iter().map(|(key, value)| (key.clone(), text(value)));
                    Value::from(texts.collect::<Map>())
                },
            ),
            Self::Word(_) | Self::Number(_) | Self::Flag(_) => given.clone(),
        }
    }
}

/// Returns the data of a test as a condition sees it.
fn filled(node: Node<'_>) -> Map {
    let mut data = said(node);
    for (key, form) in KEYS {
        if data.get(key).is_none_or(Value::is_null) {
            data.insert(key, form.of(None));
        }
    }
    data
}

/// Returns each key that a test does not say, with what tmt fills in, as YAML.
pub(crate) fn unsaid(said: &Map) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    let missing = KEYS
        .into_iter()
        .filter(|(key, _)| said.get(key).is_none_or(Value::is_null));
    missing.map(|(key, form)| (key, form.nothing()))
}

/// Returns the data that a test says itself, and what depends on its place, in the form in which a condition sees them.
pub(crate) fn said(node: Node<'_>) -> Map {
    let mut data = Arc::unwrap_or_clone(node.shared_data());
    for (key, form) in KEYS {
        if let Some(value) = data.get(key).filter(|value| !value.is_null()) {
            let value = form.of(Some(value));
            data.insert(key, value);
        }
    }
    for key in PLACE {
        if let Some(value) = of_place(node, key, data.get(key)) {
            data.insert(key, value);
        }
    }
    data
}

/// Returns the value of a key that depends on the place of a test, if it is one; `given` is what the test says.
fn of_place(node: Node<'_>, key: &str, given: Option<&Value>) -> Option<Value> {
    match key {
        "name" => Some(Value::from(node.name())),
        "path" if given.is_none_or(Value::is_null) => Some(Value::from(format!("/{}", node.dir().display()))),
        "sources" => {
            let sources = node.sources().into_iter();
            let sources: Vec<Value> = sources.map(|file| Value::from(file.display().to_string())).collect();
            Some(Value::from(sources))
        }
        _ => None,
    }
}

/// Returns the value of a key as a filter sees it: `True` and `true` mean the same there.
fn seen_by_filter(node: Node<'_>, key: &str) -> Option<Value> {
    let given = node.value(key);
    let value = of_place(node, key, given.as_ref()).or_else(|| {
        let form = KEYS.iter().find(|(known, _)| *known == key);
        form.map_or_else(|| given.clone(), |(_, form)| Some(form.of(given.as_ref())))
    })?;
    Some(match value.as_bool() {
        Some(flag) => Value::from(vec![Value::from(value.to_python_str()), Value::from(flag.to_string())]),
        None => value,
    })
}

/// Returns what a filter may ask of a test: the keys that it names, and nothing else, since there may be very many tests.
fn asked_by(filter: &Filter, node: Node<'_>) -> Map {
    let seen = |key: &str| Some((Value::from(key), seen_by_filter(node, key)?));
    filter.keys().filter_map(seen).collect()
}

/// Returns whether a filter selects a test. Words without a key select none, because tmt gives its filters no name to search.
pub(crate) fn matches_filter(filter: &Filter, node: Node<'_>) -> Result<bool, FilterError> {
    filter.matches_data(&asked_by(filter, node))
}

/// Evaluates a condition for a test.
pub(crate) fn evaluate(condition: &Condition, node: Node<'_>) -> Result<Outcome, ConditionError> {
    condition.evaluate(&filled(node), node.name())
}

/// Returns whether tmt fills in a key of every test.
pub(crate) fn is_filled_in(key: &str) -> bool {
    PLACE.contains(&key) || KEYS.iter().any(|(known, _)| *known == key)
}

/// Filters and conditions, all of which a test must fulfil.
pub(crate) struct Demands {
    filters: Vec<(String, Filter)>,
    /// A text that is no expression is an error only if a test is evaluated with it.
    conditions: Vec<Result<Condition, ConditionError>>,
}

impl Demands {
    pub(crate) fn new<'a>(
        filters: impl Iterator<Item = &'a String>,
        conditions: impl Iterator<Item = &'a String>,
    ) -> Self {
        Self {
            filters: filters.map(|text| (text.clone(), Filter::parse(text))).collect(),
            conditions: conditions.map(|text| Condition::parse(text)).collect(),
        }
    }

    /// Returns whether a test fulfils all. Of the filters all are evaluated, so that an invalid one is always reported, and the
    /// conditions only for a test that the filters select.
    pub(crate) fn are_met(&self, node: Node<'_>) -> Result<bool, Error> {
        Ok(self.filters_match(node)? && self.conditions_hold(node)?)
    }

    fn filters_match(&self, node: Node<'_>) -> Result<bool, Error> {
        let mut all = true;
        for (text, filter) in &self.filters {
            all &= match matches_filter(filter, node) {
                Ok(matches) => matches,
                Err(FilterError::Missing { .. }) => false,
                Err(source) => {
                    let filter = text.clone();
                    return Err(Error::Filter { filter, source });
                }
            };
        }
        Ok(all)
    }

    fn conditions_hold(&self, node: Node<'_>) -> Result<bool, Error> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let (data, mut all) = (filled(node), true);
        for condition in &self.conditions {
            all &= match condition.as_ref().map_err(Clone::clone)?.evaluate(&data, node.name())? {
                Outcome::Holds => true,
                Outcome::Fails => false,
                Outcome::Missing(_) => return Ok(false),
            };
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use atex_fmf::Tree;

    use super::Demands;

    fn tree(metadata: &str) -> Tree {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join(".fmf")).expect("a directory");
        fs::write(dir.path().join(".fmf/version"), "1\n").expect("a file");
        fs::create_dir(dir.path().join("t")).expect("a directory");
        fs::write(dir.path().join("t/main.fmf"), metadata).expect("a file");
        Tree::load(dir.path()).expect("a tree")
    }

    /// The answers of filters (those with a `:`) and conditions.
    fn fits(metadata: &str, texts: &[&str]) -> Vec<bool> {
        let tree = tree(metadata);
        let node = tree.find("/t").expect("the test");
        let fits = |text: &&str| {
            let text = (*text).to_owned();
            let (filters, conditions) = if text.contains("==") || text.contains(" in ") {
                (vec![], vec![text])
            } else {
                (vec![text], vec![])
            };
            Demands::new(filters.iter(), conditions.iter())
                .are_met(node)
                .expect("an answer")
        };
        texts.iter().map(fits).collect()
    }

    #[test]
    fn a_test_that_says_nothing_has_the_defaults_of_tmt() {
        let fit = [
            "tag:-slow",
            "tag:-.*",
            "name:/t",
            "name:.*t",
            "summary:None",
            "id:.*",
            "tier:None",
            "order:50",
            "enabled:True",
            "enabled:true",
            "manual:false",
            "tty:-true",
            "path:/t",
            "framework:shell",
            "duration:5m",
            "result:respect",
            "environment:\\{\\}",
            "where:None",
            "restart-max-count:1",
            "tag == []",
            "duration == '5m'",
            "manual == False",
            "'slow' in tag or order == 50",
        ];
        assert_eq!(fits("test: x\n", &fit), vec![true; fit.len()]);
        let miss = [
            "tag:.*",
            "name:x",
            "name:full",
            "t",
            "priority:1",
            "priority:-1",
            "order:50 | nosuch:1",
            "nosuch == 1",
        ];
        assert_eq!(fits("test: x\n", &miss), vec![false; miss.len()]);
    }

    #[test]
    fn a_test_is_seen_in_the_forms_of_tmt() {
        let metadata = "test: x\ntag: a\ntier: 1\ncheck: dmesg\nenvironment: {K: 1}\nextra-x: y\nenabled: false\n";
        let fit = [
            "tag:a",
            "tier:1",
            "check:.*dmesg.*",
            "extra-x:y",
            "enabled:False & enabled:false",
            "tag == ['a']",
            "tier == '1'",
            "environment.get('K') == '1'",
        ];
        assert_eq!(fits(metadata, &fit), vec![true; fit.len()]);
        let miss = ["tag:A", "tag:-a", "check:dmesg", "tier == 1"];
        assert_eq!(fits(metadata, &miss), vec![false; miss.len()]);
    }
}
