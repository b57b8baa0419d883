//! Text to tokens (`text/template/parse/lex.go`).

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Nil,
    Keyword,
}

/// A token: its text is what was written, or what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Byte offset in the template.
    pub(super) pos: usize,
    pub(super) text: String,
    pub(super) line: usize,
}

impl Item {
    /// As error messages show it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.clone(),
            Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let head: String = self.text.chars().take(10).collect();
                format!("{head:?}...")
            }
            _ => format!("{:?}", self.text),
        }
    }
}

const KEYWORDS: [&str; 10] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) struct Lexer<'t> {
    input: &'t str,
    pos: usize,
    start: usize,
    inside_action: bool,
    paren_depth: usize,
    failed: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(input: &'t str) -> Self {
        Lexer {
            input,
            pos: 0,
            start: 0,
            inside_action: false,
            paren_depth: 0,
            failed: false,
        }
    }

    /// The next token. After an error there are only errors.
    pub(super) fn next(&mut self) -> Item {
        if self.failed {
            return self.fail("unclosed action".to_owned());
        }
        if self.inside_action {
            self.action_item()
        } else {
            self.text_item()
        }
    }

    fn rest(&self) -> &'t str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn skip_while(&mut self, mut wanted: impl FnMut(char) -> bool) {
        let rest = self.rest();
        self.pos += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn line_at(&self, pos: usize) -> usize {
        1 + self.input[..pos].matches('\n').count()
    }

    fn emit(&mut self, kind: Kind) -> Item {
        let item = Item {
            kind,
            pos: self.start,
            text: self.input[self.start..self.pos].to_owned(),
            line: self.line_at(self.start),
        };
        self.start = self.pos;
        item
    }

    fn fail(&mut self, what: String) -> Item {
        self.failed = true;
        Item {
            kind: Kind::Error,
            pos: self.start,
            text: what,
            line: self.line_at(self.start),
        }
    }

    /// Text up to the next action; comments are passed over.
    fn text_item(&mut self) -> Item {
        loop {
            let Some(length) = self.rest().find("{{") else {
                self.pos = self.input.len();
                let kind = if self.pos > self.start {
                    Kind::Text
                } else {
                    Kind::Eof
                };
                return self.emit(kind);
            };
            let text = &self.rest()[..length];
            let delim = self.pos + length;
            if length > 0 {
                let trimmed = has_left_trim_marker(&self.input[delim + 2..]);
                let kept = if trimmed {
                    text.trim_end_matches(SPACES)
                } else {
                    text
                };
                self.pos += kept.len();
                let item = self.emit(Kind::Text);
                self.pos = delim;
                self.start = delim;
                if !item.text.is_empty() {
                    return item;
                }
            }
            let after = &self.input[delim + 2..];
            let marker = if has_left_trim_marker(after) { 2 } else { 0 };
            if !after[marker..].starts_with("/*") {
                self.pos = delim + 2;
                let item = self.emit(Kind::LeftDelim);
                self.pos += marker;
                self.start = self.pos;
                self.inside_action = true;
                self.paren_depth = 0;
                return item;
            }
            self.start = delim + 2 + marker;
            self.pos = self.start + 2;
            let Some(end) = self.rest().find("*/") else {
                return self.fail("unclosed comment".to_owned());
            };
            self.pos += end + 2;
            let Some(trimmed) = self.at_right_delim() else {
                return self.fail("comment ends before closing delimiter".to_owned());
            };
            self.pos += if trimmed { 4 } else { 2 };
            if trimmed {
                self.skip_while(|c| SPACES.contains(&c));
            }
            self.start = self.pos;
        }
    }

    /// Whether a right delimiter follows, and whether with a trim marker.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[2..].starts_with("}}") {
            Some(true)
        } else {
            rest.starts_with("}}").then_some(false)
        }
    }

    fn right_delim(&mut self, trimmed: bool) -> Item {
        if trimmed {
            self.pos += 2;
            self.start = self.pos;
        }
        self.pos += 2;
        let item = self.emit(Kind::RightDelim);
        if trimmed {
            self.skip_while(|c| SPACES.contains(&c));
            self.start = self.pos;
        }
        self.inside_action = false;
        item
    }

    fn action_item(&mut self) -> Item {
        if let Some(trimmed) = self.at_right_delim() {
            if self.paren_depth > 0 {
                return self.fail("unclosed left paren".to_owned());
            }
            return self.right_delim(trimmed);
        }
        let Some(c) = self.bump() else {
            return self.fail("unclosed action".to_owned());
        };
        match c {
            c if SPACES.contains(&c) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.bump() == Some('=') => self.emit(Kind::Declare),
            ':' => self.fail("expected :=".to_owned()),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => {
                self.skip_while(|c| c != '`');
                match self.bump() {
                    Some(_) => self.emit(Kind::RawString),
                    None => self.fail("unterminated raw quoted string".to_owned()),
                }
            }
            '$' => self.field_or_variable(Kind::Variable),
            '.' if self.peek().is_some_and(|c| !c.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()
            }
            c if is_alphanumeric(c) => self.word(),
            '(' => {
                self.paren_depth += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.paren_depth == 0 => self.fail("unexpected right paren".to_owned()),
            ')' => {
                self.paren_depth -= 1;
                self.emit(Kind::RightParen)
            }
            c if c.is_ascii_graphic() => self.emit(Kind::Char),
            c => self.fail(format!(
                "unrecognized character in action: {}",
                code_point(c)
            )),
        }
    }

    /// A run of spaces, less the last one where that opens a trim-marked right delimiter.
    fn space(&mut self) -> Item {
        self.skip_while(|c| SPACES.contains(&c));
        let last = &self.input[self.pos - 1..];
        if has_right_trim_marker(last) && last[2..].starts_with("}}") {
            self.pos -= 1;
            if self.pos == self.start {
                return self.right_delim(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Item {
        loop {
            let escaped = match self.bump() {
                Some(c) if c == quote => return self.emit(kind),
                Some('\\') => self.bump(),
                other => other,
            };
            if matches!(escaped, None | Some('\n')) {
                return self.fail(unterminated.to_owned());
            }
        }
    }

    fn field_or_variable(&mut self, kind: Kind) -> Item {
        if self.at_terminator() {
            return self.emit(match kind {
                Kind::Field => Kind::Dot,
                other => other,
            });
        }
        self.skip_while(is_alphanumeric);
        self.terminated(kind)
    }

    fn word(&mut self) -> Item {
        self.skip_while(is_alphanumeric);
        let kind = match &self.input[self.start..self.pos] {
            "nil" => Kind::Nil,
            "true" | "false" => Kind::Bool,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.terminated(kind)
    }

    fn terminated(&mut self, kind: Kind) -> Item {
        if self.at_terminator() {
            return self.emit(kind);
        }
        let c = self.peek().expect("the end of the text terminates");
        self.fail(format!("bad character {}", code_point(c)))
    }

    /// Whether an identifier may end here.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => SPACES.contains(&c) || self.rest().starts_with("}}"),
        }
    }

    /// A number, by its looks; whether it is one is seen when it is read.
    fn number(&mut self) -> Item {
        let mut good = self.scan_number();
        let mut kind = Kind::Number;
        if good && matches!(self.peek(), Some('+' | '-')) {
            kind = Kind::Complex;
            good = self.scan_number() && self.input[..self.pos].ends_with('i');
        }
        if good {
            return self.emit(kind);
        }
        let text = &self.input[self.start..self.pos];
        self.fail(format!("bad number syntax: {text:?}"))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.skip_while(|c| digits.contains(c));
        if self.accept(".") {
            self.skip_while(|c| digits.contains(c));
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.bump();
        }
        found
    }
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_ascii_digit()
}

fn has_left_trim_marker(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(SPACES))
}

fn has_right_trim_marker(text: &str) -> bool {
    let rest = text.strip_prefix(SPACES);
    rest.is_some_and(|rest| rest.starts_with('-'))
}

/// `%#U`.
fn code_point(c: char) -> String {
    let number = format!("U+{:04X}", c as u32);
    if c.is_control() {
        number
    } else {
        format!("{number} '{c}'")
    }
}
