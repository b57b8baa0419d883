//! A measured value held against a metric's bounds, and what Flagger says when it does not fit.
//!
//! Follows `runBuiltinMetricChecks` and `runMetricChecks` in `pkg/controller/scheduler_metrics.go`. Bounds are inclusive. A
//! bare `threshold` is a minimum for the success rate and a maximum for everything else; none at all means 0.

use super::Bound;
use super::go;
use crate::canary::Metric;

/// A value, as the check that asked for it reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measured {
    /// `request-success-rate`, percent.
    SuccessRate(f64),
    /// `request-duration`: whole milliseconds; bounds are in milliseconds too.
    Duration {
        /// The value, cut to milliseconds.
        value: go::Duration,
        /// The query's own unit in milliseconds: 1 (nginx) or 1000 (the HTTP observer).
        unit_millis: f64,
    },
    /// An inline query or a metric template, in whatever unit it has.
    Custom(f64),
}

/// How one metric's check came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The bound that was broken, or the last one tested, in the query's own unit.
    pub(crate) bound: Option<Bound>,
    /// What was wrong, less the words before it; `None` if the value fits.
    pub(crate) fault: Option<Fault>,
}

/// A broken bound, in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// As Flagger puts it: `success rate 70.00% < 99%`.
    pub(crate) text: String,
    /// As the runbook puts it: `request-success-rate 70.00 < 99`.
    pub(crate) plain: String,
}

/// Tests the bounds in Flagger's order: minimum first.
pub(crate) fn judge(metric: &Metric, measured: Measured) -> Verdict {
    let mut tested = None;
    for bound in bounds(metric, measured).into_iter().flatten() {
        tested = Some(in_query_unit(measured, bound));
        if breaks(measured, bound) {
            return Verdict {
                bound: tested,
                fault: Some(fault(&metric.name, measured, bound)),
            };
        }
    }
    Verdict {
        bound: tested,
        fault: None,
    }
}

fn bounds(metric: &Metric, measured: Measured) -> [Option<Bound>; 2] {
    if let Some(range) = metric.threshold_range {
        return [range.min.map(Bound::Min), range.max.map(Bound::Max)];
    }
    let threshold = metric.threshold.unwrap_or(0.0);
    match measured {
        Measured::SuccessRate(_) => [Some(Bound::Min(threshold)), None],
        _ => [Some(Bound::Max(threshold)), None],
    }
}

fn breaks(measured: Measured, bound: Bound) -> bool {
    match (measured, bound) {
        (Measured::SuccessRate(value) | Measured::Custom(value), Bound::Min(min)) => value < min,
        (Measured::SuccessRate(value) | Measured::Custom(value), Bound::Max(max)) => value > max,
        (Measured::Duration { value, .. }, Bound::Min(min)) => {
            value < go::Duration::from_float_millis(min)
        }
        (Measured::Duration { value, .. }, Bound::Max(max)) => {
            value > go::Duration::from_float_millis(max)
        }
    }
}

fn in_query_unit(measured: Measured, bound: Bound) -> Bound {
    let Measured::Duration { unit_millis, .. } = measured else {
        return bound;
    };
    let convert = |limit| go::Duration::from_float_millis(limit).as_millis_f64() / unit_millis;
    match bound {
        Bound::Min(min) => Bound::Min(convert(min)),
        Bound::Max(max) => Bound::Max(convert(max)),
    }
}

fn fault(name: &str, measured: Measured, bound: Bound) -> Fault {
    let (sign, limit) = match bound {
        Bound::Min(min) => ('<', min),
        Bound::Max(max) => ('>', max),
    };
    let (text, value) = match measured {
        Measured::SuccessRate(value) => (
            format!(
                "success rate {}% {sign} {}%",
                go::fixed2(value),
                go::float(limit)
            ),
            value,
        ),
        Measured::Duration { value, .. } => (
            format!(
                "request duration {value} {sign} {}",
                go::Duration::from_float_millis(limit)
            ),
            value.as_millis_f64(),
        ),
        Measured::Custom(value) => (
            format!("{name} {} {sign} {}", go::fixed2(value), go::float(limit)),
            value,
        ),
    };
    Fault {
        text,
        plain: format!("{name} {} {sign} {}", go::fixed2(value), go::float(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::ThresholdRange;

    fn range(min: Option<f64>, max: Option<f64>) -> Metric {
        Metric {
            name: "m".to_owned(),
            threshold: Some(50.0),
            threshold_range: Some(ThresholdRange { min, max }),
            ..Metric::default()
        }
    }

    fn bare(threshold: Option<f64>) -> Metric {
        Metric {
            name: "m".to_owned(),
            threshold,
            ..Metric::default()
        }
    }

    fn duration(ms: f64) -> Measured {
        Measured::Duration {
            value: go::Duration::from_float_millis(ms),
            unit_millis: 1.0,
        }
    }

    #[test]
    fn bounds_are_inclusive_and_a_range_hides_the_threshold() {
        use Measured::{Custom, SuccessRate};
        let both = || range(Some(10.0), Some(20.5));
        for (metric, measured, fault) in [
            (both(), SuccessRate(10.0), None),
            (both(), SuccessRate(20.5), None),
            (
                both(),
                SuccessRate(9.999),
                Some("success rate 10.00% < 10%"),
            ),
            (
                both(),
                SuccessRate(21.0),
                Some("success rate 21.00% > 20.5%"),
            ),
            (range(None, None), SuccessRate(1e9), None),
            (range(None, None), Custom(1e9), None),
            (bare(Some(99.0)), SuccessRate(99.0), None),
            (
                bare(Some(99.0)),
                SuccessRate(98.0),
                Some("success rate 98.00% < 99%"),
            ),
            (bare(None), SuccessRate(0.0), None),
            (bare(Some(99.0)), Custom(98.0), None),
            (bare(Some(99.0)), Custom(99.5), Some("m 99.50 > 99")),
            (bare(None), Custom(0.001), Some("m 0.00 > 0")),
            (both(), Custom(9.0), Some("m 9.00 < 10")),
            (both(), Custom(f64::INFINITY), Some("m +Inf > 20.5")),
            (range(Some(1e6), None), Custom(1.0), Some("m 1.00 < 1e+06")),
            (both(), duration(20.9), None),
            (both(), duration(21.0), Some("request duration 21ms > 20ms")),
            (both(), duration(9.9), Some("request duration 9ms < 10ms")),
            (
                bare(Some(500.0)),
                duration(1515.9),
                Some("request duration 1.515s > 500ms"),
            ),
            (bare(None), duration(0.9), None),
            (bare(None), duration(1.0), Some("request duration 1ms > 0s")),
            (
                both(),
                duration(f64::INFINITY),
                Some("request duration 0s < 10ms"),
            ),
            (bare(Some(1.0)), duration(f64::INFINITY), None),
        ] {
            let found = judge(&metric, measured).fault.map(|f| f.text);
            assert_eq!(found.as_deref(), fault, "{measured:?}");
        }
    }

    #[test]
    fn the_bound_shown_is_the_broken_one_or_the_last_tested_in_the_querys_unit() {
        let both = range(Some(10.0), Some(20.0));
        for (measured, bound) in [
            (Measured::Custom(5.0), Bound::Min(10.0)),
            (Measured::Custom(15.0), Bound::Max(20.0)),
            (
                Measured::Duration {
                    value: go::Duration::from_float_millis(15.0),
                    unit_millis: 1000.0,
                },
                Bound::Max(0.02),
            ),
        ] {
            assert_eq!(judge(&both, measured).bound, Some(bound));
        }
        assert_eq!(judge(&range(None, None), Measured::Custom(1.0)).bound, None);
    }

    #[test]
    fn the_runbooks_words_are_name_value_and_bound() {
        let metric = Metric {
            name: "request-duration".to_owned(),
            ..bare(Some(500.0))
        };
        let fault = judge(&metric, duration(1515.9)).fault.unwrap();
        assert_eq!(fault.plain, "request-duration 1515.00 > 500");
    }
}
