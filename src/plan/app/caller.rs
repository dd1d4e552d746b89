//! Who asks the application for something, and the proof that they may.

use std::marker::PhantomData;

use super::{App, Refusal};
use crate::plan::permission::{Action, Permission, Role, TokenScope, View};
use crate::plan::store::{By, CredentialKind, Holder, Person, StoreError, Subscription};
use crate::wire::SubscriptionId;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub person: Person,
    /// Who, from where, why, and whether the write is only tried.
    pub by: By,
    /// The session or token that they present, and its scope.
    pub holder: Holder,
    /// Whether that is a session or a token.
    pub kind: CredentialKind,
    /// The request line, if the request changes something. The audit trail names it when the change is denied.
    pub(in crate::plan) change: Option<String>,
}

/// The proof that somebody may do `A` to a subscription.
///
/// [`Caller::may`] gives it to a person whose roles suffice, [`May::operator`] to anyone who runs commands on the
/// service's machine. Use cases take it as an argument, so none can be called without.
#[derive(Clone, Debug)]
pub struct May<A: Permission> {
    pub subscription: Subscription,
    pub by: By,
    /// The caller's roles on the subscription.
    pub roles: Vec<Role>,
    action: PhantomData<A>,
}

/// The proof that somebody may do `A` to the installation as a whole: people, subscriptions, its own audit trail.
#[derive(Clone, Debug)]
pub struct MayHere<A: Permission> {
    pub by: By,
    action: PhantomData<A>,
}

/// The proof that a caller may see and change their own account: password, sessions, tokens. [`Caller::own`] gives it.
#[derive(Clone, Debug)]
pub struct Own(Caller);

impl std::ops::Deref for Own {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<A: Permission> May<A> {
    /// The proof of a check that [`Caller::may_do`] made.
    pub(in crate::plan) const fn checked(subscription: Subscription, by: By, roles: Vec<Role>) -> Self {
        Self { subscription, by, roles, action: PhantomData }
    }

    /// The operator may do everything: they hold the database.
    pub const fn operator(subscription: Subscription, by: By) -> Self {
        Self { subscription, by, roles: Vec::new(), action: PhantomData }
    }

    /// Everybody who may do anything to a subscription may view it.
    pub fn view(&self) -> May<View> {
        May::checked(self.subscription.clone(), self.by.clone(), self.roles.clone())
    }

    /// The subscription's id.
    pub fn id(&self) -> &SubscriptionId {
        &self.subscription.id
    }
}

impl<A: Permission> MayHere<A> {
    /// The proof of a check that [`Caller::may_do_here`] made.
    pub(in crate::plan) const fn checked(by: By) -> Self {
        Self { by, action: PhantomData }
    }

    /// The operator may do everything: they hold the database.
    pub const fn operator(by: By) -> Self {
        Self { by, action: PhantomData }
    }
}

impl Caller {
    /// The proof that the caller may do `A` to the subscription with that id. If not, and the request changes something,
    /// the subscription's audit trail records the denial.
    ///
    /// # Errors
    /// [`Refusal::Hidden`] if there is no such subscription or the caller has no role on it,
    /// [`Refusal::NotPermitted`] if the roles do not suffice.
    pub async fn may<A: Permission>(&self, app: &App, id: &str) -> Result<May<A>, Refusal> {
        let (subscription, roles) = self.may_do(app, A::ACTION, id).await?;
        Ok(May::checked(subscription, self.by.clone(), roles))
    }

    /// As [`Caller::may`], for an action that is only known at run time.
    pub(in crate::plan) async fn may_do(
        &self,
        app: &App,
        action: Action,
        id: &str,
    ) -> Result<(Subscription, Vec<Role>), Refusal> {
        // A text that cannot be an id names no subscription.
        let known: SubscriptionId = id.parse().map_err(|_| Refusal::hidden("subscription", id))?;
        let subscription = app.store.subscription(&known).await.map_err(|error| match error {
            StoreError::NotFound { .. } => Refusal::hidden("subscription", id),
            other => other.into(),
        })?;
        let roles = self.roles(app, &known).await?;
        if action.allowed(&roles) && self.holder.scope.permits(action, Some(id)) {
            return Ok((subscription, roles));
        }
        self.record_denial(app, Some(&known), action.key()).await?;
        if roles.is_empty() {
            return Err(Refusal::hidden("subscription", id));
        }
        Err(Self::denial(action, &roles))
    }

    /// The caller's roles on a subscription; none if the token is scoped to another one.
    ///
    /// # Errors
    /// The store's.
    pub async fn roles(&self, app: &App, subscription: &SubscriptionId) -> Result<Vec<Role>, Refusal> {
        if !self.holder.scope.sees(Some(subscription.as_str())) {
            return Ok(Vec::new());
        }
        Ok(app.store.roles(&self.person, subscription).await?)
    }

    /// The proof that the caller may do `A` to the installation as a whole. If not, and the request changes something, the
    /// installation's audit trail records the denial.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], or the store's.
    pub async fn may_here<A: Permission>(&self, app: &App) -> Result<MayHere<A>, Refusal> {
        self.may_do_here(app, A::ACTION).await?;
        Ok(MayHere::checked(self.by.clone()))
    }

    /// The proof that the caller may see and change their own account. A token that is limited to a role or a subscription
    /// gives none: who finds such a token must not get at the rest. If the request changes something, the installation's
    /// audit trail records the denial.
    ///
    /// # Errors
    /// [`Refusal::LimitedToken`], or the store's.
    pub async fn own(self, app: &App) -> Result<Own, Refusal> {
        if self.holder.scope == TokenScope::default() {
            return Ok(Own(self));
        }
        self.record_denial(app, None, "account").await?;
        Err(Refusal::LimitedToken)
    }

    /// As [`Caller::may_here`], for an action that is only known at run time.
    pub(in crate::plan) async fn may_do_here(&self, app: &App, action: Action) -> Result<(), Refusal> {
        if self.is_permitted_here(action) {
            return Ok(());
        }
        self.record_denial(app, None, action.key()).await?;
        Err(Self::denial(action, self.roles_here()))
    }

    /// Whether the caller may do `action` to the installation as a whole.
    pub fn is_permitted_here(&self, action: Action) -> bool {
        action.allowed(self.roles_here()) && self.holder.scope.permits(action, None)
    }

    const fn roles_here(&self) -> &'static [Role] {
        if self.person.global_admin { &[Role::GlobalAdmin] } else { &[] }
    }

    fn denial(action: Action, roles: &[Role]) -> Refusal {
        Refusal::NotPermitted { action, by_token: action.allowed(roles) }
    }

    pub(in crate::plan) async fn record_denial(
        &self,
        app: &App,
        subscription: Option<&SubscriptionId>,
        action: &str,
    ) -> Result<(), Refusal> {
        let Some(change) = &self.change else { return Ok(()) };
        Ok(app.store.audit_denial(subscription, &self.by, action, change, app.now()).await?)
    }
}
