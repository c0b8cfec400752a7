//! Evaluates `str()`, `repr()` and the `%` operator of text.

use num_bigint::BigInt;

use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::{Object, View};
use crate::Value;
use crate::python::number::MAX_DIGITS;

impl Evaluator<'_> {
    /// Returns `str(object)`.
    pub(super) fn str(&self, object: &Object) -> Eval<String> {
        match object {
            Object::Str(text) => Ok(text.to_string()),
            Object::Date(text) => Ok(Value::Date(text.clone()).to_python_str()),
            other => self.repr(other),
        }
    }

    /// Returns `repr(object)`.
    pub(super) fn repr(&self, object: &Object) -> Eval<String> {
        let mut out = String::new();
        self.write_repr(&mut out, object)?;
        Ok(out)
    }

    fn write_repr(&self, out: &mut String, object: &Object) -> Eval<()> {
        self.fuel.spend(1)?;
        match object {
            Object::None => out.push_str("None"),
            Object::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Object::Int(value) => out.push_str(&decimal(value)?),
            Object::Float(value) => out.push_str(&Value::Float(*value).to_python_repr()),
            Object::Str(text) => {
                self.fuel.spend_text(text.len())?;
                out.push_str(&Value::Str(text.clone()).to_python_repr());
            }
            Object::Bytes(bytes) => out.push_str(&Value::Bytes(bytes.clone()).to_python_repr()),
            Object::Date(text) => out.push_str(&Value::Date(text.clone()).to_python_repr()),
            Object::List(items) => self.write_items(out, "[", items, "]")?,
            Object::Tuple(items) => self.write_items(out, "(", items, if items.len() == 1 { ",)" } else { ")" })?,
            Object::Slice(parts) => self.write_items(out, "slice(", parts.as_slice(), ")")?,
            Object::Dict(table) => self.write_entries(out, table.entries())?,
            Object::Set(table) | Object::FrozenSet(table) if table.len() > 1 => {
                return Err(EvalError::unsupported(
                    "the text of a set with several members, whose order Python does not fix",
                ));
            }
            Object::Set(table) if table.len() == 0 => out.push_str("set()"),
            Object::FrozenSet(table) if table.len() == 0 => out.push_str("frozenset()"),
            Object::Set(_) => self.write_items(out, "{", &self.collect(object)?, "}")?,
            Object::FrozenSet(_) => self.write_items(out, "frozenset({", &self.collect(object)?, "})")?,
            Object::View(kind, _) => {
                let name = match kind {
                    View::Keys => "dict_keys([",
                    View::Values => "dict_values([",
                    View::Items => "dict_items([",
                };
                self.write_items(out, name, &self.collect(object)?, "])")?;
            }
            Object::Range(range) => {
                let step = if range.step == 1 {
                    String::new()
                } else {
                    format!(", {}", range.step)
                };
                out.extend([
                    "range(",
                    &range.start.to_string(),
                    ", ",
                    &range.stop.to_string(),
                    &step,
                    ")",
                ]);
            }
            Object::Builtin(name) if super::object::is_type(name) => out.extend(["<class '", name, "'>"]),
            Object::Builtin(name) => out.extend(["<built-in function ", name, ">"]),
            other => return Err(EvalError::unsupported(format!("the text of a {}", other.type_name()))),
        }
        Ok(())
    }

    fn write_items(&self, out: &mut String, open: &str, items: &[Object], close: &str) -> Eval<()> {
        *out += open;
        for (index, item) in items.iter().enumerate() {
            *out += if index == 0 { "" } else { ", " };
            self.write_repr(out, item)?;
        }
        *out += close;
        Ok(())
    }

    fn write_entries(&self, out: &mut String, entries: &[(Object, Object)]) -> Eval<()> {
        *out += "{";
        for (index, (key, value)) in entries.iter().enumerate() {
            *out += if index == 0 { "" } else { ", " };
            self.write_repr(out, key)?;
            *out += ": ";
            self.write_repr(out, value)?;
        }
        *out += "}";
        Ok(())
    }

    /// Evaluates `template % arguments` with `%s`, `%r`, `%d` and `%%`. Flags and widths are refused.
    pub(super) fn percent(&self, template: &str, arguments: &Object) -> Eval {
        let single = [arguments.clone()];
        let items = if let Object::Tuple(items) = arguments {
            &items[..]
        } else {
            &single[..]
        };
        let mut items = items.iter();
        let mut out = String::new();
        let mut chars = template.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let conversion = chars
                .next()
                .ok_or_else(|| EvalError::value_error("incomplete format"))?;
            if conversion == '%' {
                out.push('%');
                continue;
            }
            if !matches!(conversion, 's' | 'r' | 'd' | 'i') {
                return Err(EvalError::unsupported(format!(
                    "`%{conversion}` in the formatting of text"
                )));
            }
            let item = items
                .next()
                .ok_or_else(|| EvalError::type_error("not enough arguments for format string"))?;
            out += &match (conversion, item) {
                ('s', item) => self.str(item)?,
                ('r', item) => self.repr(item)?,
                (_, Object::Float(value)) => decimal(&super::arithmetic::whole(value.trunc())?)?,
                (_, item) => {
                    let kind = item.type_name();
                    let message = || format!("%d format: a real number is required, not {kind}");
                    decimal(&item.as_int().ok_or_else(|| EvalError::type_error(message()))?)?
                }
            };
            self.fuel.spend_text(out.len())?;
        }
        if items.next().is_some()
            && !matches!(
                arguments,
                Object::Dict(_) | Object::List(_) | Object::Range(_) | Object::Bytes(_)
            )
        {
            return Err(EvalError::type_error(
                "not all arguments converted during string formatting",
            ));
        }
        Ok(Object::text(out))
    }
}

/// Returns an integer's digits, if there are no more than Python writes.
fn decimal(int: &BigInt) -> Eval<String> {
    let bits = int.bits();
    // A decimal digit takes between three and four bits, so the exact count matters only between these bounds.
    if bits / 3 > MAX_DIGITS as u64 {
        let digits = if bits > 4 * MAX_DIGITS as u64 {
            usize::MAX
        } else {
            int.magnitude().to_string().len()
        };
        if digits > MAX_DIGITS {
            return Err(EvalError::value_error(
                "Exceeds the limit (4300 digits) for integer string conversion",
            ));
        }
    }
    Ok(int.to_string())
}
