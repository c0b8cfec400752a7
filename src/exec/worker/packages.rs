//! Installs packages on a SUT: the packages of all waiting tests in one transaction, or the packages of one step or test.

use std::collections::BTreeSet;

use crate::compile::spec::InstallSpec;
use crate::control::InfraKind;
use crate::event::{Event, SutEvent};
use crate::exec::attempt::script::{self, ScriptEnd};
use crate::exec::schedule::{JobId, LaneId};
use crate::exec::worker::{CommandError, Worker};
use crate::sut::agent::packages::{self, InstallOptions, PackageNeed};
use crate::sut::{EnvFile, Job, JobKind, Urgency};

/// How a package transaction ended.
pub(crate) enum Installed {
    /// All packages are installed.
    All,
    /// They could not be installed, for this reason.
    Not(String),
    /// The user cancelled.
    Cancelled,
}

impl Worker<'_> {
    /// Installs what all waiting tests require in one transaction. If that fails, each test will install its own packages. Returns whether
    /// the tests may start, which is not so after a cancellation.
    pub(super) fn install_for_tests(&mut self, lane: LaneId, waiting: &[JobId]) -> Result<bool, CommandError> {
        let tests = || waiting.iter().map(|&job| self.shared.test(job));
        let requires: BTreeSet<&String> = tests().flat_map(|test| &test.requires).collect();
        let recommends: BTreeSet<&String> = tests()
            .flat_map(|test| &test.recommends)
            .filter(|package| !requires.contains(package))
            .collect();
        let (requires, recommends) = (owned(requires), owned(recommends));
        self.individually = false;
        match self.install(lane, &requires, PackageNeed::Required)? {
            Installed::All => {}
            Installed::Cancelled => return Ok(false),
            Installed::Not(reason) => {
                let text = format!(
                    "the packages of all tests could not be installed at once, each test installs its own: {reason}"
                );
                self.outbox.event(Event::Warning { text });
                self.individually = true;
            }
        }
        match self.install(lane, &recommends, PackageNeed::Recommended)? {
            Installed::All => {}
            Installed::Cancelled => return Ok(false),
            Installed::Not(reason) => {
                let text = format!("recommended packages are missing: {reason}");
                self.outbox.event(Event::Warning { text });
            }
        }
        Ok(true)
    }

    /// Installs packages in one transaction.
    pub(crate) fn install(
        &mut self,
        lane: LaneId,
        packages: &[String],
        need: PackageNeed,
    ) -> Result<Installed, CommandError> {
        if packages.is_empty() {
            return Ok(Installed::All);
        }
        let script = match self.install_script(packages, need) {
            Ok(script) => script,
            Err(reason) => return Ok(Installed::Not(reason)),
        };
        let job = Job {
            kind: JobKind::Script {
                plan_data: None,
                step: None,
            },
            script,
            slot: self.shared.slot(self.shared.lane(lane).upload).to_owned(),
            dir: String::new(),
            env_before: Vec::new(),
            env_after: Vec::new(),
            env_file: EnvFile::Base,
        };
        self.tell(SutEvent::Installing, String::new());
        let title = format!("packages: {}", packages.join(" "));
        let mut log = self.shared.prepare_log.part(self.sut.name(), &title)?;
        let ran = script::run(self.sut.as_mut(), &job, &self.shared.cancel, Urgency::None, &mut log)?;
        let last = log.last_line()?;
        log.finish()?;
        Ok(match ran {
            ScriptEnd::Infra(InfraKind::Cancelled, _) => Installed::Cancelled,
            ran => match ran.failure() {
                None => Installed::All,
                Some(reason) if last.is_empty() => Installed::Not(reason),
                Some(_) => Installed::Not(last),
            },
        })
    }

    /// Returns the script of a prepare step that installs packages.
    pub(super) fn step_install_script(&self, spec: &InstallSpec) -> Result<String, String> {
        let Some(facts) = &self.facts else {
            return Err("the SUT has not told what it is".to_owned());
        };
        let mut options = InstallOptions {
            directories: spec.directories.clone(),
            copr: spec.copr.clone(),
            exclude: spec.exclude.clone(),
            ..InstallOptions::default()
        };
        let mut names = Vec::new();
        for package in &spec.packages {
            let address = ["http://", "https://"].iter().any(|scheme| package.starts_with(scheme));
            let file = [".rpm", ".deb", ".apk"].iter().any(|end| package.ends_with(end));
            if address {
                options.urls.push(package.clone());
            } else if file {
                options.files.push(package.trim_start_matches('/').to_owned());
            } else if let Some(name) = without_debuginfo(package) {
                options.debuginfo.push(name);
            } else {
                names.push(package.clone());
            }
        }
        let need = if spec.skips_missing {
            PackageNeed::Recommended
        } else {
            PackageNeed::Required
        };
        packages::script_with(facts, &names, &options, need).map_err(|error| error.to_string())
    }

    pub(crate) fn install_script(&self, names: &[String], need: PackageNeed) -> Result<String, String> {
        let Some(facts) = &self.facts else {
            return Err("the SUT has not told what it is".to_owned());
        };
        packages::install_script(facts, names, need).map_err(|error| error.to_string())
    }
}

/// Returns the package of which the debuginfo is wanted: `glibc` for `glibc-debuginfo`, with what follows after a dot. As in tmt, the name
/// of a `-debugsource` stays.
fn without_debuginfo(package: &str) -> Option<String> {
    let ends = |word: &str| {
        let (before, after) = package.split_once(word)?;
        (after.is_empty() || after.starts_with('.')).then(|| (before.to_owned(), after.to_owned()))
    };
    match ends("-debuginfo") {
        Some((before, after)) => Some(before + &after),
        None => ends("-debugsource").map(|_| package.to_owned()),
    }
}

fn owned(names: BTreeSet<&String>) -> Vec<String> {
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::without_debuginfo;

    #[test]
    fn debuginfo_is_wanted_where_the_name_ends_so() {
        assert_eq!(without_debuginfo("glibc-debuginfo").as_deref(), Some("glibc"));
        assert_eq!(without_debuginfo("glibc-debuginfo.i686").as_deref(), Some("glibc.i686"));
        assert_eq!(without_debuginfo("x-debugsource").as_deref(), Some("x-debugsource"));
        for name in ["glibc", "debuginfo", "glibc-debuginfo-common"] {
            assert_eq!(without_debuginfo(name), None, "{name}");
        }
    }
}
