//! The cache: stores records of what nodes did, by action key, and the content that they produced, by digest.
//!
//! This crate owns the cache directory and everything in it. It must not know fmf, plans, machines or the network, and it does
//! not decide what has to run: it returns what is recorded and stores what is new. Any number of processes of one user share a
//! store. Other crates may also use the modules that keep it away from what is not its own: [`ownership`] and [`mounts`].
//!
//! ```text
//! <dir>/                       mode 0700
//! ├── CACHEDIR.TAG             backup tools skip the directory
//! ├── format                   version of this layout; a newer one makes the store read-only, with a reason
//! ├── lock                     shared flock(2) of every user of the store, exclusive one of `gc`
//! ├── records-v1/
//! │   └── 3f/3f9a….json        a record: checksum and JSON document, named by its action key
//! ├── blobs-v1/
//! │   └── c0/c0ff…             content, named by its BLAKE3 digest; read-only, may share its inode with a run's directory
//! ├── claims-v1/
//! │   └── 3f9a…                exclusive flock(2) of the process that runs the node; the text says who that is
//! ├── facts-v1/
//! │   └── 77d0….json           a small document that cannot be made again, named by the digest of its name
//! ├── index-v2/
//! │   └── 5d41…                summaries of many records as of their last reading, named by the digest of the name of the request
//! ├── digests-v4/
//! │   └── 3f9a…/c0ff…          the digests of the files of a tree, by the digest of the path of its root
//! ├── packed-v1/
//! │   └── 3f9a…/c0ff…          a metadata tree, by its root and the digest of all that it depends on
//! ├── null-builds-v1/
//! │   └── 3f9a…/c0ff…          names and keys of the tests of an unchanged tree, likewise
//! └── fetched-v1/              trees from git repositories, see [`fetched`]
//! ```
//!
//! `bucket.rs` is the list of these. Each bucket has the version of its format in its name, and a bucket of another version is
//! left alone. The lock of the store protects records, blobs, claims and the index; [`Derived`] files can be made again, and are
//! read and written without the lock.
//!
//! Invariants:
//!
//! 1. A file appears under its final name only when it is complete: it is written under a unique temporary name in the same
//!    bucket (`.….tmp`) and then renamed, or hard-linked from a complete file. A killed process leaves only temporary files,
//!    which nobody reads and `gc` removes.
//! 2. A record is synced before its rename, and committed after the blobs that it names are synced; it is removed before its node
//!    runs again. So a crash at any point leaves the old record (before the node began), no record (while it runs), or the new
//!    one.
//! 3. Everything is verified when it is read: records by their checksum, their type and their name, blobs by their digest. A file
//!    that does not pass is a miss and is [reported](Store::take_reports); it is never an answer and never a panic. An index
//!    replaces the reading of records only if `stat` says that their files are unchanged.
//! 4. Only the holder of a [`Ticket`] writes a record, and a claim dies with its process.
//! 5. Apart from a claim (of one node) and the lock of `gc`, no exclusive lock is held longer than a rename takes.

#![warn(missing_docs)]

mod blobs;
mod bucket;
mod derived;
mod error;
mod facts;
pub mod fetched;
mod format;
pub mod mounts;
pub mod ownership;
mod records;
mod report;
mod store;
mod upkeep;

#[cfg(test)]
mod tests;

pub use blobs::batch::{Batch, Stored};
pub use blobs::{Blobs, Exported, Exporter};
pub use derived::Derived;
pub use error::{CacheError, Candidate};
pub use format::binary;
pub use records::claim::{ClaimHolder, ClaimPatience};
pub use records::lookup::{Lookup, Ticket};
pub use records::record::{OutputFile, Record, RecordOutcome, RecordOutput, RecordSummary};
pub use report::{BadFile, FileProblem};
pub use store::Store;
pub use upkeep::du::{BucketUsage, Usage};
pub use upkeep::gc::{GcPolicy, GcReport};
pub use upkeep::verify::VerifyReport;
