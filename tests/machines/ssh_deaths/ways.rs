//! Tests of ways to a machine other than a direct connection: through another machine, a command, a master, or as another user.

use std::time::Duration;

use atex::sut::kind::ssh::{Login, Via};
use atex::sut::{OnHeld, Sut, TroubleKind};

use crate::ssh_deaths::{Lab, STAYS, broken, pid};
use crate::sut_support::{Running, eventually, lives, run, test};

#[test]
fn machine_behind_another_is_reached_and_lost_with_it() {
    let mut front = Lab::new("");
    let lab = Lab::new("");
    let login = Login {
        via: Via::Jump(Box::new(front.login())),
        ..lab.login()
    };
    let mut sut = lab.open_as(login);
    let outcome = run(&mut sut, &test("head -c 5000000 /dev/zero; exit 8"));
    assert_eq!((outcome.output.len(), outcome.exit_code()), (5_000_000, 8));
    let mut running = Running::start(&mut sut, &test(STAYS));
    let pid = pid(&mut running);
    front.sshd.stop();
    broken(running);
    eventually("the test is gone", || !lives(&pid));
}

#[test]
fn jump_that_does_not_reach_the_machine_is_told_with_both_names() {
    let front = Lab::new("");
    let mut lab = Lab::new("");
    lab.sshd.stop();
    let login = Login {
        via: Via::Jump(Box::new(Login {
            name: "front".into(),
            ..front.login()
        })),
        ..lab.login()
    };
    let trouble = lab.over(login).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(
        trouble.message.contains("`lab`") && trouble.message.contains("`front`"),
        "{trouble}"
    );
}

#[test]
fn proxy_command_leads_to_the_machine_and_ends_with_the_connection() {
    let front = Lab::new("");
    let lab = Lab::new("");
    let files = front.home.path().join("sshd");
    let command = format!(
        "ssh -F none -i {0}/key -o IdentitiesOnly=yes -o UserKnownHostsFile={0}/known_hosts -p {1} -W 127.0.0.1:{2} {3}@127.0.0.1",
        files.display(),
        front.login().port,
        lab.login().port,
        front.login().user,
    );
    let login = Login {
        via: Via::Command(command),
        ..lab.login()
    };
    let mut sut = lab.open_as(login.clone());
    assert_eq!(run(&mut sut, &test("exit 8")).exit_code(), 8);
    sut.close();
    eventually("the command is gone", || front.sshd.sessions().is_empty());
    let failing = Login {
        via: Via::Command("false".into()),
        connect_timeout: Duration::from_secs(1),
        ..login
    };
    let trouble = lab.over(failing).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
}

#[test]
fn master_connection_of_the_user_is_used_where_it_is_named() {
    let lab = Lab::new("");
    let files = lab.home.path().join("sshd");
    let socket = lab.home.path().join("master");
    let mut master = std::process::Command::new("ssh")
        .args(["-F", "none", "-M", "-N", "-S"])
        .arg(&socket)
        .arg("-i")
        .arg(files.join("key"))
        .arg(format!("-oUserKnownHostsFile={}", files.join("known_hosts").display()))
        .args([
            "-p",
            &lab.login().port.to_string(),
            "-l",
            &lab.login().user,
            "127.0.0.1",
        ])
        .spawn()
        .unwrap();
    eventually("the master is there", || socket.exists());
    let login = Login {
        via: Via::ControlPath(socket),
        ..lab.login()
    };
    let mut sut = lab.open_as(login);
    assert_eq!(run(&mut sut, &test("exit 8")).exit_code(), 8);
    drop(sut);
    master.kill().unwrap();
    master.wait().unwrap();
}

#[test]
fn sudo_makes_root_of_a_login_and_one_that_asks_is_told_with_a_hint() {
    let lab = Lab::new("");
    let login = Login {
        sudo: true,
        ..lab.login()
    };
    let mut sut = lab.open_as(login.clone());
    assert_eq!(run(&mut sut, &test("[[ $EUID = 0 ]] && exit 9")).exit_code(), 9);
    drop(sut);

    let fake = lab.home.path().join("bin");
    std::fs::create_dir(&fake).unwrap();
    std::fs::write(
        fake.join("sudo"),
        "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(fake.join("sudo"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let asks = Lab::new(&format!("SetEnv PATH={}:/usr/bin:/bin", fake.display()));
    let login = Login {
        sudo: true,
        ..asks.login()
    };
    let trouble = asks.over(login).open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Setup);
    assert!(trouble.message.contains("a password is required"), "{trouble}");
    assert!(trouble.hint.unwrap().contains("NOPASSWD"));
}
