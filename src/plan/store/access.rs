//! The record of denials and of failed sign-ins in the audit trails.

use serde_json::json;

use super::audit::{Actor, Entry};
use super::engine::sql;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::census::time::DAY;
use crate::wire::SubscriptionId;

/// A minute in nanoseconds: how often one denial or failure of one actor is recorded.
const MINUTE: i64 = 60_000_000_000;
/// Rows of a trail about refused requests in 24 hours, of each action. Rows are never deleted, so this bounds by how much
/// strangers and tenants without a right make a trail grow.
const A_DAY: i64 = 200;
/// The longest object of a denial in characters.
const OBJECT: usize = 200;

impl Store {
    /// Records that somebody was not permitted to do something, in the trail of the subscription or of the installation:
    /// at most once a minute for each actor and object.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_denial(
        &self,
        subscription: Option<&SubscriptionId>,
        by: &By,
        action: &str,
        object: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            action: "denied",
            object: object.chars().take(OBJECT).collect(),
            after: Some(json!({"action": action})),
            ..Entry::default()
        };
        self.audit_once_a_minute(subscription, by, entry, now).await
    }

    /// Records that somebody failed to sign in as `name`: at most once a minute for each name. All unknown names count as
    /// one. The row does not contain an unknown name, because people sometimes type a password there.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_failed_sign_in(&self, name: &str, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let known = self.row(sql("SELECT 1 AS one FROM person WHERE name = $1").bind(name)).await?.is_some();
        let object = if known { format!("person/{name}") } else { "person?".to_owned() };
        let by = By { actor: Actor::Nobody, ..by.clone() };
        self.audit_once_a_minute(
            None,
            &by,
            Entry { action: "sign-in-failed", object, ..Entry::default() },
            now,
        )
        .await
    }

    async fn audit_once_a_minute(
        &self,
        subscription: Option<&SubscriptionId>,
        by: &By,
        entry: Entry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Most repetitions end here, without a turn among the writers.
        if self.read().await?.is_recorded(subscription, by, &entry, now).await? {
            return Ok(());
        }
        let mut work = self.write(subscription.map_or(Scope::Installation, Scope::Subscription)).await?;
        if !work.is_recorded(subscription, by, &entry, now).await? {
            work.audit_refused(subscription, by, entry, now).await?;
            work.commit().await?;
        }
        Ok(())
    }

    /// Refused requests for which the trail has no row, because it has as many of a day as it takes.
    ///
    /// # Errors
    /// The database's.
    pub async fn unrecorded(&self, subscription: Option<&SubscriptionId>) -> Result<i64, StoreError> {
        let query = "SELECT number FROM unrecorded WHERE subscription = $1";
        let rows = self.rows(sql(query).bind(subscription.map_or("", SubscriptionId::as_str))).await?;
        rows.iter().try_fold(0_i64, |sum, row| Ok(sum.saturating_add(row.int("number")?)))
    }
}

impl Work {
    /// Adds a row about a refused request. A trail takes [`A_DAY`] of each action in 24 hours; further ones are counted,
    /// and the next row has their number as `unrecorded`.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn audit_refused(
        &mut self,
        subscription: Option<&SubscriptionId>,
        by: &By,
        mut entry: Entry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let trail = subscription.map_or("", SubscriptionId::as_str);
        let oldest = "SELECT at FROM audit WHERE subscription = $1 AND action = $2 ORDER BY number DESC LIMIT 1 OFFSET $3";
        let oldest = self.row(sql(oldest).bind(trail).bind(entry.action).bind(A_DAY - 1)).await?;
        if oldest.map(|row| row.int("at")).transpose()?.is_some_and(|at| at > now.plus(-DAY).0) {
            let count = "INSERT INTO unrecorded (subscription, action, number) VALUES ($1, $2, 1)
                         ON CONFLICT (subscription, action) DO UPDATE SET number = unrecorded.number + 1";
            return self.execute(sql(count).bind(trail).bind(entry.action)).await.map(drop);
        }
        let counted = "SELECT number FROM unrecorded WHERE subscription = $1 AND action = $2";
        if let Some(row) = self.row(sql(counted).bind(trail).bind(entry.action)).await? {
            let number = row.int("number")?;
            let after = entry.after.get_or_insert_with(|| json!({}));
            if let Some(after) = after.as_object_mut() {
                after.insert("unrecorded".to_owned(), number.into());
            }
            let gone = "DELETE FROM unrecorded WHERE subscription = $1 AND action = $2";
            self.execute(sql(gone).bind(trail).bind(entry.action)).await?;
        }
        self.audit(subscription, by, entry, now).await
    }

    /// Whether the trail has such an entry of this minute. If the clock was set back, the entry is recorded again.
    async fn is_recorded(
        &mut self,
        subscription: Option<&SubscriptionId>,
        by: &By,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let minute = now.0.saturating_sub(now.0.rem_euclid(MINUTE));
        let query = "SELECT 1 AS one FROM audit
                     WHERE subscription = $1 AND action = $2 AND actor = $3 AND object = $4 AND at >= $5 AND at <= $6
                     LIMIT 1";
        let query = sql(query)
            .bind(subscription.map_or("", SubscriptionId::as_str))
            .bind(entry.action)
            .bind(by.actor.to_string())
            .bind(&entry.object)
            .bind(minute)
            .bind(now.0);
        Ok(self.row(query).await?.is_some())
    }
}
