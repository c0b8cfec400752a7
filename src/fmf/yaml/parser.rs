//! The parser: tokens to a tree of tagged nodes.
//!
//! Recursive descent over the grammar, at most [`MAX_DEPTH`] deep. Nodes live in one table; aliases are further references to
//! the node of their anchor, which may even contain them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::resolve::{self, Tag};
use super::scanner::{Kind, Scanner, Token};
use super::{MAX_DEPTH, Position, Problem};

/// The prefix of the tags that YAML itself defines.
const YAML_PREFIX: &str = "tag:yaml.org,2002:";

/// The number of a node.
pub(super) type NodeId = usize;

/// The nodes of a document; the root is nothing where there is no document.
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

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Scalar(Cow<'a, str>),
    Sequence(Vec<NodeId>),
    /// Keys and values; and what merge keys bring, once they are resolved.
    Mapping {
        pairs: Vec<(NodeId, NodeId)>,
        merged: Vec<(NodeId, NodeId)>,
    },
}

/// An explicit tag, resolved with its handle.
enum Written {
    /// No tag.
    Absent,
    /// `!`: as if there were no tag and no quotes.
    Bare,
    Named(Tag),
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

    /// Takes document ends, and refuses what comes behind them.
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

    fn block_node(&mut self, indentless: bool) -> Result<NodeId, Problem> {
        self.node(true, indentless)
    }

    fn flow_node(&mut self) -> Result<NodeId, Problem> {
        self.node(false, false)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<NodeId, Problem> {
        let start = self.scanner.peek()?.position;
        if let Kind::Alias(name) = self.scanner.peek()?.kind {
            self.scanner.next()?;
            let id = *self
                .anchors
                .get(name)
                .ok_or_else(|| start.problem(format!("there is no anchor `&{name}` before this alias")))?;
            self.nodes[id].aliased = true;
            return Ok(id);
        }
        let (anchor, written) = self.properties()?;
        let has_properties = anchor.is_some() || !matches!(written, Written::Absent);
        let tagged = |written, default| {
            if let Written::Named(tag) = written {
                tag
            } else {
                default
            }
        };
        let position = self.scanner.peek()?.position;
        match &self.scanner.peek()?.kind {
            Kind::BlockEntry if indentless => {
                let id = self.open(
                    anchor,
                    tagged(written, Tag::Sequence),
                    Content::Sequence(Vec::new()),
                    start,
                )?;
                self.indentless_sequence(id)?;
                self.depth -= 1;
                Ok(id)
            }
            Kind::Scalar { .. } => {
                let Token {
                    kind: Kind::Scalar { text, plain },
                    ..
                } = self.scanner.next()?
                else {
                    return Err(position.problem("expected a scalar"));
                };
                let implicit = plain && matches!(written, Written::Absent) || matches!(written, Written::Bare);
                let version_1_1 = self.scanner.version_1_1;
                let tag = match written {
                    Written::Named(tag) => tag,
                    _ if implicit => resolve::resolve(&text, version_1_1),
                    _ => Tag::Text,
                };
                let id = self.add(tag, Content::Scalar(text), start);
                self.anchor(anchor, id);
                Ok(id)
            }
            Kind::FlowSequenceStart => {
                let id = self.open(
                    anchor,
                    tagged(written, Tag::Sequence),
                    Content::Sequence(Vec::new()),
                    start,
                )?;
                self.flow_sequence(id)?;
                self.depth -= 1;
                Ok(id)
            }
            Kind::BlockSequenceStart if block => {
                let id = self.open(
                    anchor,
                    tagged(written, Tag::Sequence),
                    Content::Sequence(Vec::new()),
                    start,
                )?;
                self.block_sequence(id)?;
                self.depth -= 1;
                Ok(id)
            }
            Kind::FlowMappingStart => {
                let id = self.open(anchor, tagged(written, Tag::Mapping), new_mapping(), start)?;
                self.flow_mapping(id)?;
                self.depth -= 1;
                Ok(id)
            }
            Kind::BlockMappingStart if block => {
                let id = self.open(anchor, tagged(written, Tag::Mapping), new_mapping(), start)?;
                self.block_mapping(id)?;
                self.depth -= 1;
                Ok(id)
            }
            _ if has_properties => {
                let id = self.empty(start);
                if let Written::Named(tag) = written {
                    self.nodes[id].tag = tag;
                }
                self.anchor(anchor, id);
                Ok(id)
            }
            other => Err(position.problem(format!("expected a value, found {}", other.describe()))),
        }
    }

    /// Takes an anchor and a tag, in either order.
    fn properties(&mut self) -> Result<(Option<&'a str>, Written), Problem> {
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
        Ok((anchor, written))
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

    /// Makes a collection's node and goes one level down; its anchor is known inside of it already.
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

    fn push_item(&mut self, sequence: NodeId, item: NodeId) {
        if let Content::Sequence(items) = &mut self.nodes[sequence].content {
            items.push(item);
        }
    }

    fn push_pair(&mut self, mapping: NodeId, key: NodeId, value: NodeId) {
        if let Content::Mapping { pairs, .. } = &mut self.nodes[mapping].content {
            pairs.push((key, value));
        }
    }

    fn block_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
        let start = self.scanner.next()?.position;
        loop {
            let token = self.scanner.next()?;
            match token.kind {
                Kind::BlockEntry => {
                    let next = self.scanner.peek()?;
                    let empty = matches!(next.kind, Kind::BlockEntry | Kind::BlockEnd);
                    let item = if empty {
                        self.empty(token.position)
                    } else {
                        self.block_node(false)?
                    };
                    self.push_item(id, item);
                }
                Kind::BlockEnd => return Ok(()),
                other => return Err(wrong_in_block(&other, token.position, "list", start)),
            }
        }
    }

    fn indentless_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
        while matches!(self.scanner.peek()?.kind, Kind::BlockEntry) {
            let position = self.scanner.next()?.position;
            let next = self.scanner.peek()?;
            let empty = matches!(next.kind, Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd);
            let item = if empty {
                self.empty(position)
            } else {
                self.block_node(false)?
            };
            self.push_item(id, item);
        }
        Ok(())
    }

    fn block_mapping(&mut self, id: NodeId) -> Result<(), Problem> {
        let start = self.scanner.next()?.position;
        loop {
            let version_1_1 = self.scanner.version_1_1;
            let Token { kind, position } = self.scanner.peek()?;
            let position = *position;
            let key = match kind {
                Kind::Key => {
                    self.scanner.next()?;
                    self.block_mapping_part(position)?
                }
                Kind::Value if !version_1_1 => self.empty(position),
                Kind::BlockEnd => {
                    self.scanner.next()?;
                    return Ok(());
                }
                other => return Err(wrong_in_block(other, position, "mapping", start)),
            };
            let next = self.scanner.peek()?;
            let position = next.position;
            let value = if matches!(next.kind, Kind::Value) {
                self.scanner.next()?;
                self.block_mapping_part(position)?
            } else {
                self.empty(position)
            };
            self.push_pair(id, key, value);
        }
    }

    /// Parses what follows a key's or value's indicator.
    fn block_mapping_part(&mut self, position: Position) -> Result<NodeId, Problem> {
        if matches!(self.scanner.peek()?.kind, Kind::Key | Kind::Value | Kind::BlockEnd) {
            Ok(self.empty(position))
        } else {
            self.block_node(true)
        }
    }

    fn flow_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
        self.scanner.next()?;
        let mut first = true;
        while !matches!(self.scanner.peek()?.kind, Kind::FlowSequenceEnd) {
            if !first {
                self.expect("`,` or `]`", |kind| matches!(kind, Kind::FlowEntry))?;
            }
            first = false;
            let next = self.scanner.peek()?;
            let position = next.position;
            let item = match next.kind {
                Kind::Key => self.single_pair(position)?,
                Kind::FlowSequenceEnd => break,
                _ => self.flow_node()?,
            };
            self.push_item(id, item);
        }
        self.scanner.next()?;
        Ok(())
    }

    /// Parses `[key: value]`, a mapping without braces.
    fn single_pair(&mut self, position: Position) -> Result<NodeId, Problem> {
        let id = self.open(None, Tag::Mapping, new_mapping(), position)?;
        self.scanner.next()?;
        let ends = |kind: &Kind<'_>| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd);
        let key = self.flow_part(position, ends)?;
        let value = self.flow_value(position, ends)?;
        self.push_pair(id, key, value);
        self.depth -= 1;
        Ok(id)
    }

    fn flow_mapping(&mut self, id: NodeId) -> Result<(), Problem> {
        self.scanner.next()?;
        let ends = |kind: &Kind<'_>| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd);
        let mut first = true;
        while !matches!(self.scanner.peek()?.kind, Kind::FlowMappingEnd) {
            if !first {
                self.expect("`,` or `}`", |kind| matches!(kind, Kind::FlowEntry))?;
            }
            first = false;
            let version_1_1 = self.scanner.version_1_1;
            let next = self.scanner.peek()?;
            let position = next.position;
            let (key, value) = match next.kind {
                Kind::Key => {
                    self.scanner.next()?;
                    (self.flow_part(position, ends)?, self.flow_value(position, ends)?)
                }
                Kind::Value if !version_1_1 => (self.empty(position), self.flow_value(position, ends)?),
                Kind::FlowMappingEnd => break,
                _ => (self.flow_node()?, self.empty(position)),
            };
            self.push_pair(id, key, value);
        }
        self.scanner.next()?;
        Ok(())
    }

    fn flow_part(&mut self, position: Position, ends: impl Fn(&Kind<'_>) -> bool) -> Result<NodeId, Problem> {
        if ends(&self.scanner.peek()?.kind) {
            Ok(self.empty(position))
        } else {
            self.flow_node()
        }
    }

    fn flow_value(&mut self, position: Position, ends: impl Fn(&Kind<'_>) -> bool) -> Result<NodeId, Problem> {
        if !matches!(self.scanner.peek()?.kind, Kind::Value) {
            return Ok(self.empty(position));
        }
        self.scanner.next()?;
        // A second `:` is no end of the value.
        self.flow_part(position, |kind| !matches!(kind, Kind::Value) && ends(kind))
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

fn wrong_in_block(found: &Kind<'_>, position: Position, what: &str, start: Position) -> Problem {
    let (found, line) = (found.describe(), start.line + 1);
    position.problem(format!(
        "{found} does not fit into the {what} that starts in line {line}, is the indentation right?"
    ))
}
