//! Tests of the ownership rule, with real users and links.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use crate::ownership::{Foreign, check, is_private};

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can give a directory to another user");
    }
    root
}

#[test]
fn what_others_may_write_is_not_used_and_a_sticky_directory_is_a_way() {
    let dir = tempfile::tempdir().unwrap();
    let (above, own) = (dir.path().join("above"), dir.path().join("above/own"));
    fs::create_dir_all(&own).unwrap();
    for (mode, way, itself) in [
        (0o755, true, true),
        (0o700, true, true),
        (0o777, false, false),
        (0o757, false, false),
        (0o1777, true, false),
    ] {
        set(&above, mode);
        for below in [&own, &above.join("not there/yet")] {
            assert_eq!(check(below).is_ok(), way, "{mode:o}");
        }
        assert_eq!(check(&above).is_ok(), itself, "{mode:o}");
    }
    set(&above, 0o777);
    assert_eq!(
        check(&own).unwrap_err().to_string(),
        format!("others may write to `{}`", above.display())
    );
}

#[test]
fn a_directory_is_the_users_own_and_the_way_to_it_his_or_roots() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (above, own) = (dir.path().join("above"), dir.path().join("above/own"));
    fs::create_dir_all(&own).unwrap();
    for wrong in [&own, &above] {
        check(&own).unwrap();
        chown(wrong, Some(4001), None).unwrap();
        let said = check(&own).unwrap_err().to_string();
        assert_eq!(
            said,
            format!("`{}` belongs to the user with the number 4001", wrong.display())
        );
        chown(wrong, Some(0), None).unwrap();
    }
    chown(&own, None, Some(4001)).unwrap();
    check(&own).unwrap();
    set(&own, 0o775);
    assert!(
        matches!(check(&own), Err(Foreign::Writable(_))),
        "the group of another user"
    );
    chown(&own, None, Some(0)).unwrap();
    check(&own).expect("the group of this user's number");
    let named = std::process::Command::new("setfacl")
        .args(["-m", "u:4001:rwx"])
        .arg(&own)
        .status();
    match named {
        Ok(status) if status.success() => assert!(matches!(check(&own), Err(Foreign::Writable(_)))),
        _ => eprintln!("SKIPPED: there is no `setfacl`"),
    }
}

#[test]
fn a_group_is_the_users_own_where_nobody_else_is_in_it() {
    let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\nbob:x:1002:1003::/home/bob:/bin/sh\n";
    for (gid, group, own) in [
        (1001, "", true),
        (1001, "staff:x:1001:\n", true),
        (1001, "staff:x:1001:ann,root\n", true),
        (1001, "staff:x:1001:bob\n", false),
        (1002, "", false),
        (1002, "ann:x:1002:\n", true),
        (1002, "ann:x:1002:ann\n", true),
        (1002, "ann:x:1002:ann, bob\n", false),
        (1002, "ann:x:1002:\nalias:x:1002:bob\n", false),
        (1002, "staff:x:1002:\n", false),
        (1003, "ann:x:1003:\n", false),
        (1004, "", false),
    ] {
        assert_eq!(is_private(gid, 1001, passwd, group), own, "{gid} {group}");
    }
}

#[test]
fn links_are_followed_one_by_one_and_each_must_be_safe() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("own")).unwrap();
    fs::create_dir_all(at("open")).unwrap();
    symlink("../own", at("open/second")).unwrap();
    symlink(at("open/second"), at("first")).unwrap();
    symlink("round", at("round")).unwrap();
    check(&at("first")).unwrap();
    set(&at("open"), 0o777);
    assert!(matches!(check(&at("first")), Err(Foreign::Writable(path)) if path == at("open")));
    set(&at("open"), 0o1777);
    check(&at("first/../first/new")).unwrap();
    assert!(check(&at("open/..")).is_ok() && check(&at("own/../open")).is_err());
    assert!(matches!(check(&at("round")), Err(Foreign::Io { .. })));
    if root() {
        std::os::unix::fs::lchown(at("open/second"), Some(4001), None).unwrap();
        assert!(matches!(check(&at("first")), Err(Foreign::Owner { uid: 4001, .. })));
    }
}
