//! What the machines of a pool are: remembered from the last time, or asked.
//!
//! Context and keys depend on what kind of machine tests run on, and most invocations should not have to connect to know it. So facts
//! are kept below the state directory, one file for each machine, written whole. They are no more than a guess: a machine
//! that turns out to be something else when it is opened takes no part in the run, and what it is now is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use atex_graph::Base;
use serde::{Deserialize, Serialize};

use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::messages;
use crate::cli::process::clock::unix_now;
use crate::cli::process::signals;
use crate::cli::request::compile_request;
use crate::cli::sut::due_finishes;
use crate::cli::sut::due_finishes::Owed;
use crate::cli::sut::pool::{Pool, SutSpec};
use crate::exec::event::Seen;
use crate::report::human;
use crate::sut::{BaseIdentity, Cancel, Facts, Hello, Sut, SutState, Trouble, TroubleKind, Watch};

/// The directory of remembered facts, below the state directory.
const REMEMBERED: &str = "facts-v1";

/// How many machines are asked at once.
const AT_ONCE: usize = 128;

/// What a workload is compiled for.
#[derive(Debug)]
pub(crate) struct Kinds {
    /// What joins the keys.
    pub(crate) base: Base,
    /// What each machine of the pool is taken to be, in its order.
    pub(crate) expected: Vec<BaseIdentity>,
    /// Since when that is known, of the machine of which it is known for the longest time.
    pub(crate) seen: Option<Seen>,
}

/// A file of remembered facts.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Which machine, for people who look into the file.
    place: String,
    /// When the machine said so last: seconds since the epoch.
    #[serde(default)]
    at: u64,
    facts: Facts,
}

/// What is known of a machine.
struct Dated {
    facts: Facts,
    /// For how many seconds.
    age: u64,
}

/// Finds out what the machines are, and refuses those that differ, unless the context of the command line settles it. `cancel` ends
/// the questions, and is what signals raise meanwhile. Without one nothing is going to run: then what is remembered of a machine
/// that does not answer will do, however old.
pub(crate) fn kinds(
    pool: &Pool,
    context: &BTreeMap<String, Vec<String>>,
    cancel: Option<&Cancel>,
    settings: &Settings,
) -> Result<Kinds, CliError> {
    let mut known: Vec<Option<Dated>> = pool.suts.iter().map(remembered).collect();
    let is_new = |known: &Dated| Duration::from_secs(known.age) <= pool.max_facts_age;
    let unknown: Vec<usize> = (0..known.len())
        .filter(|&index| !known[index].as_ref().is_some_and(is_new))
        .collect();
    if !unknown.is_empty() {
        let own = Cancel::new().map_err(|error| no_descriptor(&error))?;
        let runs = cancel.is_some();
        let cancel = cancel.unwrap_or(&own);
        let specs: Vec<&SutSpec> = unknown.iter().map(|&index| &pool.suts[index]).collect();
        signals::doing("machines were asked what they are");
        let heeded = signals::heed(cancel);
        let asked = look(&specs, cancel, if runs { Purpose::Run } else { Purpose::Look });
        drop(heeded);
        for (index, answer) in unknown.into_iter().zip(asked) {
            match answer {
                Ok(hello) => {
                    known[index] = Some(Dated {
                        facts: hello.facts,
                        age: 0,
                    });
                }
                Err(trouble) if trouble.kind == TroubleKind::Cancelled => return Err(trouble.into()),
                Err(trouble) if !runs && let Some(known) = &known[index] => {
                    let (name, age) = (&pool.suts[index].name, human::age(known.age));
                    let text = format!("`{name}` is taken for what it was {age}: {}", trouble.message);
                    messages::warning(&text, settings);
                }
                // Others may do: the run says of this one what it says of any that is not there.
                Err(trouble) if pool.suts.len() > 1 => {
                    known[index] = None;
                    messages::warning(&trouble.message, settings);
                    trouble.hint.iter().for_each(|text| messages::hint(text, settings));
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
    let found: Vec<Option<BaseIdentity>> = known
        .iter()
        .zip(&pool.suts)
        .map(|(known, sut)| Some(known.as_ref()?.facts.base_identity(&sut.base)))
        .collect();
    let distinct: BTreeSet<&BaseIdentity> = found.iter().flatten().collect();
    if distinct.is_empty() {
        return Err(CliError::infra("no machine can be reached").hint("`-s` names another one"));
    }
    if distinct.len() > 1 {
        refuse_unsettled(pool, &found, context)?;
    }
    let whole = joined(&distinct);
    let base = Base {
        os: whole.os.clone(),
        version: whole.version.clone(),
        arch: whole.arch.clone(),
        base: whole.base.clone(),
        user: whole.user.clone(),
        environment: whole.environment.clone(),
    };
    let expected = found.into_iter().map(|kind| kind.unwrap_or_else(|| whole.clone()));
    let seen = known.iter().zip(&pool.suts).filter_map(|(known, sut)| {
        let (age, sut) = (known.as_ref()?.age, sut.name.clone());
        Some(Seen { sut, age })
    });
    Ok(Kinds {
        seen: seen.max_by_key(|seen| seen.age),
        expected: expected.collect(),
        base,
    })
}

/// One identity for machines of several kinds: each part holds all that they have there.
fn joined(kinds: &BTreeSet<&BaseIdentity>) -> BaseIdentity {
    let join = |part: &dyn for<'k> Fn(&'k BaseIdentity) -> &'k str| {
        let values: BTreeSet<&str> = kinds.iter().map(|kind| part(kind)).collect();
        values.into_iter().collect::<Vec<_>>().join("|")
    };
    let names: BTreeSet<&String> = kinds.iter().flat_map(|kind| kind.environment.keys()).collect();
    let value = |name: &String| join(&|kind| kind.environment.get(name).map_or("", String::as_str));
    BaseIdentity {
        os: join(&|kind| &kind.os),
        version: join(&|kind| &kind.version),
        arch: join(&|kind| &kind.arch),
        base: join(&|kind| &kind.base),
        user: join(&|kind| &kind.user),
        environment: names.into_iter().map(|name| (name.clone(), value(name))).collect(),
    }
}

/// Refuses machines that differ in what the command line says nothing of.
fn refuse_unsettled(
    pool: &Pool,
    found: &[Option<BaseIdentity>],
    context: &BTreeMap<String, Vec<String>>,
) -> Result<(), CliError> {
    let of = |kind: &BaseIdentity| {
        let dimensions = compile_request::context_of(&Base {
            os: kind.os.clone(),
            version: kind.version.clone(),
            arch: kind.arch.clone(),
            ..Base::default()
        });
        let own = dimensions.into_iter().filter(|(name, _)| !context.contains_key(name));
        let own = own
            .map(|(name, values)| (name, values.join(",")))
            .collect::<BTreeMap<_, _>>();
        (own, kind.base.clone())
    };
    let kinds: Vec<_> = found.iter().map(|kind| kind.as_ref().map(of)).collect();
    let distinct: BTreeSet<_> = kinds.iter().flatten().collect();
    if distinct.len() < 2 {
        return Ok(());
    }
    let bases_differ = distinct
        .iter()
        .any(|(_, base)| Some(base) != distinct.first().map(|(_, base)| base));
    let differs = |name: &String| {
        let values: BTreeSet<_> = distinct.iter().map(|(dimensions, _)| dimensions.get(name)).collect();
        values.len() > 1
    };
    let described = |name: &String, (dimensions, base): &(BTreeMap<String, String>, String)| {
        let own = dimensions.iter().filter(|(name, _)| differs(name));
        let mut parts: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        match base.as_str() {
            _ if !bases_differ => {}
            "" => parts.push("no `base`".to_owned()),
            base => parts.push(format!("base `{base}`")),
        }
        format!("`{name}` has {}", parts.join(" and "))
    };
    let names = pool.suts.iter().map(|sut| &sut.name);
    let list = names
        .zip(&kinds)
        .filter_map(|(name, kind)| Some(described(name, kind.as_ref()?)));
    let advice = if bases_differ {
        "run atex once for each kind"
    } else {
        "run atex once for each kind, or say with `-c DIM=VALUE` what is to hold for all"
    };
    Err(
        CliError::usage(format!("the SUTs differ: {}", list.collect::<Vec<_>>().join(", ")))
            .hint(format!("SUTs of one invocation must be of one kind; {advice}")),
    )
}

/// What is known of a machine without a question.
fn remembered(sut: &SutSpec) -> Option<Dated> {
    if let Some(facts) = sut.access.facts() {
        return Some(Dated { facts, age: 0 });
    }
    let text = crate::host::file::read(&file_of(sut)?).ok()?;
    let remembered: Remembered = serde_json::from_slice(&text).ok()?;
    Some(Dated {
        facts: remembered.facts,
        age: unix_now().saturating_sub(remembered.at),
    })
}

fn file_of(sut: &SutSpec) -> Option<PathBuf> {
    let name = blake3::hash(sut.place().as_bytes()).to_hex();
    Some(
        Settings::state_dir()
            .ok()?
            .join(REMEMBERED)
            .join(format!("{name}.json")),
    )
}

/// Remembers what a machine is; a place that cannot be written to costs a question next time.
fn remember(sut: &SutSpec, facts: &Facts) {
    let write = || -> Option<()> {
        let file = file_of(sut)?;
        let dir = file.parent()?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).ok()?;
        let remembered = Remembered {
            place: sut.place(),
            at: unix_now(),
            facts: facts.clone(),
        };
        let mut new = tempfile::NamedTempFile::new_in(dir).ok()?;
        new.write_all(&serde_json::to_vec_pretty(&remembered).ok()?).ok()?;
        new.persist(&file).ok().map(drop)
    };
    if sut.access.facts().is_none() {
        let _asked_next_time = write();
    }
}

/// Forgets what a machine is and owes.
pub(crate) fn forget(sut: &SutSpec) {
    due_finishes::forget(sut);
    if let Some(file) = file_of(sut) {
        let _not_there = std::fs::remove_file(file);
    }
}

/// What machines are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Something of the tree is going to run there.
    Run,
    /// Somebody looks at the tree.
    Look,
}

/// Asks machines what they are and what they are prepared for, many at once, without taking them.
fn look(suts: &[&SutSpec], cancel: &Cancel, purpose: Purpose) -> Vec<Result<Hello, Trouble>> {
    for_each(suts, |sut| {
        if let Some(facts) = sut.access.facts() {
            let state = sut.access.peek(sut.dir.as_deref()).state.unwrap_or_default();
            return Ok(Hello { facts, state });
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
        let hello = sut.machine(cancel)?.look()?;
        remember(sut, &hello.facts);
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
                    // Without a thread of its own it has its turn here.
                    Err(_) => act(sut),
                });
            answers.extend(done);
        });
    }
    answers
}

/// What machines say of themselves, for a guess at what the user means. Those that do not answer say nothing.
pub(crate) fn states(pool: &Pool, cancel: &Cancel) -> Vec<SutState> {
    let suts: Vec<&SutSpec> = pool.suts.iter().collect();
    let answers = look(&suts, cancel, Purpose::Run).into_iter();
    answers.filter_map(|answer| Some(answer.ok()?.state)).collect()
}

/// Makes all machines of a pool. When one is opened, what it is will be remembered.
pub(crate) fn open_later(pool: &Pool, cancel: &Cancel) -> Result<Vec<Box<dyn Sut>>, CliError> {
    let make = |spec: &SutSpec| Ok(known(spec, cancel)?);
    pool.suts.iter().map(make).collect()
}

/// Makes one machine that is remembered when it is opened.
pub(crate) fn known(spec: &SutSpec, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
    let mut sut = spec.machine(cancel)?;
    sut.watch(Box::new(Memory {
        owed: Owed::new(spec),
        spec: spec.clone(),
    }));
    Ok(sut)
}

pub(crate) fn no_descriptor(error: &std::io::Error) -> CliError {
    CliError::infra(format!("cannot make an event descriptor: {error}"))
}

/// What is remembered of a machine: what it is whenever it is opened, and which finish is due there whenever that changes.
struct Memory {
    owed: Owed,
    spec: SutSpec,
}

impl Watch for Memory {
    fn opened(&mut self, hello: &Hello) {
        remember(&self.spec, &hello.facts);
        self.owed.agree(&hello.state.unfinished);
    }

    fn keeps(&mut self, state: &SutState) -> Result<(), String> {
        let noted = self.owed.note(&state.unfinished);
        noted.map_err(|error| format!("cannot remember which finish is due there: {error}"))
    }

    fn kept(&mut self, state: &SutState) {
        self.owed.forget(&state.unfinished);
    }
}
