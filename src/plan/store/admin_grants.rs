//! Roles that global admins gave on subscriptions that they do not own, until an owner has seen them.
//!
//! A global admin may bind roles, also their own. The owners are told, even if the role is taken away again.

use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{Actor, Entry};
use super::engine::{Row, sql};
use super::error::AccessRefusal;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::Role;
use crate::wire::SubscriptionId;

/// A role that a global admin gave, and no owner has seen yet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct AdminGrant {
    /// Whose role.
    pub person: String,
    /// The newest role that they were given.
    #[schema(value_type = String)]
    pub role: Role,
    /// The global admin who gave it.
    pub granted_by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub granted_at: Timestamp,
}

const ALL: &str = "SELECT person, role, granted_by, granted_at FROM admin_grant WHERE subscription = $1
                   ORDER BY granted_at DESC, person";

impl Store {
    /// The roles that no owner has seen yet, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn admin_grants(&self, subscription: &SubscriptionId) -> Result<Vec<AdminGrant>, StoreError> {
        self.rows(sql(ALL).bind(subscription)).await?.iter().map(read).collect()
    }

    /// Records that an owner has seen them.
    ///
    /// # Errors
    /// [`AccessRefusal::OwnGrant`] if the person is named in one of them, or the database's.
    pub async fn see_admin_grants(
        &self,
        subscription: &SubscriptionId,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let grants: Vec<AdminGrant> =
            work.rows(sql(ALL).bind(subscription)).await?.iter().map(read).collect::<Result<_, _>>()?;
        let name = by.person_name();
        if grants.iter().any(|grant| grant.person == name || grant.granted_by == name) {
            return Err(AccessRefusal::OwnGrant.into());
        }
        work.execute(sql("DELETE FROM admin_grant WHERE subscription = $1").bind(subscription)).await?;
        let before = Some(serde_json::json!({ "grants": grants }));
        let entry =
            Entry { action: "role.grants-seen", object: "roles".to_owned(), before, ..Entry::default() };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await
    }
}

impl Work {
    /// Keeps a role that is about to be given, if a global admin gives it who does not own the subscription, and if
    /// somebody else owns it.
    pub(super) async fn note_admin_grant(
        &mut self,
        subscription: &SubscriptionId,
        person: &str,
        role: Role,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Actor::Person(actor) = &by.actor else { return Ok(()) };
        let query = "SELECT 1 AS one FROM person p WHERE p.name = $2 AND p.global_admin = 1
                     AND NOT EXISTS (SELECT 1 FROM role_binding b
                                     WHERE b.subscription = $1 AND b.person = $2 AND b.role = 'O')
                     AND EXISTS (SELECT 1 FROM role_binding b WHERE b.subscription = $1 AND b.role = 'O')";
        if self.row(sql(query).bind(subscription).bind(actor)).await?.is_none() {
            return Ok(());
        }
        let keep = "INSERT INTO admin_grant (subscription, person, role, granted_by, granted_at)
                    VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (subscription, person) DO UPDATE SET role = excluded.role,
                        granted_by = excluded.granted_by, granted_at = excluded.granted_at";
        let keep = sql(keep).bind(subscription).bind(person).bind(role.key()).bind(actor).bind(now.0);
        self.execute(keep).await.map(drop)
    }
}

fn read(row: &Row) -> Result<AdminGrant, StoreError> {
    let corrupt = |e| StoreError::Corrupt { table: "admin_grant", why: format!("{e}") };
    Ok(AdminGrant {
        person: row.text("person")?,
        role: row.str("role")?.parse().map_err(corrupt)?,
        granted_by: row.text("granted_by")?,
        granted_at: Timestamp(row.int("granted_at")?),
    })
}
