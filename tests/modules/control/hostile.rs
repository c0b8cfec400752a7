//! Tests with arbitrary input: whatever a test sends, there is no panic, and the result does not depend on the chunks.

use std::collections::BTreeMap;

use atex::control::{ControlError, ControlMessage, Finish, InfraKind, Limits, Status};
use proptest::prelude::*;

use crate::control::support::{Running, result, result_with};

/// All that can be seen of a test that said some bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    error: Option<ControlError>,
    said: Vec<ControlMessage>,
    lines: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    counts: BTreeMap<Status, u64>,
}

fn outcome<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let limits = Limits {
        line: 64,
        json: 300,
        depth: 5,
        open: 700,
    };
    let mut test = Running::with(limits);
    let mut chunks = chunks.into_iter();
    let error = chunks
        .find_map(|chunk| test.try_say(chunk).err())
        .or_else(|| test.protocol.end_of_stream().err());
    let done = test.finish(match &error {
        None => Finish::Exited(Status::Pass),
        Some(error) => Finish::Infra {
            kind: InfraKind::Control,
            note: error.to_string(),
        },
    });
    Outcome {
        error,
        said: [done.said, done.summary.late].concat(),
        lines: done.lines,
        files: done.files,
        counts: done.summary.counts,
    }
}

/// A JSON value of the kinds that matter to merging.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?",
        "[a-zé\" \\\\\n]{0,6}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just(r#""\udc80""#.to_owned()),
    ];
    leaf.prop_recursive(5, 12, 3, |inner| {
        let object = prop::collection::vec(("[ab]", inner.clone()), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|values| format!("[ {} ]", values.join(", "))),
            object.prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\" : {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// One thing that a test says, right or wrong.
fn saying() -> impl Strategy<Value = Vec<u8>> {
    let member = prop_oneof![
        8 => ("[a-d]", value()).prop_map(|(key, value)| format!("\"{key}\":{value}")),
        6 => "\"name\":\"[ab/]{0,2}\"",
        4 => "\"partial\":(true|false)",
        4 => "\"status\":\"(pass|fail|odd|infra)\"",
        2 => "\"testout\":\"[ax]\"",
        1 => "\"(name|status|testout|files)\":null",
    ];
    let members = prop::collection::vec(member, 0..5);
    let file = prop_oneof![10 => "[ab/]{1,3}", 1 => "\\.\\./a", 1 => Just("output.txt".to_owned())];
    let files = prop::collection::vec((file, 0..5_usize), 0..3);
    let report = (members, files).prop_map(|(mut members, files)| {
        let mut bytes = String::new();
        if !files.is_empty() {
            let entries: Vec<_> = files
                .iter()
                .map(|(name, length)| format!(r#"{{"name":"{name}","length":{length}}}"#))
                .collect();
            members.push(format!("\"files\":[{}]", entries.join(",")));
            bytes = files
                .iter()
                .map(|(name, length)| name.repeat(5)[..*length].to_owned())
                .collect();
        }
        result_with(&format!("{{{}}}", members.join(",")), &bytes)
    });
    prop_oneof![
        30 => report,
        4 => "(noop|exitcode 5|duration \\+5m|reconnect)\n".prop_map(String::into_bytes),
        1 => "(disconnect|nonsense|result 9|duration x|)\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..90),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn no_chunking_changes_what_comes_of_a_stream(
        sayings in prop::collection::vec(saying(), 0..12),
        sizes in prop::collection::vec(1..40_usize, 1..20),
    ) {
        let stream = sayings.concat();
        let mut rest = &stream[..];
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let whole = outcome([&stream[..]]);
        prop_assert_eq!(&outcome(chunks), &whole);
        prop_assert_eq!(&outcome(stream.chunks(1)), &whole);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), length in 0..400_usize) {
        outcome([&bytes[..]]);
        outcome([format!("result {length}\n").as_bytes(), &bytes[..]]);
    }
}

#[test]
fn deep_nesting_is_a_violation_and_what_is_stored_can_be_read() {
    let nested = |depth: usize| format!(r#"{{"status":"pass","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let mut test = Running::new();
    test.report(&nested(99));
    serde_json::from_str::<serde_json::Value>(&test.lines()[0]).expect("not too deep");
    assert!(
        test.break_with(result(&nested(100)))
            .starts_with("a result has more than 100 levels")
    );
    let mut test = Running::new();
    assert!(
        test.break_with(result(&nested(4_000_000)))
            .starts_with("a result has more than 100 levels")
    );
    let open = format!(r#"{{"x":{}"#, r#"{"a":"#.repeat(1_000_000));
    assert!(
        Running::new()
            .break_with(result(&open))
            .starts_with("result is no JSON object")
    );
}

#[test]
fn ten_thousand_subtests_have_a_file_each() {
    let mut test = Running::new();
    for number in 0..10_000 {
        let json = format!(r#"{{"name":"group/{number}","status":"pass","files":[{{"name":"log","length":5}}]}}"#);
        test.say(result_with(&json, &format!("{number:05}")));
    }
    assert_eq!(test.file("group/1234/log"), "01234");
    let done = test.exit(0);
    assert_eq!((done.summary.results, done.files.len()), (10_001, 10_002));
}

#[test]
fn more_testouts_than_an_inode_has_names_are_still_links_to_the_output() {
    // ext4 allows 65,000 names; where there is no such limit, this passes without meeting it.
    let mut test = Running::new();
    let testout = |number: usize| result(&format!(r#"{{"name":"s","status":"pass","testout":"{number}"}}"#));
    test.say((0..65_100).flat_map(testout).collect::<Vec<_>>())
        .say(testout(65_099));
    test.output.append(b"printed at the end").expect("a disk");
    for number in [0, 64_998, 64_999, 65_000, 65_099] {
        assert_eq!(test.file(&format!("s/{number}")), "printed at the end");
    }
}

#[test]
fn an_object_with_very_many_keys_is_merged_in_time_that_grows_with_it() {
    let keys: Vec<_> = (0..200_000).map(|number| format!("\"k{number}\":1")).collect();
    let gone: Vec<_> = (0..200_000).map(|number| format!("\"k{number}\":null")).collect();
    let mut test = Running::new();
    test.report(&format!(r#"{{"name":"n","o":{{{}}},"partial":true}}"#, keys.join(",")))
        .report(&format!(r#"{{"name":"n","o":{{{}}}}}"#, gone.join(",")));
    assert_eq!(test.lines(), [r#"{"name":"n","o":{}}"#]);
}
