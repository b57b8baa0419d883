//! What the canary's users really got while a query's window lasted, in the query's unit.
//!
//! Known for the two questions that canary analyses ask: a share of requests without 5xx, in percent, and a 99th
//! percentile of request durations, in milliseconds. Whether a query asks one of them is read off its text.

use super::clock::nanos;
use super::requests::RequestPath;
use super::service::Side;
use crate::time::{Span, Timestamp};

/// The truth behind a query evaluated at `at`, if its meaning is known and the canary had requests.
pub(super) fn truth(query: &str, path: &RequestPath, at: Timestamp) -> Option<f64> {
    let (_, window) = metric_window(query)?;
    let question = Question::of(query)?;
    let truth = path.window_truth(nanos(at - window), nanos(at), Side::Canary);
    if truth.requests == 0 {
        return None;
    }
    Some(match question {
        Question::SuccessRate => {
            100.0 * (truth.requests - truth.failed) as f64 / truth.requests as f64
        }
        Question::P99 => truth.p99_ms,
    })
}

/// The longest range in a query, `[1m]`, as written and as a span.
pub(super) fn metric_window(query: &str) -> Option<(&str, Span)> {
    let ranges = query
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split([']', ':']).next());
    ranges
        .filter_map(|range| Some((range, Span::parse_go(range)?)))
        .max_by_key(|(_, span)| *span)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    SuccessRate,
    P99,
}

impl Question {
    fn of(query: &str) -> Option<Question> {
        if query.contains("histogram_quantile") {
            let p99 = query.contains("0.99") && query.contains("* 1000");
            return p99.then_some(Question::P99);
        }
        (query.contains("status!~\"5") && query.contains("* 100")).then_some(Question::SuccessRate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_range_is_the_metric_window() {
        assert_eq!(
            metric_window("rate(x[1m]) / rate(x[90s])"),
            Some(("90s", Span::from_secs(90)))
        );
        assert_eq!(
            metric_window("max_over_time(x[5m:30s])"),
            Some(("5m", Span::from_secs(300)))
        );
        assert_eq!(metric_window("vector(1)"), None);
    }

    #[test]
    fn only_the_two_usual_questions_have_a_known_truth() {
        let success = "sum(rate(r{status!~\"5..\"}[1m])) / sum(rate(r[1m])) * 100";
        assert_eq!(Question::of(success), Some(Question::SuccessRate));
        assert_eq!(
            Question::of("histogram_quantile(0.99, x) * 1000"),
            Some(Question::P99)
        );
        assert_eq!(Question::of("histogram_quantile(0.5, x) * 1000"), None);
        assert_eq!(Question::of("sum(rate(r[1m]))"), None);
    }
}
