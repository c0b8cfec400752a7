//! What the rules of an interface other than atex's make of a test that ended by itself: its results, and the verdict over them.

use super::json::push_string;
use super::result::merge::Open;
use super::{Status, Verdict};

/// A result that was judged, not reported over the control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The subtest; nothing for the test itself.
    pub name: Option<String>,
    /// What came of it.
    pub status: Status,
    /// What would have come of it if the metadata did not say how that is to be taken; nothing where it is the same.
    pub original: Option<Status>,
    /// For people; may be empty.
    pub note: String,
    /// Files of the test that belong to it, below its `files`.
    pub log: Vec<String>,
}

impl Judged {
    /// One of the test itself.
    pub fn own(status: Status, note: impl Into<String>) -> Self {
        Self {
            name: None,
            status,
            original: None,
            note: note.into(),
            log: Vec::new(),
        }
    }

    /// Adds what it says to a result that waits.
    pub(super) fn tell(&self, open: &mut Open) {
        if let Some(name) = &self.name {
            open.set("name", name);
        }
        open.set("status", self.status.as_str());
        if let Some(original) = &self.original {
            open.set("original-result", original.as_str());
        }
        if !self.note.is_empty() {
            open.set("note", &self.note);
        }
        if !self.log.is_empty() {
            let mut list = vec![b'['];
            for (position, log) in self.log.iter().enumerate() {
                if position > 0 {
                    list.push(b',');
                }
                push_string(&mut list, log);
            }
            list.push(b']');
            open.set_json("log", list);
        }
    }
}

/// All that the rules make of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The result of the test itself.
    pub own: Judged,
    /// Those of its parts, in order.
    pub parts: Vec<Judged>,
    /// What counts: a part that failed need not make its test fail.
    pub verdict: Verdict,
    /// Whether a result fails, which a warning does not, although no test passes with one.
    pub fails: bool,
}
