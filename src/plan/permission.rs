//! Who may do what (census rules §4). The matrix is data: documents, console and tests are generated from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person's role on a subscription; [`Role::GlobalAdmin`] is of the tenant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Role {
    /// Sees everything but the audit trail.
    #[serde(rename = "R")]
    Reader,
    /// Security admin.
    #[serde(rename = "SA")]
    SecurityAdmin,
    /// Contributor.
    #[serde(rename = "C")]
    Contributor,
    /// Owner.
    #[serde(rename = "O")]
    Owner,
    /// Global admin.
    #[serde(rename = "G")]
    GlobalAdmin,
}

use Role::{Contributor as C, GlobalAdmin as G, Owner as O, Reader as R, SecurityAdmin as SA};

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [R, SA, C, O, G];

    /// The short name in the API and the store.
    pub const fn key(self) -> &'static str {
        match self {
            R => "R",
            SA => "SA",
            C => "C",
            O => "O",
            G => "G",
        }
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            R => "reader",
            SA => "security admin",
            C => "contributor",
            O => "owner",
            G => "global admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|r| r.key() == text)
            .ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}

/// A word that is no role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no role; it is R, SA, C, O or G")]
pub struct UnknownRole(String);

/// What can be done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// See the plan, the census, devices, sensors; export; ask why.
    View,
    /// Add, cancel or keep a plan.
    ChangePlan,
    /// Replace a plan in one step.
    ReplacePlan,
    /// Enrol, rename, move, revoke sensors.
    ManageSensors,
    /// Edit, merge, split, delete devices; import the managed list.
    EditDevices,
    /// See the audit trail.
    ViewAudit,
    /// Bind roles.
    BindRoles,
    /// Create subscriptions, set prices, correct statements.
    ManageTenant,
}

/// The matrix of census rules §4: each action with the roles that may.
pub const MATRIX: [(Action, &str, &[Role]); 8] = [
    (Action::View, "view plan, census, devices and sensors", &[R, SA, C, O, G]),
    (Action::ChangePlan, "add or cancel a plan, withdraw a cancellation", &[SA, C, O, G]),
    (Action::ReplacePlan, "replace a plan", &[SA, C, O]),
    (Action::ManageSensors, "enrol and revoke sensors", &[SA, C, O]),
    (Action::EditDevices, "edit and delete devices", &[SA, C, O]),
    (Action::ViewAudit, "view the audit trail", &[SA, O, G]),
    (Action::BindRoles, "bind roles", &[O, G]),
    (Action::ManageTenant, "create subscriptions, set prices, correct statements", &[G]),
];

impl Action {
    /// The roles that may.
    pub fn roles(self) -> &'static [Role] {
        MATRIX.iter().find(|(a, ..)| *a == self).map_or(&[], |(.., roles)| roles)
    }

    /// What a person reads.
    pub fn title(self) -> &'static str {
        MATRIX.iter().find(|(a, ..)| *a == self).map_or("", |(_, title, _)| title)
    }

    /// Whether one of `roles` may.
    pub fn allowed(self, roles: &[Role]) -> bool {
        self.roles().iter().any(|r| roles.contains(r))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_admin_adds_and_cancels_plans_but_replaces_none() {
        assert!(Action::ChangePlan.allowed(&[G]));
        assert!(!Action::ReplacePlan.allowed(&[G]));
        assert!(!Action::ManageSensors.allowed(&[G]));
        assert!(!Action::ChangePlan.allowed(&[R]));
        assert!(Action::View.allowed(&[R]) && !Action::View.allowed(&[]));
    }

    #[test]
    fn the_matrix_names_every_action_once() {
        for (i, (action, ..)) in MATRIX.iter().enumerate() {
            assert!(MATRIX.iter().skip(i + 1).all(|(other, ..)| other != action));
        }
    }
}
