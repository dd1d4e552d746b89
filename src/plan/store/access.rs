//! The record of denials and of failed sign-ins in the audit trails.

use serde_json::json;

use super::audit::{Actor, Entry};
use super::engine::sql;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::wire::SubscriptionId;

/// A minute in nanoseconds: how often one denial or failure of one actor is recorded.
const MINUTE: i64 = 60_000_000_000;
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
        let mut work = self.write(subscription.map_or(Scope::Installation, Scope::Subscription)).await?;
        if !work.is_recorded(subscription, by, &entry, now).await? {
            work.audit(subscription, by, entry, now).await?;
            work.commit().await?;
        }
        Ok(())
    }
}

impl Work {
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
