//! Whether a log goes to the journal.

use std::os::unix::fs::MetadataExt as _;

/// Whether standard error is the stream that systemd connected with the journal (`$JOURNAL_STREAM`, systemd.exec(5)).
pub(crate) fn has_standard_error() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(file) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", file.dev(), file.ino())
}
