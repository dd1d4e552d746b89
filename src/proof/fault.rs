//! Why a bundle or a proof is not valid.

use std::io;

use super::bundle::{HEADERS, LINE_BYTES};
use super::day::Day;
use super::tally::Untrue;
use crate::billing::statement::Month;

/// Why a file is not valid.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The file ends before its last line, or within it.
    #[error("the file ends here, but it is incomplete: get it again")]
    Truncated,
    /// The line is too long.
    #[error("the line exceeds the limit of {LINE_BYTES} bytes")]
    TooLong,
    /// The line is not in its only valid form.
    #[error("the line is not in the form of a bundle or a proof")]
    Form,
    /// Something follows the last line.
    #[error("the file continues after the end of the bundle")]
    Trailing,
    #[error("signed by the key {0}, not by the key that --key names")]
    Key(String),
    /// The signature does not fit the key.
    #[error("invalid signature: the file was changed, or another key signed it")]
    Signature,
    /// The digest of the file differs.
    #[error("the file was changed: the digest of its lines differs from that in its last line")]
    Digest,
    /// The snapshot belongs to another subscription.
    #[error("the snapshot belongs to the subscription '{0}', not to that of the bundle")]
    Subscription(String),
    /// The chain is broken.
    #[error("the chain is broken: {0}")]
    Chain(&'static str),
    /// A bundle is too large.
    #[error("the bundle holds more than {HEADERS} snapshots; export fewer days")]
    TooMany,
    /// A snapshot is not valid.
    #[error(transparent)]
    Untrue(#[from] Untrue),
    /// The newest snapshot of a day has no leaves.
    #[error("the leaves of the newest snapshot of {0} are missing")]
    Leaves(Day),
    /// The path does not lead to the root.
    #[error("the device {0} is not in the snapshot")]
    Path(String),
    /// The proof's second leaf is not the last one.
    #[error("the second leaf is not the last one, so the number of devices is not proven")]
    NotLast,
    /// A statement is not valid.
    #[error("the statement of {month} is not valid: {why}")]
    Statement { month: Month, why: String },
}

/// A fault with its line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct VerifyError {
    /// The line, from 1.
    pub line: u64,
    pub fault: Fault,
}
