//! Packed trees against those that grow in memory, over the same generated trees: they are one, node by node.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use atex_fmf::context::Context;
use atex_fmf::{Error, Metadata, Packing, Selection, Tree};

use super::generated::{plant_plan, setting};
use super::oracle::plant;
use super::{cases, corpus, trees};
use crate::random::Random;

fn contexts() -> Vec<Context> {
    let dimensions: [&[(&str, &[&str])]; 3] = [
        &[],
        &[("distro", &["fedora-41"]), ("arch", &["x86_64"])],
        &[("distro", &["rhel-9.6"]), ("trigger", &["commit", "manual"])],
    ];
    let make = |dimensions: &&[(&str, &[&str])]| {
        let mut context = Context::new();
        for (dimension, values) in *dimensions {
            context.set(dimension, values);
        }
        context
    };
    dimensions.iter().map(make).collect()
}

/// All that can be asked of a tree, as text.
fn shown(tree: &Tree) -> String {
    let mut text = String::new();
    for node in tree.climb(true) {
        node.write_json_with_origins(&mut text);
        text.push('\n');
        node.write_data(&mut text);
        let has = node
            .data()
            .keys()
            .filter_map(|key| key.as_str())
            .all(|key| node.has_key(key));
        let has_not = !node.has_key("no such key") && node.value("no such key").is_none();
        let rest = format!(
            "\n{} {} {has} {has_not} {:?} {:?}\n",
            node.dir().display(),
            node.is_branch(),
            node.value("text").map(|value| format!("{value:?}")),
            node.sources()
        );
        text.push_str(&rest);
    }
    let leaves: Vec<_> = tree.climb(false).map(|node| node.name().to_owned()).collect();
    let _infallible = write!(text, "{leaves:?} {:?}", tree.metadata_files());
    let selection = Selection {
        keys: vec!["text".to_owned()],
        filters: vec!["tag: alpha | text: a.*".to_owned()],
        ..Selection::default()
    };
    let pruned = tree
        .prune(&selection)
        .map(|nodes| nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>());
    let _infallible = write!(text, " {:?}", pruned.map_err(|error| error.to_string()));
    text
}

/// The tree in memory, adjusted, with whether each node's data had the key `tag` before.
fn grown(root: &Path, context: &Context) -> Result<(Tree, Vec<bool>), Error> {
    let tree = Tree::load(root)?;
    let marks = tree.climb(true).map(|node| node.has_key("tag")).collect();
    Ok((tree.into_adjusted(context)?, marks))
}

fn empty_file(path: &Path) -> File {
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(path);
    file.expect("can be made")
}

/// Packs a tree and reads it back, if it can be packed.
fn packed(root: &Path, context: &Context, path: &Path) -> Option<(Tree, Tree)> {
    let metadata = Metadata::find(root).ok()?;
    let packing = Packing {
        context,
        mark: |data| data.contains_key("tag"),
        read: &|_, place| {
            let bytes = fs::read(place)?;
            let digest = blake3::hash(&bytes);
            Ok((bytes, digest))
        },
        about: [7; 32],
    };
    let tree = metadata.pack(&packing, empty_file(path))?;
    let files = tree.metadata_files().iter().skip(metadata.settings().len());
    let digests: Vec<_> = files.map(|file| file.digest).collect();
    let reopened = || File::open(path).expect("is there");
    let again = metadata
        .unpack(reopened(), &[7; 32], &digests)
        .expect("what was written is read");
    assert!(
        metadata.unpack(reopened(), &[8; 32], &digests).is_none(),
        "made for something else"
    );
    if let Some((first, rest)) = digests.split_first() {
        assert!(
            metadata.unpack(reopened(), &[7; 32], rest).is_none(),
            "made from more files"
        );
        let mut other = digests.clone();
        other[0] = blake3::hash(first.as_bytes());
        assert!(
            metadata.unpack(reopened(), &[7; 32], &other).is_none(),
            "made from other files"
        );
    }
    Some((tree, again))
}

/// How many views of a tree there are, and how many of them can be packed.
struct Views {
    sound: u32,
    packed: u32,
}

/// Compares the tree in memory with the packed one, as it was made and as it was read.
fn compare(what: &str, root: &Path, path: &Path) -> Views {
    let mut views = Views { sound: 0, packed: 0 };
    for context in contexts() {
        let memory = grown(root, &context);
        let packed = packed(root, &context, path);
        let Ok((memory, marks)) = memory else {
            assert!(packed.is_none(), "{what}: a tree that is refused is packed");
            continue;
        };
        views.sound += 1;
        let Some((made, read)) = packed else { continue };
        views.packed += 1;
        let expected = shown(&memory);
        assert_eq!(shown(&made), expected, "{what}, as it was made");
        assert_eq!(shown(&read), expected, "{what}, as it was read");
        let marked: Vec<_> = read.climb(true).map(|node| node.mark() == Some(true)).collect();
        assert_eq!(marked, marks, "{what}");
    }
    views
}

#[test]
fn trees_of_all_laws_are_packed_as_they_are_in_memory() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut packed = 0;
    for (name, files) in cases::laws() {
        let root = directory.path().join(name);
        plant(&root, files);
        packed += compare(name, &root, &directory.path().join("packed")).packed;
    }
    assert!(packed > 100, "only {packed} views were packed");
}

#[test]
fn trees_of_the_corpus_are_packed_as_they_are_in_memory() {
    let Some(corpus) = corpus::corpus() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut roots, mut packed) = (Vec::new(), 0);
    corpus::roots(&corpus, &mut roots);
    for root in roots {
        packed += compare(&root.display().to_string(), &root, &directory.path().join("packed")).packed;
    }
    assert!(packed > 100, "only {packed} views were packed");
}

#[test]
fn a_packed_tree_is_the_tree_in_memory() {
    let (first, count) = (setting("ATEX_FMF_SEED", 1), setting("ATEX_FMF_TREES", 100));
    let (mut sound, mut alike) = (0, 0);
    for seed in first..first + count {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Links may lead two levels up.
        let root = directory.path().join("two/above/tree");
        plant_plan(&root, &trees::tree(&mut Random::new(seed)));
        let views = compare(&format!("seed {seed}"), &root, &directory.path().join("packed"));
        sound += views.sound;
        alike += views.packed;
    }
    println!("{count} trees: {sound} views are sound, {alike} of them are packed");
    assert!(alike * 2 > sound, "most trees can be packed: {alike} of {sound}");
}

#[test]
fn a_packed_tree_that_is_damaged_anywhere_is_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("tree");
    let plan = trees::Plan {
        files: vec![(
            "main.fmf".to_owned(),
            "tag: [a]\n/x:\n  tag+: [b]\n/y:\n  text: t\n".to_owned(),
        )],
        ..trees::Plan::default()
    };
    plant_plan(&root, &plan);
    let path = directory.path().join("packed");
    let (tree, _) = packed(&root, &Context::new(), &path).expect("can be packed");
    let metadata = Metadata::find(&root).expect("a tree");
    let digests: Vec<_> = tree.metadata_files()[1..].iter().map(|file| file.digest).collect();
    let whole = fs::read(&path).expect("is there");
    for at in 0..whole.len() {
        for bytes in [whole[..at].to_vec(), {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            bytes
        }] {
            fs::write(&path, bytes).expect("written");
            let file = File::open(&path).expect("is there");
            assert!(metadata.unpack(file, &[7; 32], &digests).is_none(), "byte {at}");
        }
    }
}
