//! Invitations: one-time links by which a person chooses a password.
//!
//! An invitation is a sign-in link with a label of its own: the link that signs a person in does not set a password, and an
//! invitation signs nobody in before they have chosen one.

use super::audit::{Actor, Entry};
use super::credential_kind::CredentialKind;
use super::credentials::Issued;
use super::engine::sql;
use super::people::{Person, about, hash_off_thread, insert_person, read};
use super::{By, Scope, Store, StoreError, checked_name};
use crate::census::Timestamp;
use crate::census::time::DAY;
use crate::plan::permission::TokenScope;
use crate::plan::secret;

/// The label of such a link.
pub(super) const LABEL: &str = "invitation";
/// How long an invitation is valid, in nanoseconds.
const LIFE: i64 = 7 * DAY;

impl Store {
    /// Creates a person without a password. They sign in by the identity provider once they are linked, or by an invitation.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::Taken`], a full list of people, or the database's.
    pub async fn create_person_without_password(
        &self,
        name: &str,
        global_admin: bool,
        by: &By,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let person = Person { name: checked_name(name, super::people::NAME)?.to_owned(), global_admin };
        let mut work = self.write(Scope::Installation).await?;
        insert_person(&mut work, &person, "", by, now).await?;
        work.finish(by).await?;
        Ok(person)
    }

    /// Makes a one-time link by which a person chooses a password. An earlier invitation ends. Until the link is used, nothing
    /// else about the person changes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], a disabled person, or the database's.
    pub async fn invite(&self, person: &str, by: &By, now: Timestamp) -> Result<Issued, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        work.refuse_disabled(person).await?;
        let former = "DELETE FROM credential WHERE person = $1 AND kind = 'login' AND label = $2";
        work.execute(sql(former).bind(person).bind(LABEL)).await?;
        let scope = TokenScope::default();
        let issued = work.issue(CredentialKind::Login, Some(person), LABEL, &scope, LIFE, now).await?;
        let after = serde_json::json!({"expires_at": issued.expires_at.to_string()});
        work.audit(None, by, Entry { after: Some(after), ..about("person.invite", person) }, now).await?;
        work.finish(by).await?;
        Ok(issued)
    }

    /// The person whom a link invites; `None` if it is unknown, used or expired, or if they are disabled.
    ///
    /// # Errors
    /// The database's.
    pub async fn invited(&self, link: &str, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let query = "SELECT p.name, p.global_admin FROM credential c JOIN person p ON p.name = c.person
                     WHERE c.hash = $1 AND c.kind = 'login' AND c.label = $2 AND c.expires_at > $3 AND p.disabled_at IS NULL";
        let row = self.row(sql(query).bind(secret::hash(link)).bind(LABEL).bind(now.0)).await?;
        row.as_ref().map(read).transpose()
    }

    /// Sets the password that an invited person chose. The link cannot be used again; their sessions end.
    ///
    /// # Errors
    /// [`StoreError::BadPassword`] or the database's; `None` as [`Store::invited`].
    pub async fn accept_invitation(
        &self,
        link: &str,
        password: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<Option<Person>, StoreError> {
        if self.invited(link, now).await?.is_none() {
            return Ok(None);
        }
        let hash = hash_off_thread(password).await?;
        let mut work = self.write(Scope::Installation).await?;
        let query = "SELECT p.name, p.global_admin FROM credential c JOIN person p ON p.name = c.person
                     WHERE c.hash = $1 AND c.kind = 'login' AND c.label = $2 AND c.expires_at > $3 AND p.disabled_at IS NULL";
        let Some(row) = work.row(sql(query).bind(secret::hash(link)).bind(LABEL).bind(now.0)).await? else {
            return Ok(None);
        };
        let person = read(&row)?;
        work.execute(
            sql("UPDATE person SET password_hash = $2 WHERE name = $1").bind(&person.name).bind(hash),
        )
        .await?;
        // Of the links of a person, this one ends, too.
        work.end_sessions(&person.name, None).await?;
        let actor = Actor::Person(person.name.clone());
        let by = By { actor, reason: Some("by an invitation".to_owned()), ..by.clone() };
        work.audit(None, &by, about("person.password", &person.name), now).await?;
        work.finish(&by).await?;
        Ok(Some(person))
    }
}
