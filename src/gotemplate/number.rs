//! Constants: numbers, characters, quoted strings (`newNumber` in `text/template/parse/node.go`, `strconv.Unquote`).

/// A number, in every kind that it fits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) written: String,
    pub(super) int: Option<i64>,
    /// Fits an unsigned number, though perhaps not a signed one.
    pub(super) unsigned: bool,
    pub(super) float: Option<f64>,
}

/// Reads a number; the error is Go's.
pub(super) fn parse(written: &str) -> Result<Number, String> {
    let mut number = Number {
        written: written.to_owned(),
        int: None,
        unsigned: false,
        float: None,
    };
    let (negative, digits) = match written.as_bytes().first() {
        Some(b'-') => (true, &written[1..]),
        Some(b'+') => (false, &written[1..]),
        _ => (false, written),
    };
    let illegal = || format!("illegal number syntax: {written:?}");
    if !underscores_are_good(digits) {
        return Err(illegal());
    }
    if let Some(magnitude) = parse_magnitude(digits) {
        number.unsigned = digits.len() == written.len();
        number.int = if negative {
            0i64.checked_sub_unsigned(magnitude)
        } else {
            i64::try_from(magnitude).ok()
        };
        if !number.unsigned && number.int.is_none() {
            return Err(illegal());
        }
        number.float = Some(number.int.map_or(magnitude as f64, |int| int as f64));
        return Ok(number);
    }
    let float = written.replace('_', "").parse::<f64>();
    match float {
        Ok(value)
            if value.is_finite()
                && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') =>
        {
            if !written.contains(['.', 'e', 'E']) {
                return Err(format!("integer overflow: {written:?}"));
            }
            number.float = Some(value);
            // A whole float may stand for an integer.
            number.int = Some(value as i64).filter(|int| *int as f64 == value);
            number.unsigned = value >= 0.0 && (value as u64) as f64 == value;
            Ok(number)
        }
        _ => Err(illegal()),
    }
}

/// Underscores stand between digits, or between a prefix and a digit.
fn underscores_are_good(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let digit = |index: Option<usize>| {
        let byte = index.and_then(|index| bytes.get(index));
        byte.is_some_and(u8::is_ascii_alphanumeric)
    };
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores.all(|(index, _)| digit(index.checked_sub(1)) && digit(Some(index + 1)))
}

/// An unsigned integer with Go's prefixes and underscores.
fn parse_magnitude(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// The character of a constant such as `'a'`; the error is Go's.
pub(super) fn parse_char(written: &str) -> Result<Number, String> {
    let malformed = || format!("malformed character constant: {written}");
    let inner = written
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .ok_or_else(malformed)?;
    let text = unescape(inner, '\'').ok_or_else(malformed)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Err("invalid syntax".to_owned()),
        (Some(c), None) => Ok(Number {
            written: written.to_owned(),
            int: Some(i64::from(c as u32)),
            unsigned: true,
            float: Some(f64::from(c as u32)),
        }),
        _ => Err(malformed()),
    }
}

/// The text of a string constant; the error is Go's. Bytes beyond ASCII written as `\x` or octal escapes are refused.
pub(super) fn unquote(written: &str) -> Result<String, String> {
    let text = match written.as_bytes().first() {
        Some(b'`') => Some(written[1..written.len() - 1].replace('\r', "")),
        _ => unescape(&written[1..written.len() - 1], '"'),
    };
    text.ok_or_else(|| "invalid syntax".to_owned())
}

fn unescape(text: &str, quote: char) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let rest = chars.as_str();
        let mut coded = |skipped: usize, length: usize, radix: u32| {
            let digits = rest.get(skipped..skipped + length)?;
            let code = u32::from_str_radix(digits, radix).ok()?;
            chars = rest[skipped + length..].chars();
            char::from_u32(code).filter(|c| length > 3 || c.is_ascii())
        };
        let escaped = match rest.chars().next()? {
            'x' => coded(1, 2, 16)?,
            'u' => coded(1, 4, 16)?,
            'U' => coded(1, 8, 16)?,
            '0'..='7' => coded(0, 3, 8)?,
            plain => {
                chars.next();
                match plain {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    '\\' => '\\',
                    c if c == quote => c,
                    _ => return None,
                }
            }
        };
        out.push(escaped);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_kind_they_fit() {
        for (text, int, float) in [
            ("5", Some(5), Some(5.0)),
            ("-5", Some(-5), Some(-5.0)),
            ("0x1F", Some(31), Some(31.0)),
            ("0b101", Some(5), Some(5.0)),
            ("010", Some(8), Some(8.0)),
            ("1_000", Some(1000), Some(1000.0)),
            ("1e3", Some(1000), Some(1000.0)),
            ("1.5", None, Some(1.5)),
            (".5", None, Some(0.5)),
            ("18446744073709551615", None, Some(1.8446744073709552e19)),
        ] {
            let number = parse(text).unwrap();
            assert_eq!((number.int, number.float), (int, float), "{text}");
        }
        for text in ["1__0", "1_", "0x", "1_.5"] {
            assert!(parse(text).unwrap_err().starts_with("illegal"), "{text}");
        }
        assert_eq!(parse("0x_1f").unwrap().int, Some(31));
        assert!(parse("99999999999999999999").is_err());
        assert_eq!(parse_char("'a'").unwrap().int, Some(97));
        assert!(parse_char("'ab'").is_err());
    }

    #[test]
    fn strings_are_unquoted_as_go_does() {
        for (written, text) in [
            (r#""a\"b\n""#, Some("a\"b\n")),
            (r#""\x41\u00e9\101""#, Some("AéA")),
            ("`a\\n`", Some("a\\n")),
            (r#""\q""#, None),
            (r#""\'""#, None),
        ] {
            assert_eq!(unquote(written).ok().as_deref(), text, "{written}");
        }
    }
}
