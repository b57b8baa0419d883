//! A series as Prometheus writes it: `requests{status="200"}`, `{"a.name", b="c"}`.

use super::error::ParseError;
use super::lexer::{Kind, lex_prefix};
use super::unquote::unquote;
use crate::tsdb::{Labels, LabelsBuilder, METRIC_NAME};

/// Reads the labels of a series at the beginning of a text; answers with them and where they end.
///
/// # Errors
/// When no series stands there, or one with a label that is no UTF-8.
pub fn parse_metric(text: &str) -> Result<(Labels, usize), ParseError> {
    let tokens = lex_prefix(text)?;
    let unexpected = |at: usize, expected: &str| {
        let span = tokens
            .get(at)
            .map_or(text.len()..text.len(), |token| token.span.clone());
        ParseError::new(format!("expected {expected}"), span)
    };
    let kind = |at: usize| tokens.get(at).map_or(Kind::End, |token| token.kind);
    let string = |at: usize| {
        let span = tokens[at].span.clone();
        String::from_utf8(unquote(&text[span.clone()]))
            .map_err(|_| ParseError::new("label names and values must be UTF-8", span))
    };
    let mut labels = LabelsBuilder::default();
    let mut at = 0;
    if kind(at) != Kind::LeftBrace {
        let Some(name) = tokens.first() else {
            return Err(unexpected(0, "a metric name or \"{\""));
        };
        labels.set(METRIC_NAME, &text[name.span.clone()]);
        at += 1;
    }
    if kind(at) == Kind::LeftBrace {
        at += 1;
        while kind(at) != Kind::RightBrace {
            let name = match kind(at) {
                Kind::Identifier => text[tokens[at].span.clone()].to_owned(),
                Kind::String => string(at)?,
                _ => return Err(unexpected(at, "a label name or \"}\"")),
            };
            let quoted = kind(at) == Kind::String;
            at += 1;
            if kind(at) == Kind::Equal {
                if kind(at + 1) != Kind::String {
                    return Err(unexpected(at + 1, "a quoted label value"));
                }
                labels.set(&name, &string(at + 1)?);
                at += 2;
            } else if quoted {
                labels.set(METRIC_NAME, &name);
            } else {
                return Err(unexpected(at, "\"=\""));
            }
            match kind(at) {
                Kind::Comma => at += 1,
                Kind::RightBrace => {}
                _ => return Err(unexpected(at, "\",\" or \"}\"")),
            }
        }
        at += 1;
    }
    let end = tokens[at - 1].span.end;
    Ok((labels.build(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_up_to_its_end() {
        for (text, printed, end) in [
            ("up", "up", 2),
            ("up 1 2", "up", 2),
            ("sum{a=\"b c\"} 1", "sum{a=\"b c\"}", 12),
            ("{a=\"}\",} 3", "{a=\"}\"}", 8),
            ("{\"a.b\", c='d'}", "a.b{c=\"d\"}", 14),
            ("{} 5", "{}", 2),
            ("a:b _x3", "a:b", 3),
        ] {
            let (labels, at) = parse_metric(text).unwrap();
            assert_eq!((labels.to_string().as_str(), at), (printed, end), "{text}");
        }
        for bad in [
            "",
            " up",
            "5",
            "{a}",
            "{a=b}",
            "{a=\"b\"",
            "{a=\"\\xff\"}",
            "{,}",
        ] {
            assert!(parse_metric(bad).is_err(), "{bad}");
        }
    }
}
