//! Tests of host keys, which say whether a machine is the one that was meant.

use std::fs;

use crate::e2e_ssh::lab::{Lab, ssh_keygen};

/// The fingerprint of a public key's file, as `ssh-keygen` says it.
fn fingerprint(lab: &Lab, file: &str) -> String {
    let output = std::process::Command::new("ssh-keygen")
        .arg("-lf")
        .arg(lab.file(file))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn an_unknown_key_is_refused_and_accepted_on_demand_for_good() {
    let lab = Lab::new();
    lab.world.write("sshd/known_hosts", "");
    let ran = lab.run(3, ["test", "/a"]);
    let print = fingerprint(&lab, "hostkey.pub");
    let said = format!(
        "the host key of `[127.0.0.1]:{}` is not known: ssh-ed25519 {print}",
        lab.port()
    );
    assert!(ran.stderr.contains(&said), "{ran:?}");
    assert!(ran.stderr.contains("--accept-new-host-keys"), "{ran:?}");
    assert_eq!(lab.known(), "", "nothing is accepted by itself");
    lab.run(0, ["test", "/a", "--accept-new-host-keys"]);
    assert!(
        lab.known()
            .starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 AAAA", lab.port())),
        "{}",
        lab.known()
    );
    lab.run(0, ["test", "/a"]);
}

#[test]
fn a_changed_key_is_refused_whatever_is_accepted() {
    let lab = Lab::new();
    let old = lab.file("old");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", old.to_str().unwrap()]);
    let line = fs::read_to_string(old.with_extension("pub")).unwrap();
    lab.world.write(
        "sshd/known_hosts",
        format!("# first\n[127.0.0.1]:{} {line}", lab.port()),
    );
    let ran = lab.run(3, ["test", "/a", "--accept-new-host-keys"]);
    let (now, before) = (fingerprint(&lab, "hostkey.pub"), fingerprint(&lab, "old.pub"));
    assert!(ran.stderr.contains(&now) && ran.stderr.contains(&before), "{ran:?}");
    assert!(ran.stderr.contains("known_hosts:2`"), "{ran:?}");
    let advice = format!("ssh-keygen -R '[127.0.0.1]:{}' -f '[TMP]/sshd/known_hosts'", lab.port());
    assert!(ran.stderr.contains(&advice), "{ran:?}");
    let file = lab.file("known_hosts");
    ssh_keygen([
        "-R",
        &format!("[127.0.0.1]:{}", lab.port()),
        "-f",
        file.to_str().unwrap(),
    ]);
    lab.run(0, ["test", "/a", "--accept-new-host-keys"]);
}

#[test]
fn hashed_names_and_one_of_several_keys_are_known() {
    let keys = ["rsa", "ecdsa"];
    let lab = Lab::new();
    let dir = lab.file("");
    for kind in keys {
        ssh_keygen(["-q", "-t", kind, "-N", "", "-f", dir.join(kind).to_str().unwrap()]);
    }
    let lab = Lab {
        sshd: lab.sshd,
        world: lab.world,
    };
    let more = keys
        .map(|kind| format!("HostKey {}", dir.join(kind).display()))
        .join("\n");
    for kind in keys {
        let mut again = crate::sut_support::sshd::Sshd::start(&lab.world.path("several"), &more);
        let port = crate::sut_support::sshd::port_of(&lab.world.path("several"));
        let line = fs::read_to_string(dir.join(kind).with_extension("pub")).unwrap();
        lab.world.write("hashed", format!("[127.0.0.1]:{port} {line}"));
        ssh_keygen(["-q", "-H", "-f", lab.world.path("hashed").to_str().unwrap()]);
        assert!(lab.world.read("hashed").starts_with("|1|"));
        lab.configure(&format!("UserKnownHostsFile {}\n", lab.world.path("hashed").display()));
        let (key, sut) = (lab.world.path("several/key"), lab.world.path("sut-several"));
        let target = format!(
            "ssh://127.0.0.1:{port}?key={}&dir={}&name=lab",
            key.display(),
            sut.display()
        );
        lab.on(&target, ["test", "/a"]).run().expect(0);
        again.stop();
    }
}

#[test]
fn a_server_with_a_certificate_is_known_by_its_plain_key_and_by_its_authority() {
    let lab = Lab::new();
    let authority = lab.world.path("authority");
    ssh_keygen(["-q", "-t", "rsa", "-N", "", "-f", authority.to_str().unwrap()]);
    let public = fs::read_to_string(authority.with_extension("pub")).unwrap();
    let certified = lab.file("hostkey.pub");
    let sign = |principal: &str, validity: &str| {
        let (authority, certified) = (authority.to_str().unwrap(), certified.to_str().unwrap());
        ssh_keygen([
            "-q", "-s", authority, "-I", "lab", "-h", "-n", principal, "-V", validity, certified,
        ]);
    };
    let more = format!("HostCertificate {}", lab.file("hostkey-cert.pub").display());
    sign("127.0.0.1", "-1d:+1d");
    let mut lab = lab;
    lab.world.write("sshd/more", more);
    let restart = |lab: &mut Lab| {
        lab.sshd.stop();
        assert!(lab.sshd.resume(), "{}", lab.sshd.log());
    };
    restart(&mut lab);
    lab.run(0, ["test", "/a"]);

    let vouched = format!("@cert-authority 127.0.0.1,[127.0.0.1]:* {public}");
    lab.world.write("sshd/known_hosts", &vouched);
    lab.run(0, ["test", "/a"]);

    for (principal, validity, problem) in [
        ("elsewhere", "-1d:+1d", "its certificate is not for `127.0.0.1`"),
        ("127.0.0.1", "-2d:-1d", "its certificate is not valid any more"),
    ] {
        sign(principal, validity);
        restart(&mut lab);
        lab.world.write("sshd/known_hosts", &vouched);
        let ran = lab.run(3, ["test", "/a"]);
        assert!(ran.said(problem), "{ran:?}");
    }

    sign("127.0.0.1", "-1d:+1d");
    restart(&mut lab);
    lab.world
        .write("sshd/known_hosts", format!("@revoked * {public}\n{vouched}"));
    let ran = lab.run(3, ["test", "/a"]);
    assert!(ran.said("is revoked"), "{ran:?}");
}

#[test]
fn a_revoked_key_is_refused_even_where_nothing_is_checked() {
    let lab = Lab::new();
    let known = lab.known();
    let key = known.split_once(' ').unwrap().1;
    lab.world.write("sshd/known_hosts", format!("{known}@revoked * {key}"));
    lab.configure("StrictHostKeyChecking no\n");
    let ran = lab.run(3, ["test", "/a"]);
    assert!(ran.stderr.contains("is revoked: ssh-ed25519 SHA256:"), "{ran:?}");
    assert!(ran.stderr.contains("known_hosts:2`"), "{ran:?}");
}

#[test]
fn the_configuration_may_take_any_key() {
    let lab = Lab::new();
    lab.world.write("sshd/known_hosts", "");
    lab.configure("StrictHostKeyChecking no\n");
    lab.run(0, ["test", "/a"]);
    assert_eq!(lab.known(), "", "a key that nobody looked at is not remembered");
    lab.configure("StrictHostKeyChecking accept-new\n");
    lab.run(0, ["test", "/a"]);
    assert!(lab.known().contains("ssh-ed25519"), "{}", lab.known());
}
