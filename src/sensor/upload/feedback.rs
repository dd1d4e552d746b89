//! What the sending half of the sensor tells the capturing half: one small file in the spool.
//!
//! The capturing half has no network, and learns only here who gets the uploads, how the clocks differ, and that an
//! upload was damaged on disk, so that it must say everything again. A file that is missing or damaged tells nothing.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file's name in the spool.
pub(super) const FILE: &str = "told.json";

/// What is told.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Told {
    /// Who takes the uploads: the service's URL and the subscription. Empty before the first answer.
    pub recipient: String,
    /// The sensor's id there.
    pub sensor: String,
    /// The number of the newest receipt, see [`Health::receipt`](crate::wire::Health::receipt).
    pub receipt: Option<u64>,
    /// See [`Health::clock_skew`](crate::wire::Health::clock_skew).
    pub clock_skew: Option<i64>,
    /// Uploads that were set aside, ever.
    pub put_aside: u64,
    /// How often something that was put into the spool was lost, damaged there or by the service: each time everything
    /// has to be said again.
    pub lost: u64,
}

impl Told {
    /// What is told in the spool at `directory`.
    pub fn load(directory: &Path) -> Self {
        let json = fs::read(directory.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&json).unwrap_or_default()
    }
}
