//! Tests of the control protocol, sentence by sentence: bytes go in, and messages, results and files on disk come out.

mod fallback;
mod files;
mod hostile;
mod lines;
mod partial;
mod results;
mod support;
