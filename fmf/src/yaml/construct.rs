//! The constructor, which makes values of tagged nodes.
//!
//! Merge keys are resolved first, as ruamel does it: the entries that they bring come before the mapping's own entries, which
//! replace them in place, and a mapping with merge keys may repeat its own keys. Mappings that several places share get an
//! identity. A document that contains itself is refused, because there is no value for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::parser::{Content, Node, NodeId, Nodes};
use super::resolve::Tag;
use super::{MAX_DEPTH, MAX_VALUES, Problem, TEXT_AS_ONE, scalar};
use crate::value::{Map, Mark, Value};

struct Constructor<'a> {
    nodes: Vec<Node<'a>>,
    version_1_1: bool,
    file: u32,
    /// The values of nodes to which aliases refer, and of the nodes inside them.
    made: HashMap<NodeId, Made>,
    /// How many nodes to which aliases refer are around the node that is being made.
    shared: usize,
    /// How many nested merge keys are being resolved.
    merging: usize,
    /// How many values the document stands for so far, with aliases written out.
    weight: u64,
    /// Keys that repeat in a document, so that each has one allocation.
    texts: HashSet<Arc<str>>,
}

/// The state of a node that aliases refer to.
enum Made {
    /// The node is being made.
    Open,
    Done {
        value: Value,
        weight: u64,
    },
}

/// Makes the value of a document.
pub(super) fn construct(nodes: Nodes<'_>, file: u32) -> Result<Value, Problem> {
    let Some(root) = nodes.root else {
        return Ok(Value::Null);
    };
    let mut constructor = Constructor {
        nodes: nodes.table,
        version_1_1: nodes.version_1_1,
        file,
        made: HashMap::new(),
        shared: 0,
        merging: 0,
        weight: 0,
        texts: HashSet::new(),
    };
    constructor.value(root)
}

impl Constructor<'_> {
    /// Makes a node's value, once for all aliases.
    fn value(&mut self, id: NodeId) -> Result<Value, Problem> {
        // Everything inside shared nodes may be reached twice, through merge keys.
        let remembered = self.nodes[id].aliased || self.shared > 0;
        if !remembered {
            return self.new_value(id);
        }
        match self.made.get(&id) {
            Some(Made::Done { value, weight }) => {
                let (value, weight) = (value.clone(), *weight);
                self.weigh(id, weight)?;
                return Ok(value);
            }
            Some(Made::Open) => return Err(self.problem(id, "this value contains itself")),
            None => {}
        }
        self.made.insert(id, Made::Open);
        let before = self.weight;
        self.shared += 1;
        let value = self.new_value(id)?;
        self.shared -= 1;
        self.made.insert(
            id,
            Made::Done {
                value: value.clone(),
                weight: self.weight - before,
            },
        );
        Ok(value)
    }

    fn new_value(&mut self, id: NodeId) -> Result<Value, Problem> {
        let long = match &self.nodes[id].content {
            Content::Scalar(text) => text.len() / TEXT_AS_ONE,
            _ => 0,
        };
        self.weigh(id, 1 + long as u64)?;
        match self.nodes[id].tag {
            Tag::Text => self.text(id),
            Tag::Null => self.scalar(id, |_, _| Ok(Value::Null)),
            Tag::Bool => self.scalar(id, |text, _| scalar::boolean(text)),
            Tag::Int => self.scalar(id, scalar::integer),
            Tag::Float => self.scalar(id, scalar::float),
            Tag::Binary => self.scalar(id, |text, _| scalar::binary(text)),
            Tag::Timestamp => match &self.nodes[id].content {
                Content::Scalar(text) => scalar::timestamp(text).map_err(|problem| self.problem(id, problem)),
                _ => Err(self.problem(id, "a timestamp must be a scalar")),
            },
            Tag::Sequence => {
                let items = self.items(id, "a list")?;
                let items: Result<Vec<_>, _> = items.into_iter().map(|item| self.value(item)).collect();
                Ok(Value::List(Arc::new(items?)))
            }
            Tag::Mapping => self.mapping(id).map(|map| Value::Map(Arc::new(map))),
            Tag::Set => self.set(id),
            Tag::Omap => self.ordered(id),
            Tag::Pairs => self.pairs(id),
            Tag::Merge => Err(self.problem(id, "`<<` can only be a key")),
            Tag::Default => Err(self.problem(id, "`=` alone has a meaning that fmf does not know, quote it")),
            Tag::Unknown(ref name) => {
                let problem = format!("unknown tag `{name}`");
                Err(self.problem(id, problem))
            }
        }
    }

    fn problem(&self, id: NodeId, text: impl Into<String>) -> Problem {
        self.nodes[id].position.problem(text)
    }

    /// Counts values, to refuse documents that aliases make exponentially large.
    fn weigh(&mut self, id: NodeId, weight: u64) -> Result<(), Problem> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_VALUES {
            return Err(self.problem(
                id,
                format!("the file stands for more than {MAX_VALUES} values, or texts as large"),
            ));
        }
        Ok(())
    }

    /// Returns the text of a scalar, or of the scalar under a mapping's `=` key.
    fn scalar_text(&self, id: NodeId) -> Result<&str, Problem> {
        let mut id = id;
        for _ in 0..=self.nodes.len() {
            match &self.nodes[id].content {
                Content::Scalar(text) => return Ok(text),
                Content::Sequence(_) => break,
                Content::Mapping { pairs, .. } => {
                    let default = pairs.iter().find(|(key, _)| self.nodes[*key].tag == Tag::Default);
                    match default {
                        Some(&(_, value)) => id = value,
                        None => break,
                    }
                }
            }
        }
        Err(self.problem(id, "the tag needs a scalar"))
    }

    fn scalar(&self, id: NodeId, make: impl Fn(&str, bool) -> Result<Value, String>) -> Result<Value, Problem> {
        make(self.scalar_text(id)?, self.version_1_1).map_err(|problem| self.problem(id, problem))
    }

    fn text(&mut self, id: NodeId) -> Result<Value, Problem> {
        let text = self.scalar_text(id)?;
        Ok(Value::text(text))
    }

    /// Makes a key. Lists become tuples, and values that Python cannot hash are refused.
    fn key(&mut self, mapping: NodeId, id: NodeId) -> Result<Value, Problem> {
        let key = match &self.nodes[id] {
            // The same keys occur in many mappings.
            Node {
                tag: Tag::Text,
                content: Content::Scalar(text),
                aliased: false,
                ..
            } => {
                let known = self.texts.get(&**text).cloned();
                let shared = known.unwrap_or_else(|| {
                    let shared: Arc<str> = Arc::from(&**text);
                    self.texts.insert(Arc::clone(&shared));
                    shared
                });
                self.weigh(id, 1)?;
                return Ok(Value::Str(shared));
            }
            _ => match self.value(id)? {
                Value::List(items) => Value::Tuple(items),
                key => key,
            },
        };
        if key.is_hashable() {
            Ok(key)
        } else {
            let line = self.nodes[mapping].position.line + 1;
            Err(self.problem(
                id,
                format!(
                    "`{}` cannot be a key of the mapping that starts in line {line}",
                    key.type_name()
                ),
            ))
        }
    }

    fn mapping(&mut self, id: NodeId) -> Result<Map, Problem> {
        self.resolve_merges(id)?;
        let Content::Mapping { pairs, merged } = &self.nodes[id].content else {
            return Err(self.problem(id, "the tag needs a mapping"));
        };
        let (pairs, merged) = (pairs.clone(), merged.clone());
        let mut map = Map::with_capacity(pairs.len() + merged.len());
        for &(key, value) in &merged {
            self.entry(&mut map, id, key, value)?;
        }
        for &(key, value) in &pairs {
            let before = map.len();
            self.entry(&mut map, id, key, value)?;
            if merged.is_empty() && map.len() == before {
                let text = self.scalar_text(key).unwrap_or_default().to_owned();
                return Err(self.problem(key, format!("the key `{text}` is given twice in one mapping")));
            }
        }
        if self.shared > 0 {
            map.identity = new_identity();
        }
        Ok(map)
    }

    fn entry(&mut self, map: &mut Map, id: NodeId, key: NodeId, value: NodeId) -> Result<(), Problem> {
        let line = self.nodes[key].position.line + 1;
        let key = self.key(id, key)?;
        let value = self.value(value)?;
        map.set(key, value, Mark::place(self.file, line));
        Ok(())
    }

    /// Removes `<<` from a mapping and puts the entries that it brings into `merged`.
    fn resolve_merges(&mut self, id: NodeId) -> Result<(), Problem> {
        let Content::Mapping { pairs, .. } = &mut self.nodes[id].content else {
            return Ok(());
        };
        let all = std::mem::take(pairs);
        let mut own = Vec::with_capacity(all.len());
        let mut brought = Vec::new();
        let mut todo = Vec::new();
        for (key, value) in all {
            match self.nodes[key].tag {
                Tag::Merge => todo.push((key, value)),
                Tag::Default => {
                    self.nodes[key].tag = Tag::Text;
                    own.push((key, value));
                }
                _ => own.push((key, value)),
            }
        }
        // The pairs are put back first, because a mapping may merge itself.
        if let Content::Mapping { pairs, .. } = &mut self.nodes[id].content {
            *pairs = own;
        }
        self.merging += 1;
        if self.merging > MAX_DEPTH {
            return Err(self.problem(
                id,
                format!("merge keys depend on each other through more than {MAX_DEPTH} steps"),
            ));
        }
        for (key, value) in todo {
            if !brought.is_empty() {
                return Err(self.problem(key, "the merge key `<<` is given twice in one mapping, give it a list"));
            }
            brought = self.brought_by(value)?;
        }
        self.merging -= 1;
        if !brought.is_empty()
            && let Content::Mapping { merged, .. } = &mut self.nodes[id].content
        {
            *merged = brought;
        }
        Ok(())
    }

    /// Returns the entries that a merge key's value brings. In a list of mappings, the first one wins.
    fn brought_by(&mut self, value: NodeId) -> Result<Vec<(NodeId, NodeId)>, Problem> {
        match &self.nodes[value].content {
            Content::Mapping { .. } => self.flattened(value),
            Content::Sequence(items) => {
                let aliased = self.nodes[value].aliased;
                let mut brought = Vec::new();
                for item in items.clone() {
                    self.nodes[item].aliased |= aliased;
                    if !matches!(self.nodes[item].content, Content::Mapping { .. }) {
                        return Err(self.problem(item, "`<<` takes a mapping or a list of mappings"));
                    }
                    brought.push(self.flattened(item)?);
                }
                Ok(brought.into_iter().rev().flatten().collect())
            }
            Content::Scalar(_) => Err(self.problem(value, "`<<` takes a mapping or a list of mappings")),
        }
    }

    fn flattened(&mut self, id: NodeId) -> Result<Vec<(NodeId, NodeId)>, Problem> {
        self.resolve_merges(id)?;
        let entries: Vec<_> = match &self.nodes[id].content {
            Content::Mapping { pairs, merged } => merged.iter().chain(pairs).copied().collect(),
            _ => Vec::new(),
        };
        self.weigh(id, entries.len() as u64)?;
        if self.nodes[id].aliased {
            // The mapping and all mappings that merge it share these nodes.
            for &(key, value) in &entries {
                self.nodes[key].aliased = true;
                self.nodes[value].aliased = true;
            }
        }
        Ok(entries)
    }

    fn items(&self, id: NodeId, what: &str) -> Result<Vec<NodeId>, Problem> {
        match &self.nodes[id].content {
            Content::Sequence(items) => Ok(items.clone()),
            _ => Err(self.problem(id, format!("the tag needs {what}"))),
        }
    }

    fn set(&mut self, id: NodeId) -> Result<Value, Problem> {
        let map = self.mapping(id)?;
        Ok(Value::Set(Arc::new(map.keys().cloned().collect())))
    }

    fn ordered(&mut self, id: NodeId) -> Result<Value, Problem> {
        let mut map = Map::new();
        for (key, value) in self.single_entries(id)? {
            let before = map.len();
            let line = self.nodes[key].position.line + 1;
            let key_value = self.value(key)?;
            if !key_value.is_hashable() {
                return Err(self.problem(key, format!("`{}` cannot be a key", key_value.type_name())));
            }
            let value = self.value(value)?;
            map.set(key_value, value, Mark::place(self.file, line));
            if map.len() == before {
                return Err(self.problem(key, "the key is given twice"));
            }
        }
        if self.shared > 0 {
            map.identity = new_identity();
        }
        Ok(Value::Map(Arc::new(map)))
    }

    fn pairs(&mut self, id: NodeId) -> Result<Value, Problem> {
        let mut pairs = Vec::new();
        for (key, value) in self.single_entries(id)? {
            pairs.push(Value::Tuple(Arc::new(vec![self.value(key)?, self.value(value)?])));
        }
        Ok(Value::List(Arc::new(pairs)))
    }

    /// Returns the entries of a list of mappings with one entry each.
    fn single_entries(&mut self, id: NodeId) -> Result<Vec<(NodeId, NodeId)>, Problem> {
        let mut entries = Vec::new();
        for item in self.items(id, "a list")? {
            match &self.nodes[item].content {
                Content::Mapping { pairs, .. } if pairs.len() == 1 => entries.push(pairs[0]),
                _ => return Err(self.problem(item, "the tag needs a list of mappings with one entry each")),
            }
        }
        Ok(entries)
    }
}

/// Returns a new identity, which is never zero, and is unique within the process for as long as it matters.
fn new_identity() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).max(1)
}
