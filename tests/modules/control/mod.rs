//! What a test may say to the runner, sentence by sentence: bytes in, results and files on disk out.

mod fallback;
mod files;
mod hostile;
mod lines;
mod partial;
mod results;
mod support;
