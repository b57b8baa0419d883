//! From tokens to the tree (`promql/parser/generated_parser.y`, `parse.go`), by operator precedence.
//!
//! Left out: the experimental grammar (arithmetic in durations, `anchored`, `smoothed`, `fill`), which Prometheus refuses by
//! default or did until 3.14; it is refused here with a message that says so.

mod literal;
mod selector;

use std::ops::Range;

use super::Version;
use super::ast::{Aggregate, AggregateOp, Binary, BinaryOp, Expr, ExprKind, Text};
use super::error::ParseError;
use super::function::{Function, Lookup};
use super::lexer::{Keyword, Kind, Token, lex};
use super::unquote::unquote;
use crate::tsdb::RegexDialect;

/// No query a person or a template wrote comes near these; they keep a hostile text from exhausting stack or memory.
const MAX_DEPTH: usize = 128;
const MAX_BYTES: usize = 1 << 18;

type Parsed<T> = Result<T, ParseError>;

/// Parses a query; types are not checked yet.
pub(in crate::promql) fn parse(text: &str, version: Version) -> Parsed<(Expr, usize)> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::new("the query is too long", 0..0)
            .help(format!("queries may have {MAX_BYTES} bytes")));
    }
    let tokens = lex(text)?;
    let mut parser = Parser {
        text,
        tokens,
        next: 0,
        version,
        depth: 0,
        nodes: 0,
    };
    if parser.peek() == Kind::End {
        return Err(ParseError::new(
            "no expression found in input",
            0..text.len(),
        ));
    }
    let expr = parser.expression(0)?;
    match parser.peek() {
        Kind::End => Ok((expr, parser.nodes)),
        _ => Err(parser.unexpected("", "")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    version: Version,
    /// Levels of recursion under way.
    depth: usize,
    /// Nodes made so far.
    nodes: usize,
}

impl Parser<'_> {
    /// An expression whose operators all bind at least as tight as `min`.
    fn expression(&mut self, min: u8) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let mut left = self.operand()?;
        while let Kind::Operator(op) = self.peek() {
            if op.precedence() < min {
                break;
            }
            let op_span = self.advance().span;
            let (bool_modifier, matching) = self.binary_modifiers()?;
            // Only ^ is right-associative: what follows it may be another ^.
            let next = op.precedence() + u8::from(op != BinaryOp::Pow);
            let right = self.expression(next)?;
            let span = left.span.start..right.span.end;
            let binary = Binary {
                op,
                op_span,
                left,
                right,
                bool_modifier,
                matching,
            };
            left = self.node(ExprKind::Binary(Box::new(binary)), span)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// A signed operand, or a primary expression with its modifiers.
    fn operand(&mut self) -> Parsed<Expr> {
        let Kind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek() else {
            let primary = self.primary()?;
            return self.modifiers(primary);
        };
        let start = self.advance().span.start;
        let negate = sign == BinaryOp::Sub;
        // A sign binds like *, so that -1^2 is -(1^2).
        let operand = self.expression(BinaryOp::Pow.precedence())?;
        let span = start..operand.span.end;
        match operand.kind {
            ExprKind::Number(value) => {
                let value = if negate { -value } else { value };
                Ok(Expr {
                    kind: ExprKind::Number(value),
                    span,
                    ..operand
                })
            }
            _ => {
                let operand = Box::new(operand);
                self.node(ExprKind::Unary { negate, operand }, span)
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.current().clone();
        match token.kind {
            Kind::Number => {
                self.advance();
                let value = self.number(&token)?;
                self.node(ExprKind::Number(value), token.span)
            }
            Kind::Duration => {
                self.advance();
                if self.version != Version::V3 {
                    return Err(ParseError::new(
                        format!("unexpected duration {:?}", self.text_of(&token)),
                        token.span,
                    )
                    .help("durations are numbers only since Prometheus 3"));
                }
                let seconds = self.duration(&token)?;
                self.node(ExprKind::Number(seconds), token.span)
            }
            Kind::String => {
                self.advance();
                let bytes = unquote(self.text_of(&token));
                self.node(ExprKind::String(Text { bytes }), token.span)
            }
            Kind::LeftParen => {
                self.advance();
                let inner = Box::new(self.expression(0)?);
                let end = self.expect(Kind::RightParen, "")?.end;
                self.node(ExprKind::Paren(inner), token.span.start..end)
            }
            Kind::LeftBrace => self.selector(None, token.span.start),
            Kind::Aggregate(op) if self.aggregation_follows() => {
                self.advance();
                self.aggregation(op, token.span)
            }
            Kind::Identifier | Kind::Keyword(Keyword::Start | Keyword::End)
                if self.kind_after() == Kind::LeftParen =>
            {
                self.advance();
                self.call(&token)
            }
            Kind::Identifier
            | Kind::MetricIdentifier
            | Kind::Aggregate(_)
            | Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
            | Kind::Keyword(
                Keyword::By
                | Keyword::Without
                | Keyword::Offset
                | Keyword::Start
                | Keyword::End
                | Keyword::Anchored
                | Keyword::Smoothed,
            ) => {
                self.advance();
                let name = self.text_of(&token).to_owned();
                self.selector(Some((name, token.span.clone())), token.span.start)
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    /// `sum by (a) (x)`, `sum(x) by (a)`, `sum(x)`; the operator has been read.
    fn aggregation(&mut self, op: AggregateOp, op_span: Range<usize>) -> Parsed<Expr> {
        let mut grouping = self.grouping()?;
        if self.peek() != Kind::LeftParen {
            return Err(self.unexpected("aggregation", "\"(\""));
        }
        let (mut args, mut end) = self.arguments()?;
        if grouping.is_none() {
            grouping = self.grouping()?;
            if grouping.is_some() {
                end = self.tokens[self.next - 1].span.end;
            }
        }
        let span = op_span.start..end;
        if matches!(op, AggregateOp::Limitk | AggregateOp::LimitRatio) {
            let name = &self.text[op_span];
            return Err(ParseError::new(
                format!(
                    "{name}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
                ),
                span,
            ));
        }
        let wanted = 1 + usize::from(op.has_param());
        let problem = match args.len() {
            0 => "no arguments for aggregate expression provided".to_owned(),
            n if n != wanted => format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {n}"
            ),
            _ => String::new(),
        };
        let (true, Some(expr)) = (problem.is_empty(), args.pop()) else {
            return Err(ParseError::new(problem, span));
        };
        let (without, labels) = grouping.unwrap_or_default();
        let aggregate = Aggregate {
            op,
            expr,
            param: args.pop(),
            without,
            labels,
        };
        self.node(ExprKind::Aggregate(Box::new(aggregate)), span)
    }

    /// `by (...)` or `without (...)`, if it stands here.
    fn grouping(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let without = match self.peek() {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((without, self.label_list()?)))
    }

    fn call(&mut self, name: &Token) -> Parsed<Expr> {
        let text = self.text_of(name).to_owned();
        let (args, end) = self.arguments()?;
        match Function::look_up(&text, self.version) {
            Lookup::Found(function) => {
                let span = name.span.start..end;
                let name = text;
                let call = ExprKind::Call {
                    function,
                    name,
                    args,
                };
                self.node(call, span)
            }
            Lookup::Experimental => Err(ParseError::new(
                format!("function {text:?} is not enabled"),
                name.span.clone(),
            )
            .help(
                "Prometheus evaluates it only with --enable-feature=promql-experimental-functions",
            )),
            Lookup::Unknown => Err(ParseError::new(
                format!("unknown function with name {text:?}"),
                name.span.clone(),
            )),
        }
    }

    /// `(a, b)`: the arguments, and where the parenthesis closes.
    fn arguments(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.advance();
        let mut args = Vec::new();
        if self.peek() == Kind::RightParen {
            return Ok((args, self.advance().span.end));
        }
        loop {
            args.push(self.expression(0)?);
            match self.peek() {
                Kind::Comma => {
                    let comma = self.advance().span;
                    if !self.expression_follows() {
                        return Err(ParseError::new(
                            "trailing commas not allowed in function call args",
                            comma,
                        ));
                    }
                }
                Kind::RightParen => return Ok((args, self.advance().span.end)),
                _ => return Err(self.unexpected("", "")),
            }
        }
    }

    fn dialect(&self) -> RegexDialect {
        match self.version {
            Version::V3 => RegexDialect::V3,
            Version::V2_42 | Version::V2_53 => RegexDialect::V2,
        }
    }

    /// Whether the aggregation's word here begins an aggregation, and is no metric's name.
    fn aggregation_follows(&self) -> bool {
        matches!(
            self.kind_after(),
            Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without)
        )
    }

    /// Whether the current token can begin an expression.
    fn expression_follows(&self) -> bool {
        match self.peek() {
            Kind::Operator(op) => op.is_set() || matches!(op, BinaryOp::Add | BinaryOp::Sub),
            Kind::Duration => self.version == Version::V3,
            Kind::Keyword(word) => !matches!(
                word,
                Keyword::On
                    | Keyword::Ignoring
                    | Keyword::GroupLeft
                    | Keyword::GroupRight
                    | Keyword::Fill
                    | Keyword::Bool
            ),
            Kind::Number
            | Kind::String
            | Kind::LeftParen
            | Kind::LeftBrace
            | Kind::Identifier
            | Kind::MetricIdentifier
            | Kind::Aggregate(_) => true,
            _ => false,
        }
    }

    fn node(&mut self, kind: ExprKind, span: Range<usize>) -> Parsed<Expr> {
        let mut expr = Expr {
            kind,
            span,
            id: self.nodes,
            depth: 1,
        };
        self.nodes += 1;
        let below = expr.children().iter().map(|child| child.depth).max();
        expr.depth += below.unwrap_or(0);
        if expr.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        Ok(expr)
    }

    fn too_deep(&self) -> ParseError {
        ParseError::new(
            "the query is nested too deeply",
            self.current().span.clone(),
        )
        .help(format!("{MAX_DEPTH} levels are allowed"))
    }

    fn current(&self) -> &Token {
        // The last token is End, and nothing advances past it.
        &self.tokens[self.next]
    }

    fn peek(&self) -> Kind {
        self.current().kind
    }

    fn kind_after(&self) -> Kind {
        self.tokens
            .get(self.next + 1)
            .map_or(Kind::End, |token| token.kind)
    }

    fn advance(&mut self) -> Token {
        let token = self.current().clone();
        if token.kind != Kind::End {
            self.next += 1;
        }
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Range<usize>> {
        let expected = match kind {
            Kind::RightBracket => "\"]\"",
            Kind::RightParen => "\")\"",
            Kind::LeftParen => "\"(\"",
            _ => "",
        };
        self.expect_or(kind, context, expected)
    }

    fn expect_or(&mut self, kind: Kind, context: &str, expected: &str) -> Parsed<Range<usize>> {
        if self.peek() == kind {
            Ok(self.advance().span)
        } else {
            Err(self.unexpected(context, expected))
        }
    }

    /// "unexpected X in CONTEXT, expected Y", of the current token.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.current();
        let text = self.text_of(token);
        let what = match token.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {text:?}"),
            Kind::MetricIdentifier => format!("metric identifier {text:?}"),
            Kind::Number => format!("number {text:?}"),
            Kind::Duration => format!("duration {text:?}"),
            Kind::String => format!("string {text}"),
            Kind::Operator(_) => format!("<op:{text}>"),
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::Keyword(_) => format!("<{text}>"),
            _ => format!("{text:?}"),
        };
        let mut message = format!("unexpected {what}");
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        ParseError::new(message, token.span.clone())
    }

    fn text_of(&self, token: &Token) -> &str {
        &self.text[token.span.clone()]
    }
}
