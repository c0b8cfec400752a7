//! The inventory by which Ansible reaches a machine over SSH: Ansible starts the host's `ssh` client, and that gets from a private
//! configuration file all that the [`Login`] says, so that both go the same way with the same keys and the same checks.
//!
//! No value may become anything else in these files, a second option or a template of Ansible. A value that the client's
//! configuration cannot hold as it is, is refused.

use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use super::login::{HostKeys, Login, Via};
use crate::sut::{Inventory, Trouble, TroubleKind};

/// The name of the client's configuration in the inventory's directory.
const CONFIG: &str = "ssh_config";

/// The name of the inventory file. Its end tells Ansible the format.
const HOSTS: &str = "hosts.yml";

/// How long a connection that the tasks share outlives the last of them. It is ended with the inventory; this is for an atex that
/// was killed.
const PERSIST: &str = "15";

/// Makes the inventory.
pub(super) fn inventory(login: &Login) -> Result<Inventory, Trouble> {
    let failed = |problem: String| Trouble::new(TroubleKind::Setup, format!("`{}`: {problem}", login.name));
    let io = |error: std::io::Error| failed(format!("cannot write the inventory of Ansible: {error}"));
    let private = Permissions::from_mode(0o700);
    let files = tempfile::Builder::new()
        .prefix("atex-ansible-")
        .permissions(private)
        .tempdir()
        .map_err(io)?;
    let config = files.path().join(CONFIG);
    let text = ssh_config(login, files.path()).map_err(|problem| {
        let hint = "the `ssh` client, which Ansible uses, cannot be told this value";
        failed(problem).with_hint(hint)
    })?;
    write_private(&config, &text).map_err(io)?;
    write_private(&files.path().join(HOSTS), &hosts(login, &config)).map_err(io)?;
    let mut last = Command::new("ssh");
    last.arg("-F").arg(&config).args(["-O", "exit", "--", &login.host]);
    Ok(Inventory::of_file(files, HOSTS, last))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Returns the inventory file. Ansible takes a text with `!unsafe` as it stands.
fn hosts(login: &Login, config: &Path) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let arguments =
        shlex::try_quote(&config.to_string_lossy()).map_or_else(|_| String::new(), |word| format!("-F {word}"));
    // As under tmt, playbooks know the machine by its address. Ansible reads other characters as ranges and templates.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = Some(login.host.as_str())
        .filter(|host| host.chars().all(is_plain))
        .unwrap_or("sut");
    let mut text = format!("all:\n  hosts:\n    {}:\n", quoted(name));
    let texts = [
        ("ansible_connection", "ssh"),
        ("ansible_host", &login.host),
        ("ansible_user", &login.user),
        ("ansible_ssh_args", &arguments),
        ("ansible_ssh_common_args", ""),
        ("ansible_ssh_extra_args", ""),
    ];
    for (name, value) in texts {
        let _infallible = writeln!(text, "      {name}: !unsafe {}", quoted(value));
    }
    if let Some(password) = &login.password {
        let _infallible = writeln!(text, "      ansible_password: !unsafe {}", quoted(&password.0));
    }
    let _infallible = writeln!(text, "      ansible_port: {}", login.port);
    let _infallible = writeln!(
        text,
        "      ansible_timeout: {}",
        login.connect_timeout.as_secs().max(1)
    );
    text.push_str("      ansible_host_key_checking: true\n      ansible_ssh_host_key_checking: true\n");
    if login.sudo {
        text.push_str("      ansible_become: true\n      ansible_become_method: sudo\n");
    }
    text
}

/// Returns the client's configuration: the machines that are jumped through by names of ours, and the machine itself as every
/// other name.
fn ssh_config(login: &Login, directory: &Path) -> Result<String, String> {
    let mut jumps = Vec::new();
    let mut via = &login.via;
    while let Via::Jump(jump) = via {
        jumps.push(&**jump);
        via = &jump.via;
    }
    let mut text = String::new();
    for (number, jump) in (1..).zip(&jumps) {
        let _infallible = writeln!(text, "Host {}", jump_name(number));
        option(&mut text, "HostName", &word("HostName", &jump.host)?);
        hop(&mut text, jump, number)?;
        option(&mut text, "BatchMode", "yes");
    }
    text.push_str("Host *");
    for number in 1..=jumps.len() {
        let _infallible = write!(text, " !{}", jump_name(number));
    }
    text.push('\n');
    hop(&mut text, login, 0)?;
    // Nobody can be asked. A password is given by Ansible.
    option(
        &mut text,
        "BatchMode",
        if login.password.is_some() { "no" } else { "yes" },
    );
    option(&mut text, "NumberOfPasswordPrompts", "1");
    let shared;
    let socket = if let Via::ControlPath(socket) = &login.via {
        option(&mut text, "ControlMaster", "no");
        socket
    } else {
        option(&mut text, "ControlMaster", "auto");
        option(&mut text, "ControlPersist", PERSIST);
        shared = directory.join("shared");
        &shared
    };
    option(&mut text, "ControlPath", &path("ControlPath", socket)?);
    Ok(text)
}

fn jump_name(number: usize) -> String {
    format!("atex-jump-{number}")
}

fn option(text: &mut String, name: &str, value: &str) {
    let _infallible = writeln!(text, "  {name} {value}");
}

/// Writes how to get to one machine, and who to be there. The machine that is jumped through to get there has the next number.
fn hop(text: &mut String, login: &Login, number: usize) -> Result<(), String> {
    match &login.via {
        Via::Direct | Via::ControlPath(_) => option(text, "ProxyJump", "none"),
        Via::Jump(_) => option(text, "ProxyJump", &jump_name(number + 1)),
        Via::Command(command) if command.contains(['\n', '\r', '\0']) => {
            return Err("`ProxyCommand` has several lines".to_owned());
        }
        Via::Command(command) => option(text, "ProxyCommand", &command.replace('%', "%%")),
    }
    option(text, "Port", &login.port.to_string());
    if login.user.contains('%') {
        return Err(format!("`User` is `{}`", login.user));
    }
    option(text, "User", &word("User", &login.user)?);
    for identity in &login.identities {
        option(text, "IdentityFile", &path("IdentityFile", &identity.file)?);
        if let Some(certificate) = &identity.certificate {
            option(text, "CertificateFile", &path("CertificateFile", certificate)?);
        }
    }
    option(text, "IdentitiesOnly", if login.identities_only { "yes" } else { "no" });
    let agent = login
        .agent
        .as_deref()
        .map(|agent| path("IdentityAgent", agent))
        .transpose()?;
    option(text, "IdentityAgent", agent.as_deref().unwrap_or("none"));
    let known: Result<Vec<String>, String> = login
        .known_hosts
        .iter()
        .map(|file| path("UserKnownHostsFile", file))
        .collect();
    option(text, "UserKnownHostsFile", &known?.join(" "));
    option(text, "GlobalKnownHostsFile", "none");
    option(text, "UpdateHostKeys", "no");
    let check = match login.host_keys {
        HostKeys::Refuse => "yes",
        HostKeys::AcceptNew => "accept-new",
        HostKeys::Unchecked => "no",
    };
    option(text, "StrictHostKeyChecking", check);
    if let Some(alias) = &login.host_key_alias {
        option(text, "HostKeyAlias", &word("HostKeyAlias", alias)?);
    }
    option(
        text,
        "ConnectTimeout",
        &login.connect_timeout.as_secs().max(1).to_string(),
    );
    option(
        text,
        "ServerAliveInterval",
        &(login.dead_after.as_secs() / 3).max(1).to_string(),
    );
    let algorithms = &login.algorithms;
    for (name, list) in [
        ("Ciphers", &algorithms.ciphers),
        ("MACs", &algorithms.macs),
        ("KexAlgorithms", &algorithms.key_exchange),
        ("HostKeyAlgorithms", &algorithms.host_keys),
        ("PubkeyAcceptedAlgorithms", &algorithms.signatures),
    ] {
        if let Some(list) = list {
            option(text, name, &word(name, list)?);
        }
    }
    Ok(())
}

/// Returns a path as the client reads it back.
fn path(name: &str, path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .ok_or_else(|| format!("`{name}` is `{}`", path.display()))?;
    word(name, text)
}

/// Returns a value in quotes, in which `%` stands for itself.
fn word(name: &str, value: &str) -> Result<String, String> {
    let bad = |c: char| c.is_control() || matches!(c, '"' | '\\');
    if value.is_empty() || value.contains(bad) || value.contains("${") {
        return Err(format!("`{name}` is `{}`", value.escape_debug()));
    }
    Ok(format!("\"{}\"", value.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::sut::kind::ssh::login::{Algorithms, Identity, Password};

    fn login(host: &str, via: Via) -> Login {
        Login {
            name: host.to_owned(),
            host: host.to_owned(),
            port: 2222,
            user: "tester".to_owned(),
            identities: vec![Identity {
                file: PathBuf::from("/keys/a b 100%"),
                certificate: None,
                named: true,
            }],
            identities_only: true,
            agent: None,
            password: None,
            known_hosts: vec![PathBuf::from("/known")],
            host_key_alias: None,
            host_keys: HostKeys::Refuse,
            connect_timeout: Duration::from_secs(30),
            via,
            sudo: false,
            dead_after: Duration::from_secs(30),
            algorithms: Algorithms::default(),
        }
    }

    /// What the `ssh` client makes of the configuration, for a host.
    fn read_by_client(text: &str, host: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        write_private(&file, text).unwrap();
        let output = Command::new("ssh")
            .arg("-F")
            .arg(&file)
            .args(["-G", "--", host])
            .output();
        let output = output.expect("the ssh client is installed");
        assert!(
            output.status.success(),
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_client_goes_the_way_of_the_login_with_its_keys_and_checks() {
        let jump = login("jump", Via::Command("nc %h 'x'".to_owned()));
        let jump = Login {
            host_keys: HostKeys::AcceptNew,
            user: "other".to_owned(),
            ..jump
        };
        let text = ssh_config(&login("10.0.0.1", Via::Jump(Box::new(jump))), Path::new("/dir")).unwrap();
        let (target, jump) = (read_by_client(&text, "10.0.0.1"), read_by_client(&text, "atex-jump-1"));
        for line in [
            "hostname 10.0.0.1",
            "user tester",
            "port 2222",
            "identitiesonly yes",
            "stricthostkeychecking true",
            "userknownhostsfile /known",
            "proxyjump atex-jump-1",
            "controlpath /dir/shared",
            "batchmode yes",
        ] {
            assert!(target.lines().any(|found| found == line), "{line}\n{target}");
        }
        for line in [
            "hostname jump",
            "user other",
            "stricthostkeychecking accept-new",
            "proxycommand nc %%h 'x'",
        ] {
            assert!(jump.lines().any(|found| found == line), "{line}\n{jump}");
        }
        for found in [&target, &jump] {
            assert_eq!(found.matches("identityfile ").count(), 1, "{found}");
        }
    }

    #[test]
    fn no_value_becomes_a_second_option_or_is_expanded() {
        for value in ["a\nProxyCommand id", "a\" b", "a\\", "${HOME}", ""] {
            let bad = Login {
                user: value.to_owned(),
                ..login("h", Via::Direct)
            };
            assert!(ssh_config(&bad, Path::new("/dir")).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_password_stands_in_a_file_of_the_user_alone() {
        let with = Login {
            password: Some(Password("{{ se'c\"ret".to_owned())),
            ..login("h", Via::Direct)
        };
        let inventory = inventory(&with).unwrap();
        let directory = inventory.directory().unwrap().to_owned();
        let file = directory.join(HOSTS);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(r#"ansible_password: !unsafe "{{ se'c\"ret""#), "{text}");
        let arguments: Vec<String> = inventory
            .arguments()
            .iter()
            .map(|word| word.to_string_lossy().into())
            .collect();
        assert!(!arguments.concat().contains("ret"), "{arguments:?}");
        drop(inventory);
        assert!(!directory.exists());
    }
}
