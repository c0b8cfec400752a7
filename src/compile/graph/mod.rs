//! Builds the graph of nodes from resolved plans: each node gets its inputs and its place in the order, which give its action
//! key.
//!
//! Discover nodes are already done when they are added. The nodes behind them contain what they found, and so a change of the
//! metadata that does not change a result goes no further. The builder merges equal nodes; nothing here compares keys.

mod test_nodes;
pub(crate) mod uploads;

use std::collections::HashMap;
use std::sync::Arc;

use atex_graph::{
    Base, BlobDigest, DiscoverInputs, EnvValue, Environment, FileMode, FileSet, GraphBuilder, InputFile, InputFiles,
    NodeId, NodeName, OutputDigest, PrepareInputs,
};

use crate::compile::FilesOfTrees;
use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::how;
use crate::compile::inputs::TreeInputs;
use crate::compile::inputs::files::escaped;
use crate::compile::library::Needed;
use crate::compile::library::of_plan::{self, NeedingTest, PlanLibraries};
use crate::compile::library::repository::Repositories;
use crate::compile::metadata::read::NodeReader;
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::plan::Plan;
use crate::compile::plan::environment::{self, Variables};
use crate::compile::plan::modified;
use crate::compile::plan::phases::Phase;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::{PhaseAction, PlanId, PlanSpec, Request, StepId, StepSpec, UploadId, Warning};
use crate::compile::test::TestMetadata;
use crate::compile::unusable::Unusable;
use test_nodes::Draft;
use uploads::{Collision, Uploads};

/// The pseudo variable that, in the keys of scripts, names a tree other than the request's own.
const TREE: &str = "(tree)";

/// The place, among the inputs of a discover node, of the tree from which its plan is imported.
const IMPORTED: &str = "(imported)/";

/// Builds the nodes of plans, one plan after the other.
pub(crate) struct Assembler<'r> {
    request: &'r Request,
    trees: &'r Trees,
    files: FilesOfTrees,
    /// The input files by tree and by the tree's place in the slot.
    inputs: HashMap<(TreeId, String), TreeInputs>,
    metadata: HashMap<(TreeId, String), FileSet>,
    facts: HashMap<(TreeId, usize, &'r str), Arc<TestMetadata>>,
    command_line: Variables,
    builder: GraphBuilder,
    steps: Vec<StepSpec>,
    by_node: HashMap<NodeId, StepId>,
    uploads: Uploads,
    repositories: Repositories<'r>,
    plans: Vec<PlanSpec>,
    drafts: Vec<Draft<'r>>,
    warnings: Vec<Warning>,
}

/// What all nodes of one plan have in common.
struct PlanPart<'p> {
    plan: &'p Plan,
    discover: NodeId,
    upload: UploadId,
}

impl<'r> Assembler<'r> {
    /// Returns an assembler without plans, which knows the files of all trees.
    pub(crate) fn new(request: &'r Request, trees: &'r Trees, files: FilesOfTrees) -> Self {
        Self {
            request,
            trees,
            repositories: Repositories::new(request, trees, files.clone()),
            files,
            inputs: HashMap::new(),
            metadata: HashMap::new(),
            facts: HashMap::new(),
            command_line: environment::of_command_line(&request.environment),
            builder: GraphBuilder::new(),
            steps: Vec::new(),
            by_node: HashMap::new(),
            uploads: Uploads::default(),
            plans: Vec::new(),
            drafts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a plan with its tests; `probe` is the output of its probe.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        tests: &'r [Selected<'r>],
        probe: Option<String>,
    ) -> Result<(), CompileError> {
        let discover = self.discover(plan, tests)?;
        let (libraries, mut needed) = self.libraries(&tests.iter().collect::<Vec<_>>())?;
        for (test, needed) in tests.iter().zip(&needed) {
            self.warn_of_replaced(test, needed.iter().flat_map(|needed| &needed.replaced));
        }
        let libraries = libraries.complete(needed.iter_mut().flatten());
        let upload = self.uploads.of_plan(plan, (self.trees, &self.files), libraries);
        let part = PlanPart { plan, discover, upload };
        let id = PlanId(index(self.plans.len()));
        self.warn_of_globs(plan);
        let chain = self.chain(&part, probe)?;
        let last = chain.last().map(|step| self.steps[step.0 as usize].node);
        let mut drafts = self.drafts(&part, id, (tests, needed), last)?;
        if plan.shared_tree {
            self.bind(&mut drafts)?;
        }
        self.drafts.append(&mut drafts);
        self.plans.push(PlanSpec {
            name: plan.name.clone(),
            discover,
            chain,
            finish: Vec::new(),
            tests: Vec::new(),
            upload,
            shared_tree: plan.shared_tree,
            execute: plan.execute,
            environment: environment::pairs(&plan.environment),
            enabled: plan.enabled,
            data: plan.data.as_str().into(),
            origin: plan.origin.clone(),
        });
        Ok(())
    }

    /// Returns the tests whose libraries would lie where their tree has files.
    pub(crate) fn colliding(&mut self, plans: &[(&Plan, Vec<Selected<'r>>)]) -> Vec<Unusable> {
        let mut unusable = Vec::new();
        for (plan, tests) in plans {
            let mut left: Vec<&Selected<'r>> = tests.iter().collect();
            while let Ok((libraries, mut needed)) = self.libraries(&left)
                && !libraries.places().is_empty()
            {
                let files = libraries.complete(needed.iter_mut().flatten());
                let collided = uploads::collision(plan, (self.trees, &self.files), &files, &libraries.places());
                let Some(Collision { place, file }) = collided else {
                    break;
                };
                let Some(of) = libraries.place_of(&place) else { break };
                let needs =
                    |needed: &Option<Needed>| needed.as_ref().is_some_and(|needed| needed.libraries.contains_key(of));
                let (need, keep): (Vec<_>, Vec<_>) =
                    left.into_iter().zip(&needed).partition(|(_, needed)| needs(needed));
                unusable.extend(need.into_iter().map(|(test, _)| {
                    let (place, file) = (place.clone(), file.clone());
                    let scope = NodeReader::new(test.within.tree, test.node).scope("test");
                    let key = if scope.value("require").is_some() {
                        "require"
                    } else {
                        "recommend"
                    };
                    let error = scope.error(key, MetadataProblem::LibraryPlace { place, file });
                    Unusable::test(plan, &test.name, error)
                }));
                left = keep.into_iter().map(|(test, _)| test).collect();
            }
        }
        unusable
    }

    /// Finds the libraries of tests, and what each test needs beside packages.
    fn libraries(&mut self, tests: &[&Selected<'r>]) -> Result<(PlanLibraries, Vec<Option<Needed>>), CompileError> {
        let mut libraries = PlanLibraries::default();
        let mut all = Vec::with_capacity(tests.len());
        for test in tests {
            let facts = self.facts(test)?;
            let (requires, recommends) = (&*facts.requires, &*facts.recommends);
            let needed = of_plan::is_needing(requires, recommends).then(|| {
                let test = NeedingTest {
                    tree: test.tree(),
                    prefix: &test.prefix(),
                    requires,
                    recommends,
                };
                libraries.add(&mut self.repositories, test)
            });
            all.push(needed);
        }
        Ok((libraries, all))
    }

    /// Warns of libraries in whose place packages are taken, of each once.
    fn warn_of_replaced<'t>(&mut self, test: &Selected<'_>, replaced: impl Iterator<Item = &'t String>) {
        let scope = NodeReader::new(test.within.tree, test.node).scope("test");
        for text in replaced {
            if !self
                .warnings
                .iter()
                .any(|warning| warning.text.ends_with(text.as_str()))
            {
                self.warnings.push(scope.warning("require", text));
            }
        }
    }

    fn discover(&mut self, plan: &Plan, tests: &[Selected<'r>]) -> Result<NodeId, CompileError> {
        let mut own = vec![(TreeId::OWN, String::new())];
        own.extend((plan.home.id != TreeId::OWN).then(|| (plan.home.id, IMPORTED.to_owned())));
        let places = plan.places(self.trees).into_iter().chain(own);
        let mut selection = crate::compile::selection_of(self.request);
        let modified = plan.modified();
        if !modified.is_empty() {
            selection.insert(modified::KEY.to_owned(), modified);
        }
        let inputs = DiscoverInputs {
            plan: plan.name.clone(),
            files: InputFiles::union(places.map(|(tree, prefix)| self.metadata(tree, prefix))),
            context: plan.context.clone(),
            selection,
        };
        let node = self
            .builder
            .add(NodeName::discover(&plan.name), inputs.into(), &[], &[])?;
        let mut output = blake3::Hasher::new();
        for test in tests {
            let facts = self.facts(test)?;
            for part in [&*test.name, &*facts.data] {
                output.update(&(part.len() as u64).to_le_bytes());
                output.update(part.as_bytes());
            }
        }
        self.builder
            .set_output(node, OutputDigest::from_bytes(output.finalize().into()))?;
        Ok(node)
    }

    fn metadata(&mut self, id: TreeId, prefix: String) -> FileSet {
        let tree = self.trees.get(id);
        let place = (id, prefix);
        if let Some(set) = self.metadata.get(&place) {
            return set.clone();
        }
        let files = tree.metadata_files().iter().map(|file| InputFile {
            path: format!("{}{}", place.1, escaped(&file.path)),
            digest: BlobDigest::from_bytes(file.digest.into()),
            mode: FileMode::Regular,
        });
        let set: FileSet = files.collect();
        self.metadata.insert(place, set.clone());
        set
    }

    /// Adds the prepare steps of a plan, each behind the one before it.
    fn chain(&mut self, part: &PlanPart<'_>, probe: Option<String>) -> Result<Vec<StepId>, CompileError> {
        let plan = part.plan;
        for phase in plan.prepare.iter().chain(&plan.finish) {
            phase.refuse_ignored(&self.files[&TreeId::OWN])?;
        }
        let mut chain: Vec<StepId> = Vec::new();
        let mut probe = probe;
        for (position, phase) in plan.prepare.iter().enumerate() {
            let previous = chain.last().map(|step| self.steps[step.0 as usize].node);
            let environment = if how::runs_in_tree(&phase.action) {
                self.script_environment(part)
            } else {
                environment::inputs(&plan.environment, &self.command_line, &self.request.secrets)
            };
            let inputs = PrepareInputs {
                observed: InputFiles::default(),
                base: base_of(previous, self.request),
                probe: probe.take(),
                action: how::input(&phase.action, origin_of(phase)),
                environment,
                files: self.step_files(plan, &phase.action),
            };
            let name = NodeName::prepare(&plan.name, index(position + 1), inputs.action.word());
            let node = self
                .builder
                .add(name, inputs.into(), previous.as_slice(), &[part.discover])?;
            chain.push(self.step(node, phase, part));
        }
        Ok(chain)
    }

    /// Returns the spec of a node and makes it at first use. Plans that share a node share its spec.
    fn step(&mut self, node: NodeId, phase: &Phase, part: &PlanPart<'_>) -> StepId {
        *self.by_node.entry(node).or_insert_with(|| {
            self.steps.push(StepSpec {
                node,
                label: phase.label.clone(),
                action: phase.action.clone(),
                // The plan environment file lies below both, as it does for tests of tmt's.
                env_before: Vec::new(),
                env_after: environment::pairs(&environment::merged(&part.plan.environment, &self.command_line)),
                upload: part.upload,
                origin: phase.origin.clone(),
            });
            StepId(index(self.steps.len() - 1))
        })
    }

    /// Returns the part of the environment that enters the key of a script. A script that depends on no file still runs in some
    /// tree, and two plans with different trees must not share the node.
    fn script_environment(&self, part: &PlanPart<'_>) -> Environment {
        let plan = &part.plan.environment;
        let mut environment = environment::inputs(plan, &self.command_line, &self.request.secrets);
        let slot = &self.uploads.specs[part.upload.0 as usize].slot;
        if slot != uploads::MAIN {
            environment.insert(TREE.to_owned(), EnvValue::Plain(slot.clone()).into());
        }
        environment
    }

    /// Returns the files that a step may read: what `extra-atex-inputs` of the plan says, or else, from all trees of the slot,
    /// the files that belong to no test and those that the step names.
    fn step_files(&mut self, plan: &Plan, action: &PhaseAction) -> InputFiles {
        let mentions = how::mentions(action, &self.files[&TreeId::OWN]);
        let brought = how::brought(action);
        let in_tree = how::runs_in_tree(action);
        let mut sets = Vec::new();
        let places = if how::reads_on_host(action) {
            vec![(TreeId::OWN, String::new())]
        } else {
            plan.places(self.trees)
        };
        for (tree, prefix) in places {
            let inputs = self.inputs(tree, &prefix);
            match &plan.globs {
                Some(globs) if in_tree => sets.push(inputs.matching(globs).0),
                None if in_tree => sets.extend([inputs.shared(), inputs.named(&mentions)]),
                _ => sets.push(inputs.named(&mentions)),
            }
            sets.extend(brought.iter().map(|brought| inputs.mentioned(brought)));
        }
        InputFiles::union(sets)
    }

    /// Warns of the globs of a plan that match nothing in any of its trees.
    fn warn_of_globs(&mut self, plan: &Plan) {
        let Some(globs) = &plan.globs else { return };
        let places = plan.places(self.trees).into_iter();
        let unused: Vec<Vec<String>> = places
            .map(|(tree, prefix)| self.inputs(tree, &prefix).matching(globs).1)
            .collect();
        let Some((first, others)) = unused.split_first() else {
            return;
        };
        for glob in first
            .iter()
            .filter(|glob| others.iter().all(|unused| unused.contains(glob)))
        {
            let text = format!("plan `{}`: `{glob}` in `extra-atex-inputs` matches no file", plan.name);
            self.warnings.push(Warning {
                text,
                file: None,
                line: None,
            });
        }
    }

    /// Returns the input files of a tree at a place in a slot.
    fn inputs(&mut self, tree: TreeId, prefix: &str) -> &mut TreeInputs {
        let files = &self.files[&tree];
        let owners = &self.trees.get(tree).owners;
        self.inputs
            .entry((tree, prefix.to_owned()))
            .or_insert_with(|| TreeInputs::new(Arc::clone(files), owners, prefix.to_owned()))
    }
}

/// Returns the origin of a phase's packages or scripts, as the key's input shows it.
fn origin_of(phase: &Phase) -> Option<Arc<str>> {
    phase.origin.as_deref().map(Into::into)
}

/// Returns the base if a chain or a test starts from it, because it is part of the key then.
fn base_of(previous: Option<NodeId>, request: &Request) -> Option<Base> {
    previous.is_none().then(|| request.base.clone())
}

/// Returns a position in a vector of a workload as an index. It fits, since the graph refuses four thousand million nodes before.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
