//! Bringing a SUT into a lane: its tree, what is missing of its prepare chain, the packages of the tests that wait.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::compile::spec::{StepId, UploadId};
use crate::control::InfraKind;
use crate::exec::attempt::script::{self, Ran};
use crate::exec::event::{Event, NodeOutcome};
use crate::exec::options::{Mode, OnReboot, OnTaint, Until};
use crate::exec::record::observed_inputs::{self, MOST_FILES, Paths};
use crate::exec::run::shared::unix_now;
use crate::exec::schedule::{Input, JobId, LaneId, Skip};
use crate::exec::worker::{Failed, Worker};
use crate::sut::packages::{self, Need};
use crate::sut::{Due, EnvFile, Job, JobKind, Room, SyncMode, Synced, Trouble, TroubleKind, Upload, Urgency};

/// Said where steps are run again because of it.
const LOST_PREPARED: &str = "what a prepare step made in the tree is not there as it was";

/// How often files are sent again that changed meanwhile, before that is given up.
const SENT_AGAIN: u32 = 20;

/// Who writes may come to an end; after each time a little later.
const BREATH: Duration = Duration::from_millis(20);

/// How strict a sync is where so many steps of a chain are done: what no step of the chain made, has no place in its tree.
pub(crate) fn mode_of(done: usize) -> SyncMode {
    if done == 0 {
        SyncMode::ExactIfUnprepared
    } else {
        SyncMode::KeepPrepared(done)
    }
}

/// What came of a package transaction.
pub(crate) enum Installed {
    /// They are there.
    All,
    /// They are not; why.
    Not(String),
    /// The user cancelled.
    Cancelled,
}

impl Worker<'_> {
    /// Approach: find how much of the chain the SUT says is done; forget what it does not build on; bring the tree; run the rest,
    /// step by step; then install what the waiting tests require.
    pub(crate) fn enter(&mut self, lane: LaneId, pending: &[JobId]) -> Result<Input, Failed> {
        if self.shared.options.mode == Mode::Finish {
            return Ok(Input::Entered);
        }
        if let Some(reason) = self.unwanted() {
            return Ok(Input::EnterFailed(reason));
        }
        let plans: Vec<_> = self.shared.plans(lane).map(|plan| plan.name.as_str()).collect();
        self.tell("entering", plans.join(" "));
        match self.bring_into(lane, pending) {
            Ok(None) => {
                self.tell("ready", String::new());
                Ok(Input::Entered)
            }
            Ok(Some(reason)) => Ok(Input::EnterFailed(reason)),
            // The machine answers: only this lane is beyond it.
            Err(Failed::Sut(trouble)) if trouble.kind == TroubleKind::Setup => {
                Ok(Input::EnterFailed(Skip::Setup(trouble.with_advice())))
            }
            Err(failed) => Err(failed),
        }
    }

    fn bring_into(&mut self, lane: LaneId, pending: &[JobId]) -> Result<Option<Skip>, Failed> {
        self.note_unfinished(lane)?;
        let done = self.bring_standing(lane)?;
        for (index, &step) in self.shared.chain(lane)[..done].iter().enumerate() {
            self.tell_reused(step, index);
        }
        if let Some(reason) = self.prepare_rest(lane, done)? {
            return Ok(Some(reason));
        }
        if self.shared.options.until < Until::Test || self.install_for_tests(lane, pending)? {
            return Ok(None);
        }
        Ok(Some(Skip::Cancelled))
    }

    /// Brings the lane's tree with what steps of its chain made there, and makes the machine say that it has done these and no others.
    /// Returns how many they are: all that need not run again.
    fn bring_standing(&mut self, lane: LaneId) -> Result<usize, Failed> {
        let shared = self.shared;
        let chain = shared.chain(lane);
        let mut done = self.stand(chain)?;
        // A build begins with the first step; where there is none, with nothing said by those before.
        if chain.is_empty() && shared.options.mode == Mode::Build {
            self.sut.reset_env_file(&self.shared.project.id, EnvFile::Base)?;
        }
        self.ran_here = None;
        let upload = shared.lane(lane).upload;
        loop {
            let mut tree = shared.upload(upload);
            tree.observed |= done < chain.len() && tree.files.files.len() <= MOST_FILES;
            // What still runs there may harm it once more; each time fewer steps stand.
            let Some(lost) = self.bring_tree(upload, &tree, mode_of(done))?.lost_prepared else {
                return Ok(done);
            };
            self.tell("changed", LOST_PREPARED.to_owned());
            self.step_back(lost)?;
            done = self.stand(chain)?;
        }
    }

    /// Runs the steps of a lane's chain behind those that are done.
    fn prepare_rest(&mut self, lane: LaneId, done: usize) -> Result<Option<Skip>, Failed> {
        let chain = self.shared.chain(lane);
        for index in done..chain.len() {
            if let Some(reason) = self.prepare_step(chain, index)? {
                return Ok(Some(Skip::Prepare(reason)));
            }
        }
        Ok(None)
    }

    /// Finds how many steps of a chain stand, and makes the machine say no more than that.
    fn stand(&mut self, chain: &[StepId]) -> Result<usize, Failed> {
        let mut done = self.steps_done(chain);
        if done > 0 && done < self.state.chain.len() {
            self.step_back(done)?;
            done = self.steps_done(chain);
        }
        let last = self.state.chain.last().filter(|_| done > 0);
        let reads = last.and_then(|last| chain.iter().find_map(|&step| self.stands_for(step, last)));
        self.prepared_reads = Some(reads.unwrap_or_default());
        let ignores = self.shared.options.on_taint == OnTaint::Ignore;
        self.ignored = self.state.taint.clone().filter(|_| ignores);
        if done == 0 && !chain.is_empty() || self.state.taint.is_some() && !ignores {
            self.start_anew(chain)?;
        }
        Ok(done)
    }

    /// Makes the machine say that only so many first steps of what was prepared are done, before anything of the others is taken
    /// away, and gives it back the variables that these have set. Where it has not kept them, nothing is prepared any more.
    fn step_back(&mut self, steps: usize) -> Result<(), Failed> {
        let before = self.state.taint.clone();
        self.doubt("going back to an earlier prepare step was interrupted".to_owned())?;
        let kept = match steps.checked_sub(1) {
            Some(last) => self.sut.rewind_env_file(&self.shared.project.id, last)?,
            None => false,
        };
        self.state.taint = before;
        if !kept {
            return self.forget_prepared();
        }
        self.state.step_back(steps);
        self.save_state()
    }

    /// Brings a tree to its slot. Where that takes away what prepare steps made there, the machine is not prepared any more.
    pub(crate) fn bring_tree(&mut self, id: UploadId, upload: &Upload, mode: SyncMode) -> Result<Synced, Failed> {
        self.tell("syncing", String::new());
        let synced = self.sync(id, upload, mode)?;
        if !synced.has_prepared {
            return Ok(synced);
        }
        if self.state.is_prepared_for(self.shared.project) {
            self.forget_prepared()?;
        }
        self.sync(id, upload, SyncMode::Exact)
    }

    /// Makes a slot hold the files. What changes while it is sent is sent again, as it is now.
    fn sync(&mut self, id: UploadId, upload: &Upload, mode: SyncMode) -> Result<Synced, Failed> {
        let mut upload = upload.clone();
        for times in 0..SENT_AGAIN {
            std::thread::sleep(BREATH * times);
            let synced = self.sut.sync(&upload, mode)?;
            let Some(index) = synced.changed else {
                return Ok(synced);
            };
            self.shared.look_again(id, &upload.files, index);
            upload.files = self.shared.upload(id).files;
        }
        let what = "the files of the tree change faster than they can be sent";
        let trouble = Trouble::new(TroubleKind::Setup, format!("`{}`: {what}", self.sut.name()));
        Err(trouble.with_hint("is something still writing there?").into())
    }

    /// Makes the tree hold what a test of the lane is to find: its inputs and what prepare steps made, whatever the test before
    /// it did there. Returns why the test cannot start, if it cannot.
    pub(crate) fn undo(&mut self, lane: LaneId) -> Result<Option<Skip>, Failed> {
        let Some(before) = self.ran_here.clone() else {
            return Ok(None);
        };
        let mode = mode_of(self.shared.chain(lane).len());
        let id = self.shared.lane(lane).upload;
        let upload = self.shared.upload(id);
        let synced = match self.sync(id, &upload, mode) {
            // What the test left is told and taken away by lists that are written on the same disk.
            Err(Failed::Sut(trouble)) if trouble.is_full() => {
                self.sut.reserve(Room::Free)?;
                let synced = self.sync(id, &upload, mode);
                self.sut.reserve(Room::Kept)?;
                synced?
            }
            Err(Failed::Sut(trouble)) if trouble.kind == TroubleKind::Setup => self.sync(id, &upload, mode)?,
            synced => synced?,
        };
        self.ran_here = None;
        if synced.sent + synced.removed > 0 {
            let text = format!(
                "what `{before}` did to the tree was undone: {} brought again, {} removed",
                synced.sent, synced.removed
            );
            self.tell("restored", text);
        }
        let Some(lost) = synced.lost_prepared else {
            return Ok(None);
        };
        self.tell("changed", format!("{LOST_PREPARED}, by `{before}`"));
        self.step_back(lost)?;
        let done = self.bring_standing(lane)?;
        self.prepare_rest(lane, done)
    }

    /// How many steps of a chain the SUT has done and may be believed.
    pub(crate) fn steps_done(&self, chain: &[StepId]) -> usize {
        let options = self.shared.options;
        let distrusted = self.state.taint.is_some() && options.on_taint != OnTaint::Ignore;
        let anew = options.fresh && !self.prepared_here;
        let Some(last) = self.state.chain.last() else { return 0 };
        // What another project prepared made nothing in the trees of this one.
        let others = !self.state.is_prepared_for(self.shared.project);
        if distrusted || anew || others || self.is_booted_away() {
            return 0;
        }
        let is_last = |&step: &StepId| self.stands_for(step, last).is_some();
        let done = chain.iter().position(is_last).map_or(0, |at| at + 1);
        // The places of steps tell who made what in the tree.
        if done > self.state.chain.len() {
            return 0;
        }
        let Some(most) = options.max_age else { return done };
        // What stands on a step that is too old is no better.
        let too_old = |&step: &usize| self.prepared_age(step).is_none_or(|age| age > most);
        (0..done).find(too_old).unwrap_or(done)
    }

    /// Whether a machine that has done `last` has done the step; if so, what the chain up to it was seen to read.
    pub(crate) fn stands_for(&self, step: StepId, last: &str) -> Option<Paths> {
        let shared = self.shared;
        let tree = || shared.tree(shared.work.step(step).upload);
        observed_inputs::stands_for(shared.work, shared.store, tree, (step, last))
    }

    /// Whether a boot that no test asked for ended what was prepared.
    fn is_booted_away(&self) -> bool {
        let boot = self.facts.as_ref().map(|facts| facts.boot_id.as_str());
        let trusts = self.shared.options.on_reboot == OnReboot::Trust;
        !trusts && boot.is_some_and(|boot| self.state.is_booted_away(boot))
    }

    /// How long ago a step of the SUT's chain ended.
    fn prepared_age(&self, step: usize) -> Option<Duration> {
        let at = self.state.done_at.get(step).copied();
        at.or(self.state.prepared_at)
            .map(|at| Duration::from_secs(unix_now().saturating_sub(at)))
    }

    /// When the oldest step of the chain that the SUT is in was done; nothing where there is none, or that is not known.
    pub(crate) fn prepared_since(&self, chain: &[StepId]) -> Option<u64> {
        let at = |step: usize| self.state.done_at.get(step).copied().or(self.state.prepared_at);
        let all: Option<Vec<u64>> = (0..chain.len()).map(at).collect();
        all?.into_iter().min()
    }

    fn tell_reused(&self, step: StepId, index: usize) {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        self.outbox.event(Event::NodeCached {
            node,
            key,
            sut: self.sut.name().to_owned(),
            age: self.prepared_age(index).unwrap_or_default().as_secs(),
            outcome: NodeOutcome::Pass,
            seen: None,
        });
    }

    /// Remembers on the SUT whose plans will have to be finished there.
    fn note_unfinished(&mut self, lane: LaneId) -> Result<(), Failed> {
        let project = self.shared.project;
        let mut is_new = self.state.used_by(project);
        for plan in self.shared.plans(lane).filter(|plan| !plan.finish.is_empty()) {
            if !self.is_due(plan) {
                let (plan, project) = (plan.name.clone(), project.id.clone());
                self.state.unfinished.push(Due { plan, project });
                is_new = true;
            }
        }
        if is_new { self.save_state() } else { Ok(()) }
    }

    /// Forgets what was prepared, before anything of it is overwritten: a crash from here on leaves a SUT that nobody believes
    /// to be prepared.
    fn start_anew(&mut self, chain: &[StepId]) -> Result<(), Failed> {
        self.ignored = None;
        if let Some(taint) = self.state.taint.take() {
            let what = if chain.is_empty() {
                "has nothing to prepare and is used again"
            } else {
                "is prepared again from the first step"
            };
            let text = format!("`{}` {what}: {}", self.sut.name(), taint.reason);
            self.outbox.event(Event::Warning { text });
        }
        if self.is_booted_away() && !chain.is_empty() {
            let sut = self.sut.name();
            let text = format!("`{sut}` was booted since it was prepared, and is prepared again from the first step");
            self.outbox.event(Event::Warning { text });
        }
        self.forget_prepared()?;
        if !chain.is_empty() {
            self.prepared_here = true;
            self.sut.reset_env_file(&self.shared.project.id, EnvFile::Prepared)?;
        }
        Ok(())
    }

    /// Makes the machine say that nothing is prepared on it.
    fn forget_prepared(&mut self) -> Result<(), Failed> {
        if !self.state.chain.is_empty() {
            self.state.layers += 1;
        }
        self.state.unprepare();
        self.prepared_reads = Some(Paths::new());
        self.save_state()
    }

    /// Installs what all waiting tests require in one transaction; where that fails, each test will install its own. Returns
    /// whether the tests may start: not so after a cancellation.
    fn install_for_tests(&mut self, lane: LaneId, pending: &[JobId]) -> Result<bool, Failed> {
        let tests = || pending.iter().map(|&job| self.shared.test(job));
        let requires: BTreeSet<&String> = tests().flat_map(|test| &test.requires).collect();
        let recommends: BTreeSet<&String> = tests()
            .flat_map(|test| &test.recommends)
            .filter(|package| !requires.contains(package))
            .collect();
        let (requires, recommends) = (owned(requires), owned(recommends));
        self.individually = false;
        match self.install(lane, &requires, Need::Required)? {
            Installed::All => {}
            Installed::Cancelled => return Ok(false),
            Installed::Not(reason) => {
                let text = format!(
                    "the packages of all tests could not be installed at once, each test installs its own: {reason}"
                );
                self.outbox.event(Event::Warning { text });
                self.individually = true;
            }
        }
        match self.install(lane, &recommends, Need::Recommended)? {
            Installed::All => {}
            Installed::Cancelled => return Ok(false),
            Installed::Not(reason) => {
                let text = format!("recommended packages are missing: {reason}");
                self.outbox.event(Event::Warning { text });
            }
        }
        Ok(true)
    }

    /// Installs packages.
    pub(crate) fn install(&mut self, lane: LaneId, packages: &[String], need: Need) -> Result<Installed, Failed> {
        if packages.is_empty() {
            return Ok(Installed::All);
        }
        let script = match self.install_script(packages, need) {
            Ok(script) => script,
            Err(reason) => return Ok(Installed::Not(reason)),
        };
        let job = Job {
            kind: JobKind::Script,
            script,
            slot: self.shared.slot(self.shared.lane(lane).upload).to_owned(),
            dir: String::new(),
            env_before: Vec::new(),
            env_after: Vec::new(),
            env_file: EnvFile::Base,
        };
        self.tell("installing", String::new());
        let title = format!("packages: {}", packages.join(" "));
        let mut log = self.shared.prepare_log.part(self.sut.name(), &title)?;
        let ran = script::run(self.sut.as_mut(), &job, (&self.shared.cancel, Urgency::None), &mut log)?;
        let last = log.last_line()?;
        log.finish()?;
        Ok(match ran {
            Ran::Infra(InfraKind::Cancelled, _) => Installed::Cancelled,
            ran => match ran.failure() {
                None => Installed::All,
                Some(reason) if last.is_empty() => Installed::Not(reason),
                Some(_) => Installed::Not(last),
            },
        })
    }

    pub(crate) fn install_script(&self, names: &[String], need: Need) -> Result<String, String> {
        let Some(facts) = &self.facts else {
            return Err("the SUT has not told what it is".to_owned());
        };
        packages::install_script(facts, names, need).map_err(|error| error.to_string())
    }
}

fn owned(names: BTreeSet<&String>) -> Vec<String> {
    names.into_iter().cloned().collect()
}
