//! The second half of building the graph: the test nodes, whose names depend on all plans, and the finish steps that wait for
//! them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use atex_graph::{EnvValue, FinishInputs, InputFiles, Keyed, NodeId, NodeName, Sourced, TestInputs};
use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::{Assembler, PlanPart, base_of, index, origin_of};
use crate::compile::error::CompileError;
use crate::compile::how;
use crate::compile::inputs::files::escaped;
use crate::compile::library::{Needed, requirement};
use crate::compile::metadata::trees::TreeId;
use crate::compile::metadata::unsupported;
use crate::compile::plan::Plan;
use crate::compile::plan::environment;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::{Interface, PlanId, TestId, TestSpec, Warning, Workload};
use crate::compile::test::{TestMetadata, interface, metadata_file};
use crate::compile::unusable::Unusable;

/// The pseudo variable that, in the keys of tests that share a tree, stands for all of these tests.
const SHARED: &str = "(shared tree)";

/// The pseudo key that, in the keys of tests, stands for the libraries of tests that it needs.
const LIBRARIES: &str = "(libraries)";

/// The variable that tells a test with tmt's interface whether its plan is `restraint-compatible`.
const RESTRAINT: &str = "TMT_RESTRAINT_COMPATIBLE";

/// The pseudo key that, in the keys of tests, says that a skip is an error: `require-test` of its plan names it.
const REQUIRED: &str = "(required)";

/// A test whose node does not exist yet, because its name depends on the other plans that hold the test.
#[derive(Debug)]
pub(super) struct Draft<'r> {
    selected: &'r Selected<'r>,
    plan: PlanId,
    facts: Arc<TestMetadata>,
    inputs: TestInputs,
    interface: Interface,
    needed: Option<Needed>,
    /// The last prepare step of its plan.
    last: Option<NodeId>,
    discover: NodeId,
    env_before: Vec<(String, String)>,
    env_after: Vec<(String, String)>,
    /// The text of the file that `TMT_TEST_METADATA` names.
    metadata: Arc<str>,
}

impl<'r> Assembler<'r> {
    /// Drafts the tests of a plan. The files that they depend on are found test by test; the rest is done in parallel.
    pub(super) fn drafts(
        &mut self,
        part: &PlanPart<'_>,
        plan: PlanId,
        (tests, needed): (&'r [Selected<'r>], Vec<Option<Needed>>),
        last: Option<NodeId>,
    ) -> Result<Vec<Draft<'r>>, CompileError> {
        let facts = tests
            .iter()
            .map(|test| self.facts(test))
            .collect::<Result<Vec<_>, _>>()?;
        let found = tests.iter().zip(facts).zip(needed).map(|((test, facts), needed)| {
            let request = self.request;
            let inputs = self.inputs(test.tree(), &test.prefix());
            let files = inputs.of_test(facts.globs.as_ref(), &facts.directories);
            let is_mentioned = || Ok::<_, Infallible>(facts.speaks || inputs.speak(&files));
            let Ok(interface) = interface::decided(facts.interface, part.plan, request, is_mentioned);
            let files = match &needed {
                Some(needed) => InputFiles::union(files.sets().iter().chain(&needed.files).cloned()),
                None => files,
            };
            (test, (facts, needed), files, interface)
        });
        let found: Vec<_> = found.collect();
        let draft = |found| self.draft(part, plan, found, last);
        Ok(found.into_par_iter().map(draft).collect())
    }

    /// Makes the key of each test contain the keys of all, in their order, because each test finds what the ones before it left
    /// behind.
    pub(super) fn bind(&self, drafts: &mut [Draft<'r>]) -> Result<(), CompileError> {
        let mut all = blake3::Hasher::new_derive_key("atex shared tree 1");
        for draft in &*drafts {
            let name = NodeName::test(&*draft.selected.name);
            let keyed = self
                .builder
                .key_for(name, draft.inputs.clone().into(), draft.last.as_slice())?;
            all.update(keyed.key().as_bytes());
        }
        let all = all.finalize().to_hex();
        for (number, draft) in (1..).zip(drafts) {
            let place = EnvValue::Plain(format!("test {number} of {all}"));
            draft.inputs.environment.insert(SHARED.to_owned(), place.into());
        }
        Ok(())
    }

    fn draft(
        &self,
        part: &PlanPart<'_>,
        plan: PlanId,
        (selected, (facts, needed), files, interface): Found<'r>,
        last: Option<NodeId>,
    ) -> Draft<'r> {
        // For tmt a plan knows better than a test, and what prepare steps have found out better than the test, too.
        let (env_before, over) = match interface {
            Interface::Atex => (&part.plan.environment, &facts.environment),
            Interface::Tmt => (&facts.environment, &part.plan.environment),
        };
        let env_after = environment::merged(over, &self.command_line);
        let execute = part.plan.execute;
        let mut environment = environment::inputs(env_before, &env_after, &self.request.secrets);
        if execute.restraint_compatible && interface == Interface::Tmt {
            environment.insert(RESTRAINT.to_owned(), EnvValue::from("1").into());
        }
        let mut further = Vec::new();
        if execute.ignore_duration {
            // A pass says nothing of the duration then, so a word stands for it that no duration is.
            further.push(("duration", "ignored".into()));
        }
        if interface == Interface::Tmt && selected.is_required() {
            further.push((REQUIRED, true.into()));
        }
        let inputs = TestInputs {
            base: base_of(last, self.request),
            name: selected.name.to_string(),
            dir: format!("{}{}", selected.prefix(), facts.dir)
                .trim_end_matches('/')
                .to_owned(),
            metadata: metadata_of(&facts, needed.as_ref(), further),
            environment,
            files,
            observed: InputFiles::default(),
            interface: (interface == Interface::Tmt).then(|| interface.word().to_owned()),
        };
        let env_before = environment::pairs(env_before);
        let metadata = match interface {
            Interface::Atex => metadata_file::for_atex(&selected.name, selected.node.data()),
            Interface::Tmt => metadata_file::for_tmt(selected.node),
        };
        Draft {
            selected,
            plan,
            facts,
            inputs,
            needed,
            last,
            interface,
            discover: part.discover,
            env_before,
            env_after: environment::pairs(&env_after),
            metadata: metadata.into(),
        }
    }

    /// Reads the metadata of the tests, in parallel. Returns the tests that cannot be used.
    pub(crate) fn read_facts(&mut self, plans: &[(&Plan, Vec<Selected<'r>>)]) -> Vec<Unusable> {
        let mut failed: HashMap<_, Arc<CompileError>> = HashMap::new();
        let mut seen = HashSet::new();
        for (_, tests) in plans {
            let is_new = |test: &&Selected<'r>| seen.insert(test.identity());
            let new: Vec<&Selected<'r>> = tests.iter().filter(is_new).collect();
            let read = |test: &&Selected<'r>| TestMetadata::read(test.within, test.node);
            let read: Vec<Result<TestMetadata, CompileError>> = new.par_iter().map(read).collect();
            for (test, facts) in new.into_iter().zip(read) {
                match facts {
                    Ok(facts) => drop(self.keep_facts(test, facts)),
                    Err(error) => drop(failed.insert(test.identity(), Arc::new(error))),
                }
            }
        }
        let tests = plans
            .iter()
            .flat_map(|(plan, tests)| tests.iter().map(move |test| (plan, test)));
        let unusable = tests.filter_map(|(plan, test)| {
            let error = failed.get(&test.identity())?;
            Some(Unusable::test(plan, &test.name, Arc::clone(error)))
        });
        unusable.collect()
    }

    /// Returns the metadata of a test, which are read once.
    pub(super) fn facts(&mut self, selected: &Selected<'r>) -> Result<Arc<TestMetadata>, CompileError> {
        let place = selected.identity();
        if let Some(facts) = self.facts.get(&place) {
            return Ok(Arc::clone(facts));
        }
        let facts = TestMetadata::read(selected.within, selected.node)?;
        Ok(self.keep_facts(selected, facts))
    }

    fn keep_facts(&mut self, selected: &Selected<'r>, facts: TestMetadata) -> Arc<TestMetadata> {
        let facts = Arc::new(facts);
        if let Some(globs) = &facts.globs {
            let (_, unused) = self.inputs(selected.tree(), "").matching(globs);
            let warnings = unused.into_iter().map(|glob| Warning {
                text: format!(
                    "test `{}`: `{glob}` in `extra-atex-inputs` matches no file",
                    selected.node.name()
                ),
                file: None,
                line: None,
            });
            // A test that plans have in different contexts is read once for each.
            let new: Vec<Warning> = warnings.filter(|warning| !self.warnings.contains(warning)).collect();
            self.warnings.extend(new);
        }
        self.facts.insert(selected.identity(), Arc::clone(&facts));
        facts
    }

    /// Makes the nodes of the tests, then the finish steps that wait for them, and seals the graph.
    pub(crate) fn finish(mut self, plans: &[&Plan]) -> Result<Workload, CompileError> {
        let drafts = std::mem::take(&mut self.drafts);
        let differing = differing(&drafts);
        let keyed = |draft| self.keyed(draft, &differing);
        let keyed: Vec<_> = drafts.into_par_iter().map(keyed).collect();
        let mut tests: Vec<TestSpec> = Vec::with_capacity(keyed.len());
        for made in keyed {
            let (keyed, discover, spec) = made?;
            let node = self.builder.insert(keyed, &[discover])?;
            let of_plan = &mut self.plans[spec.plan.0 as usize].tests;
            of_plan.push(TestId(index(tests.len())));
            let serial = index(of_plan.len());
            tests.push(TestSpec { node, serial, ..spec });
        }
        for (position, plan) in plans.iter().enumerate() {
            self.finish_steps(position, plan, &tests)?;
        }
        let own = &self.files[&TreeId::OWN];
        Ok(Workload {
            root: own.root.clone(),
            tree_digest: own.digest(),
            context: crate::compile::context_of(self.request),
            graph: Arc::new(self.builder.seal()?),
            plans: self.plans,
            tests,
            steps: self.steps,
            uploads: self.uploads.complete(),
            warnings: self.warnings,
            unusable: Vec::new(),
        })
    }

    /// Returns a test with the key of its node, and the discover node that it waits for. The spec's own node id is known only
    /// once the node is added.
    fn keyed(&self, draft: Draft<'r>, differing: &HashSet<&'r str>) -> Result<(Keyed, NodeId, TestSpec), CompileError> {
        let Draft {
            selected,
            plan,
            facts,
            inputs,
            needed,
            last,
            interface,
            discover,
            env_before,
            env_after,
            metadata,
        } = draft;
        let name = if differing.contains(&*selected.name) {
            NodeName::test_of(&self.plans[plan.0 as usize].name, &*selected.name)
        } else {
            NodeName::test(&*selected.name)
        };
        let dir = inputs.dir.clone();
        let keyed = self.builder.key_for(name, inputs.into(), last.as_slice())?;
        let framework = Some(facts.framework).filter(|framework| framework.is_of(interface));
        let framework = framework.unwrap_or_default();
        let package = framework.package().map(str::to_owned);
        let packages = || Needed {
            requires: requirement::packages(&facts.requires).cloned().collect(),
            recommends: requirement::packages(&facts.recommends).cloned().collect(),
            ..Needed::default()
        };
        let mut needed = needed.unwrap_or_else(packages);
        let package = package.filter(|package| !needed.requires.contains(package));
        needed.requires.extend(package);
        if interface == Interface::Tmt {
            let packages = facts.checks.list.iter().filter_map(|check| check.kind.package());
            needed.recommends.extend(packages.map(str::to_owned));
        }
        let spec = TestSpec {
            name: selected.name.to_string(),
            plan,
            node: discover,
            dir,
            script: facts.script.clone(),
            interface,
            interpretation: facts.interpretation.clone(),
            framework,
            restart: facts.restart.clone(),
            checks: facts.checks.clone(),
            is_required: selected.is_required(),
            serial: 0,
            env_before,
            env_after,
            requires: needed.requires,
            recommends: needed.recommends,
            libraries: needed.libraries,
            missing: needed.missing,
            duration: facts.duration,
            tty: facts.tty,
            metadata,
            data: Arc::clone(&facts.data),
            tags: facts.tags.clone(),
            destructive: facts.destructive,
            doubt: unsupported::why_not_recorded(selected.node, interface),
            priority: facts.priority,
            order: selected.order,
            origin: facts.origin.clone(),
        };
        Ok((keyed, discover, spec))
    }

    /// Adds the finish steps of a plan: the first waits for all tests, and each other one for the step before it.
    fn finish_steps(&mut self, position: usize, plan: &Plan, tests: &[TestSpec]) -> Result<(), CompileError> {
        let spec = &self.plans[position];
        let part = PlanPart {
            plan,
            discover: spec.discover,
            upload: spec.upload,
        };
        let chain = spec.chain.iter().map(|step| self.steps[step.0 as usize].node);
        let nodes = spec.tests.iter().map(|test| tests[test.0 as usize].node);
        let mut after: Vec<NodeId> = [spec.discover].into_iter().chain(chain).chain(nodes).collect();
        let mut previous = None;
        for (step, phase) in plan.finish.iter().enumerate() {
            let inputs = FinishInputs {
                action: how::input(&phase.action, origin_of(phase)),
                environment: self.script_environment(&part),
            };
            let name = NodeName::finish(&plan.name, index(step + 1));
            let node = self.builder.add(name, inputs.into(), previous.as_slice(), &after)?;
            let id = self.step(node, phase, &part);
            self.plans[position].finish.push(id);
            previous = Some(node);
            after.clear();
        }
        Ok(())
    }
}

/// A test with what it depends on: its metadata, what it needs beside packages, its input files and its interface.
type Found<'r> = (
    &'r Selected<'r>,
    (Arc<TestMetadata>, Option<Needed>),
    InputFiles,
    Interface,
);

/// Returns the metadata that are part of the key of a test, with the commits of its libraries, and with what its plan makes of them.
fn metadata_of(
    facts: &TestMetadata,
    needed: Option<&Needed>,
    further: Vec<(&str, serde_json::Value)>,
) -> Arc<BTreeMap<String, Sourced<serde_json::Value>>> {
    let needed = needed.filter(|needed| !needed.libraries.is_empty());
    if needed.is_none() && further.is_empty() {
        return Arc::clone(&facts.key);
    }
    let mut metadata = BTreeMap::clone(&facts.key);
    if let Some(needed) = needed {
        let libraries = needed.libraries.iter();
        let libraries = libraries.map(|(place, revision)| (escaped(place), revision.as_str().into()));
        let libraries = serde_json::Value::Object(libraries.collect());
        metadata.insert(LIBRARIES.to_owned(), libraries.into());
    }
    metadata.extend(further.into_iter().map(|(key, value)| (key.to_owned(), value.into())));
    Arc::new(metadata)
}

/// Returns the names of tests that different plans run differently.
fn differing<'r>(drafts: &[Draft<'r>]) -> HashSet<&'r str> {
    let mut first: HashMap<&str, &Draft<'r>> = HashMap::with_capacity(drafts.len());
    let mut differing = HashSet::new();
    for draft in drafts {
        let name = &*draft.selected.name;
        let known = *first.entry(name).or_insert(draft);
        if std::ptr::eq(known, draft) {
            continue;
        }
        if known.last != draft.last || known.inputs != draft.inputs {
            differing.insert(name);
        }
    }
    differing
}
