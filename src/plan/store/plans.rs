//! The rows of the timeline. [`crate::billing::timeline`] decides which changes are allowed.

use serde_json::Value;

use super::audit::Entry;
use super::engine::{Query, Row, sql};
use super::terms::accept;
use super::{By, Scope, Store, StoreError, Work};
use crate::billing::timeline::{History, Onboarding, Plan, PlanChange, PlanKind, PlanRefusal};
use crate::census::Timestamp;
use crate::plan::terms::Terms;
use crate::wire::SubscriptionId;

/// The result of a change of the timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The new plan, or else the plan in effect.
    pub plan: Plan,
    /// The timeline after the change.
    pub history: History,
}

impl Store {
    /// All plans of a subscription, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn plans(&self, subscription: &SubscriptionId) -> Result<Vec<Plan>, StoreError> {
        self.rows(all(subscription)).await?.iter().map(read).collect()
    }

    /// The timeline of a subscription at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn history(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<History, StoreError> {
        history(&mut self.read().await?, subscription, now).await
    }

    /// Onboards a plan at `now`, with the terms that are accepted by that.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn onboard(
        &self,
        subscription: &SubscriptionId,
        asked: &Onboarding,
        terms: Option<&Terms>,
        by: &By,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        self.change(subscription, "plan.onboard", terms, by, now, |history| history.onboard(asked)).await
    }

    /// Cancels the plan in effect at `now`. If a successor is booked, takes back only that.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn cancel_plan(
        &self,
        subscription: &SubscriptionId,
        by: &By,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        self.change(subscription, "plan.cancel", None, by, now, History::cancel).await
    }

    /// Withdraws the cancellation of the plan in effect at `now`, and takes back the booked successor.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn withdraw_cancellation(
        &self,
        subscription: &SubscriptionId,
        by: &By,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        self.change(subscription, "plan.withdraw", None, by, now, History::withdraw).await
    }

    /// Replaces the plan in effect at `now`: the new plan starts when it ends.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn replace_plan(
        &self,
        subscription: &SubscriptionId,
        asked: &Onboarding,
        terms: Option<&Terms>,
        by: &By,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        self.change(subscription, "plan.replace", terms, by, now, |history| history.replace(asked)).await
    }

    async fn change(
        &self,
        subscription: &SubscriptionId,
        action: &'static str,
        terms: Option<&Terms>,
        by: &By,
        now: Timestamp,
        act: impl FnOnce(&History) -> Result<PlanChange, PlanRefusal> + Send,
    ) -> Result<Changed, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let before = history(&mut work, subscription, now).await?;
        let change = act(&before)?;
        // First remove the booking, so that the plan in effect may run into its time.
        for plan in change.updated.iter().rev() {
            update(&mut work, subscription, plan).await?;
        }
        if let Some(plan) = &change.added {
            insert(&mut work, subscription, plan).await?;
            accept(&mut work, subscription, plan.number, terms, by, plan.accepted_terms_at).await?;
        }
        let history = history(&mut work, subscription, now).await?;
        let plan = change.added.as_ref().or_else(|| history.in_effect()).ok_or(PlanRefusal::NoPlan)?.clone();
        let entry = Entry {
            action,
            object: format!("plan/{}", plan.number),
            before: Some(rows(before.plans(), &change)),
            after: Some(rows(history.plans(), &change)),
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, history.now()).await?;
        work.finish(by).await?;
        Ok(Changed { plan, history })
    }
}

/// The `plans` that a change concerns, for the audit trail.
fn rows(plans: &[Plan], change: &PlanChange) -> Value {
    let touched: Vec<i64> = change.updated.iter().chain(&change.added).map(|p| p.number).collect();
    let rows = plans.iter().filter(|p| touched.contains(&p.number));
    rows.map(|p| serde_json::to_value(p).unwrap_or_default()).collect()
}

async fn insert(work: &mut Work, subscription: &SubscriptionId, plan: &Plan) -> Result<(), StoreError> {
    let committed = plan.committed.and_then(|n| i64::try_from(n).ok());
    work.execute(
        sql("INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at,
                               cancelled_at, withdrawn_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, $8)")
        .bind(subscription)
        .bind(plan.number)
        .bind(plan.kind.key())
        .bind(committed)
        .bind(plan.accepted_terms_at.0)
        .bind(plan.from.0)
        .bind(plan.to().map(|t| t.0))
        .bind(plan.changed_at.0),
    )
    .await
    .map(drop)
}

async fn update(work: &mut Work, subscription: &SubscriptionId, plan: &Plan) -> Result<(), StoreError> {
    work.execute(
        sql("UPDATE plan SET cancelled_at = $3, withdrawn_at = $4, to_at = $5, changed_at = $6
             WHERE subscription = $1 AND number = $2")
        .bind(subscription)
        .bind(plan.number)
        .bind(plan.cancel_requested_at.map(|t| t.0))
        .bind(plan.withdrawn_at.map(|t| t.0))
        .bind(plan.to().map(|t| t.0))
        .bind(plan.changed_at.0),
    )
    .await
    .map(drop)
}

/// The timeline within a transaction. It cannot change before the instant at which the newest statement was closed.
pub(super) async fn history(
    work: &mut Work,
    subscription: &SubscriptionId,
    now: Timestamp,
) -> Result<History, StoreError> {
    let settled = "SELECT MAX(closed_at) AS settled FROM statement WHERE subscription = $1";
    let settled = work.row(sql(settled).bind(subscription)).await?;
    let settled = settled.map(|row| row.opt_int("settled")).transpose()?.flatten();
    Ok(History::new(plans(work, subscription).await?, settled.map(Timestamp), now))
}

/// All plans of a subscription within a transaction, oldest first.
pub(super) async fn plans(work: &mut Work, subscription: &SubscriptionId) -> Result<Vec<Plan>, StoreError> {
    work.rows(all(subscription)).await?.iter().map(read).collect()
}

fn all(subscription: &SubscriptionId) -> Query {
    sql("SELECT number, kind, committed, accepted_terms_at, from_at, cancelled_at, withdrawn_at, changed_at
         FROM plan WHERE subscription = $1 ORDER BY number")
    .bind(subscription)
}

fn read(row: &Row) -> Result<Plan, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { table: "plan", why };
    let kind: PlanKind = row.str("kind")?.parse().map_err(|e| corrupt(format!("{e}")))?;
    let committed = row.opt_int("committed")?.map(u64::try_from).transpose();
    Ok(Plan {
        number: row.int("number")?,
        kind,
        committed: committed.map_err(|e| corrupt(e.to_string()))?,
        accepted_terms_at: Timestamp(row.int("accepted_terms_at")?),
        from: Timestamp(row.int("from_at")?),
        cancel_requested_at: row.opt_int("cancelled_at")?.map(Timestamp),
        withdrawn_at: row.opt_int("withdrawn_at")?.map(Timestamp),
        changed_at: Timestamp(row.int("changed_at")?),
    })
}
