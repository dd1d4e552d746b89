//! Who has which role on a subscription.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::plan::permission::{BindRoles, Role, View};
use crate::plan::store::{AdminGrant, Expected, RoleBinding};

/// Who has a role.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Roles {
    /// By name.
    pub roles: Vec<RoleBinding>,
}

/// A role to bind.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// R reader, SA security admin, C contributor or O owner.
    #[schema(value_type = String)]
    pub role: Role,
}

/// The roles that global admins gave, and no owner has seen yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdminGrants {
    /// The newest first.
    pub grants: Vec<AdminGrant>,
}

/// The roles that global admins who do not own the subscription gave, and no owner has seen yet.
pub async fn admin_grants(app: &App, may: &May<BindRoles>) -> Result<AdminGrants, Refusal> {
    Ok(AdminGrants { grants: app.store.admin_grants(may.id()).await? })
}

/// How many such roles there are.
pub async fn unseen_grants(app: &App, may: &May<View>) -> Result<usize, Refusal> {
    Ok(app.store.admin_grants(may.id()).await?.len())
}

/// Confirms that an owner has seen them. Global admins do not confirm what global admins did.
///
/// # Errors
/// [`Refusal::OwnersOnly`], or the store's.
pub async fn see_admin_grants(app: &App, may: &May<BindRoles>) -> Result<(), Refusal> {
    if !may.roles.contains(&Role::Owner) {
        return Err(Refusal::OwnersOnly);
    }
    Ok(app.store.see_admin_grants(may.id(), &may.by, app.now()).await?)
}

/// Everybody who has a role on the subscription.
pub async fn list(app: &App, may: &May<BindRoles>) -> Result<Roles, Refusal> {
    Ok(Roles { roles: app.store.role_bindings(may.id()).await? })
}

/// The role of a person.
pub async fn show(app: &App, may: &May<BindRoles>, person: &str) -> Result<RoleBinding, Refusal> {
    Ok(app.store.role_binding(may.id(), person).await?)
}

/// Binds a role for a person. A role that is bound already must be as `expected`.
pub async fn bind(
    app: &App,
    may: &May<BindRoles>,
    person: &str,
    role: Role,
    expected: &Expected,
) -> Result<RoleBinding, Refusal> {
    Ok(app.store.bind_role(may.id(), person, role, expected, &may.by, app.now()).await?)
}

/// Takes a person's role away, if it is as `expected`. The only owner stays.
pub async fn unbind(
    app: &App,
    may: &May<BindRoles>,
    person: &str,
    expected: &Expected,
) -> Result<(), Refusal> {
    Ok(app.store.unbind_role(may.id(), person, expected, &may.by, app.now()).await?)
}
