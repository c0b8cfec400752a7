//! The conformance suite for kinds of SUTs: the same laws are tested for every kind. A new kind is one line in `conformance!`.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::sut_support::sshd::{self, Sshd};
use crate::sut_support::{
    Host, Running, World, be_a_runner, describe, eventually, lives, run, script, sync, test, tty_test,
};
use atex::sut::agent::link::child::ChildLink;
use atex::sut::agent::session::Machine;
use atex::sut::kind::ssh::SshLink;
use atex::sut::kind::ssh::config::{ConfigFiles, Here, Only};
use atex::sut::kind::{Means, Target};
use atex::sut::{Cancel, End, EnvFile, Local, OnHeld, Sut, SutState, SyncMode, TroubleKind, Upload};

/// Runs a law over a machine of a kind, in a directory of its own.
fn on(kind: &'static str, law: fn(&mut World<'_>)) {
    if kind == "nobody" && !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    let dir = home.path().join("a sut's dir");
    let cancel = Cancel::new().unwrap();
    let files = home.path().join("sshd");
    let _sshd = match kind {
        "ssh" => Some(Sshd::start(&files, "")),
        "ssh_odd" => Some(Sshd::start(&files, ODD)),
        _ => None,
    };
    let _containers = (kind == "podman").then(|| Containers(home.path().to_owned()));
    let mut make = || machine(kind, dir.clone(), &cancel);
    law(&mut World {
        make: &mut make,
        kind,
        dir: dir.clone(),
        cancel: cancel.clone(),
    });
}

/// The containers of a law, which are removed when it ends.
struct Containers(PathBuf);

impl Drop for Containers {
    fn drop(&mut self) {
        let filter = format!("label=atex-test={}", self.0.display());
        let found = Command::new("podman")
            .args(["ps", "--all", "--quiet", "--filter", &filter])
            .output()
            .unwrap();
        let ids = String::from_utf8(found.stdout).unwrap();
        if ids.is_empty() {
            // The law has removed it.
            return;
        }
        let removed = Command::new("podman")
            .args(["rm", "--force"])
            .args(ids.lines())
            .output()
            .unwrap();
        assert!(std::thread::panicking() || removed.status.success(), "{removed:?}");
    }
}

/// Makes a machine: `local`; `nobody`, the same as a user without rights; or `noisy`, where a login shell that is not bash prints
/// before and the runner must give signs of life; `ssh`, this machine through an sshd with its files beside `dir`; or `ssh_odd`,
/// the same with a banner, a login that prints, and a login shell that is not bash; `exec`, behind a command that changes the
/// environment; or `podman`, a container that sees the directory and the processes of this machine.
fn machine(kind: &str, dir: PathBuf, cancel: &Cancel) -> Box<dyn Sut> {
    let through = |command: &[&str], heartbeat| {
        let link = ChildLink::through(kind, command.iter().map(OsString::from).collect(), heartbeat);
        Box::new(Machine::over(link, Some(dir.clone()), cancel.clone()))
    };
    match kind {
        "local" => Box::new(Local::new("local", Some(dir), cancel.clone()).unwrap()),
        "nobody" => {
            let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            through(&[&user[..], &["bash", "--noprofile", "--norc", "-c"]].concat(), None)
        }
        "noisy" | "silent" => {
            let login =
                "echo welcome; printf 'no newline'; echo warning >&2; echo; exec bash --noprofile --norc -c \"$0\"";
            let silence = if kind == "silent" { 4 } else { 40 };
            through(&["sh", "-c", login], Some(Duration::from_secs(silence)))
        }
        "ssh" | "ssh_odd" => {
            let login = sshd::login(&dir.with_file_name("sshd"), kind);
            let link = SshLink::new(login, cancel.clone());
            Box::new(Machine::over(link, Some(dir), cancel.clone()))
        }
        "exec" => behind(COMMAND, &dir, cancel),
        "podman" => {
            let home = dir.parent().unwrap().display();
            let run = format!("--pid=host%20--label=atex-test={home}");
            let target = format!("podman:localhost/atex-test?pull=never&network=none&volume={home}:{home}&run={run}");
            behind(&target, &dir, cancel)
        }
        _ => panic!("there is no kind {kind}"),
    }
}

/// A command that leads to bash, with what the runner and the command itself have in the environment.
const COMMAND: &str = "exec:env 'OF_THE_COMMAND=not for jobs' nice -n 1";

/// Makes the machine that a target names.
fn behind(target: &str, dir: &Path, cancel: &Cancel) -> Box<dyn Sut> {
    let target: Target = target.parse().unwrap();
    let here = Here {
        home: PathBuf::from("/"),
        user: String::new(),
        uid: 0,
        host: String::new(),
    };
    let mut means = Means {
        ssh_files: &ConfigFiles {
            here,
            only: Some(Only::Nothing),
        },
        accept_new_host_keys: false,
        dead_after: Duration::from_secs(30),
        trusts_target: true,
        trusts_ssh_config: true,
        number: None,
        state_dir: None,
        absolute: |path, beside| beside.join(path),
        warn: &mut |warning| panic!("{warning}"),
    };
    let access = target
        .address
        .access(target.kind.name(), Path::new("/"), &mut means)
        .unwrap();
    access.sut(Some(dir), cancel).unwrap()
}

/// What a login may do before anything of ours runs.
const ODD: &str = "Banner /etc/passwd\nForceCommand echo welcome; FOO=bar; export FOO; echo warning >&2; \
                   printf 'no newline'; printf 'none here' >&2; exec dash -c \"$SSH_ORIGINAL_COMMAND\"";

/// Makes a directory with the programs of bash, coreutils, tar and util-linux that a SUT must have, but those `without`.
fn bare_path(without: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let programs = "bash cat chmod comm cp env flock head id ls mkdir mv printenv rm script setsid sleep sort stat stty sync tail tar touch uname";
    for program in programs.split(' ').filter(|program| !without.contains(program)) {
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|dir| dir.join(program))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(path.expect(program), dir.path().join(program)).unwrap();
    }
    dir
}

/// Runs something on a machine that has no other programs than those.
fn on_bare(path: &Path, what: impl FnOnce(&mut dyn Sut, &Path)) {
    let home = tempfile::tempdir().unwrap();
    let mut command: Vec<OsString> = vec!["env".into(), OsString::from_iter(["PATH=".as_ref(), path.as_os_str()])];
    command.extend(["bash", "--noprofile", "--norc", "-c"].map(OsString::from));
    let link = ChildLink::through("bare", command, None);
    let mut sut = Machine::over(link, Some(home.path().join("sut")), Cancel::new().unwrap());
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    what(&mut sut, &home.path().join("sut/v1/tree/tree"));
}

#[test]
fn bash_coreutils_tar_and_util_linux_are_all_that_a_machine_needs() {
    on_bare(bare_path(&[]).path(), |sut, tree| {
        let host = Host::new(&[("a/b", "1"), ("c", "2")]);
        sync(sut, &host, SyncMode::Exact);
        assert_eq!(run(sut, &script("echo 3 >d; rm c")).exit_code(), 0);
        sut.adopt("tree", 0).unwrap();
        sut.reset_env_file("tree", EnvFile::Prepared).unwrap();
        sut.set_state(&SutState::default()).unwrap();
        assert_eq!(run(sut, &test("echo x >a/b; mkdir -p a/new")).exit_code(), 0);
        assert_eq!(sync(sut, &host, SyncMode::KeepPrepared(1)).sent, 1);
        assert_eq!(run(sut, &tty_test("[[ -t 0 ]]; sleep 1000 & exit 3")).exit_code(), 3);
        assert_eq!(sync(sut, &host, SyncMode::Exact).removed, 1);
        assert_eq!(describe(tree), describe(host.dir.path()));
        let upload = Upload {
            observed: true,
            ..host.upload()
        };
        for _ in 0..2 {
            assert_eq!(sut.sync(&upload, SyncMode::Exact).unwrap().sent, 0);
            assert_eq!(run(sut, &test("echo a/*; cat c")).exit_code(), 0);
            let told = sut.reads(&upload.slot).unwrap().expect("the file system notes reads");
            assert_eq!((told.files, told.listed), (vec!["c".into()], Some(vec!["a".into()])));
        }
    });
}

#[test]
fn terminal_without_script_is_a_setup_failure_with_a_hint() {
    on_bare(bare_path(&["script"]).path(), |sut, _| {
        let trouble = sut.start(&tty_test("true")).err().expect("there is no terminal");
        assert_eq!(trouble.kind, TroubleKind::Setup);
        assert!(trouble.message.contains("`script`"), "{trouble}");
        assert!(trouble.hint.unwrap().contains("util-linux"));
        assert_eq!(run(sut, &test("exit 3")).exit_code(), 3, "the machine is fine");
    });
}

#[test]
fn machine_where_bash_does_not_start_is_unreachable() {
    // The tests of dying runners start this one once more, as the runner.
    if let Ok(kind) = std::env::var("SUT_KIND") {
        return be_a_runner(|dir| machine(&kind, dir, &Cancel::new().unwrap()));
    }
    let dir = tempfile::tempdir().unwrap();
    let link = ChildLink::through(
        "dead",
        ["sh", "-c", "echo no shell for you >&2; exit 1"]
            .map(OsString::from)
            .to_vec(),
        None,
    );
    let mut sut = Machine::over(link, Some(dir.path().into()), Cancel::new().unwrap());
    let trouble = sut.open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("no shell for you"), "{trouble}");
}

/// Whether the group is that of `nobody` alone: some systems give it to other users, too.
fn nobodys_group_is_private() -> bool {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    passwd.lines().all(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        fields[3] != "65534" || ["0", "65534"].contains(&fields[2])
    })
}

#[test]
fn a_group_of_the_users_own_number_may_write_on_the_way_if_nobody_else_is_in_it_and_no_other() {
    on("nobody", |world| {
        let home = world.dir.parent().unwrap();
        for (group, opens) in [(65_533, false), (65_534, nobodys_group_is_private()), (0, true)] {
            std::os::unix::fs::chown(home, Some(65_534), Some(group)).unwrap();
            std::fs::set_permissions(home, PermissionsExt::from_mode(0o775)).unwrap();
            match (world.make)().open(OnHeld::Fail, &mut |_| ()) {
                Ok(_) => assert!(opens, "{group}"),
                Err(trouble) => {
                    assert!(
                        !opens && trouble.message.contains("others may write to"),
                        "{group}: {trouble}"
                    );
                    assert!(trouble.hint.unwrap().contains("--sut-dir"));
                    assert!(!world.dir.exists());
                }
            }
        }
    });
}

#[test]
fn job_of_a_runner_that_gives_no_sign_of_life_is_ended() {
    on("silent", |world| {
        let mut sut = world.open();
        let mut running = Running::start(&mut *sut, &test("echo $$ >&7; sleep 1000"));
        running.said("\n");
        let pid = running.seen.control().trim().to_owned();
        assert!(lives(&pid));
        // Signs are given by waiting, and nobody waits.
        eventually("the silence is noticed", || !lives(&pid));
        let outcome = running.finish();
        assert!(matches!(outcome.end, Some(End::Broken(_))), "{:?}", outcome.end);
        assert!(!outcome.control().contains("exitcode"), "{}", outcome.control());
    });
}

#[test]
fn machine_of_a_runner_that_gives_no_sign_of_life_is_free_and_tending_keeps_it() {
    on("silent", |world| {
        let mut sut = world.open();
        for _ in 0..8 {
            std::thread::sleep(Duration::from_secs(1));
            sut.tend();
        }
        let trouble = (world.make)().open(OnHeld::Fail, &mut |_| ()).unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Held, "it is tended");
        world.open_waiting();
        let trouble = sut.set_state(&SutState::default()).unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Aborted);
    });
}

/// A file system of 2 MiB, mounted while this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(dir: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=2m", "atex"]).arg(dir).output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(dir.into()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn full_disk_is_a_setup_failure_and_nothing_is_believed_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let Some(_small) = SmallDisk::at(home.path()) else {
        assert!(std::env::var_os("CI").is_none(), "cannot mount a small file system");
        eprintln!("SKIPPED: cannot mount a small file system");
        return;
    };
    let mut sut = Local::new("local", Some(home.path().join("sut")), Cancel::new().unwrap()).unwrap();
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let host = Host::new(&[("a", "1")]);
    sync(&mut sut, &host, SyncMode::Exact);
    let state = SutState {
        layers: 4,
        ..SutState::default()
    };
    sut.set_state(&state).unwrap();
    host.write("big", &"x".repeat(3 << 20));
    for _ in 0..2 {
        let trouble = sut.sync(&host.upload(), SyncMode::KeepPrepared(1)).unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Setup);
        assert!(
            trouble.hint.is_some_and(|hint| hint.contains("full")),
            "{}",
            trouble.message
        );
    }
    let reasons = SutState {
        unfinished: vec!["y".repeat(1 << 20).as_str().into(); 3],
        ..state.clone()
    };
    assert_eq!(sut.set_state(&reasons).unwrap_err().kind, TroubleKind::Setup);
    host.remove("big");
    sync(&mut sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!(
        describe(&home.path().join("sut/v1/tree/tree")),
        describe(host.dir.path())
    );
    sut.close();
    assert_eq!(sut.open(OnHeld::Fail, &mut |_| ()).unwrap().state, state);
}

macro_rules! conformance {
    ($($theme:ident: $laws:tt)*) => {
        mod local { $(conformance!(@laws "local" $theme $laws);)* }
        mod nobody { $(conformance!(@laws "nobody" $theme $laws);)* }
        mod noisy { $(conformance!(@noisy $theme $laws);)* }
        mod ssh { $(conformance!(@laws "ssh" $theme $laws);)* }
        mod exec { $(conformance!(@laws "exec" $theme $laws);)* }
        mod podman { $(conformance!(@laws "podman" $theme $laws);)* }
        mod ssh_odd { $(conformance!(@odd $theme $laws);)* }
    };
    // What the login prints and the signs of life concern these.
    (@noisy lease $laws:tt) => { conformance!(@laws "noisy" lease $laws); };
    (@noisy jobs $laws:tt) => { conformance!(@laws "noisy" jobs $laws); };
    (@noisy trust $laws:tt) => { conformance!(@laws "noisy" trust $laws); };
    (@noisy daemons $laws:tt) => { conformance!(@laws "noisy" daemons $laws); };
    (@noisy ending $laws:tt) => { conformance!(@laws "noisy" ending $laws); };
    (@noisy $theme:ident $laws:tt) => {};
    (@odd jobs $laws:tt) => { conformance!(@laws "ssh_odd" jobs $laws); };
    (@odd $theme:ident $laws:tt) => {};
    (@laws $kind:literal $theme:ident { $($law:ident)* }) => {
        $(
            #[test]
            fn $law() {
                crate::sut_conformance::on($kind, crate::sut_support::laws::$theme::$law);
            }
        )*
    };
}

conformance! {
    lease: {
        second_runner_is_told_who_holds_the_lease
        second_runner_waits_is_told_once_and_gets_the_lease
        waiting_for_the_lease_ends_when_the_user_cancels
        lease_is_free_at_once_when_its_holder_is_killed
        closed_machine_is_free_and_can_be_opened_again
        state_survives_the_connection
        state_that_cannot_be_read_is_a_taint
        interrupted_write_of_the_state_leaves_the_old_one
        machine_directory_shows_others_the_trees_only
        facts_tell_what_the_machine_is
        directory_that_cannot_be_made_is_a_setup_failure_with_a_hint
    }
    sync: {
        files_links_modes_and_empty_directories_arrive_as_they_are
        tree_that_was_expected_is_brought_like_any_other
        names_of_any_bytes_arrive
        nothing_is_sent_where_nothing_changed
        only_what_changed_on_the_host_is_sent
        file_directory_and_link_may_take_each_others_place
        what_tests_did_to_the_tree_is_undone
        nothing_outside_the_tree_is_touched_through_links_that_tests_left
        file_that_changes_while_it_is_sent_is_named_and_the_next_sync_heals
        what_a_job_read_is_told_and_nothing_that_was_read_before
        paths_and_slots_that_lead_out_are_refused
        interrupted_upload_never_counts_as_whole
        many_files_and_a_big_one_arrive
        large_tree_of_all_kinds_arrives_and_what_became_of_it_there_is_found
        directories_that_cannot_be_read_or_written_are_no_obstacle
    }
    room: {
        trees_that_nobody_used_for_a_month_go_when_a_new_one_comes
        trees_of_a_project_go_when_eight_others_have_used_theirs_since
    }
    prepared: {
        what_a_prepare_step_made_stays
        what_tests_add_beside_prepared_files_goes
        new_version_on_the_host_wins_over_prepared_files
        exact_sync_restores_everything
        steps_of_a_chain_add_to_each_other
        what_a_test_did_to_the_work_of_a_step_takes_the_tree_back_to_before_that_step
        environment_file_goes_back_to_what_a_step_left
        failed_step_that_is_not_adopted_leaves_nothing
        adopting_a_slot_that_was_never_brought_is_nothing
        environment_file_lasts_until_it_is_reset
    }
    jobs: {
        exit_codes_are_told_as_bash_gives_them
        stdout_and_stderr_come_in_order_as_output
        job_runs_in_its_directory_with_nothing_to_read
        environment_is_set_in_its_order
        values_arrive_whatever_they_hold
        test_sees_what_it_is_promised
        script_has_no_control_stream
        environment_of_the_runner_stays_with_the_runner
        values_show_in_no_command_line
        signals_are_as_a_login_shell_has_them
        terminal_is_given_to_a_test_that_asks
        test_without_terminal_has_none
        job_leads_a_session_and_a_process_group_of_its_own
        one_job_at_a_time
        output_flows_with_backpressure
        control_stream_takes_any_bytes_and_much_of_them
        control_stream_works_from_other_shells
        partial_control_line_is_neither_mended_nor_lost
    }
    ending: {
        what_a_test_leaves_in_its_group_is_killed_when_it_ends
        a_job_whose_runner_is_gone_when_its_turn_comes_does_not_start
        terminate_ends_the_whole_group_also_what_ignores_term
        test_may_clean_up_when_it_is_terminated
        dropped_channel_ends_the_job
        killed_runner_leaves_nothing_behind
        machine_is_taken_only_when_the_last_job_is_gone
        wrapper_that_is_killed_is_a_broken_end_and_its_job_dies
        wrapper_and_watcher_killed_leave_their_job_to_the_next_open
        detached_test_sees_epipe_and_goes_on
        failed_write_is_an_error_of_the_command_and_children_die_of_it
        reopening_waits_for_the_old_job_and_ends_it_when_the_time_is_over
        detached_job_of_a_dead_runner_is_ended_by_the_next_one
        wait_comes_back_for_deadlines_and_for_each_cancellation
        state_is_written_also_after_a_cancellation
        test_that_deletes_the_list_of_its_groups_leaves_nothing_behind
    }
    daemons: {
        what_a_prepare_step_leaves_running_lives_on_until_it_is_ended
        what_later_steps_left_running_is_ended_alone
        a_step_that_fails_or_is_cut_off_leaves_nothing_running
        a_daemon_that_has_ended_is_told_and_another_process_is_not_taken_for_it
        daemons_of_another_boot_are_told_and_the_processes_with_their_numbers_live_on
        a_daemon_that_prints_neither_hangs_its_step_nor_dies_of_it
        what_a_test_leaves_outside_of_its_group_ends_with_it
        what_left_the_group_of_a_job_that_was_cut_off_is_ended_by_the_next_runner
    }
    trust: {
        job_of_a_runner_that_was_killed_is_a_taint_until_a_state_is_written
        job_whose_wrapper_was_killed_is_a_taint
        job_that_was_let_go_is_a_taint_unless_its_runner_comes_back
        overdue_job_is_a_taint_and_one_that_nobody_wants_is_none
        job_that_came_to_its_end_is_no_taint
    }
}
