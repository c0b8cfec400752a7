//! A naive description of graphs, for comparison: identities are text, everything is found by search.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atex_graph::{
    Base, BlobDigest, DiscoverInputs, EnvValue, Environment, FileMode, FileSet, FinishInputs, Graph, GraphBuilder,
    InputFile, InputFiles, Inputs, Kind, NodeId, NodeName, PrepareInputs, Sourced, StepAction, StepOptions, TestInputs,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One node, with few possible values, so that equal nodes are common.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub kind: Kind,
    pub text: &'static str,
    pub installs: bool,
    pub environment: BTreeMap<&'static str, Variable>,
    pub metadata: BTreeMap<&'static str, Value>,
    pub files: BTreeSet<(&'static str, &'static str)>,
    pub based: bool,
    /// Positions of earlier prepare steps.
    pub deps: Vec<usize>,
    /// Positions of any earlier nodes.
    pub after: Vec<usize>,
    /// Line in the metadata: must not matter.
    pub line: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Variable {
    Plain(&'static str),
    Secret(u8),
}

/// The nodes of a graph; the position of each is its identity across changes.
#[derive(Clone, Debug)]
pub(crate) struct World(pub Vec<Spec>);

impl World {
    /// Everything that the key of the node at a position may and must depend on, spelled out.
    pub(crate) fn identity(&self, position: usize) -> String {
        let Spec {
            kind,
            text,
            installs,
            environment,
            metadata,
            files,
            based,
            deps,
            ..
        } = &self.0[position];
        let own = match kind {
            Kind::Discover => format!("{text:?} {files:?}"),
            Kind::Prepare => format!("{text:?} {installs} {environment:?} {files:?} {based}"),
            Kind::Test => format!("{text:?} {environment:?} {metadata:?} {files:?} {based}"),
            Kind::Finish => format!("{text:?} {installs} {environment:?}"),
        };
        let deps: Vec<_> = deps.iter().map(|&dep| self.identity(dep)).collect();
        format!("{kind} {own} {deps:?}")
    }

    /// Builds the graph; the ids are by position. Other lines of the metadata, in the same places, change nothing.
    pub(crate) fn build(&self) -> (Graph, Vec<NodeId>) {
        let mut builder = GraphBuilder::new();
        let mut ids: Vec<NodeId> = Vec::new();
        for (position, spec) in self.0.iter().enumerate() {
            let pick = |positions: &[usize]| positions.iter().map(|&position| ids[position]).collect::<Vec<_>>();
            let (deps, after) = (pick(&spec.deps), pick(&spec.after));
            ids.push(
                builder
                    .add(spec.name(position), spec.inputs(), &deps, &after)
                    .expect("names differ"),
            );
        }
        (
            builder
                .seal()
                .expect("edges lead backwards, and after-edges are of nodes that are never equal"),
            ids,
        )
    }
}

impl Spec {
    fn name(&self, position: usize) -> NodeName {
        let plan = format!("/plan/{position}");
        match self.kind {
            Kind::Discover => NodeName::discover(plan),
            Kind::Prepare => NodeName::prepare(plan, 1, "shell"),
            Kind::Test => NodeName::test(plan),
            Kind::Finish => NodeName::finish(plan, 1),
        }
    }

    fn inputs(&self) -> Inputs {
        let origin = format!("main.fmf:{}", self.line);
        let base = self.based.then(|| Base {
            os: "fedora".to_owned(),
            ..Base::default()
        });
        let script = Sourced::at(self.text.to_owned(), origin.as_str());
        let environment: Environment = self
            .environment
            .iter()
            .map(|(name, variable)| {
                let value = match variable {
                    Variable::Plain(text) => EnvValue::from(*text),
                    Variable::Secret(secret) => EnvValue::Secret([*secret; 32]),
                };
                ((*name).to_owned(), Sourced::at(value, origin.as_str()))
            })
            .collect();
        let action = if self.installs {
            StepAction::Install {
                packages: Sourced::at(vec![self.text.to_owned()], origin.as_str()),
                options: StepOptions::new(),
            }
        } else {
            StepAction::Shell {
                script,
                options: StepOptions::new(),
            }
        };
        match self.kind {
            Kind::Discover => DiscoverInputs {
                plan: self.text.to_owned(),
                files: self.input_files(),
                ..DiscoverInputs::default()
            }
            .into(),
            Kind::Prepare => PrepareInputs {
                base,
                probe: None,
                action,
                environment,
                files: self.input_files(),
                observed: InputFiles::default(),
            }
            .into(),
            Kind::Test => TestInputs {
                base,
                name: self.text.to_owned(),
                dir: "dir".to_owned(),
                metadata: Arc::new(
                    self.metadata
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), Sourced::at(value.clone(), origin.as_str())))
                        .collect(),
                ),
                environment,
                files: self.input_files(),
                observed: InputFiles::default(),
                interface: None,
            }
            .into(),
            Kind::Finish => FinishInputs { action, environment }.into(),
        }
    }

    /// In two sets, cut by a rule of the paths.
    fn input_files(&self) -> InputFiles {
        let set = |prefix: &str| -> FileSet {
            let files = self.files.iter().filter(|(path, _)| path.starts_with(prefix));
            files
                .map(|(path, content)| InputFile {
                    path: (*path).to_owned(),
                    digest: BlobDigest::of(content.as_bytes()),
                    mode: FileMode::Regular,
                })
                .collect()
        };
        InputFiles::union([set("lib/"), set("own/")])
    }
}

/// Values that a careless encoding would take for each other.
fn metadata_value() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(false),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(0.0),
        json!("0"),
        json!(""),
        json!("null"),
        json!([]),
        json!([[]]),
        json!([""]),
        json!(["a", "b"]),
        json!(["a,b"]),
        json!(["a\",\"b"]),
        json!({}),
        json!({"a": {"b": 1}}),
        json!({"a.b": 1}),
        json!({"a": {}, "b": {}}),
    ])
}

fn variable() -> impl Strategy<Value = Variable> {
    prop_oneof![
        select(vec!["", "1", "(secret 010101010101)"]).prop_map(Variable::Plain),
        (0..3_u8).prop_map(Variable::Secret)
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let kinds = vec![
        Kind::Discover,
        Kind::Prepare,
        Kind::Prepare,
        Kind::Test,
        Kind::Test,
        Kind::Finish,
    ];
    let files = btree_set((select(vec!["lib/a", "lib/b", "own/a"]), select(vec!["1", "2"])), 0..3);
    (
        (
            select(kinds),
            select(vec!["a", "b"]),
            any::<bool>(),
            any::<bool>(),
            any::<u8>(),
        ),
        btree_map(select(vec!["A", "B", "A.B"]), variable(), 0..2),
        btree_map(select(vec!["a", "b", "a.b"]), metadata_value(), 0..2),
        files,
    )
        .prop_map(
            |((kind, text, installs, based, line), environment, metadata, files)| Spec {
                kind,
                text,
                installs,
                environment,
                metadata,
                files,
                based,
                deps: Vec::new(),
                after: Vec::new(),
                line,
            },
        )
}

/// Worlds of up to `size` nodes. Only finish nodes come after others, and nothing comes after or depends on them.
pub(crate) fn worlds(size: usize) -> impl Strategy<Value = World> {
    vec((spec(), vec(any::<Index>(), 0..3), vec(any::<Index>(), 0..5)), 1..size).prop_map(|nodes| {
        let mut specs: Vec<Spec> = Vec::new();
        for (mut spec, deps, after) in nodes {
            let of = |kinds: &[Kind]| {
                let fits = |(position, spec): (usize, &Spec)| kinds.contains(&spec.kind).then_some(position);
                specs.iter().enumerate().filter_map(fits).collect::<Vec<_>>()
            };
            let (prepares, others) = (of(&[Kind::Prepare]), of(&[Kind::Prepare, Kind::Test, Kind::Discover]));
            let pick = |from: &[usize], picks: &[Index]| {
                picks
                    .iter()
                    .filter(|_| !from.is_empty())
                    .map(|pick| from[pick.index(from.len())])
                    .collect::<Vec<_>>()
            };
            match spec.kind {
                Kind::Prepare | Kind::Test => spec.deps = pick(&prepares, &deps),
                Kind::Finish => spec.after = pick(&others, &after),
                Kind::Discover => {}
            }
            specs.push(spec);
        }
        World(specs)
    })
}

/// A change of one node, wherever it is.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Text(&'static str),
    Variable(&'static str, Variable),
    Metadata(&'static str, Value),
    File(&'static str, &'static str),
    Base,
    Drop,
    Line(u8),
}

pub(crate) fn edits() -> impl Strategy<Value = (Index, Edit)> {
    let edit = prop_oneof![
        select(vec!["a", "b", "c"]).prop_map(Edit::Text),
        (select(vec!["A", "B", "A.B"]), variable()).prop_map(|(name, value)| Edit::Variable(name, value)),
        (select(vec!["a", "b", "a.b"]), metadata_value()).prop_map(|(name, value)| Edit::Metadata(name, value)),
        (select(vec!["lib/a", "own/a"]), select(vec!["1", "3"])).prop_map(|(path, content)| Edit::File(path, content)),
        Just(Edit::Base),
        Just(Edit::Drop),
        any::<u8>().prop_map(Edit::Line),
    ];
    (any::<Index>(), edit)
}

impl World {
    /// Applies a change; returns the position of the node that was changed.
    pub(crate) fn edit(&mut self, (at, edit): &(Index, Edit)) -> usize {
        let position = at.index(self.0.len());
        let spec = &mut self.0[position];
        match edit.clone() {
            Edit::Text(text) => spec.text = text,
            Edit::Variable(name, value) => drop(spec.environment.insert(name, value)),
            Edit::Metadata(name, value) => drop(spec.metadata.insert(name, value)),
            Edit::File(path, content) => {
                spec.files.retain(|(other, _)| *other != path);
                spec.files.insert((path, content));
            }
            Edit::Base => spec.based = !spec.based,
            Edit::Drop => drop(spec.deps.pop()),
            Edit::Line(line) => spec.line = line,
        }
        position
    }

    /// The node and all whose keys hold its key, by search.
    pub(crate) fn dependents(&self, position: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::from([position]);
        for (later, spec) in self.0.iter().enumerate() {
            if spec.deps.iter().any(|dep| found.contains(dep)) {
                found.insert(later);
            }
        }
        found
    }
}
