//! Requests to the agent, one after another or ahead of what will be asked next.

use std::time::Instant;

use super::{HURRY, Machine, REQUEST, Session};
use crate::sut::agent::access_times;
use crate::sut::agent::connection::Connection;
use crate::sut::agent::link::Link;
use crate::sut::agent::reply::{MAX_LISTING, RequestError};
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::sync::{self, EarlyCheck};
use crate::sut::{Cancel, Reads, SyncMode, Trouble, TroubleKind, Upload, Urgency};

impl<L: Link> Machine<L> {
    /// Makes the trouble that there is no session, with the reason where it is known.
    pub(super) fn without_session(&mut self) -> Trouble {
        let known = self.lost.take();
        known.unwrap_or_else(|| self.trouble(TroubleKind::Aborted, "there is no connection"))
    }

    /// Returns limits for a wait that only a further cancellation ends.
    pub(super) fn until_cancelled(cancel: &Cancel) -> WaitLimits<'_> {
        WaitLimits {
            cancel,
            known: cancel.urgency(),
            until: None,
        }
    }

    /// Returns limits for a request that must be made even after a first Ctrl-C.
    pub(super) fn brief(cancel: &Cancel) -> WaitLimits<'_> {
        let hurry = cancel.urgency() == Urgency::Now;
        WaitLimits {
            cancel,
            known: cancel.urgency().max(Urgency::Graceful),
            until: hurry.then(|| Instant::now() + HURRY),
        }
    }

    /// Runs a request on the session. Ends the session if the connection breaks.
    pub(super) fn with_session<T>(
        &mut self,
        ask: impl FnOnce(&mut Connection, &Cancel) -> Result<T, RequestError>,
    ) -> Result<T, Trouble> {
        let Some(session) = &mut self.session else {
            return Err(self.without_session());
        };
        session.agent.begin_request(Some(REQUEST));
        let heard = match &mut session.ahead {
            Some(ahead) => ahead.hear(&mut session.agent, &Self::brief(&self.cancel)),
            None => Ok(()),
        };
        let outcome = heard
            .map_err(RequestError::from)
            .and_then(|()| ask(&mut session.agent, &self.cancel));
        if matches!(outcome, Err(RequestError::Connection(_))) {
            self.session = None;
        }
        outcome.map_err(|error| self.request_trouble(error))
    }

    /// Sends the question with which the next sync begins, and before it, where that is wanted, the question about what the job has
    /// read. Does not wait for the replies.
    pub(super) fn ask_ahead(&mut self, upload: &Upload, mode: SyncMode) {
        let limits = Self::brief(&self.cancel);
        if let Some(session) = self.session.as_mut().filter(|session| session.ahead.is_none()) {
            let question = sync::question(upload, mode);
            let before = upload.observed.then(|| access_times::question(&upload.slot, true));
            let sent = [before.as_deref().unwrap_or_default(), &question].concat();
            // If the machine is lost, the next request will find that out.
            if session.agent.send(sent.as_bytes(), &limits).is_ok() {
                let ahead = EarlyCheck::sent(question);
                session.ahead = Some(if upload.observed { ahead.behind_reads() } else { ahead });
            }
        }
    }

    /// Returns which slots are on the machine, and when each was last used.
    pub(super) fn ask_slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        let reply = self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(b"slots\n", &limits)?;
            agent.read_reply(MAX_LISTING, &limits)?.accept()
        })?;
        let slot = |line: &str| {
            let (at, slot) = line.split_once(' ')?;
            Some((slot.to_owned(), at.parse().ok()?))
        };
        Ok(reply.text(0).lines().filter_map(slot).collect())
    }

    /// Returns what the job has read. A reply that was asked for ahead is taken alone, without the one behind it.
    pub(super) fn ask_reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble> {
        let limits = Self::brief(&self.cancel);
        let known = match &mut self.session {
            Some(Session {
                ahead: Some(ahead),
                agent,
                ..
            }) => {
                agent.begin_request(Some(REQUEST));
                ahead.take_reads(agent, &limits)
            }
            _ => Ok(None),
        };
        match known {
            Ok(Some(reply)) => access_times::read(reply).map_err(|error| self.request_trouble(error)),
            Ok(None) => self.with_session(|agent, cancel| {
                let limits = Self::brief(cancel);
                agent.send(access_times::question(slot, false).as_bytes(), &limits)?;
                access_times::read(agent.read_reply(MAX_LISTING, &limits)?)
            }),
            Err(broken) => {
                self.session = None;
                let trouble = self.connection_trouble(broken);
                self.lost = Some(trouble.clone());
                Err(trouble)
            }
        }
    }
}
