//! The parser here against promql-parser, an independent port of upstream's grammar: over every expression of Prometheus' own
//! scripts, both must see the same tree.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use promql_parser::label::{MatchOp as TheirOp, Matcher as TheirMatcher};
use promql_parser::parser as theirs;

use super::ast::{At, Binary, Expr, ExprKind, Group, Selector, When};
use super::{Version, check, parser};
use crate::tsdb::{METRIC_NAME, Matcher};

/// A tree as text, parentheses and unary plus aside; the same for both parsers.
fn shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Number(value) => number(*value),
        ExprKind::String(text) => format!("{:?}", text.lossy()),
        ExprKind::Paren(inner) => shape(inner),
        ExprKind::Unary { negate, operand } => {
            let operand = shape(operand);
            if *negate {
                format!("(- {operand})")
            } else {
                operand
            }
        }
        ExprKind::Binary(binary) => {
            let Binary { left, right, .. } = &**binary;
            format!(
                "({} {} {} {})",
                binary.op,
                shape(left),
                shape(right),
                modifiers(binary)
            )
        }
        ExprKind::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref().map(shape).unwrap_or_default();
            let grouping = match (aggregate.without, aggregate.labels.as_slice()) {
                (false, []) => String::new(),
                (without, labels) => {
                    format!("{} {labels:?}", if without { "without" } else { "by" })
                }
            };
            format!(
                "({:?} {grouping} {param} {})",
                aggregate.op,
                shape(&aggregate.expr)
            )
            .to_lowercase()
            .replace("countvalues", "count_values")
        }
        ExprKind::Call { name, args, .. } => {
            let args: Vec<_> = args.iter().map(shape).collect();
            format!("({name} {})", args.join(" "))
        }
        ExprKind::Selector(selector) => format!("{}{}", matchers(selector), when(&selector.when)),
        ExprKind::Range { selector, range_ms } => {
            format!("{}[{range_ms}]{}", matchers(selector), when(&selector.when))
        }
        ExprKind::Subquery(subquery) => format!(
            "{}[{}:{}]{}",
            shape(&subquery.expr),
            subquery.range_ms,
            subquery.step_ms.unwrap_or(0),
            when(&subquery.when)
        ),
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else {
        format!("{value:?}")
    }
}

fn matchers(selector: &Selector) -> String {
    let mut all: Vec<_> = selector.matchers.iter().map(Matcher::to_string).collect();
    all.sort();
    format!("{{{}}}", all.join(","))
}

fn when(when: &When) -> String {
    let at = match when.at {
        None => String::new(),
        Some(At::Start) => " @ start".to_owned(),
        Some(At::End) => " @ end".to_owned(),
        Some(At::Time(ms)) => format!(" @ {ms}"),
    };
    offset(when.offset_ms) + &at
}

fn offset(ms: i64) -> String {
    if ms == 0 {
        String::new()
    } else {
        format!(" offset {ms}")
    }
}

fn modifiers(binary: &Binary) -> String {
    let matching = &binary.matching;
    let mut text = String::new();
    if binary.bool_modifier {
        text.push_str("bool ");
    }
    if matching.on || !matching.labels.is_empty() {
        text.push_str(&format!(
            "{} {:?} ",
            if matching.on { "on" } else { "ignoring" },
            matching.labels
        ));
    }
    match matching.group {
        Group::None => {}
        Group::Left => text.push_str(&format!("left {:?}", matching.include)),
        Group::Right => text.push_str(&format!("right {:?}", matching.include)),
    }
    text
}

fn their_shape(expr: &theirs::Expr) -> String {
    use theirs::Expr::*;
    match expr {
        NumberLiteral(literal) => number(literal.val),
        StringLiteral(literal) => format!("{:?}", literal.val),
        Paren(paren) => their_shape(&paren.expr),
        Unary(unary) => format!("(- {})", their_shape(&unary.expr)),
        Binary(binary) => format!(
            "({} {} {} {})",
            binary.op,
            their_shape(&binary.lhs),
            their_shape(&binary.rhs),
            binary
                .modifier
                .as_ref()
                .map(their_modifiers)
                .unwrap_or_default()
        ),
        Aggregate(aggregate) => {
            let param = aggregate
                .param
                .as_ref()
                .map(|param| their_shape(param))
                .unwrap_or_default();
            let grouping = match &aggregate.modifier {
                Some(theirs::LabelModifier::Include(labels)) if labels.labels.is_empty() => {
                    String::new()
                }
                Some(theirs::LabelModifier::Include(labels)) => format!("by {:?}", labels.labels),
                Some(theirs::LabelModifier::Exclude(labels)) => {
                    format!("without {:?}", labels.labels)
                }
                None => String::new(),
            };
            format!(
                "({} {grouping} {param} {})",
                aggregate.op,
                their_shape(&aggregate.expr)
            )
            .to_lowercase()
        }
        Call(call) => {
            let args: Vec<_> = call.args.args.iter().map(|arg| their_shape(arg)).collect();
            format!("({} {})", call.func.name, args.join(" "))
        }
        VectorSelector(selector) => {
            format!(
                "{}{}",
                their_matchers(selector),
                their_when(&selector.offset, &selector.at)
            )
        }
        MatrixSelector(matrix) => format!(
            "{}[{}]{}",
            their_matchers(&matrix.vs),
            matrix.range.as_millis(),
            their_when(&matrix.vs.offset, &matrix.vs.at)
        ),
        Subquery(subquery) => format!(
            "{}[{}:{}]{}",
            their_shape(&subquery.expr),
            subquery.range.as_millis(),
            subquery.step.unwrap_or_default().as_millis(),
            their_when(&subquery.offset, &subquery.at)
        ),
        Extension(_) => unreachable!("only programs add extensions"),
    }
}

fn their_matchers(selector: &theirs::VectorSelector) -> String {
    assert!(
        selector.matchers.or_matchers.is_empty(),
        "MetricsQL's `or` is no PromQL"
    );
    let name = selector
        .name
        .iter()
        .map(|name| Matcher::equal(METRIC_NAME, name).to_string());
    let text = |matcher: &TheirMatcher| {
        let op = match matcher.op {
            TheirOp::Equal => "=",
            TheirOp::NotEqual => "!=",
            TheirOp::Re(_) => "=~",
            TheirOp::NotRe(_) => "!~",
        };
        format!("{}{op}{:?}", matcher.name, matcher.value)
    };
    let mut all: Vec<_> = selector
        .matchers
        .matchers
        .iter()
        .map(text)
        .chain(name)
        .collect();
    all.sort();
    format!("{{{}}}", all.join(","))
}

fn their_when(by: &Option<theirs::Offset>, at: &Option<theirs::AtModifier>) -> String {
    let ms = |span: &Duration| span.as_millis() as i64;
    let offset_ms = match by {
        None => 0,
        Some(theirs::Offset::Pos(by)) => ms(by),
        Some(theirs::Offset::Neg(by)) => -ms(by),
    };
    let at = match at {
        None => String::new(),
        Some(theirs::AtModifier::Start) => " @ start".to_owned(),
        Some(theirs::AtModifier::End) => " @ end".to_owned(),
        Some(theirs::AtModifier::At(time)) => {
            let ms = match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => ms(&after),
                Err(before) => -ms(&before.duration()),
            };
            format!(" @ {ms}")
        }
    };
    offset(offset_ms) + &at
}

fn their_modifiers(modifier: &theirs::BinModifier) -> String {
    let mut text = String::new();
    if modifier.return_bool {
        text.push_str("bool ");
    }
    match &modifier.matching {
        Some(theirs::LabelModifier::Include(labels)) => {
            text.push_str(&format!("on {:?} ", labels.labels))
        }
        Some(theirs::LabelModifier::Exclude(labels)) if !labels.labels.is_empty() => {
            text.push_str(&format!("ignoring {:?} ", labels.labels));
        }
        _ => {}
    }
    match &modifier.card {
        theirs::VectorMatchCardinality::ManyToOne(labels) => {
            text.push_str(&format!("left {:?}", labels.labels))
        }
        theirs::VectorMatchCardinality::OneToMany(labels) => {
            text.push_str(&format!("right {:?}", labels.labels))
        }
        _ => {}
    }
    text
}

/// The expressions of all scripts.
fn expressions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "test")
    }) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let words: Vec<&str> = line.trim().splitn(3, ' ').collect();
            let ["eval" | "eval_fail", kind, rest] = words.as_slice() else {
                continue;
            };
            // `at T` or `from T to T step T`, then the expression.
            let skipped = if *kind == "instant" { 2 } else { 6 };
            let mut rest = rest.trim();
            for _ in 0..skipped {
                rest = rest.split_once(char::is_whitespace).unwrap().1.trim_start();
            }
            found.push(rest.to_owned());
        }
    }
    found
}

#[test]
fn both_parsers_see_the_same_tree_in_every_expression_of_the_scripts() {
    let expressions = expressions();
    assert_eq!(expressions.len(), 2214);
    let mut same = 0;
    for text in &expressions {
        let ours = parser::parse(text, Version::V3)
            .and_then(|(expr, _)| check::check(&expr).map(|()| expr));
        let other = theirs::parse(text);
        match (ours, other) {
            // promql-parser takes the byte `\xc5` for a character.
            (Ok(_), Ok(_)) if text.contains(r"\x") => {}
            (Ok(ours), Ok(other)) => {
                assert_eq!(shape(&ours), their_shape(&other), "{text}");
                same += 1;
            }
            (Err(_), Err(_)) => {}
            // Prometheus refuses these unless told otherwise; promql-parser does not.
            (Err(error), Ok(_)) => assert!(
                error.message.contains("not enabled") || error.message.contains("must be enabled"),
                "{text}: only we refuse it: {error}"
            ),
            (Ok(_), Err(error)) => panic!("{text}: only promql-parser refuses it: {error}"),
        }
    }
    println!("{same} expressions have the same tree");
    assert!(same > 1500, "{same}");
}
