//! What a machine is: read here from files, or told by an agent, and understood by the same code.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::host::program;
use crate::sut::agent::link::child;

/// Facts a SUT tells when it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `ID` of os-release, e.g. `fedora`.
    pub os: String,
    /// `VERSION_ID` of os-release, empty where there is none.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The login user's name.
    pub user: String,
    /// Whether the user is root.
    pub root: bool,
    /// Changes with each boot. A container has its host's, but a first process of its own: when that started is part of it.
    pub boot_id: String,
    /// Package managers found, best first: `dnf5`, `dnf`, `yum`, `rpm-ostree`, `apt`, `zypper`, `apk`.
    pub managers: Vec<String>,
    /// Variables that jobs find there by themselves and could go by: `PATH`, `LANG`, `LC_…`, `TZ`.
    pub environment: BTreeMap<String, String>,
}

/// The kind of machine: what the first prepare step, or a test without prepare, depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaseIdentity {
    /// `ID` of os-release.
    pub os: String,
    /// `VERSION_ID` of os-release.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The target's `base` of the configuration; empty where not given.
    pub base: String,
    /// The digest of what the machine is made of, where its kind knows one ([`Access::digest`](crate::sut::kind::Access::digest)).
    pub digest: Option<String>,
    /// The login user, and whether that is root by another name.
    pub user: String,
    /// See [`Facts::environment`].
    pub environment: BTreeMap<String, String>,
}

/// How a machine was installed, as far as that is known without a question to it. SUTs of one run must agree on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Installation<'a> {
    /// The target's `base`; empty where not given.
    pub base: &'a str,
    /// The digest of what the machine is made of, where its kind knows one.
    pub digest: Option<&'a str>,
}

impl BaseIdentity {
    /// Returns the part of it that the machine was not asked for.
    pub fn installation(&self) -> Installation<'_> {
        Installation {
            base: &self.base,
            digest: self.digest.as_deref(),
        }
    }
}

impl Facts {
    /// Returns the base identity of this machine, which was installed so.
    pub fn base_identity(&self, installation: Installation<'_>) -> BaseIdentity {
        BaseIdentity {
            os: self.os.clone(),
            version: self.version.clone(),
            arch: self.arch.clone(),
            base: installation.base.to_owned(),
            digest: installation.digest.map(str::to_owned),
            user: if self.root && self.user != "root" {
                format!("{} as root", self.user)
            } else {
                self.user.clone()
            },
            environment: self.environment.clone(),
        }
    }
}

/// Commands of package managers, in the order in which they are preferred, and their names.
const MANAGERS: [(&str, &str); 7] = [
    ("dnf5", "dnf5"),
    ("dnf", "dnf"),
    ("yum", "yum"),
    ("rpm-ostree", "rpm-ostree"),
    ("apt-get", "apt"),
    ("zypper", "zypper"),
    ("apk", "apk"),
];

/// Reads the facts of this machine, for the user that runs this.
pub fn local_facts() -> Facts {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = ["/etc/os-release", "/usr/lib/os-release"].map(read);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<_> = std::env::split_paths(&path).collect();
    let installed = |command: &str| dirs.iter().any(|dir| is_executable(&dir.join(command)));
    let mut commands: Vec<&str> = MANAGERS
        .iter()
        .map(|(command, _)| *command)
        .filter(|command| installed(command))
        .collect();
    if Path::new("/run/ostree-booted").exists() {
        commands.push(OSTREE);
    }
    let uid = rustix::process::geteuid();
    let release = release.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    facts(Told {
        user: login_user(),
        uid: uid.as_raw().to_string(),
        arch: rustix::system::uname().machine().to_string_lossy().into_owned(),
        boot: read("/proc/sys/kernel/random/boot_id"),
        init: started(&read("/proc/1/stat")),
        commands: commands.join(" "),
        release,
        environment: child::environment().filter(|(name, _)| counts(name)).collect(),
    })
}

/// The name of the user that runs this, as the agent tells it of itself; the number where there is no name.
pub fn login_user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // Names may come from elsewhere than that file; who knows them all takes a process to ask.
    login_name(uid, &passwd)
        .or_else(asked_name)
        .unwrap_or_else(|| uid.to_string())
}

/// The name that the system gives the user.
fn asked_name() -> Option<String> {
    let said = program::output(Command::new("id").arg("-un").stdin(Stdio::null()), "`id`").ok()?;
    let name = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// Reads the facts that an agent tells: lines `name=value`, and os-release as it is there.
pub(crate) fn of_machine(told: &str, release: &str) -> Facts {
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    facts(Told {
        user: value("user"),
        uid: value("uid"),
        arch: value("arch"),
        boot: value("boot"),
        init: value("init"),
        commands: value("managers"),
        release: release.to_owned(),
        environment: told
            .lines()
            .filter_map(|line| line.strip_prefix("environment.")?.split_once('='))
            .filter(|(name, _)| counts(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// When a process started, of what its `stat` says: after the name of the program, which ends with the last parenthesis.
fn started(stat: &str) -> String {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').nth(19).unwrap_or_default().to_owned()
}

/// Whether a variable that jobs find on a machine could change what they do there: part of what the machine is.
fn counts(name: &str) -> bool {
    matches!(name, "PATH" | "LANG" | "TZ") || name.starts_with("LC_")
}

/// The word that stands among the commands where the system is an image that rpm-ostree manages.
const OSTREE: &str = "ostree-booted";

struct Told {
    user: String,
    uid: String,
    arch: String,
    boot: String,
    /// When the first process started; empty where that may not be seen.
    init: String,
    commands: String,
    release: String,
    environment: BTreeMap<String, String>,
}

fn facts(told: Told) -> Facts {
    let os = release_value(&told.release, "ID").unwrap_or_else(|| "linux".to_owned());
    let like = release_value(&told.release, "ID_LIKE").unwrap_or_default();
    let found: Vec<&str> = told.commands.split_whitespace().collect();
    Facts {
        version: release_value(&told.release, "VERSION_ID").unwrap_or_default(),
        arch: told.arch.clone(),
        user: told.user.clone(),
        root: told.uid == "0",
        boot_id: format!("{} {}", told.boot.trim(), told.init).trim().to_owned(),
        managers: managers(&os, &like, &found),
        environment: told.environment,
        os,
    }
}

/// Orders the managers that are installed: the one that the system is made with first, since some systems carry another
/// family's as a tool.
fn managers(os: &str, like: &str, found: &[&str]) -> Vec<String> {
    let is = |id: &str| os == id || like.split_whitespace().any(|word| word == id);
    let native = if found.contains(&OSTREE) {
        "rpm-ostree"
    } else if is("debian") || is("ubuntu") {
        "apt"
    } else if is("suse") || is("opensuse") {
        "zypper"
    } else if is("alpine") {
        "apk"
    } else {
        ""
    };
    let installed = MANAGERS
        .iter()
        .filter(|(command, _)| found.contains(command))
        .map(|(_, name)| (*name).to_owned());
    let mut managers: Vec<String> = installed.collect();
    managers.sort_by_key(|name| name != native);
    managers
}

/// A value of os-release: `NAME=value`, quoted as in a shell or not.
fn release_value(text: &str, name: &str) -> Option<String> {
    let value = text
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?
        .trim();
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned())
}

fn login_name(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid.to_string()).then(|| name.to_owned())
    })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_any_quotes() {
        let text = "NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID='41'\n# ID=no\nVERSION_ID_X=7\n";
        assert_eq!(release_value(text, "ID").as_deref(), Some("fedora"));
        assert_eq!(release_value(text, "VERSION_ID").as_deref(), Some("41"));
        assert_eq!(release_value(text, "NAME").as_deref(), Some("Fedora Linux"));
        assert_eq!(release_value(text, "VARIANT"), None);
    }

    #[test]
    fn the_native_manager_comes_first() {
        assert_eq!(managers("debian", "", &["dnf", "apt-get"]), ["apt", "dnf"]);
        assert_eq!(
            managers("fedora", "", &["dnf5", "dnf", "apt-get"]),
            ["dnf5", "dnf", "apt"]
        );
        assert_eq!(
            managers("opensuse-leap", "suse opensuse", &["dnf", "zypper"]),
            ["zypper", "dnf"]
        );
        assert_eq!(
            managers("fedora", "", &["dnf5", "rpm-ostree", "ostree-booted"]),
            ["rpm-ostree", "dnf5"]
        );
    }

    #[test]
    fn what_an_agent_tells_is_what_is_read_here() {
        let facts = local_facts();
        let (boot, init) = facts.boot_id.split_once(' ').unwrap_or((&facts.boot_id, ""));
        let told = format!(
            "user={}\nuid={}\narch={}\nboot={boot}\ninit={init}\nmanagers=\n",
            facts.user,
            u32::from(!facts.root),
            facts.arch,
        );
        let release = format!("ID={}\nVERSION_ID={}\n", facts.os, facts.version);
        assert_eq!(
            of_machine(&told, &release),
            Facts {
                managers: Vec::new(),
                environment: BTreeMap::new(),
                ..facts
            }
        );
    }
}
