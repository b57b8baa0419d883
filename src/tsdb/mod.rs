//! The time series a simulated, replayed or imported Prometheus holds, in memory.
//!
//! ```
//! use rollcast::time::{Span, Timestamp};
//! use rollcast::tsdb::{Labels, Storage};
//!
//! let mut storage = Storage::new();
//! let target = storage.add_target();
//! let requests = storage.series(target, &Labels::new([("__name__", "requests"), ("status", "200")]))?;
//! let mut scrape = storage.scrape(target, Timestamp::from_secs(15));
//! scrape.append(requests, 17.0);
//! scrape.commit(); // series of the target that were not appended are stale from here on
//! # Ok::<(), rollcast::tsdb::LabelsTaken>(())
//! ```
//!
//! What is modelled, after `scrape/scrape.go` and `tsdb/head_append.go` of Prometheus: all samples of a scrape share its
//! timestamp and become visible together; a series is born with its first sample; a series missing from a scrape gets a stale
//! marker, and so does every series of a scrape that failed; colliding labels are renamed ([`ScrapeLabels`]).
//! What is left out: blocks, the write-ahead log, out-of-order samples within a scrape target, native histograms, exemplars, metadata.
//!
//! The layout follows what is asked most. All series of a target share one vector of timestamps, so that the bounds of a
//! window are found once per target; a scrape is one row of values; and rows at which a series has no sample (gap or stale
//! marker) or at which its value fell are listed, so that `increase` over a window without either is two reads. Rows older
//! than the retention are dropped. Evaluation knows none of this but the [`Queryable`] trait.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod labels;
mod matcher;
mod queryable;
mod relabel;
mod storage;
mod target;

pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub(crate) use matcher::anchored;
pub use matcher::{MatchOp, Matcher, RegexDialect};
pub use queryable::{Column, Queryable, Rows, Table};
pub use relabel::{ScrapeLabels, normalise_bound};
pub(crate) use relabel::{format_general, format_open_metrics};
pub use storage::{LabelsTaken, Scrape, SeriesId, Storage, TargetId};

/// The bits of the NaN that marks a series as stale (`model/value/value.go`, `StaleNaN`).
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that says: this series was there before and is gone.
pub const STALE: f64 = f64::from_bits(STALE_BITS);

/// Whether a value is the stale marker; other NaNs are not.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}
