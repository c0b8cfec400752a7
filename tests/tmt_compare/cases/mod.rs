//! Small trees that show one feature each, in files by subject.
//!
//! A run of tmt takes seconds before the first test, so most of them become directories of one tree, with a plan each. `CASE` in their files
//! stands for that directory. A tree without a plan gets one that selects all of its tests. A file `tmt-compare.sh` is run in its directory
//! before the tree is, in the namespace: there it can make repositories below `/var/tmp`.

mod custom;
mod ends;
mod exits;
mod git;
mod libraries;
mod names;
mod outcomes;
mod phases;
mod plans;
mod selection;
mod variables;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A small tree.
pub(crate) struct Case {
    /// Its directory, and the name of its plan.
    pub(crate) name: &'static str,
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// It is compared in every run of the tests, not only where all are asked for.
    pub(crate) is_short: bool,
    /// It cannot share a tree: it needs options, a repository, or metadata that spoils the rest.
    pub(crate) alone: Option<&'static [&'static str]>,
    /// It runs a playbook.
    pub(crate) needs_ansible: bool,
    /// Somebody works on what it shows, under this name.
    pub(crate) waiting: Option<&'static str>,
}

impl Case {
    const fn new(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            name,
            files,
            is_short: false,
            alone: None,
            needs_ansible: false,
            waiting: None,
        }
    }

    const fn short(self) -> Self {
        Self { is_short: true, ..self }
    }

    const fn alone(self, options: &'static [&'static str]) -> Self {
        Self {
            alone: Some(options),
            ..self
        }
    }

    const fn with_ansible(self) -> Self {
        Self {
            needs_ansible: true,
            ..self
        }
    }

    #[allow(dead_code, reason = "no tree may wait for anybody at the moment")]
    const fn waiting(self, part: &'static str) -> Self {
        Self {
            waiting: Some(part),
            ..self
        }
    }

    /// Writes its files into a directory, in which `CASE` becomes `prefix`.
    pub(crate) fn write(&self, dir: &Path, prefix: &str) -> io::Result<()> {
        let mut has_plan = false;
        for (path, text) in self.files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().expect("a file below a directory"))?;
            fs::write(&path, text.replace("/CASE", prefix))?;
            has_plan |= ["plan", "p", "a plan"]
                .iter()
                .any(|name| path.ends_with(format!("{name}.fmf")))
                || path.ends_with("p/main.fmf")
                || self.name.starts_with("no-plan");
        }
        if !has_plan {
            let plan = format!("discover: {{how: fmf, test: [^{prefix}/]}}\nexecute: {{how: tmt}}\n");
            fs::write(dir.join("plan.fmf"), plan)?;
        }
        Ok(())
    }
}

/// Returns all of them that can run here.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let ansible = std::env::var_os("ATEX_ANSIBLE").map(PathBuf::from);
    let has_ansible = ansible.is_some_and(|bin| bin.join("ansible-playbook").exists());
    [
        outcomes::CASES,
        custom::CASES,
        variables::CASES,
        selection::CASES,
        plans::CASES,
        phases::CASES,
        names::CASES,
        libraries::CASES,
        git::CASES,
        ends::CASES,
        exits::CASES,
    ]
    .into_iter()
    .flatten()
    .filter(move |case| has_ansible || !case.needs_ansible)
}
