//! Expansion of values of `ssh_config`: tokens such as `%h`, `${NAME}`, and `~`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The values of the tokens.
pub(super) struct Tokens {
    /// `%h`: the host name that is connected to.
    pub(super) host: String,
    /// `%n`: the name that was given.
    pub(super) original: String,
    /// `%p`: the port.
    pub(super) port: String,
    /// `%r`: the login user.
    pub(super) user: String,
    /// `%k`: the name under which host keys are looked up.
    pub(super) key_name: String,
    /// `%j`: the machine that is jumped through.
    pub(super) jump: String,
}

/// The user that runs atex, and this host.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// The home directory, for `~`.
    pub home: PathBuf,
    /// The user's name.
    pub user: String,
    /// The user's numeric id.
    pub uid: u32,
    /// The name of this host.
    pub host: String,
}

impl Tokens {
    /// Expands a value. The error is the token that does not exist.
    pub(super) fn expand(&self, text: &str, here: &Here) -> Result<String, String> {
        let short = here.host.split('.').next().unwrap_or_default();
        percent(text, |token| {
            Some(match token {
                'h' => self.host.clone(),
                'n' => self.original.clone(),
                'p' => self.port.clone(),
                'r' => self.user.clone(),
                'k' => self.key_name.clone(),
                'j' => self.jump.clone(),
                'C' => self.connection(here),
                'd' => here.home.to_string_lossy().into_owned(),
                'i' => here.uid.to_string(),
                'L' => short.to_owned(),
                'l' => here.host.clone(),
                'u' => here.user.clone(),
                _ => return None,
            })
        })
    }

    /// Returns the value of `%C`: a hash of all that makes two connections different.
    fn connection(&self, here: &Here) -> String {
        let text = [&here.host, &self.host, &self.port, &self.user, &self.jump]
            .map(String::as_str)
            .concat();
        openssl::sha::sha1(text.as_bytes())
            .iter()
            .fold(String::new(), |mut hex, byte| {
                let _infallible = write!(hex, "{byte:02x}");
                hex
            })
    }
}

/// Expands `%%`, and `%x` by `value`. The error is the token that `value` does not have.
pub(super) fn percent(text: &str, value: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('%', Some('%')) => done.push('%'),
            ('%', Some(token)) => done.push_str(&value(token).ok_or_else(|| format!("%{token}"))?),
            ('%', None) => return Err("%".to_owned()),
            _ => {
                done.push(c);
                continue;
            }
        }
        rest.next();
    }
    Ok(done)
}

/// Expands `${NAME}`. The error is the variable that is not set.
pub(super) fn variables(text: &str) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        done.push_str(before);
        done.push_str(&std::env::var(name).map_err(|_| format!("${{{name}}}"))?);
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

/// Expands a leading `~/`.
pub(super) fn tilde(text: &str, home: &Path) -> PathBuf {
    match text.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_expanded_and_unknown_ones_told() {
        let value = |token| (token == 'h').then(|| "host".to_owned());
        assert_eq!(percent("a%h-%%h", value), Ok("ahost-%h".to_owned()));
        assert_eq!(percent("%x", value), Err("%x".to_owned()));
        assert_eq!(percent("100%", value), Err("%".to_owned()));
    }

    #[test]
    fn a_tilde_is_the_home_and_another_users_is_left() {
        let home = Path::new("/home/me");
        assert_eq!(tilde("~/.ssh/id", home), Path::new("/home/me/.ssh/id"));
        assert_eq!(tilde("~", home), home);
        assert_eq!(tilde("~other/x", home), Path::new("~other/x"));
        assert_eq!(tilde("/a~b", home), Path::new("/a~b"));
    }
}
