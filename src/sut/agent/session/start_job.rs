//! Starts jobs, each under a wrapper of its own. Where another job will follow, the next wrapper is started ahead.
//!
//! This file decides whether a wrapper is there before its job, and which trouble it is when one does not start the job.

use std::time::{Duration, Instant};

use crate::sut::agent::connection::{ConnectionError, StartError};
use crate::sut::agent::job_text::{self, PackedJob};
use crate::sut::agent::link::Link;
use crate::sut::agent::session::{FORMAT, Machine, OFTEN, marker};
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::agent::wrapper::{JobStartError, WrappedJob, Wrapper};
use crate::sut::{Job, JobKind, Sut as _, Trouble, TroubleKind};

/// The message for a test that wants a terminal where `script` is not installed; the hint follows.
const NO_SCRIPT: &str = "a test with a terminal needs `script` of util-linux, which is not installed";
const HOW_TO_GET_SCRIPT: &str =
    "install it there: package `util-linux-script` of Fedora, `bsdutils` of Debian, else `util-linux`";

/// How long it may take to start a wrapper ahead.
const SPARE: Duration = Duration::from_secs(2);

impl<L: Link> Machine<L> {
    /// Starts a job under a wrapper.
    pub(super) fn start_job(&mut self, job: &Job) -> Result<WrappedJob, Trouble> {
        if self.session.as_ref().is_some_and(|session| session.ahead.is_some()) {
            self.with_session(|_, _| Ok(()))?;
        }
        let Some(session) = &mut self.session else {
            return Err(self.without_session());
        };
        let data = session.dir.join(FORMAT);
        let packed = job_text::pack(job, (&session.dir, &data), session.holder, self.link.can_reboot());
        let packed = match packed {
            Ok(packed) => packed,
            Err(error) => return Err(self.trouble(TroubleKind::Setup, error)),
        };
        let spare = session.spare.take();
        session.ahead = None;
        // The agent gives up a silent runner. This restarts its clock before the wait begins.
        self.tend();
        let another = matches!(job.kind, JobKind::Test { .. });
        self.start_under(spare, &packed, another).map_err(|error| match error {
            JobStartError::Start(error) => self.start_trouble(error),
            JobStartError::Refused(why) => self.trouble(TroubleKind::Setup, why),
            JobStartError::DiskFull(why) => self.trouble(TroubleKind::Setup, why).for_want_of_room(),
            JobStartError::NoTerminal => self.trouble(TroubleKind::Setup, NO_SCRIPT).with_hint(HOW_TO_GET_SCRIPT),
        })
    }

    /// Hands a job to the wrapper that was started ahead, or to a new one. If the job is a test (`another`), starts the
    /// wrapper for the next test too: nobody has to wait for that one to get there.
    fn start_under(
        &mut self,
        spare: Option<Wrapper>,
        job: &PackedJob,
        another: bool,
    ) -> Result<WrappedJob, JobStartError> {
        let cancel = self.cancel.clone();
        // This includes a login.
        let limits = WaitLimits {
            until: Some(Instant::now() + self.link.login_time()),
            ..Self::until_cancelled(&cancel)
        };
        let heartbeat = self.link.heartbeat();
        if let Some(mut spare) = spare
            && !spare.is_gone()
        {
            let handed = spare.hand(job, heartbeat, &limits);
            if another {
                self.spare_wrapper();
            }
            match handed
                .map_err(JobStartError::from)
                .and_then(|()| self.until_started(spare, &limits))
            {
                // The wrapper ended before it took the job or before it ran it: a wrapper that began a job would have said so
                // first.
                Err(JobStartError::Start(StartError::Connection(ConnectionError::Ended(_)))) => {}
                other => return other,
            }
        }
        let mut wrapper = Wrapper::launch(&mut self.link, marker(), &limits)?;
        wrapper.hand(job, heartbeat, &limits)?;
        if another {
            self.spare_wrapper();
        }
        self.until_started(wrapper, &limits)
    }

    /// Waits until a wrapper has started its job. On a busy machine that takes some time, and the agent must not give up the
    /// runner meanwhile.
    fn until_started(&mut self, mut wrapper: Wrapper, limits: &WaitLimits<'_>) -> Result<WrappedJob, JobStartError> {
        loop {
            match wrapper.until_started(&limits.at_most(Instant::now() + OFTEN)) {
                Ok(()) => return Ok(wrapper.into_job(self.link.heartbeat(), self.cancel.clone())),
                Err(JobStartError::Start(StartError::Connection(ConnectionError::TimedOut)))
                    if limits.until > Some(Instant::now()) =>
                {
                    self.tend();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts the next wrapper ahead, so that the next job starts within one round trip. If that fails, there is simply no
    /// spare wrapper. The environment from its login is as old as the previous job: that is good enough for tests, which do
    /// not depend on each other, but not for steps that follow scripts.
    pub(super) fn spare_wrapper(&mut self) {
        if self.session.as_ref().is_some_and(|session| session.spare.is_none()) {
            let spare = self.launch_spare();
            if let Some(session) = &mut self.session {
                session.spare = spare;
            }
        }
    }

    pub(super) fn launch_spare(&mut self) -> Option<Wrapper> {
        let cancel = self.cancel.clone();
        let limits = WaitLimits {
            until: Some(Instant::now() + SPARE),
            ..Self::until_cancelled(&cancel)
        };
        Wrapper::launch(&mut self.link, marker(), &limits).ok()
    }
}
