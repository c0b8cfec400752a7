//! Typed reading of fmf values, as tmt reads them, with errors that say where.

use std::path::Path;

use atex_fmf::value::{Entry, Mark};
use atex_fmf::{Location, Map, Node, Tree, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::inputs::Globs;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::spec::Warning;

/// Where something without `order` stands among others.
pub(crate) const ORDER: i64 = 50;

/// What a value is read for: it names plan, test or phase in messages and knows where things stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeReader<'t> {
    tree: &'t Tree,
    node: Node<'t>,
}

/// A mapping to read from, and what messages call it.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'t> {
    reader: NodeReader<'t>,
    pub(crate) map: &'t Map,
    pub(crate) subject: String,
    /// The top-level key that the mapping is part of, and where it stands; `None` for a node, whose keys have places of their own.
    within: Option<(&'t str, Option<Location>)>,
}

impl<'t> NodeReader<'t> {
    /// Reads a node of the tree.
    pub(crate) fn new(tree: &'t Tree, node: Node<'t>) -> Self {
        Self { tree, node }
    }

    /// The node's own data; `kind` is `plan` or `test`.
    pub(crate) fn scope(self, kind: &str) -> Scope<'t> {
        Scope {
            reader: self,
            map: self.node.data(),
            subject: format!("{kind} `{}`", self.node.name()),
            within: None,
        }
    }

    fn location_of(self, mark: Mark) -> Option<Location> {
        let (file, line) = mark.as_place()?;
        let file = self.tree.metadata_files().get(usize::try_from(file).ok()?)?;
        Some(Location {
            file: file.path.clone(),
            line,
        })
    }
}

impl<'t> Scope<'t> {
    /// The name of the node that this is read for.
    pub(crate) fn node(&self) -> &'t str {
        self.reader.node.name()
    }

    /// A mapping inside of this one, below its `key`.
    pub(crate) fn inner(&self, key: &'t str, map: &'t Map, subject: String) -> Self {
        let first = map.entries().first();
        let location = first.and_then(|entry| self.reader.location_of(entry.mark));
        let top = self.within.as_ref().map_or(key, |(top, _)| top);
        Self {
            reader: self.reader,
            map,
            subject,
            within: Some((top, location.or_else(|| self.location(key)))),
        }
    }

    /// Where a key of the mapping stands, if that is known.
    pub(crate) fn location(&self, key: &str) -> Option<Location> {
        match &self.within {
            None => self.reader.node.origin(key).map(|origin| origin.location),
            Some((_, location)) => {
                let mark = self.map.entry(key).map(|entry| entry.mark);
                let own = mark.and_then(|mark| self.reader.location_of(mark));
                own.or_else(|| location.clone())
            }
        }
    }

    /// The location of a key as text for people, `file:line`, with the adjust rule that set it.
    pub(crate) fn origin(&self, key: &str) -> Option<String> {
        if self.within.is_none() {
            // Most values come from one place, and their marks say which.
            let entry = self.map.entry(key)?;
            let location = self.reader.location_of(entry.mark).map(|location| location.to_string());
            return location.or_else(|| self.reader.node.origin(key).map(|origin| origin.to_string()));
        }
        self.location(key).map(|location| location.to_string())
    }

    /// The location of an entry of a mapping that is the value of `key`.
    pub(crate) fn entry_origin(&self, key: &str, entry: &Entry) -> Option<String> {
        let own = self.reader.location_of(entry.mark);
        own.or_else(|| self.location(key)).map(|location| location.to_string())
    }

    pub(crate) fn error(&self, key: &str, problem: MetadataProblem) -> CompileError {
        CompileError::Metadata {
            cause: Box::new(self.cause(key)),
            subject: self.subject.clone(),
            problem,
        }
    }

    /// Where a key's value comes from; for a part of one, where all of it does.
    pub(crate) fn cause(&self, key: &str) -> ValueOrigin {
        let top = self.within.as_ref().map_or(key, |(top, _)| top);
        ValueOrigin {
            root: self.reader.tree.root().to_owned(),
            location: self.location(key),
            origins: self.reader.node.origins(top),
        }
    }

    pub(crate) fn warning(&self, key: &str, text: &str) -> Warning {
        let location = self.location(key);
        Warning {
            text: format!("{}: {text}", self.subject),
            line: location.as_ref().map(|location| location.line),
            file: location.map(|location| location.file.display().to_string()),
        }
    }

    pub(crate) fn wrong(&self, key: &str, expected: &'static str, value: &Value) -> CompileError {
        self.error(
            key,
            MetadataProblem::Type {
                key: key.to_owned(),
                expected,
                found: word(value),
            },
        )
    }

    /// The value of a key; `null` is as if it were not there.
    pub(crate) fn value(&self, key: &str) -> Option<&'t Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether a key's value is true in Python; `default` where there is none.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        self.value(key).map_or(default, truthy)
    }

    /// A boolean, and nothing that counts as one.
    pub(crate) fn boolean(&self, key: &str, default: bool) -> Result<bool, CompileError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "`true` or `false`", value)),
        }
    }

    /// A text, or what Python makes one of.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, CompileError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => scalar(value).map(Some).ok_or_else(|| self.wrong(key, "a text", value)),
        }
    }

    /// A text or a list of texts.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, CompileError> {
        let wrong = |value| self.wrong(key, "a text or a list of texts", value);
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::List(items)) => items
                .iter()
                .map(|item| scalar(item).ok_or_else(|| wrong(item)))
                .collect(),
            Some(value) => Ok(vec![scalar(value).ok_or_else(|| wrong(value))?]),
        }
    }

    /// A text or a list, of which only the texts count: `require` may also hold libraries and files.
    pub(crate) fn only_texts(&self, key: &str) -> Result<Vec<String>, CompileError> {
        match self.value(key) {
            None | Some(Value::Map(_)) => Ok(Vec::new()),
            Some(Value::List(items)) => Ok(items.iter().filter_map(scalar).collect()),
            Some(value) => Ok(vec![
                scalar(value).ok_or_else(|| self.wrong(key, "a text or a list", value))?,
            ]),
        }
    }

    /// An integer, also one in a text.
    pub(crate) fn integer(&self, key: &str, default: i64) -> Result<i64, CompileError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => {
                let found = value
                    .as_int()
                    .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                found.ok_or_else(|| self.wrong(key, "an integer", value))
            }
        }
    }

    /// `extra-atex-inputs` of a node that is defined in the directory `here`.
    pub(crate) fn globs(&self, here: &Path) -> Result<Option<Globs>, CompileError> {
        const KEY: &str = "extra-atex-inputs";
        if self.value(KEY).is_none() {
            return Ok(None);
        }
        Globs::parse(self.texts(KEY)?, here)
            .map(Some)
            .map_err(|problem| self.error(KEY, problem))
    }

    /// The phases of a step, or the sections of discover: a mapping, or a list of mappings.
    pub(crate) fn maps(&self, key: &str) -> Result<Vec<&'t Map>, CompileError> {
        let wrong = |value| self.wrong(key, "a mapping or a list of mappings", value);
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Map(map)) => Ok(vec![map]),
            Some(Value::List(items)) => items
                .iter()
                .map(|item| item.as_map().ok_or_else(|| wrong(item)))
                .collect(),
            Some(value) => Err(wrong(value)),
        }
    }
}

/// The `order` of a plan or a test.
pub(crate) fn order(tree: &Tree, node: Node<'_>, kind: &str) -> Result<i64, CompileError> {
    match node.value("order") {
        None => Ok(ORDER),
        Some(Value::Int(order)) => Ok(order),
        Some(_) => NodeReader::new(tree, node).scope(kind).integer("order", ORDER),
    }
}

/// Python's truth of a value.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Int(number) => *number != 0,
        Value::BigInt(_) | Value::Date(_) => true,
        Value::Float(number) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

/// Python's `str()` of a scalar.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Map(_) => None,
        Value::Str(text) => Some(text.to_string()),
        other => Some(other.to_python_str()),
    }
}

/// What YAML calls the type.
fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::BigInt(_) | Value::Float(_) => "a number",
        Value::Str(_) => "a text",
        Value::Date(_) => "a date",
        Value::Bytes(_) => "binary data",
        Value::List(_) | Value::Tuple(_) | Value::Set(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}
