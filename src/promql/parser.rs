//! From tokens to the tree (`promql/parser/generated_parser.y`, `parse.go`), by operator precedence.
//!
//! Left out: the experimental grammar (arithmetic in durations, `anchored`, `smoothed`, `fill`), which Prometheus refuses by
//! default or did until 3.14; it is refused here with a message that says so.

use std::ops::Range;

use super::Version;
use super::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Expr, ExprKind, Group, Matching, Selector,
    Subquery, Text, When,
};
use super::error::ParseError;
use super::function::{Function, Lookup};
use super::lexer::{Keyword, Kind, Token, lex, unquote};
use crate::tsdb::{METRIC_NAME, MatchOp, Matcher, RegexDialect};

/// No query a person or a template wrote comes near these; they keep a hostile text from exhausting stack or memory.
const MAX_DEPTH: usize = 128;
const MAX_BYTES: usize = 1 << 18;

/// Nanoseconds in a second, and the longest duration Go has, in seconds.
const NANOS: f64 = 1e9;
const MAX_SECONDS: f64 = 9_223_372_036.854_776;

type Parsed<T> = Result<T, ParseError>;

/// Parses a query; types are not checked yet.
pub(super) fn parse(text: &str, version: Version) -> Parsed<(Expr, usize)> {
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

    /// `[range]`, `[range:step]`, `offset`, `@` after an expression, as often as they come.
    fn modifiers(&mut self, mut expr: Expr) -> Parsed<Expr> {
        loop {
            expr = match self.peek() {
                Kind::LeftBracket => self.brackets(expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(expr)?,
                Kind::At => self.at(expr)?,
                Kind::Keyword(word @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    let word = match word {
                        Keyword::Anchored => "anchored",
                        _ => "smoothed",
                    };
                    return Err(ParseError::new(
                        format!("{word} modifier is experimental and not enabled"),
                        self.current().span.clone(),
                    ));
                }
                _ => return Ok(expr),
            };
        }
    }

    fn brackets(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.advance().span.start;
        let range = self.positive_duration("subquery or range selector")?;
        let start = expr.span.start;
        if self.peek() == Kind::Colon {
            self.advance();
            let step_ms = match self.peek() {
                Kind::RightBracket => None,
                _ => Some(self.positive_duration("subquery selector")?),
            };
            let end = self.expect(Kind::RightBracket, "subquery selector")?.end;
            let subquery = Subquery {
                expr,
                range_ms: range,
                step_ms,
                when: When::default(),
            };
            return self.node(ExprKind::Subquery(Box::new(subquery)), start..end);
        }
        let end = self.expect(Kind::RightBracket, "subquery or range")?.end;
        let problem = match &expr.kind {
            ExprKind::Selector(selector) if selector.when.offset_ms != 0 => {
                "no offset modifiers allowed before range"
            }
            ExprKind::Selector(selector) if selector.when.at.is_some() => {
                "no @ modifiers allowed before range"
            }
            ExprKind::Selector(_) => "",
            _ => "ranges only allowed for vector selectors",
        };
        if !problem.is_empty() {
            return Err(ParseError::new(problem, open..end));
        }
        let ExprKind::Selector(selector) = expr.kind else {
            unreachable!("anything but a selector was refused above");
        };
        let range_ms = range;
        self.node(ExprKind::Range { selector, range_ms }, start..end)
    }

    fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.advance();
        let seconds = match self.peek() {
            Kind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.advance();
                let seconds = self.bare_duration("offset")?;
                if sign == BinaryOp::Sub {
                    -seconds
                } else {
                    seconds
                }
            }
            _ => self.bare_duration("offset")?,
        };
        let end = self.tokens[self.next - 1].span.end;
        let span = expr.span.clone();
        let Some(when) = when_of(&mut expr) else {
            return Err(ParseError::new(
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                span,
            ));
        };
        if when.offset_ms != 0 {
            return Err(ParseError::new(
                "offset may not be set multiple times",
                span,
            ));
        }
        when.offset_ms = whole_millis(seconds);
        expr.span.end = end;
        Ok(expr)
    }

    fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.advance();
        let (at, end) = match self.peek() {
            Kind::Keyword(word @ (Keyword::Start | Keyword::End)) => {
                self.advance();
                self.expect(Kind::LeftParen, "@")?;
                let end = self.expect(Kind::RightParen, "@")?.end;
                let at = if word == Keyword::Start {
                    At::Start
                } else {
                    At::End
                };
                (at, end)
            }
            _ => {
                let mut sign = 1.0;
                if let Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek() {
                    self.advance();
                    sign = if op == BinaryOp::Sub { -1.0 } else { 1.0 };
                }
                let token = self.current().clone();
                let seconds = match token.kind {
                    Kind::Number => self.number(&token)?,
                    Kind::Duration if self.version == Version::V3 => self.duration(&token)?,
                    _ => return Err(self.unexpected("@", "timestamp")),
                };
                self.advance();
                let seconds = sign * seconds;
                // Upstream compares seconds with the bounds of an i64 but keeps milliseconds; beyond them nothing is defined.
                if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 / 1000.0 {
                    let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                    return Err(ParseError::new(message, token.span));
                }
                (At::Time((seconds * 1000.0).round() as i64), token.span.end)
            }
        };
        let span = expr.span.clone();
        let Some(when) = when_of(&mut expr) else {
            return Err(ParseError::new(
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                span,
            ));
        };
        if when.at.is_some() {
            return Err(ParseError::new(
                "@ <timestamp> may not be set multiple times",
                span,
            ));
        }
        when.at = Some(at);
        expr.span.end = end;
        Ok(expr)
    }

    /// `{...}` after an optional name, or the name alone.
    fn selector(&mut self, name: Option<(String, Range<usize>)>, start: usize) -> Parsed<Expr> {
        let mut end = name.as_ref().map_or(start, |(_, span)| span.end);
        let mut matchers = Vec::new();
        if self.peek() == Kind::LeftBrace {
            self.advance();
            while self.peek() != Kind::RightBrace {
                matchers.push(self.matcher()?);
                match self.peek() {
                    Kind::Comma => {
                        self.advance();
                    }
                    Kind::RightBrace => {}
                    _ => return Err(self.unexpected("label matching", "\",\" or \"}\"")),
                }
            }
            end = self.advance().span.end;
        }
        let name = name.map(|(name, _)| name);
        matchers.extend(name.as_ref().map(|name| Matcher::equal(METRIC_NAME, name)));
        let selector = Selector {
            name,
            matchers,
            when: When::default(),
        };
        self.node(ExprKind::Selector(selector), start..end)
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let label = self.current().clone();
        let quoted = label.kind == Kind::String;
        let name = match label.kind {
            Kind::Identifier => self.text_of(&label).to_owned(),
            Kind::String if self.version == Version::V3 => self.string(&label),
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        self.advance();
        let op = match self.peek() {
            Kind::Equal => MatchOp::Equal,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotEqualRegex => MatchOp::NotRegex,
            Kind::Comma | Kind::RightBrace if quoted => {
                return Ok(Matcher::equal(METRIC_NAME, name));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        let value = self.current().clone();
        if value.kind != Kind::String {
            return Err(self.unexpected("label matching", "string"));
        }
        self.advance();
        let span = label.span.start..value.span.end;
        Matcher::new(name, op, self.string(&value), self.dialect())
            .map_err(|problem| ParseError::new(format!("bad regular expression: {problem}"), span))
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

    /// `bool`, `on (...)`, `ignoring (...)`, `group_left (...)`, `group_right (...)` after an operator.
    fn binary_modifiers(&mut self) -> Parsed<(bool, Matching)> {
        let mut matching = Matching::default();
        let bool_modifier = self.peek() == Kind::Keyword(Keyword::Bool);
        if bool_modifier {
            self.advance();
        }
        if let Kind::Keyword(word @ (Keyword::On | Keyword::Ignoring)) = self.peek() {
            self.advance();
            matching.on = word == Keyword::On;
            matching.labels = self.label_list()?;
            if let Kind::Keyword(word @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek() {
                self.advance();
                matching.group = if word == Keyword::GroupLeft {
                    Group::Left
                } else {
                    Group::Right
                };
                if self.peek() == Kind::LeftParen {
                    matching.include = self.label_list()?;
                }
            }
        }
        if self.peek() == Kind::Keyword(Keyword::Fill) {
            return Err(ParseError::new(
                "binop fill modifiers are experimental and not enabled",
                self.current().span.clone(),
            ));
        }
        Ok((bool_modifier, matching))
    }

    /// `(a, "b", c)`; any word may be a label, and a comma may end the list.
    fn label_list(&mut self) -> Parsed<Vec<String>> {
        self.expect_or(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while self.peek() != Kind::RightParen {
            let token = self.current().clone();
            let name = match token.kind {
                Kind::Identifier
                | Kind::MetricIdentifier
                | Kind::Aggregate(_)
                | Kind::Keyword(_)
                | Kind::Operator(
                    BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2,
                ) => self.text_of(&token).to_owned(),
                Kind::String if self.version == Version::V3 => self.string(&token),
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            let legacy = !name.contains(':') || self.version == Version::V3;
            if name.is_empty() || !legacy {
                return Err(ParseError::new(
                    format!("invalid label name for grouping: {name:?}"),
                    token.span,
                ));
            }
            self.advance();
            labels.push(name);
            match self.peek() {
                Kind::Comma => {
                    self.advance();
                }
                Kind::RightParen => {}
                _ => return Err(self.unexpected("grouping opts", "\",\" or \")\"")),
            }
        }
        self.advance();
        Ok(labels)
    }

    /// A duration greater than zero, in whole milliseconds.
    fn positive_duration(&mut self, context: &str) -> Parsed<i64> {
        let span = self.current().span.clone();
        let seconds = self.bare_duration(context)?;
        let millis = whole_millis(seconds);
        if seconds <= 0.0 || millis < 1 {
            return Err(ParseError::new("duration must be greater than 0", span)
                .help("Prometheus counts time in whole milliseconds"));
        }
        Ok(millis)
    }

    /// A duration, or since version 3 a number of seconds.
    fn bare_duration(&mut self, context: &str) -> Parsed<f64> {
        let token = self.current().clone();
        let seconds = match token.kind {
            Kind::Duration => self.duration(&token)?,
            Kind::Number if self.version == Version::V3 => self.number(&token)?,
            Kind::Number => {
                // The lexer of 2.x reads nothing but durations in brackets.
                let error = match context {
                    "offset" => self.unexpected(context, "duration"),
                    _ => ParseError::new("missing unit character in duration", token.span),
                };
                return Err(error.help("numbers are durations only since Prometheus 3"));
            }
            _ if self.version == Version::V3 => {
                return Err(self.unexpected(context, "number or duration"));
            }
            _ => return Err(self.unexpected(context, "duration")),
        };
        if seconds.is_nan() || seconds.abs() > MAX_SECONDS {
            return Err(ParseError::new("duration out of range", token.span));
        }
        self.advance();
        Ok(seconds)
    }

    /// The seconds of a duration token: `1h30m`, each unit once, large to small (`model.ParseDuration`).
    fn duration(&self, token: &Token) -> Parsed<f64> {
        let text = self.text_of(token);
        let bad = || {
            ParseError::new(
                format!("not a valid duration string: {text:?}"),
                token.span.clone(),
            )
        };
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let letters = after.len()
                - after
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .len();
            let (unit, after) = after.split_at(letters);
            let unit_ms: u64 = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                "y" => 365 * 86_400_000,
                _ => return Err(bad()),
            };
            if unit_ms >= smallest {
                return Err(bad());
            }
            smallest = unit_ms;
            let range = || ParseError::new("duration out of range", token.span.clone());
            let number: u64 = number.parse().map_err(|_| range())?;
            let part = number.checked_mul(unit_ms).ok_or_else(range)?;
            millis = millis.checked_add(part).ok_or_else(range)?;
            if millis > (i64::MAX / 1_000_000) as u64 {
                return Err(range());
            }
            rest = after;
        }
        // As Go's Duration.Seconds: whole seconds and the rest apart.
        Ok((millis / 1000) as f64 + ((millis % 1000) * 1_000_000) as f64 / NANOS)
    }

    /// The value of a number token (Go's `strconv.ParseInt` with base 0, else `ParseFloat`).
    fn number(&self, token: &Token) -> Parsed<f64> {
        let text = self.text_of(token);
        let bad = || {
            ParseError::new(
                format!("error parsing number: {text:?}"),
                token.span.clone(),
            )
        };
        if text.contains('_') && self.version != Version::V3 {
            return Err(bad());
        }
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        let lower = plain.to_ascii_lowercase();
        if let Some(hex) = lower.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16)
                .map(|n| n as f64)
                .map_err(|_| bad());
        }
        // A leading zero makes an integer octal in Go, if it can be.
        match i64::from_str_radix(&lower, 8) {
            Ok(octal) if lower.starts_with('0') => return Ok(octal as f64),
            _ => {}
        }
        let value: f64 = lower.parse().map_err(|_| bad())?;
        if value.is_infinite() && !lower.contains("inf") {
            return Err(bad());
        }
        Ok(value)
    }

    fn string(&self, token: &Token) -> String {
        Text {
            bytes: unquote(self.text_of(token)),
        }
        .lossy()
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

/// Where an expression keeps its `offset` and `@`, if it can have them.
fn when_of(expr: &mut Expr) -> Option<&mut When> {
    match &mut expr.kind {
        ExprKind::Selector(selector) | ExprKind::Range { selector, .. } => Some(&mut selector.when),
        ExprKind::Subquery(subquery) => Some(&mut subquery.when),
        _ => None,
    }
}

/// Seconds as Prometheus takes them: rounded to nanoseconds, cut to milliseconds.
fn whole_millis(seconds: f64) -> i64 {
    ((seconds * NANOS).round() as i64) / 1_000_000
}
