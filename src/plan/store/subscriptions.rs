//! Subscriptions: the tenants.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use utoipa::ToSchema;

use super::{Store, StoreError, checked_name, is_unique_violation};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::secret;

/// The longest name of a subscription in characters.
const NAME: usize = 100;

/// A subscription: what a plan, sensors and an inventory belong to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Subscription {
    /// 16 hex digits.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// When it was created.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Store {
    /// Creates a subscription. `owner` becomes its owner.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::Taken`] or the database's.
    pub async fn create_subscription(
        &self,
        name: &str,
        owner: Option<&str>,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let subscription = Subscription { id: secret::generate_id()?, name, created_at: now };
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO subscription (id, name, created_at) VALUES ($1, $2, $3)")
            .bind(&subscription.id)
            .bind(&subscription.name)
            .bind(now.0)
            .execute(&mut *tx)
            .await
            .map_err(|e| match is_unique_violation(&e) {
                true => StoreError::Taken { what: "subscription", name: subscription.name.clone() },
                false => e.into(),
            })?;
        if let Some(owner) = owner {
            sqlx::query("INSERT INTO role_binding (subscription, person, role) VALUES ($1, $2, 'O')")
                .bind(&subscription.id)
                .bind(owner)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(subscription)
    }

    /// All subscriptions, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let rows = sqlx::query("SELECT id, name, created_at FROM subscription ORDER BY name")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The subscription with that id, else with that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn subscription(&self, id: &str) -> Result<Subscription, StoreError> {
        let sql = "SELECT id, name, created_at FROM subscription WHERE id = $1 OR name = $1 ORDER BY id <> $1 LIMIT 1";
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.reader).await?;
        let missing = || StoreError::NotFound { what: "subscription", id: id.chars().take(60).collect() };
        read(&row.ok_or_else(missing)?)
    }
}

fn read(row: &SqliteRow) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        created_at: Timestamp(row.try_get("created_at")?),
    })
}
