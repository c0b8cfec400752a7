//! Origins, which say where values come from: the meaning of [`Mark`]s.
//!
//! A mark is either a place (file number and line) or a link of the tree's history. A link has a place that took part in a merge,
//! the mark of what was there before, and the adjust rule that caused it. The entries of mappings carry the marks, so a value
//! that is inherited unchanged costs nothing.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::MetadataFile;
use crate::value::Mark;
use crate::{Location, MarkedLine};

/// Whether no origins are kept. `benches/discover.rs` uses such a build to measure what keeping them costs.
const PLAIN: bool = option_env!("ATEX_PLAIN_BUILD").is_some();

/// The bit that is set in marks that are links.
const LINK: u64 = 1 << 63;

/// A place that made a value, or changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where the key stands.
    pub location: Location,
    /// The adjust rule that caused it.
    pub adjust: Option<AdjustRule>,
}

/// An adjust rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustRule {
    /// The text of `when`. A rule without it always applies.
    pub when: Option<Arc<str>>,
    /// Where the rule starts.
    pub location: Location,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.location)?;
        match self.adjust.as_ref().map(|rule| rule.when.as_deref()) {
            None => Ok(()),
            Some(None) => write!(f, " (adjust)"),
            Some(Some(when)) => write!(f, " (adjust \"{}\")", shortened(when)),
        }
    }
}

impl fmt::Display for AdjustRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            None => write!(f, "always, ")?,
            Some(when) => write!(f, "\"{}\" ", shortened(when))?,
        }
        write!(f, "at {}", self.location)
    }
}

/// Shows everything that made a value, from first to last: `tests/main.fmf:12, adjust "distro == rhel-9" at tests/main.fmf:40`.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'o>(pub &'o [Origin]);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, origin) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match origin.adjust.as_ref().map(|rule| rule.when.as_deref()) {
                None => {}
                Some(None) => f.write_str("adjust at ")?,
                Some(Some(when)) => write!(f, "adjust \"{}\" at ", shortened(when))?,
            }
            write!(f, "{}", origin.location)?;
        }
        Ok(())
    }
}

/// Returns a condition for people. Of a very long condition, it is the beginning.
fn shortened(when: &str) -> Cow<'_, str> {
    const SHOWN: usize = 200;
    match when.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(when),
        Some((end, _)) => Cow::Owned(format!("{}…", &when[..end])),
    }
}

impl Chain<'_> {
    /// Returns the text of a chain for a message. Of a long chain, it is the beginning and the end.
    pub fn brief(self) -> String {
        const BEGINNING: usize = 2;
        const END: usize = 4;
        match self.0.len().checked_sub(BEGINNING + END) {
            None | Some(0) => self.to_string(),
            Some(more) => {
                let (beginning, rest) = self.0.split_at(BEGINNING);
                format!("{}, … {more} more …, {}", Chain(beginning), Chain(&rest[more..]))
            }
        }
    }
}

/// The links of a tree, and the adjust rules in them.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    links: Vec<Link>,
    rules: Vec<RuleRecord>,
}

/// A moment in the growth of a [`History`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    links: usize,
    rules: usize,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    place: Mark,
    previous: Mark,
    rule: Option<u32>,
}

#[derive(Clone, Debug)]
struct RuleRecord {
    when: Option<Arc<str>>,
    place: Mark,
}

impl Mark {
    /// Makes the mark of a place.
    pub(crate) fn place(file: u32, line: u32) -> Self {
        if PLAIN {
            return Self::default();
        }
        Self(((u64::from(file) + 1) << 32 | u64::from(line)) & !LINK)
    }

    /// Returns the file number and the line of a place.
    pub fn as_place(self) -> Option<(u32, u32)> {
        if self.0 & LINK != 0 || self.0 == 0 {
            return None;
        }
        let file = u32::try_from((self.0 >> 32) - 1).ok()?;
        Some((file, u32::try_from(self.0 & u64::from(u32::MAX)).ok()?))
    }
}

impl History {
    /// Adds a rule and returns its number.
    pub(super) fn add_rule(&mut self, when: Option<Arc<str>>, place: Mark) -> u32 {
        self.rules.push(RuleRecord { when, place });
        u32::try_from(self.rules.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a link: what is at `place` changed a value, or made it if there is no `previous`.
    pub(super) fn add_link(&mut self, place: Mark, previous: Mark, rule: Option<u32>) -> Mark {
        if PLAIN {
            return Mark::default();
        }
        self.links.push(Link {
            place: self.place_of(place),
            previous,
            rule,
        });
        Mark(LINK | (self.links.len() as u64 - 1))
    }

    /// Returns the present length, for [`History::forget`].
    pub(super) fn length(&self) -> Length {
        Length {
            links: self.links.len(),
            rules: self.rules.len(),
        }
    }

    /// Forgets all links and rules that were added since then. Marks that refer to them must not be used any more.
    pub(super) fn forget(&mut self, since: Length) {
        self.links.truncate(since.links);
        self.rules.truncate(since.rules);
    }

    /// Returns whether a mark stays valid after [`History::forget`] with this length.
    pub(super) fn keeps(mark: Mark, length: Length) -> bool {
        mark.0 & LINK == 0 || usize::try_from(mark.0 & !LINK).is_ok_and(|at| at < length.links)
    }

    /// Returns the steps of a mark as marks of places, from last to first, each with the condition and place of its rule.
    pub(super) fn steps(&self, mark: Mark) -> impl Iterator<Item = (Mark, Option<(Option<&str>, Mark)>)> {
        let mut next = Some(mark);
        std::iter::from_fn(move || {
            let mark = next?;
            let link = self.link(mark);
            next = link.map(|link| link.previous);
            let rule = link.and_then(|link| self.rules.get(link.rule? as usize));
            let rule = rule.map(|rule| (rule.when.as_deref(), self.place_of(rule.place)));
            Some((self.place_of(mark), rule))
        })
    }

    /// Returns the last place that a mark stands for.
    pub(super) fn place_of(&self, mark: Mark) -> Mark {
        self.link(mark).map_or(mark, |link| link.place)
    }

    /// Returns the chain of a mark, from first to last.
    pub(super) fn chain(&self, mark: Mark, files: &[MetadataFile]) -> Vec<Origin> {
        let mut chain = Vec::new();
        let mut next = mark;
        loop {
            let link = self.link(next);
            let rule = link.and_then(|link| link.rule).and_then(|rule| self.rule(rule, files));
            if let Some(location) = resolve(self.place_of(next), files) {
                chain.push(Origin { location, adjust: rule });
            }
            match link {
                Some(link) => next = link.previous,
                None => break,
            }
        }
        chain.reverse();
        chain
    }

    fn link(&self, mark: Mark) -> Option<&Link> {
        let at = usize::try_from(mark.0 & !LINK).ok()?;
        (mark.0 & LINK != 0).then(|| self.links.get(at)).flatten()
    }

    /// Returns a rule by its number.
    pub(super) fn rule(&self, number: u32, files: &[MetadataFile]) -> Option<AdjustRule> {
        let record = self.rules.get(number as usize)?;
        Some(AdjustRule {
            when: record.when.clone(),
            location: resolve(self.place_of(record.place), files)?,
        })
    }
}

fn resolve(place: Mark, files: &[MetadataFile]) -> Option<Location> {
    let (file, line) = place.as_place()?;
    let file = files.get(file as usize)?.path.clone();
    Some(Location { file, line })
}

/// Marks the key at a file number and line. This reads the file again.
pub(super) fn marked_line_at(root: &Path, files: &[MetadataFile], (file, line): (u32, u32)) -> MarkedLine {
    let file = files
        .get(file as usize)
        .map_or_else(PathBuf::new, |file| file.path.clone());
    let bytes = fs::read(root.join(&file)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let key = lines.nth(line.saturating_sub(1) as usize).unwrap_or_default();
    let line = line.max(1);
    MarkedLine::of_key(Location { file, line }, key)
}
