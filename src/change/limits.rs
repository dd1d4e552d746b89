//! Limits of changes.

/// Devices that one change may name.
pub(crate) const DEVICES: usize = 1_000;
/// Decisions that one change may alter; imports may alter more.
pub(crate) const ALTERATIONS: usize = 20_000;
/// Entries of one managed list.
pub(crate) const ENTRIES: usize = 200_000;
/// Decisions in force in one subscription.
pub(crate) const DECISIONS: usize = 1_000_000;
/// Bytes of a zone's name, as in uploads.
pub(crate) const ZONE: usize = 64;
