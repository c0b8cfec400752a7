//! A node as one line of JSON: what `fmf show --json` prints.

use std::io::{self, Write};

use super::Node;
use crate::fmf::value::write_text;

impl Node<'_> {
    /// Writes `{"name": …, "data": …, "sources": […]}`, without a line end: keys in fmf's order, sources relative to the root.
    pub fn write_json(self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"name\": ")?;
        write_text(self.name(), out)?;
        out.write_all(b", \"data\": ")?;
        self.data().write_json(out)?;
        out.write_all(b", \"sources\": [")?;
        for (at, source) in self.sources().into_iter().enumerate() {
            out.write_all(if at == 0 { b"" } else { b", " })?;
            write_text(&source.to_string_lossy(), out)?;
        }
        out.write_all(b"]}")
    }
}
