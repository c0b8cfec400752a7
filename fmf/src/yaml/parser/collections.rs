//! Parses the content of collections, in blocks and in flow.

use super::{Content, NodeId, Parser, new_mapping};
use crate::yaml::resolve::Tag;
use crate::yaml::scanner::{Kind, Token};
use crate::yaml::{Position, Problem};

impl Parser<'_> {
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

    pub(super) fn block_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
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

    pub(super) fn indentless_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
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

    pub(super) fn block_mapping(&mut self, id: NodeId) -> Result<(), Problem> {
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

    pub(super) fn flow_sequence(&mut self, id: NodeId) -> Result<(), Problem> {
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

    pub(super) fn flow_mapping(&mut self, id: NodeId) -> Result<(), Problem> {
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
        // A second `:` does not end the value.
        self.flow_part(position, |kind| !matches!(kind, Kind::Value) && ends(kind))
    }
}

fn wrong_in_block(found: &Kind<'_>, position: Position, what: &str, start: Position) -> Problem {
    let (found, line) = (found.describe(), start.line + 1);
    position.problem(format!(
        "{found} does not fit into the {what} that starts in line {line}, is the indentation right?"
    ))
}
