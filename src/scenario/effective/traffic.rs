//! `[traffic]`: every way of writing a rate becomes points that straight lines join.

use std::sync::Arc;

use serde::Deserialize;

use super::{MAX_HORIZON, Reading};
use crate::diagnostic::{Diagnostic, SourceText};
use crate::scenario::model::{Arrivals, Clients, Distribution, RatePoint, Traffic, Via};
use crate::scenario::schema::{
    Burst, Diurnal, File, OnOff, Point, Ramp, RateKeys, RateShape, TrafficKeys,
};
use crate::scenario::units::{Rate, Time, shown};
use crate::time::Span;

/// Most requests that a run may be expected to have.
const MAX_REQUESTS: f64 = 2e9;
/// Most points of a rate.
const MAX_POINTS: usize = 100_000;
/// Straight pieces of one period of a daily curve.
const DIURNAL_PIECES: i64 = 96;

const DEFAULT_RATE: f64 = 100.0;

impl Reading<'_> {
    /// What users send.
    pub(super) fn traffic(&mut self, file: &File, horizon: Span) -> Result<Traffic, Diagnostic> {
        let keys = &file.traffic;
        let rate = match &keys.rate {
            None if keys.clients.is_some() => constant(0.0),
            None => {
                self.assume(format!(
                    "Users send {DEFAULT_RATE} requests a second (`traffic.rate`)."
                ));
                constant(DEFAULT_RATE)
            }
            Some(RateKeys::Constant(Rate(per_second))) => constant(*per_second),
            Some(RateKeys::Shape(shape)) => self.shape(shape, horizon)?,
        };
        let warm_up = file.run.warm_up.map_or(Span::ZERO, |t| t.0);
        let requests = requests(&rate, -warm_up, horizon);
        if requests > MAX_REQUESTS {
            return Err(self
                .refuse(
                    "/traffic/rate",
                    format!(
                        "`traffic.rate` means {requests:.1e} requests until the horizon; at most {MAX_REQUESTS:.0e} are simulated"
                    ),
                )
                .help("lower `traffic.rate` or `run.horizon`"));
        }
        if let Some(host) = &keys.host
            && (host.is_empty() || host.contains(char::is_whitespace))
        {
            return Err(self
                .refuse("/traffic/host", "`traffic.host` is not a host name")
                .help("write the Host header that users send: \"shop.example.com\""));
        }
        Ok(Traffic {
            arrivals: keys.arrivals.unwrap_or(Arrivals::Poisson),
            rate,
            host: keys.host.clone(),
            via: keys.via.unwrap_or(Via::Ingress),
            timeout: self.user_timeout(keys)?,
            clients: self.clients(keys)?,
            classes: self.classes(file)?,
        })
    }

    fn user_timeout(&self, keys: &TrafficKeys) -> Result<Option<Span>, Diagnostic> {
        keys.timeout
            .map(|_| self.period("traffic.timeout", keys.timeout, 0))
            .transpose()
    }

    fn clients(&self, keys: &TrafficKeys) -> Result<Option<Clients>, Diagnostic> {
        let Some(count) = keys.clients else {
            if keys.think_time.is_some() {
                return Err(self
                    .refuse(
                        "/traffic/think_time",
                        "`traffic.think_time` is that of `traffic.clients`, which are not given",
                    )
                    .help("add `clients = 50`, or leave it out: users of `rate` do not wait for answers"));
            }
            return Ok(None);
        };
        Ok(Some(Clients {
            count: self.count("/traffic/clients", "traffic.clients", count)?,
            think_time: match &keys.think_time {
                Some(keys) => {
                    self.distribution("/traffic/think_time", "traffic.think_time", keys)?
                }
                None => Distribution::Exponential {
                    mean_ns: 1_000_000_000,
                },
            },
        }))
    }

    fn shape(&self, shape: &RateShape, horizon: Span) -> Result<Vec<RatePoint>, Diagnostic> {
        let RateShape {
            ramp,
            points,
            burst,
            diurnal,
            on_off,
            csv,
        } = shape;
        match (ramp, points, burst, diurnal, on_off, csv) {
            (Some(ramp), None, None, None, None, None) => self.ramp(ramp),
            (None, Some(points), None, None, None, None) => self.points(points),
            (None, None, Some(burst), None, None, None) => self.burst(burst),
            (None, None, None, Some(diurnal), None, None) => self.diurnal(diurnal, horizon),
            (None, None, None, None, Some(on_off), None) => self.on_off(on_off, horizon),
            (None, None, None, None, None, Some(path)) => self.csv(path),
            _ => Err(self
                .refuse(
                    "/traffic/rate",
                    "`traffic.rate` must have exactly one shape",
                )
                .help("give one of `ramp`, `points`, `burst`, `diurnal`, `on_off` and `csv`")),
        }
    }

    fn ramp(&self, ramp: &Ramp) -> Result<Vec<RatePoint>, Diagnostic> {
        self.in_order("ramp", ramp.start, ramp.end)?;
        Ok(vec![
            point(ramp.start.0, ramp.from),
            point(ramp.end.0, ramp.to),
        ])
    }

    fn points(&self, points: &[Point]) -> Result<Vec<RatePoint>, Diagnostic> {
        if points.is_empty() || points.len() > MAX_POINTS {
            return Err(self
                .refuse(
                    "/traffic/rate/points",
                    format!(
                        "`traffic.rate.points` must have from 1 to {MAX_POINTS} points, not {}",
                        points.len()
                    ),
                )
                .help("a point is { at = \"0s\", rate = \"200/s\" }"));
        }
        for (index, pair) in points.windows(2).enumerate() {
            let (Time(before), Time(at)) = (pair[0].at, pair[1].at);
            if at <= before {
                return Err(self
                    .refuse(
                        &format!("/traffic/rate/points/{}/at", index + 1),
                        format!(
                            "`traffic.rate.points` must rise in time, but {} follows {}",
                            shown(at),
                            shown(before)
                        ),
                    )
                    .help("for a jump put two points a millisecond apart"));
            }
        }
        Ok(points.iter().map(|p| point(p.at.0, p.rate)).collect())
    }

    fn burst(&self, burst: &Burst) -> Result<Vec<RatePoint>, Diagnostic> {
        self.in_order("burst", burst.start, burst.end)?;
        // A jump is a slope of one millisecond.
        let tick = Span::from_millis(1);
        Ok(vec![
            point(burst.start.0 - tick, burst.base),
            point(burst.start.0, burst.peak),
            point(burst.end.0 - tick, burst.peak),
            point(burst.end.0, burst.base),
        ])
    }

    fn diurnal(&self, diurnal: &Diurnal, horizon: Span) -> Result<Vec<RatePoint>, Diagnostic> {
        let Time(period) = diurnal.period.unwrap_or(Time(Span::from_secs(24 * 3600)));
        if period < Span::from_secs(600) {
            return Err(self
                .refuse(
                    "/traffic/rate/diurnal/period",
                    format!(
                        "`traffic.rate.diurnal.period` must be at least 10m, not {}",
                        shown(period)
                    ),
                )
                .help("\"24h\" is the default"));
        }
        let (Rate(low), Rate(high)) = (diurnal.low, diurnal.high);
        let (middle, swing) = ((low + high) / 2.0, (high - low) / 2.0);
        let step = period.as_millis() / DIURNAL_PIECES;
        let peak = diurnal.peak.0.as_millis();
        let first = (-MAX_HORIZON.as_millis() - peak).div_euclid(step);
        let last = (horizon.as_millis() - peak).div_euclid(step) + 1;
        let points = (first..=last).map(|piece| {
            let turn = piece as f64 / DIURNAL_PIECES as f64 * std::f64::consts::TAU;
            let per_second = middle + swing * libm::cos(turn);
            point(
                Span::from_millis(peak + piece * step),
                Rate(per_second.max(0.0)),
            )
        });
        Ok(points.collect())
    }

    /// On from the scenario's zero on, and before it as after it.
    fn on_off(&self, keys: &OnOff, horizon: Span) -> Result<Vec<RatePoint>, Diagnostic> {
        let (Time(on), Time(off)) = (keys.on, keys.off);
        if on < Span::from_secs(1) || off < Span::from_secs(1) {
            return Err(self
                .refuse(
                    "/traffic/rate/on_off",
                    "`traffic.rate.on_off` must be on and off for at least 1s each",
                )
                .help("{ rate = \"200/s\", on = \"30s\", off = \"30s\" } sends in every other half minute"));
        }
        let off_rate = keys.off_rate.unwrap_or(Rate(0.0));
        Ok(turns((keys.rate, on), (off_rate, off), horizon))
    }

    /// Recorded rates: a header `at_s,per_second`, then a line for each point.
    fn csv(&self, path: &str) -> Result<Vec<RatePoint>, Diagnostic> {
        let source = self.one_file("/traffic/rate/csv", "traffic.rate.csv", path)?;
        let points = recorded(&source)?;
        match points.len() {
            1..=MAX_POINTS => Ok(points),
            count => Err(self.refuse(
                "/traffic/rate/csv",
                format!(
                    "`{}` must have from 1 to {MAX_POINTS} rates, not {count}",
                    source.name
                ),
            )),
        }
    }

    fn in_order(&self, shape: &str, start: Time, end: Time) -> Result<(), Diagnostic> {
        if end.0 > start.0 {
            return Ok(());
        }
        Err(self
            .refuse(
                &format!("/traffic/rate/{shape}/end"),
                format!(
                    "`traffic.rate.{shape}.end` must be later than `start`, but {} is not later than {}",
                    shown(end.0),
                    shown(start.0)
                ),
            )
            .help("times count from the scenario's zero"))
    }
}

fn constant(per_second: f64) -> Vec<RatePoint> {
    vec![point(Span::ZERO, Rate(per_second))]
}

fn point(at: Span, Rate(per_second): Rate) -> RatePoint {
    RatePoint { at, per_second }
}

/// Two rates in turns, the first from zero on; a jump is a slope of one millisecond.
fn turns((rate, on): (Rate, Span), (off_rate, off): (Rate, Span), horizon: Span) -> Vec<RatePoint> {
    let (tick, period) = (Span::from_millis(1), (on + off).as_millis());
    let first = (-MAX_HORIZON.as_millis()).div_euclid(period);
    let last = horizon.as_millis() / period;
    let turn = |turn: i64| {
        let start = Span::from_millis(turn * period);
        [
            point(start, rate),
            point(start + on - tick, rate),
            point(start + on, off_rate),
            point(start + on + off - tick, off_rate),
        ]
    };
    (first..=last).flat_map(turn).collect()
}

/// A line of recorded rates.
#[derive(Deserialize)]
struct Recorded {
    at_s: f64,
    per_second: f64,
}

fn recorded(source: &Arc<SourceText>) -> Result<Vec<RatePoint>, Diagnostic> {
    const MOST_SECONDS: f64 = 366.0 * 86_400.0;
    let fault = |start: usize, help: &str| {
        let rest = source.text.get(start..).unwrap_or("");
        let line = rest.lines().next().map_or(0, str::len);
        Diagnostic::new(format!("`{}` has a line that is no rate", source.name))
            .at(source, start..start + line)
            .help(help)
    };
    let wanted = "the columns are `at_s` (seconds from the scenario's zero) and `per_second` (requests), both numbers";
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(source.text.as_bytes());
    let headers = reader.headers().map_err(|_| fault(0, wanted))?.clone();
    let mut points: Vec<RatePoint> = Vec::new();
    for record in reader.records() {
        let start = |position: Option<&csv::Position>| position.map_or(0, |p| p.byte() as usize);
        let record = record.map_err(|e| fault(start(e.position()), wanted))?;
        let start = start(record.position());
        let Recorded { at_s, per_second } = record
            .deserialize(Some(&headers))
            .map_err(|_| fault(start, wanted))?;
        if !(at_s.abs() <= MOST_SECONDS && per_second.is_finite() && per_second >= 0.0) {
            return Err(fault(
                start,
                "a time must be within a year, a rate must be 0 or more",
            ));
        }
        let read = point(
            Span::from_millis((at_s * 1000.0).round() as i64),
            Rate(per_second),
        );
        if points.last().is_some_and(|before| before.at >= read.at) {
            return Err(fault(start, "each line must be later than the one above"));
        }
        points.push(read);
    }
    Ok(points)
}

/// Requests expected between two times.
fn requests(rate: &[RatePoint], start: Span, end: Span) -> f64 {
    let (start, end) = (start.as_secs_f64(), end.as_secs_f64());
    let last = rate.last().map_or(0.0, |p| p.per_second);
    let mut total = 0.0;
    let mut before = (start, rate.first().map_or(0.0, |p| p.per_second));
    for point in rate {
        let at = point.at.as_secs_f64();
        if at > end {
            // The rest of the line up to the end; an upper bound is enough.
            let highest = before.1.max(point.per_second);
            return total + (end - before.0).max(0.0) * highest;
        }
        total += (at - before.0).max(0.0) * (before.1 + point.per_second) / 2.0;
        before = (at.max(start), point.per_second);
    }
    total + (end - before.0).max(0.0) * last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_comes_and_goes_is_on_from_zero_on() {
        let secs = Span::from_secs;
        let (on, off) = ((Rate(9.0), secs(20)), (Rate(3.0), secs(10)));
        let rate = turns(on, off, secs(60));
        assert!(rate.windows(2).all(|pair| pair[0].at < pair[1].at));
        for (start, end, expected) in [
            (0, 19, 171.0),
            (20, 29, 27.0),
            (-10, -1, 27.0),
            (0, 60, 420.0),
        ] {
            let area = requests(&rate, secs(start), secs(end));
            assert!((area - expected).abs() < 0.1, "{start} to {end}: {area}");
        }
    }

    #[test]
    fn requests_are_the_area_under_the_rate() {
        let secs = Span::from_secs;
        let ramp = [point(secs(0), Rate(0.0)), point(secs(10), Rate(10.0))];
        for (start, end, expected) in [(0, 10, 50.0), (0, 20, 150.0), (-5, 10, 50.0)] {
            assert_eq!(requests(&ramp, secs(start), secs(end)), expected);
        }
        assert_eq!(requests(&constant(2.0), secs(-60), secs(60)), 240.0);
    }
}
