//! People who sign in with an identity provider: their accounts, the roles that their groups give them, and their sign-ins
//! in progress.

use serde_json::json;

use super::audit::{Actor, Entry, REASON};
use super::engine::sql;
use super::error::AccessRefusal;
use super::people::{NAME, Person, about, insert_person, no_such_person, read};
use super::{By, Scope, Store, StoreError, Work, checked_name};
use crate::census::Timestamp;
use crate::plan::permission::Role;
use crate::plan::secret;
use crate::wire::SubscriptionId;

/// The most sign-ins in progress at the provider.
const PENDING: i64 = 10_000;
/// The longest sign-in: 10 minutes, in nanoseconds.
const LIFE: i64 = 600_000_000_000;
/// The longest issuer or subject in bytes.
const SUBJECT: usize = 255;

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

/// A person who is admitted, and what their groups would have taken away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admitted {
    /// Who.
    pub person: Person,
    /// The roles that they keep although their groups do not give them.
    pub kept: Vec<Kept>,
}

/// A role that a person keeps although their groups do not give it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// They are the subscription's only owner.
    LastOwner(SubscriptionId),
    /// They are the only global admin who can sign in.
    LastAdmin,
    /// The provider does not tell their groups: they keep all roles.
    All,
}

/// Groups that the provider does not tell.
#[derive(Clone, Copy, Debug)]
pub struct UnknownGroups<'a> {
    /// Why, for the audit trail.
    pub why: &'a str,
    /// Whether to tell it even if the person has no role to lose.
    pub always: bool,
    /// Where groups give roles: on these subscriptions; `None` for the installation.
    pub governed: &'a [Option<SubscriptionId>],
}

impl Kept {
    fn entry(&self, person: &str) -> Entry {
        let (role, why) = match self {
            Self::LastOwner(_) => ("O", "the person is the only owner"),
            Self::LastAdmin => ("G", "the person is the only global admin who can sign in"),
            Self::All => ("all", "the groups are unknown"),
        };
        Entry { after: Some(json!({"role": role, "because": why})), ..about("role.kept", person) }
    }
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
    /// give, replace their roles on those subscriptions. A subscription's only owner and the only global admin keep their
    /// role until there is another.
    ///
    /// # Errors
    /// [`AccessRefusal::NameOfAnother`], [`AccessRefusal::Disabled`], [`StoreError::BadName`] or the database's.
    pub async fn admit(
        &self,
        external: &ExternalPerson,
        roles: &[GroupRole],
        origin: &By,
        now: Timestamp,
    ) -> Result<Admitted, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let by = synced(external, origin, "");
        let mut admitted = work.admit(external, &by, now).await?;
        if let Some(here) = roles.iter().find(|given| given.subscription.is_none()) {
            let is_admin = here.role == Some(Role::GlobalAdmin);
            work.sync_admin(&mut admitted, is_admin, &synced(external, origin, &given(here.role)), now)
                .await?;
        }
        work.finish(&by).await?;
        for GroupRole { subscription, role } in roles {
            let Some(subscription) = subscription else { continue };
            let by = synced(external, origin, &given(*role));
            let name = admitted.person.name.clone();
            let mut work = self.write(Scope::Subscription(subscription)).await?;
            match work.set_role(subscription, &name, *role, &by, now).await {
                Ok(()) => {}
                Err(StoreError::Access(AccessRefusal::LastOwner(_))) => {
                    let kept = Kept::LastOwner(subscription.clone());
                    work.audit(Some(subscription), &by, kept.entry(&name), now).await?;
                    admitted.kept.push(kept);
                }
                Err(error) => return Err(error),
            }
            work.finish(&by).await?;
        }
        Ok(admitted)
    }

    /// As [`Store::admit`] if the provider does not tell the person's groups: their roles stay as they are. If `unknown`
    /// says so, or if they have a role that groups could take away, a row of the audit trail tells it.
    ///
    /// # Errors
    /// Those of [`Store::admit`].
    pub async fn admit_with_unknown_groups(
        &self,
        external: &ExternalPerson,
        unknown: UnknownGroups<'_>,
        origin: &By,
        now: Timestamp,
    ) -> Result<Admitted, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let by = synced(external, origin, unknown.why);
        let mut admitted = work.admit(external, &by, now).await?;
        let name = &admitted.person.name;
        let mut holds = false;
        for subscription in unknown.governed {
            holds |= match subscription {
                Some(subscription) => work.binding(subscription, name).await?.is_some(),
                None => admitted.person.global_admin,
            };
        }
        if unknown.always || holds {
            work.audit(None, &by, Kept::All.entry(name), now).await?;
            admitted.kept.push(Kept::All);
        }
        work.finish(&by).await?;
        Ok(admitted)
    }

    /// Links a person to another subject of a provider, instead of those that they have there. Their sessions end; their
    /// tokens stay. A person who has a password keeps it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`AccessRefusal::SubjectOfAnother`], [`AccessRefusal::BadSubject`] or the database's.
    pub async fn relink(
        &self,
        name: &str,
        issuer: &str,
        subject: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if [issuer, subject]
            .iter()
            .any(|text| text.is_empty() || text.len() > SUBJECT || text.chars().any(char::is_control))
        {
            return Err(AccessRefusal::BadSubject.into());
        }
        let mut work = self.write(Scope::Installation).await?;
        if work.row(sql("SELECT 1 AS one FROM person WHERE name = $1").bind(name)).await?.is_none() {
            return Err(no_such_person(name));
        }
        let holder = "SELECT person FROM person_identity WHERE issuer = $1 AND subject = $2";
        match work
            .row(sql(holder).bind(issuer).bind(subject))
            .await?
            .map(|row| row.text("person"))
            .transpose()?
        {
            Some(holder) if holder == name => return Ok(()),
            Some(holder) => return Err(AccessRefusal::SubjectOfAnother(holder).into()),
            None => {}
        }
        let former =
            "SELECT subject, email FROM person_identity WHERE issuer = $1 AND person = $2 ORDER BY subject";
        let rows = work.rows(sql(former).bind(issuer).bind(name)).await?;
        let former = rows.iter().map(|row| row.text("subject")).collect::<Result<Vec<_>, _>>()?;
        let email = rows.iter().find_map(|row| row.opt_text("email").ok().flatten());
        let delete = "DELETE FROM person_identity WHERE issuer = $1 AND person = $2";
        work.execute(sql(delete).bind(issuer).bind(name)).await?;
        work.insert_identity(name, issuer, subject, email, now).await?;
        work.end_sessions(name, None).await?;
        let entry = Entry {
            before: Some(json!({"issuer": issuer, "subjects": former})),
            after: Some(json!({"issuer": issuer, "subject": subject})),
            ..about("person.relink", name)
        };
        work.audit(None, by, entry, now).await?;
        work.finish(by).await
    }
}

impl Work {
    /// Finds or creates the account of a person whom the provider vouches for.
    async fn admit(
        &mut self,
        external: &ExternalPerson,
        by: &By,
        now: Timestamp,
    ) -> Result<Admitted, StoreError> {
        let query = "SELECT p.name, p.global_admin, p.disabled_at FROM person_identity i JOIN person p ON p.name = i.person
                     WHERE i.issuer = $1 AND i.subject = $2";
        let known = self.row(sql(query).bind(&external.issuer).bind(&external.subject)).await?;
        let person = match &known {
            Some(row) if row.opt_int("disabled_at")?.is_some() => {
                return Err(AccessRefusal::Disabled(row.text("name")?).into());
            }
            Some(row) => read(row)?,
            None => Person { name: checked_name(&external.name, NAME)?.to_owned(), global_admin: false },
        };
        if known.is_none() {
            let by = By { reason: Some("first sign-in by the identity provider".to_owned()), ..by.clone() };
            insert_person(self, &person, "", &by, now).await.map_err(|error| match error {
                // The name belongs to another account: the name alone must not give access to it.
                StoreError::Taken { name, .. } => {
                    let subject = external.subject.clone();
                    AccessRefusal::NameOfAnother { name, subject }.into()
                }
                other => other,
            })?;
            let ExternalPerson { issuer, subject, email, .. } = external;
            self.insert_identity(&person.name, issuer, subject, email.clone(), now).await?;
        }
        Ok(Admitted { person, kept: Vec::new() })
    }

    async fn insert_identity(
        &mut self,
        person: &str,
        issuer: &str,
        subject: &str,
        email: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO person_identity (issuer, subject, person, email, created_at) VALUES ($1, $2, $3, $4, $5)";
        let insert = sql(insert).bind(issuer).bind(subject).bind(person).bind(email).bind(now.0);
        self.execute(insert).await.map(drop)
    }

    /// Makes a person a global admin, or takes it away unless they are the only one who can sign in.
    async fn sync_admin(
        &mut self,
        admitted: &mut Admitted,
        is_admin: bool,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Admitted { person, kept } = admitted;
        if person.global_admin == is_admin {
            return Ok(());
        }
        if !is_admin && self.is_last_admin(&person.name).await? {
            self.audit(None, by, Kept::LastAdmin.entry(&person.name), now).await?;
            kept.push(Kept::LastAdmin);
            return Ok(());
        }
        let set = "UPDATE person SET global_admin = $2 WHERE name = $1";
        self.execute(sql(set).bind(&person.name).bind(is_admin)).await?;
        let entry = Entry {
            before: Some(json!({"global_admin": person.global_admin})),
            after: Some(json!({"global_admin": is_admin})),
            ..about("person.global-admin", &person.name)
        };
        self.audit(None, by, entry, now).await?;
        person.global_admin = is_admin;
        Ok(())
    }
}

/// The provider's sync as the actor, with its reason.
fn synced(external: &ExternalPerson, origin: &By, reason: &str) -> By {
    let reason = (!reason.is_empty()).then(|| reason.chars().take(REASON).collect());
    By { actor: Actor::Provider(external.issuer.clone()), reason, ..origin.clone() }
}

/// Why the sync changes a role.
fn given(role: Option<Role>) -> String {
    match role {
        Some(role) => format!("at sign-in, the person's groups give {}", role.key()),
        None => "at sign-in, none of the person's groups gives a role".to_owned(),
    }
}
