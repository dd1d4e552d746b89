//! Why a list cannot be made.

use super::column::BadColumn;
use super::cursor::BadCursor;
use super::query::BadQuery;
use crate::census::time::BadTimestamp;

/// Why a list cannot be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadList {
    /// The filter is invalid.
    #[error(transparent)]
    Filter(#[from] BadFilter),
    /// The order or a column is invalid.
    #[error(transparent)]
    Column(#[from] BadColumn),
    /// The cursor is invalid.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
}

/// A filter that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadFilter {
    /// The parameter does not know the value.
    #[error("unknown {parameter} '{value}'; use one of {known}")]
    Unknown {
        parameter: &'static str,
        value: String,
        /// The values that it knows.
        known: String,
    },
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// The instant is invalid.
    #[error(transparent)]
    Instant(#[from] BadTimestamp),
}
