//! One's own account: the password, the sessions, the API tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Own, Refusal};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::Role;
use crate::plan::store::{AccessRefusal, CredentialEntry, CredentialKind, NewToken, Person, StoreError};

/// Who the caller is, and the limits of their token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// The person.
    pub person: Person,
    /// The role that limits the token, if any.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The only subscription of the token, if it is limited to one.
    pub subscription: Option<String>,
    /// When the session or token ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A change of one's own password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The current password.
    pub current: String,
    /// The new one: 12 characters or more, at most 256 bytes.
    pub new: String,
}

/// The caller's sessions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<CredentialEntry>,
    /// The id of the one that asks, if it is one.
    pub current: Option<String>,
}

/// The caller's API tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// The newest first.
    pub tokens: Vec<CredentialEntry>,
}

/// A new API token: shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// What goes into `Authorization: Bearer`.
    pub token: String,
    /// By what it is listed and revoked.
    pub id: String,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Who the caller is.
pub fn show(caller: &Own) -> Account {
    let holder = caller.holder.clone();
    Account {
        person: holder.person,
        role: holder.scope.role,
        subscription: holder.scope.subscription,
        expires_at: holder.expires_at,
    }
}

/// Changes the caller's password. Their other sessions end; tokens stay.
///
/// # Errors
/// [`Refusal::TooMany`], [`Refusal::NoPasswords`], a wrong or unusable password, or the store's.
pub async fn change_password(app: &App, caller: &Own, change: &PasswordChange) -> Result<(), Refusal> {
    app.attempt(Some(&caller.person.name), Some(&caller.holder.id), &caller.by)?;
    app.passwords_accepted()?;
    let _permit = app.hashers.acquire().await;
    let (name, now) = (&caller.person.name, app.now());
    if app.store.sign_in(name, &change.current).await?.is_none() {
        app.store.audit_failed_sign_in(name, &caller.by, now).await?;
        return Err(StoreError::from(AccessRefusal::WrongPassword).into());
    }
    let kept = (caller.kind == CredentialKind::Session).then_some(caller.holder.id.as_str());
    Ok(app.store.set_password(name, &change.new, kept, &caller.by, now).await?)
}

/// Whether the caller has a password that they can change.
pub async fn has_password(app: &App, caller: &Own) -> Result<bool, Refusal> {
    let accepted = app.settings.access.local_passwords;
    Ok(accepted && app.store.person(&caller.person.name).await?.has_password)
}

/// The caller's sessions.
pub async fn sessions(app: &App, caller: &Own) -> Result<Sessions, Refusal> {
    let kind = CredentialKind::Session;
    let sessions = app.store.credentials(kind, &caller.person.name, app.now()).await?;
    let current = (caller.kind == kind).then(|| caller.holder.id.clone());
    Ok(Sessions { sessions, current })
}

/// The caller's API tokens.
pub async fn tokens(app: &App, caller: &Own) -> Result<Tokens, Refusal> {
    let tokens = app.store.credentials(CredentialKind::Token, &caller.person.name, app.now()).await?;
    Ok(Tokens { tokens })
}

/// Ends a session of the caller.
pub async fn end_session(app: &App, caller: &Own, id: &str) -> Result<(), Refusal> {
    end(app, caller, CredentialKind::Session, id).await
}

/// Revokes an API token of the caller.
pub async fn revoke_token(app: &App, caller: &Own, id: &str) -> Result<(), Refusal> {
    end(app, caller, CredentialKind::Token, id).await
}

async fn end(app: &App, caller: &Own, kind: CredentialKind, id: &str) -> Result<(), Refusal> {
    Ok(app.store.end_credential(kind, &caller.person.name, id, &caller.by, app.now()).await?)
}

/// Makes an API token of the caller. A token makes none that does more, or lives longer, than itself.
///
/// # Errors
/// [`Refusal::Hidden`] for a subscription on which the caller has no role, or the store's.
pub async fn create_token(app: &App, caller: &Own, new: &NewToken) -> Result<CreatedToken, Refusal> {
    if let Some(id) = &new.subscription {
        let hidden = || Refusal::hidden("subscription", id);
        let known = id.parse().map_err(|_| hidden())?;
        if caller.roles(app, &known).await?.is_empty() {
            return Err(hidden());
        }
    }
    let maker = (caller.kind == CredentialKind::Token).then_some(&caller.holder);
    let made = app.store.create_token(&caller.person.name, new, maker, &caller.by, app.now()).await?;
    Ok(CreatedToken { token: made.secret, id: made.id, expires_at: made.expires_at })
}
