//! The run's seed and the named random streams drawn from it.
//!
//! One stream per purpose and entity, so that a draw more or less in one place never shifts another
//! ("common random numbers": two configurations compared on one seed meet the same requests).
//! The generator is named by its algorithm, xoshiro256++, since `rand`'s `StdRng` may change between versions.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// The generator behind every stream.
pub type Stream = Xoshiro256PlusPlus;

/// What a stream is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Times between requests.
    Arrivals = 1,
    /// The ingress' coin and the choice among pods.
    Routing = 2,
    /// How long a request is worked on.
    Service = 3,
    /// Whether a request fails.
    Faults = 4,
    /// Pod start-up times.
    Startup = 5,
    /// Phases of periodic things: scrapes, HPA syncs, ingress workers.
    Phases = 6,
    /// Delays of the control plane: weight propagation, query latency.
    ControlPlane = 7,
    /// Chaos.
    Chaos = 8,
    /// Load tests: when the load tester starts them, and what becomes of their requests.
    LoadTests = 9,
}

/// A run's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunSeed(pub u64);

impl RunSeed {
    /// The stream for `purpose` and the `entity`-th thing of its kind.
    pub fn stream(self, purpose: Purpose, entity: u64) -> Stream {
        let mut mixed = split_mix(self.0);
        mixed = split_mix(mixed ^ purpose as u64);
        mixed = split_mix(mixed ^ entity);
        Stream::seed_from_u64(mixed)
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads neighbouring seeds apart.
pub(crate) fn split_mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn streams_of_different_purposes_and_entities_differ() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..10 {
            for purpose in [Purpose::Arrivals, Purpose::Service, Purpose::Phases] {
                for entity in 0..10 {
                    assert!(seen.insert(RunSeed(seed).stream(purpose, entity).next_u64()));
                }
            }
        }
    }
}
