//! Tests of where uploaded files are stored, and that no name leads outside.

use std::os::unix::fs::symlink;

use atex::control::ResultStore;

use crate::control::support::{Running, result_with};

fn upload(subtest: &str, file: &str, bytes: &str) -> Vec<u8> {
    let length = bytes.len();
    let json = format!(r#"{{"name":"{subtest}","status":"pass","files":[{{"name":"{file}","length":{length}}}]}}"#);
    result_with(&json, bytes)
}

#[test]
fn names_that_are_absolute_or_contain_dots_or_nul_are_refused_and_write_nothing() {
    for name in ["/etc/x", "../x", "a/../../x", "..", r"a\u0000b", "a/", ".", ""] {
        let mut test = Running::new();
        let note = test.break_with(upload("", name, "x"));
        assert!(note.contains("file name"), "{name}: {note}");
        assert!(test.break_with("noop\n").contains("file name"), "{name}");
        assert_eq!(test.exit(0).files.len(), 2, "{name}: results and output only");
    }
}

#[test]
fn dots_within_a_component_are_only_a_name() {
    let mut test = Running::new();
    test.say(upload("a..b", "..c/...", "x"));
    assert_eq!(test.file("a..b/..c/..."), "x");
}

#[test]
fn a_subtest_whose_name_leads_outside_is_refused_only_if_it_has_files() {
    let mut test = Running::new();
    test.report(r#"{"name":"../up","status":"pass"}"#);
    let note = test.break_with(upload("../up", "f", "x"));
    assert_eq!(note, "subtest has files and `..` in its name: `../up`");
    assert!(!test.dir.path().join("up").exists());
}

#[test]
fn a_link_out_of_the_directory_is_not_followed() {
    let mut test = Running::new();
    let outside = test.dir.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    std::fs::write(outside.join("file"), "mine").expect("a file");
    let files = test.path().join("files");
    symlink(&outside, files.join("dir")).expect("a link");
    symlink(outside.join("file"), files.join("file")).expect("a link");
    assert!(
        test.break_with(upload("", "dir/new", "x"))
            .contains("a file, or a link, has the name of one of its directories")
    );
    for name in ["dir", "file"] {
        let mut other = Running::new();
        symlink(outside.join("file"), other.path().join("files").join(name)).expect("a link");
        assert_eq!(
            other.break_with(upload("", name, "x")),
            format!("file `{name}` cannot be stored: a link has its name")
        );
    }
    assert_eq!(std::fs::read_to_string(outside.join("file")).expect("a file"), "mine");
    assert_eq!(std::fs::read_dir(&outside).expect("a directory").count(), 1);
}

#[test]
fn a_pipe_in_the_way_neither_blocks_nor_takes_the_bytes() {
    let mut test = Running::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, test.path().join("files/pipe"), mode).expect("a pipe");
    assert!(test.break_with(upload("", "pipe", "x")).contains("no regular file"));
}

#[test]
fn a_name_too_long_for_a_file_is_stored_and_costs_nothing_that_follows() {
    let mut test = Running::new();
    test.say(upload("", &"x".repeat(300), "x"));
    test.say(upload("", "after", "y"));
    assert_eq!(test.file("after"), "y");
}

#[test]
fn a_path_that_is_both_file_and_directory_is_refused_and_keeps_what_was_there() {
    let mut test = Running::new();
    test.say(upload("", "a", "first"));
    let note = test.break_with(upload("a", "b", "second"));
    assert_eq!(
        note,
        "file `a/b` cannot be stored: a file, or a link, has the name of one of its directories"
    );
    assert_eq!(test.file("a"), "first");

    let mut test = Running::new();
    test.say(upload("a", "b", "first"));
    assert_eq!(
        test.break_with(upload("", "a", "second")),
        "file `a` cannot be stored: a directory has its name"
    );
    assert_eq!(test.file("a/b"), "first");
}

#[test]
fn two_results_that_name_the_same_path_append_like_one() {
    let mut test = Running::new();
    test.say(upload("a", "b", "one")).say(upload("", "a/b", "two"));
    assert_eq!(test.file("a/b"), "onetwo");
}

#[test]
fn the_output_gives_way_to_a_file_or_a_subtest_of_its_name() {
    let mut test = Running::new();
    test.say(upload("", "output.txt", "mine"));
    test.output.append(b"printed").expect("a disk");
    test.report(r#"{"name":"s","status":"pass","testout":"log"}"#);
    let done = test.exit(0);
    assert_eq!(done.files["files/output.txt"], b"mine");
    assert_eq!(done.files["files/s/log"], b"printed");
    assert_eq!(done.files["output.txt"], b"printed");

    let mut test = Running::new();
    test.output.append(b"printed").expect("a disk");
    test.say(upload("output.txt", "f", "mine"));
    let done = test.exit(1);
    assert_eq!(done.files["files/output.txt/f"], b"mine");
    assert_eq!(done.files["output.txt"], b"printed");
    assert_eq!(
        done.lines[1], r#"{"status":"fail"}"#,
        "a name that is not the output's is not given for it"
    );
}

#[test]
fn output_that_a_result_named_does_not_give_way() {
    for name in ["", "output.txt"] {
        let mut test = Running::new();
        test.output.append(b"printed").expect("a disk");
        test.report(r#"{"status":"pass","testout":"output.txt"}"#);
        let file = if name.is_empty() { "output.txt" } else { "f" };
        test.break_with(upload(name, file, "mine"));
        assert_eq!(test.file("output.txt"), "printed");
    }
}

#[test]
fn file_bytes_go_straight_to_disk() {
    let mut test = Running::new();
    let bytes = "x".repeat(100_000);
    let said = upload("", "f", &bytes);
    let (first, rest) = said.split_at(said.len() - 60_000);
    test.say(first);
    assert_eq!(test.file("f").len(), 40_000);
    assert_eq!(test.lines().len(), 0);
    test.say(rest);
    assert_eq!(test.file("f"), bytes);
}

#[test]
fn a_store_takes_no_directory_that_has_results() {
    let test = Running::new();
    let error = ResultStore::create(&test.path()).expect_err("there are results");
    assert!(error.path().ends_with("test/results.jsonl"), "{error}");
    assert!(error.to_string().starts_with("cannot create `"), "{error}");
}

#[test]
fn output_beyond_the_cap_is_dropped_and_a_line_says_so() {
    let test = Running::new();
    let mut output = test.output.with_cap(Some(10));
    for part in ["12345", "67", "89abcdef", "more"] {
        output.append(part.as_bytes()).expect("a disk");
    }
    assert_eq!((output.written(), output.dropped()), (10, 9));
    let kept = std::fs::read_to_string(test.dir.path().join("test/files/output.txt")).expect("the output");
    assert_eq!(kept, "123456789a\n[output beyond 10 bytes was dropped]\n");
}
