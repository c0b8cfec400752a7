//! Makes the machines of a pool, asks many of them at once, and remembers what each one reports whenever it is opened.

use super::due_finishes::{self, DueFinishes};
use super::pool::{Pool, SutSpec};
use super::remembered_facts;
use crate::cli::error::CliError;
use crate::cli::output::messages;
use crate::report::text::harmless;
use crate::sut::{Cancel, Hello, Sut, SutState, Trouble, TroubleKind, Watch};

/// How many machines are asked at once.
const AT_ONCE: usize = 128;

/// Why machines are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Scripts of the tree are going to run there.
    Run,
    /// The command only looks at the tree.
    Look,
}

/// Asks machines what they are and what they are prepared for, many at once, without taking their leases.
pub(super) fn look(suts: &[&SutSpec], cancel: &Cancel, purpose: Purpose) -> Vec<Result<Hello, Trouble>> {
    for_each(suts, |sut| {
        if let Some(facts) = sut.access.facts() {
            let state = sut.access.peek(sut.dir.as_deref()).state.unwrap_or_default();
            return Ok(Hello {
                facts,
                state,
                daemons: Vec::new(),
            });
        }
        if purpose == Purpose::Look
            && let Some(command) = sut.access.runs_of_tree()
        {
            let what = format!(
                "`{}`: not asked what it is: the tree says to reach it by `{command}`",
                sut.name
            );
            let hint = "name it with `-s` if that command may run, or build first: then what it is will be remembered";
            return Err(Trouble::new(TroubleKind::Setup, what).with_hint(hint));
        }
        if purpose == Purpose::Look && sut.access.is_there_for_runs_only() {
            let what = format!("`{}`: not asked what it is: it is provided for a run only", sut.name);
            let hint = "build first, and what it is will be remembered";
            return Err(Trouble::new(TroubleKind::Setup, what).with_hint(hint));
        }
        sut.access.provide(cancel, &mut |note| {
            messages::say(&format!("{}: {}\n", harmless(&sut.name), harmless(&note)));
        })?;
        let hello = sut.machine(cancel)?.look()?;
        remembered_facts::remember(sut, &hello.facts);
        Ok(hello)
    })
}

/// Does something with each machine, many at once; the answers are in the order of the machines.
pub(crate) fn for_each<T: Send>(suts: &[&SutSpec], act: impl Fn(&SutSpec) -> T + Sync) -> Vec<T> {
    let mut answers = Vec::with_capacity(suts.len());
    for group in suts.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let act = &act;
            let start = |sut| std::thread::Builder::new().spawn_scoped(scope, move || act(sut));
            let threads: Vec<_> = group.iter().map(|sut| (*sut, start(*sut))).collect();
            let done = threads
                .into_iter()
                .map(|(sut, thread)| match thread.map(std::thread::ScopedJoinHandle::join) {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(panic)) => std::panic::resume_unwind(panic),
                    // No thread could be started for it, so it is done here.
                    Err(_) => act(sut),
                });
            answers.extend(done);
        });
    }
    answers
}

/// Returns the states that machines report, to guess which plan the user means. Machines that do not answer are left out.
pub(crate) fn states(pool: &Pool, cancel: &Cancel) -> Vec<SutState> {
    let suts: Vec<&SutSpec> = pool.suts.iter().collect();
    let answers = look(&suts, cancel, Purpose::Run).into_iter();
    answers.filter_map(|answer| Some(answer.ok()?.state)).collect()
}

/// Makes all machines of a pool. What each is will be remembered when it is opened.
pub(crate) fn make_all(pool: &Pool, cancel: &Cancel) -> Result<Vec<Box<dyn Sut>>, CliError> {
    let make = |spec| Ok(make(spec, cancel)?);
    pool.suts.iter().map(make).collect()
}

/// Makes one machine. What it is will be remembered when it is opened.
pub(crate) fn make(spec: &SutSpec, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
    let mut sut = spec.machine(cancel)?;
    sut.watch(Box::new(Memory {
        due: DueFinishes::new(spec),
        spec: spec.clone(),
    }));
    Ok(sut)
}

/// Forgets all that this host knows of a machine: what it is, and which finishes are due there.
pub(crate) fn forget(sut: &SutSpec) {
    due_finishes::forget(sut);
    remembered_facts::forget(sut);
}

/// Makes an error about a [`Cancel`] that could not be made.
pub(crate) fn no_descriptor(error: &std::io::Error) -> CliError {
    CliError::infra(format!("cannot make an event descriptor: {error}"))
}

/// Remembers what a machine is whenever it is opened, and which finishes are due there whenever that changes.
struct Memory {
    due: DueFinishes,
    spec: SutSpec,
}

impl Watch for Memory {
    fn opened(&mut self, hello: &Hello) {
        remembered_facts::remember(&self.spec, &hello.facts);
        self.due.agree(&hello.state.unfinished);
    }

    fn keeps(&mut self, state: &SutState) -> Result<(), String> {
        let noted = self.due.note(&state.unfinished);
        noted.map_err(|error| format!("cannot remember which finish is due there: {error}"))
    }

    fn kept(&mut self, state: &SutState) {
        self.due.forget(&state.unfinished);
    }
}
