//! Laws about what a script or test sees, and what the runner sees of it.

use atex::sut::{Job, JobKind, SyncMode, TroubleKind};

use crate::sut_support::{Host, Running, World, run, script, sync, test, tty_test};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn exit_codes_are_told_as_bash_gives_them(world: &mut World<'_>) {
    let mut sut = world.open();
    let codes = [
        ("true", 0),
        ("false; true", 1),
        ("false | true", 1),
        ("exit 255", 255),
        ("no-such-command", 127),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("exec sh -c 'kill -SEGV $$'", 139),
        ("if", 2),
        ("exec bash -c 'exit 7'", 7),
        ("return 5", 5),
    ];
    for (text, code) in codes {
        assert_eq!(run(&mut *sut, &script(text)).exit_code(), code, "{text}");
        assert_eq!(run(&mut *sut, &test(text)).exit_code(), code, "{text}");
    }
}

pub(crate) fn stdout_and_stderr_come_in_order_as_output(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(
        &mut *sut,
        &test("echo 1; echo 2 >&2; printf '3\\0\\377'; echo noop >&$ATEX_TEST_CONTROL; echo 4 >&2"),
    );
    assert_eq!(outcome.output, b"1\n2\n3\0\xff4\n");
    assert_eq!(outcome.control(), "noop\nexitcode 0\n");
}

pub(crate) fn job_runs_in_its_directory_with_nothing_to_read(world: &mut World<'_>) {
    let mut sut = world.open();
    sync(&mut *sut, &Host::new(&[("a dir/b/file", "x")]), SyncMode::Exact);
    let mut job = test("pwd; ls; cat; readlink /proc/self/fd/0; umask; echo \"$TMT_TREE\"; echo $#");
    job.dir = "a dir/b".into();
    let tree = world.tree("").display().to_string();
    let tree = tree.trim_end_matches('/');
    let expected = format!("{tree}/a dir/b\nfile\n/dev/null\n0022\n{tree}\n0\n");
    assert_eq!(run(&mut *sut, &job).output(), expected);
    job.dir = "nowhere".into();
    let trouble = sut.start(&job).err().expect("there is no such directory");
    assert_eq!(trouble.kind, TroubleKind::Setup);
    assert!(trouble.message.contains("nowhere"), "{trouble}");
    job.dir = "../..".into();
    assert_eq!(sut.start(&job).err().expect("it leads out").kind, TroubleKind::Setup);
}

pub(crate) fn environment_is_set_in_its_order(world: &mut World<'_>) {
    let mut sut = world.open();
    run(
        &mut *sut,
        &script("printf 'B=file\\nC=file\\nHOME_WAS=$HOME\\n' >\"$TMT_PLAN_ENVIRONMENT_FILE\""),
    );
    let job = Job {
        env_before: pairs(&[("A", "before"), ("B", "before"), ("D", "before")]),
        env_after: pairs(&[("C", "after"), ("D", "after"), ("TMT_TREE", "mine")]),
        ..test("bash -c 'echo $A $B $C $D; test -d \"$TMT_TREE\"; echo $HOME_WAS'")
    };
    let outcome = run(&mut *sut, &job);
    assert_eq!(
        outcome.output(),
        format!("before file after after\n{}\n", std::env::var("HOME").unwrap())
    );
    assert_eq!(outcome.exit_code(), 0);
}

pub(crate) fn values_arrive_whatever_they_hold(world: &mut World<'_>) {
    let mut sut = world.open();
    let nasty = "line 1\nline 2\n\n'quotes' \"double\" $HOME `id` \\ \t ! * ünï \u{1}\u{7f}";
    for job in [
        Job {
            env_before: pairs(&[("V", nasty)]),
            ..test("printf %s \"$V\"")
        },
        Job {
            env_after: pairs(&[("V", nasty)]),
            ..test("bash -c 'printf %s \"$V\"'")
        },
    ] {
        assert_eq!(run(&mut *sut, &job).output(), nasty);
    }
    let job = test(&format!("cat <<'X'\n{nasty}\nX"));
    assert_eq!(run(&mut *sut, &job).output(), format!("{nasty}\n"));
    for (name, value) in [("BAD NAME", "x"), ("A", "nul\0"), ("A;id", "x")] {
        let job = Job {
            env_after: pairs(&[(name, value)]),
            ..test("true")
        };
        let trouble = sut.start(&job).err().expect("it cannot be exported");
        assert_eq!(trouble.kind, TroubleKind::Setup);
    }
}

pub(crate) fn test_sees_what_it_is_promised(world: &mut World<'_>) {
    let mut sut = world.open();
    let job = Job {
        kind: JobKind::Test {
            name: "/some/test name".into(),
            metadata: "summary: \"ünï\"\n".into(),
            restarts: 2,
            tty: false,
            tmt: None,
        },
        ..test(
            "echo $TMT_TEST_NAME $TMT_REBOOT_COUNT $TMT_TEST_RESTART_COUNT; cat \"$TMT_TEST_METADATA\"; env | grep -c -e ^TMT_TEST_DATA",
        )
    };
    let outcome = run(&mut *sut, &job);
    assert_eq!(outcome.output(), "/some/test name 2 2\nsummary: \"ünï\"\n0\n");
}

pub(crate) fn script_has_no_control_stream(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(
        &mut *sut,
        &script("echo ${ATEX_TEST_CONTROL-none} ${TMT_TEST_NAME-none}; ls /proc/self/fd"),
    );
    assert_eq!(outcome.output(), "none none\n0\n1\n2\n3\n");
    assert_eq!(outcome.control(), "exitcode 0\n");
}

pub(crate) fn environment_of_the_runner_stays_with_the_runner(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(&mut *sut, &script("env -0 | cut -z -d= -f1 | tr '\\0' '\\n' | sort"));
    let allowed = [
        "HOME",
        "LANG",
        "LOGNAME",
        "PATH",
        "PWD",
        "SHELL",
        "SHLVL",
        "TMPDIR",
        "USER",
        "_",
        "TMT_PLAN_ENVIRONMENT_FILE",
        "TMT_TREE",
    ];
    for name in outcome.output().lines() {
        assert!(allowed.contains(&name) || name.starts_with("LC_"), "`{name}` leaks");
    }
    assert!(
        std::env::var_os("CARGO_PKG_NAME").is_some(),
        "there is something that could leak"
    );
}

pub(crate) fn values_show_in_no_command_line(world: &mut World<'_>) {
    let mut sut = world.open();
    let job = Job {
        env_after: pairs(&[("SECRET", "hush-hush-7351")]),
        ..test("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; true; # text-of-the-script-7351")
    };
    let shown = run(&mut *sut, &job).output();
    assert!(
        !shown.contains("hush-hush-7351") && !shown.contains("text-of-the-script-7351"),
        "{shown}"
    );
}

pub(crate) fn signals_are_as_a_login_shell_has_them(world: &mut World<'_>) {
    let mut sut = world.open();
    // A shell cannot trap signals that were ignored when it was started. PIPE is 13, INT 2, QUIT 3.
    let text =
        "set -- $(grep SigIgn: /proc/self/status); echo $(( 0x$2 & 0x1007 )); trap 'echo got' INT; kill -INT $$; trap";
    let output = run(&mut *sut, &test(text)).output();
    assert!(output.starts_with("0\ngot\n"), "{output}");
    assert!(
        output.contains("SIGPIPE"),
        "the shell of the test handles PIPE: {output}"
    );
    let outcome = run(
        &mut *sut,
        &test("(trap - PIPE; yes | head -n 1); set +o pipefail; yes | head -n 1"),
    );
    assert_eq!((outcome.exit_code(), outcome.output().as_str()), (141, "y\n"));
}

pub(crate) fn terminal_is_given_to_a_test_that_asks(world: &mut World<'_>) {
    let mut sut = world.open();
    let shell = run(&mut *sut, &test("echo $SHELL")).output();
    let text = "test -t 0; test -t 1; test -t 2; tty; stty size; echo $TERM; echo $SHELL; echo noop >&$ATEX_TEST_CONTROL; exit 9";
    let outcome = run(&mut *sut, &tty_test(text));
    let output = outcome.output();
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("/dev/pts/"), "{output:?}");
    assert_eq!(lines[1..3], ["24 80", "xterm"], "{output:?}");
    // `SHELL` is the same as without a terminal: the runner's, or where that has none, the one that bash takes from the
    // user's entry.
    assert_eq!(lines.get(3).copied().unwrap_or_default(), shell.trim_end());
    assert_eq!(outcome.control(), "noop\nexitcode 9\n");
    let job = Job {
        env_after: pairs(&[("TERM", "vt100")]),
        ..tty_test("read -r x || echo end of input; echo $TERM; kill -9 $$")
    };
    let outcome = run(&mut *sut, &job);
    assert_eq!(outcome.output().replace('\r', ""), "end of input\nvt100\n");
    assert_eq!(outcome.exit_code(), 137);
}

pub(crate) fn test_without_terminal_has_none(world: &mut World<'_>) {
    let mut sut = world.open();
    assert_eq!(
        run(
            &mut *sut,
            &test("if (: </dev/tty) 2>/dev/null; then echo tty; else echo none; fi")
        )
        .output(),
        "none\n"
    );
}

pub(crate) fn job_leads_a_session_and_a_process_group_of_its_own(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(
        &mut *sut,
        &test("read -r -a f </proc/$$/stat; echo $(( f[4] == $$ )) $(( f[5] == $$ ))"),
    );
    assert_eq!(outcome.output(), "1 1\n");
}

pub(crate) fn one_job_at_a_time(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut first = Running::start(
        &mut *sut,
        &test("echo noop >&7; read -r x <\"$TMT_TREE/fifo\" || sleep 0.3; echo done"),
    );
    first.said("noop");
    // The second wrapper waits for the lock of the first one, so it can only start when that job is over.
    let second = run(&mut *sut, &test("echo second"));
    assert_eq!(second.output(), "second\n");
    assert_eq!(first.finish().output().lines().last(), Some("done"));
}

pub(crate) fn output_flows_with_backpressure(world: &mut World<'_>) {
    let mut sut = world.open();
    let text = "echo noop >&7; head -c 209715200 /dev/zero; echo noop >&7; echo -n end >&2";
    let mut running = Running::start(&mut *sut, &test(text));
    running.said("noop\n");
    let outcome = running.finish();
    assert_eq!(outcome.output.len(), 209_715_200 + 3);
    assert_eq!(outcome.control(), "noop\nnoop\nexitcode 0\n");
}

pub(crate) fn control_stream_takes_any_bytes_and_much_of_them(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(
        &mut *sut,
        &test(
            "printf 'a\\0\\377\\n' >&$ATEX_TEST_CONTROL; head -c 50000000 /dev/zero >&$ATEX_TEST_CONTROL; printf '\\n' >&$ATEX_TEST_CONTROL",
        ),
    );
    assert_eq!(outcome.control.len(), 4 + 50_000_000 + 1 + "exitcode 0\n".len());
    assert!(outcome.control.starts_with(b"a\0\xff\n"));
}

pub(crate) fn control_stream_works_from_other_shells(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(
        &mut *sut,
        &test("sh -c 'echo noop >&$ATEX_TEST_CONTROL'; bash -c 'printf \"noop\n\" >&$ATEX_TEST_CONTROL'"),
    );
    assert_eq!(outcome.control(), "noop\nnoop\nexitcode 0\n", "{}", outcome.output());
}

pub(crate) fn partial_control_line_is_neither_mended_nor_lost(world: &mut World<'_>) {
    let mut sut = world.open();
    assert_eq!(
        run(&mut *sut, &test("printf 'result 5' >&$ATEX_TEST_CONTROL")).control(),
        "result 5exitcode 0\n"
    );
}
