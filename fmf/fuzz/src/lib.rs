//! What the fuzzers run: one function a target, from the bytes of an input.
//!
//! Input is text where it can be, so that seeds are written by hand: a line `#@`, with a name after it or not, begins the
//! next part. `tests/fmf/seeds.rs` runs every seed through the same functions. Knows the public interface of `atex_fmf`, and
//! nothing of libFuzzer.
//!
//! Laws that each input is held to: no panic, no hang, no stack that overflows, memory within bounds; and what each
//! function says.

use std::fs;
use std::path::{Component, Path};

use atex_fmf::condition::Condition;
use atex_fmf::context::Context;
use atex_fmf::filter::{Filter, Mode};
use atex_fmf::regex::Pattern;
use atex_fmf::{Error, Map, Metadata, Packing, Selection, Tree, Value};

/// How much output of one input is looked at: aliases make a line of YAML into gigabytes of JSON.
const OUTPUT: usize = 1 << 20;

/// How many files of a tree one input makes.
const FILES: usize = 16;

/// A tree of metadata: YAML of `main.fmf`, then of the files that the parts name. It is built, adjusted, selected from and
/// shown, and is the same where it is made in one pass; or there is an error that can be shown.
pub fn fmf_tree(input: &[u8]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_tree(dir.path(), input);
    if let Err(error) = use_tree(dir.path()) {
        let shown = format!(
            "{error} {:?} {:?}",
            error.hint(),
            error.marked_line().map(atex_fmf::MarkedLine::excerpt)
        );
        assert!(
            shown.len() < OUTPUT,
            "the message of an error is of {} bytes",
            shown.len()
        );
    }
}

/// A rule of `adjust`, then lines `dimension=value,value` of a context. It is decided, in the same way twice.
pub fn context_rule(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut parts = parts(&input);
    let rule = Value::text(parts.next().unwrap_or_default());
    let context = context(parts.next().unwrap_or_default());
    let decided = context.matches(&rule);
    assert_eq!(decided, context.matches(&rule));
    if let Err(error) = decided {
        let _ = error.to_string();
    }
}

/// A filter, then lines `key=value,value` of a node's data. It is matched in each mode, in the same way twice.
pub fn filter(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut parts = parts(&input);
    let text = parts.next().unwrap_or_default();
    let data = data(parts.next().unwrap_or_default());
    for regexp in [true, false] {
        for sensitive in [true, false] {
            let filter = Filter::with_mode(text, Mode { regexp, sensitive });
            let matched = filter.matches(&data, "/tests/Basic");
            assert_eq!(matched, filter.matches(&data, "/tests/Basic"));
            if let Err(error) = matched {
                let _ = error.to_string();
            }
        }
    }
}

/// A condition, then lines `key=value,value` of a node's data. It is evaluated, or there is an error that can be shown.
pub fn condition(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut parts = parts(&input);
    let text = parts.next().unwrap_or_default();
    let data = data(parts.next().unwrap_or_default());
    let outcome = Condition::parse(text).and_then(|condition| condition.evaluate(&data, "/tests/basic"));
    if let Err(error) = outcome {
        let _ = error.to_string();
    }
}

/// A pattern of Python's `re`, a text, and a template. What matches at the start is found by a search, too.
pub fn python_regex(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut parts = parts(&input);
    let [pattern, text, template] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let pattern = match Pattern::new(pattern) {
        Ok(pattern) => pattern,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let found = pattern.search(text);
    let started = pattern.match_start(text);
    if let (Ok(found), Ok(started)) = (&found, &started) {
        assert!(*found || !started, "`match` finds what `search` does not");
    }
    if let (Ok(false), Ok(replaced)) = (&found, pattern.sub(template, text)) {
        assert_eq!(replaced, text, "`sub` replaces what `search` does not find");
    }
}

/// Splits an input at its lines `#@…`.
fn parts(input: &str) -> impl Iterator<Item = &str> {
    input.split("\n#@\n")
}

/// Writes the files of a tree. Names that lead out of it are left out, and so are those that cannot be made.
fn write_tree(root: &Path, input: &[u8]) {
    let write = |name: &Path, bytes: &[u8]| {
        let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if inside && let Some(parent) = name.parent() {
            let _ = fs::create_dir_all(root.join(parent)).and_then(|()| fs::write(root.join(name), bytes));
        }
    };
    write(Path::new(".fmf/version"), b"1\n");
    let mut name = "main.fmf".to_owned();
    let mut content = Vec::new();
    let mut files = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if let Some(next) = line.strip_prefix(b"#@ ") {
            write(Path::new(&name), &content);
            name = String::from_utf8_lossy(next.trim_ascii()).into_owned();
            content.clear();
            files += 1;
            if files == FILES {
                return;
            }
        } else {
            content.extend_from_slice(line);
        }
    }
    write(Path::new(&name), &content);
}

fn use_tree(root: &Path) -> Result<(), Error> {
    let packed = pack(root);
    let adjusted = Tree::load(root).and_then(|tree| {
        show(&tree);
        tree.into_adjusted(&context(""))
    });
    assert!(adjusted.is_ok() || packed.is_none(), "a tree that is refused is packed");
    let tree = adjusted?;
    show(&tree);
    if let Some(packed) = &packed {
        compare(&tree, packed);
    }
    let selection = Selection {
        whole: true,
        names: vec!["^/t".to_owned(), "/".to_owned()],
        keys: vec!["test".to_owned()],
        filters: vec!["tag: a|tag: -b & tier: 1".to_owned()],
        conditions: vec!["tag == 'a' or int(tier) > 1 or duration".to_owned()],
    };
    let selected = tree.prune(&selection)?;
    assert!(selected.len() <= tree.climb(true).count());
    Ok(())
}

/// The adjusted tree as it is made in one pass, if it can be made so.
fn pack(root: &Path) -> Option<Tree> {
    let metadata = Metadata::find(root).ok()?;
    let read = |_: &Path, place: &Path| {
        let bytes = fs::read(place)?;
        let digest = blake3::hash(&bytes);
        Ok((bytes, digest))
    };
    let packing = Packing {
        context: &context(""),
        mark: |_| false,
        read: &read,
        about: [0; 32],
    };
    metadata.pack(&packing, tempfile::tempfile().expect("a temporary file"))
}

/// Compares trees that must be one, as far as they are not too large.
fn compare(tree: &Tree, packed: &Tree) {
    assert_eq!(tree.climb(true).count(), packed.climb(true).count());
    let mut left = OUTPUT;
    let (mut one, mut other) = (String::new(), String::new());
    for (node, packed) in tree.climb(true).zip(packed.climb(true)) {
        assert_eq!(node.name(), packed.name());
        if !fits(node.data().iter(), &mut left) {
            return;
        }
        one.clear();
        other.clear();
        node.write_json(&mut one);
        packed.write_json(&mut other);
        assert_eq!(one, other);
    }
}

fn show(tree: &Tree) {
    let (mut out, mut left) = (String::new(), OUTPUT);
    for node in tree.climb(true) {
        let _ = node.dir();
        for key in node.data().keys().take(100).filter_map(Value::as_str) {
            let _ = node.origins(key);
        }
        if !fits(node.data().iter(), &mut left) {
            return;
        }
        out.clear();
        node.write_json(&mut out);
    }
}

/// Takes what a mapping needs, about, from what is left, as far as there is enough.
fn fits<'v>(map: impl Iterator<Item = (&'v Value, &'v Value)>, left: &mut usize) -> bool {
    let mut map = map;
    map.all(|(key, value)| value_fits(key, left) && value_fits(value, left))
}

fn value_fits(value: &Value, left: &mut usize) -> bool {
    let own = match value {
        Value::Str(text) | Value::Date(text) | Value::BigInt(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    };
    let Some(rest) = left.checked_sub(own + 1) else {
        return false;
    };
    *left = rest;
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().all(|item| value_fits(item, left)),
        Value::Map(map) => fits(map.iter(), left),
        _ => true,
    }
}

fn assignments(lines: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let pairs = lines.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, values)| (key, values.split(',').filter(|value| !value.is_empty()).collect()))
}

/// A context of dimensions that differ in their kind, and of those that the lines give.
fn context(lines: &str) -> Context {
    let mut context = Context::new();
    context.set("distro", &["centos-8.4"]);
    context.set("arch", &["x86_64"]);
    context.set("component", &["bash", "dash-0.5"]);
    context.set("none", &[] as &[&str]);
    for (dimension, values) in assignments(lines) {
        context.set(dimension, &values);
    }
    context
}

/// Data with a value of each kind, and those that the lines give.
fn data(lines: &str) -> Map {
    let mut inner = Map::new();
    inner.insert("key", Value::text("value"));
    let items = vec![Value::text("a"), Value::Int(1), Value::Null];
    let mut data = Map::new();
    data.insert("null", Value::Null);
    data.insert("flag", Value::Bool(true));
    data.insert("tier", Value::Int(-1));
    data.insert("big", Value::BigInt("123456789012345678901234567890".into()));
    data.insert("float", Value::Float(1.5));
    data.insert("nan", Value::Float(f64::NAN));
    data.insert("text", Value::text("Text of a test: žluť"));
    data.insert("date", Value::Date("2024-01-01".into()));
    data.insert("bytes", Value::Bytes((*b"\x00\xffx").into()));
    data.insert("tag", Value::from(items.clone()));
    data.insert("map", Value::from(inner));
    data.insert("tuple", Value::Tuple(items.clone().into()));
    data.insert("set", Value::Set(items.into()));
    for (key, values) in assignments(lines) {
        data.insert(
            key,
            Value::from(values.into_iter().map(Value::from).collect::<Vec<_>>()),
        );
    }
    data
}
