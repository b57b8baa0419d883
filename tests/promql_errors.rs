//! Queries that are refused, with the words and the place.

use rollcast::diagnostic::SourceText;
use rollcast::promql::{Options, Query, Version};
use rollcast::time::Timestamp;
use rollcast::tsdb::{Labels, Storage};

/// The message, and the part of the query that is marked.
fn refusal(text: &str, version: Version) -> (String, String) {
    let options = Options {
        version,
        ..Options::default()
    };
    let error = Query::compile(text, &options).unwrap_err();
    (error.message, text[error.span].to_owned())
}

#[test]
fn texts_that_are_no_queries_are_refused_in_prometheus_words_and_where_they_go_wrong() {
    for (text, message, marked) in [
        ("", "no expression found in input", ""),
        ("a +", "unexpected end of input", ""),
        ("a b", "unexpected identifier \"b\"", "b"),
        ("(a", "unclosed left parenthesis", ""),
        ("a)", "unexpected right parenthesis ')'", ")"),
        ("a{", "unexpected end of input inside braces", ""),
        (
            "a{b}",
            "unexpected \"}\" in label matching, expected label matching operator",
            "}",
        ),
        (
            "a{b=c}",
            "unexpected identifier \"c\" in label matching, expected string",
            "c",
        ),
        (
            "a{b=\"c\" d=\"e\"}",
            "unexpected identifier \"d\" in label matching, expected \",\" or \"}\"",
            "d",
        ),
        (
            "a{b=~\"(\"}",
            "bad regular expression: unclosed group",
            "b=~\"(\"",
        ),
        ("a{b=\"c", "unterminated quoted string", "\"c"),
        ("\"\\q\"", "unknown escape sequence 'q'", "\\q"),
        (
            "{}",
            "vector selector must contain at least one non-empty matcher",
            "{}",
        ),
        (
            "{a=~\".*\"}",
            "vector selector must contain at least one non-empty matcher",
            "{a=~\".*\"}",
        ),
        (
            "a{__name__=\"b\"}",
            "metric name must not be set twice: \"a\" or \"b\"",
            "a{__name__=\"b\"}",
        ),
        ("a[5m", "unclosed left bracket", ""),
        (
            "a[]",
            "unexpected \"]\" in subquery or range selector, expected number or duration",
            "]",
        ),
        ("a[0s]", "duration must be greater than 0", "0s"),
        ("a[5m3h]", "not a valid duration string: \"5m3h\"", "5m3h"),
        ("a[300y]", "duration out of range", "300y"),
        (
            "a[5m] [1m]",
            "ranges only allowed for vector selectors",
            "[1m]",
        ),
        (
            "a offset 5m [1m]",
            "no offset modifiers allowed before range",
            "[1m]",
        ),
        (
            "a offset 1m offset 1m",
            "offset may not be set multiple times",
            "a offset 1m",
        ),
        (
            "a @ 1 @ 2",
            "@ <timestamp> may not be set multiple times",
            "a @ 1",
        ),
        (
            "sum(a) @ 1",
            "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            "sum(a)",
        ),
        (
            "a @ Inf",
            "timestamp out of bounds for @ modifier: inf",
            "Inf",
        ),
        (
            "1 offset 5m",
            "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            "1",
        ),
        (
            "rate(a)",
            "expected type range vector in call to function \"rate\", got instant vector",
            "a",
        ),
        (
            "rate(a[5m], 1)",
            "expected 1 argument(s) in call to \"rate\", got 2",
            "rate(a[5m], 1)",
        ),
        (
            "round()",
            "expected at least 1 argument(s) in call to \"round\", got 0",
            "round()",
        ),
        (
            "hour(a, b)",
            "expected at most 1 argument(s) in call to \"hour\", got 2",
            "hour(a, b)",
        ),
        (
            "ratee(a[5m])",
            "unknown function with name \"ratee\"",
            "ratee",
        ),
        (
            "abs(a,)",
            "trailing commas not allowed in function call args",
            ",",
        ),
        (
            "mad_over_time(a[5m])",
            "function \"mad_over_time\" is not enabled",
            "mad_over_time",
        ),
        (
            "sum()",
            "no arguments for aggregate expression provided",
            "sum()",
        ),
        (
            "topk(a)",
            "wrong number of arguments for aggregate expression provided, expected 2, got 1",
            "topk(a)",
        ),
        (
            "sum(1)",
            "expected type instant vector in aggregation expression, got scalar",
            "1",
        ),
        (
            "topk(\"1\", a)",
            "expected type scalar in aggregation parameter, got string",
            "\"1\"",
        ),
        (
            "sum by b (a)",
            "unexpected identifier \"b\" in grouping opts, expected \"(\"",
            "b",
        ),
        (
            "sum by (5) (a)",
            "unexpected number \"5\" in grouping opts, expected label",
            "5",
        ),
        (
            "1 > 2",
            "comparisons between scalars must use BOOL modifier",
            ">",
        ),
        (
            "a + bool b",
            "bool modifier can only be used on comparison operators",
            "+",
        ),
        (
            "a and 1",
            "set operator \"and\" not allowed in binary scalar expression",
            "a and 1",
        ),
        (
            "a and on(b) group_left() c",
            "no grouping allowed for \"and\" operation",
            "a and on(b) group_left() c",
        ),
        (
            "a + on(b) group_left(b) c",
            "label \"b\" must not occur in ON and GROUP clause at once",
            "+",
        ),
        (
            "a + on(b) 1",
            "vector matching only allowed between instant vectors",
            "a + on(b) 1",
        ),
        (
            "a[5m] + 1",
            "binary expression must contain only scalar and instant vector types",
            "a[5m]",
        ),
        (
            "-\"a\"",
            "unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
            "-\"a\"",
        ),
        (
            "a[5m:1m] + 1",
            "binary expression must contain only scalar and instant vector types",
            "a[5m:1m]",
        ),
        (
            "1[5m:1m]",
            "subquery is only allowed on instant vector, got scalar instead",
            "1[5m:1m]",
        ),
        (
            "a anchored",
            "anchored modifier is experimental and not enabled",
            "anchored",
        ),
        (
            "a + fill(0) b",
            "binop fill modifiers are experimental and not enabled",
            "fill",
        ),
        ("0xzz", "bad number or duration syntax: \"0x\"", "0x"),
        ("1e999", "error parsing number: \"1e999\"", "1e999"),
        ("a = b", "unexpected \"=\"", "="),
        ("a ! b", "unexpected character after '!': ' '", "! "),
        ("a ? b", "unexpected character: '?'", "?"),
    ] {
        let expected = (message.to_owned(), marked.to_owned());
        assert_eq!(refusal(text, Version::V3), expected, "{text}");
    }
}

#[test]
fn what_is_new_in_version_3_is_refused_before() {
    for (text, message, marked) in [
        ("rate(a[300])", "missing unit character in duration", "300"),
        (
            "a offset 5",
            "unexpected number \"5\" in offset, expected duration",
            "5",
        ),
        ("a + 5m", "unexpected duration \"5m\"", "5m"),
        ("1_000", "error parsing number: \"1_000\"", "1_000"),
        (
            "{\"a\"}",
            "unexpected string \"a\" in label matching, expected identifier or \"}\"",
            "\"a\"",
        ),
        (
            "first_over_time(a[5m])",
            "unknown function with name \"first_over_time\"",
            "first_over_time",
        ),
    ] {
        for version in [Version::V2_42, Version::V2_53] {
            let expected = (message.to_owned(), marked.to_owned());
            assert_eq!(refusal(text, version), expected, "{text}");
        }
    }
    let (message, _) = refusal("holt_winters(a[5m], 0.5, 0.5)", Version::V3);
    assert_eq!(message, "unknown function with name \"holt_winters\"");
}

#[test]
fn an_error_can_be_shown_in_the_text_it_is_in() {
    let error = Query::compile("sum(rate(a[5m])", &Options::default()).unwrap_err();
    let shown = error
        .diagnostic(&SourceText::new("query", "sum(rate(a[5m])"))
        .render();
    assert!(
        shown.contains("query:1:16") && shown.contains("unclosed left parenthesis"),
        "{shown}"
    );

    let file = "query: |\n  rate(a)\n";
    let error = Query::compile("rate(a)", &Options::default()).unwrap_err();
    let shown = error
        .diagnostic_at(&SourceText::new("metric.yaml", file), 11)
        .render();
    assert!(shown.contains("metric.yaml:2:8"), "{shown}");
}

#[test]
fn evaluations_that_fail_say_where_and_why() {
    let mut storage = Storage::new();
    for (name, a) in [("x", "1"), ("x", "2"), ("y", "1")] {
        let labels = Labels::new([("__name__", name), ("a", a)]);
        storage.insert(&labels, [(Timestamp::ZERO, 1.0)]).unwrap();
    }
    for (text, message, marked) in [
        (
            "1 + (y / on() x)",
            "found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"x\", a=\"1\"}, {__name__=\"x\", a=\"2\"}];many-to-many matching not allowed: matching labels must be unique on one side",
            "y / on() x",
        ),
        (
            "x / on() y",
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            "x / on() y",
        ),
        (
            "x * on() group_left(a) y",
            "multiple matches for labels: grouping labels must ensure unique matches",
            "x * on() group_left(a) y",
        ),
        (
            "abs({a=\"1\"})",
            "vector cannot contain metrics with the same labelset",
            "abs({a=\"1\"})",
        ),
        (
            "label_replace(x, \"a\", \"\", \"a\", \".*\")",
            "vector cannot contain metrics with the same labelset",
            "label_replace(x, \"a\", \"\", \"a\", \".*\")",
        ),
        (
            "label_replace(x, \"b\", \"\", \"a\", \"(\")",
            "invalid regular expression in label_replace(): (",
            "\"(\"",
        ),
        (
            "label_join(x, \"\", \"-\", \"a\")",
            "invalid destination label name in label_join(): ",
            "\"\"",
        ),
        ("topk(NaN, x)", "Parameter value is NaN", "topk(NaN, x)"),
        (
            "topk(1e30, x)",
            "Scalar value 1e+30 overflows int64",
            "topk(1e30, x)",
        ),
    ] {
        let query = Query::compile(text, &Options::default()).unwrap();
        let error = query.instant(&storage, Timestamp::ZERO).unwrap_err();
        assert_eq!(
            (error.message.as_str(), &text[error.span]),
            (message, marked),
            "{text}"
        );
    }
}

#[test]
fn a_label_that_doubles_at_each_level_is_refused_and_does_not_fill_the_memory() {
    let mut storage = Storage::new();
    let labels = Labels::new([("__name__", "x"), ("a", "0123456789")]);
    storage.insert(&labels, [(Timestamp::ZERO, 1.0)]).unwrap();
    let doubled = |inner: &str| format!("label_replace({inner}, \"a\", \"$1$1\", \"a\", \"(.*)\")");
    let joined = |inner: &str| format!("label_join({inner}, \"a\", \"\", \"a\", \"a\")");
    for nest in [&doubled as &dyn Fn(&str) -> String, &joined] {
        let text = (0..40).fold("x".to_owned(), |inner, _| nest(&inner));
        let query = Query::compile(&text, &Options::default()).unwrap();
        let error = query.instant(&storage, Timestamp::ZERO).unwrap_err();
        assert_eq!(
            error.message,
            "label \"a\" would have a value of more than 1048576 bytes"
        );
    }
    // As many references as fit on a line, to a value that is long already.
    let long = (0..15).fold("x".to_owned(), |inner, _| doubled(&inner));
    let text = format!(
        "label_replace({long}, \"b\", \"{}\", \"a\", \"(.*)\")",
        "$1".repeat(10_000)
    );
    let query = Query::compile(&text, &Options::default()).unwrap();
    assert!(query.instant(&storage, Timestamp::ZERO).is_err());
    let fine = Query::compile(&long, &Options::default()).unwrap();
    assert!(fine.instant(&storage, Timestamp::ZERO).is_ok());
}
