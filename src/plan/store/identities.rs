//! People who sign in with an identity provider: their accounts, the roles that their groups give them, and their sign-ins
//! in progress.

use serde_json::json;

use super::audit::{Actor, Entry};
use super::engine::sql;
use super::error::AccessRefusal;
use super::people::{NAME, Person, about, insert_person, read};
use super::{By, Scope, Store, StoreError, checked_name};
use crate::census::Timestamp;
use crate::plan::permission::Role;
use crate::plan::secret;
use crate::wire::SubscriptionId;

/// The most sign-ins in progress at the provider.
const PENDING: i64 = 10_000;
/// The longest sign-in: 10 minutes, in nanoseconds.
const LIFE: i64 = 600_000_000_000;

/// A sign-in in progress at the provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PendingSignIn {
    /// The nonce that the provider must put into the identity token.
    pub nonce: String,
    /// The verifier that proves to the provider that the code is ours (PKCE).
    pub verifier: String,
}

/// A person as the provider vouches for them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalPerson {
    /// The provider's issuer URL.
    pub issuer: String,
    /// Their subject at the provider; with the issuer, the identity.
    pub subject: String,
    /// The name of the account that the first sign-in creates.
    pub name: String,
    /// Their e-mail, if the provider sends it.
    pub email: Option<String>,
}

/// The role that a group of the provider gives, on a subscription or on the installation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRole {
    /// The subscription's id; `None` for [`Role::GlobalAdmin`].
    pub subscription: Option<SubscriptionId>,
    /// The role, if one of the person's groups gives one.
    pub role: Option<Role>,
}

impl Store {
    /// Keeps a sign-in until the provider sends the person back with `state`.
    ///
    /// # Errors
    /// [`AccessRefusal::Full`] or the database's.
    pub async fn keep_sign_in(
        &self,
        state: &str,
        pending: &PendingSignIn,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        work.execute(sql("DELETE FROM pending_sign_in WHERE expires_at <= $1").bind(now.0)).await?;
        let count = work.row(sql("SELECT count(*) AS pending FROM pending_sign_in")).await?;
        if count.map_or(Ok(0), |row| row.int("pending"))? >= PENDING {
            return Err(AccessRefusal::Full { what: "sign-ins in progress", most: PENDING }.into());
        }
        let insert =
            "INSERT INTO pending_sign_in (state_hash, nonce, verifier, expires_at) VALUES ($1, $2, $3, $4)";
        work.execute(
            sql(insert)
                .bind(secret::hash(state))
                .bind(&pending.nonce)
                .bind(&pending.verifier)
                .bind(now.plus(LIFE).0),
        )
        .await?;
        work.commit().await
    }

    /// The sign-in of that state. It cannot be used again.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_sign_in(
        &self,
        state: &str,
        now: Timestamp,
    ) -> Result<Option<PendingSignIn>, StoreError> {
        let hash = secret::hash(state);
        let mut work = self.write(Scope::Installation).await?;
        let query = "SELECT nonce, verifier, expires_at FROM pending_sign_in WHERE state_hash = $1";
        let Some(row) = work.row(sql(query).bind(hash)).await? else { return Ok(None) };
        work.execute(sql("DELETE FROM pending_sign_in WHERE state_hash = $1").bind(hash)).await?;
        work.commit().await?;
        let pending = PendingSignIn { nonce: row.text("nonce")?, verifier: row.text("verifier")? };
        Ok((row.int("expires_at")? > now.0).then_some(pending))
    }

    /// The account of a person whom the provider vouches for; the first sign-in creates it. `roles`, which their groups
    /// give, replace their roles on those subscriptions. A subscription's only owner keeps the role until there is another.
    ///
    /// # Errors
    /// [`AccessRefusal::NameOfAnother`], [`AccessRefusal::Disabled`], [`StoreError::BadName`] or the database's.
    pub async fn admit(
        &self,
        external: &ExternalPerson,
        roles: &[GroupRole],
        origin: &By,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let person = self.admit_person(external, roles, origin, now).await?;
        let by = By { actor: Actor::Person(person.name.clone()), ..origin.clone() };
        for GroupRole { subscription, role } in roles {
            let Some(subscription) = subscription else { continue };
            let mut work = self.write(Scope::Subscription(subscription)).await?;
            match work.set_role(subscription, &person.name, *role, &by, now).await {
                Ok(()) => work.finish(&by).await?,
                Err(StoreError::Access(AccessRefusal::LastOwner(name))) => {
                    tracing::warn!(person = %name, %subscription, "a person keeps a role that their groups do not give, because they are the only owner");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(person)
    }

    async fn admit_person(
        &self,
        external: &ExternalPerson,
        roles: &[GroupRole],
        origin: &By,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let query = "SELECT p.name, p.global_admin, p.disabled_at FROM person_identity i JOIN person p ON p.name = i.person
                     WHERE i.issuer = $1 AND i.subject = $2";
        let known = work.row(sql(query).bind(&external.issuer).bind(&external.subject)).await?;
        let mut person = match &known {
            Some(row) if row.opt_int("disabled_at")?.is_some() => {
                return Err(AccessRefusal::Disabled(row.text("name")?).into());
            }
            Some(row) => read(row)?,
            None => Person { name: checked_name(&external.name, NAME)?.to_owned(), global_admin: false },
        };
        let by = By { actor: Actor::Person(person.name.clone()), ..origin.clone() };
        if known.is_none() {
            insert_person(&mut work, &person, "", &by, now).await.map_err(|error| match error {
                // The name belongs to another account: the name alone must not give access to it.
                StoreError::Taken { name, .. } => AccessRefusal::NameOfAnother(name).into(),
                other => other,
            })?;
            let insert = "INSERT INTO person_identity (issuer, subject, person, email, created_at) VALUES ($1, $2, $3, $4, $5)";
            work.execute(
                sql(insert)
                    .bind(&external.issuer)
                    .bind(&external.subject)
                    .bind(&person.name)
                    .bind(external.email.clone())
                    .bind(now.0),
            )
            .await?;
        }
        if let Some(of_tenant) = roles.iter().find(|given| given.subscription.is_none()) {
            let is_admin = of_tenant.role == Some(Role::GlobalAdmin);
            if person.global_admin != is_admin {
                let set = "UPDATE person SET global_admin = $2 WHERE name = $1";
                work.execute(sql(set).bind(&person.name).bind(is_admin)).await?;
                let entry = Entry {
                    before: Some(json!({"global_admin": person.global_admin})),
                    after: Some(json!({"global_admin": is_admin})),
                    ..about("person.global-admin", &person.name)
                };
                work.audit(None, &by, entry, now).await?;
                person.global_admin = is_admin;
            }
        }
        work.finish(&by).await?;
        Ok(person)
    }
}
