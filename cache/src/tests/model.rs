//! Tests of the store against a model of it, which is a few maps. They make random operations and damage random files in between;
//! after each one, the store must answer as the model does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use atex_graph::{ActionKey, BlobDigest};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Env, entries, files_below, key, put_all, record};
use crate::bucket::Bucket;
use crate::{GcPolicy, Lookup, Record, Store};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const CONTENTS: [&[u8]; 4] = [b"1", b"two", b"three three three", &[0; 9000]];

#[derive(Clone, Debug)]
enum Operation {
    Put {
        content: usize,
    },
    Commit {
        key: usize,
        contents: Vec<usize>,
        long: bool,
        started: u64,
    },
    Begin {
        key: usize,
    },
    Remove {
        key: usize,
    },
    Claim {
        key: usize,
    },
    Read {
        content: usize,
    },
    Damage {
        file: Index,
        how: Damage,
    },
    Collect {
        all: bool,
    },
    Verify,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(Index),
    Cut(Index),
    Remove,
    Extend,
}

fn operation() -> impl Strategy<Value = Operation> {
    let (keys, contents) = (0..KEYS.len(), 0..CONTENTS.len());
    let damage = prop_oneof![
        any::<Index>().prop_map(Damage::Flip),
        any::<Index>().prop_map(Damage::Cut),
        Just(Damage::Remove),
        Just(Damage::Extend),
    ];
    prop_oneof![
        1 => contents.clone().prop_map(|content| Operation::Put { content }),
        4 => (keys.clone(), prop::collection::vec(contents.clone(), 0..4), any::<bool>(), 0..3_u64)
            .prop_map(|(key, contents, long, started)| Operation::Commit { key, contents, long, started }),
        1 => keys.clone().prop_map(|key| Operation::Begin { key }),
        1 => keys.clone().prop_map(|key| Operation::Remove { key }),
        2 => keys.prop_map(|key| Operation::Claim { key }),
        2 => contents.prop_map(|content| Operation::Read { content }),
        3 => (any::<Index>(), damage).prop_map(|(file, how)| Operation::Damage { file, how }),
        1 => any::<bool>().prop_map(|all| Operation::Collect { all }),
        1 => Just(Operation::Verify),
    ]
}

/// A record and its file.
#[derive(Clone, Debug)]
struct Committed {
    record: Record,
    /// The bytes of the file as it was committed.
    bytes: Vec<u8>,
    /// Whether the file still has these bytes.
    intact: bool,
}

/// The state of a blob's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blob {
    Good,
    /// Other content of the same size, which only reading reveals.
    Changed,
    /// Content of another size.
    Resized,
}

#[derive(Default)]
struct Model {
    /// The committed records.
    records: BTreeMap<ActionKey, Committed>,
    /// The existing blobs.
    blobs: BTreeMap<BlobDigest, Blob>,
    /// The correct size of every blob that ever existed.
    sizes: BTreeMap<BlobDigest, usize>,
}

/// Returns the transcript of a record as a blob, if it is long enough for one.
fn transcript_blob(record: &Record) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(&record.inputs).expect("JSON")).filter(|json| json.len() > 8192)
}

/// Returns the digest of the blob with a record's transcript.
fn transcript_digest(record: &Record) -> Option<BlobDigest> {
    transcript_blob(record).map(|json| BlobDigest::of(&json))
}

impl Model {
    fn put(&mut self, content: &[u8]) {
        let digest = BlobDigest::of(content);
        self.blobs.insert(digest, Blob::Good);
        self.sizes.insert(digest, content.len());
    }

    fn commit(&mut self, record: Record, contents: &[&[u8]], bytes: Vec<u8>) {
        for content in contents {
            self.put(content);
        }
        if let Some(json) = transcript_blob(&record) {
            self.put(&json);
        }
        self.records.insert(
            record.key,
            Committed {
                record,
                bytes,
                intact: true,
            },
        );
    }

    /// Reads a blob, and removes it if it does not pass.
    fn read(&mut self, digest: BlobDigest) -> bool {
        let good = self.blobs.get(&digest) == Some(&Blob::Good);
        if !good {
            self.blobs.remove(&digest);
        }
        good
    }

    fn has(&self, digest: BlobDigest) -> bool {
        matches!(self.blobs.get(&digest), Some(Blob::Good | Blob::Changed))
    }

    fn has_outputs(&self, record: &Record) -> bool {
        record.files.iter().all(|file| self.has(file.digest))
    }

    fn peek(&mut self, key: ActionKey) -> Option<Record> {
        let Committed { record, intact, .. } = self.records.get(&key).cloned()?;
        let readable = intact && transcript_digest(&record).is_none_or(|digest| self.read(digest));
        (readable && self.has_outputs(&record)).then_some(record)
    }

    fn collect(&mut self, all: bool) {
        let kept = |model: &Self, record: &Record| {
            !all && model.has_outputs(record) && transcript_digest(record).is_none_or(|digest| model.has(digest))
        };
        let records = std::mem::take(&mut self.records);
        let records = records
            .into_iter()
            .filter(|(_, it)| it.intact && kept(self, &it.record))
            .collect();
        self.records = records;
        let needed: Vec<BlobDigest> = self
            .records
            .values()
            .flat_map(|Committed { record, .. }| {
                record
                    .files
                    .iter()
                    .map(|file| file.digest)
                    .chain(transcript_digest(record))
            })
            .collect();
        self.blobs.retain(|digest, _| needed.contains(digest));
    }

    fn verify(&mut self) {
        self.blobs.retain(|_, blob| *blob == Blob::Good);
        for key in self.records.keys().copied().collect::<Vec<_>>() {
            if self.peek(key).is_none() {
                self.records.remove(&key);
            }
        }
    }

    /// Records that the file at `path` now has these bytes, or is gone.
    fn damage(&mut self, path: &Path, bytes: Option<&[u8]>) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if let Some(key) = name.strip_suffix(".json") {
            let committed = self
                .records
                .get_mut(&key.parse().expect("a key"))
                .expect("a record the model knows");
            committed.intact = bytes == Some(&committed.bytes);
            return;
        }
        let digest: BlobDigest = name.parse().expect("a digest");
        match bytes {
            None => self.blobs.remove(&digest),
            Some(bytes) if BlobDigest::of(bytes) == digest => self.blobs.insert(digest, Blob::Good),
            Some(bytes) if bytes.len() == self.sizes[&digest] => self.blobs.insert(digest, Blob::Changed),
            Some(_) => self.blobs.insert(digest, Blob::Resized),
        };
    }
}

/// Damages a file, and returns its new content.
fn damage(path: &Path, how: Damage) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).expect("a file");
    match how {
        Damage::Remove => {
            fs::remove_file(path).expect("a removal");
            return None;
        }
        Damage::Flip(_) | Damage::Cut(_) if bytes.is_empty() => {}
        Damage::Flip(at) => {
            let at = at.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(1);
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Extend => bytes.push(b'!'),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::write(path, &bytes).expect("a write");
    Some(bytes)
}

fn apply(env: &mut Option<Env>, model: &mut Model, operation: Operation) {
    let Env { dir, store } = env.take().expect("an environment");
    let mut store = store;
    match operation {
        Operation::Put { content } => {
            store.blobs().put_bytes(CONTENTS[content]).expect("put");
            model.put(CONTENTS[content]);
        }
        Operation::Commit {
            key: at,
            contents,
            long,
            started,
        } => {
            let contents: Vec<&[u8]> = contents.into_iter().map(|content| CONTENTS[content]).collect();
            let mut record = record(key(KEYS[at]), KEYS[at], put_all(&store, &contents));
            record.inputs = entries(if long { 200 + at } else { 1 });
            record.started = started;
            store
                .claim_to_run(record.key)
                .and_then(|ticket| ticket.commit(record.clone()))
                .expect("a commit");
            let bytes = fs::read(store.layout().record(record.key)).expect("the record's file");
            model.commit(record, &contents, bytes);
        }
        Operation::Begin { key: at } => {
            drop(store.claim_to_run(key(KEYS[at])).expect("a ticket"));
            model.records.remove(&key(KEYS[at]));
        }
        Operation::Remove { key: at } => {
            let known = model.records.remove(&key(KEYS[at])).is_some();
            let removed = store.remove(key(KEYS[at])).expect("a removal");
            assert!(!removed || known);
        }
        Operation::Claim { key: at } => match store.claim(key(KEYS[at])).expect("a lookup") {
            Lookup::Hit(record) => assert_eq!(Some(*record), model.peek(key(KEYS[at]))),
            Lookup::Miss(_) => assert_eq!(None, model.peek(key(KEYS[at]))),
            Lookup::Busy(holder) => panic!("held by {holder}"),
        },
        Operation::Read { content } => {
            let good = model.read(BlobDigest::of(CONTENTS[content]));
            let read = store.blobs().read(BlobDigest::of(CONTENTS[content])).expect("a read");
            assert_eq!(read.as_deref(), good.then_some(CONTENTS[content]));
        }
        Operation::Damage { file, how } => {
            let mut files = Vec::new();
            for bucket in [Bucket::Records, Bucket::Blobs].map(|bucket| store.layout().bucket(bucket)) {
                files.extend(bucket.exists().then(|| files_below(&bucket)).into_iter().flatten());
            }
            if !files.is_empty() {
                let path = file.get(&files);
                model.damage(path, damage(path, how).as_deref());
            }
        }
        Operation::Collect { all } => {
            let policy = GcPolicy {
                max_size: all.then_some(0),
                ..GcPolicy::default()
            };
            store.gc(&policy, SystemTime::now()).expect("a collection");
            model.collect(all);
            store = Store::open(&dir.path().join("cache")).expect("the store");
        }
        Operation::Verify => {
            store.verify().expect("a check");
            model.verify();
            assert_eq!(store.verify().expect("a second check").bad, [], "what was bad is gone");
        }
    }
    *env = Some(Env { dir, store });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn store_says_what_the_model_says(operations in prop::collection::vec(operation(), 1..40)) {
        let mut env = Some(Env::new());
        let mut model = Model::default();
        for operation in operations {
            apply(&mut env, &mut model, operation);
            let store = &env.as_ref().expect("an environment").store;
            for name in KEYS {
                prop_assert_eq!(store.peek(key(name)).expect("a lookup"), model.peek(key(name)), "record {}", name);
            }
        }
    }
}
