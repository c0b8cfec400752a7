//! Tests of the configuration files.

use super::*;
use crate::cli::error::CliError;
use crate::report::Palette;

fn parsed(text: &str) -> AtexConfig {
    parse::parse(Path::new("atex.toml"), text).unwrap()
}

fn refused(text: &str) -> String {
    let error = parse::parse(Path::new("atex.toml"), text).unwrap_err();
    CliError::from(error).render(&Palette::new(false))
}

#[test]
fn every_key_is_read() {
    let config = parsed(
        r#"
        [defaults]
        sut = "lab1"
        plan = ["/plans/a", "/plans/b"]
        environment = { KEY = "value", NUMBER = 1_0, TRUTH = true }
        context = { distro = "fedora-41", variant = ["a", 2] }
        secret-env = ["TOKEN"]
        max-age = "12h"
        max-facts-age = "1h"
        max-output = "100M"
        on-taint = "drop"
        on-reboot = "trust"
        color = "never"
        strict = true
        interface = "tmt"
        dead-after = "1m"
        ssh-config = "/etc/lab/ssh"

        [sut.lab1]
        target = "ssh://root@10.0.0.7"
        dir = "/srv/one"
        base = "minimal"
        become = "sudo"
        control_path = "/run/master"
        key = "~/.ssh/lab"
        name = "first"
        password_env = "LAB"
        port = 2222
        user = "root"

        [group.lab]
        suts = ["lab1", "local*4"]

        [lint]
        allow = ["missing-file"]
        "#,
    );
    insta::assert_debug_snapshot!(config);
}

#[test]
fn an_unknown_key_shows_its_line_and_the_nearest_key() {
    insta::assert_snapshot!(refused("[defaults]\nsuts = \"local\"\n"), @r#"
    error: unknown key `suts` in `atex.toml:2:1`
      2 | suts = "local"
        | ^^^^
    hint: did you mean `sut`?
    "#);
    insta::assert_snapshot!(refused("[sut.a]\ntarget = \"local\"\nqqq = 1\n"), @r#"
    error: unknown key `qqq` in `atex.toml:3:1`
      3 | qqq = 1
        | ^^^
    hint: known keys here are `target`, `base`, `become`, `container`, `control_path`, `digest`, `dir`, `key`, `name`, `network`, `password_env`, `port`, `privileged`, `pull`, `run`, `silence`, `systemd`, `user`, `volume`, `wait`
    "#);
}

#[test]
fn a_wrong_type_says_what_is_wanted() {
    insta::assert_snapshot!(refused("[defaults]\nplan = [\"/a\", 7]\n"), @r#"
    error: `plan` must be a string, not integer in `atex.toml:2:15`
      2 | plan = ["/a", 7]
        |               ^
    "#);
    insta::assert_snapshot!(refused("[sut.lab]\ndir = \"/x\"\n"), @r#"
    error: SUT `lab` has no `target` in `atex.toml:1:6`
      1 | [sut.lab]
        |      ^^^
    hint: as in `target = "local"`
    "#);
}

#[test]
fn bad_toml_shows_where() {
    let text = refused("[defaults]\nsut = \n");
    assert!(text.contains("in `atex.toml:2:"), "{text}");
    assert!(text.contains("  2 | sut = "), "{text}");
}

#[test]
fn the_project_wins_key_by_key_over_the_user() {
    let mut config = parsed("[defaults]\nmax-age = \"1h\"\n[sut.a]\ntarget = \"local\"\ndir = \"/mine\"\n");
    config.fill_from(parsed(
        "[defaults]\nmax-age = \"9h\"\nstrict = true\n[sut.a]\ntarget = \"local\"\nbase = \"x\"\n[sut.b]\ntarget = \"local\"\n",
    ));
    assert_eq!(config.defaults.max_age, Some(Duration::from_hours(1)));
    assert_eq!(config.defaults.strict, Some(true));
    assert_eq!(config.suts.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(config.suts["a"].parameters.get("base"), None, "a SUT is taken whole");
}

#[test]
fn missing_files_are_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let config = AtexConfig::load(Some(dir.path()), Some(&dir.path().join("none"))).unwrap();
    assert_eq!(config, AtexConfig::default());
}

#[test]
fn a_bad_value_shows_its_line() {
    insta::assert_snapshot!(refused("[defaults]\nmax-age = \"12\"\n"), @r#"
    error: `12` is no age in `atex.toml:2:11`
      2 | max-age = "12"
        |           ^^^^
    hint: write a number and a unit (s, m, h, d, w), as in `12h`
    "#);
    insta::assert_snapshot!(refused("[defaults]\non-taint = \"dorp\"\n"), @r#"
    error: `dorp` is not possible here in `atex.toml:2:12`
      2 | on-taint = "dorp"
        |            ^^^^^^
    hint: did you mean `drop`?
    "#);
    insta::assert_snapshot!(refused("[defaults.environment]\n\"A B\" = 1\n"), @r#"
    error: `A B` cannot be the name of an environment variable in `atex.toml:2:9`
      2 | "A B" = 1
        |         ^
    hint: names consist of letters, digits and `_`, and do not start with a digit
    "#);
}
