//! The set of advisories: what an operator imported, in a SQLite file of its own beside the data.
//!
//! An import ([`import`]) builds a new file and gives it the old one's name when it is whole, so a reader ([`AdvisorySet`])
//! sees the old set or the new one, and a bad file changes nothing. The file is the same for all
//! subscriptions, because it has no data of theirs. [`judge`] compares devices with it.

mod error;
mod importing;
mod judging;
mod set;

#[cfg(test)]
mod tests;

pub use error::AdvisoryError;
pub use importing::{ImportReport, ImportedSource, RefusedFile, import};
pub use judging::{Found, Mapping, Subject, SubjectResult, Tables, judge};
pub use set::{AdvisorySet, CveFacts, SetSource, SetSummary};
