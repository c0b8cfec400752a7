//! A machine with a user of the test's own. Its server runs in a mount namespace in which `/etc/passwd` and similar files are
//! replaced, so this machine's users are not changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::e2e_ssh::lab::Lab;
use crate::support::World;

/// The user's number: nobody has it here.
const ID: u32 = 54_321;

/// A user `tester` with the password `let me in` who may do everything by sudo.
pub(crate) struct User {
    pub(crate) world: World,
    shell: String,
}

impl User {
    /// Makes one who has this login shell.
    pub(crate) fn new(shell: &str) -> Self {
        let world = World::new();
        // The user must reach its key and its home.
        fs::set_permissions(world.path(""), Permissions::from_mode(0o711)).unwrap();
        let user = Self {
            world,
            shell: shell.to_owned(),
        };
        fs::create_dir(user.home()).unwrap();
        own(&user.home(), 0o755);
        user
    }

    /// The home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.world.path("tester")
    }

    /// Writes a file below the home directory.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        self.world.write(Path::new("tester").join(relative), text);
        let path = self.home().join(relative);
        for dir in path.ancestors().take_while(|dir| *dir != self.home()) {
            own(dir, if dir.is_dir() { 0o700 } else { 0o600 });
        }
    }

    /// The command that starts another one where the user is known. Nothing where this machine does not let us.
    pub(crate) fn prefix(&self) -> Option<Vec<String>> {
        if !rustix::process::geteuid().is_root() {
            assert!(
                std::env::var_os("CI").is_none(),
                "users of a server can be made by root only"
            );
            eprintln!("SKIPPED: users of a server can be made by root only");
            return None;
        }
        let mounts = self.etc().map(|(file, mode, text)| {
            self.world.write(Path::new("etc").join(file), text);
            let path = self.world.path("etc").join(file);
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            format!("mount --bind {} /etc/{file} && ", path.display())
        });
        let mounts = mounts.concat();
        let script = format!("{mounts} exec \"$@\"");
        Some(
            ["unshare", "-m", "sh", "-c", &script, "server"]
                .map(str::to_owned)
                .to_vec(),
        )
    }

    /// Files of `/etc`, with their modes.
    fn etc(&self) -> [(&'static str, u32, String); 5] {
        let hash = Command::new("perl")
            .args(["-e", r#"print crypt("let me in", "\$6\$salt\$")"#])
            .output()
            .unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        let etc = |name: &str| fs::read_to_string(Path::new("/etc").join(name)).unwrap();
        let (home, shell) = (self.home(), &self.shell);
        let user = format!("tester:x:{ID}:{ID}::{}:{shell}\n", home.display());
        let sudoers = "root ALL=(ALL:ALL) ALL\ntester ALL=(ALL:ALL) NOPASSWD: ALL\n";
        [
            ("passwd", 0o644, etc("passwd") + &user),
            (
                "shadow",
                0o600,
                format!("{}tester:{hash}:19000:0:99999:7:::\n", etc("shadow")),
            ),
            ("group", 0o644, format!("{}tester:x:{ID}:\n", etc("group"))),
            ("shells", 0o644, format!("/bin/sh\n{shell}\n")),
            ("sudoers", 0o440, sudoers.to_owned()),
        ]
    }

    /// A lab whose sshd knows the user, and has more lines of configuration.
    pub(crate) fn lab(self, sshd: &str) -> Option<Lab> {
        let prefix = self.prefix()?;
        let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
        Some(Lab::within(self.world, &prefix, sshd))
    }
}

/// A target for the user `tester`.
pub(crate) fn tester(lab: &Lab, more: &str) -> String {
    let port = lab.port();
    format!("ssh://tester@127.0.0.1:{port}?name=lab{more}")
}

/// Gives a file or directory to the user.
fn own(path: &Path, mode: u32) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(ID), Some(ID)).unwrap();
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
