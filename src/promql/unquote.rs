//! What string literals stand for (`util/strutil/quote.go`).

/// The bytes a string token stands for. They need not be UTF-8: `"\xff"` is one byte.
pub(super) fn unquote(token: &str) -> Vec<u8> {
    let inner = &token[1..token.len() - 1];
    if token.starts_with('`') {
        return inner.as_bytes().to_vec();
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    let mut utf8 = [0; 4];
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            continue;
        }
        let (digits, base, mut value) = match chars.next() {
            Some('a') => (0, 10, 7),
            Some('b') => (0, 10, 8),
            Some('f') => (0, 10, 12),
            Some('n') => (0, 10, 10),
            Some('r') => (0, 10, 13),
            Some('t') => (0, 10, 9),
            Some('v') => (0, 10, 11),
            Some('x') => (2, 16, 0),
            Some('u') => (4, 16, 0),
            Some('U') => (8, 16, 0),
            Some(c @ '0'..='7') => (2, 8, c as u32 - '0' as u32),
            Some(c) => (0, 10, c as u32),
            None => break,
        };
        for _ in 0..digits {
            let digit = chars.next().and_then(|c| c.to_digit(base));
            value = value * base + digit.unwrap_or(0);
        }
        // Octal and hexadecimal escapes are bytes, the others characters.
        if matches!((digits, base), (2, _)) {
            out.push(value as u8);
        } else if let Some(c) = char::from_u32(value) {
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::lexer::lex;
    use super::*;

    #[test]
    fn escapes_are_bytes_or_characters() {
        for (token, bytes) in [
            (r#""a\n\x41\101\u00e9""#, "a\nAA\u{e9}".as_bytes()),
            (r"'it\'s'", b"it's"),
            (r"`\n`", br"\n"),
            (r#""\xc5""#, b"\xc5"),
        ] {
            lex(token).unwrap();
            assert_eq!(unquote(token), bytes, "{token}");
        }
        for bad in [
            r#""\q""#,
            r#""\x4""#,
            r#""\ud800""#,
            "\"a\nb\"",
            "'",
            r#""\400""#,
        ] {
            assert!(lex(bad).is_err(), "{bad}");
        }
    }
}
