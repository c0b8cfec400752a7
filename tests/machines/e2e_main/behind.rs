//! Tests of machines that are reached through a command (`exec:COMMAND`), with the real binary.

use std::fs;

use crate::e2e_main::scene::Scene;

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo \"prepare $WHERE\" >> \"$COUNTER\"'}
";

/// A test that knows whether it runs behind the command, and sees nothing that is the command's own.
const TEST: &str = r#"test: 'echo "test ${WHERE-nowhere} $(nice)" >> "$COUNTER"'"#;

fn scene() -> Scene {
    Scene::new([("plan.fmf", PLAN), ("t.fmf", TEST)])
}

/// A target whose command is told from the bash of this machine.
fn target(scene: &Scene) -> String {
    let dir = scene.world.path("behind");
    format!("exec:env WHERE=leaked nice -n 3?dir={}&name=behind", dir.display())
}

#[test]
fn a_plan_runs_behind_a_command_once_and_stays_until_it_is_removed() {
    let scene = scene();
    let target = target(&scene);
    let build = ["build", "-s", &target];
    scene.atex(build).run().expect(0);
    assert_eq!(scene.ran(), ["prepare ", "test nowhere 3"]);
    let again = scene.atex(build).run().expect(0);
    assert!(again.said("nothing to run"), "{again:?}");
    assert!(
        scene
            .atex(["sut", "ls", "-s", &target])
            .run()
            .expect(0)
            .said("prepared")
    );
    let shell = ["sut", "shell", "-s", &target, "--", "printenv", "WHERE"];
    let shell = scene.world.atex().args(shell).run();
    assert!(shell.expect(0).said("leaked"), "a shell is behind the command");
    scene.atex(["sut", "rm", "-s", &target]).run().expect(0);
    assert!(!scene.world.path("behind/v1").exists());
    scene.atex(["build", "--rerun", "-s", &target]).run().expect(0);
    assert_eq!(scene.ran(), ["prepare ", "test nowhere 3"], "it is prepared anew");
}

#[test]
fn machines_of_different_digests_share_no_record() {
    let scene = scene();
    let plain = target(&scene);
    let [one, two] = ["sha256:1", "sha256:2"].map(|digest| format!("{plain}&digest={digest}"));
    for target in [&plain, &one, &two] {
        scene.atex(["build", "-s", target]).run().expect(0);
        assert_eq!(scene.ran(), ["prepare ", "test nowhere 3"], "{target}");
        let again = scene.atex(["build", "-s", target]).run().expect(0);
        assert!(again.said("nothing to run"), "{again:?}");
    }
    let elsewhere = one.replace("/behind&name=behind", "/other&name=other");
    let ran = scene.atex(["build", "-s", &two, "-s", &elsewhere]).run().expect(2);
    assert!(
        ran.said("`behind` has digest `sha256:2`, `other` has digest `sha256:1`"),
        "{ran:?}"
    );
}

#[test]
fn a_machine_of_another_digest_that_does_not_answer_yet_is_refused_too() {
    let scene = scene();
    let away = "exec:false?name=away&digest=sha256:1";
    let ran = scene.atex(["build", "-s", &target(&scene), "-s", away]).run().expect(2);
    assert!(ran.said("the SUTs differ"), "{ran:?}");
    assert!(scene.ran().is_empty(), "{ran:?}");
}

#[test]
fn a_command_that_leads_nowhere_is_named() {
    let scene = scene();
    for (command, said) in [
        ("exec:no-such-command -i", "cannot start `no-such-command`"),
        ("exec:sh -c 'echo it is away >&2; exit 5'", "it is away"),
        ("exec:sh 'open", "an open quote"),
    ] {
        let ran = scene.atex(["build", "-s", command]).run();
        assert!(ran.code == 3 || command.ends_with("open") && ran.code == 2, "{ran:?}");
        assert!(ran.said(said), "{ran:?}");
    }
}

#[test]
fn a_command_that_the_tree_names_is_run_by_a_build_and_not_by_a_look() {
    let scene = scene();
    let dir = scene.world.path("behind");
    let witness = scene.world.path("touched");
    let command = format!("exec:sh -c 'touch {}; exec \"$@\"' sh", witness.display());
    let config = |sut: &str| {
        let escaped = command.replace('"', "\\\"");
        format!("{sut}\ntarget = \"{escaped}\"\ndir = \"{}\"\n", dir.display())
    };
    let in_defaults = format!(
        "[defaults]\nsut = \"{}?dir={}\"\n",
        command.replace('"', "\\\""),
        dir.display()
    );
    for config in [
        in_defaults,
        format!("[defaults]\nsut = \"lab\"\n{}", config("[sut.lab]")),
        format!(
            "[defaults]\nsut = \"all\"\n[group.all]\nsuts = [\"lab\"]\n{}",
            config("[sut.lab]")
        ),
    ] {
        scene.write("atex.toml", config);
        let look = |args: &[&str]| {
            let ran = scene.atex(args.iter().copied()).run();
            assert!(!witness.exists(), "{args:?} ran the command: {ran:?}");
            ran
        };
        for args in [
            &["ls", "tests"][..],
            &["graph"],
            &["why", "/t"],
            &["build", "--dry-run"],
        ] {
            let ran = look(args);
            assert!(ran.code == 3 && ran.said("the tree says to reach it by"), "{ran:?}");
        }
        look(&["lint"]);
        scene.atex(["build"]).run().expect(0);
        fs::remove_file(&witness).unwrap();
        // What it is is known now.
        look(&["ls", "tests"]).expect(0);
        scene.atex(["sut", "rm"]).run().expect(0);
        fs::remove_file(&witness).unwrap();
    }
}
