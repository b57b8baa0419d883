//! What is drawn, as numbers: the part of a run worth showing, its traffic in buckets, its phases and checks.

use crate::canary::Phase;
use crate::engine::Bound;
use crate::record::{CheckRow, Record, TrafficSecond};
use crate::report::checks::{Round, all_rounds};
use crate::time::Timestamp;

/// Buckets a figure has at the most.
const BUCKETS: i64 = 120;

/// Requests that a bucket should hold, so that a share of them means something.
const REQUESTS_A_BUCKET: u64 = 400;

/// Seconds from zero that tell the story: to the end of the rollout and somewhat beyond, or all of the run.
pub(super) fn shown_seconds(record: &Record) -> i64 {
    let all = record.ended_at.as_millis() / 1000;
    let shown = match record.finished_at {
        Some(at) => {
            let at = at.as_millis() / 1000;
            // A third more, a minute at least, to the next half minute.
            (at + (at / 3).max(60) + 29) / 30 * 30
        }
        None => all,
    };
    shown.clamp(1, all.max(1))
}

/// Traffic of some seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// Its beginning, in milliseconds.
    pub(super) start_ms: i64,
    /// Its end.
    pub(super) end_ms: i64,
    /// Percent of the requests that the canary served.
    pub(super) canary_share: Option<f64>,
    /// Percent of all requests that did not fail.
    pub(super) success: Option<f64>,
    /// Percent of the canary's requests that did not fail.
    pub(super) canary_success: Option<f64>,
    /// The highest of the seconds' 99th percentiles, in milliseconds.
    pub(super) p99_ms: Option<f64>,
}

/// Seconds in a bucket: few where traffic is dense and the run short.
pub(super) fn bucket_seconds(record: &Record, shown_s: i64) -> i64 {
    let requests: u64 = shown(record, shown_s).map(|second| second.requests).sum();
    let enough = |width: i64| {
        shown_s / width <= BUCKETS
            && requests * width as u64 >= REQUESTS_A_BUCKET * shown_s.unsigned_abs()
    };
    [1, 2, 5, 10, 15]
        .into_iter()
        .find(|width| enough(*width))
        .unwrap_or(30.max(shown_s / BUCKETS))
}

/// The traffic of the shown seconds, in buckets of `width` seconds.
pub(super) fn buckets(record: &Record, shown_s: i64, width: i64) -> Vec<Bucket> {
    let seconds: Vec<&TrafficSecond> = shown(record, shown_s).collect();
    seconds
        .chunk_by(|a, b| a.at_s / width == b.at_s / width)
        .map(|seconds| {
            let sum = |part: fn(&TrafficSecond) -> u64| seconds.iter().map(|s| part(s)).sum();
            let (all, canary) = (sum(|s| s.requests), sum(|s| s.canary));
            let (failed, canary_failed) = (sum(|s| s.failed), sum(|s| s.canary_failed));
            let start_s = seconds[0].at_s;
            Bucket {
                start_ms: start_s * 1000,
                end_ms: (start_s + seconds.len() as i64) * 1000,
                canary_share: percent(canary, all),
                success: percent(all - failed.min(all), all),
                canary_success: percent(canary - canary_failed.min(canary), canary),
                p99_ms: seconds
                    .iter()
                    .filter(|s| s.requests > 0)
                    .map(|s| s.p99_ms)
                    .fold(None, |highest: Option<f64>, v| {
                        Some(highest.map_or(v, |highest| highest.max(v)))
                    }),
            }
        })
        .collect()
}

/// One value of the buckets as lines of steps, broken where it is missing.
pub(super) fn lines(
    buckets: &[Bucket],
    value: impl Fn(&Bucket) -> Option<f64>,
) -> Vec<Vec<(i64, f64)>> {
    buckets
        .chunk_by(|a, b| value(a).is_some() == value(b).is_some())
        .map(|run| {
            let edges =
                |bucket: &Bucket| value(bucket).map(|v| [(bucket.start_ms, v), (bucket.end_ms, v)]);
            run.iter().filter_map(edges).flatten().collect()
        })
        .filter(|line: &Vec<_>| !line.is_empty())
        .collect()
}

/// A whole number that holds from each time to the next, as the corners of its line.
pub(super) fn steps(values: impl Iterator<Item = (i64, f64)>, end_ms: i64) -> Vec<(i64, f64)> {
    let mut corners: Vec<(i64, f64)> = Vec::new();
    for (at, v) in values.take_while(|(at, _)| *at < end_ms) {
        match corners.last() {
            Some((_, before)) if *before == v => {}
            Some((_, before)) => corners.extend([(at, *before), (at, v)]),
            None => corners.push((at, v)),
        }
    }
    if let Some((_, last)) = corners.last() {
        corners.push((end_ms, *last));
    }
    corners
}

/// Seconds of traffic in the shown part.
pub(super) fn shown(record: &Record, shown_s: i64) -> impl Iterator<Item = &TrafficSecond> {
    record
        .traffic
        .iter()
        .filter(move |second| (0..shown_s).contains(&second.at_s))
}

/// Phases in order, each from the tick that ended with it.
pub(super) fn phases(record: &Record, end_ms: i64) -> Vec<(Phase, i64, i64)> {
    let mut phases: Vec<(Phase, i64, i64)> = Vec::new();
    for tick in &record.ticks {
        let at = tick.at.as_millis().max(0);
        if at >= end_ms {
            break;
        }
        match phases.last_mut() {
            Some((phase, _, _)) if *phase == tick.phase => {}
            // What the warm-up went through ends before the picture begins.
            Some(last) if last.1 == at => *last = (tick.phase, at, end_ms),
            Some(last) => {
                last.2 = at;
                phases.push((tick.phase, at, end_ms));
            }
            None => phases.push((tick.phase, at, end_ms)),
        }
    }
    phases
}

/// Rounds of checks in the shown part.
pub(super) fn rounds(record: &Record, end_ms: i64) -> impl Iterator<Item = Round<'_>> {
    all_rounds(record).filter(move |round| round.at < Timestamp::from_millis(end_ms + 1))
}

/// The panel a check's value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Percent of requests that did not fail.
    Success,
    /// Milliseconds.
    Latency,
    /// Something of the user's own: shown among the checks, on no scale.
    Other,
}

/// Told by the metric's name, as Flagger's own two and the usual templates are called, and by a bound that has the unit.
pub(super) fn measure(check: &CheckRow) -> Measure {
    let name = check.metric.to_lowercase();
    let bound = check
        .bound
        .map(|(Bound::Min(bound) | Bound::Max(bound))| bound);
    // A success rate held against 0.99 is a fraction, a latency held against 0.5 is in seconds.
    if name.contains("success") && bound.is_none_or(|bound| (1.0..=100.0).contains(&bound)) {
        Measure::Success
    } else if (name.contains("duration") || name.contains("latency"))
        && bound.is_none_or(|bound| (10.0..1e6).contains(&bound))
    {
        Measure::Latency
    } else {
        Measure::Other
    }
}

/// A check's value, where the scale of its measure has room for it.
pub(super) fn on_scale(check: &CheckRow) -> Option<f64> {
    check.value.filter(|v| match measure(check) {
        Measure::Success => (0.0..=100.0).contains(v),
        Measure::Latency => (0.0..1e6).contains(v),
        Measure::Other => false,
    })
}

/// The bounds that checks of one measure were held against, without repetition.
pub(super) fn bounds(record: &Record, of: Measure) -> Vec<f64> {
    let mut bounds: Vec<f64> = Vec::new();
    for check in all_rounds(record).flat_map(|round| round.checks) {
        if let (true, Some(Bound::Min(bound) | Bound::Max(bound))) =
            (measure(check) == of, check.bound)
            && !bounds.contains(&bound)
        {
            bounds.push(bound);
        }
    }
    bounds
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_its_value_is_missing() {
        let bucket = |start_ms, success| Bucket {
            start_ms,
            end_ms: start_ms + 1,
            canary_share: None,
            success,
            canary_success: None,
            p99_ms: None,
        };
        let buckets = [
            bucket(0, Some(1.0)),
            bucket(1, Some(5.0)),
            bucket(2, None),
            bucket(3, Some(2.0)),
        ];
        let lines = lines(&buckets, |b| b.success);
        let first = vec![(0, 1.0), (1, 1.0), (1, 5.0), (2, 5.0)];
        assert_eq!(lines, [first, vec![(3, 2.0), (4, 2.0)]]);
    }

    #[test]
    fn a_value_is_on_a_scale_only_in_the_unit_of_the_scale() {
        for (metric, value, bound, scale) in [
            (
                "request-success-rate",
                70.2,
                Bound::Min(99.0),
                Some(Measure::Success),
            ),
            ("success-ratio", 0.702, Bound::Min(0.99), None),
            ("request-success-rate", f64::NAN, Bound::Min(99.0), None),
            (
                "request-duration",
                712.0,
                Bound::Max(500.0),
                Some(Measure::Latency),
            ),
            ("p99-latency", 0.712, Bound::Max(0.5), None),
            ("request-duration", f64::INFINITY, Bound::Max(500.0), None),
            ("error-rate", 30.0, Bound::Max(1.0), None),
        ] {
            let check = CheckRow {
                at: Timestamp::ZERO,
                metric: metric.to_owned(),
                source: crate::engine::QuerySource::Template,
                value: Some(value),
                bound: Some(bound),
                passed: false,
            };
            let found = on_scale(&check).map(|_| measure(&check));
            assert_eq!(found, scale, "{metric} {value}");
        }
    }

    #[test]
    fn steps_hold_until_the_next_value() {
        let values = [(0, 1.0), (10, 1.0), (20, 3.0), (90, 9.0)].into_iter();
        assert_eq!(
            steps(values, 50),
            [(0, 1.0), (20, 1.0), (20, 3.0), (50, 3.0)]
        );
    }
}
