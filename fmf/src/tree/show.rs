//! Writes a node as one line of JSON, as `fmf show --json` prints it.

use std::fmt::Write as _;

use super::{Node, Origin};
use crate::Location;
use crate::value::{Value, write_text};

impl Node<'_> {
    /// Appends `{"name": …, "data": …, "sources": […]}` without a newline. Keys are in fmf's order, and sources are relative to
    /// the root.
    pub fn write_json(self, out: &mut String) {
        self.write_members(out);
        out.push('}');
    }

    /// Appends the same with `"origins"`: for each key of the data, everything that made its value, from first to last. For
    /// mappings that several places made, `"parts"` has the place of each of their keys.
    pub fn write_json_with_origins(self, out: &mut String) {
        self.write_members(out);
        out.push_str(", \"origins\": {");
        for (at, key) in self.data().keys().filter_map(Value::as_str).enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            write_text(key, out);
            out.push_str(": [");
            for (at, origin) in self.origins(key).iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                origin.write_json(out);
            }
            out.push(']');
        }
        out.push_str("}, \"parts\": {");
        let mut separator = "";
        for key in self.data().keys().filter_map(Value::as_str) {
            let parts = self.parts(key);
            if !parts.is_empty() {
                out.push_str(std::mem::replace(&mut separator, ", "));
                write_text(key, out);
                out.push_str(": {");
                write_parts(&parts, out);
                out.push('}');
            }
        }
        out.push_str("}}");
    }

    fn write_members(self, out: &mut String) {
        out.push_str("{\"name\": ");
        write_text(self.name(), out);
        out.push_str(", \"data\": ");
        self.write_data(out);
        out.push_str(", \"sources\": [");
        for (at, source) in self.sources().into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            write_text(&source.to_string_lossy(), out);
        }
        out.push(']');
    }
}

fn write_parts(parts: &[(&Value, Origin)], out: &mut String) {
    for (at, (key, origin)) in parts.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        write_text(&key.to_python_str(), out);
        out.push_str(": ");
        origin.write_json(out);
    }
}

impl Origin {
    /// Appends `{"file": …, "line": …}`. An origin by an adjust rule also has `"adjust": {"when": …, "file": …, "line": …}`.
    fn write_json(&self, out: &mut String) {
        let place = |out: &mut String, Location { file, line }: &Location| {
            out.push_str("\"file\": ");
            write_text(&file.to_string_lossy(), out);
            let _infallible = write!(out, ", \"line\": {line}");
        };
        out.push('{');
        place(out, &self.location);
        if let Some(rule) = &self.adjust {
            out.push_str(", \"adjust\": {\"when\": ");
            match &rule.when {
                None => out.push_str("null"),
                Some(when) => write_text(when, out),
            }
            out.push_str(", ");
            place(out, &rule.location);
            out.push('}');
        }
        out.push('}');
    }
}
