//! The transcript of a node: the text that explains its key, made by the second visitor of the one traversal in
//! [`crate::manifest`].
//!
//! Invariant, checked by a property test: two nodes have equal keys exactly if their transcripts are equal in paths and values.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::digest::{ActionKey, short_hex};
use crate::inputs::InputFiles;
use crate::manifest::{Manifest, Visitor};
use crate::node::Node;

/// One thing a node depends on, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The path of the value: `environment.FOO`, `files/lib/common.sh`, `deps.0`. Parts that are not plain words are quoted.
    pub path: String,
    /// The value. Data is JSON, so that the text `1` (`"1"`) and the number `1` differ. A file is its short digest and mode; a
    /// dependency is its short key; a secret is `(secret …)` with a fingerprint of its keyed hash.
    pub value: String,
    /// Where the value comes from, as `plans/main.fmf:12`. For a dependency, this is its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Entry {
    /// Returns the original text, if the value is a text.
    ///
    /// ```
    /// let entry = atex_graph::Entry { path: "script".into(), value: r#""a\nb""#.into(), origin: None };
    /// assert_eq!(entry.text().as_deref(), Some("a\nb"));
    /// ```
    pub fn text(&self) -> Option<String> {
        serde_json::from_str(&self.value).ok()
    }

    /// Returns whether the value is the fingerprint of a secret. People are told only that such a value changed.
    pub fn is_secret(&self) -> bool {
        self.value.starts_with(SECRET)
    }
}

const SECRET: &str = "(secret ";

/// What the path of a dependency begins with, before its position.
pub(crate) const DEPS: &str = "deps.";

/// Lists everything that a node's key is made of, in the order in which it enters the key.
pub fn transcript(node: &Node) -> Vec<Entry> {
    transcript_of(&node.action())
}

pub(crate) fn transcript_of(manifest: &dyn Manifest) -> Vec<Entry> {
    let mut writer = Writer::default();
    manifest.visit(&mut writer);
    writer.entries
}

/// The visitor that writes entries.
#[derive(Default)]
struct Writer {
    entries: Vec<Entry>,
    /// The prefix of the groups that are open, such as `environment.`.
    prefix: String,
    /// The lengths that the prefix had before each open group.
    outer: Vec<usize>,
}

impl Writer {
    fn push(&mut self, field: &str, value: String, origin: Option<&str>) {
        let path = format!("{}{}", self.prefix, segment(field));
        self.entries.push(Entry {
            path,
            value,
            origin: origin.map(str::to_owned),
        });
    }

    fn open(&mut self, field: &str) {
        self.outer.push(self.prefix.len());
        self.prefix.push_str(&segment(field));
        self.prefix.push('.');
    }

    fn close(&mut self) {
        let outer = self.outer.pop().unwrap_or_default();
        self.prefix.truncate(outer);
    }
}

impl Visitor for Writer {
    fn begin(&mut self, domain: &str, version: u64) {
        self.push("encoding", format!("{domain} {version}"), None);
    }

    fn choice(&mut self, field: &str, _ordinal: u64, word: &str) {
        self.push(field, word.to_owned(), None);
    }

    fn text(&mut self, field: &str, text: &str, origin: Option<&str>) {
        self.push(field, quoted(text), origin);
    }

    fn texts(&mut self, field: &str, texts: &[String], origin: Option<&str>) {
        let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
        self.push(field, format!("[{}]", texts.join(",")), origin);
    }

    fn secret(&mut self, field: &str, keyed: &[u8; 32], origin: Option<&str>) {
        self.push(field, format!("{SECRET}{})", short_hex(keyed)), origin);
    }

    /// Writes one entry for each field of an object, so that an explanation can name the field.
    fn json(&mut self, field: &str, value: &Value, origin: Option<&str>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.open(field);
                for (name, value) in sorted(map) {
                    self.json(name, value, origin);
                }
                self.close();
            }
            value => self.push(field, compact(value), origin),
        }
    }

    fn files(&mut self, field: &str, files: &InputFiles) {
        for file in files.iter() {
            let path = format!("{}{field}/{}", self.prefix, file.path);
            let value = format!("{} {}", file.digest.short(), file.mode.word());
            self.entries.push(Entry {
                path,
                value,
                origin: None,
            });
        }
    }

    fn dep(&mut self, position: u64, key: ActionKey, name: &str) {
        self.entries.push(Entry {
            path: format!("{DEPS}{position}"),
            value: key.short(),
            origin: Some(name.to_owned()),
        });
    }

    fn enter(&mut self, field: &str, _count: u64) {
        self.open(field);
    }

    fn leave(&mut self) {
        self.close();
    }
}

/// Returns a part of a path, which is quoted if it could be misunderstood.
fn segment(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns JSON without spaces and with sorted objects, whatever features `serde_json` was built with.
fn compact(value: &Value) -> String {
    struct Canonical<'a>(&'a Value);

    impl Serialize for Canonical<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::Array(values) => serializer.collect_seq(values.iter().map(Canonical)),
                Value::Object(map) => {
                    let mut out = serializer.serialize_map(Some(map.len()))?;
                    for (name, value) in sorted(map) {
                        out.serialize_entry(name, &Canonical(value))?;
                    }
                    out.end()
                }
                plain => plain.serialize(serializer),
            }
        }
    }

    serde_json::to_string(&Canonical(value)).unwrap_or_else(|_| value.to_string())
}

fn sorted(map: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = map.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    fields
}
