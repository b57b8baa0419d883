//! Dates and times, in UTC.

use super::{Evaluated, Run, Sample};
use crate::promql::ast::{Expr, ExprKind};
use crate::promql::function::Function;
use crate::tsdb::Queryable;

impl<Q: Queryable> Run<'_, Q> {
    /// `timestamp`: of a selector the time of its samples, of anything else the time of evaluation.
    pub(super) fn timestamp(&mut self, expr: &Expr, arg: &Expr, t: i64) -> Evaluated<Vec<Sample>> {
        let arg = arg.unwrapped();
        let mut samples = match &arg.kind {
            ExprKind::Selector(selector) => {
                self.instant_selector(arg.id, selector, t, |at, _| at.as_millis() as f64 / 1000.0)
            }
            _ => {
                let mut samples = self.vector(arg, t)?;
                samples
                    .iter_mut()
                    .for_each(|sample| sample.value = t as f64 / 1000.0);
                samples
            }
        };
        for sample in &mut samples {
            self.drop_name(sample);
        }
        self.refuse_duplicates(&samples, expr)?;
        Ok(samples)
    }
}

/// What a date function makes of seconds since the epoch. The least number of seconds, which is what NaN and infinity become,
/// overflows in Go's `time` and comes out at the other end of time.
pub(super) fn part_of(function: Function, seconds: i64) -> f64 {
    let seconds = if seconds == i64::MIN {
        i64::MAX
    } else {
        seconds
    };
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let part = match function {
        Function::Year => year,
        Function::Month => month,
        Function::DayOfMonth => day,
        // The epoch was a Thursday; Sunday is 0.
        Function::DayOfWeek => (days + 4).rem_euclid(7),
        Function::DayOfYear => days - days_before_year(year) + 1,
        Function::DaysInMonth => days_in_month(year, month),
        Function::Hour => second / 3600,
        Function::Minute => second / 60 % 60,
        other => unreachable!("{other:?} is no date function"),
    };
    part as f64
}

/// A moment as RFC 3339 writes it, whole seconds, UTC.
pub(super) fn rfc3339(ms: i64) -> String {
    let seconds = ms / 1000;
    let part = |function| part_of(function, seconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        part(Function::Year),
        part(Function::Month),
        part(Function::DayOfMonth),
        part(Function::Hour),
        part(Function::Minute),
        seconds.rem_euclid(60),
    )
}

/// Year, month and day of a day counted from the epoch, in the proleptic Gregorian calendar (Howard Hinnant's algorithm,
/// "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    // Days are counted from 0000-03-01, so that leap days end a year; eras are the 400 years after which dates repeat.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days from the epoch to the first of January.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_gregorian_calendar() {
        use Function::*;
        let parts = [
            Year,
            Month,
            DayOfMonth,
            DayOfWeek,
            DayOfYear,
            DaysInMonth,
            Hour,
            Minute,
        ];
        for (seconds, expected) in [
            (0, [1970, 1, 1, 4, 1, 31, 0, 0]),
            (951_782_399, [2000, 2, 28, 1, 59, 29, 23, 59]),
            (951_782_400, [2000, 2, 29, 2, 60, 29, 0, 0]),
            (-1, [1969, 12, 31, 3, 365, 31, 23, 59]),
            (4_107_542_400, [2100, 3, 1, 1, 60, 31, 0, 0]),
            (1_735_689_599, [2024, 12, 31, 2, 366, 31, 23, 59]),
        ] {
            for (part, value) in parts.into_iter().zip(expected) {
                assert_eq!(
                    part_of(part, seconds),
                    f64::from(value),
                    "{part:?} of {seconds}"
                );
            }
        }
        // What Prometheus 2.42 makes of `year(vector(NaN))` and so on.
        let of_nan = [Year, Month, DayOfWeek, Hour, Minute].map(|part| part_of(part, i64::MIN));
        assert_eq!(of_nan, [292_277_026_596.0, 12.0, 0.0, 15.0, 30.0]);
    }
}
