//! The Ansible that tests run, and playbooks that leave a line with the witness.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::support::Atex;

/// Returns `PATH` with the `ansible-playbook` that `tests/run` installs, or with the one that is there. If there is none, says so.
pub(crate) fn path() -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::var_os("ATEX_ANSIBLE").map(PathBuf::from);
    let places: Vec<PathBuf> = installed.into_iter().chain(std::env::split_paths(&path)).collect();
    if !places.iter().any(|place| place.join("ansible-playbook").is_file()) {
        assert!(
            std::env::var_os("CI").is_none(),
            "not tested here: no `ansible-playbook`"
        );
        eprintln!("SKIPPED: not tested here: no `ansible-playbook`");
        return None;
    }
    Some(std::env::join_paths(places).expect("paths without colons"))
}

/// Lets a call find Ansible, and a Python for its modules that needs no home directory.
pub(crate) fn with_ansible(atex: Atex, path: &OsString) -> Atex {
    atex.env("PATH", path)
        .env("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3")
}

/// A playbook whose only task leaves a line with the witness.
pub(crate) fn playbook(line: &str) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo '{line}' >> {{{{ lookup('env', 'COUNTER') }}}}\n"
    )
}
