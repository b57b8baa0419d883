//! The clock that requests run on: whole nanoseconds.
//!
//! The world's control plane counts milliseconds ([`Timestamp`]); a request that takes 20 ms at 2 500 requests a second
//! needs finer steps. Outside, a moment is a signed [`Nanos`] from the scenario's zero. Inside the request path it is a
//! `Tick`: the same count, moved up so that it is always positive.

use crate::time::Timestamp;

/// Nanoseconds from the scenario's zero; negative during warm-up. Also a length of time.
pub type Nanos = i64;

/// Nanoseconds in a second.
pub const SECOND: Nanos = 1_000_000_000;

/// Nanoseconds in a millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// The moment of a control-plane timestamp.
pub fn nanos(at: Timestamp) -> Nanos {
    at.as_millis() * MILLISECOND
}

/// A moment inside the request path.
///
/// A tick's bits, read as a float, are those of a positive normal number, and such floats are ordered as their bits are:
/// that is what lets [`super::service`] keep worker slots in order with the float minimum and maximum that every
/// x86-64 has for two values at a time, where whole numbers would take a comparison each.
pub(crate) type Tick = u64;

/// The scenario's zero: a whole number of milliseconds, far enough up that 63 years before it are still positive.
const ZERO: Tick = 5_000_000_000_000_000_000;

/// After every moment a run can reach, and still the bits of a finite float.
pub(crate) const NEVER: Tick = 0x7fef_ffff_ffff_ffff;

/// The tick of a moment.
pub(crate) fn tick(at: Nanos) -> Tick {
    ZERO.wrapping_add_signed(at).min(NEVER)
}

/// The moment of a tick.
pub(crate) fn moment(at: Tick) -> Nanos {
    at.wrapping_sub(ZERO) as Nanos
}

/// The whole millisecond a tick lies in.
#[inline(always)]
pub(crate) fn millisecond(at: Tick) -> u64 {
    at / MILLISECOND as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_the_order_of_moments_also_when_read_as_floats() {
        let moments = [-63 * 365 * 86_400 * SECOND, -1, 0, 1, 900 * SECOND];
        for pair in moments.windows(2) {
            let (a, b) = (tick(pair[0]), tick(pair[1]));
            assert!(a < b && f64::from_bits(a) < f64::from_bits(b));
            assert!(f64::from_bits(a).is_normal());
        }
        assert!(f64::from_bits(NEVER) > f64::from_bits(tick(900 * SECOND)));
        for at in moments {
            assert_eq!(moment(tick(at)), at);
        }
    }

    #[test]
    fn milliseconds_begin_where_the_scenarios_do() {
        assert_eq!(
            millisecond(tick(0)) - millisecond(tick(-1)),
            1,
            "one nanosecond earlier is another millisecond"
        );
        assert_eq!(millisecond(tick(999_999)), millisecond(tick(0)));
    }
}
