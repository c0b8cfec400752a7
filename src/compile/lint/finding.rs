//! Lint findings and their collection. What many nodes inherit from one place becomes one finding.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use atex_fmf::{Location, MarkedLine};

use super::code::LintCode;
use super::score::Blockers;
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::source_text::SourceText;

/// Something that is wrong in the metadata, or that was probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the finding.
    pub code: LintCode,
    /// The place of the finding; `None` if no line of the files is about it.
    pub marked: Option<MarkedLine>,
    /// What is wrong.
    pub message: String,
    /// How to mend it, if that is clear.
    pub hint: Option<String>,
    /// The first node that has it.
    pub node: String,
    /// How many nodes have it.
    pub nodes: usize,
}

/// Two findings with the same identity are one finding.
type Identity = (Option<(Location, u32)>, LintCode, String);

/// The findings of a tree while they are being collected.
#[derive(Debug)]
pub(super) struct Findings {
    sources: SourceText,
    allowed: BTreeSet<LintCode>,
    found: Vec<Finding>,
    seen: HashMap<Identity, Seen>,
    /// What counts for the score; `None` while findings are made on which no verdict depends.
    pub(super) blockers: Option<Blockers>,
}

#[derive(Debug)]
struct Seen {
    index: usize,
    /// The node that had the finding last. A node counts once, even if it has the finding several times.
    last: String,
}

impl Findings {
    /// Starts an empty collection. Findings with an `allowed` code are not collected.
    pub(super) fn new(root: PathBuf, allowed: BTreeSet<LintCode>) -> Self {
        Self {
            sources: SourceText::new(root),
            allowed,
            found: Vec::new(),
            seen: HashMap::new(),
            blockers: Some(Blockers::default()),
        }
    }

    /// Adds a finding about a key of a mapping; `word` is what the caret marks.
    pub(super) fn add(
        &mut self,
        code: LintCode,
        at: (&Scope<'_>, &str),
        word: &str,
        message: String,
        hint: Option<String>,
    ) {
        let (scope, key) = at;
        let location = scope.location(key);
        self.add_at(code, (scope.node(), location.as_ref()), word, message, hint);
    }

    /// Adds a finding about a node and a place.
    pub(super) fn add_at(
        &mut self,
        code: LintCode,
        at: (&str, Option<&Location>),
        word: &str,
        message: String,
        hint: Option<String>,
    ) {
        if let Some(blockers) = &mut self.blockers {
            blockers.note(code, &message);
        }
        if self.allowed.contains(&code) {
            return;
        }
        let (node, location) = at;
        let marked = location.map(|location| self.sources.mark(location, word));
        self.keep(code, (node, marked), message, hint);
    }

    /// Adds a finding with a mark that was made before.
    pub(super) fn add_marked(&mut self, code: LintCode, (node, marked): (&str, MarkedLine), message: String) {
        if !self.allowed.contains(&code) {
            self.keep(code, (node, Some(marked)), message, None);
        }
    }

    fn keep(
        &mut self,
        code: LintCode,
        (node, marked): (&str, Option<MarkedLine>),
        message: String,
        hint: Option<String>,
    ) {
        let position = marked.as_ref().map(|marked| (marked.location.clone(), marked.column));
        if let Some(seen) = self.seen.get_mut(&(position.clone(), code, message.clone())) {
            if seen.last != node {
                node.clone_into(&mut seen.last);
                self.found[seen.index].nodes += 1;
            }
            return;
        }
        let seen = Seen {
            index: self.found.len(),
            last: node.to_owned(),
        };
        self.seen.insert((position, code, message.clone()), seen);
        self.found.push(Finding {
            code,
            marked,
            message,
            hint,
            node: node.to_owned(),
            nodes: 1,
        });
    }

    /// Returns whether an unusable adjust rule in this file was reported already.
    pub(super) fn has_rule_error_in(&self, file: &Path) -> bool {
        self.found.iter().any(|finding| {
            let here = finding
                .marked
                .as_ref()
                .is_some_and(|marked| marked.location.file == file);
            here && matches!(finding.code, LintCode::BadRule | LintCode::BadAdjust)
        })
    }

    /// Returns the findings, ordered by file and line.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut found = self.found;
        let position = |finding: &Finding| {
            let marked = finding.marked.as_ref();
            marked.map(|marked| (marked.location.clone(), marked.column))
        };
        found.sort_by_cached_key(|finding| (position(finding), finding.code, finding.node.clone()));
        found
    }
}
