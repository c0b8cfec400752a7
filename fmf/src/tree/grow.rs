//! Grows the tree: makes nodes with their own data from files and virtual names, before inheritance.
//!
//! Files are read and parsed in parallel. The nodes are made one after the other, in fmf's order, because several files may
//! define a node and later files win.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::heap::Heap;
use super::origin::marked_line_at;
use super::walk::{self, Directory, MAIN, Walk};
use super::{Directives, MetadataFile, Sprout};
use crate::Error;
use crate::value::{Entry, Map, Value};
use crate::yaml::{self, MAX_DEPTH};

/// All nodes as they were defined, before inheritance.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) sprouts: Vec<Sprout>,
    pub(super) files: Vec<MetadataFile>,
    /// The content of shared mappings that changed.
    pub(super) heap: Heap,
}

/// Makes nodes from the content of files.
#[derive(Debug)]
pub(super) struct Grower<'w> {
    walk: &'w Walk,
    /// The files, for the places in messages.
    files: Vec<MetadataFile>,
    pub(super) sprouts: Vec<Sprout>,
    /// Whether a text was found in place of a node. Such a node stays out of the tree if nothing else defines it.
    pub(super) saw_text: bool,
    heap: Heap,
}

/// Reads all files of a walk and makes their nodes.
pub(super) fn grow(walk: &Walk) -> Result<Growth, Error> {
    let first = walk.settings.len();
    let parsed: Vec<Result<_, Error>> = walk
        .files
        .par_iter()
        .enumerate()
        .map(|(number, relative)| read(&walk.root, relative, number_of(first + number)))
        .collect();
    // If several files have errors, the error of the first file is returned, whichever was read first.
    let parsed = parsed.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (read, mut documents): (Vec<_>, Vec<_>) = parsed.into_iter().unzip();
    let files = walk.settings.iter().cloned().chain(read).collect();
    let mut grower = Grower::new(walk, files);
    grower.directory(0, &walk.top, &mut documents)?;
    Ok(Growth {
        sprouts: grower.sprouts,
        files: grower.files,
        heap: grower.heap,
    })
}

fn read(root: &Path, relative: &Path, number: u32) -> Result<(MetadataFile, Value), Error> {
    let path = root.join(relative);
    let bytes = fs::read(&path).map_err(|source| Error::Read { path, source })?;
    let document = parse(relative, &bytes, number)?;
    Ok((
        MetadataFile {
            path: relative.to_owned(),
            digest: blake3::hash(&bytes),
        },
        document,
    ))
}

/// Parses a file's content. `number` is the number of the file in marks.
pub(super) fn parse(relative: &Path, bytes: &[u8], number: u32) -> Result<Value, Error> {
    let text = walk::decode(relative, bytes)?;
    yaml::load(text, number).map_err(|problem| walk::yaml_error(relative, text, problem))
}

/// Returns the number of a file or node, which has 32 bits.
pub(super) fn number_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<'w> Grower<'w> {
    /// Starts with the root alone.
    pub(super) fn new(walk: &'w Walk, files: Vec<MetadataFile>) -> Self {
        Self {
            walk,
            files,
            sprouts: vec![Sprout::root()],
            saw_text: false,
            heap: Heap::default(),
        }
    }

    /// Adds a directory's files and directories to its node.
    fn directory(&mut self, node: u32, directory: &Directory, documents: &mut [Value]) -> Result<(), Error> {
        for &file in &directory.files {
            // Each file is used once, and data that no node refers to is freed at once.
            let value = std::mem::replace(&mut documents[file], Value::Null);
            self.file(node, file, &value)?;
        }
        for (name, inside) in &directory.directories {
            let child = self.child_node(node, name)?;
            self.directory(child, inside, documents)?;
        }
        let children = std::mem::take(&mut self.sprouts[node as usize].children);
        let kept = children.into_iter().filter(|&child| {
            let child = &self.sprouts[child as usize];
            child.updated || !child.children.is_empty()
        });
        let kept = kept.collect();
        self.sprouts[node as usize].children = kept;
        Ok(())
    }

    /// Adds a file to the node of its directory.
    fn file(&mut self, node: u32, file: usize, value: &Value) -> Result<(), Error> {
        let number = self.walk.number(file);
        let name = self.walk.name(file);
        if name == MAIN {
            self.sprouts[node as usize].sources.push(number);
            return match value {
                Value::Map(_) | Value::Null => self.update(node, value),
                other => Err(self.not_a_mapping(file, other)),
            };
        }
        if !matches!(value, Value::Map(_) | Value::Null | Value::Str(_)) {
            return Err(self.not_a_mapping(file, value));
        }
        let child = self.child(node, stem(&name), value)?;
        self.sprouts[child as usize].sources.push(number);
        Ok(())
    }

    fn not_a_mapping(&self, file: usize, value: &Value) -> Error {
        let relative = &self.walk.files[file];
        let text = fs::read_to_string(self.walk.root.join(relative)).unwrap_or_default();
        let problem = format!("the file must hold a mapping, not `{}`", value.type_name());
        walk::yaml_error(
            relative,
            &text,
            yaml::Problem {
                line: 1,
                column: 1,
                text: problem,
            },
        )
    }

    /// Returns a node's child, which is made if it does not exist.
    pub(super) fn child_node(&mut self, node: u32, name: &str) -> Result<u32, Error> {
        if let Some(&child) = self.sprouts[node as usize].by_name.get(name) {
            return Ok(child);
        }
        let parent = &self.sprouts[node as usize];
        let depth = parent.depth + 1;
        let path = join(&parent.name, name);
        if depth > MAX_DEPTH {
            return Err(self.format_error(node, format!("there are more than {MAX_DEPTH} levels of nodes"), None));
        }
        let child = number_of(self.sprouts.len());
        self.sprouts.push(Sprout {
            name: path,
            parent: Some(node),
            depth,
            ..Sprout::root()
        });
        let parent = &mut self.sprouts[node as usize];
        parent.children.push(child);
        parent.by_name.insert(name.into(), child);
        Ok(child)
    }

    /// Gives data to a node's child.
    fn child(&mut self, node: u32, name: &str, value: &Value) -> Result<u32, Error> {
        let child = self.child_node(node, name)?;
        match value {
            Value::Map(_) | Value::Null => self.update(child, value)?,
            // fmf takes a text as the name of a directory to read, relative to its current directory. A directory that does not
            // exist adds nothing.
            Value::Str(path) if !Path::new(&**path).is_dir() => self.saw_text = true,
            other => {
                let problem = format!("the content must be a mapping, not `{}`", other.type_name());
                return Err(self.format_error(child, problem, None));
            }
        }
        Ok(child)
    }

    /// Gives data to a node: directives, virtual children, and its own keys.
    pub(super) fn update(&mut self, node: u32, value: &Value) -> Result<(), Error> {
        self.sprouts[node as usize].updated = true;
        let Value::Map(map) = value else { return Ok(()) };
        let map = self.heap.current(map);
        if let Some(directives) = map.get("/") {
            self.directives(node, directives)?;
            if map.identity != 0 {
                // fmf removes the directives from the mapping, so the next place that refers to the mapping has none.
                let mut rest = Map::clone(&map);
                rest.remove(&Value::text("/"));
                self.heap.replace(&map, rest);
            }
        }
        for entry in map.entries() {
            match entry.key.as_str() {
                Some("/") => {}
                Some(key) if key.starts_with('/') => self.virtual_child(node, key, &entry.value)?,
                Some(_) => self.sprouts[node as usize]
                    .data
                    .set(entry.key.clone(), entry.value.clone(), entry.mark),
                None => return Err(self.wrong_key(node, entry)),
            }
        }
        Ok(())
    }

    fn wrong_key(&self, node: u32, entry: &Entry) -> Error {
        let problem = format!("the key {} must be text, quote it", entry.key.to_python_repr());
        self.format_error(node, problem, Some(entry))
    }

    /// Gives data to the child that a key such as `/a` or `/a/b/c` names.
    fn virtual_child(&mut self, node: u32, key: &str, value: &Value) -> Result<(), Error> {
        let (mut node, mut key) = (node, key);
        loop {
            let name = key.trim_start_matches('/');
            let Some(slash) = name.find('/').filter(|&slash| slash > 0) else {
                return self.child(node, name, value).map(drop);
            };
            node = self.child_node(node, &name[..slash])?;
            self.sprouts[node as usize].updated = true;
            // fmf's pattern for the rest of the name does not match beyond the end of the line.
            key = name[slash..].split('\n').next().unwrap_or_default();
            if key == "/" {
                return self.directives(node, value);
            }
        }
    }

    fn directives(&mut self, node: u32, value: &Value) -> Result<(), Error> {
        let wrong =
            |what: &str, wanted: &str, value: &Value| format!("{what} must be a {wanted}, not `{}`", value.type_name());
        let Value::Map(map) = value else {
            return Err(self.format_error(node, wrong("the directive `/`", "mapping", value), None));
        };
        let map = self.heap.current(map);
        let mut directives = self.sprouts[node as usize].directives;
        for entry in map.entries() {
            let slot = match entry.key.as_str() {
                Some("inherit") => &mut directives.inherit,
                Some("select") => &mut directives.select,
                _ => {
                    let problem = format!("there is no directive {}", entry.key.to_python_repr());
                    return Err(self.format_error(node, problem, Some(entry)));
                }
            };
            let Value::Bool(flag) = entry.value else {
                let problem = wrong("a directive", "boolean", &entry.value);
                return Err(self.format_error(node, problem, Some(entry)));
            };
            *slot = Some(flag);
        }
        self.sprouts[node as usize].directives = directives;
        Ok(())
    }

    fn format_error(&self, node: u32, problem: String, entry: Option<&Entry>) -> Error {
        let place = entry.and_then(|entry| entry.mark.as_place());
        let marked = place.map(|place| Box::new(marked_line_at(&self.walk.root, &self.files, place)));
        Error::Format {
            node: self.sprouts[node as usize].name.to_string(),
            problem,
            marked,
        }
    }
}

/// Joins names as Python's `os.path.join` does.
fn join(parent: &str, name: &str) -> Arc<str> {
    if parent.ends_with('/') {
        Arc::from(format!("{parent}{name}"))
    } else {
        Arc::from(format!("{parent}/{name}"))
    }
}

/// Returns a file's name without the suffix, as Python's `splitext` does: leading dots belong to the name.
pub(super) fn stem(name: &str) -> &str {
    name.strip_suffix(".fmf")
        .filter(|stem| stem.chars().any(|c| c != '.'))
        .unwrap_or(name)
}

impl Sprout {
    pub(super) fn root() -> Self {
        Self {
            name: Arc::from("/"),
            parent: None,
            depth: 0,
            data: Map::new(),
            children: Vec::new(),
            sources: Vec::new(),
            directives: Directives::default(),
            updated: false,
            by_name: HashMap::new(),
        }
    }
}
