//! What holds for one host: first values, lists that grow, and what must be told because it is not honoured.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ConfigPlace, ConfigWarning};

/// Options that are not honoured although they would change how or whether a machine is reached. With the values, if any, that
/// change nothing.
const NOT_HONOURED: [(&str, &[&str]); 15] = [
    ("addressfamily", &["any"]),
    ("bindaddress", &[]),
    ("bindinterface", &[]),
    ("canonicalizehostname", &["no"]),
    ("hostbasedauthentication", &["no"]),
    ("knownhostscommand", &["none"]),
    ("passwordauthentication", &["yes"]),
    ("pkcs11provider", &["none"]),
    ("preferredauthentications", &[]),
    ("proxyusefdpass", &["no"]),
    ("pubkeyauthentication", &["yes"]),
    ("remotecommand", &["none"]),
    ("revokedhostkeys", &["none"]),
    ("setenv", &[]),
    ("verifyhostkeydns", &["no"]),
];

/// Options of which each line adds something.
const LISTS: [&str; 2] = ["identityfile", "certificatefile"];

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    /// Its words.
    pub words: Vec<String>,
    /// Where it stands; a value of the target stands nowhere.
    pub at: ConfigPlace,
}

/// The options of one host.
#[derive(Clone, Debug, Default)]
pub struct SshOptions {
    first: BTreeMap<String, OptionValue>,
    lists: BTreeMap<&'static str, Vec<OptionValue>>,
    warnings: Vec<ConfigWarning>,
}

impl SshOptions {
    /// Takes a line that holds.
    pub(super) fn set(&mut self, keyword: &str, words: Vec<String>, at: &ConfigPlace) {
        let value = OptionValue { words, at: at.clone() };
        if let Some(list) = LISTS.into_iter().find(|list| *list == keyword) {
            let list = self.lists.entry(list).or_default();
            // The second pass finds the same lines again.
            if !list.iter().any(|known| known.words == value.words) {
                list.push(value);
            }
            return;
        }
        // What comes first of these two turns the other off, but for `ProxyJump none`, which turns off jumps only.
        let jumps = self
            .first("proxyjump")
            .is_some_and(|jump| !jump.eq_ignore_ascii_case("none"));
        let turned_off = match keyword {
            "proxyjump" => self.first.contains_key("proxycommand"),
            "proxycommand" => jumps,
            _ => false,
        };
        // OpenSSH keeps `none` of this one as "not set", so a later line still counts.
        let says_nothing = keyword == "connecttimeout" && value.words == ["none"];
        if says_nothing || turned_off || self.first.contains_key(keyword) {
            return;
        }
        let harmless = NOT_HONOURED.iter().find(|(name, _)| *name == keyword);
        if let Some((_, harmless)) = harmless
            && !value
                .words
                .first()
                .is_some_and(|word| harmless.contains(&word.to_lowercase().as_str()))
        {
            self.not_honoured(keyword, at);
        }
        self.first.insert(keyword.to_owned(), value);
    }

    /// Replaces an option by what it turned out to mean, or sets it.
    pub(super) fn settle(&mut self, keyword: &str, word: &str) {
        let nowhere = ConfigPlace {
            file: PathBuf::new(),
            line: 0,
        };
        let value = self.first.entry(keyword.to_owned()).or_insert(OptionValue {
            words: Vec::new(),
            at: nowhere,
        });
        value.words = vec![word.to_owned()];
    }

    /// Notes something that is not honoured.
    pub(super) fn not_honoured(&mut self, what: &str, at: &ConfigPlace) {
        let warning = ConfigWarning {
            what: what.to_owned(),
            at: at.clone(),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns whether a file says where the host is.
    pub fn is_configured(&self) -> bool {
        ["proxyjump", "proxycommand"]
            .iter()
            .any(|name| self.first.contains_key(*name))
            || self.value("hostname").is_some_and(|value| value.at.line > 0)
    }

    /// Returns the first word of an option, by its name in lower case.
    pub fn first(&self, keyword: &str) -> Option<&str> {
        self.first.get(keyword)?.words.first().map(String::as_str)
    }

    /// Returns an option with its place.
    pub fn value(&self, keyword: &str) -> Option<&OptionValue> {
        self.first.get(keyword)
    }

    /// Returns all lines of an option that grows.
    pub fn list(&self, keyword: &str) -> &[OptionValue] {
        self.lists.get(keyword).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns what is not honoured.
    pub(super) fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}
