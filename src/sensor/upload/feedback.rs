//! What the upload half reports to the capture half: one small file in the spool.
//!
//! The capture half has no network. From this file it learns who receives the uploads, how the clocks differ, and that
//! an upload was lost, so that it must put the whole table into the spool again. A missing or damaged file counts as
//! empty.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sensor::indicator_set::SavedSet;

/// The file's name in the spool.
pub(super) const FILE: &str = "told.json";

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Feedback {
    /// The service's URL and the subscription. Empty before the first answer.
    pub recipient: String,
    /// The sensor's id there.
    pub sensor: String,
    /// The number of the newest receipt, see [`Health::receipt`](crate::wire::Health::receipt).
    pub receipt: Option<u64>,
    /// See [`Health::clock_skew`](crate::wire::Health::clock_skew).
    pub clock_skew: Option<i64>,
    /// Number of uploads ever moved to `bad/`.
    pub put_aside: u64,
    /// How often an upload was damaged on disk or lost by the service. Each time the capture half must put the whole
    /// table in again.
    pub lost: u64,
    /// The set of indicators that was saved and found good.
    pub indicators: Option<SavedSet>,
    /// Why the set that the service named last was not fetched, if it was not.
    pub indicators_problem: Option<String>,
}

impl Feedback {
    /// The feedback in the spool at `directory`.
    pub fn load(directory: &Path) -> Self {
        let json = fs::read(directory.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&json).unwrap_or_default()
    }
}
