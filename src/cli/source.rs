//! OpenMetrics and exposition-format files as the commands open them: streamed, gzipped or not, the format told by the text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::diagnostic::Diagnostic;
use crate::openmetrics::{self, Format, ReadError, ReadOptions, ReadSummary, Wanted};
use crate::tsdb::Storage;

/// How much of a file is looked at to tell its format.
const HEAD: usize = 64 * 1024;

/// Reads what is wanted of a file of samples; NaN is taken for a stale marker.
///
/// # Errors
/// When the file cannot be read, is cut off, or is out of order; the place is named.
pub(super) fn read(
    file: &Path,
    storage: &mut Storage,
    wanted: Wanted<'_>,
) -> Result<ReadSummary, Diagnostic> {
    let (reader, format) = open(file).map_err(|error| cannot_read(file, &ReadError::Io(error)))?;
    let options = ReadOptions {
        format,
        nan_is_stale: true,
        ..ReadOptions::default()
    };
    openmetrics::read_wanted(reader, storage, &options, wanted)
        .map_err(|error| cannot_read(file, &error))
}

/// Opens a file, unpacks it where it is gzipped, and says which format it is in.
fn open(file: &Path) -> io::Result<(Box<dyn BufRead>, Format)> {
    let mut packed = BufReader::new(File::open(file)?);
    let gzipped = packed.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let unpacked: Box<dyn Read> = if gzipped {
        Box::new(MultiGzDecoder::new(packed))
    } else {
        Box::new(packed)
    };
    let mut reader = BufReader::with_capacity(HEAD, unpacked);
    let format = openmetrics::sniff(reader.fill_buf()?);
    Ok((Box::new(reader), format))
}

fn cannot_read(file: &Path, error: &ReadError) -> Diagnostic {
    let refused = Diagnostic::new(format!("cannot read {}: {error}", file.display()));
    match error {
        ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            refused.help("the file is cut off: export it again")
        }
        ReadError::Io(_) => refused,
        ReadError::Line { message, .. } if message.contains("# EOF") => {
            refused.help("export it again, or end it with a line `# EOF` where it is whole")
        }
        ReadError::Line { .. } => refused.help(
            "OpenMetrics with times in seconds, or the exposition format with times in milliseconds, the samples of each \
             series in time order, gzipped or not",
        ),
    }
}
