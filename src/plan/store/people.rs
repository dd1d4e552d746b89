//! People, their roles, and the secrets that they present: sessions, API tokens, one-time links.

use serde::Serialize;

use super::engine::{Row, sql};
use super::{Scope, Store, StoreError, Work, checked_name, or_taken};
use crate::census::Timestamp;
use crate::plan::permission::Role;
use crate::plan::secret;

/// The longest name of a person in characters.
const NAME: usize = 100;
const MINUTE: i64 = 60_000_000_000;
/// The hash of a password that nobody knows: with it, unknown names take as long as wrong passwords.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$Cw0O5nGkTVcTjGTfBFVzRGCbbVL4L1+wNiYhTyuXvK0";

/// What a secret of a person is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// The cookie of a signed-in browser: 12 hours.
    Session,
    /// A bearer token for programs: 90 days.
    Token,
    /// The one-time link that makes the first administrator: 24 hours.
    Setup,
    /// A one-time link that signs a person in: 10 minutes.
    Login,
}

impl CredentialKind {
    const fn key(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::Setup => "setup",
            Self::Login => "login",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "nce_",
            Self::Token => "nct_",
            Self::Setup | Self::Login => "",
        }
    }

    /// How long it is good, in nanoseconds.
    pub const fn life(self) -> i64 {
        match self {
            Self::Session => 12 * 60 * MINUTE,
            Self::Token => 90 * 24 * 60 * MINUTE,
            Self::Setup => 24 * 60 * MINUTE,
            Self::Login => 10 * MINUTE,
        }
    }
}

/// A person.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Person {
    /// The name with which they sign in.
    pub name: String,
    /// Whether they administer the tenant.
    pub global_admin: bool,
}

/// A new secret: shown once.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The secret.
    pub secret: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// Creates a person with a password. Hashing is slow: see [`secret::hash_password`].
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::BadPassword`], [`StoreError::Taken`] or the database's.
    pub async fn create_person(
        &self,
        name: &str,
        password: &str,
        global_admin: bool,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Tenant).await?;
        insert_person(&mut work, &name, hash, global_admin, now).await?;
        work.commit().await?;
        Ok(Person { name, global_admin })
    }

    /// Turns a one-time setup link into the first administrator, who owns every subscription there is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a link that is not good, else those of [`Store::create_person`].
    pub async fn set_up(
        &self,
        link: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        if !self.is_good(CredentialKind::Setup, link, now).await? {
            return Err(no_such_link());
        }
        let name = checked_name(name, NAME)?.to_owned();
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Tenant).await?;
        let used = work
            .execute(
                sql("DELETE FROM credential WHERE hash = $1 AND kind = 'setup' AND expires_at > $2")
                    .bind(secret::hash(link))
                    .bind(now.0),
            )
            .await?;
        if used != 1 {
            return Err(no_such_link());
        }
        work.execute(sql("DELETE FROM credential WHERE kind = 'setup'")).await?;
        insert_person(&mut work, &name, hash, true, now).await?;
        work.execute(sql("INSERT INTO role_binding (subscription, person, role) SELECT id, $1, 'O' FROM subscription WHERE true").bind(&name))
            .await?;
        work.commit().await?;
        Ok(Person { name, global_admin: true })
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
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let rows = self.rows(sql("SELECT name, global_admin FROM person ORDER BY name")).await?;
        rows.iter().map(read).collect()
    }

    /// The person with that name and password; `None` where either is wrong, after the same time.
    ///
    /// # Errors
    /// The database's.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Option<Person>, StoreError> {
        let row = self
            .row(sql("SELECT name, global_admin, password_hash FROM person WHERE name = $1").bind(name))
            .await?;
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

    /// Binds a person's role on a subscription, replacing what was bound.
    ///
    /// # Errors
    /// The database's; a person or subscription that does not exist is one.
    pub async fn bind_role(&self, subscription: &str, person: &str, role: Role) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Tenant).await?;
        work.execute(
            sql("INSERT INTO role_binding (subscription, person, role) VALUES ($1, $2, $3)
             ON CONFLICT (subscription, person) DO UPDATE SET role = excluded.role")
            .bind(subscription)
            .bind(person)
            .bind(role.key()),
        )
        .await?;
        work.commit().await?;
        Ok(())
    }

    /// The roles that a person has on a subscription, the tenant's included.
    ///
    /// # Errors
    /// The database's.
    pub async fn roles(&self, person: &Person, subscription: &str) -> Result<Vec<Role>, StoreError> {
        let row = self
            .row(
                sql("SELECT role FROM role_binding WHERE subscription = $1 AND person = $2")
                    .bind(subscription)
                    .bind(&person.name),
            )
            .await?;
        let mut roles: Vec<Role> = person.global_admin.then_some(Role::GlobalAdmin).into_iter().collect();
        if let Some(row) = row {
            let corrupt = |e| StoreError::Corrupt { table: "role_binding", why: format!("{e}") };
            roles.push(row.str("role")?.parse().map_err(corrupt)?);
        }
        Ok(roles)
    }

    /// Makes a secret for a person, or a setup link for nobody yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue(
        &self,
        kind: CredentialKind,
        person: Option<&str>,
        now: Timestamp,
    ) -> Result<Issued, StoreError> {
        let secret = secret::generate(kind.prefix())?;
        let expires_at = now.plus(kind.life());
        let mut work = self.write(Scope::Tenant).await?;
        work.execute(sql("DELETE FROM credential WHERE expires_at <= $1").bind(now.0)).await?;
        work.execute(sql("INSERT INTO credential (hash, kind, person, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)").bind(secret::hash(&secret)).bind(kind.key()).bind(person).bind(now.0).bind(expires_at.0))
        .await?;
        work.commit().await?;
        Ok(Issued { secret, expires_at })
    }

    /// Whether a secret of that kind is good at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_good(
        &self,
        kind: CredentialKind,
        secret: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = self
            .row(
                sql("SELECT 1 AS one FROM credential WHERE hash = $1 AND kind = $2 AND expires_at > $3")
                    .bind(secret::hash(secret))
                    .bind(kind.key())
                    .bind(now.0),
            )
            .await?;
        Ok(row.is_some())
    }

    /// The person who holds a session or token, if it is good at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn holder(
        &self,
        kind: CredentialKind,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, StoreError> {
        let row = self
            .row(
                sql("SELECT p.name, p.global_admin FROM credential c JOIN person p ON p.name = c.person
             WHERE c.hash = $1 AND c.kind = $2 AND c.expires_at > $3")
                .bind(secret::hash(secret))
                .bind(kind.key())
                .bind(now.0),
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The person of a one-time sign-in link, which is used up by this.
    ///
    /// # Errors
    /// The database's.
    pub async fn redeem_login(&self, link: &str, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let person = self.holder(CredentialKind::Login, link, now).await?;
        Ok(if self.forget(link).await? { person } else { None })
    }

    /// Ends a secret; returns whether there was one.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget(&self, secret: &str) -> Result<bool, StoreError> {
        let mut work = self.write(Scope::Tenant).await?;
        let done =
            work.execute(sql("DELETE FROM credential WHERE hash = $1").bind(secret::hash(secret))).await?;
        work.commit().await?;
        Ok(done == 1)
    }
}

async fn hash_off_thread(password: &str) -> Result<String, StoreError> {
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || secret::hash_password(&password)).await;
    Ok(hashed.map_err(|_| secret::BadPassword::Hashing)??)
}

async fn insert_person(
    work: &mut Work,
    name: &str,
    hash: String,
    global_admin: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    work.execute(
        sql("INSERT INTO person (name, password_hash, global_admin, created_at) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(hash)
            .bind(i64::from(global_admin))
            .bind(now.0),
    )
    .await
    .map_err(or_taken(|| StoreError::Taken { what: "person", name: name.to_owned() }))?;
    Ok(())
}

fn no_such_link() -> StoreError {
    StoreError::NotFound { what: "setup link", id: "…".into() }
}

fn read(row: &Row) -> Result<Person, StoreError> {
    Ok(Person { name: row.text("name")?, global_admin: row.int("global_admin")? == 1 })
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
