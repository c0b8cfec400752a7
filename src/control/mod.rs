//! What a test may say to the runner: the control stream, the results it carries, the deadline it moves, and the files
//! that lie on disk afterwards.
//!
//! Knows bytes, clocks given to it, and one directory. It must not know machines, metadata, graphs or who runs the test:
//! the executor reads a stream, feeds it here, and does what [`Protocol::take`] tells it.
//!
//! ```text
//! bytes ──> Protocol ──> ControlMessage (to the executor)
//!              │ ├─> merge (open partial results)
//!              └─┴─> ResultStore ──> results.jsonl, files/…
//! ```
//!
//! A test is not trusted: nothing that it sends makes this module panic, hold more than [`Limits`] allows, or write
//! outside the test's own directory. What breaks the protocol is a [`Violation`]; what was final before stays stored.

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
pub use store::{FILES, OUTPUT, RESULTS, ResultStore, StoreError};
pub use violation::{ControlError, Violation};
