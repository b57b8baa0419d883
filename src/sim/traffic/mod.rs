//! What users send: when requests arrive.
//!
//! Open-loop traffic: users do not wait for one another. Arrivals are a Poisson process (or an even stream) whose rate is
//! piecewise linear over time, so ramps, days, bursts and recorded rates are all points of one profile.
//! A change of rate stretches the same draws: every request takes one draw, and the n-th request of two runs on one seed
//! carries the same amount of "load" whatever their rates are.

mod rate;

use rand_xoshiro::rand_core::Rng;

pub use rate::RateProfile;

use crate::scenario::{Arrivals, Traffic};
use crate::seed::{Purpose, RunSeed, Stream};
use crate::sim::clock::{NEVER, Tick};
use crate::sim::sampling::{TableIx, Tables};

/// How requests are spaced, compiled.
#[derive(Clone, Debug)]
pub struct ArrivalPlan {
    spacing: Arrivals,
    profile: RateProfile,
    exponential: (Tables, TableIx),
}

impl ArrivalPlan {
    /// Compiles `[traffic]`.
    pub fn new(traffic: &Traffic) -> Self {
        ArrivalPlan {
            spacing: traffic.arrivals,
            profile: RateProfile::new(&traffic.rate),
            exponential: Tables::unit_exponential(),
        }
    }
}

impl ArrivalPlan {
    /// The rate over time.
    pub(crate) fn profile(&self) -> &RateProfile {
        &self.profile
    }
}

/// Requests whose draws are made in one go.
const BATCH: usize = 64;

/// The stream of arrivals, in order.
#[derive(Clone, Debug)]
pub(crate) struct ArrivalStream {
    plan: ArrivalPlan,
    draws: Stream,
    place: Place,
}

/// Where in the profile the latest arrival lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    now: Tick,
    segment: usize,
}

impl ArrivalStream {
    pub(crate) fn new(plan: ArrivalPlan, seed: RunSeed, start: Tick) -> Self {
        let segment = plan.profile.segment_at(start);
        ArrivalStream {
            plan,
            draws: seed.stream(Purpose::Arrivals, 0),
            place: Place {
                now: start,
                segment,
            },
        }
    }

    /// Starts anew at `start`, with another seed.
    pub(crate) fn reseed(&mut self, seed: RunSeed, start: Tick) {
        *self = ArrivalStream::new(self.plan.clone(), seed, start);
    }

    /// Writes the next arrivals; [`NEVER`] where there are no more.
    pub(crate) fn fill(&mut self, times: &mut [Tick]) {
        let (tables, table) = &self.plan.exponential;
        for times in times.chunks_mut(BATCH) {
            let mut loads = [1.0; BATCH];
            let loads = &mut loads[..times.len()];
            if self.plan.spacing == Arrivals::Poisson {
                loads.fill_with(|| tables.value(*table, self.draws.next_u64()));
            }
            self.place.advance(&self.plan.profile, loads, times);
        }
    }
}

impl Place {
    /// Writes the moments by which each of `loads` more requests are due, in the mean.
    fn advance(&mut self, profile: &RateProfile, loads: &mut [f64], times: &mut [Tick]) {
        let mut next = 0;
        while next < times.len() {
            let Some(&segment) = profile.segment(self.segment) else {
                times[next..].fill(NEVER);
                return;
            };
            for (load, time) in loads[next..].iter_mut().zip(&mut times[next..]) {
                match segment.advance(self.now, *load) {
                    Ok(at) => {
                        self.now = at;
                        *time = at;
                        next += 1;
                    }
                    Err(rest) => {
                        *load = rest;
                        self.now = segment.end();
                        self.segment += 1;
                        break;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::RatePoint;
    use crate::sim::clock::{SECOND, moment, tick};
    use crate::time::Span;

    fn traffic(arrivals: Arrivals, rate: &[(i64, f64)]) -> Traffic {
        Traffic {
            arrivals,
            rate: rate
                .iter()
                .map(|&(at, per_second)| RatePoint {
                    at: Span::from_secs(at),
                    per_second,
                })
                .collect(),
            ..Traffic::steady(0.0)
        }
    }

    /// Arrivals in each second of 0..seconds.
    fn per_second(traffic: &Traffic, seed: u64, seconds: usize) -> Vec<u64> {
        let mut stream = ArrivalStream::new(ArrivalPlan::new(traffic), RunSeed(seed), tick(0));
        let mut counts = vec![0; seconds];
        let mut block = [0; 64];
        loop {
            stream.fill(&mut block);
            assert!(block.is_sorted());
            for at in block {
                match counts.get_mut((moment(at) / SECOND) as usize) {
                    Some(count) => *count += 1,
                    None => return counts,
                }
            }
        }
    }

    #[test]
    fn an_even_stream_has_its_rate_in_every_second() {
        let counts = per_second(&traffic(Arrivals::Deterministic, &[(0, 50.0)]), 1, 20);
        assert!(counts.iter().all(|&n| n == 49 || n == 50), "{counts:?}");
    }

    #[test]
    fn a_ramp_a_jump_and_a_pause_are_followed() {
        let profile = [
            (0, 0.0),
            (10, 100.0),
            (10, 20.0),
            (20, 20.0),
            (20, 0.0),
            (30, 0.0),
            (30, 40.0),
        ];
        let counts = per_second(&traffic(Arrivals::Deterministic, &profile), 1, 40);
        for (second, &count) in counts.iter().enumerate() {
            let expected = match second {
                0..10 => 10.0 * second as f64 + 5.0,
                10..20 => 20.0,
                20..30 => 0.0,
                _ => 40.0,
            };
            assert!(
                (count as f64 - expected).abs() <= 1.0,
                "{second}: {count} for {expected}"
            );
        }
    }

    #[test]
    fn poisson_counts_vary_as_much_as_their_mean() {
        let seed = 7;
        let counts = per_second(&traffic(Arrivals::Poisson, &[(0, 200.0)]), seed, 4_000);
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<u64>() as f64 / n;
        let variance = counts
            .iter()
            .map(|&c| (c as f64 - mean).powi(2))
            .sum::<f64>()
            / n;
        // Standard errors: sqrt(200 / 4000) = 0.22 of the mean, 200 sqrt(2 / 4000) = 4.5 of the variance.
        assert!((mean - 200.0).abs() < 0.9, "seed {seed}: mean {mean}");
        assert!(
            (variance - 200.0).abs() < 18.0,
            "seed {seed}: variance {variance}"
        );
    }

    #[test]
    fn traffic_that_stops_for_good_ends() {
        let mut stream = ArrivalStream::new(
            ArrivalPlan::new(&traffic(Arrivals::Poisson, &[(0, 5.0), (2, 0.0)])),
            RunSeed(1),
            tick(-SECOND),
        );
        let mut block = [0; 64];
        stream.fill(&mut block);
        let arrived = block.iter().filter(|&&at| at != NEVER).count();
        assert!((1..40).contains(&arrived), "{arrived}");
        assert!(block[..arrived].iter().all(|&at| at < tick(2 * SECOND)));
    }
}
