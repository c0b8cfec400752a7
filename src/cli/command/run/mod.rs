//! `atex build`, `atex test`, `atex finish`: connect the compiler, the executor and the reporters.
//!
//! Approach: open the cache; learn what the SUTs are; compile, unless this is a null build; decide what has to run; then either
//! show that (`--dry-run`), or make the run's directory, start the reporters, run, and report the end.

pub(crate) mod args;
mod dry_run;
mod null_build;
mod sink;
mod which_plan;

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal as _;
use std::mem::ManuallyDrop;

use atex_cache::{BadFile, FileProblem, RecordOutcome, RecordOutput, Store};
use atex_graph::{ActionKey, Base, NodeId};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use crate::cli::config::directories;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::output::interruptible::Patient;
use crate::cli::output::messages;
use crate::cli::process::signals;
use crate::cli::process::threads;
use crate::cli::request::compile_request;
use crate::cli::request::own_files;
use crate::cli::request::probes;
use crate::cli::request::project;
use crate::cli::request::run::{RunCommand, RunRequest};
use crate::cli::request::unusable;
use crate::cli::sut::base_identity;
use crate::cli::sut::due_finishes;
use crate::cli::sut::machines;
use crate::cli::sut::sut_file::SutFile;
use crate::compile::spec::{Request, Workload};
use crate::compile::{self, ResolvedRequest};
use crate::control::Mask;
use crate::exec::options::{Mode, Options, Until};
use crate::exec::pending::PendingWork;
use crate::exec::record::{audit, observed_inputs};
use crate::exec::run::{Arrivals, Finished, Run, RunError};
use crate::host::ownership;
use crate::report::console::live::Size;
use crate::report::{self, Console, Exit, Json, Recorder};
use crate::rundir::{RunDir, RunDirError, RunInfo};
use crate::sut::kind::provision::left_behind;
use crate::sut::{Cancel, OnHeld, Project, Sut};
use null_build::Tried;
use sink::RunSink;

/// How many machines are connected to in advance at most, so that no server has to drop other connections.
const APPROACHED: usize = 4;

/// Runs what the request asks for. A provided machine that could not be given back is told, and is a failure of the
/// infrastructure.
pub(crate) fn run(request: RunRequest, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let ended = carry_out(&request, settings, out);
    // The last machines are given back with the pool.
    drop(request);
    let left = left_behind();
    for text in &left {
        messages::warning(text, settings);
        messages::hint("`atex sut release` asks its provisioner once more", settings);
    }
    match ended {
        Ok(exit) if !left.is_empty() && exit != Exit::Interrupted => Ok(Exit::Infra),
        ended => ended,
    }
}

fn carry_out(request: &RunRequest, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let store = open_cache(request, settings)?;
    let cancel = Cancel::new().map_err(|error| machines::no_descriptor(&error))?;
    let runs = (!request.dry_run).then_some(&cancel);
    let identity = base_identity::of_pool(&request.pool, &request.values.context, runs, settings)?;
    let approached = approach(request, &cancel)?;
    let asked = asked(request, identity.base, settings)?;
    signals::doing("the tree was read");
    let resolved = compile::resolve(&asked)?;
    signals::doing("the files of the tree were looked at");
    let project = project::of(settings.tree_root()?, !request.dry_run)?;
    let options = options(request);
    let build = null_build::Build {
        request,
        options: &options,
        settings,
        store: &store,
        cancel: &cancel,
        resolved: &resolved,
        asked: &asked,
        seen: identity.seen.as_ref(),
        project: &project,
    };
    let null_build_file = build.file();
    let made = match build.carry_out(null_build_file.as_ref())? {
        Tried::Done(exit) => {
            std::mem::forget(resolved);
            return Ok(exit);
        }
        Tried::HasToRun(dir) => dir,
    };
    // Dropping the value would take longer than the rest of the process.
    let mut work = ManuallyDrop::new(compiled(&resolved, (request, &asked), &store, settings)?);
    compile_request::warn(&work.warnings, settings);
    unusable::tell(&work.unusable, settings);
    if matches!(request.action, RunCommand::Test { .. }) {
        let heeded = signals::heed(&cancel);
        which_plan::settle(&mut work, &store, &project, || machines::states(&request.pool, &cancel))?;
        drop(heeded);
    }
    if work.tests.is_empty() && !work.unusable.is_empty() {
        return Ok(Exit::Usage);
    }
    narrow(&mut work, request, &options)?;
    signals::doing("the cache was asked what has to run");
    observed_inputs::settle(&mut work, &store);
    let pending = pending_work(&work, &options, (request, &asked), (&store, &project));
    let null_build = pending.null_build(&work).filter(|_| work.unusable.is_empty());
    if let (Some(file), Some(null_build)) = (&null_build_file, null_build) {
        // If the null build cannot be kept, the next run only takes more time.
        let _is_compiled_again = file.keep(&null_build);
    }
    // The metadata are not needed any more. Freeing them pays only if the run goes on for a while.
    if pending.jobs.is_empty() {
        std::mem::forget(resolved);
    } else {
        drop(resolved);
    }
    if request.dry_run {
        return dry_run::show((&work, &pending, &options), settings, out);
    }
    let suts = approached.map_or_else(|| machines::make_all(&request.pool, &cancel), Ok)?;
    remember_finishes(&work, settings);
    let arrivals = request.sut_args.sut_file.as_ref().map(|_| -> Box<dyn Arrivals + '_> {
        Box::new(SutFile::new(&request.sut_args, &request.pool, cancel.clone(), settings))
    });
    let dir = made.map_or_else(|| run_dir(request), Ok)?;
    let info = RunInfo {
        tree: work.root.to_string_lossy().into_owned(),
        tree_digest: work.tree_digest.to_string(),
        context: work.context.clone(),
    };
    let mask = compile_request::mask(&asked, &work);
    let options = Options { mask, ..options };
    let reporters = reporters(&dir, info, settings, &cancel)?;
    let mut sink = RunSink::new(reporters, cancel.clone()).with_mask(options.mask.clone());
    let run = Run {
        work: &work,
        pending,
        options: &options,
        store: &store,
        dir: &dir,
        suts,
        arrivals,
        expected: identity.expected,
        seen: identity.seen.as_ref(),
        project: &project,
        cancel: cancel.clone(),
    };
    signals::doing("the run was ended");
    let heeded = signals::heed_in_run(&cancel);
    let finished = crate::exec::run::run(run, &mut sink);
    drop(heeded);
    let finished = finished.map_err(|error| not_run(error, &dir))?;
    match end(sink, &finished, &store, settings)? {
        Exit::Usage => Err(unusable::left_out(&work.unusable)),
        exit => Ok(exit),
    }
}

/// Returns what the compiler is asked for.
fn asked(request: &RunRequest, base: Base, settings: &Settings) -> Result<Request, CliError> {
    let tests = match &request.action {
        RunCommand::Test { names } => names.clone(),
        RunCommand::Build { .. } | RunCommand::Finish => Vec::new(),
    };
    let mut asked = compile_request::request(&request.selection, tests, &request.values, base, settings)?;
    let own = own_files::of_pool(&request.pool);
    asked.own.extend(own.into_iter().chain(request.output.clone()));
    Ok(asked)
}

/// Returns the error of a run that could not be begun.
fn not_run(error: RunError, dir: &RunDir) -> CliError {
    match error {
        RunError::Threads(error) => threads::too_few(&error.to_string()),
        RunError::Directory(source) => not_written(dir, &source),
    }
}

/// Reduces the workload to the tests that were asked for, and fails if there are none.
fn narrow(work: &mut Workload, request: &RunRequest, options: &Options) -> Result<(), CliError> {
    let has_none = |work: &Workload| work.plans.iter().all(|plan| plan.tests.is_empty());
    if let Some(shard) = request.shard {
        shard.narrow(work);
        if has_none(work) {
            return Err(
                CliError::nothing("no test is in this part").hint("there are more parts than tests, or long ones")
            );
        }
    }
    if options.mode != Mode::Finish && has_none(work) {
        return Err(CliError::nothing("no test matches").hint("`atex ls` shows all tests; `atex ls plans`, the plans"));
    }
    Ok(())
}

/// If a plan has finish phases, makes the directory in which this host remembers which of them are due, and warns if that is
/// impossible.
fn remember_finishes(work: &Workload, settings: &Settings) {
    if work.plans.iter().any(|plan| !plan.finish.is_empty())
        && let Err(reason) = due_finishes::make_place()
    {
        let text = format!("a finish that this run leaves due is known to its machine alone: {reason}");
        messages::warning(&text, settings);
    }
}

/// Opens the cache. A problem with it is reported and does not prevent the run.
fn open_cache(request: &RunRequest, settings: &Settings) -> Result<Store, CliError> {
    let store = Store::open_as_far_as_it_goes(&settings.cache_dir()?)?;
    if let Some(reason) = store.read_only().filter(|_| !request.dry_run) {
        let dir = store.dir().display();
        let text = format!("the cache `{dir}` is only read, and nothing is recorded: {reason}");
        messages::warning(&text, settings);
    }
    Ok(store)
}

/// Compiles what was asked for. Probes run only if tests may run.
fn compiled(
    resolved: &ResolvedRequest,
    (request, asked): (&RunRequest, &Request),
    store: &Store,
    settings: &Settings,
) -> Result<Workload, CliError> {
    let runs_tests = !request.dry_run && !matches!(request.action, RunCommand::Finish);
    let given = compile_request::given_mask(asked);
    Ok(resolved.compile(asked, &mut |probe| {
        if runs_tests {
            probes::run(probe, store, &given)
        } else {
            Ok(probes::recall(probe, store, settings))
        }
    })?)
}

/// Makes the machines and begins to connect to them, because compiling may take as long as connecting. It does so only if they
/// are few and will be needed whatever is in the tree.
fn approach(request: &RunRequest, cancel: &Cancel) -> Result<Option<Vec<Box<dyn Sut>>>, CliError> {
    let needed = !request.dry_run && !matches!(request.action, RunCommand::Build { .. });
    if !needed || request.pool.suts.len() > APPROACHED {
        return Ok(None);
    }
    let mut suts = machines::make_all(&request.pool, cancel)?;
    for sut in &mut suts {
        sut.approach();
    }
    Ok(Some(suts))
}

/// Reports the end of a run.
fn end(sink: RunSink, finished: &Finished, store: &Store, settings: &Settings) -> Result<Exit, CliError> {
    match sink.finish() {
        // A user who interrupts because nobody reads the output already knows about the error.
        Err(_) if signals::came() => return Ok(Exit::Interrupted),
        finished => finished?,
    }
    tell(&store.take_reports(), settings);
    ended(finished)
}

/// Warns of broken files in the cache, which are not used. Of many files with the same problem, it names the first one and the
/// number of the others.
fn tell(reports: &[BadFile], settings: &Settings) {
    let mut of_problem: BTreeMap<&FileProblem, Vec<&BadFile>> = BTreeMap::new();
    for report in reports {
        of_problem.entry(&report.problem).or_default().push(report);
    }
    for alike in of_problem.values() {
        let more = match alike.len() - 1 {
            0 => String::new(),
            more => format!("; the same is true of {more} more"),
        };
        messages::warning(&format!("{}{more}", alike[0]), settings);
    }
}

/// Returns the error about a file of the run's directory that could not be written.
fn not_written(dir: &RunDir, source: &std::io::Error) -> CliError {
    let dir = dir.path().display();
    CliError::infra(format!("cannot write the run's directory `{dir}`: {source}"))
}

/// Decides what has to run. A record that cannot be read is a miss, which the cache reports at the end. Whether the files of a
/// record exist turns out when they are taken; a dry run does not take them, so it looks for them here.
fn pending_work(
    work: &Workload,
    options: &Options,
    (request, asked): (&RunRequest, &Request),
    (store, project): (&Store, &Project),
) -> PendingWork {
    let nodes = PendingWork::recordable(work, options);
    let keys: Vec<ActionKey> = nodes.iter().map(|&node| work.graph.node(node).key()).collect();
    let outputs = if keys.is_empty() {
        Vec::new()
    } else {
        store.outputs(&index_name(request, asked), &keys)
    };
    let stands = |((node, key), output): ((NodeId, ActionKey), Option<RecordOutput>)| {
        let output = output?;
        let stands = output.outcome == RecordOutcome::Passed && (!request.dry_run || store.holds(key, &output.files));
        stands.then_some((node, output))
    };
    let found = nodes.into_par_iter().zip(keys).zip(outputs);
    let mut recorded: HashMap<NodeId, RecordOutput> = found.filter_map(stands).collect();
    let audited = options.audit.map(|share| audit::choose(work, &mut recorded, share));
    let mut pending = PendingWork::new(work, options, request.pool.suts.len(), |node| recorded.remove(&node));
    pending.audit(&audited.unwrap_or_default());
    if options.pays() {
        for (sut, plans) in due_finishes::of_project(&request.pool, project) {
            pending.owe(work, sut, &plans);
        }
    }
    pending
}

/// Returns the name under which the cache keeps an index of the records of this request. It depends only on the request.
fn index_name(request: &RunRequest, asked: &Request) -> String {
    let (root, selection, shard) = (asked.start.display(), &request.selection, request.shard);
    format!("{root}\n{selection:?}\n{shard:?}")
}

/// Returns how the process ends: with an error if there is more to say than the summary has said.
fn ended(finished: &Finished) -> Result<Exit, CliError> {
    if let Some(defect) = &finished.defect {
        return Err(CliError::defect(defect.clone()));
    }
    if let Some(reason) = &finished.host_failure {
        return Err(CliError::infra(reason.clone()));
    }
    Ok(finished.exit())
}

fn reporters(dir: &RunDir, info: RunInfo, settings: &Settings, cancel: &Cancel) -> Result<report::Reporters, CliError> {
    let reporters = report::Reporters::new().with(Recorder::create(dir.path(), info)?);
    let stdout = Patient::new(cancel.clone());
    if settings.json {
        return Ok(reporters.with(Json::new(stdout)));
    }
    let console = Console::new(stdout, settings.palette(), settings.verbosity);
    Ok(if std::io::stdout().is_terminal() {
        reporters.with(console.with_live(Box::new(terminal_size)))
    } else {
        reporters.with(console)
    })
}

/// Returns the columns and rows of the terminal.
fn terminal_size() -> Size {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let size = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(Size { columns: 80, rows: 24 }, |size| Size {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
    })
}

fn run_dir(request: &RunRequest) -> Result<RunDir, CliError> {
    let made = match &request.output {
        Some(dir) => RunDir::at(dir),
        None => RunDir::create(&directories::runs()?, jiff::Timestamp::now()),
    };
    made.map_err(|error| {
        let hint = match &error {
            RunDirError::NotEmpty(_) => "name a directory that is empty or does not exist",
            RunDirError::Foreign { .. } => ownership::HINT,
            RunDirError::Io { .. } => "`-o DIR` names another directory for the run",
        };
        CliError::usage(error.to_string()).hint(hint)
    })
}

fn options(request: &RunRequest) -> Options {
    let (mode, until, rerun) = match request.action {
        RunCommand::Build { until, rerun, .. } => (Mode::Build, until, rerun),
        RunCommand::Test { .. } => (Mode::Test, Until::Test, true),
        RunCommand::Finish => (Mode::Finish, Until::Finish, false),
    };
    Options {
        mode,
        until,
        fresh: request.fresh,
        rerun,
        audit: match request.action {
            RunCommand::Build { audit, .. } => audit,
            RunCommand::Test { .. } | RunCommand::Finish => None,
        },
        max_age: request.max_age,
        on_taint: request.on_taint,
        on_reboot: request.on_reboot,
        on_held: if request.wait { OnHeld::Wait } else { OnHeld::Fail },
        dead_after: request.pool.dead_after,
        rules: request.rules,
        max_output: request.max_output,
        mask: Mask::default(),
    }
}
