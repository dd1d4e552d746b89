//! Subscriptions: the tenants.

use serde::Serialize;
use utoipa::ToSchema;

use super::engine::{Row, sql};
use super::{Scope, Store, StoreError, checked_name, or_taken};
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
        let mut work = self.write(Scope::Tenant).await?;
        work.execute(
            sql("INSERT INTO subscription (id, name, created_at) VALUES ($1, $2, $3)")
                .bind(&subscription.id)
                .bind(&subscription.name)
                .bind(now.0),
        )
        .await
        .map_err(or_taken(|| StoreError::Taken { what: "subscription", name: subscription.name.clone() }))?;
        if let Some(owner) = owner {
            work.execute(
                sql("INSERT INTO role_binding (subscription, person, role) VALUES ($1, $2, 'O')")
                    .bind(&subscription.id)
                    .bind(owner),
            )
            .await?;
        }
        work.commit().await?;
        Ok(subscription)
    }

    /// All subscriptions, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let rows = self.rows(sql("SELECT id, name, created_at FROM subscription ORDER BY name")).await?;
        rows.iter().map(read).collect()
    }

    /// The subscription with that id, else with that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn subscription(&self, id: &str) -> Result<Subscription, StoreError> {
        let query = "SELECT id, name, created_at FROM subscription WHERE id = $1 OR name = $1
                     ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
        let row = self.row(sql(query).bind(id)).await?;
        let missing = || StoreError::NotFound { what: "subscription", id: id.chars().take(60).collect() };
        read(&row.ok_or_else(missing)?)
    }

    /// How often the facts and the decisions of a subscription changed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn revisions(&self, id: &str) -> Result<(i64, i64), StoreError> {
        let query = "SELECT facts_revision, decisions_revision FROM subscription WHERE id = $1";
        let missing = || StoreError::NotFound { what: "subscription", id: id.chars().take(60).collect() };
        let row = self.row(sql(query).bind(id)).await?.ok_or_else(missing)?;
        Ok((row.int("facts_revision")?, row.int("decisions_revision")?))
    }
}

fn read(row: &Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: row.text("id")?,
        name: row.text("name")?,
        created_at: Timestamp(row.int("created_at")?),
    })
}
