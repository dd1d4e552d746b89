//! The header: the signed part of a snapshot.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::day::Day;
use super::digest::Digest;
use crate::billing::timeline::{Plan, PlanKind};
use crate::census::{Census, Policy, Timestamp, time::rfc3339};

/// The header's schema. It also prevents that a header's signature is taken for another one.
pub const SNAPSHOT_SCHEMA: &str = "netcensus.snapshot/2";
/// The schema of headers without [`Header::trails`].
pub(crate) const WITHOUT_TRAILS: &str = "netcensus.snapshot/1";

/// The snapshot of a day without its leaves. The signed form is the compact JSON of these members in this order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = SnapshotHeader)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub schema: String,
    pub subscription: String,
    /// Its place in the chain of the subscription's snapshots, in the order of sealing, from 1.
    pub number: u64,
    /// The UTC day at the end of which the devices are counted.
    #[schema(value_type = String)]
    pub day: Day,
    /// 0 for the first snapshot of the day. A later revision supersedes it and leaves it unchanged.
    pub revision: u64,
    /// Why this revision was sealed.
    pub reason: Option<String>,
    /// SHA-256 of the signed form of the previous header in the chain.
    #[schema(value_type = Option<String>)]
    pub previous: Option<Digest>,
    /// The policy of the count.
    #[schema(value_type = Object)]
    pub policy: Policy,
    /// Frames before this instant are counted: the end of the day.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Facts stored before this instant are counted.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub known_until: Timestamp,
    /// The last plan in effect during the day.
    pub plan: Option<PlanInEffect>,
    #[schema(value_type = Object)]
    pub census: Census,
    /// The number of leaves, one for each device.
    pub size: u64,
    /// The root of the tree over the leaves.
    #[schema(value_type = String)]
    pub root: Digest,
    /// The version of the service that counted: another version may classify devices differently.
    pub version: String,
    /// The heads of the audit trails when the snapshot was sealed. Headers of the schema `netcensus.snapshot/1` lack them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trails: Option<TrailHeads>,
}

/// The heads of the audit trails: no row up to them can be changed or lost without contradicting the header.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailHeads {
    /// That of the subscription.
    pub subscription: TrailHead,
    /// That of the installation: people, subscriptions, sign-ins.
    pub installation: TrailHead,
}

/// The newest row of an audit trail.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailHead {
    /// How many rows the trail has.
    pub rows: u64,
    /// The hash of the newest row; zeros without one.
    #[schema(value_type = String)]
    pub hash: Digest,
}

impl TrailHeads {
    /// Whether both trails can have grown from `earlier`.
    pub fn follow(&self, earlier: &Self) -> bool {
        let pairs = [(self.subscription, earlier.subscription), (self.installation, earlier.installation)];
        pairs.iter().all(|(now, then)| now.rows > then.rows || now == then)
    }
}

/// The plan in effect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanInEffect {
    pub number: i64,
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
    /// Never, in practice: every member can be written.
    pub fn signed_form(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a signed form. `None` unless it is exactly as [`Header::signed_form`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let header: Self = serde_json::from_str(text).ok()?;
        (header.signed_form().ok()? == text).then_some(header)
    }

    /// Whether both headers state the same count of the same day; when and why they were sealed does not matter.
    pub fn counts_as(&self, other: &Self) -> bool {
        (self.day, &self.policy, &self.plan, &self.census, self.size, self.root)
            == (other.day, &other.policy, &other.plan, &other.census, other.size, other.root)
    }
}
