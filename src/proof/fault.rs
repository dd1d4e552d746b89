//! What does not hold of a bundle or a proof.

use std::io;

use super::bundle::{HEADERS, LINE_BYTES};
use super::day::Day;
use super::tally::Untrue;
use crate::billing::statement::Month;

/// What does not hold of a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The file ends before its last line, or within it.
    #[error("the file ends here, but it is not complete: get it again")]
    Truncated,
    /// The line is too long.
    #[error("the line is longer than {LINE_BYTES} bytes, which no line of a bundle is")]
    TooLong,
    /// The line is not in the one form that it may have.
    #[error("the line is not written as a bundle or a proof is")]
    Form,
    /// Something follows the last line.
    #[error("something follows the end of the bundle")]
    Trailing,
    /// Another key signed.
    #[error("it was signed by the key {0}, which is not the one named by --key")]
    Key(String),
    /// The signature is not the key's.
    #[error("the signature is not good: the file was changed, or another key signed it")]
    Signature,
    /// The digest of the file is another.
    #[error("the file was changed: its lines do not have the digest that its end states")]
    Digest,
    /// The snapshot is another subscription's.
    #[error("the snapshot is of the subscription '{0}', not of the bundle's")]
    Subscription(String),
    /// The chain is broken.
    #[error("the chain is broken: {0}")]
    Chain(&'static str),
    /// A bundle is too large.
    #[error("the bundle holds more than {HEADERS} snapshots; export fewer days")]
    TooMany,
    /// The numbers do not hold.
    #[error(transparent)]
    Untrue(#[from] Untrue),
    /// The newest snapshot of a day has no leaves.
    #[error(
        "the leaves of the newest snapshot of {0} are missing, or there are some that do not belong here"
    )]
    Leaves(Day),
    /// The path leads elsewhere.
    #[error("the device {0} is not among those of the snapshot")]
    Path(String),
    /// The proof's second leaf is not the last one.
    #[error("the second leaf is not the last one, so the number of devices is not proven")]
    NotLast,
    /// A statement does not hold.
    #[error("the statement of {month} does not hold: {why}")]
    Statement {
        /// Which month.
        month: Month,
        /// What is wrong.
        why: String,
    },
}

/// A fault, and where it is.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct VerifyError {
    /// The line, from 1.
    pub line: u64,
    /// What does not hold.
    pub fault: Fault,
}
