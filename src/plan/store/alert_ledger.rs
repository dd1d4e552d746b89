//! The ledger of alerts: an entry for each alert that was shown, and lines that are only appended.

use super::alerts::{from_json, json_of};
use super::engine::{Bulk, sql};
use super::{Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::alert_ledger::{
    AlertLedger, KEPT, LINES, LedgerEntry, LedgerEvent, LedgerLine, LedgerSteps,
};
use crate::security::AlertId;
use crate::wire::SubscriptionId;

/// A line of the ledger with its number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberedLine {
    /// Counts up within the subscription.
    pub number: u64,
    pub line: LedgerLine,
}

impl Store {
    /// The entries of a subscription.
    ///
    /// # Errors
    /// The database's.
    pub async fn alert_ledger(&self, subscription: &SubscriptionId) -> Result<AlertLedger, StoreError> {
        self.read().await?.alert_ledger(subscription).await
    }

    /// Records what changes if some alerts are shown, as `steps` finds it. The lock is taken only if something changes.
    /// Returns how many alerts have no room.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_alerts(
        &self,
        subscription: &SubscriptionId,
        steps: impl Fn(&AlertLedger) -> LedgerSteps,
    ) -> Result<u64, StoreError> {
        let found = steps(&self.alert_ledger(subscription).await?);
        if found.is_empty() {
            return Ok(found.unrecorded);
        }
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        // Another service may have recorded the same meanwhile.
        let found = steps(&work.alert_ledger(subscription).await?);
        work.keep_entries(subscription, &found.entries).await?;
        work.append_lines(subscription, &found.lines).await?;
        work.commit().await?;
        Ok(found.unrecorded)
    }

    /// Lines of the ledger, the newest first: at most `limit`, of those numbered below `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn alert_lines(
        &self,
        subscription: &SubscriptionId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<NumberedLine>, StoreError> {
        let query = "SELECT number, line FROM alert_line WHERE subscription = $1 AND number < $2
                     ORDER BY number DESC LIMIT $3";
        let before = before.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.rows(sql(query).bind(subscription).bind(before).bind(limit)).await?;
        let read = |row: &super::engine::Row| {
            let number = u64::try_from(row.int("number")?).unwrap_or_default();
            Ok(NumberedLine { number, line: from_json("alert_line", row.str("line")?)? })
        };
        rows.iter().map(read).collect()
    }

    /// The lines of one alert, the earliest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn lines_of_alert(
        &self,
        subscription: &SubscriptionId,
        id: AlertId,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        let query = "SELECT line FROM alert_line WHERE subscription = $1 AND id = $2 ORDER BY number";
        let rows = self.rows(sql(query).bind(subscription).bind(id.to_string())).await?;
        rows.iter().map(|row| from_json("alert_line", row.str("line")?)).collect()
    }

    /// Deletes what is older than 400 days, or beyond the bound: lines, entries that were withdrawn, and changes of alerts.
    /// Decisions stay.
    ///
    /// # Errors
    /// The database's.
    pub async fn prune_alerts(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let oldest = now.plus(-KEPT);
        let first = "SELECT COALESCE(max(number), 0) AS n FROM alert_line WHERE subscription = $1";
        let newest = self.row(sql(first).bind(subscription)).await?.map(|row| row.int("n")).transpose()?;
        let bound = newest.unwrap_or_default().saturating_sub(i64::try_from(LINES).unwrap_or(i64::MAX));
        let old = "SELECT 1 AS one FROM alert_line WHERE subscription = $1 AND (made_at < $2 OR number <= $3)
                   UNION ALL SELECT 1 AS one FROM alert_change WHERE subscription = $1 AND made_at < $2 LIMIT 1";
        let old = sql(old).bind(subscription).bind(oldest.0).bind(bound);
        if self.row(old).await?.is_none() {
            return Ok(0);
        }
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        // The newest row of each stays, because numbers must not come again.
        let lines = "DELETE FROM alert_line WHERE subscription = $1 AND (made_at < $2 OR number <= $3)
                     AND number < (SELECT max(number) FROM alert_line WHERE subscription = $1)";
        let mut gone = work.execute(sql(lines).bind(subscription).bind(oldest.0).bind(bound)).await?;
        let steps = "DELETE FROM alert_step WHERE subscription = $1 AND number IN
                     (SELECT number FROM alert_change WHERE subscription = $1 AND made_at < $2)";
        work.execute(sql(steps).bind(subscription).bind(oldest.0)).await?;
        let changes = "DELETE FROM alert_change WHERE subscription = $1 AND made_at < $2
                       AND number < (SELECT max(number) FROM alert_change WHERE subscription = $1)";
        gone += work.execute(sql(changes).bind(subscription).bind(oldest.0)).await?;
        let ledger = work.alert_ledger(subscription).await?;
        let is_over = |entry: &&LedgerEntry| entry.withdrawn.is_some_and(|withdrawn| withdrawn.at < oldest);
        for entry in ledger.entries.values().filter(is_over) {
            let delete = "DELETE FROM alert_entry WHERE subscription = $1 AND id = $2";
            gone += work.execute(sql(delete).bind(subscription).bind(entry.id.to_string())).await?;
        }
        work.commit().await?;
        Ok(gone)
    }
}

impl Work {
    async fn alert_ledger(&mut self, subscription: &SubscriptionId) -> Result<AlertLedger, StoreError> {
        let mut ledger = AlertLedger::default();
        let query = "SELECT entry FROM alert_entry WHERE subscription = $1";
        for row in self.rows(sql(query).bind(subscription)).await? {
            let entry: LedgerEntry = from_json("alert_entry", row.str("entry")?)?;
            ledger.entries.insert(entry.id, entry);
        }
        Ok(ledger)
    }

    async fn keep_entries(
        &mut self,
        subscription: &SubscriptionId,
        entries: &[LedgerEntry],
    ) -> Result<(), StoreError> {
        let fixed = [("subscription", subscription.as_str())];
        let values =
            vec![entries.iter().map(|e| e.id.to_string()).collect(), entries.iter().map(json_of).collect()];
        self.upsert(Bulk { table: "alert_entry", fixed: &fixed, columns: &["id", "entry"], values }).await
    }

    async fn append_lines(
        &mut self,
        subscription: &SubscriptionId,
        lines: &[LedgerLine],
    ) -> Result<(), StoreError> {
        let newest = "SELECT COALESCE(max(number), 0) AS n FROM alert_line WHERE subscription = $1";
        let newest = self.row(sql(newest).bind(subscription)).await?.map(|row| row.int("n")).transpose()?;
        for (number, line) in (newest.unwrap_or_default().saturating_add(1)..).zip(lines) {
            let put = "INSERT INTO alert_line (subscription, number, made_at, id, line) VALUES ($1, $2, $3, $4, $5)";
            let put = sql(put).bind(subscription).bind(number).bind(line.at.0).bind(line.id.to_string());
            self.execute(put.bind(json_of(line))).await?;
        }
        Ok(())
    }

    /// Appends that people were told of alerts.
    pub(super) async fn told_of_alerts(
        &mut self,
        subscription: &SubscriptionId,
        ids: &[AlertId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let line = |id: &AlertId| LedgerLine { at: now, id: *id, event: LedgerEvent::Told };
        let lines: Vec<LedgerLine> = ids.iter().map(line).collect();
        if lines.is_empty() { Ok(()) } else { self.append_lines(subscription, &lines).await }
    }
}
