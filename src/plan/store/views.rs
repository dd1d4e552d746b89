//! Lists of devices to which people gave a name: own ones, and shared ones.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit::Entry;
use super::engine::{Query, Row, sql};
use super::{By, Scope, Store, StoreError, checked_name};
use crate::census::{Timestamp, time::rfc3339};
use crate::wire::SubscriptionId;

/// The most views of one person in a subscription, and the most shared ones.
pub const VIEWS: usize = 50;
/// Characters of a view's name.
const NAME: usize = 60;

/// A list of devices with a name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// Whether everybody who sees the subscription has it.
    pub shared: bool,
    /// Which devices, in what order: parameters of the list of devices, such as `q=vendor%3Aaxis&sort=name`.
    pub filter: String,
    /// How the console's table looks: `columns` and `density`.
    pub look: String,
    /// Who saved it.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Whose view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ViewOwner<'a> {
    /// That of one person.
    Person(&'a str),
    /// That of everybody who sees the subscription.
    Everybody,
}

impl ViewOwner<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Person(name) => name,
            Self::Everybody => "",
        }
    }

    fn object(&self, name: &str) -> String {
        let whose = if *self == Self::Everybody { "shared" } else { "own" };
        format!("view/{whose}/{name}")
    }
}

impl Store {
    /// A person's views and the shared ones, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn device_views(
        &self,
        subscription: &SubscriptionId,
        person: &str,
    ) -> Result<Vec<DeviceView>, StoreError> {
        let query = "SELECT owner, name, filter, look, set_by, set_at FROM device_view
             WHERE subscription = $1 AND (owner = '' OR owner = $2) ORDER BY name, owner";
        self.rows(sql(query).bind(subscription).bind(person)).await?.iter().map(read).collect()
    }

    /// Saves a view; one of that name is replaced.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::TooManyViews`] or the database's.
    pub async fn save_view(
        &self,
        subscription: &SubscriptionId,
        owner: ViewOwner<'_>,
        view: DeviceView,
        by: &By,
        now: Timestamp,
    ) -> Result<DeviceView, StoreError> {
        let view = DeviceView { name: checked_name(&view.name, NAME)?.to_owned(), ..view };
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let before = work.row(one(subscription, owner, &view.name)).await?.as_ref().map(read).transpose()?;
        if before.is_none() {
            let count = "SELECT count(*) AS n FROM device_view WHERE subscription = $1 AND owner = $2";
            let row = work.row(sql(count).bind(subscription).bind(owner.key())).await?;
            let known = row.map(|row| row.int("n")).transpose()?.unwrap_or_default();
            if usize::try_from(known).is_ok_and(|known| known >= VIEWS) {
                return Err(StoreError::TooManyViews);
            }
        }
        let put = "INSERT INTO device_view (subscription, owner, name, filter, look, set_by, set_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subscription, owner, name)
             DO UPDATE SET filter = excluded.filter, look = excluded.look, set_by = excluded.set_by,
             set_at = excluded.set_at";
        let put = sql(put).bind(subscription).bind(owner.key()).bind(&view.name);
        work.execute(put.bind(&view.filter).bind(&view.look).bind(&view.by).bind(view.at.0)).await?;
        let entry = Entry {
            action: "views.save",
            object: owner.object(&view.name),
            before: before.as_ref().map(traced),
            after: Some(traced(&view)),
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(view)
    }

    /// Deletes a view.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn delete_view(
        &self,
        subscription: &SubscriptionId,
        owner: ViewOwner<'_>,
        name: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let row = work.row(one(subscription, owner, name)).await?;
        let missing = || StoreError::NotFound { what: "view", id: name.chars().take(NAME).collect() };
        let before = read(&row.ok_or_else(missing)?)?;
        let gone = "DELETE FROM device_view WHERE subscription = $1 AND owner = $2 AND name = $3";
        work.execute(sql(gone).bind(subscription).bind(owner.key()).bind(name)).await?;
        let entry = Entry {
            action: "views.delete",
            object: owner.object(name),
            before: Some(traced(&before)),
            after: None,
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await
    }
}

fn one(subscription: &SubscriptionId, owner: ViewOwner<'_>, name: &str) -> Query {
    sql("SELECT owner, name, filter, look, set_by, set_at FROM device_view
         WHERE subscription = $1 AND owner = $2 AND name = $3")
    .bind(subscription)
    .bind(owner.key())
    .bind(name)
}

/// What the audit trail keeps of a view.
fn traced(view: &DeviceView) -> serde_json::Value {
    json!({"filter": view.filter, "look": view.look})
}

fn read(row: &Row) -> Result<DeviceView, StoreError> {
    Ok(DeviceView {
        name: row.text("name")?,
        shared: row.str("owner")?.is_empty(),
        filter: row.text("filter")?,
        look: row.text("look")?,
        by: row.text("set_by")?,
        at: Timestamp(row.int("set_at")?),
    })
}
