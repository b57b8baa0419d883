//! Label matchers: what a selector asks of a series (`model/labels/matcher.go`, `regexp.go`).

use std::fmt;

use regex::Regex;

use super::Labels;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends.
    Regex,
    /// `!~`, anchored at both ends.
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        })
    }
}

/// Which Prometheus reads the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegexDialect {
    /// 2.x: `.` does not match a newline.
    V2,
    /// 3.x: it does.
    V3,
}

/// One condition on one label. A label that a series does not have counts as empty, so `!=` and `!~` match its absence.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// `name="value"`.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher {
            name: name.into(),
            op: MatchOp::Equal,
            value: value.into(),
            regex: None,
        }
    }

    /// A matcher of any kind.
    ///
    /// # Errors
    /// What is wrong with the pattern of a regular expression.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
        dialect: RegexDialect,
    ) -> Result<Self, String> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(anchored(&value, dialect)?),
        };
        Ok(Matcher {
            name: name.into(),
            op,
            value,
            regex,
        })
    }

    /// The label it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The value or pattern it compares with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label value satisfies it.
    pub fn accepts(&self, value: &str) -> bool {
        let same = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => value == self.value,
        };
        same == matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }

    /// Whether a series with these labels satisfies it.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.accepts(labels.get(&self.name))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

/// As written in a selector: `status!~"5.."`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op, self.value)
    }
}

/// Compiles a pattern of Go's RE2 syntax, anchored at both ends.
pub(crate) fn anchored(pattern: &str, dialect: RegexDialect) -> Result<Regex, String> {
    let pattern = from_re2(pattern);
    let flags = match dialect {
        RegexDialect::V2 => "",
        RegexDialect::V3 => "s",
    };
    Regex::new(&format!("^(?{flags}:{pattern})$")).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        // The regex crate shows the pattern in several lines; its last line says what is wrong.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        }
    })
}

/// Rewrites the two places where RE2 accepts what the regex crate refuses: a `{` that starts no repetition is literal, and
/// `\Q...\E` quotes.
fn from_re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c == '\\' {
            if let Some(quoted) = after.strip_prefix('Q') {
                let (literal, tail) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                out.push_str(&regex::escape(literal));
                rest = tail;
                continue;
            }
            let escaped = after.chars().next();
            out.push('\\');
            out.extend(escaped);
            rest = &after[escaped.map_or(0, char::len_utf8)..];
            continue;
        }
        if c == '{' && !starts_repetition(after) {
            out.push('\\');
        }
        out.push(c);
        rest = after;
    }
    out
}

/// Whether what follows a `{` makes it a repetition: `{2}`, `{2,}`, `{2,3}`.
fn starts_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(op: MatchOp, value: &str) -> Matcher {
        Matcher::new("status", op, value, RegexDialect::V3).unwrap()
    }

    #[test]
    fn patterns_are_anchored_and_absent_labels_are_empty() {
        let with = Labels::new([("status", "503")]);
        let without = Labels::empty();
        for (op, value, on_503, on_absent) in [
            (MatchOp::Equal, "503", true, false),
            (MatchOp::Equal, "", false, true),
            (MatchOp::NotEqual, "503", false, true),
            (MatchOp::Regex, "5..", true, false),
            (MatchOp::Regex, "5", false, false),
            (MatchOp::Regex, "5..|", true, true),
            (MatchOp::NotRegex, "5..", false, true),
        ] {
            let matcher = matcher(op, value);
            assert_eq!(matcher.matches(&with), on_503, "{matcher}");
            assert_eq!(matcher.matches(&without), on_absent, "{matcher}");
        }
    }

    #[test]
    fn what_only_re2_accepts_is_translated() {
        for (pattern, accepted) in [
            ("a{b}", "a{b}"),
            ("a{2}", "aa"),
            ("a{,2}", "a{,2}"),
            (r"\Qa.b\E.", "a.bc"),
            (r"\Qa.b", "a.b"),
            (r"\{x", "{x"),
        ] {
            assert!(
                matcher(MatchOp::Regex, pattern).accepts(accepted),
                "{pattern}"
            );
        }
    }

    #[test]
    fn only_version_3_lets_a_dot_match_a_newline() {
        let accepts = |dialect| {
            Matcher::new("a", MatchOp::Regex, "x.y", dialect)
                .unwrap()
                .accepts("x\ny")
        };
        assert!(accepts(RegexDialect::V3) && !accepts(RegexDialect::V2));
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong() {
        let error = Matcher::new("a", MatchOp::Regex, "(", RegexDialect::V3).unwrap_err();
        assert_eq!(error, "unclosed group");
    }
}
