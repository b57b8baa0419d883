//! What holds of every query, whatever its text: it never panics, and what an evaluator remembers never shows.
//!
//! The cases are the same in every run; `PROPTEST_RNG_SEED=<number>` tries others. A failing case is printed, made as small as
//! it gets.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rollcast::promql::{Answer, Options, Query, Value, Version};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Labels, STALE, Storage};

const VERSIONS: [Version; 3] = [Version::V2_42, Version::V2_53, Version::V3];

fn cases(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::with_cases(cases);
    ProptestConfig {
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            given => given,
        },
        failure_persistence: None,
        ..config
    }
}

fn options(version: Version, delayed_name_removal: bool) -> Options {
    Options {
        version,
        delayed_name_removal,
        max_work: 200_000,
        ..Options::default()
    }
}

/// A store with counters that reset, gaps, stale series, NaN, and classic histograms.
fn store() -> Storage {
    let mut storage = Storage::new();
    let minute = |i: usize| Timestamp::from_secs(i as i64 * 60);
    let mut insert = |labels: &[(&str, &str)], values: &[f64]| {
        let samples = values
            .iter()
            .enumerate()
            .map(|(i, value)| (minute(i), *value));
        storage
            .insert(&Labels::new(labels.iter().copied()), samples)
            .unwrap();
    };
    for (job, values) in [
        ("a", [0.0, 10.0, 20.0, 5.0, 15.0, 15.0]),
        ("b", [1.0, 2.0, STALE, 3.0, f64::NAN, 4.0]),
        ("c", [-1.0, f64::INFINITY, 1e300, 1e300, 0.5, -0.0]),
    ] {
        insert(&[("__name__", "x_total"), ("job", job)], &values);
        insert(&[("__name__", "y"), ("job", job), ("extra", "1")], &values);
    }
    for (le, count) in [("0.1", 1.0), ("1", 5.0), ("oops", 5.0), ("+Inf", 4.0)] {
        let values = [
            0.0,
            count,
            2.0 * count,
            3.0 * count,
            4.0 * count,
            5.0 * count,
        ];
        insert(&[("__name__", "h_bucket"), ("le", le)], &values);
    }
    storage
}

/// Expressions that are nearly always valid.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x_total".to_owned()),
        Just("y{job=~\"a|b\"}".to_owned()),
        Just("y{job!=\"a\"} offset 1m".to_owned()),
        Just("h_bucket".to_owned()),
        Just("{__name__=~\".+\"}".to_owned()),
        Just("x_total @ 120".to_owned()),
        Just("vector(1)".to_owned()),
        Just("vector(time())".to_owned()),
        Just("nothing".to_owned()),
    ];
    let over_time = prop::sample::select(vec![
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "changes",
        "resets",
        "deriv",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "last_over_time",
        "stddev_over_time",
        "present_over_time",
        "absent_over_time",
    ]);
    let simple = prop::sample::select(vec![
        "abs",
        "-",
        "+",
        "ceil",
        "exp",
        "ln",
        "sqrt",
        "sgn",
        "absent",
        "sort",
        "sort_desc",
        "timestamp",
        "day_of_week",
        "year",
        "cosh",
    ]);
    let aggregate = prop::sample::select(vec![
        "sum",
        "avg by (job)",
        "min without (job)",
        "max by (le)",
        "count",
        "group by (job, le)",
        "stddev",
        "stdvar by (extra)",
    ]);
    let parametric = prop::sample::select(vec![
        "topk(2, ",
        "bottomk by (job) (1, ",
        "quantile(0.5, ",
        "quantile by (le) (-1, ",
        "count_values(\"v\", ",
        "histogram_quantile(0.9, ",
        "histogram_fraction(0, 1, ",
        "topk(scalar(x_total{job=\"a\"}), ",
    ]);
    let operator = prop::sample::select(vec![
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "atan2",
        "==",
        "!= bool",
        "> bool",
        "<",
        ">=",
        "and",
        "or",
        "unless",
        "/ on(job)",
        "* ignoring(extra)",
        "+ on(job) group_left(extra)",
        "== on(job) group_right()",
        "and on()",
        "or on(job)",
    ]);
    let window = prop::sample::select(vec![
        "[2m:]",
        "[5m:1m]",
        "[3m:30s] offset 1m",
        "[10m:3m] @ 300",
    ]);
    leaf.prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            (simple.clone(), inner.clone()).prop_map(|(f, e)| format!("{f}({e})")),
            (aggregate.clone(), inner.clone()).prop_map(|(f, e)| format!("{f} ({e})")),
            (parametric.clone(), inner.clone()).prop_map(|(f, e)| format!("{f}{e})")),
            (over_time.clone(), Just("x_total[3m]")).prop_map(|(f, e)| format!("{f}({e})")),
            (over_time.clone(), Just("y[150s] offset 30s")).prop_map(|(f, e)| format!("{f}({e})")),
            (over_time.clone(), inner.clone(), window.clone())
                .prop_map(|(f, e, w)| format!("{f}(({e}){w})")),
            (inner.clone(), operator.clone(), inner.clone())
                .prop_map(|(l, o, r)| format!("({l}) {o} ({r})")),
            inner
                .clone()
                .prop_map(|e| format!("label_replace({e}, \"job\", \"$1x\", \"job\", \"(.).*\")")),
            inner
                .clone()
                .prop_map(|e| format!("label_join({e}, \"both\", \"-\", \"job\", \"le\")")),
            inner
                .clone()
                .prop_map(|e| format!("clamp({e}, -1, 100) * 2")),
            inner.prop_map(|e| format!("vector(scalar({e}))")),
        ]
    })
}

/// Pieces of queries in any order: seldom valid, often nearly.
fn token_soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "sum",
        "rate",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "bool",
        "offset",
        "@",
        "start()",
        "end",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "=",
        "!=",
        "=~",
        "!~",
        "==",
        "<",
        ">",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "and",
        "or",
        "unless",
        "atan2",
        "1",
        "0x1f",
        "1e9",
        "5m",
        "1h30m",
        "Inf",
        "NaN",
        "\"a\"",
        "'b\\n'",
        "`c`",
        "foo",
        "a:b",
        "topk",
        "quantile",
        "anchored",
        "fill(",
        "#x\n",
        "\\",
        "é",
        "1e300",
        "9e18y",
        "999999999999y",
        "-",
        "0s",
    ]);
    (prop::collection::vec(piece, 0..24), any::<bool>())
        .prop_map(|(pieces, spaced)| pieces.join(if spaced { " " } else { "" }))
}

/// Values as text: equal texts are equal answers, NaN included.
fn shown(answer: &Result<Answer, rollcast::promql::EvalError>) -> String {
    format!("{answer:?}")
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn no_text_panics_the_parser(text in prop_oneof![any::<String>(), token_soup()]) {
        for version in VERSIONS {
            if let Err(error) = Query::compile(&text, &options(version, false)) {
                prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn soup_that_happens_to_be_a_query_can_be_evaluated(text in token_soup()) {
        let storage = store();
        for version in VERSIONS {
            if let Ok(query) = Query::compile(&text, &options(version, false)) {
                let _ = query.instant(&storage, Timestamp::from_secs(300));
                let _ = query.longest_reach();
                query.samples_seen(&storage, Timestamp::from_secs(300));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn what_an_evaluator_remembers_never_shows(first in expression(), delayed in any::<bool>(), step in 1..400i64) {
        let (full, mut growing) = (store(), Storage::new());
        for version in VERSIONS {
            let query = Query::compile(&first, &options(version, delayed)).unwrap();
            let mut evaluator = query.evaluator();
            for i in 0..4 {
                let at = Timestamp::from_secs(i * step);
                prop_assert_eq!(shown(&evaluator.instant(&full, at)), shown(&query.instant(&full, at)));
                growing.insert(&Labels::new([("__name__", "y"), ("job", &*i.to_string())]), [(Timestamp::ZERO, 1.0)]).unwrap();
                prop_assert_eq!(shown(&evaluator.instant(&growing, at)), shown(&query.instant(&growing, at)));
            }
        }
    }

    #[test]
    fn a_range_query_is_its_instants(text in expression(), step in 1..200i64) {
        let storage = store();
        for version in VERSIONS {
            let query = Query::compile(&text, &options(version, false)).unwrap();
            let (start, end, step) = (Timestamp::from_secs(30), Timestamp::from_secs(400), Span::from_secs(step));
            let Ok(Answer { value: Value::Matrix(series), .. }) = query.range(&storage, start, end, step) else {
                continue;
            };
            let mut at = start;
            while at <= end {
                let Ok(Answer { value: Value::Vector(samples), .. }) = query.instant(&storage, at) else {
                    panic!("{text}: a step of a range query that has an answer has none");
                };
                for sample in &samples {
                    let found = series.iter().find(|one| one.labels == sample.labels).unwrap();
                    let value = found.samples.iter().find(|(time, _)| *time == at).unwrap().1;
                    prop_assert_eq!(value.to_bits(), sample.value.to_bits(), "{}", &text);
                }
                let points = series.iter().flat_map(|one| &one.samples).filter(|(time, _)| *time == at).count();
                prop_assert_eq!(points, samples.len(), "{}", &text);
                at += step;
            }
        }
    }

    /// The evaluator answers from the ends of a window where nothing in it falls or is missing; the sum over all its samples
    /// must have the same bits.
    #[test]
    fn increase_is_what_all_samples_of_the_window_say(
        values in prop::collection::vec(prop_oneof![6 => (0..1000i32).prop_map(|v| Some(f64::from(v) / 7.0)), 1 => Just(None), 1 => Just(Some(STALE))], 2..40),
        from in 0..30i64,
        length in 1..30i64,
        rising in any::<bool>(),
    ) {
        let mut total = 0.0;
        let mut storage = Storage::new();
        let target = storage.add_target();
        let series = storage.series(target, &Labels::new([("__name__", "x_total")])).unwrap();
        let other = storage.series(target, &Labels::new([("__name__", "other")])).unwrap();
        let mut kept = Vec::new();
        for (i, value) in values.iter().enumerate() {
            let at = Timestamp::from_secs(i as i64 * 5);
            let mut scrape = storage.scrape(target, at);
            scrape.append(other, 0.0);
            let value = value.filter(|value| !value.is_nan()).map(|value| {
                total += value;
                if rising { total } else { value }
            });
            if let Some(value) = value {
                scrape.append(series, value);
                kept.push((at, value));
            }
            scrape.commit();
        }
        let (end, range) = (from + length, length * 5);
        let query = Query::compile(&format!("increase(x_total[{range}s])"), &Options::default()).unwrap();
        let answer = query.instant(&storage, Timestamp::from_secs(end * 5)).unwrap();
        let (left, right) = (Timestamp::from_secs(from * 5), Timestamp::from_secs(end * 5));
        let window: Vec<_> = kept.into_iter().filter(|(at, _)| *at > left && *at <= right).collect();
        let Value::Vector(samples) = answer.value else { panic!("a vector expected") };
        prop_assert_eq!(samples.first().map(|sample| sample.value.to_bits()), extrapolated(&window, left, right).map(f64::to_bits));
    }
}

/// `increase` as the documentation of `extrapolatedRate` describes it, over all samples.
fn extrapolated(window: &[(Timestamp, f64)], left: Timestamp, right: Timestamp) -> Option<f64> {
    let [(first_at, first), .., (last_at, last)] = window else {
        return None;
    };
    let mut result = last - first;
    for pair in window.windows(2) {
        if pair[1].1 < pair[0].1 {
            result += pair[0].1;
        }
    }
    let sampled = (*last_at - *first_at).as_secs_f64();
    let average = sampled / (window.len() - 1) as f64;
    let near = |gap: f64| {
        if gap >= average * 1.1 {
            average / 2.0
        } else {
            gap
        }
    };
    let mut start = near((*first_at - left).as_secs_f64());
    if result > 0.0 && *first >= 0.0 {
        start = start.min(sampled * (first / result));
    }
    let end = near((right - *last_at).as_secs_f64());
    Some(result * ((sampled + start + end) / sampled))
}

#[test]
fn hostile_texts_are_refused_not_suffered() {
    let many = 100_000;
    for text in [
        "(".repeat(many),
        "-".repeat(many) + "1",
        format!("a{}", "+a".repeat(many)),
        format!("a{}", "^a".repeat(many)),
        format!("{}a{}", "sum(".repeat(1000), ")".repeat(1000)),
        format!("{}a{}", "abs(".repeat(1000), ")".repeat(1000)),
        format!("a{}", "[5m:1m]".repeat(1000)),
        "a,".repeat(many),
        "\"".repeat(many),
        format!("a{{b=~\"{}\"}}", "(".repeat(1000)),
        format!("a{{b=~\"{}\"}}", "(x{1000}){1000}".repeat(10)),
    ] {
        assert!(
            Query::compile(&text, &Options::default()).is_err(),
            "{}",
            &text[..20]
        );
    }
}

#[test]
fn endless_work_is_given_up() {
    let storage = store();
    for text in [
        "max_over_time(vector(1)[100y:1ms])",
        "max_over_time(max_over_time(max_over_time(x_total[1h:1s])[1h:1s])[1h:1s])",
        "max_over_time(nothing[290y:1ms])",
    ] {
        let query = Query::compile(text, &options(Version::V3, false)).unwrap();
        let error = query
            .instant(&storage, Timestamp::from_secs(300))
            .unwrap_err();
        assert!(
            error.message.contains("too many samples"),
            "{text}: {error}"
        );
    }
    let query = Query::compile("x_total", &Options::default()).unwrap();
    let year = Timestamp::from_secs(365 * 86_400);
    assert!(
        query
            .range(&storage, Timestamp::ZERO, year, Span::from_secs(1))
            .is_err()
    );
    assert!(
        query
            .range(&storage, Timestamp::ZERO, year, Span::ZERO)
            .is_err()
    );
}

#[test]
fn times_at_the_edge_of_what_numbers_hold_are_answered() {
    let storage = store();
    for text in [
        "rate(x_total[5m])",
        "x_total @ 9e15",
        "x_total @ -9e15",
        "x_total offset -290y",
        "sum_over_time(x_total[290y])",
        "max_over_time(x_total[1h:1m] @ 9e15)",
    ] {
        let query = Query::compile(text, &options(Version::V3, false)).unwrap();
        for at in [i64::MIN, i64::MAX, 0] {
            let _ = query.instant(&storage, Timestamp::from_millis(at));
            query.samples_seen(&storage, Timestamp::from_millis(at));
        }
    }
}
