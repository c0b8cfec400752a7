//! The facts of a machine: its OS, architecture, user, boot, package managers and environment, and the base identity made of
//! them.
//!
//! This host's facts are read from files, those of other machines are told by their agent; the same code interprets both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::host::program;
use crate::sut::agent::link::child;

/// The facts that a SUT tells when it is opened.
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
    /// The identity of the boot. A container has the boot id of its host but a first process of its own, so the time at which
    /// that process started is part of it.
    pub boot_id: String,
    /// The package managers that were found, best first: `dnf5`, `dnf`, `yum`, `rpm-ostree`, `apt`, `zypper`, `apk`.
    pub managers: Vec<String>,
    /// The variables that jobs find in their environment there and that may change what they do: `PATH`, `LANG`, `LC_…`,
    /// `TZ`.
    pub environment: BTreeMap<String, String>,
}

/// What kind of machine this is: the first prepare step, and a test without prepare, depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaseIdentity {
    /// `ID` of os-release.
    pub os: String,
    /// `VERSION_ID` of os-release.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The target's `base` of the configuration; empty where none is given.
    pub base: String,
    /// The digest of what the machine is made of, where its kind knows one ([`Access::digest`](crate::sut::kind::Access::digest)).
    pub digest: Option<String>,
    /// The login user, with ` as root` where a user of another name is root.
    pub user: String,
    /// See [`Facts::environment`].
    pub environment: BTreeMap<String, String>,
}

/// How a machine was installed, as far as that is known without asking the machine. The SUTs of one run must agree on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Installation<'a> {
    /// The target's `base`; empty where none is given.
    pub base: &'a str,
    /// The digest of what the machine is made of, where its kind knows one.
    pub digest: Option<&'a str>,
}

impl BaseIdentity {
    /// Returns the part that is known without asking the machine.
    pub fn installation(&self) -> Installation<'_> {
        Installation {
            base: &self.base,
            digest: self.digest.as_deref(),
        }
    }
}

impl Facts {
    /// Returns the base identity of this machine, given how it was installed.
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

/// The commands of package managers and the managers' names, in the order of preference.
const MANAGERS: [(&str, &str); 7] = [
    ("dnf5", "dnf5"),
    ("dnf", "dnf"),
    ("yum", "yum"),
    ("rpm-ostree", "rpm-ostree"),
    ("apt-get", "apt"),
    ("zypper", "zypper"),
    ("apk", "apk"),
];

/// Reads the facts of this host, for the user that runs atex.
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

/// Returns the name of the user that runs atex, as the agent tells it of itself; the number where the user has no name.
pub fn login_user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // A name need not be in that file. `id` knows all names, but costs a process.
    login_name(uid, &passwd)
        .or_else(asked_name)
        .unwrap_or_else(|| uid.to_string())
}

/// Asks `id` for the user's name.
fn asked_name() -> Option<String> {
    let said = program::output(Command::new("id").arg("-un").stdin(Stdio::null()), "`id`").ok()?;
    let name = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// Reads the facts that an agent tells: lines of `name=value`, and the text of its os-release.
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

/// Returns the time at which a process started, read from its `/proc/PID/stat`. The fields are counted from behind the
/// program's name, which ends with the last parenthesis.
fn started(stat: &str) -> String {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').nth(19).unwrap_or_default().to_owned()
}

/// Whether an environment variable could change what jobs do on a machine, so that it is part of the base identity.
fn counts(name: &str) -> bool {
    matches!(name, "PATH" | "LANG" | "TZ") || name.starts_with("LC_")
}

/// The word that an agent lists among the commands where the system is an image managed by rpm-ostree.
const OSTREE: &str = "ostree-booted";

struct Told {
    user: String,
    uid: String,
    arch: String,
    boot: String,
    /// When the first process started; empty where that cannot be read.
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

/// Orders the managers that are installed: the system's own manager comes first, since some systems carry another family's as
/// a tool.
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

/// Reads a value of os-release: `NAME=value`, with the quotes of a shell or without any.
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
