//! A rate over time, as straight pieces.

use std::sync::Arc;

use crate::scenario::RatePoint;
use crate::sim::clock::{MILLISECOND, NEVER, Tick, tick};
use crate::sim::sampling::round;

/// Requests per second over time: linear between points, constant before the first and after the last.
#[derive(Clone, Debug)]
pub struct RateProfile {
    segments: Arc<[Segment]>,
}

/// A straight piece of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    start: Tick,
    end: Tick,
    /// Requests per nanosecond at the start.
    rate: f64,
    /// Change of the rate per nanosecond; 0 for most.
    slope: f64,
    /// Nanoseconds per request, where the rate does not change; infinite where it is 0.
    spacing: f64,
}

/// No gap between two requests is longer: 26 days. Keeps the rounding exact.
const LONGEST_GAP: f64 = (1u64 << 51) as f64;

impl RateProfile {
    /// The profile through points in order of time. Two points at one time are a jump. Without points nothing arrives.
    pub fn new(points: &[RatePoint]) -> Self {
        let per_ns = |point: &RatePoint| point.per_second.max(0.0) / 1e9;
        let at = |point: &RatePoint| tick(point.at.as_millis() * MILLISECOND);
        let mut segments = Vec::with_capacity(points.len() + 1);
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            segments.push(Segment::new(0, at(first), per_ns(first), per_ns(first)));
            for pair in points.windows(2) {
                if at(&pair[1]) > at(&pair[0]) {
                    segments.push(Segment::new(
                        at(&pair[0]),
                        at(&pair[1]),
                        per_ns(&pair[0]),
                        per_ns(&pair[1]),
                    ));
                }
            }
            segments.push(Segment::new(at(last), NEVER, per_ns(last), per_ns(last)));
        }
        RateProfile {
            segments: segments.into(),
        }
    }

    /// The number of the segment that `at` lies in.
    pub(crate) fn segment_at(&self, at: Tick) -> usize {
        self.segments.partition_point(|segment| segment.end <= at)
    }

    /// Requests due in the mean from one moment to another.
    pub(crate) fn load(&self, from: Tick, to: Tick) -> f64 {
        let first = self.segment_at(from);
        let overlapping = self.segments[first.min(self.segments.len())..]
            .iter()
            .take_while(|segment| segment.start < to);
        overlapping
            .map(|segment| segment.load(from.max(segment.start), to.min(segment.end)))
            .sum()
    }

    /// A segment by number; `None` after the last.
    #[inline(always)]
    pub(crate) fn segment(&self, number: usize) -> Option<&Segment> {
        self.segments.get(number)
    }
}

impl Segment {
    fn new(start: Tick, end: Tick, rate: f64, rate_at_end: f64) -> Self {
        Segment {
            start,
            end,
            rate,
            slope: (rate_at_end - rate) / (end - start).max(1) as f64,
            spacing: 1.0 / rate,
        }
    }

    pub(crate) fn end(&self) -> Tick {
        self.end
    }

    /// The moment after `now` by which `load` requests are due; where that is after the segment, the load left at its end.
    #[inline(always)]
    pub(crate) fn advance(&self, now: Tick, load: f64) -> Result<Tick, f64> {
        let gap = if self.slope == 0.0 {
            load * self.spacing
        } else {
            self.gap_on_a_slope(now, load)
        };
        // An infinite or undefined gap is not smaller.
        if gap < LONGEST_GAP {
            let at = now + round(gap);
            if at < self.end {
                return Ok(at);
            }
        }
        Err((load - self.load_left(now)).max(0.0))
    }

    /// Solves `rate x + slope x²/2 = load` for x, in the form that does not cancel; not a number where there is no solution.
    fn gap_on_a_slope(&self, now: Tick, load: f64) -> f64 {
        let rate = self.rate_at(now);
        2.0 * load / (rate + (rate * rate + 2.0 * self.slope * load).sqrt())
    }

    /// Requests due in the mean between `now` and the end.
    fn load_left(&self, now: Tick) -> f64 {
        let left = (self.end - now) as f64;
        (self.rate_at(now) + self.slope * left / 2.0) * left
    }

    /// Requests due in the mean between two moments of it.
    fn load(&self, from: Tick, to: Tick) -> f64 {
        let length = to.saturating_sub(from) as f64;
        (self.rate_at(from) + self.slope * length / 2.0) * length
    }

    fn rate_at(&self, now: Tick) -> f64 {
        self.rate + self.slope * (now - self.start) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn the_load_of_a_rate_that_is_on_and_off_is_that_of_its_parts() {
        let point = |at, per_second| RatePoint {
            at: Span::from_secs(at),
            per_second,
        };
        // 100/s for ten seconds, nothing for five, a ramp to 40/s by the twenty-fifth.
        let profile = RateProfile::new(&[
            point(0, 100.0),
            point(10, 100.0),
            point(10, 0.0),
            point(15, 0.0),
            point(25, 40.0),
        ]);
        let at = |seconds: i64| tick(seconds * 1000 * MILLISECOND);
        for (from, to, expected) in [
            (-5, 0, 500.0),
            (0, 10, 1000.0),
            (5, 12, 500.0),
            (10, 15, 0.0),
            (15, 20, 50.0),
            (9, 25, 300.0),
            (20, 30, 350.0),
            (7, 7, 0.0),
        ] {
            let load = profile.load(at(from), at(to));
            assert!(
                (load - expected).abs() < 1e-6,
                "{from} to {to} s: {load}, not {expected}"
            );
        }
    }
}
