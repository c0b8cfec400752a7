//! Tests of the login that a target and a configuration make together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::sut::kind::ssh::login::{HostKeys, Password, Via};

/// A configuration in a directory of its own.
struct Bench {
    dir: tempfile::TempDir,
    files: ConfigFiles,
}

impl Bench {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, text).unwrap();
        let here = Here {
            home: PathBuf::from("/home/me"),
            user: "me".into(),
            uid: 1000,
            host: "desk.example".into(),
        };
        let only = Some(Only::File(file));
        let files = ConfigFiles { here, only };
        Self { dir, files }
    }

    fn resolved(&self, ask: &HostQuery) -> Result<ResolvedHost, String> {
        resolve(ask, &self.files).map_err(|error| {
            let dir = self.dir.path().display().to_string();
            error.to_string().replace(&dir, "DIR")
        })
    }
}

fn ask(host: &str) -> HostQuery {
    HostQuery {
        name: "lab".into(),
        host: host.into(),
        user: None,
        port: None,
        key: None,
        control_path: None,
        password: None,
        sudo: false,
        accept_new: false,
        dead_after: Duration::from_secs(30),
    }
}

#[test]
fn the_target_wins_over_the_configuration_and_that_over_what_is_usual() {
    let bench = Bench::new("Host box\n HostName 10.0.0.7\n User you\n Port 2222\n IdentityFile ~/k/%h-%r\n");
    let login = bench.resolved(&ask("box")).unwrap().login;
    assert_eq!(
        (login.host.as_str(), login.port, login.user.as_str()),
        ("10.0.0.7", 2222, "you")
    );
    assert_eq!(login.identities[0].file, Path::new("/home/me/k/10.0.0.7-you"));
    assert!(login.identities[0].named);
    let given = HostQuery {
        user: Some("root".into()),
        port: Some(22),
        key: Some("/k".into()),
        ..ask("box")
    };
    let login = bench.resolved(&given).unwrap().login;
    assert_eq!((login.port, login.user.as_str()), (22, "root"));
    let files: Vec<_> = login.identities.iter().map(|key| key.file.clone()).collect();
    assert_eq!(files, [Path::new("/k"), Path::new("/home/me/k/10.0.0.7-root")]);
    let login = bench.resolved(&ask("other")).unwrap().login;
    assert_eq!(
        (login.host.as_str(), login.port, login.user.as_str()),
        ("other", 22, "me")
    );
    assert!(
        login
            .identities
            .iter()
            .all(|key| !key.named && key.file.starts_with("/home/me/.ssh"))
    );
    assert_eq!(login.known_hosts[0], Path::new("/home/me/.ssh/known_hosts"));
}

#[test]
fn machines_on_the_way_are_resolved_like_the_last_and_get_nothing_of_the_targets() {
    let bench = Bench::new(
        "Host box\n ProxyJump first,you@second:2200\nHost first\n HostName 10.0.0.1\n ProxyCommand hop %h %p\nHost second\n HostName 10.0.0.2\n ProxyJump never\n",
    );
    let given = HostQuery {
        key: Some("/k".into()),
        password: Some(Password("hidden".into())),
        sudo: true,
        accept_new: true,
        ..ask("box")
    };
    let login = bench.resolved(&given).unwrap().login;
    let Via::Jump(second) = login.via else { panic!("a jump") };
    assert_eq!(
        (second.host.as_str(), second.port, second.user.as_str()),
        ("10.0.0.2", 2200, "you")
    );
    assert!(second.password.is_none() && !second.sudo && second.identities.iter().all(|key| !key.named));
    assert_eq!(second.host_keys, HostKeys::AcceptNew);
    let Via::Jump(first) = second.via else { panic!("a jump") };
    assert_eq!(first.host, "10.0.0.1");
    assert!(matches!(first.via, Via::Command(command) if command == "hop 10.0.0.1 22"));
}

#[test]
fn a_circle_of_jumps_is_an_error() {
    let bench = Bench::new("Host a\n ProxyJump b\nHost b\n ProxyJump a\n");
    let error = bench.resolved(&ask("a")).unwrap_err();
    assert!(error.contains("in a circle"), "{error}");
}

#[test]
fn a_control_path_is_used_only_where_the_target_has_one() {
    let bench = Bench::new("ControlPath /run/mine\nHost box\n ProxyJump gate\n");
    assert!(matches!(bench.resolved(&ask("box")).unwrap().login.via, Via::Jump(_)));
    let given = HostQuery {
        control_path: Some("/run/other".into()),
        ..ask("box")
    };
    let via = bench.resolved(&given).unwrap().login.via;
    assert!(matches!(via, Via::ControlPath(socket) if socket == Path::new("/run/other")));
}

#[test]
fn keys_are_never_added_to_the_systems_file() {
    let bench =
        Bench::new("UserKnownHostsFile none\nGlobalKnownHostsFile /etc/keys\nStrictHostKeyChecking accept-new\n");
    let login = bench.resolved(&ask("box")).unwrap().login;
    assert_eq!(login.known_hosts, [Path::new("/dev/null"), Path::new("/etc/keys")]);
    assert_eq!(login.host_keys, HostKeys::AcceptNew);
}

#[test]
fn what_cannot_be_understood_says_where() {
    for (text, problem) in [
        ("Port x\n", "`x` is no port (`DIR/config:1`)"),
        ("\nIdentityFile \"/k\n", "a quote is not closed (`DIR/config:2`)"),
        ("IdentityFile /k/%x\n", "`%x` is no token (`DIR/config:1`)"),
        (
            "IdentityFile /k/${ATEX_NO_SUCH_NAME}\n",
            "`${ATEX_NO_SUCH_NAME}` is not set (`DIR/config:1`)",
        ),
        (
            "IdentitiesOnly maybe\n",
            "`identitiesonly` must be `yes` or `no` (`DIR/config:1`)",
        ),
        ("Match host\n", "`Match host` has no argument (`DIR/config:1`)"),
        ("ConnectTimeout soon\n", "`soon` is no time (`DIR/config:1`)"),
        (
            "ProxyJump me@\n",
            "`me@` names no machine to jump through (`DIR/config:1`)",
        ),
    ] {
        assert_eq!(bench_error(text), problem);
    }
}

fn bench_error(text: &str) -> String {
    Bench::new(text).resolved(&ask("box")).unwrap_err()
}

#[test]
fn what_is_not_honoured_is_told_where_it_would_hold() {
    let bench = Bench::new(
        "Host other\n BindAddress 10.0.0.1\nHost *\n AddressFamily any\n PKCS11Provider /lib/p\nMatch exec \"test -e x\"\n Port 99\nMatch !exec true\n Port 98\n",
    );
    let resolved = bench.resolved(&ask("box")).unwrap();
    let told: Vec<_> = resolved
        .warnings
        .iter()
        .map(|warning| (warning.what.as_str(), warning.at.line))
        .collect();
    assert_eq!(told, [("pkcs11provider", 5), ("Match exec", 6), ("Match exec", 8)]);
    assert_eq!(resolved.login.port, 22);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let mut bench = Bench::new("");
    let missing = bench.dir.path().join("missing");
    bench.files.only = Some(Only::File(missing));
    let error = bench.resolved(&ask("box")).unwrap_err();
    assert!(
        error.starts_with("cannot read the SSH configuration `DIR/missing`"),
        "{error}"
    );
    bench.files.only = Some(Only::Nothing);
    assert_eq!(bench.resolved(&ask("box")).unwrap().login.port, 22);
}

#[test]
fn files_that_include_each_other_are_an_error() {
    let bench = Bench::new("");
    let file = bench.dir.path().join("config");
    std::fs::write(&file, format!("Include {}\n", file.display())).unwrap();
    let error = bench.resolved(&ask("box")).unwrap_err();
    assert_eq!(error, "`Include` goes too deep (`DIR/config:1`)");
}

#[test]
fn includes_take_wildcards_in_the_order_of_names() {
    let bench = Bench::new("");
    let dir = bench.dir.path();
    std::fs::write(
        dir.join("config"),
        format!("Include {}/*.conf\nPort 3\n", dir.display()),
    )
    .unwrap();
    std::fs::write(dir.join("b.conf"), "Port 2\n").unwrap();
    std::fs::write(dir.join("a.conf"), "Host other\nPort 1\n").unwrap();
    std::fs::write(dir.join(".hidden.conf"), "Port 9\n").unwrap();
    assert_eq!(bench.resolved(&ask("box")).unwrap().login.port, 2);
    assert_eq!(bench.resolved(&ask("other")).unwrap().login.port, 1);
}
