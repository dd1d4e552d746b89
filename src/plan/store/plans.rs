//! The rows of the timeline. What may happen to them is decided by [`crate::plan::timeline`].

use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row as _, Sqlite};

use super::{Store, StoreError};
use crate::census::Timestamp;
use crate::plan::timeline::{self, Kind, Onboarding, Plan};

impl Store {
    /// All plans of a subscription, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn plans(&self, subscription: &str) -> Result<Vec<Plan>, StoreError> {
        plans(&self.reader, subscription).await
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
        let mut tx = self.write().await?;
        let plan = timeline::onboard(&plans(&mut *tx, subscription).await?, asked, now)?;
        let committed = plan.committed.and_then(|n| i64::try_from(n).ok());
        sqlx::query(
            "INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at, cancelled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)",
        )
        .bind(subscription)
        .bind(plan.number)
        .bind(plan.kind.key())
        .bind(committed)
        .bind(plan.accepted_terms_at.0)
        .bind(plan.from.0)
        .bind(plan.to().map(|t| t.0))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
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
        let mut tx = self.write().await?;
        let plan = change(&plans(&mut *tx, subscription).await?)?;
        sqlx::query("UPDATE plan SET cancelled_at = $3, to_at = $4 WHERE subscription = $1 AND number = $2")
            .bind(subscription)
            .bind(plan.number)
            .bind(plan.cancel_requested_at.map(|t| t.0))
            .bind(plan.to().map(|t| t.0))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(plan)
    }
}

/// All plans of a subscription through `db`, oldest first.
pub(super) async fn plans<'e>(
    db: impl Executor<'e, Database = Sqlite>,
    subscription: &str,
) -> Result<Vec<Plan>, StoreError> {
    let sql = "SELECT number, kind, committed, accepted_terms_at, from_at, cancelled_at FROM plan
               WHERE subscription = $1 ORDER BY number";
    let rows = sqlx::query(sql).bind(subscription).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Plan, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { table: "plan", why };
    let kind: Kind = row.try_get::<&str, _>("kind")?.parse().map_err(|e| corrupt(format!("{e}")))?;
    let committed = row.try_get::<Option<i64>, _>("committed")?.map(u64::try_from).transpose();
    Ok(Plan {
        number: row.try_get("number")?,
        kind,
        committed: committed.map_err(|e| corrupt(e.to_string()))?,
        accepted_terms_at: Timestamp(row.try_get("accepted_terms_at")?),
        from: Timestamp(row.try_get("from_at")?),
        cancel_requested_at: row.try_get::<Option<i64>, _>("cancelled_at")?.map(Timestamp),
    })
}
