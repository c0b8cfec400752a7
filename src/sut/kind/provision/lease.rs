//! A machine that a provisioner provided, from the request for it until it was given back.
//!
//! Whatever becomes of the provisioner, a machine that it named is either given back or told as left.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::message::{Answer, Capability, Provided, Request, VERSION};
use super::program::{AskError, Patience, Process};
use super::recipe::{Reach, Recipe};
use super::record::ProvidedMachine;
use crate::sut::facts::login_user;
use crate::sut::{Cancel, Trouble, TroubleKind};

/// How long a machine may take to be given back or started anew.
const WHOLE: Duration = Duration::from_mins(10);

/// How much of a reason is told to a provisioner, in characters.
const LONGEST_REASON: usize = 2000;

/// The machines that are provided to this process now.
static TAKEN: Mutex<Vec<Taken>> = Mutex::new(Vec::new());

/// What could not be given back in this process, as texts for people.
static LEFT: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the texts on machines that could not be given back since this was asked last.
pub fn left_behind() -> Vec<String> {
    std::mem::take(&mut lock(&LEFT))
}

/// A machine that a SUT has, by the place where it is and by the name that the provisioner gave to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    place: String,
    program: Vec<String>,
    machine: String,
    sut: String,
}

/// A provisioner that holds a machine, as far as is known.
#[derive(Debug)]
struct Holder {
    process: Process,
    record: ProvidedMachine,
    silence: Duration,
}

/// A machine that is provided.
#[derive(Debug)]
pub(super) struct Lease {
    holder: Holder,
    can: Vec<Capability>,
    /// How the machine is reached.
    pub(super) reach: Reach,
    taken: Taken,
    /// What went wrong with the machine.
    pub(super) trouble: Option<String>,
}

/// Why a machine was not given back.
enum NotReleased {
    /// The provisioner says why.
    Refused(String),
    /// The provisioner does not answer.
    NoAnswer(AskError),
}

impl Lease {
    /// Asks for a machine, and waits for it. `notice` is told for what is waited.
    pub(super) fn take(recipe: &Recipe, cancel: &Cancel, notice: &mut dyn FnMut(String)) -> Result<Self, Trouble> {
        let (by, mut record) = (by(), None);
        let mut process = recipe.program.start().map_err(|error| recipe.no_answer(&error, None))?;
        let request = Request::Provision {
            version: VERSION,
            sut: &recipe.sut,
            number: recipe.number,
            by: &by,
        };
        let patience = Patience {
            silence: recipe.silence,
            whole: recipe.wait,
            cancel: Some(cancel),
        };
        let asked = process.ask(&request, patience, &mut |reason, machine| {
            if let Some(machine) = machine {
                remember(recipe, &machine, &mut record)?;
            }
            notice(reason);
            Ok(())
        });
        let failed = match asked {
            Ok(Answer::Provided(provided)) => match remember(recipe, &provided.machine, &mut record) {
                Ok(record) => {
                    let holder = Holder {
                        process,
                        record,
                        silence: recipe.silence,
                    };
                    return Self::of(recipe, holder, provided, notice);
                }
                Err(error) => recipe.trouble(TroubleKind::Setup, &format!("cannot be remembered: {error}")),
            },
            Ok(Answer::Error { reason, hint }) => {
                record.iter().for_each(ProvidedMachine::forget);
                process.end();
                return Err(recipe.refused(&reason, hint));
            }
            Ok(Answer::Done | Answer::Wait { .. }) => {
                recipe.trouble(TroubleKind::Unreachable, "answered without a machine")
            }
            Err(error) => recipe.no_answer(&error, process.complaint()),
        };
        process.end();
        if let Some(record) = record {
            tell_left(give_back_anew(&record, None, recipe.silence));
        }
        Err(failed)
    }

    /// Makes the lease of a machine that was provided, unless its target is not allowed or another SUT has it.
    fn of(
        recipe: &Recipe,
        holder: Holder,
        provided: Provided,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, Trouble> {
        let reach = match recipe.reach(&provided.target, notice) {
            Ok(reach) => reach,
            Err(trouble) => {
                tell_left(holder.give_back(None));
                return Err(trouble);
            }
        };
        let taken = Taken {
            place: reach.place(),
            program: recipe.program.0.clone(),
            machine: provided.machine,
            sut: recipe.sut.clone(),
        };
        let mut all = lock(&TAKEN);
        let is_machine = |other: &Taken| (&other.program, &other.machine) == (&taken.program, &taken.machine);
        if let Some(other) = all
            .iter()
            .find(|other| other.place == taken.place || is_machine(other))
            .cloned()
        {
            drop(all);
            let what = format!(
                "provided `{}` (`{}`), which `{}` has already",
                taken.machine, provided.target, other.sut
            );
            // The end of its input would tell the program to give the machine back, which the other SUT still uses.
            holder.process.kill();
            if is_machine(&other) {
                holder.record.forget();
            }
            return Err(recipe.trouble(TroubleKind::Setup, &what));
        }
        all.push(taken.clone());
        drop(all);
        Ok(Self {
            holder,
            can: provided.can,
            reach,
            taken,
            trouble: None,
        })
    }

    /// Returns what the provisioner calls the machine.
    pub(super) fn machine(&self) -> &str {
        &self.taken.machine
    }

    /// Returns whether the provisioner can do this with the machine.
    pub(super) fn can(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }

    /// Has the machine started anew.
    pub(super) fn power_cycle(
        &mut self,
        recipe: &Recipe,
        cancel: &Cancel,
        notice: &mut dyn FnMut(String),
    ) -> Result<(), Trouble> {
        let request = Request::PowerCycle {
            machine: &self.taken.machine,
        };
        let patience = Patience {
            silence: recipe.silence,
            whole: WHOLE,
            cancel: Some(cancel),
        };
        let mut waits = |reason: String, _| {
            notice(reason);
            Ok(())
        };
        match self.holder.process.ask(&request, patience, &mut waits) {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Error { reason, hint }) => Err(recipe.refused(&reason, hint)),
            Ok(_) => Err(recipe.trouble(TroubleKind::Unreachable, "did not say that the machine is started anew")),
            Err(error) => Err(recipe.no_answer(&error, self.holder.process.complaint())),
        }
    }

    /// Gives the machine back.
    pub(super) fn give_back(self) {
        tell_left(self.holder.give_back(self.trouble.as_deref()));
        lock(&TAKEN).retain(|taken| *taken != self.taken);
    }

    /// Leaves it to the provisioner to give the machine back at the end of its input, and waits for nothing. The machine stays
    /// remembered, since nobody hears whether that is done.
    pub(super) fn abandon(self) {
        lock(&TAKEN).retain(|taken| *taken != self.taken);
    }
}

impl Holder {
    /// Gives the machine back. Where the provisioner does not answer, another process of it is asked once more. The error is a
    /// text that says what is left.
    fn give_back(mut self, trouble: Option<&str>) -> Result<(), String> {
        let released = release(&mut self.process, &self.record, trouble, self.silence);
        self.process.end();
        match released {
            Ok(()) => {
                self.record.forget();
                Ok(())
            }
            Err(NotReleased::Refused(reason)) => Err(left(&self.record, &reason)),
            Err(NotReleased::NoAnswer(_)) => give_back_anew(&self.record, trouble, self.silence),
        }
    }
}

/// Returns who wants a machine, for people who ask the provisioner.
fn by() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{}@{host} pid {}", login_user(), std::process::id())
}

/// Remembers a machine from now on, in the place of another one that was remembered before.
fn remember(recipe: &Recipe, machine: &str, record: &mut Option<ProvidedMachine>) -> io::Result<ProvidedMachine> {
    if let Some(record) = record.as_ref().filter(|record| record.machine == machine) {
        return Ok(record.clone());
    }
    let new = ProvidedMachine::remember(&recipe.state_dir, machine, &recipe.program.0, &recipe.sut)?;
    if let Some(before) = record.replace(new.clone()) {
        before.forget();
    }
    Ok(new)
}

/// Has a machine given back by a new process of its provisioner. The error is a text that says what is left.
pub(super) fn give_back_anew(record: &ProvidedMachine, trouble: Option<&str>, silence: Duration) -> Result<(), String> {
    let mut process = record
        .provisioner()
        .start()
        .map_err(|error| left(record, &error.to_string()))?;
    let released = release(&mut process, record, trouble, silence);
    let complaint = process.complaint();
    process.end();
    match released {
        Ok(()) => {
            record.forget();
            Ok(())
        }
        Err(NotReleased::Refused(reason)) => Err(left(record, &reason)),
        Err(NotReleased::NoAnswer(error)) => {
            let complaint = complaint.map(|said| format!(": {said}")).unwrap_or_default();
            Err(left(record, &format!("it {error}{complaint}")))
        }
    }
}

fn release(
    process: &mut Process,
    record: &ProvidedMachine,
    trouble: Option<&str>,
    silence: Duration,
) -> Result<(), NotReleased> {
    let trouble: Option<String> = trouble.map(|trouble| trouble.chars().take(LONGEST_REASON).collect());
    let request = Request::Release {
        machine: &record.machine,
        trouble: trouble.as_deref(),
    };
    let patience = Patience {
        silence,
        whole: WHOLE,
        cancel: None,
    };
    match process.ask(&request, patience, &mut |_, _| Ok(())) {
        Ok(Answer::Done) => Ok(()),
        Ok(Answer::Error { reason, .. }) => Err(NotReleased::Refused(reason)),
        Ok(_) => Err(NotReleased::Refused("it did not say that it is done".to_owned())),
        Err(error) => Err(NotReleased::NoAnswer(error)),
    }
}

fn left(record: &ProvidedMachine, reason: &str) -> String {
    let program = record.provisioner();
    format!(
        "the machine `{}` of `{}` may be left: {reason}",
        record.machine,
        program.name()
    )
}

fn tell_left(given_back: Result<(), String>) {
    given_back.unwrap_or_else(|left| lock(&LEFT).push(left));
}
