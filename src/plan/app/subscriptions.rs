//! Subscriptions: list, create, rename.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Caller, May, MayHere, Refusal};
use crate::plan::permission::{Action, ManageTenant};
use crate::plan::store::{Expected, Subscription};

/// What a new subscription needs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Its name: 1 to 100 characters.
    pub name: String,
}

/// A list of subscriptions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscriptions {
    /// Those that the caller may see, by name.
    pub subscriptions: Vec<Subscription>,
}

/// The subscriptions that the caller may see.
pub async fn visible(app: &App, caller: &Caller) -> Result<Subscriptions, Refusal> {
    let mut subscriptions = Vec::new();
    for subscription in app.store.subscriptions().await? {
        if Action::View.allowed(&caller.roles(app, &subscription.id).await?) {
            subscriptions.push(subscription);
        }
    }
    Ok(Subscriptions { subscriptions })
}

/// All subscriptions.
pub async fn all(app: &App, _: &MayHere<ManageTenant>) -> Result<Subscriptions, Refusal> {
    Ok(Subscriptions { subscriptions: app.store.subscriptions().await? })
}

/// Creates a subscription, with its owner.
pub async fn create(
    app: &App,
    may: &MayHere<ManageTenant>,
    name: &str,
    owner: Option<&str>,
) -> Result<Subscription, Refusal> {
    Ok(app.store.create_subscription(name, owner, &may.by, app.now()).await?)
}

/// Gives a subscription another name, if it is as `expected`.
pub async fn rename(
    app: &App,
    may: &May<ManageTenant>,
    name: &str,
    expected: &Expected,
) -> Result<Subscription, Refusal> {
    Ok(app.store.rename_subscription(may.id(), name, expected, &may.by, app.now()).await?)
}
