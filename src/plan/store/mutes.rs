//! Mute rules: one row a rule.

use serde_json::json;

use super::alerts::{from_json, json_of};
use super::audit::Entry;
use super::engine::sql;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::mute::{MUTES, Mute, PREVIEW};
use crate::wire::SubscriptionId;

impl Store {
    /// The mute rules of a subscription by number, also those that ended within 30 days.
    ///
    /// # Errors
    /// The database's.
    pub async fn mutes(&self, subscription: &SubscriptionId) -> Result<Vec<Mute>, StoreError> {
        self.read().await?.mutes(subscription).await
    }

    /// Makes a mute rule; its number is given here.
    ///
    /// # Errors
    /// [`StoreError::TooManyMutes`] or the database's.
    pub async fn make_mute(
        &self,
        subscription: &SubscriptionId,
        mute: Mute,
        by: &By,
    ) -> Result<Mute, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let now = mute.at;
        let (kept, ended): (Vec<Mute>, Vec<Mute>) =
            work.mutes(subscription).await?.into_iter().partition(|known| known.until > now.plus(-PREVIEW));
        if kept.iter().filter(|known| known.is_in_force(now)).count() >= MUTES || kept.len() >= 2 * MUTES {
            return Err(StoreError::TooManyMutes);
        }
        let highest = kept.iter().chain(&ended).map(|known| known.number).max().unwrap_or_default();
        // The rule with the highest number stays, so that a number never means another rule.
        for old in ended.iter().filter(|old| old.number < highest) {
            work.delete_mute(subscription, old.number).await?;
        }
        let mute = Mute { number: highest.saturating_add(1), ..mute };
        let put = "INSERT INTO mute (subscription, number, mute) VALUES ($1, $2, $3)";
        let number = i64::try_from(mute.number).unwrap_or(i64::MAX);
        work.execute(sql(put).bind(subscription).bind(number).bind(json_of(&mute))).await?;
        work.audit(Some(subscription), by, entry("mute.make", None, Some(&mute)), now).await?;
        work.finish(by).await?;
        Ok(mute)
    }

    /// Ends a mute rule now. It stays in the list for a while.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none with that number in force, or the database's.
    pub async fn end_mute(
        &self,
        subscription: &SubscriptionId,
        number: u64,
        by: &By,
        now: Timestamp,
    ) -> Result<Mute, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let missing = || StoreError::NotFound { what: "mute rule", id: number.to_string() };
        let known = work.mutes(subscription).await?;
        let before =
            known.into_iter().find(|m| m.number == number && m.is_in_force(now)).ok_or_else(missing)?;
        let after = Mute { until: now, ..before.clone() };
        let set = "UPDATE mute SET mute = $3 WHERE subscription = $1 AND number = $2";
        let stored = i64::try_from(number).map_err(|_| missing())?;
        work.execute(sql(set).bind(subscription).bind(stored).bind(json_of(&after))).await?;
        work.audit(Some(subscription), by, entry("mute.end", Some(&before), Some(&after)), now).await?;
        work.finish(by).await?;
        Ok(after)
    }
}

impl Work {
    async fn mutes(&mut self, subscription: &SubscriptionId) -> Result<Vec<Mute>, StoreError> {
        let query = "SELECT mute FROM mute WHERE subscription = $1 ORDER BY number";
        let rows = self.rows(sql(query).bind(subscription)).await?;
        rows.iter().map(|row| from_json("mute", row.str("mute")?)).collect()
    }

    async fn delete_mute(&mut self, subscription: &SubscriptionId, number: u64) -> Result<(), StoreError> {
        let gone = "DELETE FROM mute WHERE subscription = $1 AND number = $2";
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.execute(sql(gone).bind(subscription).bind(number)).await.map(drop)
    }
}

fn entry(action: &'static str, before: Option<&Mute>, after: Option<&Mute>) -> Entry {
    let trace =
        |mute: &Mute| json!({"filter": mute.filter, "until": mute.until.to_string(), "reason": mute.reason});
    let number = after.or(before).map_or(0, |mute| mute.number);
    let object = format!("mute/{number}");
    Entry { action, object, before: before.map(trace), after: after.map(trace), count_delta: None }
}
