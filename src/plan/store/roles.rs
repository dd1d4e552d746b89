//! Who has which role on which subscription.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit::Entry;
use super::engine::{Row, sql};
use super::error::AccessRefusal;
use super::people::{Person, no_such_person};
use super::{By, Expected, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::permission::Role;
use crate::wire::SubscriptionId;

/// A person's role on a subscription.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct RoleBinding {
    /// Whose.
    pub person: String,
    /// R reader, SA security admin, C contributor or O owner.
    #[schema(value_type = String)]
    pub role: Role,
}

impl Store {
    /// Who has a role on a subscription, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn role_bindings(&self, subscription: &SubscriptionId) -> Result<Vec<RoleBinding>, StoreError> {
        let query = "SELECT person, role FROM role_binding WHERE subscription = $1 ORDER BY person";
        self.rows(sql(query).bind(subscription)).await?.iter().map(read).collect()
    }

    /// The role that is bound for a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn role_binding(
        &self,
        subscription: &SubscriptionId,
        person: &str,
    ) -> Result<RoleBinding, StoreError> {
        let query = "SELECT person, role FROM role_binding WHERE subscription = $1 AND person = $2";
        let row = self.row(sql(query).bind(subscription).bind(person)).await?;
        read(&row.ok_or_else(|| no_binding(person))?)
    }

    /// Binds a person's role on a subscription. A role that was bound already must be as `expected`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], an [`AccessRefusal`], those of [`Expected::check`], or the database's.
    pub async fn bind_role(
        &self,
        subscription: &SubscriptionId,
        person: &str,
        role: Role,
        expected: &Expected,
        by: &By,
        now: Timestamp,
    ) -> Result<RoleBinding, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let known = work.row(sql("SELECT 1 AS one FROM person WHERE name = $1").bind(person)).await?;
        if known.is_none() {
            return Err(no_such_person(person));
        }
        if let Some(bound) = work.binding(subscription, person).await? {
            expected.check(&bound)?;
        }
        work.set_role(subscription, person, Some(role), by, now).await?;
        work.finish(by).await?;
        Ok(RoleBinding { person: person.to_owned(), role })
    }

    /// Removes a person's role on a subscription, if it is as `expected`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`AccessRefusal::LastOwner`], those of [`Expected::check`], or the database's.
    pub async fn unbind_role(
        &self,
        subscription: &SubscriptionId,
        person: &str,
        expected: &Expected,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let binding = work.binding(subscription, person).await?.ok_or_else(|| no_binding(person))?;
        expected.check(&binding)?;
        work.set_role(subscription, person, None, by, now).await?;
        work.finish(by).await
    }

    /// The roles that a person has on a subscription, including their role on the installation.
    ///
    /// # Errors
    /// The database's.
    pub async fn roles(
        &self,
        person: &Person,
        subscription: &SubscriptionId,
    ) -> Result<Vec<Role>, StoreError> {
        let query = "SELECT person, role FROM role_binding WHERE subscription = $1 AND person = $2";
        let row = self.row(sql(query).bind(subscription).bind(&person.name)).await?;
        let bound = row.as_ref().map(read).transpose()?.map(|binding| binding.role);
        Ok(person.global_admin.then_some(Role::GlobalAdmin).into_iter().chain(bound).collect())
    }
}

impl Work {
    pub(super) async fn binding(
        &mut self,
        subscription: &SubscriptionId,
        person: &str,
    ) -> Result<Option<RoleBinding>, StoreError> {
        let query = "SELECT person, role FROM role_binding WHERE subscription = $1 AND person = $2";
        self.row(sql(query).bind(subscription).bind(person)).await?.as_ref().map(read).transpose()
    }

    /// Binds or removes a role, with an entry in the subscription's trail, whose lock the caller holds. Writes nothing if
    /// the role is already so.
    pub(super) async fn set_role(
        &mut self,
        subscription: &SubscriptionId,
        person: &str,
        role: Option<Role>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if role == Some(Role::GlobalAdmin) {
            return Err(AccessRefusal::TenantRole.into());
        }
        let before = self.binding(subscription, person).await?.map(|binding| binding.role);
        if before == role {
            return Ok(());
        }
        if before == Some(Role::Owner) {
            let others = "SELECT 1 AS one FROM role_binding
                          WHERE subscription = $1 AND role = 'O' AND person <> $2 LIMIT 1";
            if self.row(sql(others).bind(subscription).bind(person)).await?.is_none() {
                return Err(AccessRefusal::LastOwner(person.to_owned()).into());
            }
        }
        if let Some(role) = role {
            self.note_admin_grant(subscription, person, role, by, now).await?;
        }
        let query = match role {
            Some(role) => sql("INSERT INTO role_binding (subscription, person, role) VALUES ($1, $2, $3)
                               ON CONFLICT (subscription, person) DO UPDATE SET role = excluded.role")
            .bind(subscription)
            .bind(person)
            .bind(role.key()),
            None => sql("DELETE FROM role_binding WHERE subscription = $1 AND person = $2")
                .bind(subscription)
                .bind(person),
        };
        self.execute(query).await?;
        let shown = |role: Option<Role>| role.map(|role| json!({"role": role}));
        let entry = Entry {
            action: if role.is_some() { "role.bind" } else { "role.unbind" },
            object: format!("person/{person}"),
            before: shown(before),
            after: shown(role),
            count_delta: None,
        };
        self.audit(Some(subscription), by, entry, now).await
    }
}

fn no_binding(person: &str) -> StoreError {
    StoreError::NotFound { what: "role of", id: person.chars().take(60).collect() }
}

fn read(row: &Row) -> Result<RoleBinding, StoreError> {
    let corrupt = |e| StoreError::Corrupt { table: "role_binding", why: format!("{e}") };
    Ok(RoleBinding { person: row.text("person")?, role: row.str("role")?.parse().map_err(corrupt)? })
}
