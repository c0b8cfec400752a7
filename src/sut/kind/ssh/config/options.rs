//! The options of one host: the first value of most, all values of a few, and warnings about those that are not honoured.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ConfigPlace, ConfigWarning};

/// Options that are not honoured although they would change how or whether a machine is reached, each with the values (if
/// any) that change nothing.
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

/// Options to which each line adds a value.
const LISTS: [&str; 2] = ["identityfile", "certificatefile"];

/// The value of an option, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    /// The words of the value.
    pub words: Vec<String>,
    /// The file and line. A value that comes from the target has neither.
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
    /// Takes a line that applies to the host.
    pub(super) fn set(&mut self, keyword: &str, words: Vec<String>, at: &ConfigPlace) {
        let value = OptionValue { words, at: at.clone() };
        if let Some(list) = LISTS.into_iter().find(|list| *list == keyword) {
            let list = self.lists.entry(list).or_default();
            // The second pass reads the same lines again.
            if !list.iter().any(|known| known.words == value.words) {
                list.push(value);
            }
            return;
        }
        // The first of these two turns the other off, except that `ProxyJump none` turns off jumps only.
        let jumps = self
            .first("proxyjump")
            .is_some_and(|jump| !jump.eq_ignore_ascii_case("none"));
        let turned_off = match keyword {
            "proxyjump" => self.first.contains_key("proxycommand"),
            "proxycommand" => jumps,
            _ => false,
        };
        // For OpenSSH, `none` means that this option is not set, so a later line still counts.
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

    /// Sets an option to its resolved value.
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

    /// Adds a warning about an option that is not honoured.
    pub(super) fn not_honoured(&mut self, what: &str, at: &ConfigPlace) {
        let warning = ConfigWarning {
            what: what.to_owned(),
            at: at.clone(),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns whether a file says how to reach the host.
    pub fn is_configured(&self) -> bool {
        ["proxyjump", "proxycommand"]
            .iter()
            .any(|name| self.first.contains_key(*name))
            || self.value("hostname").is_some_and(|value| value.at.line > 0)
    }

    /// Returns the first word of an option. `keyword` is in lower case.
    pub fn first(&self, keyword: &str) -> Option<&str> {
        self.first.get(keyword)?.words.first().map(String::as_str)
    }

    /// Returns an option's value with its place.
    pub fn value(&self, keyword: &str) -> Option<&OptionValue> {
        self.first.get(keyword)
    }

    /// Returns all values of an option that grows.
    pub fn list(&self, keyword: &str) -> &[OptionValue] {
        self.lists.get(keyword).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the warnings about options that are not honoured.
    pub(super) fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}
