//! Records tests that came to an end: what the tests reported, and never a failure of the infrastructure.

use atex_cache::{RecordOutcome, Ticket};
use atex_graph::Node;

use super::EndedTest;
use super::claim::ClaimedTest;
use crate::event::NodeOutcome;
use crate::exec::record::NodeRun;
use crate::exec::record::audit;
use crate::exec::record::recorder::Unrecorded;
use crate::exec::worker::Worker;
use crate::sut::Reads;

/// The permission and the node to record a test with.
struct ToRecord {
    ticket: Ticket,
    /// See [`NodeRun::observed`].
    observed: Option<Box<Node>>,
}

impl Worker<'_> {
    /// Records tests that passed, if all of them did. A test that failed is recorded on its own, because it runs again in any case. `reads`
    /// are what was read before the last test.
    pub(super) fn record(
        &mut self,
        tried: &mut [EndedTest],
        attempt: u32,
        claims: Vec<ClaimedTest>,
        reads: Vec<Reads>,
    ) {
        let passed = |tried: &EndedTest| tried.outcome == NodeOutcome::Pass && tried.is_recordable();
        if tried.len() == claims.len() && tried.iter().all(passed) {
            if let Some(claimed) = self.claim_passed(tried, claims, reads) {
                for (tried, claimed) in tried.iter_mut().zip(claimed) {
                    self.hand(tried, attempt, claimed);
                }
            }
            return;
        }
        // The tickets of the other tests are dropped, so another SUT can claim their nodes as soon as the verdict is known.
        for (tried, claim) in tried.iter_mut().zip(claims) {
            if passed(tried) || !tried.is_recordable() {
                continue;
            }
            let Some(ticket) = claim.ticket else { continue };
            if let Some(passed) = claim.passed {
                if let Err(error) = audit::disagrees(self.shared.store, ticket.key(), passed) {
                    self.cache_failed(&error);
                }
                tried.doubt = Some("it passed before with the same inputs, so it is flaky".to_owned());
            }
            self.hand(tried, attempt, ToRecord { ticket, observed: None });
            // This run may claim the test again, so its record must be written before.
            self.records.wait();
        }
    }

    /// Takes the files that the tests were seen to read into their keys, and claims these keys. Returns `None` if the reads cannot be asked
    /// for any more or the cache cannot be used; then nothing is recorded.
    fn claim_passed(
        &mut self,
        tried: &mut [EndedTest],
        claims: Vec<ClaimedTest>,
        reads: Vec<Reads>,
    ) -> Option<Vec<ToRecord>> {
        let (shared, lane) = (self.shared, self.shared.job(tried[0].job).lane);
        let (upload, chain) = (shared.lane(lane).upload, shared.chain(lane));
        let tickets: Vec<Ticket> = claims.into_iter().map(|claim| claim.ticket).collect::<Option<_>>()?;
        let read = self.ask_reads(upload).ok()?.map(|mut last| {
            for read in reads {
                last.join(read);
            }
            last
        });
        if self.is_unclear(read.as_ref()) {
            for tried in tried {
                tried.doubt = Some("what it depends on could not be seen: not recorded".to_owned());
            }
            return None;
        }
        let mut claimed = Vec::new();
        for (tried, ticket) in tried.iter_mut().zip(tickets) {
            let node = self.observed_with(tried.job, read.as_ref())?;
            if let Some(path) = shared.unsettled(upload, chain, &node) {
                tried.doubt = Some(format!("`{path}` was changed while it was brought: not recorded"));
                return None;
            }
            if audit::disagreement(shared.store, node.key()).is_some() {
                tried.doubt = Some("its verdicts differ with the same inputs: not recorded".to_owned());
                return None;
            }
            let ticket = if node.key() == ticket.key() {
                ticket
            } else {
                self.ticket_of(node.key())?
            };
            let observed = Some(Box::new(node));
            claimed.push(ToRecord { ticket, observed });
        }
        Some(claimed)
    }

    fn hand(&self, tried: &mut EndedTest, attempt: u32, ToRecord { ticket, observed }: ToRecord) {
        let shared = self.shared;
        let spec = shared.job(tried.job);
        if let Some(node) = &observed {
            tried.key = node.key().to_string();
        }
        let ran = NodeRun {
            node: spec.node,
            observed,
            sut: self.sut.name().to_owned(),
            begun: tried.begun,
            took: tried.took,
            prepared: self.prepared_since(shared.chain(spec.lane)),
            outcome: if tried.outcome == NodeOutcome::Pass {
                RecordOutcome::Passed
            } else {
                RecordOutcome::Failed
            },
            meta: serde_json::json!({ "results": tried.summary.counts, "attempt": attempt }),
        };
        let dir = shared.dir.path().join(&tried.relative);
        self.records.hand(Unrecorded { ticket, ran, dir }, &self.outbox);
    }
}
