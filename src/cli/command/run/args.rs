//! The arguments of the commands that run something: `build`, `test`, `finish`.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::exec::options::{OnReboot, OnTaint, Until};

/// Build the whole graph of plans: discover, prepare, test, finish
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex build                            all plans
  atex build /plans/hello               one plan, or all whose name has that in it
  atex build --until prepare            make the machine ready, run no tests
  atex build --dry-run                  show what would run and why
  atex build -s lab1 -s lab2            on two machines, whichever is free
  atex build -s 'local*4' --retries 1   four at once on this machine; what fails runs twice
  atex build --shard 2/3                the second of three parts, for three invocations
  atex build --max-age 12h              prepare again what is older
  atex build --audit 5%                 run some of what is recorded again: does it agree?")]
pub(crate) struct BuildArgs {
    /// Plans by name, or regular expressions [default: all that are enabled]
    #[arg(value_name = "PLAN")]
    pub(crate) plans: Vec<String>,

    /// Stop after this kind of node
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Running")]
    pub(crate) until: Option<Until>,

    /// Run all tests, also those that passed before with the same inputs
    #[arg(long, help_heading = "Running")]
    pub(crate) rerun: bool,

    /// Run so much of what is recorded again and show whether it agrees: `5%`, or `all`
    #[arg(long, value_name = "SHARE", help_heading = "Running", conflicts_with_all = ["rerun", "fresh"])]
    pub(crate) audit: Option<String>,

    #[command(flatten)]
    pub(crate) failing: FailingArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Run tests by name, now; prepare what is missing, and leave the machine prepared
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex test /tests/greeting                one test by its name
  atex test greet                          all tests whose name has that in it
  atex test greet upload --plan hello      tests of a plan
  atex test /tests/greeting -e DEBUG=1 -v  with a variable, showing the output")]
pub(crate) struct TestArgs {
    /// Tests by name, or regular expressions
    #[arg(value_name = "NAME", required = true)]
    pub(crate) tests: Vec<String>,

    #[command(flatten)]
    pub(crate) failing: FailingArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Run the finish scripts of plans and let the machines go
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex finish                           all plans that touched the machine
  atex finish /plans/hello              one plan")]
pub(crate) struct FinishArgs {
    /// Plans by name, or regular expressions [default: all]
    #[arg(value_name = "PLAN")]
    pub(crate) plans: Vec<String>,

    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// What to do about failures, and which part of the tests to run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Failures and parts")]
pub(crate) struct FailingArgs {
    /// Run a test that failed again, up to so many times; one that passes then is `flaky`, which is no failure [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,

    /// Run a test again that its machine broke off, up to so many times [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) retry_infra: Option<u32>,

    /// Start no further test once so many have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_failures: Option<u32>,

    /// Start no further test once one has failed
    #[arg(short = 'x', long, conflicts_with = "max_failures")]
    pub(crate) exit_first: bool,

    /// Give a prepare chain up once it failed in the same way on so many machines [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_prepare_failures: Option<u32>,

    /// Run part M of N: each test is in one, and they take about the same time by `duration`
    #[arg(long, value_name = "M/N")]
    pub(crate) shard: Option<String>,
}

/// Options of all commands that run something.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct RunArgs {
    /// Show what would run, run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Prepare from the first step, whatever the machine says of itself
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Distrust what was prepared longer ago, and tests that ran on it, as in `12h` or `7d`
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<String>,

    /// What to do with a machine that a timeout or a broken step left in doubt [default: prepare]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) on_taint: Option<OnTaint>,

    /// What to do with a machine that was booted, unasked by a test, since it was prepared [default: prepare]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) on_reboot: Option<OnReboot>,

    /// Fail at once if somebody else uses the machine, instead of waiting
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Keep so much of what a test or a step prints, as in `100M` [default: 1G]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_output: Option<String>,

    /// Write the run's results to this directory; it must be empty or not exist
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

impl ValueEnum for Until {
    /// A build without `--until` goes on to the finish phases, so there is no word for them.
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Discover, Self::Prepare, Self::Test]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Discover => PossibleValue::new("discover").help("Resolve the tests"),
            Self::Prepare => PossibleValue::new("prepare").help("Prepare the machines"),
            Self::Test => PossibleValue::new("test").help("Run the tests, without finish"),
            Self::Finish => return None,
        })
    }
}

impl ValueEnum for OnReboot {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Prepare, Self::Trust]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Prepare => PossibleValue::new("prepare")
                .help("Prepare it from the first step: what was started, mounted or put into /run is gone"),
            Self::Trust => PossibleValue::new("trust").help("Trust that all is still in force"),
        })
    }
}

impl ValueEnum for OnTaint {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Prepare, Self::Drop, Self::Ignore]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Prepare => PossibleValue::new("prepare").help("Prepare it from the first step"),
            Self::Drop => PossibleValue::new("drop").help("Leave it out of the run"),
            Self::Ignore => PossibleValue::new("ignore").help("Trust it all the same"),
        })
    }
}
