//! A mount namespace for the tests, in which their files are on a small disk and the kernel's boot id is a file that they can
//! change.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::geteuid;

/// Says to the process that runs below [`on_a_small_disk`] where other files than the world's can lie.
const OTHER_DISK: &str = "ATEX_HARNESS_OTHER_DISK";

/// Made by the test in its namespace.
const BEGAN: &str = "began";

/// The file that says to programs in the mount namespace of a test which boot this is.
const BOOT: &str = "boot_id";

/// Returns a directory that stays writable when the disk of the world is full.
pub(crate) fn other_disk() -> PathBuf {
    std::env::var_os(OTHER_DISK).map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Returns whether the world lies on a disk of its own, which can be filled, on a machine that can be called booted.
pub(crate) fn has_small_disk() -> bool {
    std::env::var_os(OTHER_DISK).is_some()
}

/// Runs a test of this binary once more in a mount namespace where temporary files lie on a small disk and the kernel's id of the
/// boot is a file of ours. Returns false where there is no need to go on; true in that namespace, and where it cannot be had.
pub(crate) fn on_a_small_disk(test: &str) -> bool {
    if has_small_disk() {
        fs::write(other_disk().join(BEGAN), "").expect("a file of the test");
        return true;
    }
    if !geteuid().is_root() {
        eprintln!("LEFT OUT: full disks and boots; only root can mount");
        return true;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("disk")).expect("a directory of the test");
    fs::write(dir.path().join(BOOT), boot_id(1)).expect("a file of the test");
    let script = r#"mount -t tmpfs -o size=64m tmpfs "$1/disk" && mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id || exit 77
TMPDIR=$1/disk ATEX_HARNESS_OTHER_DISK=$1 exec "$2" --exact "$3" --nocapture"#;
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "bash", "-c", script, "harness"])
        .arg(dir.path())
        .arg(std::env::current_exe().expect("this test"))
        .arg(test)
        .status()
        .expect("unshare is installed");
    if status.code() == Some(77) {
        eprintln!("LEFT OUT: full disks and boots; nothing can be mounted here");
        return true;
    }
    assert!(status.success(), "it failed in its namespace, see above");
    assert!(dir.path().join(BEGAN).exists(), "there is no test `{test}`");
    false
}

/// Makes it another boot.
pub(crate) fn boot() {
    let boot = other_disk().join(BOOT);
    let before = fs::read_to_string(&boot).expect("the id of a boot");
    let number = u64::from_str_radix(&before.trim()[24..], 16).expect("a number");
    fs::write(boot, boot_id(number + 1)).expect("the id of a boot");
}

fn boot_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}\n")
}
