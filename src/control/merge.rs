//! Partial results: what waits under a name, and how the next piece is merged into it.
//!
//! A piece waits as text until another one touches it; then only the objects on the way to what changes are taken apart.
//! Numbers keep their digits and members their order: that of first appearance.
//!
//! Where the protocol leaves room: the first piece is kept as it is, its `null`s too; a `null` in a later piece removes the
//! key and is not kept, also where there was nothing to remove.
//!
//! Invariant: `held` is the sum of the sizes of what is open, and a size follows each change of its result.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Status;
use super::json::{self, Members};
use super::result::{Report, Said, push_line, push_members, testout_is_a_file};
use super::violation::Violation;

/// What it costs to hold an open result, a member of an object that was taken apart, or the name of a file, beside its text.
const RESULT_COST: usize = 16;
const MEMBER_COST: usize = 64;

/// The results that wait, by name. The test itself has the empty name, which no subtest can have.
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

    /// Keeps a partial result, merged into the one that waits under its name.
    pub(crate) fn keep(&mut self, report: &Report<'_>) -> Result<(), Violation> {
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

    /// Merges a final result into the one that waits under its name, and takes it out. `None` if none waits.
    pub(crate) fn complete(&mut self, report: &Report<'_>) -> Result<Option<Open>, Violation> {
        let name = report.name.as_deref().unwrap_or_default();
        let Some(mut open) = self.open.remove(name) else {
            return Ok(None);
        };
        self.held -= open.size;
        open.merge(report)?;
        Ok(Some(open))
    }

    /// Takes everything, in the order of first appearance.
    pub(crate) fn drain(&mut self) -> Vec<(Box<str>, Open)> {
        self.held = 0;
        let mut all: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        all.sort_unstable_by_key(|(_, open)| open.appeared);
        all
    }
}

/// A result that waits.
#[derive(Debug)]
pub(crate) struct Open {
    appeared: u64,
    /// An object.
    body: Node,
    attached: Option<Box<Attached>>,
    size: usize,
}

/// The files of a result that waits.
#[derive(Debug, Default)]
struct Attached {
    testout: Option<String>,
    files: Option<BTreeSet<String>>,
    files_size: usize,
}

impl Attached {
    fn size(&self) -> usize {
        self.files_size + self.testout.as_ref().map_or(0, |name| MEMBER_COST + name.len())
    }
}

impl Open {
    /// A result of which nothing is known, behind all others.
    pub(crate) fn empty() -> Self {
        Self {
            appeared: u64::MAX,
            body: Node::Object(Object::default()),
            attached: None,
            size: 0,
        }
    }

    fn first(report: &Report<'_>, appeared: u64) -> Self {
        let mut text = Vec::new();
        push_line(
            &mut text,
            |out| push_members(out, &report.members),
            None,
            None::<std::iter::Empty<_>>,
        );
        let body = Node::text(text);
        let mut open = Self {
            appeared,
            size: RESULT_COST + report.name.as_deref().map_or(0, str::len) + body.size(),
            body,
            attached: None,
        };
        open.attach(report);
        open
    }

    fn merge(&mut self, report: &Report<'_>) -> Result<(), Violation> {
        self.body
            .taken_apart(&mut self.size)
            .merge(&report.members, &mut self.size);
        self.attach(report);
        match (self.testout(), self.files()) {
            (Some(testout), Some(files)) if files.contains(testout) => Err(testout_is_a_file(testout)),
            _ => Ok(()),
        }
    }

    fn attach(&mut self, report: &Report<'_>) {
        if matches!((&report.testout, &report.files), (Said::Nothing, Said::Nothing)) {
            return;
        }
        let attached = self.attached.get_or_insert_default();
        self.size -= attached.size();
        match &report.testout {
            Said::Nothing => {}
            Said::Null => attached.testout = None,
            Said::Given(name) => attached.testout = Some(name.clone()),
        }
        match &report.files {
            Said::Nothing => {}
            Said::Null => {
                attached.files = None;
                attached.files_size = 0;
            }
            Said::Given(files) => {
                let names = attached.files.get_or_insert_default();
                for file in files {
                    if names.insert(file.name.clone()) {
                        attached.files_size += MEMBER_COST + file.name.len();
                    }
                }
            }
        }
        self.size += attached.size();
    }

    /// The name under which the output is attached.
    pub(crate) fn testout(&self) -> Option<&str> {
        self.attached.as_ref()?.testout.as_deref()
    }

    /// Attaches the output, or detaches it.
    pub(crate) fn set_testout(&mut self, name: Option<&str>) {
        self.attached.get_or_insert_default().testout = name.map(str::to_owned);
    }

    /// The names of the files, sorted; `None` where none were ever given.
    pub(crate) fn files(&self) -> Option<&BTreeSet<String>> {
        self.attached.as_ref()?.files.as_ref()
    }

    pub(crate) fn status(&mut self) -> Status {
        self.text("status").map_or(Status::Missing, |text| Status::said(&text))
    }

    pub(crate) fn note(&mut self) -> Option<String> {
        self.text("note")
    }

    /// Sets a member to a text, whatever it was.
    pub(crate) fn set(&mut self, key: &str, text: &str) {
        let mut value = Vec::new();
        json::push_string(&mut value, text);
        self.body
            .taken_apart(&mut self.size)
            .put(key, Node::text(value), &mut self.size);
    }

    /// Appends the stored line, without its newline.
    pub(crate) fn push_line(&self, out: &mut Vec<u8>) {
        let files = self.files().map(|files| files.iter().map(String::as_str));
        push_line(out, |out| self.body.push_inner(out), self.testout(), files);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match &self.body.taken_apart(&mut self.size).members.get(key)?.1 {
            Node::Text(value) => json::string(value).map(std::borrow::Cow::into_owned),
            Node::Object(_) => None,
        }
    }
}

/// A value: its compact text, or an object that was taken apart.
#[derive(Debug)]
enum Node {
    Text(String),
    Object(Object),
}

/// The members of an object, each with its place among them.
#[derive(Debug, Default)]
struct Object {
    members: BTreeMap<Box<str>, (u64, Node)>,
    appeared: u64,
}

impl Node {
    fn text(compact: Vec<u8>) -> Self {
        // What is copied from text at character boundaries is text.
        Self::Text(String::from_utf8(compact).unwrap_or_default())
    }

    fn compact(value: &str) -> Self {
        let mut out = Vec::with_capacity(value.len());
        json::push_compact(&mut out, value);
        Self::text(out)
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Object(object) => object
                .members
                .iter()
                .map(|(key, (_, node))| MEMBER_COST + key.len() + node.size())
                .sum(),
        }
    }

    /// The object that this node is; what is none becomes an empty one. Keeps `size` right.
    fn taken_apart(&mut self, size: &mut usize) -> &mut Object {
        if let Self::Text(text) = self {
            let mut object = Object::default();
            *size -= text.len();
            for (key, value) in json::members(text).unwrap_or_default() {
                object.put(&key, Self::Text(value.to_owned()), size);
            }
            *self = Self::Object(object);
        }
        match self {
            Self::Object(object) => object,
            Self::Text(_) => unreachable!("the text was just replaced"),
        }
    }

    fn merge(&mut self, value: &str, size: &mut usize) {
        let is_object = matches!(self, Self::Object(_)) || matches!(self, Self::Text(text) if text.starts_with('{'));
        match self {
            _ if is_object && value.starts_with('{') => {
                let members = json::members(value).unwrap_or_default();
                self.taken_apart(size).merge(&members, size);
            }
            Self::Text(array) if array.starts_with('[') && value.starts_with('[') => {
                *size -= array.len();
                append(array, value);
                *size += array.len();
            }
            _ => {
                *size -= self.size();
                *self = Self::compact(value);
                *size += self.size();
            }
        }
    }

    /// Appends what stands between the braces of an object, or any other value.
    fn push_inner(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                let inner = text
                    .strip_prefix('{')
                    .and_then(|text| text.strip_suffix('}'))
                    .unwrap_or(text);
                out.extend_from_slice(inner.as_bytes());
            }
            Self::Object(object) => object.push_members(out),
        }
    }
}

impl Object {
    fn merge(&mut self, members: &Members<'_>, size: &mut usize) {
        for (key, value) in members {
            if *value == "null" {
                if let Some((_, node)) = self.members.remove(key.as_ref()) {
                    *size -= MEMBER_COST + key.len() + node.size();
                }
            } else if let Some((_, node)) = self.members.get_mut(key.as_ref()) {
                node.merge(value, size);
            } else {
                self.put(key, Node::compact(value), size);
            }
        }
    }

    /// Sets a member: a new one behind the others, one that exists in its place.
    fn put(&mut self, key: &str, node: Node, size: &mut usize) {
        if let Some((_, old)) = self.members.get_mut(key) {
            *size = *size - old.size() + node.size();
            *old = node;
        } else {
            *size += MEMBER_COST + key.len() + node.size();
            self.members.insert(key.into(), (self.appeared, node));
            self.appeared += 1;
        }
    }

    fn push_members(&self, out: &mut Vec<u8>) {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|(_, (appeared, _))| *appeared);
        for (position, (key, (_, node))) in members.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            json::push_string(out, key);
            out.push(b':');
            match node {
                Node::Text(text) => out.extend_from_slice(text.as_bytes()),
                Node::Object(object) => {
                    out.push(b'{');
                    object.push_members(out);
                    out.push(b'}');
                }
            }
        }
    }
}

/// Appends the elements of an array to another, compact one.
fn append(array: &mut String, more: &str) {
    let mut compact = Vec::with_capacity(more.len());
    json::push_compact(&mut compact, more);
    let more = String::from_utf8(compact).unwrap_or_default();
    let Some(elements) = more.strip_prefix('[').filter(|elements| *elements != "]") else {
        return;
    };
    array.pop();
    if array.len() > 1 {
        array.push(',');
    }
    array.push_str(elements);
}
