//! What of a workload has to run: tests whose records stand are taken out, the rest becomes jobs in lanes.
//!
//! A pure function of the workload, the options and what the cache answers; run before anything else, and again by `--dry-run`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::time::Duration;

use atex_cache::Output;
use atex_graph::{Kind, Need, NodeId, Selection};

use crate::compile::spec::{NullBuild, NullBuildTest, PlanId, PlanSpec, StepId, TestId, UploadId, Workload};
use crate::exec::options::{Mode, Options, Until};
use crate::exec::record::durations::Durations;
use crate::exec::schedule::{ChainStep, JobId, Lane, LaneId, StepNo, Task};

/// What has to run and what stands.
#[derive(Debug)]
pub struct PendingWork {
    /// What is to be done about each node of the graph, before any SUT has told its state.
    pub selection: Selection,
    /// Tests to run; a node that several plans share is one job. Indexed by [`JobId`].
    pub jobs: Vec<JobSpec>,
    /// Tests whose records stand.
    pub cached: Vec<CachedTest>,
    /// What jobs share. Indexed by [`LaneId`].
    pub lanes: Vec<LaneSpec>,
    /// Plans whose finish is owed since an earlier run, by the number of the SUT in the pool.
    pub owed: BTreeMap<u32, Vec<PlanId>>,
}

/// A test to run.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The first plan's test that stands for the node.
    pub test: TestId,
    /// Its node.
    pub node: NodeId,
    /// Its lane.
    pub lane: LaneId,
    /// The plan's name, where another plan of the run holds a test of the same name under another key.
    pub distinct_in: Option<String>,
    /// How long it is expected to take.
    pub expected: Duration,
    /// Of a hit that runs again: when it passed.
    pub audited: Option<u64>,
    /// Of the first test of a plan whose tests share a tree: those that run after it, on the same machine. They are in no lane.
    pub rest: Vec<JobId>,
}

/// How long a prepare step is expected to take that was never seen.
const UNKNOWN_STEP: Duration = Duration::from_secs(30);

/// A test whose record stands.
#[derive(Debug)]
pub struct CachedTest {
    /// The test.
    pub test: TestId,
    /// Its node.
    pub node: NodeId,
    /// Its lane, where its record turns out to be lost.
    pub lane: LaneId,
    /// As for [`JobSpec::distinct_in`].
    pub distinct_in: Option<String>,
    /// What the cache holds.
    pub record: Output,
}

/// A prepare chain and a tree, with the plans that use both.
#[derive(Clone, Debug)]
pub struct LaneSpec {
    /// Plans in order; all have the same chain.
    pub plans: Vec<PlanId>,
    /// The tree.
    pub upload: UploadId,
    /// Its tests, in the order in which they start.
    pub jobs: Vec<JobId>,
}

impl PendingWork {
    /// Returns the nodes that `recorded` of [`PendingWork::new`] may be asked for.
    pub fn recordable(work: &Workload, options: &Options) -> Vec<NodeId> {
        if !options.takes_records() {
            return Vec::new();
        }
        let nodes: BTreeSet<NodeId> = work
            .plans
            .iter()
            .flat_map(|plan| &plan.tests)
            .map(|&test| work.test(test).node)
            .collect();
        nodes.into_iter().collect()
    }

    /// Decides what has to run. `recorded` answers with a passed record of a test's node, if there is one.
    pub fn new(
        work: &Workload,
        options: &Options,
        suts: usize,
        mut recorded: impl FnMut(NodeId) -> Option<Output>,
    ) -> Self {
        let prepared = prepared_tests(work);
        let believed = |id: NodeId| {
            let record = recorded(id)?;
            let is_young = options.believes(record.prepared, prepared.contains(&id));
            is_young.then_some((id, record))
        };
        let mut records = Self::recordable(work, options)
            .into_iter()
            .filter_map(believed)
            .collect();
        leave_whole(work, &mut records);
        let selection = Selection::of(&work.graph, &targets(work, options), |id| records.contains_key(&id));
        let mut pending = Self {
            selection,
            jobs: Vec::new(),
            cached: Vec::new(),
            lanes: Vec::new(),
            owed: BTreeMap::new(),
        };
        pending.fill(work, options, &mut records);
        pending.order(work, suts, &Durations::default());
        pending
    }

    /// Approach: plan by plan, each into the lane of its chain and tree; a node that an earlier plan has is not taken again.
    fn fill(&mut self, work: &Workload, options: &Options, records: &mut HashMap<NodeId, Output>) {
        let mut lane_of: HashMap<(Option<NodeId>, UploadId), LaneId> = HashMap::new();
        let mut taken = vec![false; work.graph.len()];
        let mut names: BTreeMap<&str, NodeId> = BTreeMap::new();
        let mut firsts = BTreeMap::new();
        for (index, plan) in work.plans.iter().enumerate() {
            if !has_use(plan, options) {
                continue;
            }
            let place = match options.mode {
                // No chain is entered: one lane holds all that is to be finished.
                Mode::Finish => (None, UploadId(0)),
                Mode::Build | Mode::Test => (plan.chain.last().map(|&step| work.step(step).node), plan.upload),
            };
            let lane = *lane_of.entry(place).or_insert_with(|| {
                self.lanes.push(LaneSpec {
                    plans: Vec::new(),
                    upload: plan.upload,
                    jobs: Vec::new(),
                });
                LaneId(narrow(self.lanes.len() - 1))
            });
            self.lanes[lane.0 as usize].plans.push(PlanId(narrow(index)));
            for &id in &plan.tests {
                let test = work.test(id);
                let need = self.selection.need(test.node);
                if need == Need::Unneeded || std::mem::replace(&mut taken[test.node.index()], true) {
                    continue;
                }
                let first = *names.entry(&test.name).or_insert(test.node);
                let distinct_in = (first != test.node).then(|| plan.name.clone());
                if let Some(record) = records.remove(&test.node) {
                    self.cached.push(CachedTest {
                        test: id,
                        node: test.node,
                        lane,
                        distinct_in,
                        record,
                    });
                } else {
                    let job = JobSpec {
                        test: id,
                        node: test.node,
                        lane,
                        distinct_in,
                        expected: test.duration,
                        audited: None,
                        rest: Vec::new(),
                    };
                    self.add(work, job, &mut firsts);
                }
            }
        }
    }

    /// Adds a test to its lane, or to the first one of its plan where they share a tree.
    fn add(&mut self, work: &Workload, job: JobSpec, firsts: &mut BTreeMap<PlanId, JobId>) {
        let id = JobId(narrow(self.jobs.len()));
        let plan = work.test(job.test).plan;
        let first = if work.plan(plan).shared_tree {
            *firsts.entry(plan).or_insert(id)
        } else {
            id
        };
        if first == id {
            self.lanes[job.lane.0 as usize].jobs.push(id);
        } else {
            self.jobs[first.0 as usize].rest.push(id);
        }
        self.jobs.push(job);
    }

    /// A test, and those that run after it in the same tree.
    pub(crate) fn together(&self, first: JobId) -> impl Iterator<Item = JobId> + '_ {
        let rest = &self.jobs[first.0 as usize].rest;
        std::iter::once(first).chain(rest.iter().copied())
    }

    /// How long it is expected to take, with those that run after it in the same tree.
    fn expected(&self, first: JobId) -> Duration {
        self.together(first).map(|job| self.jobs[job.0 as usize].expected).sum()
    }

    /// Takes the finish of these plans among what has to run on the SUT of this number, whatever else does.
    pub fn owe(&mut self, work: &Workload, sut: u32, plans: &[String]) {
        let named = |(index, plan): (usize, &PlanSpec)| plans.contains(&plan.name).then_some(PlanId(narrow(index)));
        let owed: Vec<PlanId> = work.plans.iter().enumerate().filter_map(named).collect();
        if !owed.is_empty() {
            self.owed.insert(sut, owed);
        }
    }

    /// Marks the hits that run again; `passed` says when they passed.
    pub fn audit(&mut self, passed: &BTreeMap<NodeId, u64>) {
        for job in &mut self.jobs {
            job.audited = passed.get(&job.node).copied();
        }
    }

    /// Returns what a later run of the same needs to know, where nothing has to run; nothing where something has.
    pub fn null_build(&self, work: &Workload) -> Option<NullBuild> {
        let runs = |id| self.selection.runs(id);
        if !self.jobs.is_empty() || self.cached.is_empty() || work.graph.ids().any(runs) {
            return None;
        }
        let test = |cached: &CachedTest| {
            let node = work.graph.node(cached.node);
            NullBuildTest {
                name: work.test(cached.test).name.clone(),
                distinct_in: cached.distinct_in.clone(),
                label: node.label().to_string(),
                key: node.key(),
            }
        };
        Some(NullBuild {
            tree_digest: work.tree_digest,
            plans: work.plans.iter().map(|plan| plan.name.clone()).collect(),
            tests: self.cached.iter().map(test).collect(),
            warnings: work.warnings.clone(),
        })
    }

    /// Puts tests whose records turned out to be damaged among those to run.
    pub(crate) fn run_after_all(&mut self, work: &Workload, lost: Vec<CachedTest>) {
        let mut firsts = BTreeMap::new();
        for CachedTest {
            test,
            node,
            lane,
            distinct_in,
            ..
        } in lost
        {
            let job = JobSpec {
                test,
                node,
                lane,
                distinct_in,
                expected: work.test(test).duration,
                audited: None,
                rest: Vec::new(),
            };
            self.add(work, job, &mut firsts);
        }
    }

    /// Returns the lanes as the schedule wants them. Without tests, each SUT enters one: where there are more lanes than SUTs, some
    /// enter several.
    pub(crate) fn for_schedule(&self, work: &Workload, options: &Options, suts: usize, times: &Durations) -> Vec<Lane> {
        let entered = options.mode == Mode::Finish || options.only_prepares();
        let lanes = self.lanes.len().max(1);
        let share = |index: usize| (suts / lanes + usize::from(index < suts % lanes)).max(1);
        let chain = |lane: &LaneSpec| -> &[StepId] {
            let plan = lane.plans.first().filter(|_| options.mode != Mode::Finish);
            plan.map_or(&[], |&plan| &work.plan(plan).chain)
        };
        let finishes = |lane: &LaneSpec| lane.plans.iter().any(|&plan| !work.plan(plan).finish.is_empty());
        let lane = |(index, lane): (usize, &LaneSpec)| Lane {
            tasks: lane.jobs.iter().map(|&job| self.task(work, job)).collect(),
            entries: if entered { narrow(share(index)) } else { 0 },
            chain: chain(lane)
                .iter()
                .map(|&step| expected_step(work, step, times))
                .collect(),
            finishes: options.finishes() && finishes(lane),
        };
        self.lanes.iter().enumerate().map(lane).collect()
    }

    /// Counts the nodes that have to run, by kind: `prepare` and, for `atex finish`, `finish`, before any SUT has told what it has.
    pub fn to_run(&self, work: &Workload, options: &Options) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for id in work.graph.ids().filter(|&id| self.need(work, options, id) == Need::Run) {
            *counts.entry(work.graph.node(id).kind()).or_default() += 1;
        }
        counts
    }

    /// Returns what is to be done about a node, as far as that is known before any SUT has told what it has and what is due there.
    pub fn need(&self, work: &Workload, options: &Options, id: NodeId) -> Need {
        let is_finish = work.graph.node(id).kind() == Kind::Finish;
        if is_finish && (options.mode == Mode::Finish || self.is_owed(work, id)) {
            Need::Run
        } else {
            self.selection.need(id)
        }
    }

    fn is_owed(&self, work: &Workload, finish: NodeId) -> bool {
        let steps = self.owed.values().flatten().flat_map(|&plan| &work.plan(plan).finish);
        steps.into_iter().any(|&step| work.step(step).node == finish)
    }

    fn task(&self, work: &Workload, job: JobId) -> Task {
        let spec = &self.jobs[job.0 as usize];
        Task {
            job,
            expected: u32::try_from(self.expected(job).as_millis()).unwrap_or(u32::MAX),
            priority: work.test(spec.test).priority,
        }
    }

    /// Replaces what tests may take by what they are expected to take, and orders them by that. Of a test that was never
    /// measured, the `duration` is believed as far as it was right of those that were.
    pub(crate) fn weigh(&mut self, work: &Workload, suts: usize, times: &Durations) {
        let measured: Vec<Option<Duration>> = self.jobs.iter().map(|job| times.of(work, job.node)).collect();
        let (mut took, mut allowed) = (Duration::ZERO, Duration::ZERO);
        for (job, measured) in self.jobs.iter().zip(&measured) {
            if let Some(measured) = *measured {
                took += measured;
                allowed += work.test(job.test).duration;
            }
        }
        let pace = if allowed.is_zero() {
            1.0
        } else {
            took.as_secs_f64() / allowed.as_secs_f64()
        };
        for (job, measured) in self.jobs.iter_mut().zip(measured) {
            job.expected = measured.unwrap_or_else(|| work.test(job.test).duration.mul_f64(pace));
        }
        self.order(work, suts, times);
    }

    /// Orders the jobs of each lane: by `extra-priority`; then on one SUT as the plans say, on several the longest first. A destructive
    /// test that starts last costs no preparing, so it is worth so much less to start it early.
    fn order(&mut self, work: &Workload, suts: usize, times: &Durations) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for lane in &mut lanes {
            let chain = lane.plans.first().map_or(&[][..], |&plan| &work.plan(plan).chain);
            let steps = chain.iter().map(|&step| expected_step(work, step, times).expected);
            let preparing = Duration::from_millis(steps.sum());
            lane.jobs.sort_by_cached_key(|&job| {
                let test = |job: JobId| work.test(self.jobs[job.0 as usize].test);
                let destructive = self.together(job).any(|job| test(job).destructive);
                let lost = if destructive { preparing } else { Duration::ZERO };
                let length = if suts > 1 {
                    self.expected(job).saturating_sub(lost)
                } else {
                    Duration::ZERO
                };
                (Reverse(test(job).priority), Reverse(length))
            });
        }
        self.lanes = lanes;
    }
}

/// Leaves, of tests that share a tree, the records of all or none.
pub(crate) fn leave_whole(work: &Workload, records: &mut HashMap<NodeId, Output, impl BuildHasher>) {
    for tests in sharing(work) {
        if !tests.iter().all(|node| records.contains_key(node)) {
            records.retain(|node, _| !tests.contains(node));
        }
    }
}

/// The nodes of tests that share a tree, plan by plan.
pub(crate) fn sharing(work: &Workload) -> impl Iterator<Item = HashSet<NodeId>> + '_ {
    let plans = work.plans.iter().filter(|plan| plan.shared_tree);
    plans.map(|plan| plan.tests.iter().map(|&test| work.test(test).node).collect())
}

/// The nodes of tests that run on something that is prepared.
pub(crate) fn prepared_tests(work: &Workload) -> HashSet<NodeId> {
    let prepared = work.plans.iter().filter(|plan| !plan.chain.is_empty());
    let tests = prepared.flat_map(|plan| &plan.tests);
    tests.map(|&test| work.test(test).node).collect()
}

/// A step as the schedule sees it.
fn expected_step(work: &Workload, step: StepId, times: &Durations) -> ChainStep {
    let expected = times.of(work, work.step(step).node).unwrap_or(UNKNOWN_STEP);
    ChainStep {
        step: StepNo(step.0),
        expected: u64::try_from(expected.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Whether a plan has something for which a SUT is needed.
fn has_use(plan: &PlanSpec, options: &Options) -> bool {
    match options.mode {
        Mode::Finish => !plan.finish.is_empty(),
        Mode::Build if options.until == Until::Discover => false,
        Mode::Build if options.only_prepares() => !plan.tests.is_empty() && !plan.chain.is_empty(),
        Mode::Build | Mode::Test => !plan.tests.is_empty(),
    }
}

/// The nodes that the command is about.
fn targets(work: &Workload, options: &Options) -> Vec<NodeId> {
    let tests = || work.tests.iter().map(|test| test.node);
    let finishes = || {
        work.plans
            .iter()
            .flat_map(|plan| &plan.finish)
            .map(|&step| work.step(step).node)
    };
    let tails = || {
        work.plans
            .iter()
            .filter(|plan| !plan.tests.is_empty())
            .filter_map(|plan| plan.chain.last())
    };
    match (options.mode, options.until) {
        (Mode::Finish, _) | (Mode::Build, Until::Discover) => Vec::new(),
        (Mode::Build, Until::Prepare) => tails().map(|&step| work.step(step).node).collect(),
        (Mode::Test, _) | (Mode::Build, Until::Test) => tests().collect(),
        (Mode::Build, Until::Finish) => tests().chain(finishes()).collect(),
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
