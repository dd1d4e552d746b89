//! The secrets that people present: sessions, API tokens, one-time links. Stored hashed; shown once.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::{Actor, Entry};
use super::credential_kind::{CredentialKind, TOKEN_DAYS};
use super::engine::{Row, sql};
use super::error::AccessRefusal;
use super::people::{Person, about, no_such_person, read};
use super::{By, Scope, Store, StoreError, Work, checked_name};
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR, rfc3339};
use crate::plan::permission::{Role, TokenScope};
use crate::plan::secret;

/// The longest name of a token in characters.
const NAME: usize = 100;
/// The longest life of a token in days.
const MOST_DAYS: i64 = 365;
/// The most tokens, and the most sessions, of one person.
const MOST: i64 = 100;

/// A new secret: shown once.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The secret.
    pub secret: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its id in lists, 16 hex digits.
    pub id: String,
}

/// The person who presents a secret, and the limits of the secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The person.
    pub person: Person,
    /// What the secret may do of what the person may.
    pub scope: TokenScope,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The secret's id.
    pub id: String,
}

/// What a new token needs.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name, for the list: 1 to 100 characters.
    pub name: String,
    /// Its life in days: 1 to 365; by default 90, but no longer than the token that makes it.
    #[serde(default)]
    pub days: Option<i64>,
    /// A role that limits the token: it permits what both its holder and this role may do.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The id of the only subscription on which the token is valid.
    #[serde(default)]
    pub subscription: Option<String>,
}

/// A secret of a person, without the secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct CredentialEntry {
    /// 16 hex digits.
    pub id: String,
    /// The token's name; empty for a session.
    pub name: String,
    /// The role that limits the token, if any.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The only subscription of the token, if it is limited to one.
    pub subscription: Option<String>,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The hour in which it was last used, if it was.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
}

impl Store {
    /// Makes a secret for a person, or the setup link, which has no person yet. For the service itself: people get theirs
    /// from [`Store::create_token`] and [`Store::begin_session`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn issue(
        &self,
        kind: CredentialKind,
        person: Option<&str>,
        now: Timestamp,
    ) -> Result<Issued, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let issued = work.issue(kind, person, "", &TokenScope::default(), kind.life(), now).await?;
        let object = person.map_or_else(|| "person?".to_owned(), |name| format!("person/{name}"));
        let after = Some(json!({"kind": kind.key(), "id": issued.id}));
        work.audit(
            None,
            &By::service(),
            Entry { action: "secret.create", object, after, ..Entry::default() },
            now,
        )
        .await?;
        work.commit().await?;
        Ok(issued)
    }

    /// Makes an API token of a person. If they ask with a token, `maker` is that token: the new token permits no more, and
    /// lives no longer.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::NotFound`], an [`AccessRefusal`] or the database's.
    pub async fn create_token(
        &self,
        person: &str,
        new: &NewToken,
        maker: Option<&Holder>,
        by: &By,
        now: Timestamp,
    ) -> Result<Issued, StoreError> {
        let name = checked_name(&new.name, NAME)?;
        let days = new.days.unwrap_or(TOKEN_DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(AccessRefusal::TokenLife(MOST_DAYS).into());
        }
        let subscription = match &new.subscription {
            Some(id) => Some(self.find_subscription(id).await?.id.to_string()),
            None => None,
        };
        let scope = TokenScope { role: new.role, subscription };
        // What nobody asked for is cut to what the maker has.
        let rest = maker.filter(|_| new.days.is_none()).map(|maker| maker.expires_at.since(now));
        let life = rest.map_or(days * DAY, |rest| rest.min(days * DAY));
        if let Some(maker) = maker
            && !(scope.is_within(&maker.scope) && now.plus(life) <= maker.expires_at)
        {
            return Err(AccessRefusal::WiderToken.into());
        }
        let mut work = self.write(Scope::Installation).await?;
        work.refuse_disabled(person).await?;
        if work.count(CredentialKind::Token, person, now).await? >= MOST {
            return Err(AccessRefusal::Full { what: "tokens of this person", most: MOST }.into());
        }
        let issued = work.issue(CredentialKind::Token, Some(person), name, &scope, life, now).await?;
        let after = json!({"id": issued.id, "name": name, "role": scope.role, "subscription": scope.subscription,
            "expires_at": issued.expires_at.to_string()});
        work.audit(None, by, Entry { after: Some(after), ..about("token.create", person) }, now).await?;
        work.finish(by).await?;
        Ok(issued)
    }

    /// Signs a person in. `how` is the method, for the audit trail. If the person has 100 sessions, ends the oldest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn begin_session(
        &self,
        person: &str,
        how: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<Issued, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        work.refuse_disabled(person).await?;
        if work.count(CredentialKind::Session, person, now).await? >= MOST {
            let oldest = "DELETE FROM credential WHERE hash = (SELECT hash FROM credential
                          WHERE person = $1 AND kind = 'session' ORDER BY expires_at, hash LIMIT 1)";
            work.execute(sql(oldest).bind(person)).await?;
        }
        let kind = CredentialKind::Session;
        let issued = work.issue(kind, Some(person), "", &TokenScope::default(), kind.life(), now).await?;
        let by = By { actor: Actor::Person(person.to_owned()), ..by.clone() };
        let after = Some(json!({"by": how, "session": issued.id}));
        work.audit(None, &by, Entry { after, ..about("sign-in", person) }, now).await?;
        work.finish(&by).await?;
        Ok(issued)
    }

    /// The sessions, or tokens, of a person that are valid at `now`, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn credentials(
        &self,
        kind: CredentialKind,
        person: &str,
        now: Timestamp,
    ) -> Result<Vec<CredentialEntry>, StoreError> {
        let query = "SELECT hash, label, role, subscription, created_at, expires_at, used_at FROM credential
                     WHERE person = $1 AND kind = $2 AND expires_at > $3 ORDER BY created_at DESC, hash";
        let rows = self.rows(sql(query).bind(person).bind(kind.key()).bind(now.0)).await?;
        rows.iter().map(read_entry).collect()
    }

    /// Ends a session or token of a person, by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn end_credential(
        &self,
        kind: CredentialKind,
        person: &str,
        id: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let query = "SELECT hash, label FROM credential WHERE person = $1 AND kind = $2";
        let rows = work.rows(sql(query).bind(person).bind(kind.key())).await?;
        for row in &rows {
            let hash = row.blob("hash")?;
            if id_of(&hash) != id {
                continue;
            }
            work.execute(sql("DELETE FROM credential WHERE hash = $1").bind(hash)).await?;
            let action = if kind == CredentialKind::Token { "token.revoke" } else { "session.end" };
            let before = Some(json!({"id": id, "name": row.str("label")?}));
            work.audit(None, by, Entry { before, ..about(action, person) }, now).await?;
            return work.finish(by).await;
        }
        Err(StoreError::NotFound { what: kind.key(), id: id.chars().take(60).collect() })
    }

    /// Whether a secret of that kind is valid at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_good(
        &self,
        kind: CredentialKind,
        secret: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = "SELECT 1 AS one FROM credential WHERE hash = $1 AND kind = $2 AND expires_at > $3";
        let row = self.row(sql(query).bind(secret::hash(secret)).bind(kind.key()).bind(now.0)).await?;
        Ok(row.is_some())
    }

    /// The holder of a session or token that is valid at `now`. Records the hour of its last use.
    ///
    /// # Errors
    /// The database's.
    pub async fn holder(
        &self,
        kind: CredentialKind,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Holder>, StoreError> {
        let hash = secret::hash(secret);
        let query = "SELECT p.name, p.global_admin, c.role, c.subscription, c.expires_at, c.used_at
                     FROM credential c JOIN person p ON p.name = c.person
                     WHERE c.hash = $1 AND c.kind = $2 AND c.expires_at > $3 AND p.disabled_at IS NULL";
        let Some(row) = self.row(sql(query).bind(hash).bind(kind.key()).bind(now.0)).await? else {
            return Ok(None);
        };
        let hour = now.0.saturating_sub(now.0.rem_euclid(HOUR));
        if row.opt_int("used_at")?.is_none_or(|used| used < hour) {
            let mut work = self.write(Scope::Installation).await?;
            work.execute(sql("UPDATE credential SET used_at = $2 WHERE hash = $1").bind(hash).bind(hour))
                .await?;
            work.commit().await?;
        }
        let scope = TokenScope { role: role_of(&row)?, subscription: row.opt_text("subscription")? };
        let expires_at = Timestamp(row.int("expires_at")?);
        Ok(Some(Holder { person: read(&row)?, scope, expires_at, id: id_of(&hash) }))
    }

    /// The person of a one-time sign-in link. The link cannot be used again.
    ///
    /// # Errors
    /// The database's.
    pub async fn redeem_login(&self, link: &str, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let holder = self.holder(CredentialKind::Login, link, now).await?;
        let mut work = self.write(Scope::Installation).await?;
        let used = "DELETE FROM credential WHERE hash = $1 AND kind = 'login' AND label = ''";
        let used = work.execute(sql(used).bind(secret::hash(link))).await?;
        work.commit().await?;
        Ok(holder.filter(|_| used == 1).map(|holder| holder.person))
    }
}

impl Work {
    pub(super) async fn issue(
        &mut self,
        kind: CredentialKind,
        person: Option<&str>,
        label: &str,
        scope: &TokenScope,
        life: i64,
        now: Timestamp,
    ) -> Result<Issued, StoreError> {
        let secret = secret::generate(kind.prefix())?;
        let hash = secret::hash(&secret);
        let expires_at = now.plus(life);
        self.execute(sql("DELETE FROM credential WHERE expires_at <= $1").bind(now.0)).await?;
        self.execute(
            sql("INSERT INTO credential (hash, kind, person, label, created_at, expires_at, role, subscription)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(hash)
            .bind(kind.key())
            .bind(person)
            .bind(label)
            .bind(now.0)
            .bind(expires_at.0)
            .bind(scope.role.map(Role::key))
            .bind(scope.subscription.clone()),
        )
        .await?;
        Ok(Issued { secret, expires_at, id: id_of(&hash) })
    }

    /// Ends the sessions of a person, except the one with the id `kept`.
    pub(super) async fn end_sessions(&mut self, person: &str, kept: Option<&str>) -> Result<(), StoreError> {
        let query = "SELECT hash FROM credential WHERE person = $1 AND kind IN ('session', 'login')";
        for row in self.rows(sql(query).bind(person)).await? {
            let hash = row.blob("hash")?;
            if kept != Some(id_of(&hash).as_str()) {
                self.execute(sql("DELETE FROM credential WHERE hash = $1").bind(hash)).await?;
            }
        }
        Ok(())
    }

    async fn count(&mut self, kind: CredentialKind, person: &str, now: Timestamp) -> Result<i64, StoreError> {
        let query =
            "SELECT count(*) AS secrets FROM credential WHERE person = $1 AND kind = $2 AND expires_at > $3";
        let row = self.row(sql(query).bind(person).bind(kind.key()).bind(now.0)).await?;
        row.map_or(Ok(0), |row| row.int("secrets"))
    }

    /// A person who was disabled during the sign-in does not get a session.
    pub(super) async fn refuse_disabled(&mut self, person: &str) -> Result<(), StoreError> {
        let row = self.row(sql("SELECT disabled_at FROM person WHERE name = $1").bind(person)).await?;
        match row.ok_or_else(|| no_such_person(person))?.opt_int("disabled_at")? {
            Some(_) => Err(AccessRefusal::Disabled(person.to_owned()).into()),
            None => Ok(()),
        }
    }
}

/// The id of a secret in lists: the first 8 bytes of its hash. They do not reveal the secret.
fn id_of(hash: &[u8]) -> String {
    hex::encode(hash).chars().take(16).collect()
}

fn role_of(row: &Row) -> Result<Option<Role>, StoreError> {
    let corrupt = |e| StoreError::Corrupt { table: "credential", why: format!("{e}") };
    row.opt_text("role")?.map(|key| key.parse().map_err(corrupt)).transpose()
}

fn read_entry(row: &Row) -> Result<CredentialEntry, StoreError> {
    Ok(CredentialEntry {
        id: id_of(&row.blob("hash")?),
        name: row.text("label")?,
        role: role_of(row)?,
        subscription: row.opt_text("subscription")?,
        created_at: Timestamp(row.int("created_at")?),
        expires_at: Timestamp(row.int("expires_at")?),
        used_at: row.opt_int("used_at")?.map(Timestamp),
    })
}
