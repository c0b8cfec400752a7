//! The compiler: turns the metadata tree into a workload, that is plans, tests, steps, input files and the sealed graph with
//! every action key.
//!
//! This is the only module that knows both fmf and the graph. Its steps, one submodule each:
//!
//! 1. `metadata` loads the request's tree and those that sections name, adjusts them with the context, and reads typed values
//!    from them;
//! 2. `plan` selects plans and reads them: sections, phases (what a phase can do: `how`), environment, and which tests they take;
//! 3. `inputs` looks at all files of the trees, by the rules of git in `git`, and decides which nodes depend on which files;
//!    `script` finds out from the text of scripts which files they mean;
//! 4. `library` finds the libraries of tests that the selected tests require, and fetches them;
//! 5. `graph` makes nodes and keys, with the metadata of each `test`;
//! 6. `remembered` keeps the results of these steps, so that the next build can skip them.
//!
//! [`ResolvedRequest::list`] stops once the tests are selected. What is wrong with a plan or a test concerns it alone: `unusable`. Nothing here depends
//! on the time, on host paths or on the order of a map, so equal trees give equal keys on every host.

mod error;
pub mod fetch;
mod git;
mod graph;
mod how;
mod inputs;
mod library;
pub mod lint;
mod listing;
mod metadata;
pub(crate) mod plan;
mod remembered;
mod script;
pub mod spec;
mod test;
mod unusable;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use error::{CompileError, MetadataProblem, ProbeProblem, TreeError};
use fetch::Network;
use graph::Assembler;
use inputs::files::TreeFiles;
use inputs::{git_ignored, links_outside};
pub use listing::{ListedPlan, ListedTest, Listing, PlanListing};
pub use metadata::location::ValueOrigin;
use metadata::read::{NodeReader, Scope};
use metadata::trees::{TreeId, Trees};
use metadata::unsupported::Ignored;
use plan::context::Dimensions;
pub use plan::environment_file::EnvironmentFileError;
pub use plan::import::ImportError;
pub use plan::modified::ModifiedError;
pub use plan::probe::Probe;
pub use plan::provision::Provision;
use plan::{Plan, import, test_selection};
pub use remembered::null_build::NullBuildFile;
use spec::{Request, Warning, Workload};
use unusable::Selection;
pub use unusable::Unusable;

/// Compiles a request. Afterwards the key of every node is known, and only probes have run.
pub fn compile(request: &Request) -> Result<Workload, CompileError> {
    resolve(request)?.compile(request, &mut |probe| probe.run())
}

/// Returns the output of a probe, by running it or by knowing it already.
pub type AskProbe<'a> = dyn FnMut(&Probe<'_>) -> Result<String, ProbeProblem> + 'a;

/// Loads the trees of a request for [`ResolvedRequest::list`] and [`ResolvedRequest::compile`]. Only metadata files are read, and
/// nothing runs.
pub fn resolve(request: &Request) -> Result<ResolvedRequest, CompileError> {
    let mut resolved = ResolvedRequest::new(request)?;
    resolved.fetch(request, Network::Used)?;
    Ok(resolved)
}

/// Loads the trees of a request for [`ResolvedRequest::list_plans`]. Nothing is fetched.
pub fn resolve_plans(request: &Request) -> Result<ResolvedRequest, CompileError> {
    let mut resolved = ResolvedRequest::new(request)?;
    resolved.fetch(request, Network::Unused)?;
    Ok(resolved)
}

/// Returns the machines that the selected plans ask for, with nothing fetched. They need not be known to read the plans, and so
/// `distro` and `arch` are not.
pub fn provisions(request: &Request) -> Result<Vec<Provision>, CompileError> {
    let mut resolved = ResolvedRequest::new(request)?;
    if resolved.plans.is_empty()
        && let Some(unusable) = resolved.unusable.pop()
        && let Ok(error) = Arc::try_unwrap(unusable.error)
    {
        return Err(error);
    }
    let own = resolved.trees.own();
    let read = |plan: &Plan| {
        let tree = own.tree();
        let node = tree.climb(false).find(|node| node.name() == plan.name);
        let scope = node.map(|node| NodeReader::new(tree, node).scope("plan"))?;
        let context = plan::context::for_rules(&plan.context);
        let mut applies = |guest: &Scope<'_>| plan::phases::applies(guest, &context);
        Some(plan::provision::of_plan(&scope, &mut applies))
    };
    resolved.plans.iter().filter_map(read).collect()
}

fn refuse_if_strict(request: &Request, warnings: &[Warning]) -> Result<(), CompileError> {
    if request.strict && !warnings.is_empty() {
        return Err(CompileError::Strict {
            warnings: warnings.to_vec(),
        });
    }
    Ok(())
}

/// The files of each tree.
type FilesOfTrees = HashMap<TreeId, Arc<TreeFiles>>;

/// The plans that were asked for, and the trees in which they look for tests.
pub struct ResolvedRequest {
    context: Dimensions,
    trees: Trees,
    plans: Vec<Plan>,
    unusable: Vec<Unusable>,
    warnings: Vec<Warning>,
    /// The files of all trees and the warnings about them. The trees are walked only once.
    files: OnceLock<(FilesOfTrees, Vec<Warning>)>,
}

impl ResolvedRequest {
    /// Compiles the request that this was loaded for; see [`compile`](fn@compile). Each probe is asked once.
    pub fn compile(&self, request: &Request, ask: &mut AskProbe<'_>) -> Result<Workload, CompileError> {
        let mut warnings = self.warnings.clone();
        let mut selection = self.select(request, &mut warnings)?;
        let (files, unread) = self.files(request);
        let mut assembler = Assembler::new(request, &self.trees, files.clone());
        let unusable = assembler.read_facts(&selection.plans);
        selection.leave_out(unusable);
        let colliding = assembler.colliding(&selection.plans);
        selection.leave_out(colliding);
        warnings.extend(git_ignored::warnings(&selection.plans, &self.trees, files));
        refuse_if_strict(request, &warnings)?;
        warnings.extend(unread.iter().cloned());
        warnings.extend(links_outside::warning(&selection.plans, &self.trees, files));
        let probes = ask_probes(self, &mut selection, ask);
        if !request.tests.is_empty() {
            selection.excuse_plans(&mut warnings);
        }
        for ((plan, tests), probe) in selection.plans.iter().zip(probes) {
            assembler.add(plan, tests, probe)?;
        }
        let plans: Vec<&Plan> = selection.plans.iter().map(|(plan, _)| *plan).collect();
        let mut workload = assembler.finish(&plans)?;
        warnings.append(&mut workload.warnings);
        workload.warnings = warnings;
        workload.unusable = selection.unusable;
        Ok(workload)
    }

    /// Returns the absolute path of the root of the request's tree.
    pub fn root(&self) -> &Path {
        self.trees.own().root()
    }

    /// Loads the request's tree and reads its plans.
    fn new(request: &Request) -> Result<Self, CompileError> {
        let context = plan::context::of_request(request);
        let mut warnings = Vec::new();
        let trees = Trees::open(&request.start, &context, request.digest_cache.as_deref())?;
        let mut unusable = Vec::new();
        let plans = plan::select(trees.of_request(), request, (&mut warnings, &mut unusable))?;
        Ok(Self {
            context,
            trees,
            plans,
            unusable,
            warnings,
            files: OnceLock::new(),
        })
    }

    fn files(&self, request: &Request) -> &(FilesOfTrees, Vec<Warning>) {
        self.files.get_or_init(|| {
            let mut warnings = Vec::new();
            let mut by_root: HashMap<&Path, Arc<TreeFiles>> = HashMap::new();
            let mut files = FilesOfTrees::new();
            for id in self.trees.ids() {
                let root = self.trees.get(id).files_root();
                let read = || {
                    let read = TreeFiles::read((root, &request.own), request.digest_cache.as_deref(), &mut warnings);
                    Arc::new(read)
                };
                files.insert(id, Arc::clone(by_root.entry(root).or_insert_with(read)));
            }
            (files, warnings)
        })
    }

    /// Puts imported plans in their places, and loads the trees of all sections of the plans that are wanted. A plan that has one
    /// that cannot be loaded cannot be used. Without the network, plans that need it are left as they are.
    fn fetch(&mut self, request: &Request, network: Network) -> Result<(), CompileError> {
        let is_wanted = |plan: &Plan| network == Network::Used || !plan.is_remote();
        let Self {
            trees,
            plans,
            unusable,
            warnings,
            ..
        } = self;
        for plan in std::mem::take(plans) {
            if !is_wanted(&plan) {
                plans.push(plan);
                continue;
            }
            let name = plan.name.clone();
            let read = plan::with_pages(trees.of_request(), plan, request, warnings).map_err(Arc::new);
            match read.and_then(|plan| import::resolved(plan, trees, request, network, warnings)) {
                Ok(resolved) => plans.extend(resolved),
                Err(error) => unusable.push(Unusable::plan(&name, error)),
            }
        }
        plan::keep_asked_for(plans, unusable, &request.plans)?;
        plans.retain_mut(|plan| {
            let is_wanted = is_wanted(plan);
            let mut sections = plan.sections.iter_mut().filter(|_| is_wanted);
            let added = sections.try_for_each(|section| {
                section.keep_modified(trees.get(plan.home.id).root(), &request.fetch_cache)?;
                let mut adjustments = section.adjustments(&plan.context).into_iter();
                adjustments.try_for_each(|adjustment| {
                    let named = (&section.source, section.inline.as_slice());
                    let added = trees.add(plan.home.id, named, &adjustment, &request.fetch_cache);
                    added.map_err(|error| section.blamed(error))
                })
            });
            let fetched = added.and_then(|()| if is_wanted { plan.fetch() } else { Ok(()) });
            let error = fetched.err();
            let is_usable = error.is_none();
            unusable.extend(error.map(|error| Unusable::plan(&plan.name, error)));
            is_usable
        });
        Ok(())
    }

    /// Returns the tests of each plan. If tests were asked for by name, plans that hold none of them are left out.
    fn select(&self, request: &Request, warnings: &mut Vec<Warning>) -> Result<Selection<'_>, CompileError> {
        let mut selection = Selection {
            plans: Vec::with_capacity(self.plans.len()),
            unusable: self.unusable.clone(),
        };
        for plan in &self.plans {
            match test_selection::of_plan(plan, &self.trees, &request.narrowing, warnings) {
                Ok((tests, unusable)) => {
                    selection.plans.push((plan, tests));
                    selection.leave_out(unusable);
                }
                Err(error) if error.is_of_plan() => selection.unusable.push(Unusable::plan(&plan.name, error)),
                Err(error) => return Err(error),
            }
        }
        if !request.tests.is_empty() {
            test_selection::keep_named(&mut selection, &request.tests)?;
            selection.plans.retain(|(_, tests)| !tests.is_empty());
            selection.excuse_plans(warnings);
        }
        let mut ignored = Ignored::default();
        let files = || &self.files(request).0;
        let mut interfaces = test::interface::Finder::new(request, &self.trees, &files);
        let mut unusable = Vec::new();
        for (plan, tests) in &selection.plans {
            for test in tests {
                let looked = ignored.test(test, || interfaces.of(plan, test));
                unusable.extend(looked.err().map(|error| Unusable::test(plan, &test.name, error)));
            }
        }
        selection.leave_out(unusable);
        warnings.extend(ignored.into_warnings());
        Ok(selection)
    }
}

/// Asks the probes of plans that have something to prepare for, and each command only once. A plan whose probe fails cannot be
/// used.
fn ask_probes(
    resolved: &ResolvedRequest,
    selection: &mut Selection<'_>,
    ask: &mut AskProbe<'_>,
) -> Vec<Option<String>> {
    let mut answers: HashMap<&str, String> = HashMap::new();
    let root = resolved.trees.own().root();
    let (mut probes, mut unusable) = (Vec::with_capacity(selection.plans.len()), Vec::new());
    for (plan, tests) in &selection.plans {
        let plan: &Plan = plan;
        let Some((command, cause)) = plan
            .probe
            .as_ref()
            .filter(|_| !plan.prepare.is_empty() && !tests.is_empty())
        else {
            probes.push(None);
            continue;
        };
        if !answers.contains_key(command.as_str()) {
            let failed = |problem| CompileError::Probe {
                plan: plan.name.clone(),
                cause: Box::new(cause.clone()),
                command: command.clone(),
                problem,
            };
            let probe = Probe {
                plan: &plan.name,
                root,
                command,
            };
            match ask(&probe) {
                Ok(answer) => answers.insert(command, answer),
                Err(problem) => {
                    unusable.push(Unusable::plan(&plan.name, failed(problem)));
                    continue;
                }
            };
        }
        probes.push(answers.get(command.as_str()).cloned());
    }
    selection.leave_out(unusable);
    probes
}

/// Returns the context of a request: the facts known of the SUT, overridden by the command line. A plan may have more dimensions.
pub fn context_of(request: &Request) -> BTreeMap<String, Vec<String>> {
    plan::context::of_request(request)
}

/// Returns what the command line says about the selection, by option.
fn selection_of(request: &Request) -> BTreeMap<String, Vec<String>> {
    let narrowing = &request.narrowing;
    let options = [
        ("test", &request.tests),
        ("name", &narrowing.names),
        ("filter", &narrowing.filters),
        ("condition", &narrowing.conditions),
        ("exclude", &narrowing.exclude),
    ];
    options
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name.to_owned(), values.clone()))
        .collect()
}
