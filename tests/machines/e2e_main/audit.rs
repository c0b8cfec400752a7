//! Tests of `--audit`: recorded tests that run again, and keys whose verdicts differ.

use crate::e2e_main::scene::{Scene, witness};

fn suite() -> Scene {
    let moody = "test: |\n  echo 'test a' >> \"$COUNTER\"\n  [ ! -e \"$COUNTER.bad\" ]\n";
    Scene::new([("a/main.fmf", moody.to_owned()), ("b/main.fmf", witness("b"))])
}

#[test]
fn hits_that_run_again_and_agree_are_hits_still() {
    let scene = suite();
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test a", "test b"]);
    let told = scene.run(0, ["build", "--audit", "all"]);
    assert!(told.said("audit: 2 hits ran again, all agreed"), "{told:?}");
    assert_eq!(scene.ran(), ["test a", "test b"]);
    let told = scene.run(0, ["build", "--audit", "1%"]);
    assert!(told.said("audit: 1 hit ran again, all agreed"), "{told:?}");
    assert_eq!(scene.ran().len(), 1);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn a_key_whose_verdicts_differ_is_not_taken_from_the_cache_any_more() {
    for find in [&["build", "--audit", "all"][..], &["build", "--rerun"], &["test", "/a"]] {
        let scene = suite();
        scene.run(0, ["build"]);
        scene.world.write("ran.bad", "");
        let told = scene.atex(find.iter().copied()).run().expect(1);
        assert!(
            told.said("it passed before with the same inputs, so it is flaky"),
            "{told:?}"
        );
        let counted = told.said("audit: 1 of 2 hits that ran again disagreed: /a;");
        assert_eq!(counted, find.contains(&"--audit"), "{told:?}");
        let why = scene.why(["/a"]);
        assert!(why.contains("with these inputs it passed"), "{why}");

        std::fs::remove_file(scene.world.path("ran.bad")).expect("it is there");
        scene.ran();
        for _ in 0..2 {
            let told = scene.run(0, ["build"]);
            assert!(
                told.said("its verdicts differ with the same inputs: not recorded"),
                "{told:?}"
            );
            assert_eq!(scene.ran(), ["test a"]);
        }
        scene.write("a/data", "other inputs");
        scene.run(0, ["build"]);
        scene.run(0, ["build"]);
        assert_eq!(scene.ran(), ["test a"], "another key is believed");
    }
}

#[test]
fn a_share_that_is_none_is_refused() {
    let scene = suite();
    let told = scene.run(2, ["build", "--audit", "0%"]);
    assert!(told.said("write `all`, or percent"), "{told:?}");
    scene.run(2, ["build", "--audit", "5%", "--rerun"]);
    assert_eq!(scene.ran(), [""; 0]);
}
