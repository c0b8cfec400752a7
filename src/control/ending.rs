//! The end of a test: open partial results become final, and the test gets a result for itself if it reported none.
//!
//! Invariant: after [`Protocol::finish`] the store has at least one result without a name, which is the test's own.

use super::result::merge::Open;
use super::violation::{ControlError, Violation};
use super::{Finish, InfraKind, Judgement, OUTPUT, Protocol, Status, StoreError, TestSummary, Verdict};

impl Protocol {
    /// Ends all files of the test, so that they can be read. Nothing more is taken from the stream.
    pub fn end_files(&mut self) -> Result<(), StoreError> {
        self.leave_upload();
        self.store.end_files()
    }

    /// Ends the test: stores the open results, and a fallback result if the test reported none for itself.
    pub fn finish(mut self, how: Finish) -> Result<TestSummary, StoreError> {
        self.end_files()?;
        let mut open = self.partials.drain();
        let violation = self.link_testouts(&mut open)?;
        let how = match (how, violation) {
            (Finish::Exited(_) | Finish::Judged(_), Some(violation)) => Finish::Infra {
                kind: InfraKind::Control,
                note: violation.note().to_owned(),
            },
            (how, _) => how,
        };
        let how = match how {
            Finish::Infra { kind, note } => Finish::Infra {
                kind,
                note: self.store.mask().text(&note).into_owned(),
            },
            how @ (Finish::Exited(_) | Finish::Judged(_)) => how,
        };
        let mut verdict = self.reported(&mut open);
        if let Finish::Judged(judgement) = &how {
            verdict = verdict.max(judgement.verdict);
            self.store_judged(judgement, &mut open)?;
        }
        if !self.ended.nameless {
            let base = open.iter().position(|(name, _)| name.is_empty()).unwrap_or_else(|| {
                open.push((Box::default(), Open::empty()));
                open.len() - 1
            });
            self.make_fallback(&mut open[base].1, &how)?;
        }
        if let Some(remark) = &self.remark {
            match open.iter_mut().rfind(|(name, _)| name.is_empty()) {
                Some((_, own)) => {
                    let note = joined(own.note().as_deref(), remark);
                    own.set("note", &note);
                }
                None => self.ended.note = joined(Some(&self.ended.note), remark),
            }
        }
        let fallback_is_infra = !self.ended.nameless && matches!(how, Finish::Infra { .. });
        for (name, mut result) in open {
            let status = if fallback_is_infra && name.is_empty() {
                Status::Infra
            } else {
                result.status()
            };
            self.store.line(|out| result.push_line(out))?;
            self.note_final(status, Some(&*name).filter(|name| !name.is_empty()), || result.note());
        }
        self.store.flush()?;
        if matches!(how, Finish::Judged(_)) {
            self.ended.tally.verdict = verdict;
        }
        Ok(self.summary(how))
    }

    /// Returns the worst verdict of all that the test reported over the stream, also of what is still open.
    fn reported(&self, open: &mut [(Box<str>, Open)]) -> Verdict {
        let told = |(name, result): &mut (Box<str>, Open)| match result.status() {
            // Files of the test itself, of which nothing else is said.
            Status::Missing if name.is_empty() => Verdict::Pass,
            status => status.verdict(),
        };
        let waiting = open.iter_mut().map(told).max();
        self.ended.tally.verdict.max(waiting.unwrap_or_default())
    }

    /// Stores the parts of a test that was judged, and adds what was judged of the test itself to what is open: to the
    /// result that the test left for itself without a status, or beside what was said of the test already.
    fn store_judged(&mut self, judgement: &Judgement, open: &mut Vec<(Box<str>, Open)>) -> Result<(), StoreError> {
        for part in &judgement.parts {
            let mut result = Open::empty();
            part.tell(&mut result);
            self.store.line(|out| result.push_line(out))?;
            self.note_final(part.status.clone(), part.name.as_deref(), || Some(part.note.clone()));
        }
        let mut left = open.iter_mut().find(|(name, _)| name.is_empty()).map(|(_, left)| left);
        let is_said = left
            .as_mut()
            .map_or(self.ended.nameless, |left| left.status() != Status::Missing);
        match (is_said, left) {
            (false, Some(left)) => judgement.own.tell(left),
            // The fallback will say it.
            (false, None) => {}
            (true, _) => {
                let mut own = Open::empty();
                judgement.own.tell(&mut own);
                open.push((Box::default(), own));
            }
        }
        Ok(())
    }

    /// Links the output for all results that are still open. A result whose link fails is stored without it. Returns
    /// the first reason why a link failed.
    fn link_testouts(&mut self, open: &mut [(Box<str>, Open)]) -> Result<Option<Violation>, StoreError> {
        let mut first = None;
        for (name, result) in open {
            let subtest = Some(&**name).filter(|name| !name.is_empty());
            match self.link_testout(subtest, result.testout()) {
                Ok(()) => {}
                Err(ControlError::Violation(violation)) => {
                    result.set_testout(None);
                    first.get_or_insert(violation);
                }
                Err(ControlError::Store(error)) => return Err(error),
            }
        }
        Ok(first)
    }

    /// Completes the test's own result from how the test ended. `base` is what the test left open for itself.
    fn make_fallback(&mut self, base: &mut Open, how: &Finish) -> Result<(), StoreError> {
        match how {
            Finish::Exited(judged) if base.status() == Status::Missing => {
                base.set("status", judged.as_str());
            }
            Finish::Judged(judgement) if base.status() == Status::Missing => judgement.own.tell(base),
            Finish::Exited(_) | Finish::Judged(_) => {}
            Finish::Infra { kind, note } => {
                base.set("status", Status::Infra.as_str());
                base.set("error", kind.as_str());
                base.set("note", note);
            }
        }
        let named = base.testout().is_some() || base.files().is_some_and(|files| files.contains(OUTPUT));
        if named || !self.store.output_has_its_name() {
            return Ok(());
        }
        match self.link_testout(None, Some(OUTPUT)) {
            Ok(()) => base.set_testout(Some(OUTPUT)),
            // Something that atex did not make has taken the name. The output itself is still where it was.
            Err(ControlError::Violation(_)) => {}
            Err(ControlError::Store(error)) => return Err(error),
        }
        Ok(())
    }

    fn summary(self, how: Finish) -> TestSummary {
        let infra = match how {
            Finish::Exited(_) | Finish::Judged(_) => None,
            Finish::Infra { kind, note } => Some((kind, note)),
        };
        TestSummary {
            verdict: if infra.is_some() {
                Verdict::Infra
            } else {
                self.ended.tally.verdict
            },
            results: self.ended.tally.results,
            note: infra.as_ref().map_or(self.ended.note, |(_, note)| note.clone()),
            counts: self.ended.tally.into_counts(),
            infra,
            late: self.said.into(),
        }
    }
}

/// Joins a note and a remark that follows it.
fn joined(note: Option<&str>, remark: &str) -> String {
    let note = note.filter(|note| !note.is_empty());
    note.into_iter().chain([remark]).collect::<Vec<_>>().join("; ")
}
