//! Tests of a machine in a container, which has an sshd and its own processes, mounts, host name and files. Its root file system
//! is this machine's, and changes to it stay in memory. So nothing is fetched, and the real package manager installs packages.

use std::fs;
use std::process::Command;

use crate::e2e_ssh::lab::Lab;
use crate::support::World;

/// A package that is in no distribution.
const PACKAGE: &str = "atex-witness";

/// Becomes a container that runs a command. `$1`: where its root is put together; `$2`: a directory that is the same on both sides.
const CONTAINER: &str = r#"
set -e
root=$1 shared=$2
shift 2
mount --make-rprivate /
mount -t tmpfs none "$root"
mkdir "$root"/{up,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$root/up,workdir=$root/work" none "$root/root"
root=$root/root
mount --rbind /dev "$root/dev"
mount -t proc none "$root/proc"
mkdir -p "$root$shared" "$root/run/sshd"
mount --bind "$shared" "$root$shared"
cp -r "$shared/repository" "$root/repository"
chmod -R a+rX "$root/repository"
rm -rf "$root"/etc/apt/sources.list*
echo 'deb [trusted=yes] file:/repository ./' >"$root/etc/apt/sources.list"
hostname container
exec chroot "$root" "$@"
"#;

/// A repository of apt with one package.
fn repository(world: &World) {
    let control = format!(
        "Package: {PACKAGE}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.invalid>\n\
         Description: says that it is there\n"
    );
    world.write("package/DEBIAN/control", &control);
    world.write(format!("package/usr/bin/{PACKAGE}"), "#!/bin/sh\necho installed\n");
    let dir = world.path("repository");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("package.deb");
    let built = Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .args([world.path("package"), file.clone()])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let sum = Command::new("sha256sum").arg(&file).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let (sum, size) = (sum.split(' ').next().unwrap(), file.metadata().unwrap().len());
    let index = format!("{control}Filename: ./package.deb\nSize: {size}\nSHA256: {sum}\n");
    fs::write(dir.join("Packages"), index).unwrap();
}

/// A lab whose sshd runs in a container. Nothing where this machine does not let us make one.
fn lab() -> Option<Lab> {
    let missing = if !rustix::process::geteuid().is_root() {
        Some("root")
    } else if ["apt-get", "dpkg-deb", "unshare"]
        .iter()
        .any(|program| !is_here(program))
    {
        Some("Debian's tools")
    } else {
        None
    };
    if let Some(missing) = missing {
        assert!(std::env::var_os("CI").is_none(), "a container needs {missing}");
        eprintln!("SKIPPED: a container needs {missing}");
        return None;
    }
    let world = World::new();
    repository(&world);
    let inside = world.path("inside");
    fs::create_dir(&inside).unwrap();
    let (inside, shared) = (inside.display().to_string(), world.path("").display().to_string());
    let shared = shared.trim_end_matches('/').to_owned();
    let unshare = [
        "unshare",
        "-m",
        "-u",
        "-p",
        "-f",
        "--kill-child",
        "bash",
        "-c",
        CONTAINER,
    ];
    let prefix: Vec<&str> = unshare.into_iter().chain(["container", &inside, &shared]).collect();
    // A shell that reads start-up files of this machine's root may take long.
    Some(Lab::within(world, &prefix, "SetEnv SHLVL=5"))
}

fn is_here(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(program).exists())
}

#[test]
fn a_container_is_prepared_by_its_own_package_manager_and_this_machine_is_as_before() {
    let Some(lab) = lab() else { return };
    lab.world.write(
        "tree/plan.fmf",
        format!(
            "discover:\n    how: fmf\nprepare:\n  - how: install\n    package: {PACKAGE}\n  - how: shell\n    script: echo prepare >>$COUNTER\n\
             execute:\n    how: tmt\nfinish:\n    how: shell\n    script: echo finish >>$COUNTER\n"
        ),
    );
    let test = format!("test: echo \"$({PACKAGE}) on $(hostname)\" >>$COUNTER\nrequire: {PACKAGE}\n");
    lab.world.write("tree/a/main.fmf", test);
    lab.run(0, ["build", "--until", "test"]);
    assert_eq!(lab.ran(), ["prepare", "installed on container", "b"]);
    assert!(!is_here(PACKAGE), "what is installed there is not here");
    // It says itself that it is prepared.
    lab.run(0, ["test", "/a"]);
    assert_eq!(lab.ran(), ["installed on container"]);
    lab.run(0, ["finish"]);
    assert_eq!(lab.ran(), ["finish"]);
}

#[test]
fn a_container_that_ends_and_starts_anew_is_no_longer_prepared() {
    let Some(mut lab) = lab() else { return };
    // Its state lies in the container, and not where both sides see it.
    let target = |lab: &Lab| {
        let shared = format!("dir={}", lab.world.sut().display());
        lab.target("").replace(&shared, "dir=/var/lib/atex-container")
    };
    let build = |lab: &Lab| lab.on(&target(lab), ["build", "--rerun", "--until", "test"]).run();
    build(&lab).expect(0);
    assert_eq!(lab.ran(), ["prepare", "a", "b"]);
    build(&lab).expect(0);
    assert_eq!(lab.ran(), ["a", "b"]);
    lab.sshd.stop();
    assert!(lab.sshd.resume(), "{}", lab.sshd.log());
    build(&lab).expect(0);
    assert_eq!(lab.ran(), ["prepare", "a", "b"]);
    assert!(!std::path::Path::new("/var/lib/atex-container").exists());
}
