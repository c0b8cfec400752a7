//! Partial results: they wait by name, and each next piece is merged into the one of its name.
//!
//! The rules for merging values are in `tree`; this file keeps the open results and the names of their files.
//!
//! Where the protocol leaves room: the first piece is kept as it is, including `null`s. A `null` in a later piece
//! removes the key and is not kept, even if there was nothing to remove.
//!
//! Invariant: `held` is the sum of the sizes of the open results, and a size is updated with each change of its
//! result.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::summary::Status;
use super::tree::JsonNode;
use super::{MemberValue, SentResult, push_line, push_members, testout_is_a_file};
use crate::control::violation::Violation;

/// The cost, in bytes, of holding an open result, or the name of a file, in addition to its text.
const RESULT_COST: usize = 16;
const NAME_COST: usize = 64;

/// The open results by name. The test itself has the empty name, which no subtest can have.
#[derive(Debug)]
pub(crate) struct Partials {
    open: HashMap<Box<str>, Open>,
    appeared: u64,
    held: usize,
    limit: usize,
}

impl Partials {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            open: HashMap::new(),
            appeared: 0,
            held: 0,
            limit,
        }
    }

    /// Keeps a partial result, merged into the one that is open under its name.
    pub(crate) fn keep(&mut self, report: &SentResult<'_>) -> Result<(), Violation> {
        let name = report.name.as_deref().unwrap_or_default();
        if let Some(open) = self.open.get_mut(name) {
            let before = open.size;
            open.merge(report)?;
            self.held = self.held - before + open.size;
        } else {
            let open = Open::first(report, self.appeared);
            self.appeared += 1;
            self.held += open.size;
            self.open.insert(name.into(), open);
        }
        if self.held <= self.limit {
            return Ok(());
        }
        let limit = self.limit;
        Err(Violation::at(
            format!("open partial results hold more than {limit} bytes, the last one under the name"),
            name.as_bytes(),
        ))
    }

    /// Merges a final result into the one that is open under its name, and removes that. Returns `None` if none is
    /// open.
    pub(crate) fn complete(&mut self, report: &SentResult<'_>) -> Result<Option<Open>, Violation> {
        let name = report.name.as_deref().unwrap_or_default();
        let Some(mut open) = self.open.remove(name) else {
            return Ok(None);
        };
        self.held -= open.size;
        open.merge(report)?;
        Ok(Some(open))
    }

    /// Removes all open results and returns them in the order of their first appearance.
    pub(crate) fn drain(&mut self) -> Vec<(Box<str>, Open)> {
        self.held = 0;
        let mut all: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        all.sort_unstable_by_key(|(_, open)| open.appeared);
        all
    }
}

/// An open result.
#[derive(Debug)]
pub(crate) struct Open {
    appeared: u64,
    /// The result's JSON, which is always an object.
    body: JsonNode,
    attached: Option<Box<Attached>>,
    size: usize,
}

/// The files of an open result.
#[derive(Debug, Default)]
struct Attached {
    testout: Option<String>,
    files: Option<BTreeSet<String>>,
    files_size: usize,
}

impl Attached {
    fn size(&self) -> usize {
        self.files_size + self.testout.as_ref().map_or(0, |name| NAME_COST + name.len())
    }
}

impl Open {
    /// Makes a result of which nothing is known, ordered after all others.
    pub(crate) fn empty() -> Self {
        Self {
            appeared: u64::MAX,
            body: JsonNode::default(),
            attached: None,
            size: 0,
        }
    }

    fn first(report: &SentResult<'_>, appeared: u64) -> Self {
        let mut text = Vec::new();
        push_line(
            &mut text,
            |out| push_members(out, &report.members),
            None,
            None::<std::iter::Empty<_>>,
        );
        let body = JsonNode::text(text);
        let mut open = Self {
            appeared,
            size: RESULT_COST + report.name.as_deref().map_or(0, str::len) + body.size(),
            body,
            attached: None,
        };
        open.attach(report);
        open
    }

    fn merge(&mut self, report: &SentResult<'_>) -> Result<(), Violation> {
        self.body
            .taken_apart(&mut self.size)
            .merge(&report.members, &mut self.size);
        self.attach(report);
        match (self.testout(), self.files()) {
            (Some(testout), Some(files)) if files.contains(testout) => Err(testout_is_a_file(testout)),
            _ => Ok(()),
        }
    }

    fn attach(&mut self, report: &SentResult<'_>) {
        if matches!(
            (&report.testout, &report.files),
            (MemberValue::Absent, MemberValue::Absent)
        ) {
            return;
        }
        let attached = self.attached.get_or_insert_default();
        self.size -= attached.size();
        match &report.testout {
            MemberValue::Absent => {}
            MemberValue::Null => attached.testout = None,
            MemberValue::Given(name) => attached.testout = Some(name.clone()),
        }
        match &report.files {
            MemberValue::Absent => {}
            MemberValue::Null => {
                attached.files = None;
                attached.files_size = 0;
            }
            MemberValue::Given(files) => {
                let names = attached.files.get_or_insert_default();
                for file in files {
                    if names.insert(file.name.clone()) {
                        attached.files_size += NAME_COST + file.name.len();
                    }
                }
            }
        }
        self.size += attached.size();
    }

    /// Returns the name under which the output is attached.
    pub(crate) fn testout(&self) -> Option<&str> {
        self.attached.as_ref()?.testout.as_deref()
    }

    /// Attaches the output, or detaches it.
    pub(crate) fn set_testout(&mut self, name: Option<&str>) {
        self.attached.get_or_insert_default().testout = name.map(str::to_owned);
    }

    /// Returns the sorted names of the files, or `None` if none were ever given.
    pub(crate) fn files(&self) -> Option<&BTreeSet<String>> {
        self.attached.as_ref()?.files.as_ref()
    }

    pub(crate) fn status(&mut self) -> Status {
        self.text("status").map_or(Status::Missing, |text| Status::said(&text))
    }

    pub(crate) fn note(&mut self) -> Option<String> {
        self.text("note")
    }

    /// Sets a member to a text, whatever its value was.
    pub(crate) fn set(&mut self, key: &str, text: &str) {
        self.body
            .taken_apart(&mut self.size)
            .put(key, JsonNode::string(text), &mut self.size);
    }

    /// Sets a member to a value of compact JSON, whatever it was.
    pub(crate) fn set_json(&mut self, key: &str, value: Vec<u8>) {
        self.body
            .taken_apart(&mut self.size)
            .put(key, JsonNode::text(value), &mut self.size);
    }

    /// Appends the stored line, without its newline.
    pub(crate) fn push_line(&self, out: &mut Vec<u8>) {
        let files = self.files().map(|files| files.iter().map(String::as_str));
        push_line(out, |out| self.body.push_inner(out), self.testout(), files);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.body
            .taken_apart(&mut self.size)
            .get(key)?
            .as_string()
            .map(Cow::into_owned)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::control::Limits;

    /// The merging rules on parsed values, in the words of the protocol, as a reference.
    fn model(into: &mut Map<String, Value>, piece: Map<String, Value>) {
        for (key, value) in piece {
            match (into.get_mut(&key), value) {
                (_, Value::Null) => {
                    into.remove(&key);
                }
                (Some(Value::Array(array)), Value::Array(more)) => array.extend(more),
                (Some(Value::Object(object)), Value::Object(more)) => model(object, more),
                (_, value) => {
                    into.insert(key, value);
                }
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\"\\\\ \n\u{e9}]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                object(inner).prop_map(Value::from),
            ]
        })
    }

    fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[abc\u{e9}\"]", value, 0..4).prop_map(|members| members.into_iter().collect())
    }

    fn recount(open: &Open, name: usize) -> usize {
        RESULT_COST + name + open.body.size() + open.attached.as_ref().map_or(0, |attached| attached.size())
    }

    proptest! {
        #[test]
        fn merging_text_is_merging_values_and_sizes_add_up(
            pieces in prop::collection::vec((object(value()), "(x|y)?", "(t|u)?", any::<bool>()), 1..8),
        ) {
            let limits = Limits::default();
            let mut partials = Partials::new(limits.open);
            let (mut expected, mut files, mut testout) = (None::<Map<_, _>>, BTreeSet::new(), None);
            for (piece, file, out, forget) in pieces {
                let mut json = piece.clone();
                json.insert("name".into(), "n".into());
                if !file.is_empty() {
                    json.insert("files".into(), serde_json::json!([{"name": file, "length": 0}]));
                    files.insert(file);
                } else if forget {
                    json.insert("files".into(), Value::Null);
                    files.clear();
                }
                if !out.is_empty() {
                    json.insert("testout".into(), out.clone().into());
                    testout = Some(out);
                }
                let text = serde_json::to_vec_pretty(&json).expect("JSON");
                let report = SentResult::parse(&text, &limits).expect("a result");
                partials.keep(&report).expect("small enough");
                match &mut expected {
                    None => expected = Some(piece),
                    Some(expected) => model(expected, piece),
                }
                let open = &partials.open["n"];
                prop_assert_eq!(open.size, recount(open, 1));
                prop_assert_eq!(partials.held, open.size);
            }
            let (_, open) = partials.drain().pop().expect("it waits");
            let mut line = Vec::new();
            open.push_line(&mut line);
            let mut line: Map<String, Value> = serde_json::from_slice(&line).expect("JSON");
            let named: Vec<_> = testout.into_iter().chain(files).map(Value::from).collect();
            let stored = line.remove("files").map_or(Vec::new(), |files| files.as_array().cloned().unwrap_or_default());
            prop_assert_eq!(stored, named);
            line.remove("name");
            prop_assert_eq!(Some(line), expected);
        }
    }
}
