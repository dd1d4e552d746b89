//! Why there is no such list.

use super::column::BadColumn;
use super::cursor::BadCursor;
use crate::census::time::BadTimestamp;

/// Why there is no such list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadList {
    /// The filter.
    #[error(transparent)]
    Filter(#[from] BadFilter),
    /// The order, or a column.
    #[error(transparent)]
    Column(#[from] BadColumn),
    /// The cursor.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
}

/// A filter that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadFilter {
    /// A word that its parameter does not know.
    #[error("'{value}' is no {parameter}; it is {known}")]
    Unknown {
        /// The parameter.
        parameter: &'static str,
        /// What was sent.
        value: String,
        /// What it may be.
        known: String,
    },
    /// The instant.
    #[error(transparent)]
    Instant(#[from] BadTimestamp),
}
