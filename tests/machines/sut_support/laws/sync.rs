//! Laws about sending trees: they are compared by content, whatever the names, and whatever tests did there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use atex::sut::{FileEntry, FileKind, OnHeld, Reads, SlotFiles, Sut, SutState, SyncMode, Synced, TroubleKind, Upload};

use crate::sut_support::{Host, World, describe, eventually, run, script, sync, test};

const NOTHING: Synced = Synced {
    changed: None,
    sent: 0,
    bytes: 0,
    removed: 0,
    lost_prepared: None,
    has_prepared: false,
};

/// Checks that the tree on the machine is the tree on the host.
fn same(world: &World<'_>, host: &Host) {
    assert_eq!(describe(&world.tree("")), describe(host.dir.path()));
}

fn sample() -> Host {
    let host = Host::new(&[
        ("main.fmf", "x"),
        ("a/run.sh", "echo 1"),
        ("a/b/data", "data"),
        ("lib/lib.sh", "lib"),
        ("-n", "dash"),
    ]);
    host.executable("a/run.sh", true);
    symlink("../lib/lib.sh", host.path("a/link")).unwrap();
    symlink("/nonexistent/target", host.path("dangling")).unwrap();
    std::fs::create_dir_all(host.path("empty/inner")).unwrap();
    host
}

pub(crate) fn files_links_modes_and_empty_directories_arrive_as_they_are(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    let synced = sync(&mut *sut, &host, SyncMode::Exact);
    assert_eq!((synced.sent, synced.removed), (7, 0));
    assert_eq!(synced.bytes, 18);
    same(world, &host);
}

pub(crate) fn tree_that_was_expected_is_brought_like_any_other(world: &mut World<'_>) {
    let (host, other) = (sample(), Host::new(&[("a/run.sh", "echo 2"), ("new", "n")]));
    let mut sut = world.open();
    sync(&mut *sut, &host, SyncMode::Exact);
    let opened = |sut: &mut dyn Sut, host: &Host| {
        sut.close();
        sut.expect(&host.upload(), SyncMode::KeepPrepared(1));
        sut.open(OnHeld::Fail, &mut |_| ()).expect("the machine opens");
    };
    for mode in [SyncMode::KeepPrepared(1), SyncMode::Exact] {
        opened(&mut *sut, &host);
        sut.set_state(&SutState::default())
            .expect("other requests are answered");
        assert_eq!(sync(&mut *sut, &host, mode), NOTHING);
    }
    host.write("a/b/data", "what is new");
    opened(&mut *sut, &host);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 1);
    same(world, &host);
    opened(&mut *sut, &host);
    sync(&mut *sut, &other, SyncMode::KeepPrepared(1));
    same(world, &other);
    // What a job has changed since then is found.
    opened(&mut *sut, &other);
    run(&mut *sut, &script("echo 3 >new; echo >surplus"));
    sync(&mut *sut, &other, SyncMode::KeepPrepared(1));
    same(world, &other);
    // A runner that does not get the lease must ask nothing.
    std::fs::remove_file(world.tree("new")).expect("it is there");
    let mut second = (world.make)();
    second.expect(&host.upload(), SyncMode::KeepPrepared(1));
    let trouble = second.open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Held);
    sync(&mut *sut, &other, SyncMode::KeepPrepared(1));
    same(world, &other);
}

pub(crate) fn names_of_any_bytes_arrive(world: &mut World<'_>) {
    let host = Host::new(&[]);
    let long = "long/".repeat(60) + &"n".repeat(255);
    let names: [&[u8]; 11] = [
        b"a b",
        b" lead and trail ",
        b"new\nline/in\n\ndir",
        b"\xff\xfe\xc3",
        b"tab\tquote'\"\\",
        b"-rf",
        b"*",
        b"$(id)`id`$HOME",
        "ünï".as_bytes(),
        b".hidden/.x",
        long.as_bytes(),
    ];
    for name in names {
        host.write(OsStr::from_bytes(name), "content");
    }
    symlink(OsStr::from_bytes(b"t\xff\n"), host.path("link")).unwrap();
    let mut sut = world.open();
    sync(&mut *sut, &host, SyncMode::Exact);
    same(world, &host);
    assert_eq!(sync(&mut *sut, &host, SyncMode::Exact), NOTHING);
    for name in &names[..10] {
        host.remove(OsStr::from_bytes(name.split(|byte| *byte == b'/').next().unwrap()));
    }
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 0);
    same(world, &host);
}

pub(crate) fn nothing_is_sent_where_nothing_changed(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    sync(&mut *sut, &host, SyncMode::Exact);
    let file = world.tree("a/run.sh");
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&file).unwrap());
    let before = inode();
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)), NOTHING);
    drop(sut);
    let mut sut = world.open();
    assert_eq!(sync(&mut *sut, &host, SyncMode::Exact), NOTHING);
    assert_eq!(inode(), before);
}

pub(crate) fn only_what_changed_on_the_host_is_sent(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    sync(&mut *sut, &host, SyncMode::Exact);
    host.write("a/b/data", "DATA");
    assert_eq!(
        sync(&mut *sut, &host, SyncMode::KeepPrepared(1)),
        Synced {
            sent: 1,
            bytes: 4,
            removed: 0,
            ..NOTHING
        }
    );
    host.executable("main.fmf", true);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 1);
    host.write("new/file", "");
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 1);
    host.remove("a/link");
    symlink("elsewhere", host.path("a/link")).unwrap();
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 1);
    host.remove("lib");
    assert_eq!(
        sync(&mut *sut, &host, SyncMode::KeepPrepared(1)),
        Synced { removed: 2, ..NOTHING }
    );
    same(world, &host);
}

pub(crate) fn file_directory_and_link_may_take_each_others_place(world: &mut World<'_>) {
    let (host, mut sut) = (
        Host::new(&[("a", "file"), ("b/x", "1"), ("c/y/z", "2"), ("d", "3")]),
        world.open(),
    );
    symlink("c", host.path("e")).unwrap();
    sync(&mut *sut, &host, SyncMode::Exact);
    for path in ["a", "b", "c", "d", "e"] {
        host.remove(path);
    }
    host.write("a/now/a dir", "4");
    symlink("a", host.path("b")).unwrap();
    host.write("c", "now a file");
    std::fs::create_dir(host.path("d")).unwrap();
    host.write("e/was/a/link", "5");
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    same(world, &host);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)), NOTHING);
}

pub(crate) fn what_tests_did_to_the_tree_is_undone(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    sync(&mut *sut, &host, SyncMode::Exact);
    let vandals = [
        "echo DATA >a/b/data", // same size, in place
        "rm -r a",
        "echo more >a/new; mkdir -p x/y/z; echo 1 >x/y/z/f",
        "chmod 600 main.fmf; chmod 644 a/run.sh",
        "chmod 700 a; chmod 777 lib",
        "mv lib other; ln -s other lib",
        "rm a/link; echo 1 >a/link",
        "rm main.fmf; mkdir main.fmf; echo 1 >main.fmf/x",
        "rmdir empty/inner; echo 1 >empty/inner",
        "rm -rf ./*",
        "cd ..; rm -rf tree",
        "chmod 000 a; chmod 555 lib; chmod 000 .",
        "touch -d @0 a/b/data; printf tada >a/b/data; touch -d @0 a/b/data",
        "mkfifo fifo; ln a/b/data hard; mkdir \"$(printf 'n\\nl')\"",
    ];
    for vandal in vandals {
        assert_eq!(run(&mut *sut, &test(vandal)).exit_code(), 0, "{vandal}");
        let synced = sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
        assert_eq!(describe(&world.tree("")), describe(host.dir.path()), "{vandal}");
        assert!(synced.sent <= 7, "{vandal}: {synced:?}");
        assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)), NOTHING, "{vandal}");
    }
}

pub(crate) fn nothing_outside_the_tree_is_touched_through_links_that_tests_left(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    let outside = Host::new(&[
        ("run.sh", "precious"),
        ("b/data", "precious"),
        ("only here", "precious"),
    ]);
    let before = describe(outside.dir.path());
    sync(&mut *sut, &host, SyncMode::Exact);
    let to = outside.dir.path().display();
    for vandal in [
        format!("rm -r a; ln -s {to} a"),
        format!("rm a/run.sh; ln -s {to}/run.sh a/run.sh"),
        format!("rm -r empty lib; ln -s {to} empty; ln -s {to} lib"),
        format!("cd ..; rm -r tree; ln -s {to} tree"),
        format!("mkdir new; ln -s {to} new/x; ln -s {to} y"),
    ] {
        for mode in [SyncMode::KeepPrepared(1), SyncMode::Exact] {
            assert_eq!(run(&mut *sut, &test(&vandal)).exit_code(), 0, "{vandal}");
            host.write("a/run.sh", &format!("{vandal} {mode:?}"));
            host.executable("a/run.sh", true);
            sync(&mut *sut, &host, mode);
            assert_eq!(describe(outside.dir.path()), before, "{vandal}");
            same(world, &host);
        }
    }
}

pub(crate) fn file_that_changes_while_it_is_sent_is_named_and_the_next_sync_heals(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    for content in ["other", "longer than it was", "", "2 bytes less"] {
        host.write("a/b/data", "14 bytes long!");
        let upload = host.upload();
        host.write("a/b/data", content);
        let synced = sut.sync(&upload, SyncMode::Exact).unwrap();
        let changed = synced.changed.expect("it is another file");
        assert_eq!(upload.files.files[changed].path, Path::new("a/b/data"));
        sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
        same(world, &host);
    }
    let upload = host.upload();
    host.remove("a/b/data");
    host.write("lib/lib.sh", "changed too");
    assert_eq!(
        sut.sync(&upload, SyncMode::Exact).unwrap(),
        NOTHING,
        "nothing needs to be read"
    );
    host.write("a/b/data", "back");
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    let upload = with(&host.upload(), "ghost", host.path("nowhere"));
    let synced = sut.sync(&upload, SyncMode::Exact).unwrap();
    let gone = synced.changed.expect("it is gone");
    assert_eq!(upload.files.files[gone].path, Path::new("ghost"));
}

pub(crate) fn what_a_job_read_is_told_and_nothing_that_was_read_before(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    let upload = Upload {
        observed: true,
        ..host.upload()
    };
    let cat = "cat a/b/data a/link -- -n >/dev/null";
    let all = &["-n", "a/b/data", "a/link", "lib/lib.sh"][..];
    for (script, read, listed) in [
        (cat, all, &[][..]),
        (
            "cd a; ls >/dev/null; test -e run.sh; stat run.sh >/dev/null",
            &[],
            &["a"],
        ),
        ("echo a/* lib/*.sh >/dev/null", &[], &["a", "lib"]),
        (
            "find . -name none",
            &[],
            &["", "a", "a/b", "empty", "empty/inner", "lib"],
        ),
        (cat, all, &[]),
        (
            "read -r line <a/b/data || rm -r lib",
            &["a/b/data", "lib/lib.sh"],
            &["lib"],
        ),
        ("echo more >>main.fmf; echo new >new; cat new >/dev/null", &["new"], &[]),
        ("true", &[], &[]),
        ("cat lib/lib.sh >/dev/null", &["lib/lib.sh"], &[]),
        ("rm a/b/data lib/lib.sh", &["a/b/data", "lib/lib.sh"], &["a/b", "lib"]),
    ] {
        let told = reads_of(&mut *sut, &upload, script);
        assert_eq!(told.files, paths(read), "{script}");
        assert_eq!(told.listed, Some(paths(listed)), "{script}");
    }
    let told = reads_of(&mut *sut, &upload, "cat a/b/data >/dev/null; chmod 000 a/b a");
    assert_eq!(
        told.files,
        paths(&["a/b/data"]),
        "what has to be made readable counts as listed"
    );
    sut.sync(&upload, SyncMode::Exact).unwrap();
    same(world, &host);
}

fn paths(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

/// Returns what the machine tells that the script has read in the synced tree, sorted.
fn reads_of(sut: &mut dyn Sut, upload: &Upload, script: &str) -> Reads {
    sut.sync(upload, SyncMode::Exact).unwrap();
    assert_eq!(run(sut, &test(script)).exit_code(), 0, "{script}");
    let mut told = sut.reads(&upload.slot).unwrap().expect("the file system notes reads");
    told.files.sort();
    told.listed.as_mut().expect("it notes listings, too").sort();
    told
}

/// Returns the upload with one more file.
fn with(upload: &Upload, path: &str, source: PathBuf) -> Upload {
    let mut files = upload.files.files.clone();
    let kind = FileKind::File {
        digest: [0; 32],
        executable: false,
        size: 4,
    };
    files.push(FileEntry {
        path: path.into(),
        source,
        content: None,
        kind,
    });
    Upload {
        observed: false,
        files: std::sync::Arc::new(SlotFiles { files }),
        ..upload.clone()
    }
}

pub(crate) fn paths_and_slots_that_lead_out_are_refused(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    for path in ["../x", "/etc/x", "a/../../x", "a//b", "./a", ""] {
        let trouble = sut
            .sync(&with(&host.upload(), path, host.path("main.fmf")), SyncMode::Exact)
            .unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Setup, "{path}");
    }
    for slot in ["../x", "", "A", "a b", "x\ny"] {
        let upload = Upload {
            observed: false,
            slot: slot.into(),
            ..host.upload()
        };
        assert_eq!(
            sut.sync(&upload, SyncMode::Exact).unwrap_err().kind,
            TroubleKind::Setup,
            "{slot}"
        );
    }
    sync(&mut *sut, &host, SyncMode::Exact);
}

pub(crate) fn interrupted_upload_never_counts_as_whole(world: &mut World<'_>) {
    let host = sample();
    sync(&mut *world.open(), &host, SyncMode::Exact);
    let small = host.upload();
    let big = std::fs::File::create(host.path("a/b/data")).unwrap();
    big.set_len(600 << 20).unwrap();
    let mut runner = world.runner_with("upload", host.dir.path().as_os_str());
    let arriving = world.tree("a/b/data");
    eventually("a part of the file arrives", || {
        std::fs::metadata(&arriving).is_ok_and(|meta| meta.len() > 1 << 20 && meta.len() != 600 << 20)
    });
    runner.kill();
    host.write("a/b/data", "data");
    assert_eq!(host.upload().files.files, small.files.files);
    let mut sut = (world.make)();
    sut.open(OnHeld::Wait, &mut |_| ()).unwrap();
    assert!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent >= 1);
    same(world, &host);
}

pub(crate) fn many_files_and_a_big_one_arrive(world: &mut World<'_>) {
    let (host, mut sut) = (Host::new(&[]), world.open());
    for dir in 0..40 {
        std::fs::create_dir(host.path(format!("d{dir}"))).unwrap();
        for file in 0..40 {
            std::fs::write(host.path(format!("d{dir}/f{file}")), format!("{dir} {file}")).unwrap();
        }
    }
    std::fs::write(host.path("big"), vec![b'x'; 32 << 20]).unwrap();
    assert_eq!(sync(&mut *sut, &host, SyncMode::Exact).sent, 1_601);
    same(world, &host);
    run(&mut *sut, &script("echo 1 >d7/new; rm d8/f1"));
    assert_eq!(
        sync(&mut *sut, &host, SyncMode::KeepPrepared(1)),
        Synced {
            sent: 1,
            bytes: 3,
            removed: 1,
            ..NOTHING
        }
    );
    same(world, &host);
}

pub(crate) fn large_tree_of_all_kinds_arrives_and_what_became_of_it_there_is_found(world: &mut World<'_>) {
    let (host, mut sut) = (Host::new(&[]), world.open());
    // Names with a newline, bytes that are not UTF-8, spaces, quotes, and text that a shell or an option parser would
    // interpret.
    let odd: [&[u8]; 5] = [b"plain", b"new\nline", b"\xff\xc3(", b"-r 'q\" ", b"$(id)*"];
    let dir = |number: usize| [format!("d{number} ").as_bytes(), odd[number % odd.len()]].concat();
    for number in 0..2_000 {
        let name = [
            &dir(number / 100)[..],
            b"/",
            odd[number % odd.len()],
            number.to_string().as_bytes(),
        ]
        .concat();
        let path = OsStr::from_bytes(&name);
        match number % 20 {
            0 => std::fs::create_dir_all(host.path(path)).unwrap(),
            1 => symlink(OsStr::from_bytes(odd[number % odd.len()]), host.path(path)).unwrap(),
            kind => {
                host.write(path, &"x".repeat(number % 7));
                host.executable(path, kind == 2);
            }
        }
    }
    assert_eq!(
        sync(&mut *sut, &host, SyncMode::Exact).sent,
        1_900,
        "all but empty directories"
    );
    same(world, &host);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)), NOTHING);
    // Each of four directories is changed in another way: content of the same size, new files, removed files, modes.
    let vandal = "cd d4*; for f in *; do [[ ! -f $f || -L $f || ! -s $f ]] || printf %s yyyyyyy | head -c $(stat -c %s -- \"./$f\") >\"./$f\"; done; \
                  cd ../d5*; for n in {1..50}; do echo >\"n$n\"$'\\n\\xfe'; done; \
                  cd ../d6*; rm -r -- ./*1*; \
                  cd ../d7*; chmod 600 -- ./*8";
    for mode in [SyncMode::KeepPrepared(1), SyncMode::Exact] {
        assert_eq!(run(&mut *sut, &test(vandal)).exit_code(), 0);
        let synced = sync(&mut *sut, &host, mode);
        assert_eq!(synced.removed, 50, "{synced:?}");
        assert!((80..300).contains(&synced.sent), "{synced:?}");
        same(world, &host);
        assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)), NOTHING);
    }
}

pub(crate) fn directories_that_cannot_be_read_or_written_are_no_obstacle(world: &mut World<'_>) {
    let (host, mut sut) = (sample(), world.open());
    sync(&mut *sut, &host, SyncMode::Exact);
    for mode in [0o000, 0o500, 0o300] {
        for path in ["a/b", "a", "lib"] {
            std::fs::set_permissions(world.tree(path), PermissionsExt::from_mode(mode)).unwrap();
        }
        host.write("a/b/data", &format!("{mode:o}"));
        host.write("lib/lib.sh", &format!("{mode:o}"));
        sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
        same(world, &host);
    }
}
