//! The parser, which makes a tree of tagged nodes from tokens.
//!
//! It is a recursive descent over the grammar, at most [`MAX_DEPTH`] deep. The nodes are in one table. Aliases are further
//! references to the node of their anchor, which may even contain them.

mod collections;

use std::borrow::Cow;
use std::collections::HashMap;

use super::resolve::{self, Tag};
use super::scanner::{Kind, Scanner, Token};
use super::{MAX_DEPTH, Position, Problem};

/// The prefix of the tags that YAML itself defines.
const YAML_PREFIX: &str = "tag:yaml.org,2002:";

/// The number of a node.
pub(super) type NodeId = usize;

/// The nodes of a document. The root is `None` if there is no document.
#[derive(Debug)]
pub(super) struct Nodes<'a> {
    pub(super) table: Vec<Node<'a>>,
    pub(super) root: Option<NodeId>,
    /// Whether scalars are read by the rules of YAML 1.1.
    pub(super) version_1_1: bool,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) tag: Tag,
    pub(super) content: Content<'a>,
    pub(super) position: Position,
    /// Whether an alias refers to the node.
    pub(super) aliased: bool,
}

/// The content of a node.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Scalar(Cow<'a, str>),
    Sequence(Vec<NodeId>),
    /// The keys and values, and the entries that merge keys bring once they are resolved.
    Mapping {
        pairs: Vec<(NodeId, NodeId)>,
        merged: Vec<(NodeId, NodeId)>,
    },
}

/// An explicit tag, resolved with its handle.
enum Written {
    /// No tag.
    Absent,
    /// The tag `!`, which counts as no tag and no quotes.
    Bare,
    Named(Tag),
}

/// The anchor and the tag before a node, if there are any.
struct Properties<'a> {
    anchor: Option<&'a str>,
    written: Written,
    start: Position,
}

impl Properties<'_> {
    fn any(&self) -> bool {
        self.anchor.is_some() || !matches!(self.written, Written::Absent)
    }
}

/// The ways to write a collection.
#[derive(Clone, Copy, Debug)]
enum Collection {
    BlockSequence,
    /// A list at the column of its key.
    IndentlessSequence,
    BlockMapping,
    FlowSequence,
    FlowMapping,
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    nodes: Vec<Node<'a>>,
    anchors: HashMap<&'a str, NodeId>,
    handles: HashMap<&'a str, Cow<'a, str>>,
    depth: usize,
}

/// Parses the single document of a text.
pub(super) fn parse(text: &str) -> Result<Nodes<'_>, Problem> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        nodes: Vec::new(),
        anchors: HashMap::new(),
        handles: HashMap::from([("!", Cow::Borrowed("!")), ("!!", Cow::Borrowed(YAML_PREFIX))]),
        depth: 0,
    };
    let root = parser.document()?;
    Ok(Nodes {
        table: parser.nodes,
        root,
        version_1_1: parser.scanner.version_1_1,
    })
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Option<NodeId>, Problem> {
        use Kind::{DocumentEnd, DocumentStart, StreamEnd, TagDirective, UnknownDirective, VersionDirective};
        let first = self.scanner.peek()?;
        let root = match first.kind {
            StreamEnd => return Ok(None),
            VersionDirective { .. } | TagDirective { .. } | UnknownDirective | DocumentStart => {
                self.directives()?;
                self.expect("`---`", |kind| matches!(kind, DocumentStart))?;
                let next = self.scanner.peek()?;
                let empty = matches!(
                    next.kind,
                    VersionDirective { .. }
                        | TagDirective { .. }
                        | UnknownDirective
                        | DocumentStart
                        | DocumentEnd
                        | StreamEnd
                );
                let position = next.position;
                if empty {
                    self.empty(position)
                } else {
                    self.block_node(false)?
                }
            }
            _ => self.block_node(false)?,
        };
        self.document_end()?;
        Ok(Some(root))
    }

    fn directives(&mut self) -> Result<(), Problem> {
        let mut versions = 0;
        let mut own = Vec::new();
        while let Kind::VersionDirective { .. } | Kind::TagDirective { .. } | Kind::UnknownDirective =
            self.scanner.peek()?.kind
        {
            let Token { kind, position } = self.scanner.next()?;
            match kind {
                Kind::VersionDirective { major, minor } => {
                    versions += 1;
                    if versions > 1 || major != 1 || !(1..=2).contains(&minor) {
                        return Err(position.problem("only one directive `%YAML 1.1` or `%YAML 1.2` can be used"));
                    }
                }
                Kind::TagDirective { handle, prefix } => {
                    if own.contains(&handle) {
                        return Err(position.problem(format!("the tag handle `{handle}` is given twice")));
                    }
                    own.push(handle);
                    self.handles.insert(handle, prefix);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the ends of the document, and refuses anything after them.
    fn document_end(&mut self) -> Result<(), Problem> {
        let mut explicit_end = None;
        while matches!(self.scanner.peek()?.kind, Kind::DocumentEnd) {
            let second = explicit_end.is_some() && !self.scanner.version_1_1;
            let token = self.scanner.next()?;
            if second {
                return Err(token
                    .position
                    .problem("a file holds a single document, this starts another one"));
            }
            let line = explicit_end.get_or_insert(token.position.line);
            let next = self.scanner.peek()?;
            if !matches!(next.kind, Kind::StreamEnd) && next.position.line == *line {
                return Err(next.position.problem("nothing can follow `...` on its line"));
            }
        }
        let next = self.scanner.peek()?;
        match next.kind {
            Kind::StreamEnd => Ok(()),
            _ => Err(next
                .position
                .problem("a file holds a single document, this starts another one")),
        }
    }

    fn expect(&mut self, what: &str, wanted: impl FnOnce(&Kind<'a>) -> bool) -> Result<(), Problem> {
        let token = self.scanner.next()?;
        if wanted(&token.kind) {
            return Ok(());
        }
        Err(token
            .position
            .problem(format!("expected {what}, found {}", token.kind.describe())))
    }

    /// Makes the node of an absent scalar.
    fn empty(&mut self, position: Position) -> NodeId {
        self.add(Tag::Null, Content::Scalar(Cow::Borrowed("")), position)
    }

    fn add(&mut self, tag: Tag, content: Content<'a>, position: Position) -> NodeId {
        self.nodes.push(Node {
            tag,
            content,
            position,
            aliased: false,
        });
        self.nodes.len() - 1
    }

    /// Parses a node in a block, in which a key may have its list at its own column.
    fn block_node(&mut self, indentless: bool) -> Result<NodeId, Problem> {
        self.node(true, indentless)
    }

    fn flow_node(&mut self) -> Result<NodeId, Problem> {
        self.node(false, false)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<NodeId, Problem> {
        let first = self.scanner.peek()?;
        let start = first.position;
        if let Kind::Alias(name) = first.kind {
            self.scanner.next()?;
            let id = self.anchors.get(name).copied();
            let id = id.ok_or_else(|| start.problem(format!("there is no anchor `&{name}` before this alias")))?;
            self.nodes[id].aliased = true;
            return Ok(id);
        }
        let properties = self.properties(start)?;
        let next = self.scanner.peek()?;
        let collection = match next.kind {
            Kind::Scalar { .. } => return self.scalar(properties),
            Kind::BlockEntry if indentless => Collection::IndentlessSequence,
            Kind::BlockSequenceStart if block => Collection::BlockSequence,
            Kind::BlockMappingStart if block => Collection::BlockMapping,
            Kind::FlowSequenceStart => Collection::FlowSequence,
            Kind::FlowMappingStart => Collection::FlowMapping,
            _ if properties.any() => return Ok(self.absent(properties)),
            ref other => {
                return Err(next
                    .position
                    .problem(format!("expected a value, found {}", other.describe())));
            }
        };
        self.collection(collection, properties)
    }

    fn scalar(&mut self, properties: Properties<'a>) -> Result<NodeId, Problem> {
        let Token {
            kind: Kind::Scalar { text, plain },
            ..
        } = self.scanner.next()?
        else {
            return Err(properties.start.problem("expected a scalar"));
        };
        let tag = match properties.written {
            Written::Named(tag) => tag,
            Written::Absent if !plain => Tag::Text,
            Written::Absent | Written::Bare => resolve::resolve(&text, self.scanner.version_1_1),
        };
        let id = self.add(tag, Content::Scalar(text), properties.start);
        self.anchor(properties.anchor, id);
        Ok(id)
    }

    /// Makes the node of an anchor or tag that has nothing after it.
    fn absent(&mut self, properties: Properties<'a>) -> NodeId {
        let id = self.empty(properties.start);
        if let Written::Named(tag) = properties.written {
            self.nodes[id].tag = tag;
        }
        self.anchor(properties.anchor, id);
        id
    }

    fn collection(&mut self, collection: Collection, properties: Properties<'a>) -> Result<NodeId, Problem> {
        let (tag, content) = match collection {
            Collection::BlockMapping | Collection::FlowMapping => (Tag::Mapping, new_mapping()),
            _ => (Tag::Sequence, Content::Sequence(Vec::new())),
        };
        let tag = if let Written::Named(tag) = properties.written {
            tag
        } else {
            tag
        };
        let id = self.open(properties.anchor, tag, content, properties.start)?;
        match collection {
            Collection::BlockSequence => self.block_sequence(id)?,
            Collection::IndentlessSequence => self.indentless_sequence(id)?,
            Collection::BlockMapping => self.block_mapping(id)?,
            Collection::FlowSequence => self.flow_sequence(id)?,
            Collection::FlowMapping => self.flow_mapping(id)?,
        }
        self.depth -= 1;
        Ok(id)
    }

    /// Takes an anchor and a tag, in either order.
    fn properties(&mut self, start: Position) -> Result<Properties<'a>, Problem> {
        let mut anchor = None;
        let mut written = Written::Absent;
        loop {
            match self.scanner.peek()?.kind {
                Kind::Anchor(name) if anchor.is_none() => {
                    self.scanner.next()?;
                    anchor = Some(name);
                }
                Kind::Tag { .. } if matches!(written, Written::Absent) => {
                    let Token {
                        kind: Kind::Tag { handle, suffix },
                        position,
                    } = self.scanner.next()?
                    else {
                        break;
                    };
                    written = self.written(handle, &suffix, position)?;
                }
                _ => break,
            }
        }
        Ok(Properties { anchor, written, start })
    }

    fn written(&self, handle: Option<&str>, suffix: &str, position: Position) -> Result<Written, Problem> {
        let Some(handle) = handle else {
            return Ok(if suffix == "!" {
                Written::Bare
            } else {
                Written::Named(name_tag(suffix))
            });
        };
        match self.handles.get(handle) {
            Some(prefix) => Ok(match format!("{prefix}{suffix}") {
                tag if tag == "!" => Written::Bare,
                tag => Written::Named(name_tag(&tag)),
            }),
            None => Err(position.problem(format!("the tag handle `{handle}` is not defined"))),
        }
    }

    fn anchor(&mut self, anchor: Option<&'a str>, id: NodeId) {
        if let Some(name) = anchor {
            self.anchors.insert(name, id);
        }
    }

    /// Makes a collection's node and goes one level down. Its anchor is already known inside it.
    fn open(
        &mut self,
        anchor: Option<&'a str>,
        tag: Tag,
        content: Content<'a>,
        start: Position,
    ) -> Result<NodeId, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(start.problem(format!("values are nested deeper than {MAX_DEPTH} levels")));
        }
        let id = self.add(tag, content, start);
        self.anchor(anchor, id);
        Ok(id)
    }
}

fn new_mapping<'a>() -> Content<'a> {
    Content::Mapping {
        pairs: Vec::new(),
        merged: Vec::new(),
    }
}

/// Returns the tag of a full name.
fn name_tag(name: &str) -> Tag {
    name.strip_prefix(YAML_PREFIX)
        .and_then(Tag::from_name)
        .unwrap_or_else(|| Tag::Unknown(name.into()))
}
