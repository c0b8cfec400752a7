//! Tests of `re` with single cases; `tests/fmf/languages/patterns.rs` compares generated ones with Python.

use super::{Pattern, PatternError, search};

fn finds(pattern: &str, text: &str) -> bool {
    search(pattern, text).expect(pattern)
}

fn sub(pattern: &str, template: &str, text: &str) -> String {
    Pattern::new(pattern)
        .and_then(|pattern| pattern.sub(template, text))
        .expect(pattern)
}

#[test]
fn dollar_matches_before_a_final_newline_only() {
    assert!(finds("a$", "a") && finds("a$", "a\n") && !finds("a$", "a\n\n") && !finds("a$", "a\nb"));
    assert!(finds("(?m)a$", "a\nb") && !finds(r"a\Z", "a\n"));
}

#[test]
fn brackets_inside_sets_are_literal() {
    assert!(finds("^[[a]$", "[") && finds("^[]a]$", "]") && finds("^[a&&b]$", "&") && finds("^[a~~b]$", "~"));
    assert!(finds("^[^]]$", "x") && !finds("^[^]]$", "]") && finds("^[a-]$", "-") && finds("^[--a]$", "0"));
}

#[test]
fn unfinished_bounds_are_literal() {
    assert!(finds("^a{$", "a{") && finds("^a{}$", "a{}") && finds("^a{1,x}$", "a{1,x}") && finds("^a{,2}$", "aa"));
    assert!(!finds("^a{,2}$", "aaa"));
}

#[test]
fn what_python_refuses_is_refused() {
    for pattern in [
        "*a",
        "a**",
        "a{2}{3}",
        "^*",
        "(",
        ")",
        "[a",
        "a\\",
        r"\1",
        r"(a\1)",
        r"\q",
        "[z-a]",
        r"[\d-z]",
        "(?P<a>x)(?P<a>y)",
        "(?P<1>x)",
        "(?P=a)",
        "a(?i)b",
        "(?<=a*)b",
        "(?<=a|bc)",
        "(?z)",
        "(?i-i:a)",
        "a{3,2}",
        "(?(1)a)",
        "(a)(?(1)a|b|c)",
        r"\400",
        r"\x1",
        r"\u12",
        "(?#",
        "(?P",
        "(?",
        "(?-:a)",
        "(?(0)a)",
        r"(?<=(a)\1)",
        "(?au)a",
        "(?L)a",
    ] {
        assert!(
            matches!(Pattern::new(pattern), Err(PatternError::Invalid { .. })),
            "{pattern}"
        );
    }
}

#[test]
fn unsupported_constructs_are_named() {
    let error = Pattern::new(r"\N{DIGIT ONE}").expect_err("refused").to_string();
    assert_eq!(
        error,
        r"pattern `\N{DIGIT ONE}` uses a character by its name, `\N{…}`, which is not supported"
    );
    let nested = "(".repeat(500) + &")".repeat(500);
    assert!(matches!(Pattern::new(&nested), Err(PatternError::Unsupported { .. })));
}

#[test]
fn empty_matches_are_replaced_as_in_python() {
    assert_eq!(sub("x*", "-", "abxd"), "-a-b--d-");
    assert_eq!(sub("|a", "-", "a"), "---");
    assert_eq!(sub("b*?", "-", "abb"), "-a-----");
    assert_eq!(sub("", "-", "é"), "-é-");
}

#[test]
fn templates_expand_groups_and_escapes() {
    assert_eq!(
        sub("(?P<n>a)(b)?", r"[\g<n>\2\g<0>\1\n\x]".trim_end_matches(r"\x]"), "a"),
        "[aaa\n"
    );
    assert_eq!(sub("(a)", r"\g<1>0\101\0\.", "a"), "a0A\0\\.");
    for template in [r"\2", r"\g<2>", r"\g<x>", r"\g", r"\q", r"\400", "\\"] {
        assert!(
            Pattern::new("(a)").expect("valid").sub(template, "").is_err(),
            "{template}"
        );
    }
}

#[test]
fn classes_are_those_of_python() {
    assert!(finds(r"^\s$", "\x1c") && !finds(r"(?a)^\s$", "\x1c") && finds(r"^\w$", "½") && !finds(r"^\w$", "\u{301}"));
    assert!(finds(r"^\d$", "٣") && !finds(r"(?a)^\d$", "٣") && !finds(r"\B", "") && finds(r"é\b", "é"));
    assert!(finds("(?i)^ı$", "I") && finds("(?i)^[h-j]$", "İ") && finds("(?i)ς", "Σ") && !finds("(?ai)É", "é"));
}

#[test]
fn endless_backtracking_is_an_error() {
    let pattern = Pattern::new(r"(?:(a)|\1|a)*(?:(a)|\1|a)*$(?!b)x").expect("valid");
    let result = pattern.search(&"a".repeat(5000));
    assert!(matches!(result, Err(PatternError::Backtracking { .. }) | Ok(false)));
    let pattern = Pattern::new(r"^(?=(a+)+$)(a+)+\1b").expect("valid");
    assert!(matches!(
        pattern.search(&"a".repeat(64)),
        Err(PatternError::Backtracking { .. })
    ));
}

#[test]
fn a_substitution_that_grows_beyond_a_mebibyte_is_an_error() {
    let pattern = Pattern::new("a").expect("valid");
    let text = "a".repeat(1 << 12);
    assert_eq!(
        pattern.sub(&"b".repeat(1 << 8), &text).map(|new| new.len()),
        Ok(1 << 20)
    );
    let refused = pattern.sub(&"b".repeat(1 << 9), &text);
    assert!(
        matches!(refused, Err(PatternError::Growth { length: 4096, .. })),
        "{refused:?}"
    );
}
