//! Questions to the agent: one after another, or ahead of what will be asked next.

use std::time::Instant;

use super::{HURRY, Machine, REQUEST, Session};
use crate::sut::agent::access_times;
use crate::sut::agent::connection::{LIST, Patience, Talk};
use crate::sut::agent::link::Link;
use crate::sut::sync::{self, Ahead, NotSynced};
use crate::sut::{Cancel, Reads, SyncMode, Trouble, TroubleKind, Upload, Urgency};

impl<L: Link> Machine<L> {
    /// Why nothing can be asked.
    pub(super) fn without_session(&mut self) -> Trouble {
        let known = self.lost.take();
        known.unwrap_or_else(|| self.trouble(TroubleKind::Aborted, "there is no connection"))
    }

    /// Patience for what only a new cancellation ends.
    pub(super) fn until_cancelled(cancel: &Cancel) -> Patience<'_> {
        Patience {
            cancel,
            known: cancel.urgency(),
            until: None,
        }
    }

    /// Patience for what must be done also after a first Ctrl-C.
    pub(super) fn brief(cancel: &Cancel) -> Patience<'_> {
        let hurry = cancel.urgency() == Urgency::Now;
        Patience {
            cancel,
            known: cancel.urgency().max(Urgency::Graceful),
            until: hurry.then(|| Instant::now() + HURRY),
        }
    }

    /// Runs a request on the session. A session that broke is over.
    pub(super) fn with_session<T>(
        &mut self,
        ask: impl FnOnce(&mut Talk, &Cancel) -> Result<T, NotSynced>,
    ) -> Result<T, Trouble> {
        let Some(session) = &mut self.session else {
            return Err(self.without_session());
        };
        session.agent.begin(Some(REQUEST));
        let heard = match &mut session.ahead {
            Some(ahead) => ahead.hear(&mut session.agent, &Self::brief(&self.cancel)),
            None => Ok(()),
        };
        let outcome = heard
            .map_err(NotSynced::from)
            .and_then(|()| ask(&mut session.agent, &self.cancel));
        if matches!(outcome, Err(NotSynced::Broken(_))) {
            self.session = None;
        }
        outcome.map_err(|error| self.not_synced(error))
    }

    /// Asks with what the next sync begins, and before that what the job has read where that is wanted, and does not wait.
    pub(super) fn ask_ahead(&mut self, upload: &Upload, mode: SyncMode) {
        let patience = Self::brief(&self.cancel);
        if let Some(session) = self.session.as_mut().filter(|session| session.ahead.is_none()) {
            let question = sync::question(upload, mode);
            let before = upload.observed.then(|| access_times::question(&upload.slot, true));
            let sent = [before.as_deref().unwrap_or_default(), &question].concat();
            // A machine that is lost is found out when it is wanted.
            if session.agent.send(sent.as_bytes(), &patience).is_ok() {
                let ahead = Ahead::sent(question);
                session.ahead = Some(if upload.observed { ahead.behind_reads() } else { ahead });
            }
        }
    }

    /// Tells which slots are there, and when each was used last.
    pub(super) fn ask_slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        let reply = self.with_session(|agent, cancel| {
            let patience = Self::brief(cancel);
            agent.send(b"slots\n", &patience)?;
            sync::accept(agent.reply(LIST, &patience)?)
        })?;
        let slot = |line: &str| {
            let (at, slot) = line.split_once(' ')?;
            Some((slot.to_owned(), at.parse().ok()?))
        };
        Ok(reply.text(0).lines().filter_map(slot).collect())
    }

    /// Tells what the job has read. An answer that was asked for ahead is taken without those behind it.
    pub(super) fn ask_reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble> {
        let patience = Self::brief(&self.cancel);
        let known = match &mut self.session {
            Some(Session {
                ahead: Some(ahead),
                agent,
                ..
            }) => {
                agent.begin(Some(REQUEST));
                ahead.take_reads(agent, &patience)
            }
            _ => Ok(None),
        };
        match known {
            Ok(Some(reply)) => access_times::read(reply).map_err(|error| self.not_synced(error)),
            Ok(None) => self.with_session(|agent, cancel| {
                let patience = Self::brief(cancel);
                agent.send(access_times::question(slot, false).as_bytes(), &patience)?;
                access_times::read(agent.reply(LIST, &patience)?)
            }),
            Err(broken) => {
                self.session = None;
                let trouble = self.broken(broken);
                self.lost = Some(trouble.clone());
                Err(trouble)
            }
        }
    }
}
