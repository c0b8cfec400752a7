//! Reads typed values from fmf metadata by tmt's rules, with errors that say where the value is.

use std::path::Path;

use atex_fmf::value::{Entry, Mark};
use atex_fmf::{Location, Map, Node, Tree, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::inputs::Globs;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::spec::Warning;

/// The `order` of plans, tests and phases that set none.
pub(crate) const ORDER: i64 = 50;

/// The reader of one node. It names the plan, test or phase in messages and knows where its values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeReader<'t> {
    tree: &'t Tree,
    node: Node<'t>,
}

/// A mapping to read values from, with its name in messages.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'t> {
    reader: NodeReader<'t>,
    pub(crate) map: &'t Map,
    pub(crate) subject: String,
    /// The top-level key that contains the mapping, and where it is written. It is `None` for a node, whose keys have locations
    /// of their own.
    within: Option<(&'t str, Option<Location>)>,
}

impl<'t> NodeReader<'t> {
    /// Returns a reader for a node of the tree.
    pub(crate) fn new(tree: &'t Tree, node: Node<'t>) -> Self {
        Self { tree, node }
    }

    /// Returns the scope of the node's own data; `kind` is `plan` or `test`.
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
    /// Returns the name of the node.
    pub(crate) fn node(&self) -> &'t str {
        self.reader.node.name()
    }

    /// Returns the scope with another mapping in its place, which has the same keys and marks.
    pub(crate) fn over<'o>(&self, map: &'o Map) -> Scope<'o>
    where
        't: 'o,
    {
        Scope {
            reader: self.reader,
            map,
            subject: self.subject.clone(),
            within: self.within.clone(),
        }
    }

    /// Returns the scope of a mapping inside this one, below its `key`.
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

    /// Returns where a key of the mapping is written, if that is known.
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

    /// Returns the location of a key as text for people, `file:line`, with the adjust rule that set it.
    pub(crate) fn origin(&self, key: &str) -> Option<String> {
        if self.within.is_none() {
            // Most values come from one place, which their marks tell.
            let entry = self.map.entry(key)?;
            let location = self.reader.location_of(entry.mark).map(|location| location.to_string());
            return location.or_else(|| self.reader.node.origin(key).map(|origin| origin.to_string()));
        }
        self.location(key).map(|location| location.to_string())
    }

    /// Returns the location of an entry of a mapping that is the value of `key`.
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

    /// Returns the origin of a key's value. For a part of a value, it is the origin of the whole value.
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

    /// Returns the value of a key; `null` counts as a missing key.
    pub(crate) fn value(&self, key: &str) -> Option<&'t Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Returns whether the value of a key is true in Python, or `default` if there is none.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        self.value(key).map_or(default, truthy)
    }

    /// Returns a boolean value; no other type is accepted in its place.
    pub(crate) fn boolean(&self, key: &str, default: bool) -> Result<bool, CompileError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "`true` or `false`", value)),
        }
    }

    /// Returns a text, or a scalar as Python's `str()` prints it.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, CompileError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => scalar(value).map(Some).ok_or_else(|| self.wrong(key, "a text", value)),
        }
    }

    /// Returns the items of a text or a list of texts.
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

    /// Returns an integer; a text that contains one is accepted, too.
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

    /// Returns `extra-atex-inputs` of a node that is defined in the directory `here`.
    pub(crate) fn globs(&self, here: &Path) -> Result<Option<Globs>, CompileError> {
        const KEY: &str = "extra-atex-inputs";
        if self.value(KEY).is_none() {
            return Ok(None);
        }
        Globs::parse(self.texts(KEY)?, here)
            .map(Some)
            .map_err(|problem| self.error(KEY, problem))
    }

    /// Returns the phases of a step or the sections of discover; they are a mapping or a list of mappings.
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

/// Returns the `order` of a plan or a test.
pub(crate) fn order(tree: &Tree, node: Node<'_>, kind: &str) -> Result<i64, CompileError> {
    match node.value("order") {
        None => Ok(ORDER),
        Some(Value::Int(order)) => Ok(order),
        Some(_) => NodeReader::new(tree, node).scope(kind).integer("order", ORDER),
    }
}

/// Returns whether a value is true in Python.
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

/// Returns a scalar as Python's `str()` prints it.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Map(_) => None,
        Value::Str(text) => Some(text.to_string()),
        other => Some(other.to_python_str()),
    }
}

/// Returns the YAML name of the value's type.
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
