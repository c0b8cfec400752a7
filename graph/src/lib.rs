//! The build graph of atex, as a pure value: no files, no network, no clock, no threads, no printing.
//!
//! A plan becomes nodes of four [`Kind`]s, **discover → prepare → test → finish**. A node has names for people ([`NodeName`]) and
//! an identity ([`ActionKey`]), which is the digest of its [`Inputs`] and of the keys of the nodes it depends on. The main types
//! are:
//!
//! - [`GraphBuilder`] collects nodes and merges equal ones; [`GraphBuilder::seal`] makes the immutable [`Graph`];
//! - [`Selection`] says what must run, given what can be reused; [`NodeStates`] follows the run;
//! - [`transcript()`] lists what a key is made of, [`diff`] compares two such lists, [`explain`] puts the differences into words;
//! - [`render`] draws the graph.
//!
//! The key and its explanation come from one traversal ([`Manifest`]) with two visitors, so they cannot contradict each other.
//! The encoding is described in [`encode`].

#![warn(missing_docs)]

mod builder;
mod dag;
mod digest;
pub mod encode;
mod error;
pub mod explain;
mod inputs;
mod manifest;
mod name;
mod node;
pub mod render;
mod select;
mod states;
mod transcript;

pub use builder::{GraphBuilder, Keyed};
pub use dag::Graph;
pub use digest::{ActionKey, BlobDigest, Digest, FileSetDigest, OutputDigest, ParseDigestError, kind};
pub use encode::KeyHasher;
pub use error::GraphError;
pub use explain::{Change, diff};
pub use inputs::{
    Base, DiscoverInputs, EnvValue, Environment, FileMode, FileSet, FinishInputs, InputFile, InputFiles, Inputs,
    PrepareInputs, Sourced, StepAction, StepOptions, TestInputs,
};
pub use manifest::{Manifest, Visitor};
pub use name::{Kind, NodeName};
pub use node::{Node, NodeId};
pub use select::{Need, Selection};
pub use states::{Counts, NodeState, NodeStates, Outcome, StateError};
pub use transcript::{Entry, transcript};
