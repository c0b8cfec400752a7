//! A node as one line of JSON: what `fmf show --json` prints.

use std::io::{self, Write};
use std::path::Path;

use super::{Node, Origin};
use crate::fmf::value::{Value, write_text};

impl Node<'_> {
    /// Writes `{"name": …, "data": …, "sources": […]}`, without a line end: keys in fmf's order, sources relative to the root.
    pub fn write_json(self, out: &mut dyn Write) -> io::Result<()> {
        self.write_members(out)?;
        out.write_all(b"}")
    }

    /// Writes the same with `"origins"`: for each key of the data all that made its value, first to last.
    pub fn write_json_with_origins(self, out: &mut dyn Write) -> io::Result<()> {
        self.write_members(out)?;
        out.write_all(b", \"origins\": ")?;
        out.write_all(b"{")?;
        for (at, key) in self.data().keys().filter_map(Value::as_str).enumerate() {
            out.write_all(if at == 0 { b"" } else { b", " })?;
            write_text(key, out)?;
            out.write_all(b": [")?;
            for (at, origin) in self.origins(key).iter().enumerate() {
                out.write_all(if at == 0 { b"" } else { b", " })?;
                origin.write_json(out)?;
            }
            out.write_all(b"]")?;
        }
        out.write_all(b"}}")
    }

    fn write_members(self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"name\": ")?;
        write_text(self.name(), out)?;
        out.write_all(b", \"data\": ")?;
        self.write_data(out)?;
        out.write_all(b", \"sources\": [")?;
        for (at, source) in self.sources().into_iter().enumerate() {
            out.write_all(if at == 0 { b"" } else { b", " })?;
            write_text(&source.to_string_lossy(), out)?;
        }
        out.write_all(b"]")
    }
}

impl Origin {
    /// Writes `{"file": …, "line": …}`; that of an adjust rule has `"adjust": {"when": …, "file": …, "line": …}` too.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let place = |out: &mut dyn Write, file: &Path, line: u32| {
            out.write_all(b"\"file\": ")?;
            write_text(&file.to_string_lossy(), out)?;
            write!(out, ", \"line\": {line}")
        };
        out.write_all(b"{")?;
        place(out, &self.file, self.line)?;
        if let Some(rule) = &self.adjust {
            out.write_all(b", \"adjust\": {\"when\": ")?;
            match &rule.when {
                None => out.write_all(b"null")?,
                Some(when) => write_text(when, out)?,
            }
            out.write_all(b", ")?;
            place(out, &rule.file, rule.line)?;
            out.write_all(b"}")?;
        }
        out.write_all(b"}")
    }
}
