//! What is written is read back, bit for bit, and no text is suffered.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rollcast::openmetrics::{Format, ReadError, ReadOptions, read, write};
use rollcast::time::Timestamp;
use rollcast::tsdb::{Labels, Queryable, STALE, Storage, is_stale};

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

/// Any float a metric can have; stale markers among them.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => any::<f64>().prop_map(|value| if value.is_nan() { f64::NAN } else { value }),
        2 => (0..100_000u32).prop_map(f64::from),
        1 => Just(STALE),
    ]
}

fn store() -> impl Strategy<Value = Storage> {
    let name = prop_oneof![
        Just("a_total"),
        Just("b:c"),
        Just("with space"),
        Just("ü"),
        Just("")
    ];
    let label = prop_oneof![Just("x"), Just("le"), Just("a b"), Just("\"\\")];
    let text = prop_oneof![
        Just("1".to_owned()),
        Just("\\n\n\"}{,=".to_owned()),
        any::<String>()
    ];
    let series = (
        name,
        prop::collection::vec((label, text), 1..3),
        prop::collection::vec((0..100_000i64, value()), 0..8),
    );
    prop::collection::vec(series, 0..6).prop_map(|all| {
        let mut storage = Storage::new();
        for (name, labels, samples) in all {
            let mut pairs = vec![("__name__", name.to_owned())];
            pairs.extend(labels);
            let samples = samples
                .into_iter()
                .map(|(ms, value)| (Timestamp::from_millis(ms - 500), value));
            storage.insert(&Labels::new(pairs), samples).unwrap();
        }
        storage
    })
}

/// All samples but stale markers, with their bits; series sorted by labels, those without samples left out.
fn contents(storage: &Storage) -> Vec<(Labels, Vec<(Timestamp, u64)>)> {
    let mut all: Vec<_> = storage
        .all_series()
        .map(|id| {
            let kept = storage.samples(id).filter(|(_, value)| !is_stale(*value));
            (
                storage.labels(id).clone(),
                kept.map(|(at, value)| (at, value.to_bits()))
                    .collect::<Vec<_>>(),
            )
        })
        .filter(|(_, samples)| !samples.is_empty())
        .collect();
    all.sort();
    all
}

fn written(storage: &Storage) -> String {
    let mut text = Vec::new();
    write(storage, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn what_is_written_is_read_back(storage in store()) {
        let text = written(&storage);
        let mut back = Storage::new();
        read(text.as_bytes(), &mut back, &ReadOptions::default()).unwrap();
        prop_assert_eq!(contents(&back), contents(&storage));
        prop_assert_eq!(written(&back), text);
    }

    #[test]
    fn no_text_panics_the_reader(text in any::<Vec<u8>>(), format in prop_oneof![Just(Format::OpenMetrics), Just(Format::Prometheus)]) {
        let options = ReadOptions { format, ..ReadOptions::default() };
        let _ = read(&*text, &mut Storage::new(), &options);
    }

    /// Text that was good before something was cut out of it or put in.
    #[test]
    fn damaged_text_is_refused_with_a_place_or_read(storage in store(), at in any::<prop::sample::Index>(), cut in 0..5usize, put in "[ -~\n]{0,3}") {
        let mut bytes = written(&storage).into_bytes();
        let at = at.index(bytes.len());
        bytes.splice(at..(at + cut).min(bytes.len()), put.bytes());
        for format in [Format::OpenMetrics, Format::Prometheus] {
            let options = ReadOptions { format, default_time: Some(Timestamp::from_secs(1_000_000)), ..ReadOptions::default() };
            if let Err(ReadError::Line { line, column, .. }) = read(&*bytes, &mut Storage::new(), &options) {
                let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
                prop_assert!(line <= lines.len() + 1, "line {line} of {}", lines.len());
                prop_assert!(column <= lines.get(line - 1).map_or(0, |line| line.len()) + 1);
            }
        }
    }
}

/// Found by fuzzing: such a time was read, and could not be read again once written in seconds.
#[test]
fn times_beyond_the_year_9999_are_refused_in_both_formats() {
    for (format, text, accepted) in [
        (Format::Prometheus, "t 6 100013630021111111\n", false),
        (Format::Prometheus, "t 6 -253402300800000\n", false),
        (Format::Prometheus, "t 6 253402300799999\n", true),
        (Format::OpenMetrics, "t 6 253402300800\n# EOF\n", false),
        (Format::OpenMetrics, "t 6 253402300799.999\n# EOF\n", true),
    ] {
        let options = ReadOptions {
            format,
            ..ReadOptions::default()
        };
        let mut storage = Storage::new();
        let read = read(text.as_bytes(), &mut storage, &options);
        assert_eq!(read.is_ok(), accepted, "{text}");
        if accepted {
            assert!(written(&storage).contains("t 6.0 253402300799.999"));
        }
    }
}
