//! The ledger of findings: one row a finding, read and written as a whole.

use serde_json::{Value, json};

use super::audit::Entry;
use super::engine::{Bulk, Query, Row, sql};
use super::{By, Scope, Store, StoreError, Work};
use crate::census::{FindingId, Timestamp};
use crate::plan::finding_ledger::{
    Conclusions, FindingDecision, FindingLedger, FindingRecord, FindingState, Overflow,
};
use crate::wire::SubscriptionId;

const RECORDS: &str = "SELECT record FROM finding WHERE subscription = $1";
const OVERFLOW: &str = "SELECT overflow FROM finding_survey WHERE subscription = $1";

/// What a survey counted, and when it began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Surveyed {
    pub facts: i64,
    pub decisions: i64,
    pub at: Timestamp,
}

impl Store {
    /// The ledger of a subscription.
    ///
    /// # Errors
    /// The database's.
    pub async fn finding_ledger(&self, subscription: &SubscriptionId) -> Result<FindingLedger, StoreError> {
        self.read().await?.finding_ledger(subscription).await
    }

    /// The subscriptions with uploads or decisions that no recorded survey has counted.
    ///
    /// # Errors
    /// The database's.
    pub async fn unsurveyed(&self) -> Result<Vec<SubscriptionId>, StoreError> {
        let query = "SELECT s.id FROM subscription s LEFT JOIN finding_survey f ON f.subscription = s.id
                     WHERE s.facts_revision > 0 AND (f.subscription IS NULL
                         OR f.facts_revision <> s.facts_revision OR f.decisions_revision <> s.decisions_revision
                         OR EXISTS (SELECT 1 FROM sensor u
                                    WHERE u.subscription = s.id AND u.uploaded_at >= f.surveyed_at))
                     ORDER BY s.id";
        self.rows(sql(query)).await?.iter().map(|row| row.id("id")).collect()
    }

    /// Records what a survey found. Returns how many findings it changed. The lock that uploads wait for is held only while
    /// changes are written.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_findings(
        &self,
        subscription: &SubscriptionId,
        shown: &Conclusions,
        surveyed: Surveyed,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let known = self.finding_ledger(subscription).await?;
        let mut ledger = known.clone();
        ledger.take(shown, now);
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let mut changed = 0;
        if ledger != known {
            // A person may have decided meanwhile.
            let known = work.finding_ledger(subscription).await?;
            let mut ledger = known.clone();
            ledger.take(shown, now);
            changed = work.keep_findings(subscription, &known, &ledger).await?;
        }
        let Surveyed { facts, decisions, at } = surveyed;
        let mark = "INSERT INTO finding_survey (subscription, facts_revision, decisions_revision, surveyed_at, overflow)
                    VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (subscription) DO UPDATE SET facts_revision = excluded.facts_revision,
                    decisions_revision = excluded.decisions_revision, surveyed_at = excluded.surveyed_at";
        let mark = sql(mark).bind(subscription).bind(facts).bind(decisions).bind(at.0);
        work.execute(mark.bind(text(&Overflow::default()))).await?;
        work.commit().await?;
        Ok(changed)
    }

    /// Closes a finding or opens it again. `shown` is what the newest survey shows, so that a finding can be closed as soon
    /// as a page shows it. If the finding has that state already, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database's.
    pub async fn decide_finding(
        &self,
        subscription: &SubscriptionId,
        id: FindingId,
        decision: &FindingDecision,
        shown: &Conclusions,
        by: &By,
        now: Timestamp,
    ) -> Result<FindingRecord, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let known = work.finding_ledger(subscription).await?;
        let mut ledger = known.clone();
        ledger.take(shown, now);
        let missing = || StoreError::NotFound { what: "finding", id: id.to_string() };
        let record = ledger.records.get_mut(&id).ok_or_else(missing)?;
        let before = record.clone();
        if !record.decide(decision, &by.actor.to_string(), now) {
            return Ok(before);
        }
        let after = record.clone();
        if known.records.contains_key(&id) {
            // Another service may have recorded a newer survey than `shown`.
            ledger = known.clone();
            ledger.records.insert(id, after.clone());
        }
        work.keep_findings(subscription, &known, &ledger).await?;
        let action = match decision.state {
            FindingState::Closed => "finding.close",
            FindingState::Open => "finding.reopen",
        };
        let entry = Entry {
            action,
            object: format!("finding/{id}"),
            before: Some(traced(&before)),
            after: Some(traced(&after)),
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(after)
    }
}

impl Work {
    async fn finding_ledger(&mut self, subscription: &SubscriptionId) -> Result<FindingLedger, StoreError> {
        let mut ledger = FindingLedger::default();
        let mut add = |row: &Row| {
            let record: FindingRecord = read(row, "record")?;
            ledger.records.insert(record.finding.id, record);
            Ok(())
        };
        self.each(sql(RECORDS).bind(subscription), &mut add).await?;
        if let Some(row) = self.row(sql(OVERFLOW).bind(subscription)).await? {
            ledger.overflow = read(&row, "overflow")?;
        }
        Ok(ledger)
    }

    /// Writes what is new or different. Returns how many rows that is.
    async fn keep_findings(
        &mut self,
        subscription: &SubscriptionId,
        known: &FindingLedger,
        ledger: &FindingLedger,
    ) -> Result<usize, StoreError> {
        let gone: Vec<&FindingId> =
            known.records.keys().filter(|id| !ledger.records.contains_key(id)).collect();
        for id in &gone {
            let delete = "DELETE FROM finding WHERE subscription = $1 AND id = $2";
            self.execute(sql(delete).bind(subscription).bind(id.to_string())).await?;
        }
        let changed = ledger.records.iter().filter(|(id, record)| known.records.get(id) != Some(record));
        let (ids, records): (Vec<String>, Vec<String>) =
            changed.map(|(id, record)| (id.to_string(), text(record))).unzip();
        let rows = ids.len() + gone.len();
        let fixed = [("subscription", subscription.as_str())];
        let values = vec![ids, records];
        self.upsert(Bulk { table: "finding", fixed: &fixed, columns: &["id", "record"], values }).await?;
        if known.overflow != ledger.overflow {
            self.execute(put_overflow(subscription, &ledger.overflow)).await?;
        }
        Ok(rows)
    }
}

/// Before the first survey there is no row. Its revisions are lower than any, so that the survey stays due.
fn put_overflow(subscription: &SubscriptionId, overflow: &Overflow) -> Query {
    let put =
        "INSERT INTO finding_survey (subscription, facts_revision, decisions_revision, surveyed_at, overflow)
               VALUES ($1, -1, -1, 0, $2)
               ON CONFLICT (subscription) DO UPDATE SET overflow = excluded.overflow";
    sql(put).bind(subscription).bind(text(overflow))
}

/// What the audit trail keeps of a finding.
fn traced(record: &FindingRecord) -> Value {
    let FindingRecord { finding, state, note, .. } = record;
    let last = finding.last.map(|at| at.to_string());
    json!({"state": state, "kind": finding.kind, "zone": finding.zone, "last": last, "note": note})
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn read<T: serde::de::DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    let corrupt = |e: serde_json::Error| StoreError::Corrupt { table: "finding", why: e.to_string() };
    serde_json::from_str(row.str(column)?).map_err(corrupt)
}
