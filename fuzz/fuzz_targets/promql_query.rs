//! Any text as a query: parsed, checked and evaluated, at one moment and over a range, by the rules of each version.
//!
//! What an answer is, other tests say; here it must come, within the limits that a server sets (`Options::max_work`).

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rollcast::promql::{Options, Query, Version};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Labels, STALE, Storage};

/// Counters that reset, gaps, stale markers, values that are not numbers, classic histograms with odd bounds.
static STORE: LazyLock<Storage> = LazyLock::new(|| {
    let mut storage = Storage::new();
    let mut insert = |labels: &[(&str, &str)], values: &[f64]| {
        let at = |i: usize| Timestamp::from_secs(i as i64 * 15);
        let samples = values.iter().enumerate().map(|(i, value)| (at(i), *value));
        storage
            .insert(&Labels::new(labels.iter().copied()), samples)
            .expect("each label set is given once");
    };
    for (job, values) in [
        ("a", [0.0, 10.0, 20.0, 5.0, 15.0, 15.0, 1e9, 2.0]),
        ("b", [1.0, 2.0, STALE, 3.0, f64::NAN, 4.0, -4.0, STALE]),
        ("c", [-1.0, f64::INFINITY, 1e300, 1e300, 0.5, -0.0, f64::NEG_INFINITY, 5e-324]),
    ] {
        insert(&[("__name__", "x_total"), ("job", job)], &values);
        insert(&[("__name__", "y"), ("job", job), ("extra", "1")], &values);
    }
    for (le, count) in [("0.1", 1.0), ("1", 5.0), ("1.0", 5.0), ("oops", 5.0), ("+Inf", 4.0)] {
        let values: Vec<f64> = (0..8).map(|i| f64::from(i) * count).collect();
        insert(&[("__name__", "h_bucket"), ("le", le)], &values);
    }
    storage
});

fuzz_target!(|text: &str| {
    for version in [Version::V2_42, Version::V2_53, Version::V3] {
        let options = Options {
            version,
            ..Options::default()
        };
        let query = match Query::compile(text, &options) {
            Ok(query) => query,
            Err(error) => {
                assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                continue;
            }
        };
        let mut evaluator = query.evaluator();
        for at in [Timestamp::ZERO, Timestamp::from_millis(100_001)] {
            let _ = evaluator.instant(&*STORE, at);
        }
        let (start, end) = (Timestamp::from_secs(-60), Timestamp::from_secs(180));
        let _ = evaluator.range(&*STORE, start, end, Span::from_secs(20));
    }
});
