//! A node as one line of JSON: what `fmf show --json` prints.

use std::io::{self, Write};
use std::path::Path;

use super::{Node, Origin};
use crate::fmf::value::{Map, Value, write_text};

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
        let keys = self.data().keys().filter_map(Value::as_str);
        let origins = keys.map(|key| {
            let chain = self.origins(key).iter().map(Origin::to_value).collect::<Vec<_>>();
            (Value::text(key), Value::from(chain))
        });
        origins.collect::<Map>().write_json(out)?;
        out.write_all(b"}")
    }

    fn write_members(self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"name\": ")?;
        write_text(self.name(), out)?;
        out.write_all(b", \"data\": ")?;
        self.data().write_json(out)?;
        out.write_all(b", \"sources\": [")?;
        for (at, source) in self.sources().into_iter().enumerate() {
            out.write_all(if at == 0 { b"" } else { b", " })?;
            write_text(&source.to_string_lossy(), out)?;
        }
        out.write_all(b"]")
    }
}

impl Origin {
    /// Returns `{"file": …, "line": …}`; that of an adjust rule has `"adjust": {"when": …, "file": …, "line": …}` too.
    fn to_value(&self) -> Value {
        let place = |object: &mut Map, file: &Path, line: u32| {
            object.insert("file", Value::text(file.to_string_lossy()));
            object.insert("line", Value::from(i64::from(line)));
        };
        let mut object = Map::with_capacity(3);
        place(&mut object, &self.file, self.line);
        if let Some(rule) = &self.adjust {
            let mut adjust = Map::with_capacity(3);
            adjust.insert("when", rule.when.clone().map_or(Value::Null, Value::Str));
            place(&mut adjust, &rule.file, rule.line);
            object.insert("adjust", Value::from(adjust));
        }
        Value::from(object)
    }
}
