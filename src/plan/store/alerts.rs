//! What people decided about alerts, and each change of it. Alerts themselves are derived from facts.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::Entry;
use super::engine::{Bulk, Row, sql};
use super::{By, Expected, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::alert_life::AlertDecision;
use crate::security::AlertId;
use crate::wire::SubscriptionId;

/// The most alerts of a subscription about which people may have decided.
const DECISIONS: usize = 100_000;
/// The most alerts of one change.
pub const CHANGED_AT_ONCE: usize = 1_000;

/// A change of what people decided about alerts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct AlertChange {
    /// Counts up within the subscription.
    pub number: u64,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who made it: `person:NAME` or `operator`.
    pub by: String,
    /// The reason of the request, as in the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many alerts it changed.
    pub alerts: u64,
    /// The change that it undid; left out if it undid none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// The change that undid it; left out if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<u64>,
}

/// An alert in a change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct AlertStep {
    #[schema(value_type = String)]
    pub id: AlertId,
    /// The decision before; null if there was none.
    pub before: Option<AlertDecision>,
    /// The decision after; null if there is none.
    pub after: Option<AlertDecision>,
}

/// A change with what it changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct AlertChangeSteps {
    pub change: AlertChange,
    pub steps: Vec<AlertStep>,
}

impl Store {
    /// What people decided about the alerts of a subscription.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn alert_decisions(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<BTreeMap<AlertId, AlertDecision>, StoreError> {
        self.read().await?.alert_decisions(subscription).await
    }

    /// Records what a person decided about alerts, in place of what was decided before. `expected` covers the decisions
    /// before about the alerts or objects `covered`.
    ///
    /// # Errors
    /// [`StoreError::Full`] beyond a bound, [`StoreError::Stale`], or the database's.
    pub async fn decide_alerts(
        &self,
        subscription: &SubscriptionId,
        decisions: &[(AlertId, AlertDecision)],
        (covered, expected): (&[AlertId], &Expected),
        by: &By,
        now: Timestamp,
    ) -> Result<AlertChangeSteps, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let known = work.alert_decisions(subscription).await?;
        let seen: Vec<Option<&AlertDecision>> = covered.iter().map(|id| known.get(id)).collect();
        expected.check(&seen)?;
        let before: Vec<Option<&AlertDecision>> = decisions.iter().map(|(id, _)| known.get(id)).collect();
        let fresh = before.iter().filter(|before| before.is_none()).count();
        if known.len() + fresh > DECISIONS {
            return Err(StoreError::Full(DECISIONS));
        }
        let step = |((id, decision), before): (&(AlertId, AlertDecision), Option<&AlertDecision>)| {
            AlertStep { id: *id, before: before.cloned(), after: Some(decision.clone()) }
        };
        let steps = decisions.iter().zip(before).map(step).collect();
        let done = work.change_alerts(subscription, steps, None, by, now).await?;
        work.finish(by).await?;
        Ok(done)
    }

    /// Undoes a change: each of its alerts gets the decision that it had before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::AlertUndo`] if the change was undone, or one of its alerts was decided about
    /// since; or the database's.
    pub async fn undo_alerts(
        &self,
        subscription: &SubscriptionId,
        number: u64,
        by: &By,
        now: Timestamp,
    ) -> Result<AlertChangeSteps, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let missing = || StoreError::NotFound { what: "change of alerts", id: number.to_string() };
        let query = "SELECT change, undone_by FROM alert_change WHERE subscription = $1 AND number = $2";
        let stored = i64::try_from(number).map_err(|_| missing())?;
        let row = work.row(sql(query).bind(subscription).bind(stored)).await?.ok_or_else(missing)?;
        let change = read_change(&row)?;
        if let Some(by) = change.undone_by {
            return Err(StoreError::AlertUndo { number, why: format!("change {by} undid it already") });
        }
        let known = work.alert_decisions(subscription).await?;
        let query =
            "SELECT id, before, after FROM alert_step WHERE subscription = $1 AND number = $2 ORDER BY id";
        let rows = work.rows(sql(query).bind(subscription).bind(stored)).await?;
        let steps = rows.iter().map(read_step).collect::<Result<Vec<_>, _>>()?;
        if let Some(later) = steps.iter().find(|step| known.get(&step.id) != step.after.as_ref()) {
            let why = format!("somebody decided about the alert {} since", later.id);
            return Err(StoreError::AlertUndo { number, why });
        }
        let back = |step: AlertStep| AlertStep { before: step.after, after: step.before, ..step };
        let steps = steps.into_iter().map(back).collect();
        let done = work.change_alerts(subscription, steps, Some(number), by, now).await?;
        let mark = "UPDATE alert_change SET undone_by = $3 WHERE subscription = $1 AND number = $2";
        let by_change = i64::try_from(done.change.number).unwrap_or(i64::MAX);
        work.execute(sql(mark).bind(subscription).bind(stored).bind(by_change)).await?;
        work.finish(by).await?;
        Ok(done)
    }

    /// Changes of alerts, the newest first: at most `limit`, of those numbered below `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn alert_changes(
        &self,
        subscription: &SubscriptionId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AlertChange>, StoreError> {
        let query = "SELECT change, undone_by FROM alert_change WHERE subscription = $1 AND number < $2
                     ORDER BY number DESC LIMIT $3";
        let before = before.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.rows(sql(query).bind(subscription).bind(before).bind(limit)).await?;
        rows.iter().map(read_change).collect()
    }

    /// What people decided about an alert, the earliest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn alert_steps(
        &self,
        subscription: &SubscriptionId,
        id: AlertId,
    ) -> Result<Vec<(AlertChange, AlertStep)>, StoreError> {
        let query = "SELECT s.id, s.before, s.after, c.change, c.undone_by FROM alert_step s
                     JOIN alert_change c ON c.subscription = s.subscription AND c.number = s.number
                     WHERE s.subscription = $1 AND s.id = $2 ORDER BY s.number";
        let rows = self.rows(sql(query).bind(subscription).bind(id.to_string())).await?;
        rows.iter().map(|row| Ok((read_change(row)?, read_step(row)?))).collect()
    }
}

impl Work {
    async fn alert_decisions(
        &mut self,
        subscription: &SubscriptionId,
    ) -> Result<BTreeMap<AlertId, AlertDecision>, StoreError> {
        let query = "SELECT id, decision FROM alert_decision WHERE subscription = $1";
        let mut decisions = BTreeMap::new();
        for row in self.rows(sql(query).bind(subscription)).await? {
            decisions.insert(row.id("id")?, from_json("alert_decision", row.str("decision")?)?);
        }
        Ok(decisions)
    }

    /// Writes the decisions after each step, the change, and its row of the audit trail.
    async fn change_alerts(
        &mut self,
        subscription: &SubscriptionId,
        steps: Vec<AlertStep>,
        undoes: Option<u64>,
        by: &By,
        now: Timestamp,
    ) -> Result<AlertChangeSteps, StoreError> {
        let newest = "SELECT COALESCE(max(number), 0) AS n FROM alert_change WHERE subscription = $1";
        let newest = self.row(sql(newest).bind(subscription)).await?.map(|row| row.int("n")).transpose()?;
        let number = newest.unwrap_or_default().saturating_add(1);
        let change = AlertChange {
            number: u64::try_from(number).unwrap_or_default(),
            at: now,
            by: by.actor.to_string(),
            why: by.reason.clone(),
            alerts: steps.len() as u64,
            undoes,
            undone_by: None,
        };
        let put = "INSERT INTO alert_change (subscription, number, made_at, change) VALUES ($1, $2, $3, $4)";
        self.execute(sql(put).bind(subscription).bind(number).bind(now.0).bind(json_of(&change))).await?;
        let (mut ids, mut decisions) = (Vec::new(), Vec::new());
        for step in &steps {
            let put = "INSERT INTO alert_step (subscription, id, number, before, after) VALUES ($1, $2, $3, $4, $5)";
            let id = step.id.to_string();
            let put = sql(put).bind(subscription).bind(&id).bind(number);
            let (before, after) = (step.before.as_ref().map(json_of), step.after.as_ref().map(json_of));
            self.execute(put.bind(before).bind(after.clone())).await?;
            match after {
                Some(after) => {
                    ids.push(id);
                    decisions.push(after);
                }
                None => {
                    let gone = "DELETE FROM alert_decision WHERE subscription = $1 AND id = $2";
                    self.execute(sql(gone).bind(subscription).bind(&id)).await?;
                }
            }
        }
        let fixed = [("subscription", subscription.as_str())];
        let columns: &[&str] = &["id", "decision"];
        let values = vec![ids, decisions];
        self.upsert(Bulk { table: "alert_decision", fixed: &fixed, columns, values }).await?;
        self.audit_alerts(subscription, &change, &steps, by).await?;
        Ok(AlertChangeSteps { change, steps })
    }

    async fn audit_alerts(
        &mut self,
        subscription: &SubscriptionId,
        change: &AlertChange,
        steps: &[AlertStep],
        by: &By,
    ) -> Result<(), StoreError> {
        let trace = |d: &AlertDecision| {
            let until = d.until.map(|at| at.to_string());
            json!({"state": d.state, "reason": d.reason, "until": until, "note": d.note, "assignee": d.assignee,
                "scope": d.scope})
        };
        let action = if change.undoes.is_some() { "alert.undo" } else { "alert.decide" };
        let entry = match steps {
            [one] => Entry {
                action,
                object: format!("alert/{}", one.id),
                before: one.before.as_ref().map(trace),
                after: one.after.as_ref().map(trace),
                count_delta: None,
            },
            many => Entry {
                action,
                object: format!("alert-change/{}", change.number),
                before: None,
                after: Some(json!({
                    "alerts": many.len(),
                    "undoes": change.undoes,
                    "decision": many.first().and_then(|step| step.after.as_ref()).map(trace),
                })),
                count_delta: None,
            },
        };
        self.audit(Some(subscription), by, entry, change.at).await
    }
}

fn read_change(row: &Row) -> Result<AlertChange, StoreError> {
    let change: AlertChange = from_json("alert_change", row.str("change")?)?;
    let undone_by = row.opt_int("undone_by")?.and_then(|n| u64::try_from(n).ok());
    Ok(AlertChange { undone_by, ..change })
}

fn read_step(row: &Row) -> Result<AlertStep, StoreError> {
    let decision = |column: &str| -> Result<Option<AlertDecision>, StoreError> {
        row.opt_text(column)?.map(|text| from_json("alert_step", &text)).transpose()
    };
    Ok(AlertStep { id: row.id("id")?, before: decision("before")?, after: decision("after")? })
}

pub(super) fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn from_json<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Corrupt { table, why: e.to_string() })
}
