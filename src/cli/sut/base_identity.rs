//! The base identity of the machines of a pool, for the keys and the context: remembered from the last time, or asked for.
//!
//! The context and the keys depend on the kind of machine on which tests run, but most invocations should not have to connect to
//! know it. So what is remembered ([`super::remembered_facts`]) is used for a day. It is only a guess: a machine that turns out
//! to be something else when it is opened takes no part in the run, and what it is now is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atex_graph::Base;

use super::machines::{self, Purpose};
use super::pool::{Pool, SutSpec};
use super::remembered_facts::{self, KnownFacts};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::messages;
use crate::cli::process::signals;
use crate::cli::request::compile_request;
use crate::event::SeenSut;
use crate::report::human;
use crate::sut::{BaseIdentity, Cancel, Installation, TroubleKind};

/// The identity of the machines of a pool, for keys and context.
#[derive(Debug)]
pub(crate) struct PoolIdentity {
    /// The part of the base identity that is in the keys.
    pub(crate) base: Base,
    /// The expected identity of each machine, in the order of the pool.
    pub(crate) expected: Vec<BaseIdentity>,
    /// The machine whose facts are the oldest, and their age.
    pub(crate) seen: Option<SeenSut>,
}

/// Finds out what the machines are, and refuses machines that differ, unless the context of the command line says what applies to
/// all. `cancel`, which signals raise, ends the questions. Without `cancel`, nothing is going to run; then the remembered facts
/// of a machine that does not answer are used, however old they are.
pub(crate) fn of_pool(
    pool: &Pool,
    context: &BTreeMap<String, Vec<String>>,
    cancel: Option<&Cancel>,
    settings: &Settings,
) -> Result<PoolIdentity, CliError> {
    let mut known: Vec<Option<KnownFacts>> = pool.suts.iter().map(remembered_facts::recall).collect();
    let is_new = |known: &KnownFacts| Duration::from_secs(known.age) <= pool.max_facts_age;
    let unknown: Vec<usize> = (0..known.len())
        .filter(|&index| !known[index].as_ref().is_some_and(is_new))
        .collect();
    if !unknown.is_empty() {
        let own = Cancel::new().map_err(|error| machines::no_descriptor(&error))?;
        let runs = cancel.is_some();
        let cancel = cancel.unwrap_or(&own);
        let specs: Vec<&SutSpec> = unknown.iter().map(|&index| &pool.suts[index]).collect();
        signals::doing("machines were asked what they are");
        let heeded = signals::heed(cancel);
        let asked = machines::look(&specs, cancel, if runs { Purpose::Run } else { Purpose::Look });
        drop(heeded);
        for (index, answer) in unknown.into_iter().zip(asked) {
            match answer {
                Ok(hello) => {
                    known[index] = Some(KnownFacts {
                        facts: hello.facts,
                        age: 0,
                    });
                }
                Err(trouble) if trouble.kind == TroubleKind::Cancelled => return Err(trouble.into()),
                Err(trouble) => match &known[index] {
                    Some(known) if !runs => {
                        let (name, age) = (&pool.suts[index].name, human::age(known.age));
                        let text = format!("`{name}` is taken for what it was {age}: {}", trouble.message);
                        messages::warning(&text, settings);
                    }
                    // The others may be enough. The run reports this one as it reports any machine that cannot be reached.
                    _ if pool.suts.len() > 1 => {
                        known[index] = None;
                        messages::warning(&trouble.message, settings);
                        trouble.hint.iter().for_each(|text| messages::hint(text, settings));
                    }
                    _ => return Err(trouble.into()),
                },
            }
        }
    }
    let found: Vec<Option<BaseIdentity>> = known
        .iter()
        .zip(&pool.suts)
        .map(|(known, sut)| Some(known.as_ref()?.facts.base_identity(sut.installation())))
        .collect();
    let distinct: BTreeSet<&BaseIdentity> = found.iter().flatten().collect();
    if distinct.is_empty() {
        return Err(CliError::infra("no machine can be reached").hint("`-s` names another one"));
    }
    // A machine that does not answer now may take part later.
    let installed_alike = pool
        .suts
        .windows(2)
        .all(|pair| pair[0].installation() == pair[1].installation());
    if distinct.len() > 1 || !installed_alike {
        refuse_unsettled(pool, &found, context)?;
    }
    let whole = joined(&distinct);
    let base = Base {
        os: whole.os.clone(),
        version: whole.version.clone(),
        arch: whole.arch.clone(),
        base: whole.base.clone(),
        digest: whole.digest.clone(),
        user: whole.user.clone(),
        environment: whole.environment.clone(),
    };
    let expected = found.into_iter().map(|kind| kind.unwrap_or_else(|| whole.clone()));
    let seen = known.iter().zip(&pool.suts).filter_map(|(known, sut)| {
        let age = known.as_ref()?.age * 1000;
        Some(SeenSut {
            sut: sut.name.clone(),
            age,
        })
    });
    Ok(PoolIdentity {
        seen: seen.max_by_key(|seen| seen.age),
        expected: expected.collect(),
        base,
    })
}

/// Makes one identity for machines that differ: each part contains the values of all of them.
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
        // Machines with different digests were refused before.
        digest: kinds.iter().find_map(|kind| kind.digest.clone()),
        user: join(&|kind| &kind.user),
        environment: names.into_iter().map(|name| (name.clone(), value(name))).collect(),
    }
}

/// Refuses machines that differ in a dimension that the context of the command line does not set.
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
        own.map(|(name, values)| (name, values.join(",")))
            .collect::<BTreeMap<_, _>>()
    };
    let installations: BTreeSet<_> = pool.suts.iter().map(SutSpec::installation).collect();
    let kind = |(sut, found): (_, &Option<BaseIdentity>)| {
        let own = found.as_ref().map(of);
        let own = own.or_else(|| (installations.len() > 1).then(BTreeMap::new))?;
        Some((own, SutSpec::installation(sut)))
    };
    let kinds: Vec<_> = pool.suts.iter().zip(found).map(kind).collect();
    let distinct: BTreeSet<_> = kinds.iter().flatten().collect();
    if distinct.len() < 2 {
        return Ok(());
    }
    let first = pool.suts.first().map(SutSpec::installation).unwrap_or_default();
    let bases_differ = installations.iter().any(|other| other.base != first.base);
    let digests_differ = installations.iter().any(|other| other.digest != first.digest);
    let differs = |name: &String| {
        let values: BTreeSet<_> = distinct.iter().map(|(dimensions, _)| dimensions.get(name)).collect();
        values.len() > 1
    };
    let described = |name: &String, (dimensions, installation): &(BTreeMap<String, String>, Installation<'_>)| {
        let own = dimensions.iter().filter(|(name, _)| differs(name));
        let mut parts: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        match installation.base {
            _ if !bases_differ => {}
            "" => parts.push("no `base`".to_owned()),
            base => parts.push(format!("base `{base}`")),
        }
        match installation.digest {
            _ if !digests_differ => {}
            None => parts.push("no `digest`".to_owned()),
            Some(digest) => parts.push(format!("digest `{digest}`")),
        }
        format!("`{name}` has {}", parts.join(" and "))
    };
    let names = pool.suts.iter().map(|sut| &sut.name);
    let list = names
        .zip(&kinds)
        .filter_map(|(name, kind)| Some(described(name, kind.as_ref()?)));
    let advice = if bases_differ || digests_differ {
        "run atex once for each kind"
    } else {
        "run atex once for each kind, or say with `-c DIM=VALUE` what is to hold for all"
    };
    Err(
        CliError::usage(format!("the SUTs differ: {}", list.collect::<Vec<_>>().join(", ")))
            .hint(format!("SUTs of one invocation must be of one kind; {advice}")),
    )
}
