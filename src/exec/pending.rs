//! The pending work: which tests of a workload have to run, in which lanes, and which have a usable record.
//!
//! It is a pure function of the workload, the options and what the cache answers. `--dry-run` shows it and ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::time::Duration;

use atex_cache::RecordOutput;
use atex_graph::{Kind, Need, NodeId, Selection};

use crate::compile::spec::{NullBuild, NullBuildTest, PlanId, PlanSpec, StepId, TestId, UploadId, Workload};
use crate::exec::options::{Mode, Options, Until};
use crate::exec::record::durations::Durations;
use crate::exec::schedule::{ChainStep, JobId, Lane, LaneId, StepNo, Task};

/// What has to run, and which tests have a usable record.
#[derive(Debug)]
pub struct PendingWork {
    /// What is to be done about each node of the graph, before any SUT has told its state.
    pub selection: Selection,
    /// Tests to run; a node that several plans share is one job. Indexed by [`JobId`].
    pub jobs: Vec<JobSpec>,
    /// Tests with a usable record.
    pub cached: Vec<CachedTest>,
    /// The lanes of the jobs. Indexed by [`LaneId`].
    pub lanes: Vec<LaneSpec>,
    /// Plans whose finish is due since an earlier run, by the number of the SUT in the pool.
    pub owed: BTreeMap<u32, Vec<PlanId>>,
}

/// A test to run.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The test of the first plan that has this node.
    pub test: TestId,
    /// Its node.
    pub node: NodeId,
    /// Its lane.
    pub lane: LaneId,
    /// The plan's name, where another plan of the run holds a test of the same name under another key.
    pub distinct_in: Option<String>,
    /// Further plans that have this node.
    pub also_in: Vec<PlanId>,
    /// How long it is expected to take.
    pub expected: Duration,
    /// If it has a record and runs again for `--audit`: when it passed.
    pub audited: Option<u64>,
    /// If it is the first of tests that share a tree: the tests that run after it on the same machine. They are in no lane themselves.
    pub rest: Vec<JobId>,
}

/// How long a prepare step is expected to take that has never run.
const UNKNOWN_STEP: Duration = Duration::from_secs(30);

/// A test with a usable record.
#[derive(Debug)]
pub struct CachedTest {
    /// The test.
    pub test: TestId,
    /// Its node.
    pub node: NodeId,
    /// Its lane, in case its record turns out to be damaged.
    pub lane: LaneId,
    /// As for [`JobSpec::distinct_in`].
    pub distinct_in: Option<String>,
    /// Its record.
    pub record: RecordOutput,
}

/// A prepare chain and a tree, with the plans that use both.
#[derive(Clone, Debug)]
pub struct LaneSpec {
    /// The plans in order. All have the same chain.
    pub plans: Vec<PlanId>,
    /// The tree.
    pub upload: UploadId,
    /// Its tests, in the order in which they start.
    pub jobs: Vec<JobId>,
}

impl PendingWork {
    /// Returns the nodes for which [`PendingWork::new`] may call `recorded`.
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

    /// Decides what has to run. `recorded` returns the passed record of a test's node, if there is one.
    pub fn new(
        work: &Workload,
        options: &Options,
        suts: usize,
        mut recorded: impl FnMut(NodeId) -> Option<RecordOutput>,
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

    /// Approach: each plan goes into the lane of its chain and tree, in order. A node that an earlier plan has is not added again.
    fn fill(&mut self, work: &Workload, options: &Options, records: &mut HashMap<NodeId, RecordOutput>) {
        let mut lane_of: HashMap<(Option<NodeId>, UploadId), LaneId> = HashMap::new();
        let mut taken = vec![false; work.graph.len()];
        let mut names: BTreeMap<&str, NodeId> = BTreeMap::new();
        let mut firsts = BTreeMap::new();
        for (index, plan) in work.plans.iter().enumerate() {
            if !has_use(plan, options) {
                continue;
            }
            let place = match options.mode {
                // No chain is entered, so one lane holds everything that has to be finished.
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
                        also_in: Vec::new(),
                        expected: test.duration,
                        audited: None,
                        rest: Vec::new(),
                    };
                    self.add(work, job, &mut firsts);
                }
            }
        }
    }

    /// Adds a test to its lane or, if the tests of its plan share a tree, to the first test of the plan.
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

    /// Returns a test, and the tests that run after it in the same tree.
    pub(crate) fn together(&self, first: JobId) -> impl Iterator<Item = JobId> + '_ {
        let rest = &self.jobs[first.0 as usize].rest;
        std::iter::once(first).chain(rest.iter().copied())
    }

    /// Returns how long a test is expected to take, with those that run after it in the same tree.
    fn expected(&self, first: JobId) -> Duration {
        self.together(first).map(|job| self.jobs[job.0 as usize].expected).sum()
    }

    /// Adds the finish of these plans to what has to run on the SUT of this number, because it is due since an earlier run.
    pub fn owe(&mut self, work: &Workload, sut: u32, plans: &[String]) {
        let named = |(index, plan): (usize, &PlanSpec)| plans.contains(&plan.name).then_some(PlanId(narrow(index)));
        let owed: Vec<PlanId> = work.plans.iter().enumerate().filter_map(named).collect();
        if !owed.is_empty() {
            self.owed.insert(sut, owed);
        }
    }

    /// Marks the recorded tests that run again for `--audit`. `passed` says when they passed.
    pub fn audit(&mut self, passed: &BTreeMap<NodeId, u64>) {
        for job in &mut self.jobs {
            job.audited = passed.get(&job.node).copied();
        }
    }

    /// Returns the null build to remember for later runs, if nothing has to run.
    pub fn null_build(&self, work: &Workload) -> Option<NullBuild> {
        let runs = |id| self.selection.runs(id);
        // Libraries are fetched when a tree is compiled.
        let fetches = work.tests.iter().any(|test| !test.libraries.is_empty());
        let is_whole = work.unusable.is_empty();
        if !is_whole || !self.jobs.is_empty() || self.cached.is_empty() || fetches || work.graph.ids().any(runs) {
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

    /// Adds tests to those that have to run, because their records turned out to be damaged.
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
                also_in: Vec::new(),
                expected: work.test(test).duration,
                audited: None,
                rest: Vec::new(),
            };
            self.add(work, job, &mut firsts);
        }
    }

    /// Notes for each test to run which further plans have it.
    pub(crate) fn note_plans(&mut self, work: &Workload) {
        if work.plans.len() < 2 {
            return;
        }
        let job_of: HashMap<NodeId, usize> = self.jobs.iter().enumerate().map(|(at, job)| (job.node, at)).collect();
        for (index, plan) in work.plans.iter().enumerate() {
            for &test in &plan.tests {
                let job = job_of.get(&work.test(test).node).map(|&at| &mut self.jobs[at]);
                if let Some(job) = job.filter(|job| job.test != test) {
                    job.also_in.push(PlanId(narrow(index)));
                }
            }
        }
    }

    /// Returns the plans that have a test.
    pub(crate) fn plans_of<'a>(&'a self, work: &Workload, job: JobId) -> impl Iterator<Item = PlanId> + use<'a> {
        let job = &self.jobs[job.0 as usize];
        std::iter::once(work.test(job.test).plan).chain(job.also_in.iter().copied())
    }

    /// Returns the lanes in the form that the schedule takes. In a run without tests each SUT enters one lane, or several if there are more
    /// lanes than SUTs.
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

    /// Counts the nodes that have to run, by kind. Prepare and finish steps are counted as if no SUT were prepared, because none has
    /// been asked.
    pub fn to_run(&self, work: &Workload, options: &Options) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for id in work.graph.ids().filter(|&id| self.need(work, options, id) == Need::Run) {
            *counts.entry(work.graph.node(id).kind()).or_default() += 1;
        }
        counts
    }

    /// Returns what has to be done about a node, as far as that is known before any SUT is asked for its state.
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

    /// Sets how long tests are expected to take, and orders them by that. For a test that was never measured, its `duration` is
    /// scaled by the ratio of measured to declared durations of the others.
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

    /// Orders the jobs of each lane by `extra-priority`. Then one SUT runs them in the order of the plans, but several SUTs run
    /// the longest first. After a destructive test the SUT must be prepared again, unless the test was the last. So the time for
    /// preparing is subtracted from the length of a destructive test.
    fn order(&mut self, work: &Workload, suts: usize, times: &Durations) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for lane in &mut lanes {
            let chain = lane.plans.first().map_or(&[][..], |&plan| &work.plan(plan).chain);
            let steps = chain.iter().map(|&step| expected_step(work, step, times).expected);
            let preparing = Duration::from_millis(steps.sum());
            lane.jobs.sort_by_cached_key(|&job| {
                let test = |job: JobId| work.test(self.jobs[job.0 as usize].test);
                let destructive = self.together(job).any(|job| test(job).destructive);
                // Where the first failure ends a plan, its order decides which test that is.
                let exits_first = work.plan(test(job).plan).execute.exit_first;
                let lost = if destructive { preparing } else { Duration::ZERO };
                let length = if suts > 1 && !exits_first {
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

/// Drops the records of tests that share a tree, unless every one of these tests has a record.
pub(crate) fn leave_whole(work: &Workload, records: &mut HashMap<NodeId, RecordOutput, impl BuildHasher>) {
    for tests in sharing(work) {
        if !tests.iter().all(|node| records.contains_key(node)) {
            records.retain(|node, _| !tests.contains(node));
        }
    }
}

/// Returns the nodes of tests that share a tree, for each plan.
pub(crate) fn sharing(work: &Workload) -> impl Iterator<Item = HashSet<NodeId>> + '_ {
    let plans = work.plans.iter().filter(|plan| plan.shared_tree);
    plans.map(|plan| plan.tests.iter().map(|&test| work.test(test).node).collect())
}

/// Returns the nodes of tests that run on a prepared SUT.
pub(crate) fn prepared_tests(work: &Workload) -> HashSet<NodeId> {
    let prepared = work.plans.iter().filter(|plan| !plan.chain.is_empty());
    let tests = prepared.flat_map(|plan| &plan.tests);
    tests.map(|&test| work.test(test).node).collect()
}

/// Returns a step in the form that the schedule takes.
fn expected_step(work: &Workload, step: StepId, times: &Durations) -> ChainStep {
    let expected = times.of(work, work.step(step).node).unwrap_or(UNKNOWN_STEP);
    ChainStep {
        step: StepNo(step.0),
        expected: u64::try_from(expected.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Returns whether a SUT is needed for the plan.
fn has_use(plan: &PlanSpec, options: &Options) -> bool {
    match options.mode {
        Mode::Finish => !plan.finish.is_empty(),
        Mode::Build if options.until == Until::Discover => false,
        Mode::Build if options.only_prepares() => !plan.tests.is_empty() && !plan.chain.is_empty(),
        Mode::Build | Mode::Test => !plan.tests.is_empty(),
    }
}

/// Returns the nodes that the command asks for.
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
