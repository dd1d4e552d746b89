//! Reading the audit trail: by filters, whole, and to verify it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::audit::{AuditEntry, hash_of, read};
use super::engine::{Query, sql};
use super::{Store, StoreError, Work};
use crate::census::Timestamp;
use crate::proof::{Digest, TrailHead, TrailHeads};
use crate::wire::SubscriptionId;

/// Rows of one page at most.
pub const PAGE: i64 = 500;

/// A filter of a trail's rows. The default is all rows.
#[derive(Clone, Debug, Default)]
pub struct TrailFilter {
    /// Only of this actor, such as `person:alice`.
    pub actor: Option<String>,
    /// Only this action, such as `plan.cancel`.
    pub action: Option<String>,
    /// Only about this object, such as `plan/3`.
    pub object: Option<String>,
    /// Only at this instant or later.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub to: Option<Timestamp>,
    /// Only rows with a smaller number; the last number of the previous page gives the next page.
    pub before: Option<i64>,
}

/// A trail whose chain is intact.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifiedTrail {
    /// How many rows.
    pub rows: i64,
    /// The hash of the newest row; zeros if the trail is empty.
    pub head: [u8; 32],
}

/// Where a trail's chain breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BrokenTrail {
    /// Rows are missing.
    #[error(
        "row {expected} of the audit trail is missing: row {found} follows instead; compare with a backup"
    )]
    Missing {
        /// The first that is missing.
        expected: i64,
        /// The row found instead.
        found: i64,
    },
    /// A row is not as it was written.
    #[error("row {0} of the audit trail was changed after it was written; compare with a backup")]
    Changed(i64),
    /// The trail is not the one whose head a snapshot anchors.
    #[error(
        "the snapshot of {day} anchors row {number} of the audit trail, but the trail has no such row with that hash; compare with a backup"
    )]
    Anchor { day: String, number: i64 },
    /// The trail is not the one that was seen before, or its newest rows are missing.
    #[error("the audit trail does not contain row {0} with the hash that you gave; compare with a backup")]
    OtherHead(i64),
}

impl Store {
    /// Rows of a trail, the newest first: at most `limit`, and [`PAGE`]. `None` is the installation's trail.
    ///
    /// # Errors
    /// The database's.
    pub async fn trail(
        &self,
        subscription: Option<&SubscriptionId>,
        filter: &TrailFilter,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.rows(select(subscription, filter, limit.clamp(1, PAGE))).await?.iter().map(read).collect()
    }

    /// Rows of a trail, the newest first: at most `limit`, of those numbered below `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_trail(
        &self,
        subscription: Option<&SubscriptionId>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let filter = TrailFilter { before, ..TrailFilter::default() };
        self.rows(select(subscription, &filter, limit)).await?.iter().map(read).collect()
    }

    /// Recomputes the chain of a trail from its first row, and compares it with the heads that snapshots anchor. `seen` is
    /// the number and hash of the newest row at an earlier verification: with it, the loss of the newest rows is found too.
    ///
    /// # Errors
    /// The database's.
    pub async fn verify_trail(
        &self,
        subscription: Option<&SubscriptionId>,
        seen: Option<(i64, [u8; 32])>,
    ) -> Result<Result<VerifiedTrail, BrokenTrail>, StoreError> {
        let trail = subscription.map_or("", SubscriptionId::as_str);
        let query = "SELECT * FROM audit WHERE subscription = $1 ORDER BY number";
        let (mut good, mut broken) = (VerifiedTrail { rows: 0, head: [0; 32] }, None);
        let mut found = seen.is_none();
        let mut work = self.read().await?;
        let mut anchors = work.anchors(subscription).await?;
        let mut each = |row: &super::engine::Row| {
            if broken.is_some() {
                return Ok(());
            }
            let row = match read(row) {
                Ok(row) => row,
                Err(StoreError::Corrupt { .. }) => {
                    broken = Some(BrokenTrail::Changed(row.int("number")?));
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let expected = good.rows.saturating_add(1);
            if row.number != expected {
                broken = Some(BrokenTrail::Missing { expected, found: row.number });
            } else if row.hash != row.expected_hash(trail, &good.head) {
                broken = Some(BrokenTrail::Changed(row.number));
            } else {
                found |= seen == Some((row.number, row.hash));
                if anchors.get(&row.number).is_some_and(|(_, hash)| *hash == row.hash) {
                    anchors.remove(&row.number);
                }
                good = VerifiedTrail { rows: row.number, head: row.hash };
            }
            Ok(())
        };
        work.each(sql(query).bind(trail), &mut each).await?;
        Ok(match (broken, seen) {
            (Some(broken), _) => Err(broken),
            (None, Some((number, _))) if !found => Err(BrokenTrail::OtherHead(number)),
            _ => match anchors.pop_first() {
                Some((number, (day, _))) => Err(BrokenTrail::Anchor { day, number }),
                None => Ok(good),
            },
        })
    }
}

/// The members of a header that anchor the trails.
#[derive(Deserialize)]
struct Anchors {
    day: String,
    trails: Option<TrailHeads>,
}

impl Work {
    /// The newest row of a trail, for a header.
    pub(super) async fn trail_head(
        &mut self,
        subscription: Option<&SubscriptionId>,
    ) -> Result<TrailHead, StoreError> {
        let newest = "SELECT number, hash FROM audit WHERE subscription = $1 ORDER BY number DESC LIMIT 1";
        let trail = subscription.map_or("", SubscriptionId::as_str);
        let Some(row) = self.row(sql(newest).bind(trail)).await? else {
            return Ok(TrailHead { rows: 0, hash: Digest([0; 32]) });
        };
        let rows = u64::try_from(row.int("number")?).unwrap_or_default();
        Ok(TrailHead { rows, hash: Digest(hash_of(&row)?) })
    }

    /// The rows of a trail that snapshots anchor, each with the day and the hash. All snapshots anchor the installation's.
    async fn anchors(
        &mut self,
        subscription: Option<&SubscriptionId>,
    ) -> Result<BTreeMap<i64, (String, [u8; 32])>, StoreError> {
        let query = match subscription {
            Some(id) => sql("SELECT header FROM snapshot WHERE subscription = $1").bind(id),
            None => sql("SELECT header FROM snapshot"),
        };
        let mut out = BTreeMap::new();
        self.each(query, &mut |row| {
            let read = serde_json::from_str::<Anchors>(row.str("header")?);
            let anchors = read.map_err(|e| StoreError::Corrupt { table: "snapshot", why: e.to_string() })?;
            let Some(trails) = anchors.trails else { return Ok(()) };
            let head = if subscription.is_some() { trails.subscription } else { trails.installation };
            if let Some(number) = i64::try_from(head.rows).ok().filter(|rows| *rows > 0) {
                out.insert(number, (anchors.day, head.hash.0));
            }
            Ok(())
        })
        .await?;
        Ok(out)
    }
}

fn select(subscription: Option<&SubscriptionId>, filter: &TrailFilter, limit: i64) -> Query {
    let mut text = "SELECT * FROM audit WHERE subscription = $1 AND number < $2".to_owned();
    let mut values: Vec<super::engine::Value> = Vec::new();
    let words = [("actor", &filter.actor), ("action", &filter.action), ("object", &filter.object)];
    for (column, word) in words {
        if let Some(word) = word {
            values.push(word.into());
            text.push_str(&format!(" AND {column} = ${}", values.len() + 2));
        }
    }
    for (comparison, instant) in [("at >=", filter.from), ("at <", filter.to)] {
        if let Some(instant) = instant {
            values.push(instant.0.into());
            text.push_str(&format!(" AND {comparison} ${}", values.len() + 2));
        }
    }
    text.push_str(&format!(" ORDER BY number DESC LIMIT ${}", values.len() + 3));
    let mut query = Query::assembled(text)
        .bind(subscription.map_or("", SubscriptionId::as_str))
        .bind(filter.before.unwrap_or(i64::MAX));
    for value in values {
        query = query.bind(value);
    }
    query.bind(limit)
}
