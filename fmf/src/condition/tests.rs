//! Tests of conditions with single cases; `tests/fmf/languages/conditions.rs` compares generated ones with Python.

use super::{Condition, ConditionError, Outcome};
use crate::{Map, Value};

fn data() -> Map {
    let tags = Value::from(vec![Value::text("Tier1"), Value::text("slow")]);
    [
        ("tag", tags),
        ("tier", Value::text("1")),
        ("order", Value::Int(50)),
        ("enabled", Value::Bool(true)),
    ]
    .into_iter()
    .map(|(key, value)| (Value::text(key), value))
    .collect()
}

fn evaluate(expression: &str) -> Result<Outcome, ConditionError> {
    Condition::parse(expression)?.evaluate(&data(), "/tests/a")
}

fn holds(expression: &str) -> bool {
    match evaluate(expression) {
        Ok(Outcome::Holds) => true,
        Ok(Outcome::Fails) => false,
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn conditions_of_real_trees_hold() {
    for expression in [
        "'Tier1' in tag and order < 100",
        "any(t.startswith('Tier') for t in tag)",
        "enabled and tier in ('1', '2')",
        "len([t for t in tag if 'low' in t]) == 1",
        "'component' not in locals()",
        "int(tier) <= 2 < order",
        "sorted(tag, key=lambda t: t.lower())[0] == 'slow'",
        "f'{tier}-{order!r}' == '1-50'",
        "{'a': 1}.get('b', 'x') == 'x'",
    ] {
        assert!(holds(expression), "{expression}");
    }
}

#[test]
fn a_name_or_key_that_is_missing_is_an_outcome() {
    for expression in ["component == 'x'", "{}['a']", "[x for y in [1] if x for x in [2]]"] {
        assert!(matches!(evaluate(expression), Ok(Outcome::Missing(_))), "{expression}");
    }
    assert!(holds("True or component"));
}

#[test]
fn exceptions_name_the_part_and_the_node() {
    let error = evaluate("order > 1 and tier > 1").expect_err("no order").to_string();
    assert_eq!(
        error,
        "condition `order > 1 and tier > 1` raises TypeError at `tier > 1` on `/tests/a`: \
         '>' not supported between instances of 'str' and 'int'"
    );
    for (expression, exception) in [
        ("tag[5]", "IndexError"),
        ("1 / 0", "ZeroDivisionError"),
        ("tag.x", "AttributeError"),
        ("int('x')", "ValueError"),
    ] {
        let error = evaluate(expression);
        assert!(
            matches!(&error, Err(ConditionError::Raised { exception: found, .. }) if *found == exception),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (expression, construct) in [
        ("(x := 1)", "an assignment expression (`:=`)"),
        ("__import__('os')", "the builtin `__import__`"),
        ("open('x')", "the builtin `open`"),
        ("tag.append('x')", "the attribute `append` of list"),
        ("1j", "a complex number"),
        (
            "[locals() for x in tag]",
            "`locals()` inside a comprehension or a lambda",
        ),
        ("f'{order:>3}'", "a format specification in an f-string"),
        ("''.__class__", "the attribute `__class__`"),
    ] {
        match evaluate(expression) {
            Err(ConditionError::Unsupported { construct: found, .. }) => assert_eq!(found, construct),
            other => panic!("{expression}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for expression in [
        "",
        " ",
        "1 +",
        "a b",
        "a = 1",
        "(",
        ")",
        "'",
        "0123",
        "1_",
        "f(a=1, a=2)",
        "f(a=1, 2)",
        "x for x in y",
        "lambda x, x: 1",
        "1\n 2",
        "\n 1",
        "a.1",
        "[*x for x in y]",
        "*a",
        "not",
        "1 if 2",
        "{1: 2, 3}",
        "'a' b'b'",
        "b'\u{e9}'",
        "f'{'",
        "f'{}'",
        "'\\x1'",
        "a;b",
        "a!",
        "for",
        "import os",
    ] {
        assert!(
            matches!(evaluate(expression), Err(ConditionError::Syntax { .. })),
            "{expression}"
        );
    }
}

#[test]
fn hostile_expressions_end_with_an_error() {
    for expression in [
        "'a' * 10**9",
        "[0] * 10**9",
        "10**10**10",
        "sum(range(10**12))",
        "1 << 10**12",
        "(lambda f: f(f))(lambda f: f(f))",
        "[x for x in range(10**6) for y in range(10**6)]",
        "'{}'.rjust(10**12)",
        "range(10**30)",
        "('a' * 1000000).replace('a', 'b' * 1000000)",
    ] {
        assert!(
            matches!(evaluate(expression), Err(ConditionError::Limit { .. })),
            "{expression}"
        );
    }
    for expression in [
        "(".repeat(5000),
        "[".repeat(300) + &"]".repeat(300),
        "not ".repeat(9000) + "1",
        "-".repeat(9000) + "1",
    ] {
        assert!(evaluate(&expression).is_err());
    }
    assert!(evaluate(&("1".to_owned() + &"+1".repeat(3000))).is_err());
    assert!(evaluate(&("1".to_owned() + &" or 1".repeat(3000))).is_ok());
}
