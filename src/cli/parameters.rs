//! Parameters of a target: `key=value` pairs after `?`, and the keys of a named SUT in the configuration. One list for both.

use std::path::Path;

use super::settings::absolute;
use super::target::TargetError;

/// Parameters as they are written, decoded and not yet judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) base: Option<String>,
    pub(crate) r#become: Option<String>,
    pub(crate) control_path: Option<String>,
    pub(crate) dir: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) password_env: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) user: Option<String>,
}

impl Parameters {
    /// The names, in the order of the alphabet.
    pub(crate) const NAMES: [&'static str; 9] = [
        "base",
        "become",
        "control_path",
        "dir",
        "key",
        "name",
        "password_env",
        "port",
        "user",
    ];

    /// Returns the place of a parameter.
    pub(crate) fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "base" => &mut self.base,
            "become" => &mut self.r#become,
            "control_path" => &mut self.control_path,
            "dir" => &mut self.dir,
            "key" => &mut self.key,
            "name" => &mut self.name,
            "password_env" => &mut self.password_env,
            "port" => &mut self.port,
            "user" => &mut self.user,
            _ => return None,
        })
    }

    /// Takes from `other` what is not set here.
    pub(crate) fn or(mut self, mut other: Self) -> Self {
        for name in Self::NAMES {
            if let (Some(mine @ None), Some(theirs)) = (self.slot(name), other.slot(name)) {
                *mine = theirs.take();
            }
        }
        self
    }

    /// Makes relative paths on this machine absolute, so that they mean the same when they are joined with others.
    pub(crate) fn with_paths_below(mut self, base: &Path, is_local: bool) -> Self {
        let dir = self.dir.as_mut().filter(|_| is_local);
        for path in [self.key.as_mut(), self.control_path.as_mut(), dir]
            .into_iter()
            .flatten()
        {
            *path = absolute(Path::new(path), base).to_string_lossy().into_owned();
        }
        self
    }

    /// Returns the first parameter that only a machine behind SSH has.
    pub(crate) fn of_ssh(&self) -> Option<&'static str> {
        let all = [
            ("become", &self.r#become),
            ("control_path", &self.control_path),
            ("key", &self.key),
            ("password_env", &self.password_env),
            ("port", &self.port),
            ("user", &self.user),
        ];
        all.into_iter().find(|(_, value)| value.is_some()).map(|(name, _)| name)
    }

    /// Parses `key=value&key=value`; `target` is the whole text, for messages.
    pub(crate) fn parse(target: &str, query: &str) -> Result<Self, TargetError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let bad = |problem| TargetError::Value {
                target: target.to_owned(),
                parameter: pair.to_owned(),
                problem,
            };
            let (key, value) = pair.split_once('=').ok_or_else(|| bad("it has no value"))?;
            let slot = parameters.slot(key).ok_or_else(|| TargetError::Parameter {
                target: target.to_owned(),
                parameter: key.to_owned(),
            })?;
            let value = percent_decoded(value).ok_or_else(|| bad("`%` needs two hexadecimal digits of UTF-8 text"))?;
            if value.is_empty() {
                return Err(bad("its value is empty"));
            }
            if slot.replace(value).is_some() {
                return Err(bad("it is given twice"));
            }
        }
        Ok(parameters)
    }
}

/// Decodes `%20`; `None` where the escape or the resulting UTF-8 is bad. `+` stays as it is.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}
