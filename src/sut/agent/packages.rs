//! Makes the script that installs packages with a machine's own package manager.
//!
//! This is text only: what runs is `packages.bash` below a few lines that are made here. The names of packages come from test
//! metadata and are never interpreted by a shell: each is checked, then quoted.

use crate::sut::Facts;
use crate::sut::agent::job_text::quote;

const SCRIPT: &str = include_str!("bash/packages.bash");

/// The script's exit code where a package is missing and the user is not root.
pub const NOT_ROOT: i32 = 101;

/// What happens where a package cannot be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageNeed {
    /// The script fails.
    Required,
    /// The script reports it, and exits with 0.
    Recommended,
}

/// Why no script can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackagesError {
    /// Nothing on the machine installs packages.
    #[error("no package manager was found there (looked for dnf5, dnf, yum, rpm-ostree, apt, zypper and apk)")]
    NoManager,
    /// The name is not the name of a package for this manager.
    #[error("`{name}` is not the name of a package for {manager}")]
    BadName {
        /// The name.
        name: String,
        /// The manager.
        manager: String,
    },
}

/// Makes the script that installs `packages` in one transaction with the best manager of the machine. It does nothing if they
/// are installed.
pub fn install_script(facts: &Facts, packages: &[String], need: PackageNeed) -> Result<String, PackagesError> {
    if packages.is_empty() {
        return Ok(":\n".to_owned());
    }
    let manager = facts.managers.first().ok_or(PackagesError::NoManager)?;
    let mut script = format!("manager={manager}\n");
    script.push_str(match need {
        PackageNeed::Required => "mode=required\n",
        PackageNeed::Recommended => "mode=recommended\n",
    });
    script.push_str("packages=(");
    for name in packages {
        if !is_name(name, manager) {
            return Err(PackagesError::BadName {
                name: name.clone(),
                manager: manager.clone(),
            });
        }
        script.push_str(&String::from_utf8_lossy(&quote(name.as_bytes())));
        script.push(' ');
    }
    script.push_str(")\n");
    script.push_str(SCRIPT);
    Ok(script)
}

/// Whether a manager takes `name` for a package, a file or a capability and for nothing else: not for an option, a package to
/// remove (`name-`, `!name`), or a pattern.
fn is_name(name: &str, manager: &str) -> bool {
    let mut bytes = name.bytes();
    let Some(first) = bytes.next() else { return false };
    match manager {
        "apt" | "apk" => {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.:=~/_".contains(&byte);
            first.is_ascii_alphanumeric() && bytes.all(inner) && !name.ends_with('-')
        }
        _ => {
            let inner = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\`$;&|!".contains(&byte) || byte == b' ';
            (first.is_ascii_alphanumeric() || b"/_@".contains(&first)) && bytes.all(inner) && !name.ends_with(' ')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(manager: &str) -> Facts {
        Facts {
            managers: vec![manager.to_owned()],
            ..crate::sut::local_facts()
        }
    }

    fn accepts(manager: &str, name: &str) -> bool {
        install_script(&facts(manager), &[name.to_owned()], PackageNeed::Required).is_ok()
    }

    #[test]
    fn names_that_a_manager_would_take_for_something_else_are_refused() {
        for manager in ["dnf", "dnf5", "yum", "rpm-ostree", "zypper", "apt", "apk"] {
            for name in [
                "",
                "-y",
                "--allow-downgrades",
                "!x",
                "~x",
                "+x",
                " x",
                "a\nb",
                "a;b",
                "$(id)",
                "`id`",
                "a\0",
                "ü",
            ] {
                assert!(!accepts(manager, name), "{manager} {name:?}");
            }
            for name in ["bash", "gcc-c++", "g++", "libfoo1.2", "python3.11", "x86_64-thing"] {
                assert!(accepts(manager, name), "{manager} {name:?}");
            }
        }
        assert!(!accepts("apt", "bash-"));
        assert!(!accepts("apt", "lib*"));
        assert!(accepts("apt", "libc6:amd64"));
        assert!(accepts("apt", "bash=5.2.15-2+b7"));
        for name in [
            "/usr/bin/ls",
            "perl(Test::More)",
            "python3dist(pytest) >= 3",
            "@development-tools",
            "kernel-0:6.1-1.x86_64",
        ] {
            assert!(accepts("dnf", name), "{name}");
        }
    }

    #[test]
    fn machine_without_a_manager_is_an_error_only_if_something_is_wanted() {
        let none = Facts {
            managers: Vec::new(),
            ..facts("apt")
        };
        assert_eq!(
            install_script(&none, &["x".to_owned()], PackageNeed::Required),
            Err(PackagesError::NoManager)
        );
        assert!(install_script(&none, &[], PackageNeed::Required).is_ok());
    }
}
