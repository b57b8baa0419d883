//! Selectors and what may follow an expression or an operator: ranges, subqueries, `offset`, `@`, matching modifiers.

use std::ops::Range;

use super::literal::whole_millis;
use super::{Parsed, Parser};
use crate::promql::Version;
use crate::promql::ast::{At, BinaryOp, Expr, ExprKind, Group, Matching, Selector, Subquery, When};
use crate::promql::error::ParseError;
use crate::promql::lexer::{Keyword, Kind};
use crate::tsdb::{METRIC_NAME, MatchOp, Matcher};

impl Parser<'_> {
    /// `[range]`, `[range:step]`, `offset`, `@` after an expression, as often as they come.
    pub(super) fn modifiers(&mut self, mut expr: Expr) -> Parsed<Expr> {
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

    pub(super) fn brackets(&mut self, expr: Expr) -> Parsed<Expr> {
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

    pub(super) fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
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

    pub(super) fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
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
    pub(super) fn selector(
        &mut self,
        name: Option<(String, Range<usize>)>,
        start: usize,
    ) -> Parsed<Expr> {
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

    pub(super) fn matcher(&mut self) -> Parsed<Matcher> {
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

    /// `bool`, `on (...)`, `ignoring (...)`, `group_left (...)`, `group_right (...)` after an operator.
    pub(super) fn binary_modifiers(&mut self) -> Parsed<(bool, Matching)> {
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
    pub(super) fn label_list(&mut self) -> Parsed<Vec<String>> {
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
}

/// Where an expression keeps its `offset` and `@`, if it can have them.
fn when_of(expr: &mut Expr) -> Option<&mut When> {
    match &mut expr.kind {
        ExprKind::Selector(selector) | ExprKind::Range { selector, .. } => Some(&mut selector.when),
        ExprKind::Subquery(subquery) => Some(&mut subquery.when),
        _ => None,
    }
}
