//! `atex sut ls|show|shell|reset|rm`: shows the state of machines, and changes it outside of a run.

mod release;
mod shell;

use std::collections::BTreeSet;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::output::json::{FactsJson, StateJson, millis};
use crate::cli::output::messages;
use crate::cli::output::table::{self, Cell, Columns};
use crate::cli::process::signals::{self, Heeded};
use crate::cli::request::run::{TestSelection, Values};
use crate::cli::sut::due_finishes;
use crate::cli::sut::machines;
use crate::cli::sut::plan_target;
use crate::cli::sut::pool::{self, Pool, SutSpec};
use crate::cli::sut::targets;
use crate::exec::record::observed_inputs::MOST_FILES;
use crate::host::clock::unix_now;
use crate::report::palette::paint;
use crate::report::text::harmless;
use crate::report::{Exit, human};
use crate::sut::kind::Peek;
use crate::sut::project::of_slot;
use crate::sut::{
    Cancel, Daemon, DaemonCondition, Due, EnvFile, Facts, Hello, OnHeld, Sut, SutState, Trouble, TroubleKind,
};

/// Look at machines
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  atex sut ls                           what the machines say of themselves
  atex sut shell -s lab1                a shell there
  atex sut reset                        forget what this machine was prepared for")]
pub(crate) enum SutCommand {
    /// List machines: name, system, what is prepared, who uses it
    ///
    /// Without `-s`, those of the configuration or `local`, and the machines of `local*N` that were used.
    #[command(after_help = "Example: atex sut ls -s lab1 -s lab2")]
    Ls(SutArgs),
    /// Show all that a machine says of itself
    #[command(after_help = "Example: atex sut show")]
    Show(SutArgs),
    /// Open a shell on a machine, or run a command there, as the user that atex is there
    #[command(after_help = "\
Examples:
  atex sut shell -s lab1                a shell
  atex sut shell -s lab1 -- uname -a    a command; its exit code is passed on")]
    Shell {
        /// What to run instead of a shell
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
        #[command(flatten)]
        sut: SutArgs,
    },
    /// Forget what a machine was prepared for, and that it was tainted
    #[command(after_help = "Example: atex sut reset -s lab1")]
    Reset(SutArgs),
    /// Give back machines that were provided to a run that was killed
    #[command(after_help = "Example: atex sut release")]
    Release {
        /// Which machines, as `atex sut ls` names them (default: all whose run is gone)
        #[arg(value_name = "MACHINE")]
        machines: Vec<String>,
    },
    /// Remove everything that atex keeps on a machine
    #[command(after_help = "Example: atex sut rm -s lab1")]
    Rm(SutArgs),
}

/// Runs a command on machines.
pub(crate) fn run(command: &SutCommand, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    match command {
        SutCommand::Ls(args) => ls(&listed(args, settings)?, settings, out),
        SutCommand::Show(args) => show(&there(args, settings)?, settings, out),
        SutCommand::Shell { command, sut } => shell::run(&there(sut, settings)?, command),
        SutCommand::Reset(args) => reset(&there(args, settings)?, settings, out),
        SutCommand::Release { machines } => release::run(machines, settings, out),
        SutCommand::Rm(args) => remove(&there(args, settings)?, settings, out),
    }
}

/// Returns the machines that were asked for. `-s plan` means what all enabled plans ask for.
fn resolve(args: &SutArgs, settings: &Settings) -> Result<Pool, CliError> {
    let selection = TestSelection::new(Vec::new(), SelectArgs::default(), settings);
    let values = Values::new(&CompileArgs::default(), settings)?;
    pool::resolve(&plan_target::settle(args, (&selection, &values), settings)?, settings)
}

/// Returns the machines that were asked for, which must be there without a run.
fn there(args: &SutArgs, settings: &Settings) -> Result<Pool, CliError> {
    let pool = resolve(args, settings)?;
    match pool.suts.iter().find(|sut| sut.access.is_there_for_runs_only()) {
        None => Ok(pool),
        Some(sut) => Err(CliError::usage(format!("`{}` is provided for a run only", sut.name))
            .hint("`atex sut ls` lists the machines that are provided now")),
    }
}

/// Returns the machines that were asked for. If none were, the result includes the numbered ones (`local*4`) that were used
/// before.
fn listed(args: &SutArgs, settings: &Settings) -> Result<Pool, CliError> {
    let mut pool = resolve(args, settings)?;
    if args.suts.is_empty() && args.sut_file.is_none() {
        for given in targets::used(args, settings) {
            // A machine of the pool must be listed only once.
            let more = pool::joining(&[given], args, &pool, settings).unwrap_or_default();
            pool.suts.extend(more);
        }
    }
    Ok(pool)
}

/// Opens a machine. With [`OnHeld::Fail`], it fails at once if somebody else holds the machine.
fn open(spec: &SutSpec, on_held: OnHeld, cancel: &Cancel) -> Result<(Box<dyn Sut>, Hello), Trouble> {
    let mut machine = machines::make(spec, cancel)?;
    let hello = machine.open(on_held, &mut |_| {})?;
    Ok((machine, hello))
}

/// Makes the cancel that signals raise during these commands, so that they end in order: a terminal whose echo was switched off
/// for a passphrase must not stay so.
fn cancel() -> Result<(Cancel, Heeded), CliError> {
    let cancel = Cancel::new().map_err(|error| machines::no_descriptor(&error))?;
    signals::doing("machines were spoken with");
    let heeded = signals::heed(&cancel);
    Ok((cancel, heeded))
}

/// What is known of a machine after looking at it.
struct Seen {
    facts: Facts,
    state: SutState,
    /// The holder of the machine's lease.
    lease: Option<String>,
}

/// Looks at a machine without opening it if that is possible, so that nobody has to wait for its lease. Other machines are
/// opened.
fn look(spec: &SutSpec, cancel: &Cancel) -> Result<Seen, Trouble> {
    if spec.access.is_there_for_runs_only() {
        let what = format!("`{}` is provided for a run only", spec.name);
        return Err(Trouble::new(TroubleKind::Held, what));
    }
    let Peek { state, lease } = spec.access.peek(spec.dir.as_deref());
    match spec.access.facts() {
        Some(facts) if lease.is_some() || state.is_some() => Ok(Seen {
            facts,
            state: state.unwrap_or_default(),
            lease,
        }),
        // The machine was never used, or it cannot be used; opening it shows which.
        _ => {
            let (_free, Hello { facts, state, .. }) = open(spec, OnHeld::Fail, cancel)?;
            Ok(Seen { facts, state, lease })
        }
    }
}

/// Lists machines. An unusable machine is listed with the reason, and the exit code says that there was one.
fn ls(pool: &Pool, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let (mut rows, mut exit) = (Vec::new(), Exit::Passed);
    let ((cancel, _heeded), suts) = (cancel()?, pool.suts.iter().collect::<Vec<_>>());
    let seen = machines::for_each(&suts, |spec| look(spec, &cancel));
    let mut hints = BTreeSet::new();
    for (spec, seen) in suts.into_iter().zip(seen) {
        hints.extend(seen.as_ref().err().and_then(|trouble| trouble.hint.clone()));
        if seen.as_ref().is_err_and(|trouble| trouble.kind != TroubleKind::Held) {
            exit = Exit::Infra;
        }
        if settings.json {
            let line = match &seen {
                Ok(Seen { facts, state, lease }) => {
                    let (facts, state) = (FactsJson::from(facts), StateJson::from(state));
                    json!({"name": spec.name, "base": spec.base, "facts": facts, "state": state, "lease": lease})
                }
                Err(trouble) => json!({
                    "name": spec.name, "trouble": trouble.message, "hint": trouble.hint, "owed": due_finishes::remembered(spec),
                }),
            };
            out.json(&line)?;
            continue;
        }
        rows.push(match &seen {
            Ok(Seen { facts, state, lease }) => [
                Cell::from(&spec.name),
                Cell::from(system(facts)),
                Cell::from(&facts.user),
                state_cell(state, facts, out),
                match lease {
                    Some(holder) => Cell::styled(out.palette.warn, holder),
                    None => Cell::styled(out.palette.dim, "free"),
                },
            ],
            Err(trouble) => {
                let blank = || Cell::from("");
                let reason = with_owed(trouble.message.clone(), &due_finishes::remembered(spec));
                let reason = Cell::styled(out.palette.trouble, reason);
                [Cell::from(&spec.name), blank(), blank(), reason, blank()]
            }
        });
    }
    release::list(&mut rows, settings, out)?;
    table::print(out, Columns::new(["NAME", "SYSTEM", "USER", "STATE", "LEASE"]), &rows)?;
    if !settings.json {
        out.flush()?;
        for text in &hints {
            messages::hint(text, settings);
        }
    }
    Ok(exit)
}

fn show(pool: &Pool, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let (cancel, _heeded) = cancel()?;
    for spec in &pool.suts {
        let (mut machine, hello) = open(spec, OnHeld::Fail, &cancel)?;
        let seen = Within {
            blind: machine.blind()?,
            trees: machine.slots()?,
        };
        if settings.json {
            out.json(&described(spec, &hello, &seen))?;
        } else {
            show_one(spec, &hello, &seen, out)?;
        }
    }
    Ok(Exit::Passed)
}

/// What a machine tells only once it is opened.
struct Within {
    /// Why reads of files cannot be observed there.
    blind: Option<String>,
    /// The trees there, with the time when each was last used.
    trees: Vec<(String, u64)>,
}

fn show_one(spec: &SutSpec, hello: &Hello, seen: &Within, out: &mut Out) -> Result<(), CliError> {
    let Hello { facts, state, daemons } = hello;
    out.line(paint(out.palette.bold, harmless(&spec.name)))?;
    let lines = [
        ("system", system(facts)),
        ("base", spec.base.clone()),
        ("digest", spec.access.digest().unwrap_or_default().to_owned()),
        ("user", facts.user.clone()),
        ("packages", facts.managers.join(", ")),
        ("reads", sight(seen.blind.as_deref())),
        ("state", state_words(state, facts)),
        ("unfinished", names_of(&state.unfinished, state).join(", ")),
        ("layers", state.layers.to_string()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        out.line(format_args!("  {name:12}{}", harmless(value)))?;
    }
    for (index, key) in state.chain.iter().enumerate() {
        let name = if index == 0 { "chain" } else { "" };
        out.line(format_args!("  {name:12}{}", harmless(key)))?;
    }
    for (index, daemon) in daemons.iter().enumerate() {
        let name = if index == 0 { "daemons" } else { "" };
        out.line(format_args!("  {name:12}{}", harmless(&daemon_words(daemon))))?;
    }
    for (index, (slot, used)) in seen.trees.iter().enumerate() {
        let name = if index == 0 { "trees" } else { "" };
        let (of, age) = (
            state.name_of(of_slot(slot)),
            human::age(unix_now().saturating_sub(*used)),
        );
        out.line(format_args!(
            "  {name:12}{}, used {age}: {}",
            harmless(slot),
            harmless(of)
        ))?;
    }
    Ok(())
}

/// Makes machines forget what they were prepared for. Due finishes stay due.
fn reset(pool: &Pool, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let (cancel, _heeded) = cancel()?;
    for spec in &pool.suts {
        let (mut machine, hello) = open(spec, OnHeld::End, &cancel)?;
        let mut state = SutState {
            taint: None,
            ..hello.state.clone()
        };
        state.unprepare();
        // The state is reset first, so that a chain is never trusted after its environment file is gone.
        machine.set_state(&state)?;
        machine.end_daemons(0)?;
        for project in &state.projects {
            machine.reset_env_file(&project.id, EnvFile::Prepared)?;
            machine.reset_env_file(&project.id, EnvFile::Base)?;
        }
        machine.close();
        if settings.json {
            out.json(&json!({"name": spec.name, "was": StateJson::from(&hello.state)}))?;
        } else {
            out.line(format_args!(
                "{}: was {}",
                harmless(&spec.name),
                state_words(&hello.state, &hello.facts)
            ))?;
        }
        warn_unfinished(spec, &state, settings);
    }
    Ok(Exit::Passed)
}

/// Removes atex's files from machines, and everything that this host remembers of those machines.
fn remove(pool: &Pool, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let (cancel, _heeded) = cancel()?;
    for spec in &pool.suts {
        let mut machine = spec.machine(&cancel)?;
        let Hello { facts, state, .. } = machine.open(OnHeld::End, &mut |_| {})?;
        machine.remove()?;
        machines::forget(spec);
        if settings.json {
            out.json(&json!({"name": spec.name, "was": StateJson::from(&state)}))?;
        } else {
            out.line(format_args!(
                "{}: was {}",
                harmless(&spec.name),
                state_words(&state, &facts)
            ))?;
        }
        warn_unfinished(spec, &state, settings);
    }
    Ok(Exit::Passed)
}

fn warn_unfinished(spec: &SutSpec, state: &SutState, settings: &Settings) {
    if !state.unfinished.is_empty() {
        let plans = names_of(&state.unfinished, state).join("`, `");
        let text = format!("`atex finish` is still due on `{}` for `{plans}`", spec.name);
        messages::warning(&text, settings);
    }
}

/// Returns the text on whether the files that jobs read there become inputs of theirs.
fn sight(blind: Option<&str>) -> String {
    match blind {
        None => format!("seen, in trees of up to {MOST_FILES} files"),
        Some(how) => format!("not seen: times of access do not move there ({how})"),
    }
}

fn described(spec: &SutSpec, hello: &Hello, seen: &Within) -> Value {
    let tree = |(slot, used): &(String, u64)| {
        let of = hello.state.name_of(of_slot(slot));
        json!({"slot": slot, "project": of, "used": millis(*used)})
    };
    let trees: Vec<Value> = seen.trees.iter().map(tree).collect();
    let daemon = |daemon: &Daemon| {
        let Daemon {
            pid, step, of, command, ..
        } = daemon;
        let (since, condition) = (millis(daemon.since), daemon.condition.word());
        json!({"pid": pid, "condition": condition, "step": step, "of": of, "since": since, "command": command})
    };
    let daemons: Vec<Value> = hello.daemons.iter().map(daemon).collect();
    let reads = json!({"seen": seen.blind.is_none(), "mounted": seen.blind});
    json!({
        "name": spec.name, "base": spec.base, "facts": FactsJson::from(&hello.facts), "state": StateJson::from(&hello.state),
        "reads": reads, "trees": trees, "daemons": daemons,
    })
}

/// Returns a line on a process that a prepare step has left running.
fn daemon_words(daemon: &Daemon) -> String {
    let since = human::age(unix_now().saturating_sub(daemon.since));
    let ended = match daemon.condition {
        DaemonCondition::Runs => "",
        DaemonCondition::Ended => "; it has ended",
        DaemonCondition::Booted => "; it has ended with a boot",
    };
    let Daemon { pid, command, of, .. } = daemon;
    format!("{pid}, left {since} by `{of}`: {command}{ended}")
}

/// Returns the plans whose finish is due, each with its project if that is known.
fn names_of(unfinished: &[Due], state: &SutState) -> Vec<String> {
    let name = |due: &Due| match state.name_of(&due.project) {
        "" => due.plan.clone(),
        project => format!("{} ({project})", due.plan),
    };
    unfinished.iter().map(name).collect()
}

fn system(facts: &Facts) -> String {
    [&facts.os, &facts.version, &facts.arch]
        .map(String::as_str)
        .join(" ")
        .replace("  ", " ")
}

fn state_cell(state: &SutState, facts: &Facts, out: &Out) -> Cell {
    let style = match state {
        SutState { taint: Some(_), .. } => out.palette.bad,
        SutState { chain, .. } if chain.is_empty() => out.palette.dim,
        state if state.is_booted_away(&facts.boot_id) => out.palette.warn,
        _ => out.palette.good,
    };
    Cell::styled(
        style,
        with_owed(state_words(state, facts), &names_of(&state.unfinished, state)),
    )
}

/// Returns a text, followed by the plans whose finish is due.
fn with_owed(text: String, plans: &[String]) -> String {
    if plans.is_empty() {
        return text;
    }
    format!("{text}; finish owed: {}", plans.join(", "))
}

fn state_words(state: &SutState, facts: &Facts) -> String {
    let ago = |at: u64| human::age(unix_now().saturating_sub(at));
    if let Some(taint) = &state.taint {
        return format!("tainted {}: {}", ago(taint.at), taint.reason);
    }
    let steps = human::count(state.chain.len() as u64, "step");
    let booted = if state.is_booted_away(&facts.boot_id) {
        "; booted since"
    } else {
        ""
    };
    let whose = match state.name_of(&state.project) {
        "" => String::new(),
        project => format!(", for {project}"),
    };
    match state.prepared_at {
        _ if state.chain.is_empty() => "not prepared".to_owned(),
        Some(at) => format!("prepared {}, {steps}{whose}{booted}", ago(at)),
        None => format!("prepared, {steps}{whose}{booted}"),
    }
}
