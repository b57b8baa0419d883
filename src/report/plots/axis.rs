//! Where an axis has its ticks.

/// Multiples of a round step (1, 2 or 5 times a power of ten) in `low..=high`, at most `most` steps of it.
pub(super) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let mut power = 0.001;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            let step = power * factor;
            if (high - low) / step <= most as f64 {
                let first = (low / step - 1e-9).ceil() as i64;
                let last = (high / step + 1e-9).floor() as i64;
                return (first..=last).map(|n| n as f64 * step).collect();
            }
        }
        power *= 10.0;
    }
}

/// Multiples of a step that clocks have in `0..=end` seconds, at most `most` steps of it.
pub(super) fn clock_ticks(end_s: i64, most: i64) -> Vec<i64> {
    let steps = [
        5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400,
    ];
    let step = steps.into_iter().find(|step| end_s / step <= most);
    let step = step.unwrap_or(end_s / most);
    (0..=end_s / step).map(|n| n * step).collect()
}

/// The smallest round number (1, 1.5, 2, 3, 5, 7.5 times a power of ten) that is not below `v`.
pub(super) fn round_up(v: f64) -> f64 {
    let mut power = 0.001;
    loop {
        for factor in [1.0, 1.5, 2.0, 3.0, 5.0, 7.5] {
            if power * factor >= v {
                return power * factor;
            }
        }
        power *= 10.0;
    }
}

/// A tick's label: no digits that say nothing.
pub(super) fn label(v: f64) -> String {
    let text = format!("{v:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(97.0, 100.0, 4), [97.0, 98.0, 99.0, 100.0]);
        assert_eq!(ticks(0.0, 12.0, 4), [0.0, 5.0, 10.0]);
        let labels: Vec<String> = ticks(0.0, 0.4, 4).into_iter().map(label).collect();
        assert_eq!(labels, ["0", "0.1", "0.2", "0.3", "0.4"]);
    }

    #[test]
    fn clocks_tick_on_steps_people_count_in() {
        assert_eq!(
            clock_ticks(150, 12),
            [0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150]
        );
        assert_eq!(clock_ticks(900, 12).len(), 8);
    }

    #[test]
    fn rounding_up_never_goes_below() {
        for (v, up) in [(0.7, 0.75), (12.0, 15.0), (100.0, 100.0), (501.0, 750.0)] {
            assert!((round_up(v) - up).abs() < 1e-9, "{v}");
        }
    }
}
