//! Tests of the kind of a machine: it is asked for once and remembered, but never believed against what the machine says.

use std::fs;
use std::path::PathBuf;

use crate::e2e_ssh::lab::Lab;

/// The file in which the facts of the only machine are remembered.
fn remembered(lab: &Lab) -> PathBuf {
    let files = fs::read_dir(lab.world.path("home/.local/state/atex/facts-v1")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    file.clone()
}

/// Makes the runner believe that the machine was another one.
fn misremember(file: &PathBuf) {
    let version = atex::sut::local_facts().version;
    let text = fs::read_to_string(file).unwrap();
    let changed = text.replace(&format!("\"version\": \"{version}\""), "\"version\": \"0.7\"");
    assert_ne!(text, changed);
    fs::write(file, changed).unwrap();
}

#[test]
fn facts_are_asked_once_and_then_no_connection_is_needed() {
    let mut lab = Lab::new();
    let facts = atex::sut::local_facts();
    let plan = format!(
        "discover:\n    how: fmf\nadjust:\n  - environment: {{KIND: as-it-is}}\n    when: distro == {}-{} and arch == {}\n",
        facts.os, facts.version, facts.arch
    );
    lab.world.write("tree/plan.fmf", plan);
    let ls = |lab: &Lab| lab.on(&lab.target(""), ["ls", "plans", "--json"]).run();
    assert!(ls(&lab).expect(0).stdout.contains("as-it-is"));
    lab.sshd.stop();
    assert!(ls(&lab).expect(0).stdout.contains("as-it-is"), "it is remembered");
    for command in ["graph", "ls"] {
        lab.run(0, [command]);
    }
    lab.run(0, ["why", "/a"]);
    fs::remove_file(remembered(&lab)).unwrap();
    ls(&lab).expect(3);
}

#[test]
fn a_machine_that_became_another_takes_no_part_and_is_remembered_as_it_is() {
    let lab = Lab::new();
    lab.run(0, ["test", "/a"]);
    lab.ran();
    misremember(&remembered(&lab));
    let ran = lab.run(3, ["test", "/a"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("0.7") && said.contains(&atex::sut::local_facts().version),
        "{ran:?}"
    );
    assert!(lab.ran().is_empty(), "nothing ran for the wrong kind of machine");
    lab.run(0, ["test", "/a"]);
}

#[test]
fn machines_that_differ_are_refused_unless_the_context_says_what_holds_for_all() {
    let lab = Lab::new();
    lab.run(0, ["ls"]);
    misremember(&remembered(&lab));
    let local = format!("local?dir={}", lab.world.path("sut-local").display());
    let call = |more: &[&str]| lab.atex(["test", "/a"]).args(["-s", &local]).args(more).run();
    let ran = call(&[]).expect(2);
    assert!(ran.stderr.contains("the SUTs differ: `lab` has"), "{ran:?}");
    let ran = call(&["-c", "distro=any-1"]);
    assert_ne!(ran.code, 2, "{ran:?}");
    assert!(
        lab.ran().contains(&"a".to_owned()),
        "it runs on the one that is what it was taken for"
    );
}
