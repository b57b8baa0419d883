//! `print`, `println` and the part of `printf` that is modelled (`fmt/print.go`, `fmt/format.go`).
//!
//! Verbs `%v %s %q %d %f %t %T %%` with a width, `-`, for numbers `0`, and for `%f` and `%s` a precision. The rest is refused by name.

use super::value::Value;

/// What is refused.
pub(super) type NotModelled = String;

/// `%v` of a float64: the shortest digits that read back; in exponent form when the decimal exponent is below -4
/// or at least 6, with two exponent digits or more.
pub(crate) fn format_float(value: f64) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a whole exponent");
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `%.Nf` of a float64: rounded from the exact binary value, ties to even.
pub(crate) fn format_fixed(value: f64, decimals: usize) -> String {
    not_finite(value).map_or_else(|| format!("{value:.decimals$}"), str::to_owned)
}

fn not_finite(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// `fmt.Sprint`: a space between operands where neither is a string.
pub(super) fn print(args: &[Value<'_>]) -> String {
    let mut out = String::new();
    let mut before: Option<&Value<'_>> = None;
    for arg in args {
        let text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if before.is_some_and(|before| !text(before) && !text(arg)) {
            out.push(' ');
        }
        out.push_str(&arg.to_string());
        before = Some(arg);
    }
    out
}

/// `fmt.Sprintln`.
pub(super) fn println(args: &[Value<'_>]) -> String {
    let words: Vec<String> = args.iter().map(Value::to_string).collect();
    words.join(" ") + "\n"
}

/// `fmt.Sprintf`; faults of the format show in the output, as Go has it.
pub(super) fn printf(format: &str, args: &[Value<'_>]) -> Result<String, NotModelled> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format;
    while let Some((text, directive)) = rest.split_once('%') {
        out.push_str(text);
        let (spec, after) = Spec::read(directive)?;
        rest = after;
        match spec.verb {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match args.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(arg) => out.push_str(&spec.format(verb, arg)?),
            },
        }
    }
    out.push_str(rest);
    if args.len() > 0 {
        let extra: Vec<String> = args.map(typed).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

/// A directive, less its percent sign.
#[derive(Default)]
struct Spec {
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    verb: Option<char>,
}

impl Spec {
    /// Reads a directive and says what follows it.
    fn read(text: &str) -> Result<(Spec, &str), NotModelled> {
        let mut spec = Spec::default();
        let mut rest = text;
        loop {
            match rest.as_bytes().first() {
                Some(b'-') => spec.left = true,
                Some(b'0') => spec.zeros = true,
                Some(flag @ (b'+' | b'#' | b' ' | b'*' | b'[')) => {
                    return Err(format!("printf flag {:?}", char::from(*flag)));
                }
                _ => break,
            }
            rest = &rest[1..];
        }
        let number = |rest: &mut &str| {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            *rest = after;
            match number {
                "" => Ok(0),
                // Go itself stops at a million; nothing needs as much as a thousand.
                number => number
                    .parse::<usize>()
                    .ok()
                    .filter(|n| *n < 1000)
                    .ok_or_else(|| format!("printf width {number}")),
            }
        };
        spec.width = number(&mut rest)?;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            spec.precision = Some(number(&mut rest)?);
        }
        let mut chars = rest.chars();
        spec.verb = chars.next();
        Ok((spec, chars.as_str()))
    }

    fn format(&self, verb: char, arg: &Value<'_>) -> Result<String, NotModelled> {
        let numeric = matches!(arg, Value::Int(_) | Value::Byte(_) | Value::Float(_));
        let text = match (verb, arg) {
            (
                'x' | 'X' | 'e' | 'E' | 'F' | 'g' | 'G' | 'b' | 'o' | 'O' | 'c' | 'U' | 'p' | 'w',
                _,
            )
            | ('q', Value::Int(_) | Value::Byte(_))
            | ('d' | 'q' | 't' | 'f', Value::Map(_)) => return Err(format!("printf verb %{verb}")),
            ('T', arg) => arg.type_name().to_owned(),
            ('v', arg) if self.precision.is_none() => arg.to_string(),
            ('s' | 'v', Value::Text(text)) => match self.precision {
                Some(kept) => text.chars().take(kept).collect(),
                None => text.clone(),
            },
            ('s', Value::Map(_)) if self.precision.is_none() => arg.to_string(),
            ('q', Value::Text(text)) if self.precision.is_none() => format!("{text:?}"),
            ('d', Value::Int(_) | Value::Byte(_)) if self.precision.is_none() => arg.to_string(),
            ('f', Value::Float(value)) => format_fixed(*value, self.precision.unwrap_or(6)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('s' | 'q' | 'd' | 'f' | 't' | 'v', _) if self.precision.is_some() => {
                return Err(format!("printf precision for %{verb}"));
            }
            (verb, Value::Nil) => return Ok(format!("%!{verb}(<nil>)")),
            // The value of a faulty directive keeps the width.
            (verb, arg) if !self.zeros => {
                let value = self.pad(arg.to_string(), numeric);
                return Ok(format!("%!{verb}({}={value})", arg.type_name()));
            }
            (verb, _) => return Err(format!("printf flag '0' for %{verb}")),
        };
        // Go pads the elements, not the whole.
        if self.width > 0 && matches!(arg, Value::Map(_)) && verb != 'T' {
            return Err(format!("printf width for %{verb} of a map"));
        }
        if self.zeros && !self.left && !numeric {
            return Err(format!("printf flag '0' for %{verb}"));
        }
        Ok(self.pad(text, numeric))
    }

    fn pad(&self, text: String, numeric: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            return text + &" ".repeat(missing);
        }
        if self.zeros && numeric && !text.contains("Inf") && !text.contains("NaN") {
            let (sign, digits) = text.split_at(text.len() - text.trim_start_matches('-').len());
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        " ".repeat(missing) + &text
    }
}

/// A value with its type, as faulty directives show it.
fn typed(arg: &Value<'_>) -> String {
    match arg {
        Value::Nil => "<nil>".to_owned(),
        arg => format!("{}={arg}", arg.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_print_as_go_prints_them() {
        let text = |s: &str| Value::Text(s.to_owned());
        for (format, args, expected) in [
            ("%s-%v", vec![text("a"), Value::Int(1)], "a-1"),
            (
                "%d|%5d|%-5d|%05d",
                vec![Value::Int(-7); 4],
                "-7|   -7|-7   |-0007",
            ),
            (
                "%f %.1f %6.2f",
                vec![Value::Float(2.25); 3],
                "2.250000 2.2   2.25",
            ),
            ("%5s|%-5s|%.2s", vec![text("abc"); 3], "  abc|abc  |ab"),
            (
                "%q %T %t 100%%",
                vec![text("a\"b"), Value::Nil, Value::Bool(true)],
                "\"a\\\"b\" <nil> true 100%",
            ),
            ("%d", vec![text("x")], "%!d(string=x)"),
            ("%s", vec![Value::Int(5)], "%!s(int=5)"),
            ("%s", vec![Value::Nil], "%!s(<nil>)"),
            ("%s", vec![], "%!s(MISSING)"),
            (
                "a",
                vec![Value::Int(1), text("b")],
                "a%!(EXTRA int=1, string=b)",
            ),
            ("%z", vec![Value::Int(1)], "%!z(int=1)"),
            ("50%", vec![], "50%!(NOVERB)"),
        ] {
            assert_eq!(printf(format, &args), Ok(expected.to_owned()), "{format}");
        }
        for format in ["%x", "%+d", "%*d", "%[1]d", "%.3d", "%2000d"] {
            assert!(printf(format, &[Value::Int(1)]).is_err(), "{format}");
        }
        assert!(printf("%05s", &[text("a")]).is_err());
    }

    #[test]
    fn print_puts_spaces_between_what_is_not_text() {
        let text = |s: &str| Value::Text(s.to_owned());
        let args = [text("a"), Value::Int(1), Value::Int(2), text("b")];
        assert_eq!(print(&args), "a1 2b");
        assert_eq!(println(&args), "a 1 2 b\n");
    }
}
