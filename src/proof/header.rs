//! The header: what is signed of a snapshot.

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::digest::Digest;
use crate::billing::timeline::{Plan, PlanKind};
use crate::census::{Census, Policy, Timestamp, time::rfc3339};

/// The header's schema, and what keeps its signature from passing for that of anything else.
pub const SNAPSHOT_SCHEMA: &str = "netcensus.snapshot/1";

/// What is sealed of a day but the leaves. Its signed form is the compact JSON of these members in this order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`SNAPSHOT_SCHEMA`].
    pub schema: String,
    /// Whose devices.
    pub subscription: String,
    /// Its place in the chain of all snapshots of the subscription, in the order of sealing; from 1.
    pub number: u64,
    /// The UTC day at whose end the devices are counted.
    pub day: Day,
    /// 0 for the first snapshot of the day; a later one replaces what it says, and changes nothing of it.
    pub revision: u64,
    /// Why there is this revision, or why somebody asked for it.
    pub reason: Option<String>,
    /// SHA-256 of the signed form of the header before it in the chain.
    pub previous: Option<Digest>,
    /// The rules and bounds by which was counted.
    pub policy: Policy,
    /// The event time up to which frames are in, exclusive: the end of the day.
    #[serde(with = "rfc3339")]
    pub as_of: Timestamp,
    /// What had been stored by this instant is in.
    #[serde(with = "rfc3339")]
    pub known_until: Timestamp,
    /// The last plan that was in effect in the day.
    pub plan: Option<PlanInEffect>,
    /// The numbers.
    pub census: Census,
    /// How many leaves there are: one a device.
    pub size: u64,
    /// The root of the tree over the leaves.
    pub root: Digest,
    /// The version of the service that counted: a newer one may know devices better.
    pub version: String,
}

/// What was committed to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlanInEffect {
    /// The plan's number.
    pub number: i64,
    /// Its kind.
    pub kind: PlanKind,
    /// The number of devices committed to; none for a trial.
    pub committed: Option<u64>,
}

impl From<&Plan> for PlanInEffect {
    fn from(plan: &Plan) -> Self {
        Self { number: plan.number, kind: plan.kind, committed: plan.committed }
    }
}

impl Header {
    /// The form that is signed.
    ///
    /// # Errors
    /// None that happens: every member can be written.
    pub fn signed_form(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The header of a signed form that is written exactly as [`Header::signed_form`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let header: Self = serde_json::from_str(text).ok()?;
        (header.signed_form().ok()? == text).then_some(header)
    }

    /// Whether it says the same of the day as `other`, whenever and why either was sealed.
    pub fn counts_as(&self, other: &Self) -> bool {
        (self.day, &self.policy, &self.plan, &self.census, self.size, self.root)
            == (other.day, &other.policy, &other.plan, &other.census, other.size, other.root)
    }
}
