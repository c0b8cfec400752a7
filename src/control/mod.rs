//! The control protocol: what a test says to the runner on its control stream, the results in it, the deadline that
//! it moves, and the files that are stored.
//!
//! This module works on bytes, on times that the caller passes in, and on one directory. It must not know machines,
//! metadata, graphs or who runs the test: the executor reads a stream, feeds it to [`Protocol`], and does what
//! [`Protocol::take`] returns.
//!
//! ```text
//! bytes ──> Protocol ──> ControlMessage (to the executor)
//!              │ ├─> merge (open partial results)
//!              └─┴─> ResultStore ──> results.jsonl, files/…
//! ```
//!
//! A test is not trusted: nothing that it sends makes this module panic, hold more than [`Limits`] allows, or write
//! outside the test's own directory. A breach of the protocol is a [`Violation`]; results that were final before it
//! stay stored.

mod deadline;
mod duration;
mod ending;
mod json;
mod judgement;
mod limits;
mod line;
mod mask;
mod protocol;
mod result;
mod store;
mod violation;

pub use deadline::{Deadline, DurationChange};
pub use duration::{DurationError, parse_duration};
pub use judgement::{Judged, Judgement};
pub use limits::Limits;
pub use mask::{Mask, MaskedStream};
pub use protocol::{ControlMessage, Protocol};
pub use result::summary::{Finish, InfraKind, Status, TestSummary, Verdict};
pub(crate) use store::files_dir;
pub use store::output::TestOutput;
pub(crate) use store::path::{LONGEST_COMPONENT, cut_component};
pub use store::{FILES, OUTPUT, RESULTS, ResultStore, StoreError};
pub use violation::{ControlError, Violation};
