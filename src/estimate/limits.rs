//! Limits of one estimate.

/// The largest file, and the most bytes of all files of one estimate.
pub(crate) const FILE_BYTES: usize = 16 << 20;
/// The most files of one estimate.
pub(crate) const FILES: usize = 16;
/// The most rows of one estimate, over all files.
pub(crate) const ROWS: usize = 200_000;
/// The most columns of a table.
pub(crate) const COLUMNS: usize = 512;
/// The most MACs, and the most addresses, that are read from one row; further ones are ignored.
pub(crate) const ADDRESSES: usize = 32;
