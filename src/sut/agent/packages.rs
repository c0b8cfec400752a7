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

/// What a prepare step says beside the names of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallOptions {
    /// Packages in the tree, relative to its root.
    pub files: Vec<String>,
    /// Directories in the tree, all packages of which are installed.
    pub directories: Vec<String>,
    /// Addresses of packages.
    pub urls: Vec<String>,
    /// Packages of which the debuginfo is wanted.
    pub debuginfo: Vec<String>,
    /// Repositories of Copr that are enabled before.
    pub copr: Vec<String>,
    /// Patterns of names that are not installed.
    pub exclude: Vec<String>,
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
    script_with(facts, packages, &InstallOptions::default(), need)
}

/// Makes the script of a prepare step, which starts in the root of the tree.
pub fn script_with(
    facts: &Facts,
    packages: &[String],
    options: &InstallOptions,
    need: PackageNeed,
) -> Result<String, PackagesError> {
    let manager = facts.managers.first().ok_or(PackagesError::NoManager)?;
    let mut script = format!("manager={manager}\n");
    script.push_str(match need {
        PackageNeed::Required => "mode=required\n",
        PackageNeed::Recommended => "mode=recommended\n",
    });
    for (array, words, is_fine) in [
        ("packages", packages, is_name as fn(&str, &str) -> bool),
        ("debuginfo", &options.debuginfo, is_name),
        ("files", &options.files, is_path),
        ("directories", &options.directories, is_path),
        ("urls", &options.urls, is_path),
        ("copr", &options.copr, is_repository),
        ("exclude", &options.exclude, is_pattern),
    ] {
        if words.is_empty() && array != "packages" {
            continue;
        }
        script.push_str(array);
        script.push_str("=(");
        for word in words {
            if !is_fine(word, manager) {
                return Err(PackagesError::BadName {
                    name: word.clone(),
                    manager: manager.clone(),
                });
            }
            script.push_str(&String::from_utf8_lossy(&quote(word.as_bytes())));
            script.push(' ');
        }
        script.push_str(")\n");
    }
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
            let is_start = first.is_ascii_alphanumeric() || first == b'/' && manager == "apt";
            is_start && bytes.all(inner) && !name.ends_with('-')
        }
        _ => {
            let inner = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\`$;&|!".contains(&byte) || byte == b' ';
            (first.is_ascii_alphanumeric() || b"/_@".contains(&first)) && bytes.all(inner) && !name.ends_with(' ')
        }
    }
}

/// Whether a text can be handed on as a path or an address.
fn is_path(text: &str, _manager: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control)
}

/// Whether a text names a repository of Copr: `owner/name`, `@group/name`, perhaps after a host.
fn is_repository(text: &str, _manager: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
    };
    let parts: Vec<&str> = text.split('/').collect();
    let plain =
        |(at, part): (usize, &&str)| is_part(part.strip_prefix('@').filter(|_| at + 2 == parts.len()).unwrap_or(part));
    matches!(parts.len(), 2 | 3) && !text.starts_with('-') && parts.iter().enumerate().all(plain)
}

/// Whether a text is a pattern of names.
fn is_pattern(text: &str, _manager: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.:~_*?[]!".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_copr_has_an_owner_and_a_name() {
        for text in ["a/b", "@osci/rpminspect", "copr.example.org/a/b", "a/b_c.d"] {
            assert!(is_repository(text, "dnf"), "{text}");
        }
        for text in ["", "a", "/b", "a/", "-x/b", "a/b/c/d", "a b/c", "a/$(id)", "a/@b"] {
            assert!(!is_repository(text, "dnf"), "{text}");
        }
    }

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
        assert!(accepts("apt", "/usr/bin/x"));
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
