//! People and their passwords.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit::{Actor, Entry};
use super::credential_kind::CredentialKind;
use super::engine::{Row, sql};
use super::error::AccessRefusal;
use super::{By, Scope, Store, StoreError, Work, checked_name, or_taken};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::secret;

/// The longest name of a person in characters.
pub(super) const NAME: usize = 100;
/// The most people of an installation.
const PEOPLE: i64 = 10_000;
/// The hash of a password that nobody knows: verifying it makes unknown names take as long as wrong passwords.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$Cw0O5nGkTVcTjGTfBFVzRGCbbVL4L1+wNiYhTyuXvK0";

/// A person.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Person {
    /// The name with which they sign in.
    pub name: String,
    /// Whether the person is a global admin.
    pub global_admin: bool,
}

/// A person at an identity provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct PersonIdentity {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The person's subject there.
    pub subject: String,
    /// The e-mail that the provider sent at the first sign-in.
    pub email: Option<String>,
}

/// A person as an administrator sees them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct PersonEntry {
    /// The name with which they sign in.
    pub name: String,
    /// Whether the person is a global admin.
    pub global_admin: bool,
    /// Whether they have a password here; without one they sign in by their identity provider.
    pub has_password: bool,
    /// As whom the identity provider knows them.
    pub identities: Vec<PersonIdentity>,
    /// When they were created.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When they were disabled, if they are.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
}

impl Store {
    /// Creates a person with a password. Hashing is slow: see [`secret::hash_password`].
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::BadPassword`], [`StoreError::Taken`], [`AccessRefusal::Full`] or the
    /// database's.
    pub async fn create_person(
        &self,
        name: &str,
        password: &str,
        global_admin: bool,
        by: &By,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Installation).await?;
        let person = Person { name, global_admin };
        insert_person(&mut work, &person, &hash, by, now).await?;
        work.finish(by).await?;
        Ok(person)
    }

    /// Creates the first administrator by the one-time setup link. They become an owner of every existing subscription.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an invalid link, else those of [`Store::create_person`].
    pub async fn set_up(
        &self,
        link: &str,
        name: &str,
        password: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        if !self.is_good(CredentialKind::Setup, link, now).await? {
            return Err(no_such_link());
        }
        let name = checked_name(name, NAME)?.to_owned();
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Installation).await?;
        let good = "DELETE FROM credential WHERE hash = $1 AND kind = 'setup' AND expires_at > $2";
        if work.execute(sql(good).bind(secret::hash(link)).bind(now.0)).await? != 1 {
            return Err(no_such_link());
        }
        work.execute(sql("DELETE FROM credential WHERE kind = 'setup'")).await?;
        let person = Person { name, global_admin: true };
        let by = By { actor: Actor::Person(person.name.clone()), ..by.clone() };
        insert_person(&mut work, &person, &hash, &by, now).await?;
        let owns = "INSERT INTO role_binding (subscription, person, role) SELECT id, $1, 'O' FROM subscription WHERE true";
        work.execute(sql(owns).bind(&person.name)).await?;
        work.finish(&by).await?;
        Ok(person)
    }

    /// Whether nobody has been created yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_unclaimed(&self) -> Result<bool, StoreError> {
        let row = self.row(sql("SELECT 1 AS one FROM person LIMIT 1")).await?;
        Ok(row.is_none())
    }

    /// All people, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn people(&self) -> Result<Vec<PersonEntry>, StoreError> {
        let query =
            "SELECT name, global_admin, password_hash, created_at, disabled_at FROM person ORDER BY name";
        let identities =
            "SELECT person, issuer, subject, email FROM person_identity ORDER BY issuer, subject";
        let mut work = self.read().await?;
        let mut of: BTreeMap<String, Vec<PersonIdentity>> = BTreeMap::new();
        for row in &work.rows(sql(identities)).await? {
            of.entry(row.text("person")?).or_default().push(read_identity(row)?);
        }
        let people = work.rows(sql(query)).await?;
        let entry = |row| {
            let entry = read_entry(row)?;
            Ok(PersonEntry { identities: of.remove(&entry.name).unwrap_or_default(), ..entry })
        };
        people.iter().map(entry).collect()
    }

    /// One person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn person(&self, name: &str) -> Result<PersonEntry, StoreError> {
        self.read().await?.person(name).await
    }

    /// The person with that name and password. `None`, after the same time, if either is wrong or the person is disabled.
    ///
    /// # Errors
    /// The database's.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Option<Person>, StoreError> {
        let query = "SELECT name, global_admin, password_hash FROM person
                     WHERE name = $1 AND password_hash <> '' AND disabled_at IS NULL";
        let row = self.row(sql(query).bind(name)).await?;
        let stored = match &row {
            Some(row) => row.text("password_hash")?,
            None => NOBODY.to_owned(),
        };
        let password = password.to_owned();
        let good = tokio::task::spawn_blocking(move || secret::verify_password(&password, &stored)).await;
        match row {
            Some(row) if good.unwrap_or(false) => read(&row).map(Some),
            _ => Ok(None),
        }
    }

    /// Gives a person a new password. Their sessions end, except the one with the id `kept`; their tokens stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::BadPassword`] or the database's.
    pub async fn set_password(
        &self,
        name: &str,
        password: &str,
        kept: Option<&str>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Installation).await?;
        let set = "UPDATE person SET password_hash = $2 WHERE name = $1";
        if work.execute(sql(set).bind(name).bind(hash)).await? == 0 {
            return Err(no_such_person(name));
        }
        work.end_sessions(name, kept).await?;
        work.audit(None, by, about("person.password", name), now).await?;
        work.finish(by).await
    }

    /// Disables a person, who can no longer sign in and whose sessions and tokens end at once; or enables them again.
    /// Doing so twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`AccessRefusal::LastAdmin`] or the database's.
    pub async fn set_disabled(
        &self,
        name: &str,
        disabled: bool,
        by: &By,
        now: Timestamp,
    ) -> Result<PersonEntry, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let before = work.person(name).await?;
        if before.disabled_at.is_some() == disabled {
            return Ok(before);
        }
        if disabled && before.global_admin && work.is_last_admin(name).await? {
            return Err(AccessRefusal::LastAdmin(name.to_owned()).into());
        }
        let disabled_at = disabled.then_some(now);
        let set = "UPDATE person SET disabled_at = $2 WHERE name = $1";
        work.execute(sql(set).bind(name).bind(disabled_at.map(|at| at.0))).await?;
        if disabled {
            work.execute(sql("DELETE FROM credential WHERE person = $1").bind(name)).await?;
        }
        let action = if disabled { "person.disable" } else { "person.enable" };
        work.audit(None, by, about(action, name), now).await?;
        work.finish(by).await?;
        Ok(PersonEntry { disabled_at, ..before })
    }
}

impl Work {
    async fn person(&mut self, name: &str) -> Result<PersonEntry, StoreError> {
        let query =
            "SELECT name, global_admin, password_hash, created_at, disabled_at FROM person WHERE name = $1";
        let row = self.row(sql(query).bind(name)).await?.ok_or_else(|| no_such_person(name))?;
        let query =
            "SELECT issuer, subject, email FROM person_identity WHERE person = $1 ORDER BY issuer, subject";
        let identities = self.rows(sql(query).bind(name)).await?;
        let identities = identities.iter().map(read_identity).collect::<Result<_, _>>()?;
        Ok(PersonEntry { identities, ..read_entry(&row)? })
    }

    /// Whether no other global admin can sign in: one who is enabled, and has a password or is known to an identity provider.
    /// Whatever takes the role or the account of a global admin away asks this first, in the same transaction.
    pub(super) async fn is_last_admin(&mut self, name: &str) -> Result<bool, StoreError> {
        let others = "SELECT 1 AS one FROM person p WHERE p.global_admin = 1 AND p.disabled_at IS NULL AND p.name <> $1
                      AND (p.password_hash <> '' OR EXISTS (SELECT 1 FROM person_identity i WHERE i.person = p.name)) LIMIT 1";
        Ok(self.row(sql(others).bind(name)).await?.is_none())
    }
}

/// An entry of the trail about a person.
pub(super) fn about(action: &'static str, person: &str) -> Entry {
    Entry { action, object: format!("person/{person}"), ..Entry::default() }
}

pub(super) async fn hash_off_thread(password: &str) -> Result<String, StoreError> {
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || secret::hash_password(&password)).await;
    Ok(hashed.map_err(|_| secret::BadPassword::Hashing)??)
}

/// Adds a person and the row of the audit trail. An empty hash means that the person has no password.
pub(super) async fn insert_person(
    work: &mut Work,
    person: &Person,
    hash: &str,
    by: &By,
    now: Timestamp,
) -> Result<(), StoreError> {
    let count = work.row(sql("SELECT count(*) AS people FROM person")).await?;
    if count.map_or(Ok(0), |row| row.int("people"))? >= PEOPLE {
        return Err(AccessRefusal::Full { what: "people", most: PEOPLE }.into());
    }
    work.execute(
        sql("INSERT INTO person (name, password_hash, global_admin, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&person.name)
            .bind(hash)
            .bind(person.global_admin)
            .bind(now.0),
    )
    .await
    .map_err(or_taken(|| StoreError::Taken { what: "person", name: person.name.clone() }))?;
    let after = Some(json!({"global_admin": person.global_admin}));
    work.audit(None, by, Entry { after, ..about("person.create", &person.name) }, now).await
}

pub(super) fn no_such_person(name: &str) -> StoreError {
    StoreError::NotFound { what: "person", id: name.chars().take(60).collect() }
}

fn no_such_link() -> StoreError {
    StoreError::NotFound { what: "setup link", id: "…".into() }
}

pub(super) fn read(row: &Row) -> Result<Person, StoreError> {
    Ok(Person { name: row.text("name")?, global_admin: row.truth("global_admin")? })
}

fn read_identity(row: &Row) -> Result<PersonIdentity, StoreError> {
    let (issuer, subject) = (row.text("issuer")?, row.text("subject")?);
    Ok(PersonIdentity { issuer, subject, email: row.opt_text("email")? })
}

/// A person, without their identities.
fn read_entry(row: &Row) -> Result<PersonEntry, StoreError> {
    Ok(PersonEntry {
        identities: Vec::new(),
        name: row.text("name")?,
        global_admin: row.truth("global_admin")?,
        has_password: !row.str("password_hash")?.is_empty(),
        created_at: Timestamp(row.int("created_at")?),
        disabled_at: row.opt_int("disabled_at")?.map(Timestamp),
    })
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    #[test]
    fn the_hash_for_unknown_names_is_as_slow_as_others() {
        let nobody = PasswordHash::new(super::NOBODY).unwrap();
        let somebody = crate::plan::secret::hash_password("a long enough password").unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!((nobody.algorithm, &nobody.params), (somebody.algorithm, &somebody.params));
        assert!(nobody.salt.is_some() && nobody.hash.is_some());
    }
}
