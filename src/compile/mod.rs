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
//! 4. `graph` makes nodes and keys, with the metadata of each `test`;
//! 5. `remembered` keeps the results of these steps, so that the next build can skip them.
//!
//! [`ResolvedRequest::list`] stops once the tests are selected, and [`list_plans`] once the plans are read. Nothing here depends
//! on the time, on host paths or on the order of a map, so equal trees give equal keys on every host.

mod error;
pub mod fetch;
mod git;
mod graph;
mod how;
mod inputs;
pub mod lint;
mod listing;
mod metadata;

pub(crate) mod plan;
mod remembered;
mod script;
pub mod spec;
mod test;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use error::{CompileError, MetadataProblem, ProbeProblem, TreeError};
use graph::Assembler;
use inputs::files::TreeFiles;
use inputs::{git_ignored, links_outside};
pub use listing::{ListedPlan, ListedTest, Listing};
pub use metadata::location::ValueOrigin;
use metadata::trees::{TreeId, Trees};
use metadata::unsupported::Ignored;
use plan::context::Dimensions;
pub use plan::environment_file::EnvironmentFileError;
pub use plan::probe::Probe;
use plan::test_selection::Selected;
use plan::{Plan, test_selection};
pub use remembered::null_build::NullBuildFile;
use spec::{Request, Warning, Workload};

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
    resolved.fetch(request)?;
    Ok(resolved)
}

/// Lists only the plans: nothing is fetched, and no test is looked at.
pub fn list_plans(request: &Request) -> Result<Vec<ListedPlan>, CompileError> {
    let resolved = ResolvedRequest::new(request)?;
    refuse_if_strict(request, &resolved.warnings)?;
    Ok(resolved.plans.iter().map(|plan| ListedPlan::of(plan, 0)).collect())
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
    warnings: Vec<Warning>,
    /// The files of all trees and the warnings about them. The trees are walked only once.
    files: OnceLock<(FilesOfTrees, Vec<Warning>)>,
}

impl ResolvedRequest {
    /// Compiles the request that this was loaded for; see [`compile`](fn@compile). Each probe is asked once.
    pub fn compile(&self, request: &Request, ask: &mut AskProbe<'_>) -> Result<Workload, CompileError> {
        let mut warnings = self.warnings.clone();
        let selection = self.select(request, &mut warnings)?;
        let (files, unread) = self.files(request);
        warnings.extend(git_ignored::warnings(&selection, &self.trees, files));
        refuse_if_strict(request, &warnings)?;
        warnings.extend(unread.iter().cloned());
        warnings.extend(links_outside::warning(&selection, &self.trees, files));
        let probes = ask_probes(self, &selection, ask)?;
        let mut assembler = Assembler::new(request, &self.trees, files.clone());
        for ((plan, tests), probe) in selection.iter().zip(probes) {
            assembler.add(plan, tests, probe)?;
        }
        let plans: Vec<&Plan> = selection.iter().map(|(plan, _)| *plan).collect();
        let mut workload = assembler.finish(&plans)?;
        warnings.append(&mut workload.warnings);
        workload.warnings = warnings;
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
        let plans = plan::select(trees.own().tree(), request, &mut warnings)?;
        Ok(Self {
            context,
            trees,
            plans,
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

    /// Loads the trees of all sections.
    fn fetch(&mut self, request: &Request) -> Result<(), CompileError> {
        for plan in &self.plans {
            for section in &plan.sections {
                self.trees
                    .add(section, &plan.context, &request.fetch_cache)
                    .map_err(|error| section.blamed(error))?;
            }
        }
        Ok(())
    }

    /// Returns the tests of each plan. If tests were asked for by name, plans that hold none of them are left out.
    fn select(
        &self,
        request: &Request,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<(&Plan, Vec<Selected<'_>>)>, CompileError> {
        let mut tests = Vec::with_capacity(self.plans.len());
        for plan in &self.plans {
            tests.push(test_selection::of_plan(
                plan,
                &self.trees,
                &request.narrowing,
                warnings,
            )?);
        }
        let shared: Vec<bool> = self.plans.iter().map(|plan| plan.shared_tree).collect();
        test_selection::keep_named(&mut tests, &shared, &request.tests)?;
        let plans = self.plans.iter().zip(tests);
        let selection: Vec<(&Plan, Vec<Selected<'_>>)> = plans
            .filter(|(_, tests)| request.tests.is_empty() || !tests.is_empty())
            .collect();
        let mut ignored = Ignored::default();
        let files = || &self.files(request).0;
        let mut interfaces = test::interface::Finder::new(request, &self.trees, &files);
        for (plan, tests) in &selection {
            for test in tests {
                ignored.test(test, || interfaces.of(plan, test))?;
            }
        }
        warnings.extend(ignored.into_warnings());
        Ok(selection)
    }
}

/// Asks the probes of plans that have something to prepare for, and each command only once.
fn ask_probes(
    resolved: &ResolvedRequest,
    selection: &[(&Plan, Vec<Selected<'_>>)],
    ask: &mut AskProbe<'_>,
) -> Result<Vec<Option<String>>, CompileError> {
    let mut answers: HashMap<&str, String> = HashMap::new();
    let root = resolved.trees.own().root();
    let mut probes = Vec::with_capacity(selection.len());
    for (plan, tests) in selection {
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
            answers.insert(command, ask(&probe).map_err(failed)?);
        }
        probes.push(answers.get(command.as_str()).cloned());
    }
    Ok(probes)
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
