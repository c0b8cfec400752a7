//! A tree to compile in tests.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use atex::compile::spec::Request;
use atex::compile::{CompileError, compile};

/// A plan that says nothing special.
pub(crate) const PLAIN: (&str, &str) = ("plan.fmf", "discover:\n    how: fmf\nexecute:\n    how: tmt\n");

/// A tree made of files.
pub(crate) struct Trial {
    pub(crate) dir: tempfile::TempDir,
}

impl Trial {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let trial = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        trial.write(".fmf/version", "1\n");
        for (file, text) in files {
            trial.write(file, text);
        }
        trial
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.dir.path().join(file);
        fs::create_dir_all(path.parent().expect("a file in a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// What is wrong with the only plan or test that cannot be used.
    pub(crate) fn refused(&self) -> Arc<CompileError> {
        let workload = compile(&self.request()).expect("others could run");
        let [unusable] = workload.unusable.as_slice() else {
            panic!("one is refused, and not {:?}", workload.unusable)
        };
        Arc::clone(&unusable.error)
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            start: self.dir.path().to_owned(),
            fetch_cache: PathBuf::from("/nonexistent"),
            ..Request::default()
        }
    }
}

/// Returns why a request cannot be compiled, or why the first plan or test that cannot be used cannot.
pub(crate) fn refused(request: &Request) -> String {
    match compile(request) {
        Err(error) => error.to_string(),
        Ok(work) => work.unusable.first().expect("something is refused").error.to_string(),
    }
}
