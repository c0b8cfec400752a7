//! The listing of `atex ls`: plans and tests with their metadata. The entries are made while they are printed, since there may be
//! very many.

use atex_fmf::Value;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::ResolvedRequest;
use crate::compile::error::CompileError;
use crate::compile::inputs::files::escaped;
use crate::compile::library::requirement::{self, Requirement};
use crate::compile::metadata::read::NodeReader;
use crate::compile::plan::Plan;
use crate::compile::plan::test_selection::Selected;
use crate::compile::refuse_if_strict;
use crate::compile::spec::{Interface, Request, Warning};
use crate::compile::test::interface::Finder;
use crate::compile::test::{check, run_directory};
use crate::compile::unusable::Unusable;

/// How many tests one core checks in a row.
const IN_A_ROW: usize = 256;

/// The selected plans and their tests.
pub struct Listing<'r> {
    resolved: &'r ResolvedRequest,
    plans: Vec<(&'r Plan, Vec<Selected<'r>>)>,
    /// Warnings about metadata that are ignored.
    pub warnings: Vec<Warning>,
    /// The plans and tests that cannot be used.
    pub unusable: Vec<Unusable>,
}

/// The selected plans alone.
#[derive(Debug)]
pub struct PlanListing {
    /// The plans that can be used, in order.
    pub plans: Vec<ListedPlan>,
    /// Warnings about metadata that are ignored.
    pub warnings: Vec<Warning>,
    /// The plans and tests that cannot be used.
    pub unusable: Vec<Unusable>,
}

/// A plan of a [`Listing`].
#[derive(Clone, Debug)]
pub struct ListedPlan {
    /// The full name of the plan.
    pub name: String,
    /// The plan's metadata as JSON text, with the keys in fmf's order.
    pub data: String,
    /// How many tests the plan has, where that can be known without fetching anything.
    pub tests: Option<usize>,
}

/// A test of a [`Listing`].
pub struct ListedTest<'l> {
    /// The full name of the test, which begins with the section's name if the plan has several sections.
    pub name: &'l str,
    /// The name of the plan that has the test.
    pub plan: &'l str,
    selected: &'l Selected<'l>,
}

impl ListedPlan {
    fn of(plan: &Plan, tests: Option<usize>) -> Self {
        Self {
            name: plan.name.clone(),
            data: plan.data.clone(),
            tests,
        }
    }
}

impl ResolvedRequest {
    /// Selects the tests. All errors in them are found now, and not while the listing is printed.
    pub fn list(&self, request: &Request) -> Result<Listing<'_>, CompileError> {
        let mut warnings = self.warnings.clone();
        let mut selection = self.select(request, &mut warnings)?;
        refuse_if_strict(request, &warnings)?;
        let tests: Vec<_> = selection
            .plans
            .iter()
            .flat_map(|(plan, tests)| tests.iter().map(move |test| (*plan, test)))
            .collect();
        let wrong = |(plan, test): (&Plan, &Selected<'_>)| {
            let error = check(test.within, test.node).err()?;
            Some(Unusable::test(plan, &test.name, error))
        };
        let unusable = tests.into_par_iter().with_min_len(IN_A_ROW).filter_map(wrong).collect();
        selection.leave_out(unusable);
        Ok(Listing {
            resolved: self,
            plans: selection.plans,
            warnings,
            unusable: selection.unusable,
        })
    }

    /// Lists the plans. Those with a section that must be fetched have no number of tests.
    pub fn list_plans(self, request: &Request) -> Result<PlanListing, CompileError> {
        let (remote, local): (Vec<Plan>, Vec<Plan>) = self.plans.iter().cloned().partition(Plan::is_remote);
        let order: Vec<String> = self.plans.iter().map(|plan| plan.name.clone()).collect();
        let resolved = Self { plans: local, ..self };
        let listing = resolved.list(request)?;
        let remote = remote.iter().map(|plan| ListedPlan::of(plan, None));
        let mut plans: Vec<ListedPlan> = listing.plans().chain(remote).collect();
        plans.sort_by_key(|plan| order.iter().position(|name| *name == plan.name));
        Ok(PlanListing {
            plans,
            warnings: listing.warnings,
            unusable: listing.unusable,
        })
    }
}

impl Listing<'_> {
    /// Iterates over the plans.
    pub fn plans(&self) -> impl ExactSizeIterator<Item = ListedPlan> {
        self.plans
            .iter()
            .map(|(plan, tests)| ListedPlan::of(plan, Some(tests.len())))
    }

    /// Returns whether no plan has a test.
    pub fn has_no_tests(&self) -> bool {
        self.plans.iter().all(|(_, tests)| tests.is_empty())
    }

    /// The interface of each test, in the order of [`tests`](Self::tests); all files of the trees are looked at where they decide.
    pub fn interfaces(&self, request: &Request) -> Result<Vec<Interface>, CompileError> {
        let files = || &self.resolved.files(request).0;
        let mut finder = Finder::new(request, &self.resolved.trees, &files);
        let tests = self
            .plans
            .iter()
            .flat_map(|(plan, tests)| tests.iter().map(move |test| (*plan, test)));
        tests.map(|(plan, test)| finder.of(plan, test)).collect()
    }

    /// Iterates over the tests, plan by plan.
    pub fn tests(&self) -> impl Iterator<Item = ListedTest<'_>> {
        let tests = self
            .plans
            .iter()
            .flat_map(|(plan, tests)| tests.iter().map(move |test| (plan, test)));
        tests.map(|(plan, test)| ListedTest {
            name: &test.name,
            plan: &plan.name,
            selected: test,
        })
    }
}

impl ListedTest<'_> {
    /// Returns the directory in which the test runs, relative to the root (`.`), below the section's name if the plan has several
    /// sections.
    pub fn dir(&self) -> Result<String, CompileError> {
        let run = run_directory(self.selected.within.tree, self.selected.node)?;
        let dir = format!("{}{}", self.selected.prefix(), escaped(&run));
        let dir = dir.trim_end_matches('/');
        Ok(if dir.is_empty() { "." } else { dir }.to_owned())
    }

    /// Returns where the libraries of tests lie that the test itself requires or recommends, below the directory of its section.
    /// Nothing is fetched for that.
    pub fn libraries(&self) -> Result<Vec<String>, CompileError> {
        let scope = NodeReader::new(self.selected.within.tree, self.selected.node).scope("test");
        let mut places = Vec::new();
        for key in ["require", "recommend"]
            .into_iter()
            .filter(|key| self.selected.node.has_key(key))
        {
            for requirement in requirement::read(&scope, key)? {
                if let Requirement::Library(library) = requirement {
                    places.push(escaped(&library.place()));
                }
            }
        }
        Ok(places)
    }

    /// Appends the test's metadata as JSON.
    pub fn write_data(&self, out: &mut String) {
        self.selected.node.write_data(out);
    }

    /// Returns the value of one key of the metadata.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.selected.node.value(key)
    }
}
