//! When Flagger looks at its Canary: one job per Canary, driven by a ticker of Go's.
//!
//! The first tick is at once, the others lie on a grid from there. A tick that outlasts the grid's next time is followed
//! at once by the one fire that the ticker's channel holds; further missed fires are dropped, and the grid stays
//! (`pkg/controller/job.go`, `time.Ticker`). A new interval makes a new job, at the control loop's next pass
//! (`scheduler.go: scheduleCanaries`). Left out: the last tick of the old job running beside the first of the new one.

use crate::time::{Span, Timestamp};

/// `-control-loop-interval`.
pub(super) const CONTROL_LOOP: Span = Span::from_secs(10);

/// The ticker of one job.
#[derive(Clone, Debug)]
pub(super) struct Ticker {
    first: Timestamp,
    interval: Span,
    /// When the next tick starts; `None` while one is under way.
    due: Option<Timestamp>,
}

impl Ticker {
    /// A job that starts at `first`.
    pub(super) fn new(first: Timestamp, interval: Span) -> Self {
        Ticker {
            first,
            interval,
            due: Some(first),
        }
    }

    /// The interval that the job was made with.
    pub(super) fn interval(&self) -> Span {
        self.interval
    }

    /// Puts another job in this one's place. True if its first tick is now, false if a tick is still under way.
    pub(super) fn restart(&mut self, now: Timestamp, interval: Span) -> bool {
        self.first = now;
        self.interval = interval;
        self.due = self.due.map(|_| now);
        self.due.is_some()
    }

    /// Whether a tick that was planned for `now` is still wanted; no other is until [`next`](Self::next) is asked.
    pub(super) fn fires(&mut self, now: Timestamp) -> bool {
        let wanted = self.due == Some(now);
        if wanted {
            self.due = None;
        }
        wanted
    }

    /// When the tick after the one from `started` to `ended` starts.
    pub(super) fn next(&mut self, started: Timestamp, ended: Timestamp) -> Timestamp {
        // A job that was made meanwhile has not ticked yet.
        let next = if started < self.first {
            ended
        } else {
            let interval = self.interval.as_millis();
            let past = (started - self.first).as_millis() / interval;
            let fire = self.first + Span::from_millis((past + 1) * interval);
            fire.max(ended)
        };
        self.due = Some(next);
        next
    }
}

/// The control loop's first pass after `now`; it has passed every ten seconds since `start`.
pub(super) fn next_control_loop(start: Timestamp, now: Timestamp) -> Timestamp {
    let passes = (now - start)
        .as_millis()
        .div_euclid(CONTROL_LOOP.as_millis());
    start + CONTROL_LOOP * (passes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn an_overrun_is_followed_by_one_missed_fire_and_then_the_grid() {
        // Go 1.26: 330 ms of work on a ticker of 100 ms start at 0, 330, 400, 500.
        let mut ticker = Ticker::new(at(0), Span::from_millis(100));
        assert!(ticker.fires(at(0)));
        assert_eq!(ticker.next(at(0), at(330)), at(330));
        assert!(ticker.fires(at(330)));
        assert_eq!(ticker.next(at(330), at(340)), at(400));
        assert!(ticker.fires(at(400)));
        assert_eq!(ticker.next(at(400), at(400)), at(500));
    }

    #[test]
    fn a_fire_at_the_end_of_a_tick_starts_the_next_one() {
        let mut ticker = Ticker::new(at(50), Span::from_millis(100));
        assert_eq!(ticker.next(at(50), at(150)), at(150));
        assert_eq!(ticker.next(at(150), at(150)), at(250));
    }

    #[test]
    fn a_new_job_takes_the_old_ones_place() {
        let mut ticker = Ticker::new(at(0), Span::from_millis(100));
        ticker.next(at(0), at(0));
        assert!(ticker.restart(at(70), Span::from_millis(30)));
        assert!(!ticker.fires(at(100)), "the old job's tick");
        assert!(ticker.fires(at(70)));
        assert!(!ticker.fires(at(70)), "once");
        assert_eq!(ticker.next(at(70), at(70)), at(100));
    }

    #[test]
    fn a_job_made_during_a_tick_starts_when_it_has_ended() {
        let mut ticker = Ticker::new(at(0), Span::from_millis(100));
        assert!(ticker.fires(at(0)));
        assert!(!ticker.restart(at(40), Span::from_millis(30)));
        assert_eq!(ticker.next(at(0), at(45)), at(45));
    }

    #[test]
    fn the_control_loop_passes_every_ten_seconds() {
        let start = at(-300_000);
        for (now, pass) in [(0, 10_000), (9_999, 10_000), (-1, 0), (10_000, 20_000)] {
            assert_eq!(next_control_loop(start, at(now)), at(pass), "{now}");
        }
    }
}
