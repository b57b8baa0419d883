//! What `encoding/json` finds wrong with a text that is not JSON.
//!
//! Follows `scanner.go` of Go's `encoding/json`: it reads bytes, and at the end of the text it feeds itself one space more,
//! which is why half a literal is told as an invalid `' '`.

use super::go;

/// Nesting that Go gives up at.
const MAX_DEPTH: usize = 10_000;

/// What is wrong, or nothing.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        next: 0,
    };
    scanner.document()
}

struct Scanner<'t> {
    bytes: &'t [u8],
    next: usize,
}

/// Where inside arrays and objects a value was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Array,
    Object,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), String> {
        let mut open: Vec<Inside> = Vec::new();
        let mut just_opened = false;
        'value: loop {
            // A value, or the end of an array or object that was just opened.
            let first = self.after_space()?;
            let closes = match open.last() {
                Some(Inside::Array) if just_opened && first == b']' => true,
                Some(Inside::Object) if just_opened && first == b'}' => true,
                Some(Inside::Object) => {
                    self.key(first)?;
                    let value = self.after_space()?;
                    just_opened = self.value(value, &mut open)?;
                    false
                }
                _ => {
                    just_opened = self.value(first, &mut open)?;
                    false
                }
            };
            if just_opened && !closes {
                continue;
            }
            if closes {
                open.pop();
                just_opened = false;
            }
            // What may follow a value.
            loop {
                let Some(inside) = open.last() else {
                    return match self.skip_space() {
                        None => Ok(()),
                        Some(c) => Err(invalid(c, "after top-level value")),
                    };
                };
                match (self.after_space()?, inside) {
                    (b',', _) => continue 'value,
                    (b']', Inside::Array) | (b'}', Inside::Object) => {
                        open.pop();
                    }
                    (c, Inside::Array) => return Err(invalid(c, "after array element")),
                    (c, Inside::Object) => {
                        return Err(invalid(c, "after object key:value pair"));
                    }
                }
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self, first: u8) -> Result<(), String> {
        if first != b'"' {
            return Err(invalid(first, "looking for beginning of object key string"));
        }
        self.string()?;
        match self.after_space()? {
            b':' => Ok(()),
            c => Err(invalid(c, "after object key")),
        }
    }

    /// A value that starts with this byte; true if it is an array or object, of which only the start is read.
    fn value(&mut self, first: u8, open: &mut Vec<Inside>) -> Result<bool, String> {
        match first {
            b'[' | b'{' => {
                if open.len() == MAX_DEPTH {
                    return Err("exceeded max depth".to_owned());
                }
                open.push(if first == b'[' {
                    Inside::Array
                } else {
                    Inside::Object
                });
                return Ok(true);
            }
            b'"' => self.string()?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            b'-' | b'0'..=b'9' => self.number(first)?,
            c => return Err(invalid(c, "looking for beginning of value")),
        }
        Ok(false)
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes().skip(1) {
            let c = self.byte();
            if c != expected {
                let context = format!("in literal {word} (expecting {})", quoted(expected));
                return Err(invalid(c, &context));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let mut first = first;
        if first == b'-' {
            first = self.byte();
            if !first.is_ascii_digit() {
                return Err(invalid(first, "in numeric literal"));
            }
        }
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.next += 1;
            let c = self.byte();
            if !c.is_ascii_digit() {
                return Err(invalid(c, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.next += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.next += 1;
            }
            let c = self.byte();
            if !c.is_ascii_digit() {
                return Err(invalid(c, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next += 1;
        }
    }

    /// A string whose opening quote is past.
    fn string(&mut self) -> Result<(), String> {
        loop {
            let Some(c) = self.peek() else {
                return Err(unexpected_end());
            };
            self.next += 1;
            match c {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..0x20 => return Err(invalid(c, "in string literal")),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.byte() {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    let c = self.byte();
                    if !c.is_ascii_hexdigit() {
                        return Err(invalid(c, "in \\u hexadecimal character escape"));
                    }
                }
                Ok(())
            }
            c => Err(invalid(c, "in string escape code")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.next).copied()
    }

    /// The next byte, or the space behind the end.
    fn byte(&mut self) -> u8 {
        let c = self.peek().unwrap_or(b' ');
        self.next += 1;
        c
    }

    fn skip_space(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.next += 1;
        }
        self.peek()
    }

    /// The next byte that is not white space, which there must be.
    fn after_space(&mut self) -> Result<u8, String> {
        let c = self.skip_space().ok_or_else(unexpected_end)?;
        self.next += 1;
        Ok(c)
    }
}

fn unexpected_end() -> String {
    "unexpected end of JSON input".to_owned()
}

fn invalid(c: u8, context: &str) -> String {
    format!("invalid character {} {context}", quoted(c))
}

/// A byte as Go shows it: taken for a character of Latin-1, in single quotes.
fn quoted(c: u8) -> String {
    match c {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        c => {
            let text = go::quote(&char::from(c).to_string());
            format!("'{}'", &text[1..text.len() - 1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_as_go_tells_them() {
        for (text, fault) in [
            (
                "not json",
                "invalid character 'o' in literal null (expecting 'u')",
            ),
            ("", "unexpected end of JSON input"),
            (
                "nul",
                "invalid character ' ' in literal null (expecting 'l')",
            ),
            (
                "falsy",
                "invalid character 'y' in literal false (expecting 'e')",
            ),
            ("{", "unexpected end of JSON input"),
            (r#"{"a":1,"#, "unexpected end of JSON input"),
            (
                r#"{"a":1,}"#,
                "invalid character '}' looking for beginning of object key string",
            ),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (
                r#"{"a":1 2}"#,
                "invalid character '2' after object key:value pair",
            ),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("01", "invalid character '1' after top-level value"),
            ("-", "invalid character ' ' in numeric literal"),
            (
                "1.",
                "invalid character ' ' after decimal point in numeric literal",
            ),
            (
                "1e+x",
                "invalid character 'x' in exponent of numeric literal",
            ),
            ("\"abc", "unexpected end of JSON input"),
            (r#""a\x""#, "invalid character 'x' in string escape code"),
            (
                r#""a\u12g4""#,
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            (
                "<html>",
                "invalid character '<' looking for beginning of value",
            ),
            ("é", "invalid character 'Ã' looking for beginning of value"),
        ] {
            assert_eq!(check(text), Err(fault.to_owned()), "{text}");
        }
        for text in [
            "null",
            " [ ] ",
            r#"{"a":[{},{"b":[1,-0.5e+3]}],"c":"\u00e9\n"}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
