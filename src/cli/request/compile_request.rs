//! Makes the request for `compile` from validated options: facts of the machines, context, secrets, and places for files.

use std::collections::{BTreeMap, BTreeSet};

use atex_cache::Store;
use atex_graph::Base;

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::config::directories;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::messages;
use crate::cli::request::own_files;
use crate::cli::request::probes;
use crate::cli::request::run::{TestSelection, Values};
use crate::cli::request::secret_key;
use crate::cli::sut::base_identity;
use crate::cli::sut::{plan_target, pool};
use crate::compile;
use crate::compile::spec::{Narrowing, Request, Secrets, Warning};
use crate::control::Mask;

/// Validates the options of a command that only looks at what would run, and makes the request for it.
pub(crate) fn inspect(
    plans: Vec<String>,
    select: SelectArgs,
    values: &CompileArgs,
    suts: &SutArgs,
    settings: &Settings,
) -> Result<Request, CliError> {
    let selection = TestSelection::new(plans, select, settings);
    let values = Values::new(values, settings)?;
    let suts = plan_target::settle(suts, (&selection, &values), settings)?;
    let pool = pool::resolve(&suts, settings)?;
    let identity = base_identity::of_pool(&pool, &values.context, None, settings)?;
    let mut request = request(&selection, Vec::new(), &values, identity.base, settings)?;
    request.own.extend(own_files::of_pool(&pool));
    Ok(request)
}

/// Makes the request for the selected plans and tests on machines of the kind `base`.
pub(crate) fn request(
    selection: &TestSelection,
    tests: Vec<String>,
    values: &Values,
    base: Base,
    settings: &Settings,
) -> Result<Request, CliError> {
    let cache = settings.cache_dir()?;
    let narrowing = Narrowing {
        names: selection.names.clone(),
        filters: selection.filters.clone(),
        conditions: selection.conditions.clone(),
        exclude: selection.exclude.clone(),
    };
    Ok(Request {
        start: settings.tree_root()?.to_owned(),
        plans: selection.plans.clone(),
        tests,
        narrowing,
        environment: values.environment.clone().into_iter().collect(),
        default_context: context_of(&base),
        context: values.context.clone(),
        base,
        strict: values.strict,
        secrets: secrets(&values.secrets)?,
        fetch_cache: settings.fetched_dir()?,
        digest_cache: Some(cache),
        interface: settings.config.defaults.interface,
        own: own_files::of_process(settings),
    })
}

/// Warns of the metadata that atex ignores.
pub(crate) fn warn(warnings: &[Warning], settings: &Settings) {
    for warning in warnings {
        messages::warning(&warning.to_string(), settings);
    }
}

/// Returns the context dimensions that the machines provide.
pub(crate) fn context_of(base: &Base) -> BTreeMap<String, Vec<String>> {
    let distro = match base.version.as_str() {
        "" => base.os.clone(),
        version => format!("{}-{version}", base.os),
    };
    BTreeMap::from([
        ("distro".to_owned(), vec![distro]),
        ("arch".to_owned(), vec![base.arch.clone()]),
    ])
}

/// Returns the secret names with the key that hides their values. The key is made only if there are names.
fn secrets(names: &BTreeSet<String>) -> Result<Secrets, CliError> {
    if names.is_empty() {
        return Ok(Secrets::default());
    }
    let key = secret_key::key(&directories::state()?)?;
    Ok(Secrets {
        names: names.clone(),
        key,
    })
}

/// Returns the mask for everything that a run leaves: the values that secret variables have in any of its jobs.
pub(crate) fn mask(request: &Request, work: &compile::spec::Workload) -> Mask {
    let plans = work.plans.iter().map(|plan| &plan.environment);
    let steps = work.steps.iter().flat_map(|step| [&step.env_before, &step.env_after]);
    let tests = work.tests.iter().flat_map(|test| [&test.env_before, &test.env_after]);
    masking(request, plans.chain(steps).chain(tests).chain([&request.environment]))
}

/// Returns the mask that is known before anything is compiled: the values that secret variables have in all jobs.
pub(crate) fn given_mask(request: &Request) -> Mask {
    masking(request, [&request.environment].into_iter())
}

fn masking<'r>(request: &Request, all: impl Iterator<Item = &'r Vec<(String, String)>>) -> Mask {
    let names = &request.secrets.names;
    if names.is_empty() {
        return Mask::default();
    }
    let secret = all.flatten().filter(|(name, _)| names.contains(name));
    Mask::new(secret.map(|(_, value)| value.as_str()).collect::<BTreeSet<_>>())
}

/// Compiles a request for a command that only looks at the result, and warns of metadata that are ignored.
pub(crate) fn compiled(
    request: &Request,
    store: &Store,
    settings: &Settings,
) -> Result<compile::spec::Workload, CliError> {
    let workload =
        compile::resolve(request)?.compile(request, &mut |probe| Ok(probes::recall(probe, store, settings)))?;
    warn(&workload.warnings, settings);
    Ok(workload)
}
