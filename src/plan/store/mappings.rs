//! The columns of customers' tables, remembered by the signature of the header.

use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{By, Entry};
use super::engine::{Query, Row, sql};
use super::error::{MAPPINGS, MappingError};
use super::{Expected, Scope, Store, StoreError};
use crate::census::{Timestamp, time::rfc3339};
use crate::estimate::Mapping;
use crate::wire::SubscriptionId;

/// Columns that are remembered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Remembered {
    /// The signature of the header.
    pub signature: String,
    /// Each field with its headers.
    #[schema(value_type = Object)]
    pub columns: Mapping,
    /// Who named the columns.
    pub set_by: String,
    /// When they were named.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

impl Store {
    /// All remembered columns of a subscription, by signature.
    ///
    /// # Errors
    /// The database's.
    pub async fn mappings(&self, subscription: &SubscriptionId) -> Result<Vec<Remembered>, StoreError> {
        let all = sql("SELECT * FROM estimate_mapping WHERE subscription = $1 ORDER BY signature");
        self.rows(all.bind(subscription)).await?.iter().map(read).collect()
    }

    /// The columns of one table.
    ///
    /// # Errors
    /// The database's.
    pub async fn mapping(
        &self,
        subscription: &SubscriptionId,
        signature: &str,
    ) -> Result<Option<Remembered>, StoreError> {
        self.row(one(subscription, signature)).await?.as_ref().map(read).transpose()
    }

    /// Remembers the columns of a table. If some are remembered already, they must be as `expected`.
    ///
    /// # Errors
    /// [`StoreError::Mapping`], those of [`Expected::check`], or the database's.
    pub async fn remember_mapping(
        &self,
        subscription: &SubscriptionId,
        signature: &str,
        columns: &Mapping,
        by: &By,
        now: Timestamp,
        expected: &Expected,
    ) -> Result<Remembered, StoreError> {
        let json = serde_json::to_string(columns).unwrap_or_default();
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let before = work.row(one(subscription, signature)).await?.as_ref().map(read).transpose()?;
        if let Some(before) = &before {
            expected.check(before)?;
        }
        if before.is_none() {
            let count =
                sql("SELECT COUNT(*) AS n FROM estimate_mapping WHERE subscription = $1").bind(subscription);
            let known = work.row(count).await?.map(|row| row.int("n")).transpose()?.unwrap_or_default();
            if usize::try_from(known).is_ok_and(|n| n >= MAPPINGS) {
                return Err(MappingError::TooMany.into());
            }
        }
        let after = Remembered {
            signature: signature.to_owned(),
            columns: columns.clone(),
            set_by: by.actor.to_string(),
            set_at: now,
        };
        let put = "INSERT INTO estimate_mapping (subscription, signature, columns, set_by, set_at)
                   VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (subscription, signature)
                   DO UPDATE SET columns = excluded.columns, set_by = excluded.set_by, set_at = excluded.set_at";
        let put = sql(put).bind(subscription).bind(signature).bind(json).bind(&after.set_by).bind(now.0);
        work.execute(put).await?;
        let entry = Entry {
            action: "estimate.remember",
            object: format!("mapping/{signature}"),
            before: before.map(|b| serde_json::json!(b.columns)),
            after: Some(serde_json::json!(columns)),
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(after)
    }

    /// Forgets the columns of a table, if they are as `expected`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], those of [`Expected::check`], or the database's.
    pub async fn forget_mapping(
        &self,
        subscription: &SubscriptionId,
        signature: &str,
        by: &By,
        now: Timestamp,
        expected: &Expected,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let before = work.row(one(subscription, signature)).await?.as_ref().map(read).transpose()?;
        let missing = || StoreError::NotFound { what: "mapping", id: signature.chars().take(64).collect() };
        let before = before.ok_or_else(missing)?;
        expected.check(&before)?;
        let gone = sql("DELETE FROM estimate_mapping WHERE subscription = $1 AND signature = $2");
        work.execute(gone.bind(subscription).bind(signature)).await?;
        let entry = Entry {
            action: "estimate.forget",
            object: format!("mapping/{signature}"),
            before: Some(serde_json::json!(before.columns)),
            after: None,
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(())
    }
}

fn one(subscription: &SubscriptionId, signature: &str) -> Query {
    sql("SELECT * FROM estimate_mapping WHERE subscription = $1 AND signature = $2")
        .bind(subscription)
        .bind(signature)
}

fn read(row: &Row) -> Result<Remembered, StoreError> {
    let corrupt =
        |e: serde_json::Error| StoreError::Corrupt { table: "estimate_mapping", why: e.to_string() };
    Ok(Remembered {
        signature: row.text("signature")?,
        columns: serde_json::from_str(row.str("columns")?).map_err(corrupt)?,
        set_by: row.text("set_by")?,
        set_at: Timestamp(row.int("set_at")?),
    })
}
