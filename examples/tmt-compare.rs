//! Runs trees under tmt and atex, and prints where their verdicts differ.
//!
//! ```sh
//! cargo run --example tmt-compare                   # the small trees of tests/tmt_compare
//! cargo run --example tmt-compare -- TREE…          # trees with `.fmf`
//! cargo run --example tmt-compare -- -c a=b TREE    # with a context
//! ```
//!
//! It ends with 0 where nothing differs but what is meant to. It needs root, rsync, and tmt as `tests/run` installs it, or as `ATEX_TMT` names it.

#[path = "../tests/tmt_compare/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod tmt_compare;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use tmt_compare::cases::{Case, all};
use tmt_compare::{Choice, CompareError, Difference, compare, compare_small_trees, missing, write_together};

#[derive(Parser)]
#[command(about = "Compares what tmt and atex say of each test")]
struct Args {
    /// Trees, each a directory with `.fmf`; without one, the small trees of the sources
    tree: Vec<PathBuf>,
    /// Set a dimension of the context for both
    #[arg(short, long, value_name = "DIM=VALUE")]
    context: Vec<String>,
    /// Set a variable for both
    #[arg(short, long, value_name = "KEY=VALUE")]
    environment: Vec<String>,
    /// Compare only the short list of small trees, as each run of the tests does
    #[arg(long)]
    short: bool,
    /// Compare only small trees whose name starts so (repeatable)
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Write the small trees that can be one tree to this directory, and run nothing
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Read what tmt says from this run of its, or keep the run there if there is none; of the small trees, from below it
    #[arg(long, value_name = "DIR")]
    tmt_run: Option<PathBuf>,
    /// Compare this binary of atex, instead of building one
    #[arg(long, value_name = "FILE")]
    atex: Option<PathBuf>,
    /// Print also what the two programs print
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(missing) = missing() {
        eprintln!("tmt-compare: {missing}");
        return ExitCode::from(2);
    }
    match run(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tmt-compare: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns how many differences nobody means.
fn run(args: &Args) -> Result<usize, CompareError> {
    let wanted = |case: &Case| {
        (case.is_short || !args.short)
            && (args.case.is_empty() || args.case.iter().any(|name| case.name.starts_with(name.as_str())))
    };
    if let Some(dir) = &args.write {
        let cases: Vec<_> = all().filter(|case| case.alone.is_none() && wanted(case)).collect();
        return write_together(dir, &cases).map(|()| 0).map_err(CompareError::Namespace);
    }
    let atex = match &args.atex {
        Some(atex) => std::path::absolute(atex).map_err(CompareError::Namespace)?,
        None => built_atex(),
    };
    if args.tree.is_empty() {
        let report = compare_small_trees(&atex, wanted, args.tmt_run.as_deref())?;
        for name in &report.idle {
            println!("{name}: nothing differs any more: take its mark `waiting` away");
        }
        return Ok(print("small trees", report.tests, &report.differences));
    }
    let mut options = Vec::new();
    for (option, values) in [("-c", &args.context), ("-e", &args.environment)] {
        options.extend(values.iter().flat_map(|value| [option, value.as_str()]));
    }
    let mut faults = 0;
    for tree in &args.tree {
        let choice = Choice {
            options: &options,
            tmt_run: args.tmt_run.as_deref(),
        };
        let found = compare(&atex, tree, choice)?;
        if args.verbose {
            found.logs.iter().for_each(|log| println!("{log}"));
        }
        faults += print(&tree.display().to_string(), found.tests, &found.differences);
    }
    Ok(faults)
}

fn print(name: &str, tests: usize, differences: &[Difference]) -> usize {
    if !differences.is_empty() {
        println!("{:<26} {:<52} {:<10} {:<10}", "plan", "test", "tmt", "atex");
    }
    for difference in differences {
        println!("{difference}");
    }
    let faults = differences.iter().filter(|difference| difference.is_fault()).count();
    println!(
        "{name}: {tests} tests, {} differences, {faults} of them faults",
        differences.len()
    );
    faults
}

/// Builds the binary, which cargo does not do for an example, and returns where it is: above this one.
fn built_atex() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bin", "atex", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "atex cannot be built");
    let example = std::env::current_exe().expect("this program has a path");
    example.ancestors().nth(2).expect("target/debug").join("atex")
}
