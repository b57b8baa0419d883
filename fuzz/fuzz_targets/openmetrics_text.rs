//! Any bytes as metrics, in both formats; what is read can be written and is then read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcast::openmetrics::{Format, ReadOptions, read, write};
use rollcast::time::Timestamp;
use rollcast::tsdb::Storage;

fuzz_target!(|text: &[u8]| {
    for (format, default_time) in [
        (Format::OpenMetrics, None),
        (Format::OpenMetrics, Some(Timestamp::from_secs(5))),
        (Format::Prometheus, None),
        (Format::Prometheus, Some(Timestamp::from_secs(5))),
    ] {
        let options = ReadOptions {
            format,
            default_time,
            ..ReadOptions::default()
        };
        let mut storage = Storage::new();
        if read(text, &mut storage, &options).is_err() {
            continue;
        }
        let mut written = Vec::new();
        if write(&storage, &mut written).is_err() {
            continue;
        }
        let mut again = Storage::new();
        read(&*written, &mut again, &ReadOptions::default()).expect("what was written is read");
        let mut rewritten = Vec::new();
        write(&again, &mut rewritten).expect("and written");
        assert_eq!(written, rewritten);
    }
});
