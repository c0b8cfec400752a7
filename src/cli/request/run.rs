//! The validated request of `build`, `test` and `finish`, made from arguments and configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::args::values;
use crate::cli::command::run::args::{BuildArgs, FailingArgs, FinishArgs, RunArgs, TestArgs};
use crate::cli::config::directories::absolute;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::sut::plan_target;
use crate::cli::sut::pool::{self, Pool};
use crate::exec::options::{OnReboot, OnTaint, Until};
use crate::exec::record::audit::Share;
use crate::exec::schedule::ScheduleRules;
use crate::exec::shard::Shard;
use crate::host::ownership;

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunCommand {
    /// The nodes of plans, all of them or up to a kind of node.
    Build {
        until: Until,
        rerun: bool,
        /// The share of the recorded tests that runs again.
        audit: Option<Share>,
    },
    /// Tests, selected by name.
    Test { names: Vec<String> },
    /// The finish scripts of plans.
    Finish,
}

/// How many bytes of an output are kept by default.
const MAX_OUTPUT: u64 = 1 << 30;

/// A validated request to run something.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    pub(crate) action: RunCommand,
    pub(crate) selection: TestSelection,
    pub(crate) values: Values,
    pub(crate) pool: Pool,
    /// The options that the pool was made from. `--sut-file` is watched for more machines.
    pub(crate) sut_args: SutArgs,
    pub(crate) rules: ScheduleRules,
    /// The part of the tests that runs.
    pub(crate) shard: Option<Shard>,
    pub(crate) dry_run: bool,
    pub(crate) fresh: bool,
    /// The age above which prepared states and records do not count.
    pub(crate) max_age: Option<Duration>,
    pub(crate) on_taint: OnTaint,
    pub(crate) on_reboot: OnReboot,
    /// How many bytes are kept of what a test or a step prints.
    pub(crate) max_output: u64,
    /// Whether to wait for a SUT that somebody else holds.
    pub(crate) wait: bool,
    /// The directory of the run, if it is not the default one: an absolute path to a directory that is empty or does not exist.
    pub(crate) output: Option<PathBuf>,
}

/// The selection of plans and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestSelection {
    pub(crate) plans: Vec<String>,
    pub(crate) filters: Vec<String>,
    pub(crate) conditions: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

/// The values that plans and tests are compiled with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// The variables that win over those of plans and tests.
    pub(crate) environment: BTreeMap<String, String>,
    /// The dimensions that win over those that the SUTs provide.
    pub(crate) context: BTreeMap<String, Vec<String>>,
    /// The names of variables whose values are neither stored nor printed.
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) strict: bool,
}

impl RunRequest {
    /// Validates `atex build`.
    pub(crate) fn build(args: BuildArgs, settings: &Settings) -> Result<Self, CliError> {
        let BuildArgs {
            plans,
            until,
            rerun,
            audit,
            failing,
            run,
        } = args;
        let audit = audit.as_deref().map(values::share).transpose()?;
        let until = until.unwrap_or(Until::Finish);
        Self::new(
            RunCommand::Build { until, rerun, audit },
            plans,
            (failing, run),
            settings,
        )
    }

    /// Validates `atex test`.
    pub(crate) fn test(args: TestArgs, settings: &Settings) -> Result<Self, CliError> {
        let TestArgs { tests, failing, run } = args;
        Self::new(RunCommand::Test { names: tests }, Vec::new(), (failing, run), settings)
    }

    /// Validates `atex finish`.
    pub(crate) fn finish(args: FinishArgs, settings: &Settings) -> Result<Self, CliError> {
        let FinishArgs { plans, run } = args;
        Self::new(RunCommand::Finish, plans, (FailingArgs::default(), run), settings)
    }

    fn new(
        action: RunCommand,
        plans: Vec<String>,
        (failing, args): (FailingArgs, RunArgs),
        settings: &Settings,
    ) -> Result<Self, CliError> {
        settings.tree_root()?;
        let defaults = &settings.config.defaults;
        let max_output = args.max_output.as_deref().map(values::size).transpose()?;
        let max_age = args.max_age.as_deref().map(values::age).transpose()?;
        let selection = TestSelection::new(plans, args.select, settings);
        let values = Values::new(&args.compile, settings)?;
        let sut_args = plan_target::settle(&args.sut, (&selection, &values), settings)?;
        Ok(Self {
            action,
            selection,
            values,
            pool: pool::resolve(&sut_args, settings)?,
            sut_args,
            rules: rules(&failing),
            shard: failing.shard.as_deref().map(values::shard).transpose()?,
            dry_run: args.dry_run,
            fresh: args.fresh,
            max_age: max_age.or(defaults.max_age),
            on_taint: args.on_taint.or(defaults.on_taint).unwrap_or(OnTaint::Prepare),
            on_reboot: args.on_reboot.or(defaults.on_reboot).unwrap_or(OnReboot::Prepare),
            max_output: max_output.or(defaults.max_output).unwrap_or(MAX_OUTPUT),
            wait: !args.no_wait,
            output: args.output.map(|dir| output_dir(&dir, settings)).transpose()?,
        })
    }
}

impl TestSelection {
    /// Joins the plans of the arguments with the options. The plans of the configuration are the default.
    pub(crate) fn new(mut plans: Vec<String>, args: SelectArgs, settings: &Settings) -> Self {
        plans.extend(args.plan);
        if plans.is_empty() {
            plans = settings.config.defaults.plan.clone().unwrap_or_default();
        }
        Self {
            plans,
            filters: args.filters,
            conditions: args.conditions,
            names: args.names,
            exclude: args.exclude,
        }
    }
}

impl Values {
    /// Joins the values of the configuration with those of the command line, each of which wins over its namesake. A secret that
    /// neither gives is taken from the environment of atex, so that it need not be written on a command line.
    pub(crate) fn new(args: &CompileArgs, settings: &Settings) -> Result<Self, CliError> {
        let defaults = &settings.config.defaults;
        let mut environment = defaults.environment.clone().unwrap_or_default();
        for path in &args.environment_file {
            environment.extend(values::environment_file(path, settings.tree_root()?)?);
        }
        for text in &args.environment {
            match text.strip_prefix('@') {
                Some(path) => environment.extend(values::environment_file(path, &settings.here)?),
                None => environment.extend([values::variable(text)?]),
            }
        }
        let mut context = defaults.context.clone().unwrap_or_default();
        for text in &args.context {
            context.extend([values::dimension(text)?]);
        }
        let mut secrets = BTreeSet::new();
        for name in defaults.secret_env.iter().flatten().chain(&args.secret_env) {
            values::variable_name(name)?;
            secrets.insert(name.clone());
            if let (false, Ok(value)) = (environment.contains_key(name), std::env::var(name)) {
                environment.insert(name.clone(), value);
            }
        }
        let strict = args.strict || defaults.strict == Some(true);
        Ok(Self {
            environment,
            context,
            secrets,
            strict,
        })
    }
}

fn rules(args: &FailingArgs) -> ScheduleRules {
    let usual = ScheduleRules::default();
    ScheduleRules {
        retries: args.retries.unwrap_or(usual.retries),
        retry_infra: args.retry_infra.unwrap_or(usual.retry_infra),
        max_failures: if args.exit_first { Some(1) } else { args.max_failures },
        same_failures: args.max_prepare_failures.unwrap_or(usual.same_failures),
        ..usual
    }
}

/// Checks that a run can be written to a directory without touching existing files.
fn output_dir(given: &Path, settings: &Settings) -> Result<PathBuf, CliError> {
    let dir = absolute(given, &settings.here);
    ownership::check(&dir).map_err(|error| {
        CliError::usage(format!(
            "the output directory `{}` is not used: {error}",
            given.display()
        ))
        .hint(ownership::HINT)
    })?;
    match std::fs::read_dir(&dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(dir),
        Ok(false) => Err(
            CliError::usage(format!("the output directory `{}` is not empty", given.display()))
                .hint("name a directory that is empty or does not exist, or leave `-o` out"),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(dir),
        Err(error) => Err(CliError::usage(format!(
            "cannot use the output directory `{}`: {error}",
            given.display()
        ))),
    }
}
