//! The rows of the timeline. What may happen to them is decided by [`crate::plan::timeline`].

use super::engine::{Query, Row, sql};
use super::{Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::timeline::{self, Kind, Onboarding, Plan};

impl Store {
    /// All plans of a subscription, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn plans(&self, subscription: &str) -> Result<Vec<Plan>, StoreError> {
        self.rows(all(subscription)).await?.iter().map(read).collect()
    }

    /// Onboards a plan at `now`.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn onboard(
        &self,
        subscription: &str,
        asked: &Onboarding,
        now: Timestamp,
    ) -> Result<Plan, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let plan = timeline::onboard(&plans(&mut work, subscription).await?, asked, now)?;
        let committed = plan.committed.and_then(|n| i64::try_from(n).ok());
        work.execute(
            sql("INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at, cancelled_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)")
            .bind(subscription)
            .bind(plan.number)
            .bind(plan.kind.key())
            .bind(committed)
            .bind(plan.accepted_terms_at.0)
            .bind(plan.from.0)
            .bind(plan.to().map(|t| t.0)),
        )
        .await?;
        work.commit().await?;
        Ok(plan)
    }

    /// Confirms the cancellation of the plan in effect at `now`.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn cancel_plan(&self, subscription: &str, now: Timestamp) -> Result<Plan, StoreError> {
        self.change_plan(subscription, |plans| timeline::cancel(plans, now)).await
    }

    /// Withdraws the cancellation of the plan in effect at `now`.
    ///
    /// # Errors
    /// [`StoreError::Refused`], or the database's.
    pub async fn withdraw_cancellation(
        &self,
        subscription: &str,
        now: Timestamp,
    ) -> Result<Plan, StoreError> {
        self.change_plan(subscription, |plans| timeline::withdraw(plans, now)).await
    }

    async fn change_plan(
        &self,
        subscription: &str,
        change: impl FnOnce(&[Plan]) -> Result<Plan, timeline::Refusal> + Send,
    ) -> Result<Plan, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let plan = change(&plans(&mut work, subscription).await?)?;
        work.execute(
            sql("UPDATE plan SET cancelled_at = $3, to_at = $4 WHERE subscription = $1 AND number = $2")
                .bind(subscription)
                .bind(plan.number)
                .bind(plan.cancel_requested_at.map(|t| t.0))
                .bind(plan.to().map(|t| t.0)),
        )
        .await?;
        work.commit().await?;
        Ok(plan)
    }
}

/// All plans of a subscription within a transaction, oldest first.
pub(super) async fn plans(work: &mut Work, subscription: &str) -> Result<Vec<Plan>, StoreError> {
    work.rows(all(subscription)).await?.iter().map(read).collect()
}

fn all(subscription: &str) -> Query {
    sql("SELECT number, kind, committed, accepted_terms_at, from_at, cancelled_at FROM plan
         WHERE subscription = $1 ORDER BY number")
    .bind(subscription)
}

fn read(row: &Row) -> Result<Plan, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { table: "plan", why };
    let kind: Kind = row.str("kind")?.parse().map_err(|e| corrupt(format!("{e}")))?;
    let committed = row.opt_int("committed")?.map(u64::try_from).transpose();
    Ok(Plan {
        number: row.int("number")?,
        kind,
        committed: committed.map_err(|e| corrupt(e.to_string()))?,
        accepted_terms_at: Timestamp(row.int("accepted_terms_at")?),
        from: Timestamp(row.int("from_at")?),
        cancel_requested_at: row.opt_int("cancelled_at")?.map(Timestamp),
    })
}
