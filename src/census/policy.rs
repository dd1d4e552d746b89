//! The policy: the settings on which the count depends.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::address::Prefix;
use super::time::{DAY, MINUTE};

/// The name of the built-in policy. It is shown with every count.
const COUNT_V1: &str = "count-v1";

const DAILY: usize = 500;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_default_daily(n: &usize) -> bool {
    *n == DAILY
}

/// The settings on which the count depends. Spans are in nanoseconds. The default is `count-v1`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub name: String,
    /// X-IDLE: a device that is silent for longer does not count. Default: 30 days.
    pub idle_after: i64,
    /// I11: the most new couplings per clock minute that need no confirmation. Default: 200.
    pub quarantine_rate: usize,
    /// I11: for this long after the zone's first frame, no coupling counts as new. Default: 10 minutes.
    pub quarantine_grace: i64,
    /// I11: a newcomer is confirmed by a frame this long after its first, or later. Default: 10 minutes.
    pub quarantine_confirm_after: i64,
    /// I15a: the most devices of one UTC day that need no confirmation although nothing but ARP, neighbour discovery and
    /// packets without an answer shows them. Default: 500, and then left out of documents, as older versions wrote them.
    #[serde(skip_serializing_if = "is_default_daily")]
    pub quarantine_daily: usize,
    /// Configured on-link prefixes, besides those that are learned (I5).
    pub on_link: BTreeSet<Prefix>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            name: COUNT_V1.to_owned(),
            idle_after: 30 * DAY,
            quarantine_rate: 200,
            quarantine_grace: 10 * MINUTE,
            quarantine_confirm_after: 10 * MINUTE,
            quarantine_daily: DAILY,
            on_link: BTreeSet::new(),
        }
    }
}
