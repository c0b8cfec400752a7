//! Bringing a SUT into a lane: its tree, what is missing of its prepare chain, the packages of the tests that wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use atex_cache::Outcome;

use crate::compile::spec::{Action, StepId};
use crate::control::InfraKind;
use crate::exec::event::{Event, NodeOutcome};
use crate::exec::log::Part;
use crate::exec::options::{OnTaint, Until};
use crate::exec::recording;
use crate::exec::schedule::{Input, JobId, LaneId};
use crate::exec::script::{self, Ran};
use crate::exec::shared::unix_now;
use crate::exec::worker::{Failed, Worker};
use crate::sut::packages::{self, Need};
use crate::sut::{EnvFile, Job, JobKind, SyncMode, Taint, Upload, Urgency};

impl Worker<'_> {
    /// Approach: find how much of the chain the SUT says is done; bring the tree; run the rest, step by step, each under a
    /// taint that is only cleared when the step is complete; then install what the waiting tests require.
    pub(crate) fn enter(&mut self, lane: LaneId, pending: &[JobId]) -> Result<Input, Failed> {
        let shared = self.shared;
        let chain = shared.chain(lane);
        let done = self.steps_done(chain);
        let upload = shared.lane(lane).upload;
        let files = shared.files[upload.0 as usize].clone();
        let mode = if done == 0 && !chain.is_empty() {
            SyncMode::Exact
        } else {
            SyncMode::KeepPrepared
        };
        self.tell("syncing", String::new());
        self.sut.sync(
            &Upload {
                slot: shared.slot(upload).to_owned(),
                files,
            },
            mode,
        )?;
        self.lane = Some(lane);
        self.note_unfinished(lane)?;
        for &step in &chain[..done] {
            self.tell_reused(step);
        }
        if done < chain.len() || self.is_distrusted() {
            self.start_chain(chain, done)?;
        }
        for (index, &step) in chain.iter().enumerate().skip(done) {
            if let Some(reason) = self.prepare_step(chain, index, step)? {
                return Ok(Input::EnterFailed(reason));
            }
        }
        if shared.options.until >= Until::Test {
            self.install_for_tests(lane, pending)?;
        }
        self.tell("ready", String::new());
        Ok(Input::Entered)
    }

    /// How many steps of a chain the SUT has done and may be believed.
    fn steps_done(&self, chain: &[StepId]) -> usize {
        let options = self.shared.options;
        let age = self.prepared_age();
        let too_old = options.max_age.is_some_and(|max| age.is_none_or(|age| age > max));
        let anew = options.fresh && !self.prepared_here;
        let Some(last) = self.state.chain.last() else { return 0 };
        if self.is_distrusted() || too_old || anew {
            return 0;
        }
        let key = |step: &StepId| {
            self.shared
                .work
                .graph
                .node(self.shared.work.step(*step).node)
                .key()
                .to_string()
        };
        chain.iter().position(|step| key(step) == *last).map_or(0, |at| at + 1)
    }

    fn is_distrusted(&self) -> bool {
        self.state.taint.is_some() && self.shared.options.on_taint != OnTaint::Ignore
    }

    fn prepared_age(&self) -> Option<Duration> {
        self.state
            .prepared_at
            .map(|at| Duration::from_secs(unix_now().saturating_sub(at)))
    }

    fn tell_reused(&self, step: StepId) {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        self.outbox.event(Event::NodeCached {
            node,
            key,
            sut: self.sut.name().to_owned(),
            age: self.prepared_age().unwrap_or_default().as_secs(),
            outcome: NodeOutcome::Pass,
        });
    }

    /// Remembers on the SUT which plans will have to be finished there.
    fn note_unfinished(&mut self, lane: LaneId) -> Result<(), Failed> {
        let before = self.state.unfinished.len();
        for plan in self.shared.plans(lane).filter(|plan| !plan.finish.is_empty()) {
            if !self.state.unfinished.contains(&plan.name) {
                self.state.unfinished.push(plan.name.clone());
            }
        }
        if self.state.unfinished.len() == before {
            Ok(())
        } else {
            self.save_state()
        }
    }

    /// Forgets what of the SUT's state the chain does not build on.
    fn start_chain(&mut self, chain: &[StepId], done: usize) -> Result<(), Failed> {
        if self.is_distrusted()
            && let Some(taint) = self.state.taint.take()
        {
            let text = format!(
                "`{}` is prepared again from the first step: {}",
                self.sut.name(),
                taint.reason
            );
            self.outbox.event(Event::Warning { text });
        }
        if done == 0 {
            if !self.state.chain.is_empty() {
                self.state.layers += 1;
            }
            self.prepared_here = true;
            self.state.chain.clear();
            self.state.prepared_at = None;
            if !chain.is_empty() {
                self.sut.reset_env_file()?;
            }
        }
        self.save_state()
    }

    /// Runs one step of a chain. Returns why it failed, if it did.
    fn prepare_step(&mut self, chain: &[StepId], index: usize, step: StepId) -> Result<Option<String>, Failed> {
        let shared = self.shared;
        let spec = shared.work.step(step);
        let (node, key) = shared.identify(spec.node);
        let (sut, started) = (self.sut.name().to_owned(), Instant::now());
        let begun = unix_now();
        self.state.taint = Some(Taint {
            reason: format!("`{node}` was interrupted"),
            at: begun,
        });
        self.save_state()?;
        let ticket = shared
            .store
            .claim_to_run(shared.work.graph.node(spec.node).key())
            .map_err(host)?;
        ticket.begin().map_err(host)?;
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: sut.clone(),
            attempt: 1,
        });
        let mut log = shared.prepare_log.part(&sut, &node)?;
        let ran = self.run_step(step, Urgency::None, &mut log)?;
        let own = log.finish()?;
        let failure = ran.failure();
        let outcome = match &ran {
            Ran::Exited(0) => NodeOutcome::Pass,
            Ran::Infra(InfraKind::Cancelled, _) => NodeOutcome::Cancelled,
            _ => NodeOutcome::Infra,
        };
        let now = unix_now();
        if let Some(reason) = &failure {
            self.state.taint = Some(Taint {
                reason: format!("`{node}` failed: {reason}"),
                at: now,
            });
        } else {
            self.sut.adopt(shared.slot(spec.upload))?;
            self.state.taint = None;
            self.state.chain.push(key.clone());
            self.state.prepared_at = Some(now);
            debug_assert_eq!(
                self.state.chain.len(),
                index + 1,
                "a chain of {} steps is done in order",
                chain.len()
            );
        }
        self.save_state()?;
        let duration = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if failure.is_none() {
            let (outcome, meta) = (Outcome::Passed, serde_json::Value::Null);
            let ran = recording::Ran {
                node: spec.node,
                sut: &sut,
                begun,
                started,
                outcome,
                meta,
            };
            recording::step(shared, ticket, ran, own.path()).map_err(host)?;
        }
        self.outbox.event(Event::NodeFinished {
            node,
            key,
            sut,
            outcome,
            duration,
            note: failure.clone().unwrap_or_default(),
            log: shared.prepare_log.name().to_owned(),
            results: BTreeMap::new(),
        });
        Ok(failure.map(|reason| format!("`{}` {reason}", shared.identify(spec.node).0)))
    }

    /// Runs the scripts of a prepare or finish step until one fails.
    pub(crate) fn run_step(&mut self, step: StepId, borne: Urgency, log: &mut Part<'_>) -> Result<Ran, Failed> {
        let spec = self.shared.work.step(step);
        let scripts = match &spec.action {
            Action::Shell { scripts } => scripts.clone(),
            Action::Install { packages } => match self.install_script(packages, Need::Required) {
                Ok(script) => vec![script],
                Err(reason) => {
                    log.write(format!("{reason}\n").as_bytes())?;
                    return Ok(Ran::Infra(InfraKind::Setup, reason));
                }
            },
        };
        for script in scripts {
            let job = Job {
                kind: JobKind::Script,
                script,
                slot: self.shared.slot(spec.upload).to_owned(),
                dir: String::new(),
                env_before: spec.env_before.clone(),
                env_after: spec.env_after.clone(),
                env_file: EnvFile::Prepared,
            };
            let ran = script::run(self.sut.as_mut(), &job, (&self.shared.cancel, borne), log)?;
            if ran.failure().is_some() {
                return Ok(ran);
            }
        }
        Ok(Ran::Exited(0))
    }

    /// Installs what all waiting tests require in one transaction; where that fails, each test will install its own.
    fn install_for_tests(&mut self, lane: LaneId, pending: &[JobId]) -> Result<(), Failed> {
        let tests = || pending.iter().map(|&job| self.shared.test(job));
        let requires: BTreeSet<&String> = tests().flat_map(|test| &test.requires).collect();
        let recommends: BTreeSet<&String> = tests()
            .flat_map(|test| &test.recommends)
            .filter(|package| !requires.contains(package))
            .collect();
        let (requires, recommends) = (owned(requires), owned(recommends));
        self.individually = false;
        if let Some(reason) = self.install(lane, &requires, Need::Required)? {
            let text = format!(
                "the packages of all tests could not be installed at once, each test installs its own: {reason}"
            );
            self.outbox.event(Event::Warning { text });
            self.individually = true;
        }
        if let Some(reason) = self.install(lane, &recommends, Need::Recommended)? {
            self.outbox.event(Event::Warning {
                text: format!("recommended packages are missing: {reason}"),
            });
        }
        Ok(())
    }

    /// Installs packages. Returns why they are not there now, if they are not.
    pub(crate) fn install(&mut self, lane: LaneId, packages: &[String], need: Need) -> Result<Option<String>, Failed> {
        if packages.is_empty() {
            return Ok(None);
        }
        let script = match self.install_script(packages, need) {
            Ok(script) => script,
            Err(reason) => return Ok(Some(reason)),
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
        let title = format!("packages: {}", packages.join(" "));
        let mut log = self.shared.prepare_log.part(self.sut.name(), &title)?;
        let ran = script::run(self.sut.as_mut(), &job, (&self.shared.cancel, Urgency::None), &mut log)?;
        let last = log.last_line()?;
        log.finish()?;
        Ok(ran.failure().map(|reason| if last.is_empty() { reason } else { last }))
    }

    fn install_script(&self, names: &[String], need: Need) -> Result<String, String> {
        let Some(facts) = &self.facts else {
            return Err("the SUT has not told what it is".to_owned());
        };
        packages::install_script(facts, names, need).map_err(|error| error.to_string())
    }
}

fn owned(names: BTreeSet<&String>) -> Vec<String> {
    names.into_iter().cloned().collect()
}

/// A failure of the cache on the host.
pub(crate) fn host(error: impl std::fmt::Display) -> Failed {
    Failed::Host(error.to_string())
}
