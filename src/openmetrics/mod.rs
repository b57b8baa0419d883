//! Samples as text: the OpenMetrics format with timestamps, and Prometheus' older exposition format, streamed in both
//! directions (`model/textparse/openmetricsparse.go`, `promparse.go`; `promtool tsdb dump-openmetrics` and
//! `create-blocks-from openmetrics` read and write the same).
//!
//! ```
//! use rollcast::openmetrics::{ReadOptions, read, write};
//! use rollcast::tsdb::Storage;
//!
//! let text = "requests_total{code=\"200\"} 5 15\nrequests_total{code=\"200\"} 9 30.5\n# EOF\n";
//! let mut storage = Storage::new();
//! let read = read(text.as_bytes(), &mut storage, &ReadOptions::default())?;
//! assert_eq!(read.samples, 2);
//! let mut written = Vec::new();
//! write(&storage, &mut written)?;
//! assert_eq!(String::from_utf8(written)?, "requests_total{code=\"200\"} 5.0 15\nrequests_total{code=\"200\"} 9.0 30.5\n# EOF\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Left out: types, units and help (the store has none; when read they are checked and dropped), exemplars (the same), native
//! histograms, creation times. Neither format can say that a series is stale: markers are not written.

mod line;
mod read;
mod write;

pub use read::{Format, ReadError, ReadOptions, ReadSummary, Wanted, read, read_wanted, sniff};
pub use write::{write, write_since};
