//! People: list, create, give a new password, link to another subject of the identity provider, disable, enable.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::{CreatedToken, Tokens};
use super::{App, MayHere, Refusal};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::ManageTenant;
use crate::plan::store::{AccessRefusal, CredentialKind, NewToken, Person, PersonEntry, StoreError};

/// A list of people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct People {
    /// By name.
    pub people: Vec<PersonEntry>,
}

/// What a new person needs.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// The name to sign in with: 1 to 100 characters.
    pub name: String,
    /// The password: 12 characters or more, at most 256 bytes. Without one, invite them: they choose it themselves.
    #[serde(default)]
    pub password: Option<String>,
    /// Whether the person is a global admin.
    #[serde(default)]
    pub global_admin: bool,
}

/// The subject of the identity provider to which a person is linked from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Relink {
    /// The subject (`sub`) at the provider. A refused sign-in shows it.
    pub subject: String,
    /// The provider's issuer URL; by default that of the configuration.
    #[serde(default)]
    pub issuer: Option<String>,
}

/// All people.
pub async fn list(app: &App, _: &MayHere<ManageTenant>) -> Result<People, Refusal> {
    Ok(People { people: app.store.people().await? })
}

/// A one-time link by which a person chooses their password. It is shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// The link.
    pub link: String,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Creates a person, with a password or without. Roles are bound on subscriptions.
pub async fn create(app: &App, may: &MayHere<ManageTenant>, new: &NewPerson) -> Result<Person, Refusal> {
    let NewPerson { name, password, global_admin } = new;
    let (by, now) = (&may.by, app.now());
    let Some(password) = password else {
        return Ok(app.store.create_person_without_password(name, *global_admin, by, now).await?);
    };
    let _permit = app.hashers.acquire().await;
    Ok(app.store.create_person(name, password, *global_admin, by, now).await?)
}

/// Invites a person: makes a one-time link by which they choose a password, also instead of one that they forgot.
///
/// # Errors
/// [`Refusal::NoPasswords`], or the store's.
pub async fn invite(app: &App, may: &MayHere<ManageTenant>, person: &str) -> Result<Invitation, Refusal> {
    app.passwords_accepted()?;
    let made = app.store.invite(person, &may.by, app.now()).await?;
    let link = format!("{}/invitation/{}", app.settings.public_url, made.secret);
    Ok(Invitation { link, expires_at: made.expires_at })
}

/// Gives a person a new password. Their sessions end; their tokens stay.
pub async fn set_password(
    app: &App,
    may: &MayHere<ManageTenant>,
    person: &str,
    password: &str,
) -> Result<(), Refusal> {
    let _permit = app.hashers.acquire().await;
    Ok(app.store.set_password(person, password, None, &may.by, app.now()).await?)
}

/// Links a person to another subject of the identity provider. They sign in as it from now on; their sessions end.
///
/// # Errors
/// [`AccessRefusal::NoIssuer`], or the store's.
pub async fn relink(
    app: &App,
    may: &MayHere<ManageTenant>,
    person: &str,
    to: &Relink,
) -> Result<PersonEntry, Refusal> {
    let configured =
        app.settings.access.provider.as_ref().map(|provider| provider.settings().issuer.as_str());
    let issuer =
        to.issuer.as_deref().or(configured).ok_or_else(|| StoreError::from(AccessRefusal::NoIssuer))?;
    app.store.relink(person, issuer, &to.subject, &may.by, app.now()).await?;
    Ok(app.store.person(person).await?)
}

/// Disables a person, who can no longer sign in and whose sessions and tokens end at once, or enables them again. Tokens
/// that have ended stay ended.
pub async fn set_disabled(
    app: &App,
    may: &MayHere<ManageTenant>,
    person: &str,
    disabled: bool,
) -> Result<PersonEntry, Refusal> {
    Ok(app.store.set_disabled(person, disabled, &may.by, app.now()).await?)
}

/// Makes an API token of a person.
pub async fn create_token(
    app: &App,
    may: &MayHere<ManageTenant>,
    person: &str,
    new: &NewToken,
) -> Result<CreatedToken, Refusal> {
    let made = app.store.create_token(person, new, None, &may.by, app.now()).await?;
    Ok(CreatedToken { token: made.secret, id: made.id, expires_at: made.expires_at })
}

/// The API tokens of a person.
pub async fn tokens(app: &App, _: &MayHere<ManageTenant>, person: &str) -> Result<Tokens, Refusal> {
    app.store.person(person).await?;
    Ok(Tokens { tokens: app.store.credentials(CredentialKind::Token, person, app.now()).await? })
}

/// Revokes an API token of a person.
pub async fn revoke_token(
    app: &App,
    may: &MayHere<ManageTenant>,
    person: &str,
    id: &str,
) -> Result<(), Refusal> {
    Ok(app.store.end_credential(CredentialKind::Token, person, id, &may.by, app.now()).await?)
}
