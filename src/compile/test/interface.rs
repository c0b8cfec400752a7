//! By whose rules a test speaks and is judged: atex's, where it knows the control stream, else tmt's.
//!
//! A test knows the stream where its metadata or one of its input files mentions the variable [`CONTROL`]. The contents of files are searched
//! while they are hashed, and what was found is remembered with the digest. `extra-atex-interface` of the test decides instead, else that of
//! the plan, else `interface` of the configuration.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::directories;
use crate::compile::FilesOfTrees;
use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::inputs::TreeInputs;
use crate::compile::metadata::read::{NodeReader, Scope};
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::plan::Plan;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::{Interface, Interpretation, Request};

/// The key of a test or plan that says it.
pub(crate) const KEY: &str = "extra-atex-interface";

/// The variable that names the control stream of a test.
const CONTROL: &str = "ATEX_TEST_CONTROL";

/// What a test or a plan says of its interface.
pub(crate) fn read(scope: &Scope<'_>) -> Result<Option<Interface>, CompileError> {
    let Some(word) = scope.text(KEY)? else { return Ok(None) };
    let named = Interface::named(&word).ok_or_else(|| scope.error(KEY, MetadataProblem::Interface(word)))?;
    Ok(Some(named))
}

/// What a test says of the interpretation of its outcome.
pub(crate) fn interpretation(scope: &Scope<'_>) -> Interpretation {
    let Some(value) = scope.value("result") else {
        return Interpretation::default();
    };
    value
        .as_str()
        .map_or_else(|| Interpretation::Unknown(value.to_python_str()), Interpretation::named)
}

/// Decides the interface of a test in a plan: what the test says, or else the plan, or else the configuration, or else whether
/// its metadata or files mention the control stream.
pub(crate) fn decided<E>(
    said: Option<Interface>,
    plan: &Plan,
    request: &Request,
    is_mentioned: impl FnOnce() -> Result<bool, E>,
) -> Result<Interface, E> {
    if let Some(said) = said.or(plan.interface).or(request.interface) {
        return Ok(said);
    }
    Ok(if is_mentioned()? {
        Interface::Atex
    } else {
        Interface::Tmt
    })
}

/// Whether a text mentions the control stream.
pub(crate) fn is_mentioned(text: &str) -> bool {
    text.contains(CONTROL)
}

/// Finds the interfaces of tests that are only listed or looked at: no node is made of them.
pub(crate) struct Finder<'f> {
    request: &'f Request,
    trees: &'f Trees,
    /// Looked at where the files of a test have to decide.
    files: &'f dyn Fn() -> &'f FilesOfTrees,
    inputs: HashMap<TreeId, TreeInputs>,
}

impl<'f> Finder<'f> {
    pub(crate) fn new(request: &'f Request, trees: &'f Trees, files: &'f dyn Fn() -> &'f FilesOfTrees) -> Self {
        Self {
            request,
            trees,
            files,
            inputs: HashMap::new(),
        }
    }

    /// The interface of a test in a plan.
    pub(crate) fn of(&mut self, plan: &Plan, test: &Selected<'_>) -> Result<Interface, CompileError> {
        let tree = test.within.tree;
        let scope = NodeReader::new(tree, test.node).scope("test");
        decided(read(&scope)?, plan, self.request, || {
            let mut data = String::new();
            test.node.write_data(&mut data);
            if is_mentioned(&data) {
                return Ok(true);
            }
            let (globs, directories) = (scope.globs(test.node.dir())?, directories(tree, test.node)?);
            let files = &(self.files)()[&test.tree()];
            if files.speaking.is_empty() {
                return Ok(false);
            }
            let owners = &self.trees.get(test.tree()).owners;
            let new = || TreeInputs::new(Arc::clone(files), owners, String::new());
            let inputs = self.inputs.entry(test.tree()).or_insert_with(new);
            let files = inputs.of_test(globs.as_ref(), &directories);
            Ok(inputs.speak(&files))
        })
    }
}

/// A reader that notices whether what is read through it mentions the control stream.
pub(crate) struct Listening<R> {
    inner: R,
    /// The end of what was read, where the name may have begun.
    tail: Vec<u8>,
    heard: bool,
}

impl<R> Listening<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            tail: Vec::new(),
            heard: false,
        }
    }

    /// Whether the name was in what was read so far.
    pub(crate) fn heard(&self) -> bool {
        self.heard
    }

    fn listen(&mut self, bytes: &[u8]) {
        let rest = CONTROL.len() - 1;
        if self.heard {
            return;
        }
        self.tail.extend_from_slice(&bytes[..bytes.len().min(rest)]);
        self.heard = holds(&self.tail) || holds(bytes);
        if bytes.len() >= rest {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - rest..]);
        } else {
            let gone = self.tail.len().saturating_sub(rest);
            self.tail.drain(..gone);
        }
    }
}

impl<R: Read> Read for Listening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.listen(&buffer[..count]);
        Ok(count)
    }
}

/// Whether bytes hold the name. Underscores are rare, so most of the bytes are looked at only once.
fn holds(bytes: &[u8]) -> bool {
    let name = CONTROL.as_bytes();
    let mut rest = bytes;
    // The place of the first underscore in the name.
    while let Some(at) = rest.iter().position(|byte| *byte == b'_') {
        if rest[at.saturating_sub(4)..].starts_with(name) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{CONTROL, Listening};

    fn heard(text: &[u8], step: usize) -> bool {
        let mut reader = Listening::new(text);
        let mut buffer = vec![0; step];
        while reader.read(&mut buffer).expect("memory can be read") > 0 {}
        reader.heard()
    }

    #[test]
    fn the_name_is_heard_wherever_reads_cut_it() {
        let other = "x_ATEX_TEST_CONTRO ATEXTEST_CONTROL ".repeat(3);
        for before in 0..40 {
            let before = &other[..before];
            let with = format!("{before}{CONTROL}{other}");
            let last = format!("{before}{CONTROL}");
            for step in 1..60 {
                assert!(heard(with.as_bytes(), step), "{with} by {step}");
                assert!(heard(last.as_bytes(), step), "{last} by {step}");
                assert!(!heard(before.as_bytes(), step), "{before} by {step}");
            }
        }
        assert!(!heard(&other.repeat(100).into_bytes(), 7));
    }
}
