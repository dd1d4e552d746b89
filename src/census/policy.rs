//! The policy: the few numbers on which the count depends, by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::address::Prefix;

/// The name of the built-in policy, shown beside every count.
pub const COUNT_V1: &str = "count-v1";
const MINUTE: i64 = 60 * 1_000_000_000;

/// What the count depends on besides the facts. The default is `count-v1`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// X-IDLE: silence beyond this many nanoseconds, 30 days.
    pub idle_after: i64,
    /// I11: newcomers of one clock minute that are taken without confirmation.
    pub quarantine_rate: usize,
    /// I11: nanoseconds after the zone's first frame in which nobody is a newcomer, 10 minutes.
    pub quarantine_grace: i64,
    /// I11: nanoseconds after which a newcomer must have been seen again, 10 minutes.
    pub quarantine_confirm_after: i64,
    /// Prefixes that are on-link whatever was learned (I5).
    pub on_link: BTreeSet<Prefix>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            name: COUNT_V1.to_owned(),
            idle_after: 30 * 24 * 60 * MINUTE,
            quarantine_rate: 200,
            quarantine_grace: 10 * MINUTE,
            quarantine_confirm_after: 10 * MINUTE,
            on_link: BTreeSet::new(),
        }
    }
}
