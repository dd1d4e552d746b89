//! Subscriptions: list, create, rename.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit::Entry;
use super::engine::{Row, sql};
use super::people::no_such_person;
use super::{By, Expected, Scope, Store, StoreError, checked_name, or_taken};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::secret;
use crate::wire::SubscriptionId;

/// The longest name of a subscription in characters.
const NAME: usize = 100;

/// A subscription: it has plans, sensors and an inventory.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Subscription {
    /// 16 hex digits.
    pub id: SubscriptionId,
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
    /// [`StoreError::BadName`], [`StoreError::Taken`], [`StoreError::NotFound`] for the owner, or the database's.
    pub async fn create_subscription(
        &self,
        name: &str,
        owner: Option<&str>,
        by: &By,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let subscription = Subscription {
            id: SubscriptionId::from_bits(secret::generate_id_bits()?),
            name,
            created_at: now,
        };
        let mut work = self.write(Scope::Installation).await?;
        work.execute(
            sql("INSERT INTO subscription (id, name, created_at) VALUES ($1, $2, $3)")
                .bind(&subscription.id)
                .bind(&subscription.name)
                .bind(now.0),
        )
        .await
        .map_err(or_taken(|| StoreError::Taken { what: "subscription", name: subscription.name.clone() }))?;
        if let Some(owner) = owner {
            if work.row(sql("SELECT 1 AS one FROM person WHERE name = $1").bind(owner)).await?.is_none() {
                return Err(no_such_person(owner));
            }
            let bind = "INSERT INTO role_binding (subscription, person, role) VALUES ($1, $2, 'O')";
            work.execute(sql(bind).bind(&subscription.id).bind(owner)).await?;
        }
        let entry = Entry {
            action: "subscription.create",
            object: format!("subscription/{}", subscription.id),
            after: Some(json!({"name": subscription.name, "owner": owner})),
            ..Entry::default()
        };
        work.audit(None, by, entry, now).await?;
        work.finish(by).await?;
        Ok(subscription)
    }

    /// Gives a subscription another name, if it is as `expected`.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::Taken`], [`StoreError::NotFound`], those of [`Expected::check`], or the database's.
    pub async fn rename_subscription(
        &self,
        id: &SubscriptionId,
        name: &str,
        expected: &Expected,
        by: &By,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let mut work = self.write(Scope::Installation).await?;
        let row =
            work.row(sql("SELECT id, name, created_at FROM subscription WHERE id = $1").bind(id)).await?;
        let before = read(&row.ok_or_else(|| no_such_subscription(id.as_str()))?)?;
        expected.check(&before)?;
        work.execute(sql("UPDATE subscription SET name = $2 WHERE id = $1").bind(id).bind(&name))
            .await
            .map_err(or_taken(|| StoreError::Taken { what: "subscription", name: name.clone() }))?;
        let entry = Entry {
            action: "subscription.rename",
            object: format!("subscription/{id}"),
            before: Some(json!({"name": before.name})),
            after: Some(json!({"name": name})),
            count_delta: None,
        };
        work.audit(None, by, entry, now).await?;
        work.finish(by).await?;
        Ok(Subscription { name, ..before })
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
    pub async fn find_subscription(&self, id_or_name: &str) -> Result<Subscription, StoreError> {
        let query = "SELECT id, name, created_at FROM subscription WHERE id = $1 OR name = $1
                     ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
        let row = self.row(sql(query).bind(id_or_name)).await?;
        read(&row.ok_or_else(|| no_such_subscription(id_or_name))?)
    }

    /// The subscription with that id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Subscription, StoreError> {
        let query = "SELECT id, name, created_at FROM subscription WHERE id = $1";
        let row = self.row(sql(query).bind(id)).await?;
        read(&row.ok_or_else(|| no_such_subscription(id.as_str()))?)
    }

    /// How often the facts and the decisions of a subscription changed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn revisions(&self, id: &SubscriptionId) -> Result<(i64, i64), StoreError> {
        let query = "SELECT facts_revision, decisions_revision FROM subscription WHERE id = $1";
        let row = self.row(sql(query).bind(id)).await?.ok_or_else(|| no_such_subscription(id.as_str()))?;
        Ok((row.int("facts_revision")?, row.int("decisions_revision")?))
    }
}

fn no_such_subscription(id: &str) -> StoreError {
    StoreError::NotFound { what: "subscription", id: id.chars().take(60).collect() }
}

fn read(row: &Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: row.id("id")?,
        name: row.text("name")?,
        created_at: Timestamp(row.int("created_at")?),
    })
}
