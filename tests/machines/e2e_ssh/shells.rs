//! Tests of login shells other than bash, start-up files that print, and banners: everything a login does before a program of
//! atex runs.

use crate::e2e_ssh::users::{User, tester};

/// What start-up files of `sh` and its like do here: print to both streams, without a newline at the end, and leave things in the
/// environment that a bash below would take.
const NOISE: &str = "echo welcome; echo warning >&2\nFOO=bar; ls() { echo mine; }; export FOO\nprintf 'no newline'\n";

/// The start-up files of a shell, by its name.
fn startup(shell: &str) -> &'static [(&'static str, &'static str)] {
    match shell {
        "bash" => &[(".bashrc", NOISE), (".bash_profile", NOISE), (".bash_env", NOISE)],
        "fish" => &[(
            ".config/fish/config.fish",
            "echo welcome; echo warning >&2\nset -gx FOO bar; function ls; echo mine; end\nprintf 'no newline'\n",
        )],
        "tcsh" => &[(
            ".cshrc",
            "echo welcome; sh -c 'echo warning >&2'\nsetenv FOO bar; alias ls echo mine\necho -n 'no newline'\n",
        )],
        _ => &[(".profile", NOISE)],
    }
}

/// A plan with one prepare and one finish script, and tests that pass, that fail with a code, that report, and that want a terminal.
/// What a job sees of FOO goes to the witness.
const TREE: [(&str, &str); 5] = [
    (
        "plan.fmf",
        "discover:\n    how: fmf\nprepare:\n    how: shell\n    script: echo \"prepare ${FOO-}\" >>$COUNTER\nexecute:\n    how: tmt\n\
         finish:\n    how: shell\n    script: echo \"finish ${FOO-}\" >>$COUNTER\n",
    ),
    (
        "a/main.fmf",
        "test: 'echo \"a ${FOO-}\" >>$COUNTER; echo \"from afar\"; ls'\n",
    ),
    ("b/main.fmf", "test: echo b >>$COUNTER; exit 7\n"),
    (
        "c/main.fmf",
        "test: |\n    echo c >>$COUNTER\n    j='{\"status\":\"pass\",\"name\":\"sub\",\"testout\":\"out.txt\"}'\n    \
         printf 'result %d\\n%s' ${#j} \"$j\" >&$ATEX_TEST_CONTROL\n",
    ),
    (
        "d/main.fmf",
        "test: '[[ -t 0 && -t 1 ]] && echo d >>$COUNTER'\ntty: true\n",
    ),
];

/// A whole build on a machine whose user logs in by `shell`.
fn builds_through(shell: &str) {
    let Some(path) = which(shell) else {
        assert!(std::env::var_os("CI").is_none(), "`{shell}` is not installed");
        eprintln!("SKIPPED: `{shell}` is not installed");
        return;
    };
    let user = User::new(&path);
    for (file, text) in startup(shell) {
        user.write(file, text);
    }
    // sshd runs this by itself, before the shell.
    user.write(".ssh/rc", NOISE);
    let banner = user.world.path("banner");
    user.world.write("banner", "*** be good ***\nno newline");
    let env = user.home().join(".bash_env");
    let more = format!("Banner {}\nSetEnv BASH_ENV={}\n", banner.display(), env.display());
    let Some(lab) = user.lab(&more) else { return };
    for (file, text) in TREE {
        lab.world.write(std::path::Path::new("tree").join(file), text);
    }
    std::fs::set_permissions(
        lab.world.path("ran"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .unwrap();
    let target = tester(&lab, &format!("&key={}", lab.file("key").display()));

    let ran = lab.on(&target, ["build", "-o", "../out"]).run().expect(1);
    assert!(!ran.said("welcome") && !ran.said("no newline"), "{ran:?}");
    let mut lines = lab.ran();
    assert_eq!(
        (lines.remove(0), lines.pop()),
        ("prepare ".into(), Some("finish ".into()))
    );
    lines.sort();
    assert_eq!(lines, ["a ", "b", "c", "d"], "{ran:?}");
    let read = |file: &str| lab.world.read(format!("out/tests/{file}"));
    assert_eq!(read("a/files/output.txt"), "from afar\nmain.fmf\n");
    for (test, results) in [
        ("a", r#"{"status":"pass","files":["output.txt"]}"#),
        ("b", r#"{"status":"error","note":"exit code 7","files":["output.txt"]}"#),
        ("d", r#"{"status":"pass","files":["output.txt"]}"#),
    ] {
        assert_eq!(read(&format!("{test}/results.jsonl")).trim_end(), results, "{test}");
    }
    assert!(read("c/results.jsonl").starts_with(r#"{"status":"pass","name":"sub","files":["out.txt"]}"#));
    let ran = lab.on(&target, ["build", "-o", "../again"]).run().expect(1);
    assert!(ran.stdout.contains("3 cached"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare ", "b", "finish "]);
}

/// Where a program lies.
fn which(name: &str) -> Option<String> {
    let dirs = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&dirs).map(|dir| dir.join(name));
    found.find(|path| path.exists())?.into_os_string().into_string().ok()
}

#[test]
fn a_machine_whose_users_log_in_by_bash_with_a_noisy_bashrc_is_like_any_other() {
    builds_through("bash");
}

#[test]
fn a_machine_whose_users_log_in_by_fish_is_like_any_other() {
    builds_through("fish");
}

#[test]
fn a_machine_whose_users_log_in_by_tcsh_is_like_any_other() {
    builds_through("tcsh");
}

#[test]
fn a_machine_whose_users_log_in_by_dash_is_like_any_other() {
    builds_through("dash");
}
