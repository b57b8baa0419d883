//! Whether types fit (`checkAST` in `promql/parser/parse.go`): the first misfit, in upstream's order and words.

use super::ast::{AggregateOp, Binary, Expr, ExprKind, Group, Selector, Type};
use super::error::ParseError;
use super::function::Function;
use crate::tsdb::METRIC_NAME;

type Checked = Result<(), ParseError>;

/// Checks a whole query.
pub(super) fn check(expr: &Expr) -> Checked {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => Ok(()),
        ExprKind::Paren(inner) => check(inner),
        ExprKind::Unary { operand, .. } => {
            check(operand)?;
            match operand.value_type() {
                Type::Scalar | Type::Vector => Ok(()),
                other => refuse(
                    expr,
                    format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got \"{other}\""
                    ),
                ),
            }
        }
        ExprKind::Binary(binary) => {
            check(&binary.left)?;
            check(&binary.right)?;
            check_binary(expr, binary)
        }
        ExprKind::Aggregate(aggregate) => {
            let context = "aggregation expression";
            expect(&aggregate.expr, Type::Vector, context)?;
            match &aggregate.param {
                Some(param) if aggregate.op == AggregateOp::CountValues => {
                    expect(param, Type::String, "aggregation parameter")
                }
                Some(param) => expect(param, Type::Scalar, "aggregation parameter"),
                None => Ok(()),
            }
        }
        ExprKind::Call {
            function,
            name,
            args,
        } => check_call(expr, name, *function, args),
        ExprKind::Selector(selector) | ExprKind::Range { selector, .. } => {
            check_selector(expr, selector)
        }
        ExprKind::Subquery(subquery) => {
            check(&subquery.expr)?;
            match subquery.expr.value_type() {
                Type::Vector => Ok(()),
                other => refuse(
                    expr,
                    format!("subquery is only allowed on instant vector, got {other} instead"),
                ),
            }
        }
    }
}

fn check_binary(expr: &Expr, binary: &Binary) -> Checked {
    let (left, right) = (binary.left.value_type(), binary.right.value_type());
    let (op, matching) = (binary.op, &binary.matching);
    let at_operator = |message: String| Err(ParseError::new(message, binary.op_span.clone()));
    if binary.bool_modifier && !op.is_comparison() {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    let scalars = left == Type::Scalar && right == Type::Scalar;
    if op.is_comparison() && !binary.bool_modifier && scalars {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    let twice = matching
        .labels
        .iter()
        .find(|label| matching.include.contains(label));
    if let (true, Some(label)) = (matching.on, twice) {
        return at_operator(format!(
            "label {label:?} must not occur in ON and GROUP clause at once"
        ));
    }
    for side in [&binary.left, &binary.right] {
        if !matches!(side.value_type(), Type::Scalar | Type::Vector) {
            return refuse(
                side,
                "binary expression must contain only scalar and instant vector types",
            );
        }
    }
    let vectors = left == Type::Vector && right == Type::Vector;
    if !vectors && !matching.labels.is_empty() {
        return refuse(expr, "vector matching only allowed between instant vectors");
    }
    if vectors && op.is_set() && matching.group != Group::None {
        return refuse(expr, format!("no grouping allowed for \"{op}\" operation"));
    }
    if !vectors && op.is_set() {
        return refuse(
            expr,
            format!("set operator \"{op}\" not allowed in binary scalar expression"),
        );
    }
    Ok(())
}

fn check_call(expr: &Expr, name: &str, function: Function, args: &[Expr]) -> Checked {
    let signature = function.signature();
    let (wanted, given) = (signature.args.len(), args.len());
    match signature.variadic {
        None if wanted != given => {
            return refuse(
                expr,
                format!("expected {wanted} argument(s) in call to {name:?}, got {given}"),
            );
        }
        Some(_) if given < wanted - 1 => {
            let least = wanted - 1;
            return refuse(
                expr,
                format!("expected at least {least} argument(s) in call to {name:?}, got {given}"),
            );
        }
        Some(more) if given > (wanted - 1).saturating_add(more) => {
            let most = wanted - 1 + more;
            return refuse(
                expr,
                format!("expected at most {most} argument(s) in call to {name:?}, got {given}"),
            );
        }
        _ => {}
    }
    for (i, arg) in args.iter().enumerate() {
        let Some(want) = signature.args.get(i).or(signature.args.last()) else {
            break;
        };
        check(arg)?;
        let got = arg.value_type();
        if got != *want {
            return refuse(
                arg,
                format!("expected type {want} in call to function {name:?}, got {got}"),
            );
        }
    }
    Ok(())
}

fn check_selector(expr: &Expr, selector: &Selector) -> Checked {
    let Some(name) = &selector.name else {
        if selector.matchers.iter().all(|matcher| matcher.accepts("")) {
            return refuse(
                expr,
                "vector selector must contain at least one non-empty matcher",
            );
        }
        return Ok(());
    };
    // The last matcher is the one made of the name before the braces.
    let inside = &selector.matchers[..selector.matchers.len() - 1];
    match inside.iter().find(|matcher| matcher.name() == METRIC_NAME) {
        Some(second) => refuse(
            expr,
            format!(
                "metric name must not be set twice: {name:?} or {:?}",
                second.value()
            ),
        ),
        None => Ok(()),
    }
}

fn expect(expr: &Expr, want: Type, context: &str) -> Checked {
    check(expr)?;
    let got = expr.value_type();
    if got == want {
        return Ok(());
    }
    refuse(
        expr,
        format!("expected type {want} in {context}, got {got}"),
    )
}

fn refuse(expr: &Expr, message: impl Into<String>) -> Checked {
    Err(ParseError::new(message, expr.span.clone()))
}
