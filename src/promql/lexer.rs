//! From query text to tokens (`promql/parser/lex.go`).
//!
//! As upstream, the lexer has modes: inside braces every word is a label name, inside brackets a colon separates range and
//! step, elsewhere colons belong to metric names. Series descriptions of test scripts are not lexed here.

use std::ops::Range;

use super::ast::{AggregateOp, BinaryOp};
use super::error::ParseError;

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// `=`, in a matcher.
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotEqualRegex,
    At,
    /// `!=` is this one also where it is a matcher's.
    Operator(BinaryOp),
    Number,
    Duration,
    String,
    Identifier,
    /// An identifier with a colon in it: never a label or function.
    MetricIdentifier,
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// Words with a meaning of their own outside braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    Bool,
    Start,
    End,
}

/// The tokens of a query, the last of them [`Kind::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer::new(text);
    while lexer.step()? {}
    Ok(lexer.tokens)
}

/// The tokens of the series (a name, label pairs in braces) that a text begins with.
pub(super) fn lex_prefix(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer::new(text);
    match text.chars().next() {
        Some('{') => {}
        Some(c) if is_alpha(c) || c == ':' => lexer.word(),
        _ => return Ok(Vec::new()),
    }
    if lexer.peek() == Some('{') {
        lexer.step()?;
        while lexer.in_braces {
            lexer.step()?;
        }
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    parens: usize,
    in_braces: bool,
    in_brackets: bool,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Lexer {
            text,
            at: 0,
            tokens: Vec::new(),
            parens: 0,
            in_braces: false,
            in_brackets: false,
        }
    }

    /// Lexes one token; false after the last.
    fn step(&mut self) -> Result<bool, ParseError> {
        self.skip_blanks();
        let start = self.at;
        let Some(c) = self.peek() else {
            let open = if self.in_braces {
                Some("unexpected end of input inside braces")
            } else if self.parens > 0 {
                Some("unclosed left parenthesis")
            } else if self.in_brackets {
                Some("unclosed left bracket")
            } else {
                None
            };
            if let Some(message) = open {
                return Err(ParseError::new(message, start..start));
            }
            self.push(Kind::End, start);
            return Ok(false);
        };
        if matches!(c, '"' | '\'' | '`') {
            self.string(c)?;
        } else if self.in_braces {
            self.inside_braces(c)?;
        } else {
            self.outside_braces(c)?;
        }
        Ok(true)
    }

    fn inside_braces(&mut self, c: char) -> Result<(), ParseError> {
        let start = self.at;
        if is_alpha(c) {
            self.skip_while(is_alphanumeric);
            self.push(Kind::Identifier, start);
            return Ok(());
        }
        self.bump();
        let kind = match c {
            ',' => Kind::Comma,
            '=' if self.eat('~') => Kind::EqualRegex,
            '=' => Kind::Equal,
            '!' if self.eat('~') => Kind::NotEqualRegex,
            '!' if self.eat('=') => Kind::Operator(BinaryOp::NotEqual),
            '!' => return Err(self.unexpected_after("'!' inside braces", start)),
            '{' => return Err(self.error("unexpected left brace '{'", start)),
            '}' => {
                self.in_braces = false;
                Kind::RightBrace
            }
            _ => {
                return Err(self.error(format!("unexpected character inside braces: {c:?}"), start));
            }
        };
        self.push(kind, start);
        Ok(())
    }

    fn outside_braces(&mut self, c: char) -> Result<(), ParseError> {
        let start = self.at;
        if c.is_ascii_digit() || c == '.' && self.peek_second().is_some_and(|d| d.is_ascii_digit())
        {
            return self.number_or_duration();
        }
        if is_alpha(c) || c == ':' {
            if !self.in_brackets {
                self.word();
                return Ok(());
            }
            self.bump();
            if c == ':' {
                self.push(Kind::Colon, start);
                return Ok(());
            }
            return Err(self.error(format!("unexpected character in duration: {c:?}"), start));
        }
        self.bump();
        let kind = match c {
            ',' => Kind::Comma,
            '*' => Kind::Operator(BinaryOp::Mul),
            '/' => Kind::Operator(BinaryOp::Div),
            '%' => Kind::Operator(BinaryOp::Mod),
            '+' => Kind::Operator(BinaryOp::Add),
            '-' => Kind::Operator(BinaryOp::Sub),
            '^' => Kind::Operator(BinaryOp::Pow),
            '=' if self.eat('=') => Kind::Operator(BinaryOp::Equal),
            '=' if self.peek() == Some('~') => {
                return Err(self.unexpected_after("'='", start));
            }
            '=' => Kind::Equal,
            '!' if self.eat('=') => Kind::Operator(BinaryOp::NotEqual),
            '!' => return Err(self.unexpected_after("'!'", start)),
            '<' if self.eat('=') => Kind::Operator(BinaryOp::LessOrEqual),
            '<' => Kind::Operator(BinaryOp::Less),
            '>' if self.eat('=') => Kind::Operator(BinaryOp::GreaterOrEqual),
            '>' => Kind::Operator(BinaryOp::Greater),
            '(' => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' if self.parens == 0 => {
                return Err(self.error("unexpected right parenthesis ')'", start));
            }
            ')' => {
                self.parens -= 1;
                Kind::RightParen
            }
            '{' => {
                self.in_braces = true;
                Kind::LeftBrace
            }
            '[' if self.in_brackets => {
                return Err(self.error("unexpected left bracket '['", start));
            }
            '[' => {
                self.in_brackets = true;
                Kind::LeftBracket
            }
            ']' if !self.in_brackets => {
                return Err(self.error("unexpected right bracket ']'", start));
            }
            ']' => {
                self.in_brackets = false;
                Kind::RightBracket
            }
            '@' => Kind::At,
            _ => return Err(self.error(format!("unexpected character: {c:?}"), start)),
        };
        self.push(kind, start);
        Ok(())
    }

    /// A keyword, an aggregation, an operator in letters, or a name.
    fn word(&mut self) {
        let start = self.at;
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let word = &self.text[start..self.at];
        let kind = match word.to_ascii_lowercase().as_str() {
            "and" => Kind::Operator(BinaryOp::And),
            "or" => Kind::Operator(BinaryOp::Or),
            "unless" => Kind::Operator(BinaryOp::Unless),
            "atan2" => Kind::Operator(BinaryOp::Atan2),
            "inf" | "nan" => Kind::Number,
            "offset" => Kind::Keyword(Keyword::Offset),
            "smoothed" => Kind::Keyword(Keyword::Smoothed),
            "anchored" => Kind::Keyword(Keyword::Anchored),
            "by" => Kind::Keyword(Keyword::By),
            "without" => Kind::Keyword(Keyword::Without),
            "on" => Kind::Keyword(Keyword::On),
            "ignoring" => Kind::Keyword(Keyword::Ignoring),
            "group_left" => Kind::Keyword(Keyword::GroupLeft),
            "group_right" => Kind::Keyword(Keyword::GroupRight),
            "bool" => Kind::Keyword(Keyword::Bool),
            "start" => Kind::Keyword(Keyword::Start),
            "end" => Kind::Keyword(Keyword::End),
            // Upstream: keywords only where a parenthesis follows, so that metrics may be called so.
            "fill" | "fill_left" | "fill_right"
                if self.text[self.at..]
                    .trim_start_matches(is_space)
                    .starts_with('(') =>
            {
                Kind::Keyword(Keyword::Fill)
            }
            lower => match AggregateOp::from_name(lower) {
                Some(op) => Kind::Aggregate(op),
                None if word.contains(':') => Kind::MetricIdentifier,
                None => Kind::Identifier,
            },
        };
        self.push(kind, start);
    }

    fn number_or_duration(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        if self.scan_number() {
            self.push(Kind::Number, start);
            return Ok(());
        }
        if self.scan_duration_rest() {
            self.push(Kind::Duration, start);
            return Ok(());
        }
        let text = self.text[start..self.at].to_owned();
        Err(self.error(format!("bad number or duration syntax: {text:?}"), start))
    }

    /// Whether a number stands here; it need not be a valid one yet. Where not, stays where it first cannot be one.
    fn scan_number(&mut self) -> bool {
        let mut hex = false;
        if self.peek() == Some('0') && matches!(self.peek_second(), Some('x' | 'X')) {
            self.bump();
            self.bump();
            self.eat('_');
            hex = true;
        }
        let is_digit = |c: char| {
            if hex {
                c.is_ascii_hexdigit()
            } else {
                c.is_ascii_digit()
            }
        };
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            if is_digit(c) {
                self.bump();
                continue;
            }
            match c {
                '.' => {
                    self.bump();
                    if dot || hex || matches!(self.peek(), Some('_' | '.')) {
                        return false;
                    }
                    dot = true;
                }
                'e' | 'E' => {
                    self.bump();
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    if matches!(self.peek(), Some('+' | '-')) {
                        self.bump();
                    }
                    if matches!(self.peek(), None | Some('.' | '_' | 'e' | 'E')) {
                        return false;
                    }
                }
                '_' => {
                    self.bump();
                    if matches!(self.peek(), None | Some('.' | '_' | 'e' | 'E')) {
                        return false;
                    }
                }
                _ => break,
            }
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    /// What follows the first digits of a duration: `s`, `m30s`, `ms`. Whether the units are in order is the parser's question.
    fn scan_duration_rest(&mut self) -> bool {
        if !self.eat_any("smhdwy") {
            return false;
        }
        self.eat('s');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.eat_any("smhdw") {
                return false;
            }
            self.eat('s');
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    /// A quoted string. Escapes are checked here, so that unquoting cannot fail.
    fn string(&mut self, quote: char) -> Result<(), ParseError> {
        let start = self.at;
        self.bump();
        loop {
            let escape = self.at;
            match self.bump() {
                None if quote == '`' => return Err(self.error("unterminated raw string", start)),
                None => return Err(self.error("unterminated quoted string", start)),
                Some(c) if c == quote => break,
                Some('\n') if quote != '`' => {
                    return Err(self.error("unterminated quoted string", start));
                }
                Some('\\') if quote != '`' => {
                    if let Err(message) = self.escape(quote) {
                        return Err(ParseError::new(message, escape..self.at));
                    }
                }
                Some(_) => {}
            }
        }
        self.push(Kind::String, start);
        Ok(())
    }

    /// An escape sequence; the backslash has been read.
    fn escape(&mut self, quote: char) -> Result<(), String> {
        let (digits, base, max) = match self.bump() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(c) if c == quote => return Ok(()),
            Some('0'..='7') => {
                self.at -= 1;
                (3, 8, 255)
            }
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, 0x0010_ffff),
            Some('U') => (8, 16, 0x0010_ffff),
            None => return Err("escape sequence not terminated".to_owned()),
            Some(c) => return Err(format!("unknown escape sequence {c:?}")),
        };
        let mut value: u32 = 0;
        for _ in 0..digits {
            let digit = match self.bump() {
                None => return Err("escape sequence not terminated".to_owned()),
                Some(c) => c
                    .to_digit(base)
                    .ok_or_else(|| format!("illegal character {c:?} in escape sequence"))?,
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(is_space);
            if self.peek() != Some('#') {
                return;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.text[self.at..].chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.bump();
        }
        found
    }

    fn eat_any(&mut self, wanted: &str) -> bool {
        let found = self.peek().is_some_and(|c| wanted.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn skip_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let span = start..self.at;
        self.tokens.push(Token { kind, span });
    }

    fn error(&self, message: impl Into<String>, start: usize) -> ParseError {
        ParseError::new(message, start..self.at)
    }

    fn unexpected_after(&mut self, what: &str, start: usize) -> ParseError {
        let found = self
            .bump()
            .map_or("end of input".to_owned(), |c| format!("{c:?}"));
        self.error(format!("unexpected character after {what}: {found}"), start)
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        lex(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn the_same_word_is_a_keyword_outside_braces_and_a_label_inside() {
        use Kind::*;
        assert_eq!(
            kinds("offset{offset=~`a`}"),
            [
                Keyword(super::Keyword::Offset),
                LeftBrace,
                Identifier,
                EqualRegex,
                String,
                RightBrace,
                End
            ]
        );
    }

    #[test]
    fn colons_belong_to_names_but_not_in_brackets() {
        use Kind::*;
        assert_eq!(
            kinds("a:b[5m:1m]"),
            [
                MetricIdentifier,
                LeftBracket,
                Duration,
                Colon,
                Duration,
                RightBracket,
                End
            ]
        );
    }

    #[test]
    fn numbers_and_durations_are_told_apart() {
        use Kind::{Duration, Number};
        for (text, kind) in [
            ("1", Some(Number)),
            (".5", Some(Number)),
            ("5.", Some(Number)),
            ("1e-3", Some(Number)),
            ("0x1f", Some(Number)),
            ("1_000", Some(Number)),
            ("Inf", Some(Number)),
            ("5m", Some(Duration)),
            ("1h30m5ms", Some(Duration)),
            ("1__0", None),
            ("1e", None),
            ("1.2.3", None),
            ("5x", None),
            ("5m3", None),
        ] {
            assert_eq!(lex(text).ok().map(|tokens| tokens[0].kind), kind, "{text}");
        }
    }
}
