//! `series.om`: what a run's Prometheus scraped, in the output directory of the run, as OpenMetrics.
//!
//! A run's clock is below zero during the warm-up, which promtool's import drops. In the file its zero therefore stands a whole
//! day after the epoch: no run has a longer warm-up, and whatever is aligned to the epoch (subqueries) stays where it was.

use std::io;

use crate::openmetrics;
use crate::report::files::File;
use crate::time::Timestamp;
use crate::tsdb::Storage;

/// Name of the file.
pub(super) const FILE: &str = "series.om";

/// The moment of the run's clock that the file's time zero stands for.
pub(super) const ZERO: Timestamp = Timestamp::from_secs(-24 * 3600);

/// The file, of a store that kept everything.
pub(super) fn file(storage: &Storage) -> io::Result<File> {
    let mut bytes = Vec::new();
    openmetrics::write_since(storage, ZERO, &mut bytes)?;
    Ok(File {
        path: FILE.to_owned(),
        bytes,
    })
}
