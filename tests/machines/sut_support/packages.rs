//! Tests of packages with real package managers: apt of this machine, and dnf with a repository that is made here.
//!
//! If something that a test needs is missing, the test prints that; where CI is set, it fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::sut_support::{Outcome, run, script};
use atex::sut::agent::packages::{InstallOptions, NOT_ROOT, PackageNeed, install_script, script_with};
use atex::sut::{Cancel, Facts, Job, Local, OnHeld, Sut, local_facts};

/// Tests take this lock, since there is only one package database.
static APT: Mutex<()> = Mutex::new(());

/// Whether all of these programs are installed. If not, says so.
fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| which(program).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    let what = format!("not tested here: {missing:?} missing");
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("SKIPPED: {what}");
    false
}

fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.exists())
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "not tested here: needs root");
        eprintln!("SKIPPED: needs root");
    }
    root
}

/// Runs the script that installs packages on a local machine.
fn install(facts: &Facts, packages: &[&str], need: PackageNeed, path: Option<&Path>) -> Outcome {
    install_with(facts, packages, (&InstallOptions::default(), need), path, &[])
}

/// Runs the script of a prepare step, with packages in the tree.
fn install_with(
    facts: &Facts,
    packages: &[&str],
    (options, need): (&InstallOptions, PackageNeed),
    path: Option<&Path>,
    tree: &[(&str, &Path)],
) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let mut sut = Local::new("local", Some(home.path().join("sut")), Cancel::new().unwrap()).unwrap();
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    let text = script_with(facts, &packages, options, need).unwrap();
    let files = tree
        .iter()
        .map(|(name, source)| format!("mkdir -p $(dirname {name}); cp {} {name}\n", source.display()));
    let text = files.collect::<String>() + &text;
    let first = path.map(|path| format!("{}:{}", path.display(), std::env::var("PATH").unwrap()));
    let job = Job {
        env_before: first.map(|path| ("PATH".to_owned(), path)).into_iter().collect(),
        ..script(&text)
    };
    run(&mut sut, &job)
}

/// A private rpm world: packages, a repository, an install root, and a `dnf` and an `rpm` that know no other.
struct Rpm {
    dir: tempfile::TempDir,
    facts: Facts,
}

impl Rpm {
    fn new(manager: &str) -> Option<Self> {
        if !is_root() || !have(&["rpm", "rpmbuild", "dnf", "createrepo_c"]) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines/sut_support/rpm-fixture.bash");
        let made = Command::new("bash").arg(fixture).arg(dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let bin = dir.path().join("bin");
        if manager != "dnf" {
            std::fs::rename(bin.join("dnf"), bin.join(manager)).unwrap();
        }
        let facts = Facts {
            managers: vec![manager.to_owned()],
            ..local_facts()
        };
        Some(Self { dir, facts })
    }

    fn install(&self, packages: &[&str], need: PackageNeed) -> Outcome {
        install(&self.facts, packages, need, Some(&self.dir.path().join("bin")))
    }

    fn has(&self, package: &str) -> bool {
        let rpm = Command::new(self.dir.path().join("bin/rpm"))
            .args(["-q", package])
            .output()
            .unwrap();
        rpm.status.success()
    }

    /// Returns how often the manager was called.
    fn transactions(&self) -> usize {
        let log = std::fs::read_to_string(self.dir.path().join("transactions")).unwrap_or_default();
        log.lines().count()
    }
}

#[test]
fn dnf_installs_what_is_missing_in_one_transaction_and_nothing_twice() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    let outcome = rpm.install(&["beta", "gamma"], PackageNeed::Required);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert!(rpm.has("alpha") && rpm.has("beta") && rpm.has("gamma"));
    assert_eq!(rpm.transactions(), 1);
    let again = [
        "alpha",
        "beta",
        "gamma",
        "virtual-alpha",
        "/usr/share/alpha/version",
        "alpha(feature) >= 2",
        "alpha.noarch",
    ];
    let outcome = rpm.install(&again[..5], PackageNeed::Required);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert_eq!(rpm.transactions(), 1, "all is there");
}

#[test]
fn dnf_takes_files_and_capabilities() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    assert_eq!(
        rpm.install(&["/usr/share/alpha/version", "virtual-gamma"], PackageNeed::Required)
            .exit_code(),
        0
    );
    assert!(rpm.has("alpha") && rpm.has("gamma"));
}

#[test]
fn dnf_installs_packages_of_the_tree_and_leaves_out_what_is_excluded() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    let built = |name: &str| rpm.dir.path().join(format!("rpms/noarch/{name}-1-1.noarch.rpm"));
    let (alpha, beta, gamma) = (built("alpha"), built("beta"), built("gamma"));
    let tree = [
        ("one/a.rpm", &*alpha),
        ("all/beta-1-1.noarch.rpm", &*beta),
        ("all/gamma-1-1.noarch.rpm", &*gamma),
    ];
    let words = |text: &str| vec![text.to_owned()];
    let options = InstallOptions {
        files: words("one/a.rpm"),
        directories: words("all"),
        exclude: words("gam*"),
        ..InstallOptions::default()
    };
    let bin = rpm.dir.path().join("bin");
    let run = |options: &InstallOptions, need| install_with(&rpm.facts, &["gamma"], (options, need), Some(&bin), &tree);
    let outcome = run(&options, PackageNeed::Required);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert!(rpm.has("alpha") && rpm.has("beta"), "{}", outcome.output());
    assert!(!rpm.has("gamma"), "it is excluded by name and as a file");
    // Only what the tree has now counts, so the same version is put in place again.
    let outcome = run(&options, PackageNeed::Required);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    let lost = InstallOptions {
        directories: words("none"),
        ..InstallOptions::default()
    };
    let outcome = run(&lost, PackageNeed::Recommended);
    assert_eq!(outcome.exit_code(), 1, "{}", outcome.output());
    assert!(
        outcome.output().contains("no directory none in the tree"),
        "{}",
        outcome.output()
    );
}

#[test]
fn what_cannot_be_had_is_skipped_or_fails_as_the_step_says() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    let bin = rpm.dir.path().join("bin");
    let words = |text: &str| vec![text.to_owned()];
    let none = InstallOptions::default;
    for (options, problem) in [
        (
            InstallOptions {
                copr: words("a/b"),
                ..none()
            },
            "cannot enable the Copr repository a/b with dnf",
        ),
        (
            InstallOptions {
                urls: words("http://127.0.0.1:9/x.rpm"),
                ..none()
            },
            "cannot install http://127.0.0.1:9/x.rpm with dnf",
        ),
        (
            InstallOptions {
                debuginfo: words("alpha"),
                ..none()
            },
            "cannot install the debuginfo of alpha",
        ),
    ] {
        let run = |need| install_with(&rpm.facts, &["gamma"], (&options, need), Some(&bin), &[]);
        let outcome = run(PackageNeed::Required);
        assert_eq!(outcome.exit_code(), 1, "{}", outcome.output());
        assert!(outcome.output().contains(problem), "{}", outcome.output());
        let outcome = run(PackageNeed::Recommended);
        assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
        assert!(outcome.output().contains(problem), "{}", outcome.output());
        assert!(rpm.has("gamma"), "the others are installed");
    }
}

#[test]
fn dnf_fails_for_a_required_package_that_does_not_exist_or_cannot_be_installed() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    for bad in ["nosuch", "broken"] {
        let outcome = rpm.install(&["alpha", bad], PackageNeed::Required);
        assert_eq!(outcome.exit_code(), 1, "{}", outcome.output());
        assert!(outcome.output().contains(bad), "{}", outcome.output());
        assert!(!rpm.has("alpha"), "all or nothing");
    }
}

#[test]
fn recommended_packages_are_installed_as_far_as_they_can_be_and_never_fail() {
    let Some(rpm) = Rpm::new("dnf") else { return };
    let outcome = rpm.install(&["nosuch", "alpha", "broken", "gamma"], PackageNeed::Recommended);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert!(rpm.has("alpha") && rpm.has("gamma"));
    assert!(
        outcome
            .output()
            .contains("recommended, and not installed: nosuch broken"),
        "{}",
        outcome.output()
    );
}

#[test]
fn yum_is_not_believed_when_it_leaves_out_what_it_does_not_know() {
    let Some(rpm) = Rpm::new("yum") else { return };
    let yum = rpm.dir.path().join("bin/yum");
    let real = std::fs::read_to_string(&yum).unwrap();
    std::fs::write(&yum, real.replace("--assumeyes", "--assumeyes --setopt=strict=0")).unwrap();
    let outcome = rpm.install(&["alpha", "nosuch"], PackageNeed::Required);
    assert_eq!(outcome.exit_code(), 1, "{}", outcome.output());
    assert!(rpm.has("alpha"));
    assert!(
        outcome.output().contains("still not installed: nosuch"),
        "{}",
        outcome.output()
    );
}

/// A small package that depends on nothing but libc.
const SMALL: &str = "hello";

fn apt() -> Option<Facts> {
    if !have(&["apt-get", "dpkg-query"]) || !is_root() {
        return None;
    }
    if installed(SMALL) {
        eprintln!("SKIPPED: `{SMALL}` is installed here, and stays");
        return None;
    }
    Some(Facts {
        managers: vec!["apt".to_owned()],
        ..local_facts()
    })
}

fn purge(package: &str) {
    let _not_there = Command::new("apt-get")
        .args(["-y", "-q", "purge", package])
        .output()
        .unwrap();
}

fn installed(package: &str) -> bool {
    Command::new("dpkg")
        .args(["-s", package])
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn apt_installs_what_is_missing_and_nothing_twice() {
    let Some(facts) = apt() else { return };
    let _one_at_a_time = APT.lock();
    let outcome = install(&facts, &["bash", SMALL], PackageNeed::Required, None);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert!(installed(SMALL));
    let outcome = install(&facts, &["bash", SMALL], PackageNeed::Required, None);
    assert_eq!(
        outcome.output(),
        format!(
            "all packages are installed: bash {SMALL}
"
        )
    );
    purge(SMALL);
    let outcome = install(
        &facts,
        &["no-such-package-at-all", SMALL],
        PackageNeed::Recommended,
        None,
    );
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    assert!(installed(SMALL));
    assert!(
        outcome.output().contains("not installed: no-such-package-at-all"),
        "{}",
        outcome.output()
    );
    purge(SMALL);
}

#[test]
fn apt_knows_what_installed_packages_provide_and_files_that_are_there() {
    let Some(facts) = apt() else { return };
    let _one_at_a_time = APT.lock();
    // `awk` is provided by mawk or gawk, one of which every Debian has.
    let names = ["awk", "/usr/bin/awk", "/bin/sh"];
    let outcome = install(&facts, &names, PackageNeed::Required, None);
    assert_eq!(
        outcome.output(),
        format!("all packages are installed: {}\n", names.join(" "))
    );
}

#[test]
fn apt_fails_for_a_required_package_that_does_not_exist() {
    let Some(facts) = apt() else { return };
    let _one_at_a_time = APT.lock();
    // The last name would match an existing package if it were taken for a pattern.
    for name in ["no-such-package-at-all", "bas.h"] {
        let outcome = install(&facts, &["bash", name], PackageNeed::Required, None);
        assert_eq!(outcome.exit_code(), 1, "{}", outcome.output());
        assert!(
            outcome.output().contains(&format!("atex: cannot install {name}")),
            "{}",
            outcome.output()
        );
    }
}

#[test]
fn somebody_who_is_not_root_is_told_so_and_only_if_something_is_missing() {
    if !have(&["dpkg-query"]) || !is_root() || !have(&["setpriv"]) {
        return;
    }
    let facts = Facts {
        managers: vec!["apt".to_owned()],
        ..local_facts()
    };
    let as_nobody = |packages: &[&str], need| {
        let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
        let text = install_script(&facts, &packages, need).unwrap();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c"];
        Command::new("setpriv").args(user).arg(text).output().unwrap()
    };
    assert_eq!(as_nobody(&["bash"], PackageNeed::Required).status.code(), Some(0));
    let refused = as_nobody(&["bash", "no-such-package"], PackageNeed::Required);
    assert_eq!(refused.status.code(), Some(NOT_ROOT));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "atex: cannot install no-such-package: not root\n"
    );
    assert_eq!(
        as_nobody(&["no-such-package"], PackageNeed::Recommended).status.code(),
        Some(0)
    );
}
