//! What `--json` prints of values that are stored in another spelling or in seconds: keys in kebab-case, times in milliseconds.
//!
//! The stored forms (records of the cache, the state on a machine) are read by other versions of atex and stay as they are.
//! `docs/json.md` describes what is printed.

use std::collections::BTreeMap;

use atex_cache::{RecordOutcome, RecordSummary};
use atex_graph::{ActionKey, Kind};
use serde::Serialize;

use crate::json_version::JsonVersion;
use crate::sut::{Due, Facts, Project, SutState};

/// A document with its version.
#[derive(Serialize)]
pub(crate) struct Versioned<'a, T> {
    version: JsonVersion,
    #[serde(flatten)]
    document: &'a T,
}

impl<'a, T> Versioned<'a, T> {
    pub(crate) const fn new(document: &'a T) -> Self {
        Self {
            version: JsonVersion,
            document,
        }
    }
}

/// Seconds as milliseconds.
pub(crate) const fn millis(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}

/// A record of the cache, see [`RecordSummary`].
#[derive(Serialize)]
pub(crate) struct RecordJson {
    key: ActionKey,
    name: String,
    aliases: Vec<String>,
    kind: Kind,
    sut: String,
    started: u64,
    duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prepared: Option<u64>,
    outcome: RecordOutcome,
    files: u64,
    size: u64,
    meta: serde_json::Value,
}

impl From<RecordSummary> for RecordJson {
    fn from(record: RecordSummary) -> Self {
        Self {
            key: record.key,
            name: record.name,
            aliases: record.aliases,
            kind: record.kind,
            sut: record.sut,
            started: millis(record.started),
            duration: record.duration_ms,
            prepared: record.prepared.map(millis),
            outcome: record.outcome,
            files: record.files,
            size: record.size,
            meta: record.meta,
        }
    }
}

/// What a machine is, see [`Facts`].
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FactsJson<'a> {
    os: &'a str,
    version: &'a str,
    arch: &'a str,
    user: &'a str,
    root: bool,
    boot_id: &'a str,
    managers: &'a [String],
    environment: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Facts> for FactsJson<'a> {
    fn from(facts: &'a Facts) -> Self {
        Self {
            os: &facts.os,
            version: &facts.version,
            arch: &facts.arch,
            user: &facts.user,
            root: facts.root,
            boot_id: &facts.boot_id,
            managers: &facts.managers,
            environment: &facts.environment,
        }
    }
}

/// What is prepared on a machine, see [`SutState`].
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StateJson<'a> {
    chain: &'a [String],
    project: &'a str,
    projects: &'a [Project],
    prepared_at: Option<u64>,
    done_at: Vec<u64>,
    boot: Option<&'a str>,
    taint: Option<TaintJson<'a>>,
    unfinished: &'a [Due],
    layers: u32,
}

/// Why a machine is not trusted.
#[derive(Serialize)]
struct TaintJson<'a> {
    reason: &'a str,
    at: u64,
}

impl<'a> From<&'a SutState> for StateJson<'a> {
    fn from(state: &'a SutState) -> Self {
        Self {
            chain: &state.chain,
            project: &state.project,
            projects: &state.projects,
            prepared_at: state.prepared_at.map(millis),
            done_at: state.done_at.iter().copied().map(millis).collect(),
            boot: state.boot.as_deref(),
            taint: state.taint.as_ref().map(|taint| TaintJson {
                reason: &taint.reason,
                at: millis(taint.at),
            }),
            unfinished: &state.unfinished,
            layers: state.layers,
        }
    }
}
