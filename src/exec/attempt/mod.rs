//! One attempt of one test: it starts the test, reads its streams, enforces its deadline and restarts it, until the attempt is
//! over.
//!
//! It knows a SUT, the control protocol and a directory to write into, but not the scheduler, the cache or the graph. Whatever
//! happens, the attempt ends with at least one result line in its directory, and says in which condition it leaves the SUT.

pub(crate) mod framework;
mod interface;
pub(crate) mod log;
pub(crate) mod rest_of_plan;
pub(crate) mod script;
pub(crate) mod streams;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::control::{
    ControlMessage, Deadline, Finish, InfraKind, Limits, Mask, Protocol, ResultStore, Status, StoreError, TestSummary,
};
use crate::exec::attempt::framework::Rules;
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::attempt::streams::{Reconnect, Streams, StreamsEnd};
use crate::exec::schedule::After;
use crate::sut::{Cancel, Job, JobKind, Sut, Trouble, TroubleKind};

/// How long a machine may be away after a reboot that a test without limit asked for.
const LONGEST_AWAY: Duration = Duration::from_hours(1);

/// What an attempt needs besides the SUT.
pub(crate) struct Attempt<'a> {
    /// The test as a job; its restart count is set here.
    pub(crate) job: Job,
    /// How its end is judged.
    pub(crate) rules: Rules,
    /// How long it may run; nothing where only the user, or a machine that is silent, ends it.
    pub(crate) duration: Option<Duration>,
    /// The directory for its results, which exists and is empty.
    pub(crate) dir: &'a Path,
    /// Ends it when the user cancels.
    pub(crate) cancel: &'a Cancel,
    /// How long a SUT may be silent before it counts as dead.
    pub(crate) dead_after: Duration,
    /// How many bytes of its output are kept.
    pub(crate) max_output: u64,
    /// Masks secret values in everything that the attempt writes.
    pub(crate) mask: &'a Mask,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct AttemptEnd {
    /// What the test or the infrastructure reported.
    pub(crate) summary: TestSummary,
    /// What it means for the tests after it.
    pub(crate) rest_of_plan: RestOfPlan,
    /// The condition of the SUT afterwards.
    pub(crate) after: SutAfter,
    /// The boot in which the SUT came back the last time that the test disconnected on purpose.
    pub(crate) meant_boot: Option<String>,
    /// The boot in which the SUT was found after its connection was lost, on purpose or not.
    pub(crate) found_boot: Option<String>,
    /// What the test left mounted below the trees, in words.
    pub(crate) mounted: Option<String>,
}

/// The condition in which an attempt left its SUT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SutAfter {
    /// It can go on.
    Usable(After),
    /// It does not answer any more; the text says why.
    Lost(String),
}

/// The host could not write the results of an attempt. The test does not run any more.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: StoreError,
    /// The condition of the SUT afterwards.
    pub(crate) after: SutAfter,
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        let after = SutAfter::Usable(After::Clean);
        Self { error, after }
    }
}

/// Runs the attempt. It fails only if the host cannot write its results.
pub(crate) fn run(
    attempt: Attempt<'_>,
    sut: &mut dyn Sut,
    on_result: &mut dyn FnMut(&Status, Option<&str>),
) -> Result<AttemptEnd, Unwritten> {
    let store = ResultStore::create(attempt.dir)?.with_mask(attempt.mask.clone());
    let mut output = store.output()?.with_cap(Some(attempt.max_output));
    let mut protocol = Protocol::new(store, Limits::default());
    let mut deadline = Deadline::new(attempt.duration.unwrap_or(Duration::MAX), Instant::now());
    let mut job = attempt.job;
    let mut restarts = 0;
    let mut reconnect = Reconnect::No;
    let (mut meant_boot, mut found_boot) = (None, None);
    let mut mounted = false;
    let mut files_ended = Ok(());
    let mut judged = None;
    let (mut finish, mut after) = loop {
        set_restarts(&mut job, restarts);
        let stop = match sut.start(&job) {
            Err(trouble) => StreamsEnd::Infra(kind_of(&trouble), trouble.with_advice()),
            Ok(channel) => {
                let name = sut.name().to_owned();
                let streams = Streams {
                    protocol: &mut protocol,
                    deadline: &mut deadline,
                    output: &mut output,
                    cancel: attempt.cancel,
                    name,
                    reconnect: &mut reconnect,
                    mounted: &mut mounted,
                    code: None,
                    on_result,
                };
                match streams.serve(channel) {
                    Ok(end) => end,
                    Err(error) => {
                        // The rest of its streams was dropped, and with it the word on what is mounted.
                        let mut after = SutAfter::Usable(After::Clean);
                        put_right(sut, &mut after, true);
                        return Err(Unwritten { error, after });
                    }
                }
            }
        };
        match stop {
            StreamsEnd::Exited(code) => {
                files_ended = protocol.end_files();
                let (finish, rest) = attempt.rules.judge(code, attempt.dir);
                if let Finish::Judged(judgement) = &finish {
                    judged = Some((judgement.verdict, rest));
                }
                break (finish, SutAfter::Usable(After::Clean));
            }
            StreamsEnd::Infra(kind, note) => {
                let after = after_infra(sut, kind, attempt.dead_after, &mut found_boot);
                break (Finish::Infra { kind, note }, after);
            }
            StreamsEnd::Disconnected | StreamsEnd::LossWasMeant => {
                match come_back(sut, back_until(attempt.duration, &deadline, Instant::now())) {
                    Ok(boot) => meant_boot = Some(boot),
                    Err(ended) => break ended,
                }
                restarts += 1;
                protocol.restart();
            }
        }
    };
    let mounted = put_right(sut, &mut after, mounted);
    if let Some(mounted) = &mounted {
        let remark = format!("left mounted: {mounted}");
        match &mut finish {
            Finish::Exited(_) | Finish::Judged(_) => protocol.remark(&remark),
            Finish::Infra { note, .. } => *note = format!("{note}; {remark}"),
        }
    }
    let written = files_ended.and_then(|()| output.end());
    let written = written.and_then(|()| protocol.finish(finish));
    let summary = match written {
        Ok(summary) => summary,
        Err(error) => return Err(Unwritten { error, after }),
    };
    for late in &summary.late {
        if let ControlMessage::Result(status, name) = late {
            on_result(status, name.as_deref());
        }
    }
    Ok(AttemptEnd {
        rest_of_plan: RestOfPlan::after(&summary, judged),
        summary,
        after,
        mounted,
        found_boot: found_boot.or_else(|| meant_boot.clone()),
        meant_boot,
    })
}

/// Makes the machine unmount what the test left `mounted` below the trees, and returns what that was. Such a mount shows other
/// files than the tree and hides the tree's own files, so the machine is tainted.
fn put_right(sut: &mut dyn Sut, after: &mut SutAfter, mounted: bool) -> Option<String> {
    if !mounted || matches!(after, SutAfter::Lost(_)) {
        return None;
    }
    let left = match sut.unmount() {
        Ok(left) if left.is_empty() => return None,
        Ok(left) => left,
        Err(trouble) => {
            *after = SutAfter::Lost(trouble.message.clone());
            return Some(trouble.message);
        }
    };
    *after = SutAfter::Usable(After::Tainted);
    Some(left)
}

fn set_restarts(job: &mut Job, count: u32) {
    if let JobKind::Test { restarts, .. } = &mut job.kind {
        *restarts = count;
    }
}

/// Returns until when a machine may be away: as long as its test may run, but no machine is waited for without end.
fn back_until(duration: Option<Duration>, deadline: &Deadline, now: Instant) -> Instant {
    match duration {
        Some(_) => deadline.expires(),
        None => deadline.expires().min(now + LONGEST_AWAY),
    }
}

/// Connects again after a disconnect on purpose, and returns the boot in which the SUT is. An error is the end of the attempt.
fn come_back(sut: &mut dyn Sut, until: Instant) -> Result<String, (Finish, SutAfter)> {
    let ended = |kind, note, after| Err((Finish::Infra { kind, note }, after));
    match sut.reopen(until) {
        // What ran there was ended because its time was over, not because it had finished.
        Ok(_) if Instant::now() >= until => {
            let note = "its time was over before the test could be started again".to_owned();
            ended(InfraKind::Timeout, note, SutAfter::Usable(After::Tainted))
        }
        Ok(hello) => Ok(hello.facts.boot_id),
        Err(trouble) if trouble.kind == TroubleKind::Cancelled => {
            let note = format!("cancelled while `{}` was away", sut.name());
            ended(InfraKind::Cancelled, note, SutAfter::Lost(trouble.message))
        }
        Err(trouble) => {
            let note = format!("did not come back in time: {}", trouble.message);
            ended(InfraKind::Timeout, note, SutAfter::Lost(trouble.message))
        }
    }
}

/// Finds out in which condition an infrastructure failure left the SUT.
fn after_infra(sut: &mut dyn Sut, kind: InfraKind, dead_after: Duration, found: &mut Option<String>) -> SutAfter {
    match kind {
        InfraKind::Timeout => SutAfter::Usable(After::Tainted),
        InfraKind::Aborted => match sut.reopen(Instant::now() + dead_after) {
            Ok(hello) => {
                *found = Some(hello.facts.boot_id);
                SutAfter::Usable(After::Tainted)
            }
            Err(trouble) => SutAfter::Lost(trouble.message),
        },
        InfraKind::Unreachable => SutAfter::Lost(format!("`{}` cannot be reached", sut.name())),
        InfraKind::Control | InfraKind::Setup | InfraKind::Prepare | InfraKind::Cancelled => {
            SutAfter::Usable(After::Clean)
        }
    }
}

/// Returns the kind of infrastructure result for trouble with a SUT.
pub(crate) fn kind_of(trouble: &Trouble) -> InfraKind {
    match trouble.kind {
        TroubleKind::Unreachable | TroubleKind::Held => InfraKind::Unreachable,
        TroubleKind::Aborted => InfraKind::Aborted,
        TroubleKind::Setup => InfraKind::Setup,
        TroubleKind::Cancelled => InfraKind::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LONGEST_AWAY, back_until};
    use crate::control::{Deadline, DurationChange};

    #[test]
    fn a_machine_is_waited_for_as_long_as_its_test_may_run_and_never_without_end() {
        let (now, day) = (Instant::now(), Duration::from_hours(24));
        assert_eq!(back_until(Some(day), &Deadline::new(day, now), now), now + day);
        let mut unlimited = Deadline::new(Duration::MAX, now);
        assert_eq!(back_until(None, &unlimited, now), now + LONGEST_AWAY);
        unlimited.apply(DurationChange::Set(Duration::from_mins(1)), now);
        assert_eq!(back_until(None, &unlimited, now), now + Duration::from_mins(1));
    }
}
