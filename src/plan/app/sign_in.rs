//! Signing in: by password, by one-time link, by the identity provider; and the first administrator.

use super::attempts::Trier;
use super::{App, Caller, Refusal, browser};
use crate::plan::oidc::{GroupSetting, Groups, Identity, Provider, Untold};
use crate::plan::permission::Role;
use crate::plan::store::{
    Admitted, By, CredentialKind, ExternalPerson, GroupRole, Issued, Kept, Person, StoreError, UnknownGroups,
};

/// The longest code or state of the identity provider in bytes.
const PARAMETER: usize = 4_096;

/// What the identity provider sends the browser back with.
#[derive(Clone, Debug)]
pub struct Returned {
    pub state: Option<String>,
    pub code: Option<String>,
    /// Whether the provider signed nobody in.
    pub failed: bool,
    /// The state that the browser kept since the sign-in began.
    pub kept_state: Option<String>,
}

/// Where to send a browser that signs in at the identity provider.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: String,
    /// The browser keeps it until it comes back.
    pub state: String,
}

impl App {
    /// Takes an attempt to sign in, or to guess a password, from the limit. `known` is the id of a browser or a session
    /// that is known to be the account's.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub(super) fn attempt(&self, account: Option<&str>, known: Option<&str>, by: &By) -> Result<(), Refusal> {
        self.attempts.take(Trier { account, address: by.address, known }).map_err(Refusal::TooMany)
    }

    /// Refuses passwords if the configuration does.
    pub(super) fn passwords_accepted(&self) -> Result<(), Refusal> {
        self.settings.access.local_passwords.then_some(()).ok_or(Refusal::NoPasswords)
    }

    fn provider(&self) -> Result<&Provider, Refusal> {
        self.settings.access.provider.as_deref().ok_or(Refusal::NoProvider)
    }
}

/// A person who has just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub person: Person,
    pub session: Issued,
    /// By what the browser is known from now on; see [`browser`].
    pub marker: String,
    /// Why the identity provider did not tell the groups.
    pub untold: Option<Untold>,
    /// Roles that the person keeps although their groups do not give them.
    pub kept: Vec<Kept>,
}

/// Signs a person in by password; none if the name or the password is wrong. `marker` is the one that the browser brings.
///
/// # Errors
/// [`Refusal::NoPasswords`], [`Refusal::TooMany`], or the store's.
pub async fn by_password(
    app: &App,
    name: &str,
    password: &str,
    marker: Option<&str>,
    by: &By,
) -> Result<Option<SignedIn>, Refusal> {
    app.passwords_accepted()?;
    app.attempt(Some(name), browser::known(app, name, marker).await?, by)?;
    let person = {
        let _permit = app.hashers.acquire().await;
        app.store.sign_in(name, password).await?
    };
    match person {
        Some(person) => Ok(Some(session(app, person, "password", by).await?)),
        None => {
            app.store.audit_failed_sign_in(name, by, app.now()).await?;
            Ok(None)
        }
    }
}

/// Signs a person in by a one-time link.
///
/// # Errors
/// [`Refusal::BadSignInLink`], or the store's.
pub async fn by_link(app: &App, link: &str, by: &By) -> Result<SignedIn, Refusal> {
    let person = app.store.redeem_login(link, app.now()).await?.ok_or(Refusal::BadSignInLink)?;
    session(app, person, "link", by).await
}

/// Whether the service has no administrator yet.
pub async fn is_unclaimed(app: &App) -> Result<bool, Refusal> {
    Ok(app.store.is_unclaimed().await?)
}

/// Checks the link that makes the first administrator.
///
/// # Errors
/// [`Refusal::BadLink`], or the store's.
pub async fn check_setup_link(app: &App, link: &str) -> Result<(), Refusal> {
    let good = app.store.is_good(CredentialKind::Setup, link, app.now()).await?;
    good.then_some(()).ok_or(Refusal::BadLink)
}

/// Makes the first administrator by the link, and signs them in.
///
/// # Errors
/// [`Refusal::BadLink`], an unusable name or password, or the store's.
pub async fn set_up(app: &App, link: &str, name: &str, password: &str, by: &By) -> Result<SignedIn, Refusal> {
    let made = {
        let _permit = app.hashers.acquire().await;
        app.store.set_up(link, name, password, by, app.now()).await
    };
    match made {
        Ok(person) => session(app, person, "setup", by).await,
        Err(StoreError::NotFound { .. }) => Err(Refusal::BadLink),
        Err(error) => Err(error.into()),
    }
}

/// The person whom a link invites.
///
/// # Errors
/// [`Refusal::NoPasswords`], [`Refusal::BadInvitation`], or the store's.
pub async fn invited(app: &App, link: &str) -> Result<Person, Refusal> {
    app.passwords_accepted()?;
    app.store.invited(link, app.now()).await?.ok_or(Refusal::BadInvitation)
}

/// Sets the password that an invited person chose, and signs them in.
///
/// # Errors
/// [`Refusal::NoPasswords`], [`Refusal::BadInvitation`], an unusable password, or the store's.
pub async fn accept_invitation(app: &App, link: &str, password: &str, by: &By) -> Result<SignedIn, Refusal> {
    app.passwords_accepted()?;
    let person = {
        let _permit = app.hashers.acquire().await;
        app.store.accept_invitation(link, password, by, app.now()).await?
    };
    session(app, person.ok_or(Refusal::BadInvitation)?, "invitation", by).await
}

/// Signs the caller out. A token stays.
pub async fn out(app: &App, caller: &Caller) -> Result<(), Refusal> {
    if caller.kind == CredentialKind::Session {
        let (name, id) = (&caller.person.name, &caller.holder.id);
        app.store.end_credential(CredentialKind::Session, name, id, &caller.by, app.now()).await?;
    }
    Ok(())
}

/// Begins a sign-in at the identity provider.
///
/// # Errors
/// [`Refusal::NoProvider`], [`Refusal::TooMany`], [`Refusal::Provider`], or the store's.
pub async fn begin(app: &App, by: &By) -> Result<Begun, Refusal> {
    let provider = app.provider()?;
    app.attempt(None, None, by)?;
    let begun = provider.begin(app.now()).await?;
    app.store.keep_sign_in(&begun.state, &begun.pending, app.now()).await?;
    Ok(Begun { url: begun.url.to_string(), state: begun.state })
}

/// Completes a sign-in at the identity provider: checks what it sent the browser back with, gives the person the roles of
/// their groups, and makes a session.
///
/// # Errors
/// [`Refusal::NoProvider`], [`Refusal::TooMany`], [`Refusal::SignIn`], [`Refusal::Provider`], or the store's.
pub async fn complete(app: &App, returned: Returned, by: &By) -> Result<SignedIn, Refusal> {
    let provider = app.provider()?;
    app.attempt(None, None, by)?;
    let identity = match identity(app, provider, returned).await {
        Ok(identity) => identity,
        Err(refusal) => {
            app.store.audit_failed_sign_in("", by, app.now()).await?;
            return Err(refusal);
        }
    };
    let now = app.now();
    let Identity { issuer, subject, name, email, groups } = identity;
    let external = ExternalPerson { issuer, subject, name, email };
    let settings = &provider.settings().roles;
    let (admitted, untold) = match groups {
        Groups::Told(groups) => {
            let roles = roles(app, settings, &groups).await?;
            (app.store.admit(&external, &roles, by, now).await?, None)
        }
        Groups::Untold(untold) => {
            let governed: Vec<_> =
                roles(app, settings, &[]).await?.into_iter().map(|role| role.subscription).collect();
            // Who is in no group may have no claim. It matters only if a role could be lost or not be given.
            let always = untold != Untold::Missing && !governed.is_empty();
            let unknown = UnknownGroups { why: untold.why(), always, governed: &governed };
            (app.store.admit_with_unknown_groups(&external, unknown, by, now).await?, Some(untold))
        }
    };
    let Admitted { person, kept } = admitted;
    let name = &person.name;
    for kept in &kept {
        match (kept, untold) {
            (Kept::All, Some(untold)) => tracing::warn!(
                person = %name,
                "{}; the person's roles stay as they are; {}",
                untold.why(),
                untold.remedy()
            ),
            _ => tracing::warn!(
                person = %name,
                ?kept,
                "a person keeps a role that their groups do not give, because nobody else has it"
            ),
        }
    }
    let signed_in = session(app, person, "identity provider", by).await?;
    Ok(SignedIn { untold, kept, ..signed_in })
}

async fn session(app: &App, person: Person, how: &str, by: &By) -> Result<SignedIn, Refusal> {
    let session = app.store.begin_session(&person.name, how, by, app.now()).await?;
    let marker = browser::mark(app, &person.name).await?;
    Ok(SignedIn { person, session, marker, untold: None, kept: Vec::new() })
}

/// The identity that the provider vouches for, if the browser, the state and the provider's answer belong together.
async fn identity(app: &App, provider: &Provider, returned: Returned) -> Result<Identity, Refusal> {
    let state = returned.state.filter(|state| state.len() <= PARAMETER);
    let state = state.ok_or(Refusal::SignIn("the provider sent no state; start again at /login"))?;
    // The same browser must bring the state: else somebody could be made to sign in as somebody else.
    if returned.kept_state.as_deref() != Some(state.as_str()) {
        return Err(Refusal::SignIn("the sign-in was begun by another browser; start again at /login"));
    }
    let pending = app.store.take_sign_in(&state, app.now()).await?;
    let pending =
        pending.ok_or(Refusal::SignIn("the sign-in is unknown, used or too old; start again at /login"))?;
    if returned.failed {
        return Err(Refusal::SignIn("the identity provider signed nobody in; start again at /login"));
    }
    let code = returned.code.filter(|code| code.len() <= PARAMETER);
    let code = code.ok_or(Refusal::SignIn("the provider sent no code; start again at /login"))?;
    Ok(provider.finish(&code, pending, app.now()).await?)
}

/// The roles that the groups of a person give, on each subscription that the configuration names and on the installation.
async fn roles(app: &App, settings: &[GroupSetting], groups: &[String]) -> Result<Vec<GroupRole>, Refusal> {
    let mut out: Vec<GroupRole> = Vec::new();
    for setting in settings {
        let subscription = match &setting.subscription {
            None => None,
            Some(name) => match app.store.find_subscription(name).await {
                Ok(subscription) => Some(subscription.id),
                Err(StoreError::NotFound { .. }) => {
                    tracing::warn!(%name, "[oidc] roles names a subscription that does not exist");
                    continue;
                }
                Err(error) => return Err(error.into()),
            },
        };
        let role: Option<Role> = groups.contains(&setting.group).then_some(setting.role);
        match out.iter_mut().find(|known| known.subscription == subscription) {
            Some(known) => known.role = known.role.max(role),
            None => out.push(GroupRole { subscription, role }),
        }
    }
    Ok(out)
}
