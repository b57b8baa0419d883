//! How numbers read in sentences and tables.

use crate::engine::{Bound, QuerySource};
use crate::record::CheckRow;

/// `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 failed check`, `3 failed checks`: the noun gets its plural s.
pub fn counted(n: u64, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(n))
}

/// `part` of `whole` in percent: `30.1%`, `0.46%`, `<0.01%`; `0%` only for nothing, `100%` only for everything.
pub fn share(part: u64, whole: u64) -> String {
    if part == 0 {
        return "0%".to_owned();
    }
    if part == whole {
        return "100%".to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    if percent < 0.01 {
        "<0.01%".to_owned()
    } else if percent < 10.0 {
        format!("{percent:.2}%")
    } else {
        format!("{:.1}%", percent.min(99.9))
    }
}

/// A share in percent, without the sign: `63.2`, `0.46`, `0.02`; `0` only for nothing, `100` only for everything.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent <= 0.0 {
        "0".to_owned()
    } else if percent >= 100.0 {
        "100".to_owned()
    } else if percent < 0.01 {
        "<0.01".to_owned()
    } else if !(1.0..=99.0).contains(&percent) {
        format!("{:.2}", percent.min(99.99))
    } else {
        format!("{percent:.1}")
    }
}

/// A latency: `7.2 ms`, `123 ms`, `12.3 s`.
pub fn latency(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

/// A value as Flagger prints it (`%.2f`).
pub fn value(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if v.abs() >= 1e12 {
        format!("{v:.2e}")
    } else {
        format!("{v:.2}")
    }
}

/// A check's value against its bound: `70.21 < 99`, `61.00 ≤ 500`, `no value`.
pub fn comparison(check: &CheckRow) -> String {
    let Some(v) = check.value else {
        return "no value".to_owned();
    };
    let shown = value(v);
    match check.bound {
        None => shown,
        // NaN is neither below nor above: Flagger lets it pass (`pkg/controller/scheduler_metrics.go`).
        Some(Bound::Min(min)) if v.is_nan() => format!("{shown}, not below {min}"),
        Some(Bound::Max(max)) if v.is_nan() => format!("{shown}, not above {max}"),
        Some(Bound::Min(min)) => format!("{shown} {} {min}", if v < min { '<' } else { '≥' }),
        Some(Bound::Max(max)) => format!("{shown} {} {max}", if v > max { '>' } else { '≤' }),
    }
}

/// The metric of a check, marked where it is one of Flagger's own two.
pub fn metric(check: &CheckRow) -> String {
    match check.source {
        QuerySource::Builtin => format!("{} (builtin)", check.metric),
        _ => check.metric.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn counts_group_their_digits_in_threes() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "check"), "1 check");
        assert_eq!(counted(0, "check"), "0 checks");
    }

    #[test]
    fn shares_say_nothing_and_everything_only_where_it_is_so() {
        for (part, whole, text) in [
            (0, 0, "0%"),
            (0, 10, "0%"),
            (10, 10, "100%"),
            (1, 1_000_000, "<0.01%"),
            (46, 10_000, "0.46%"),
            (3, 10, "30.0%"),
            (999_999, 1_000_000, "99.9%"),
        ] {
            assert_eq!(share(part, whole), text, "{part} of {whole}");
        }
    }

    #[test]
    fn a_comparison_says_on_which_side_of_its_bound_a_value_is() {
        for (value, bound, text) in [
            (Some(70.207), Some(Bound::Min(99.0)), "70.21 < 99"),
            (Some(99.0), Some(Bound::Min(99.0)), "99.00 ≥ 99"),
            (Some(500.0), Some(Bound::Max(500.0)), "500.00 ≤ 500"),
            (Some(712.5), Some(Bound::Max(500.5)), "712.50 > 500.5"),
            (Some(f64::INFINITY), Some(Bound::Max(500.0)), "+Inf > 500"),
            (Some(f64::NAN), Some(Bound::Min(99.0)), "NaN, not below 99"),
            (Some(1.0), None, "1.00"),
            (None, None, "no value"),
        ] {
            let check = CheckRow {
                at: Timestamp::ZERO,
                metric: "m".to_owned(),
                source: QuerySource::Template,
                value,
                bound,
                passed: true,
            };
            assert_eq!(comparison(&check), text);
        }
    }

    #[test]
    fn latencies_keep_two_to_four_digits() {
        for (ms, text) in [(7.23, "7.2 ms"), (123.4, "123 ms"), (12_345.0, "12.3 s")] {
            assert_eq!(latency(ms), text);
        }
    }
}
