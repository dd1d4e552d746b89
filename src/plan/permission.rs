//! Who may do what (`docs/rules.md`, Roles). The matrix is data: documents, console and tests are generated from it.
//!
//! A type in the signature of each handler ([`crate::plan::app::May`]) says which action its route does. The API's
//! description gets its `x-netcensus-action` from that type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person's role on a subscription; [`Role::GlobalAdmin`] is a role on the whole installation.
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

    /// The name that people read.
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

    /// Reads the short name, or the name that people read.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let words = text.trim().to_lowercase().replace(['-', '_'], " ");
        Self::ALL
            .into_iter()
            .find(|r| r.key() == text || r.key().to_lowercase() == words || r.title() == words)
            .ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}

/// A text that does not name a role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "unknown role '{0}': write R (reader), SA (security admin), C (contributor), O (owner) or G (global admin)"
)]
pub struct UnknownRole(String);

/// What can be done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// See the plan, the census, devices, sensors, statements; ask why; estimate.
    View,
    /// Download devices, snapshots and statements as files.
    Export,
    /// Add, cancel or keep a plan.
    ChangePlan,
    /// Replace a plan in one step.
    ReplacePlan,
    /// Enrol, rename, move, revoke sensors.
    ManageSensors,
    /// Edit, merge, split, delete devices; undo; import the managed list.
    EditDevices,
    /// Update findings; rules, webhooks, SIEM targets.
    UpdateFindings,
    /// See the audit trail.
    ViewAudit,
    /// Bind roles.
    BindRoles,
    /// Create subscriptions and people, set prices, correct statements.
    ManageTenant,
}

/// The matrix of `docs/rules.md`, Roles: each action with the roles that may.
pub const MATRIX: [(Action, &str, &[Role]); 10] = [
    (Action::View, "view plan, census, devices, sensors and statements", &[R, SA, C, O, G]),
    (Action::Export, "export", &[R, SA, C, O, G]),
    (Action::ChangePlan, "add or cancel a plan, withdraw a cancellation", &[SA, C, O, G]),
    (Action::ReplacePlan, "replace a plan", &[SA, C, O]),
    (Action::ManageSensors, "enrol, rename and revoke sensors", &[SA, C, O]),
    (
        Action::EditDevices,
        "edit, merge, split and delete devices, rename and merge zones, import the managed list",
        &[SA, C, O],
    ),
    (Action::UpdateFindings, "update findings, rules, webhooks and SIEM targets", &[SA, C, O]),
    (Action::ViewAudit, "view the audit trail", &[SA, O, G]),
    (Action::BindRoles, "bind roles", &[O, G]),
    (Action::ManageTenant, "create subscriptions and people, set prices, correct statements", &[G]),
];

impl Action {
    /// Its name in the API's description and in the audit trail.
    pub const fn key(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Export => "export",
            Self::ChangePlan => "change-plan",
            Self::ReplacePlan => "replace-plan",
            Self::ManageSensors => "manage-sensors",
            Self::EditDevices => "edit-devices",
            Self::UpdateFindings => "update-findings",
            Self::ViewAudit => "view-audit",
            Self::BindRoles => "bind-roles",
            Self::ManageTenant => "manage-tenant",
        }
    }

    /// The action of that name.
    pub fn from_key(key: &str) -> Option<Self> {
        MATRIX.iter().map(|(action, ..)| *action).find(|action| action.key() == key)
    }

    /// The roles that may.
    pub fn roles(self) -> &'static [Role] {
        MATRIX.iter().find(|(a, ..)| *a == self).map_or(&[], |(.., roles)| roles)
    }

    /// The text that people read.
    pub fn title(self) -> &'static str {
        MATRIX.iter().find(|(a, ..)| *a == self).map_or("", |(_, title, _)| title)
    }

    /// The roles that may, as people read them.
    pub fn role_titles(self) -> String {
        self.roles().iter().map(|role| role.title()).collect::<Vec<_>>().join(", ")
    }

    /// Whether one of `roles` may.
    pub fn allowed(self, roles: &[Role]) -> bool {
        self.roles().iter().any(|r| roles.contains(r))
    }
}

/// An action as a type, so that a signature says which one was permitted.
pub trait Permission: Clone + Send + Sync + 'static {
    const ACTION: Action;
}

macro_rules! permissions {
    ($($action:ident)*) => {
        $(
            #[doc = concat!("[`Action::", stringify!($action), "`] as a type.")]
            #[derive(Clone, Copy, Debug)]
            pub enum $action {}

            impl Permission for $action {
                const ACTION: Action = Action::$action;
            }
        )*
    };
}

permissions! {
    View Export ChangePlan ReplacePlan ManageSensors EditDevices UpdateFindings ViewAudit BindRoles ManageTenant
}

/// The limits of a session or token. Within them, it may do what its holder may. The default has no limits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenScope {
    /// Only actions that this role permits.
    pub role: Option<Role>,
    /// Only this subscription.
    pub subscription: Option<String>,
}

impl TokenScope {
    /// Whether the scope permits `action` on `subscription`; `None` is the installation as a whole.
    pub fn permits(&self, action: Action, subscription: Option<&str>) -> bool {
        self.sees(subscription) && self.role.is_none_or(|role| action.allowed(&[role]))
    }

    /// Whether the scope includes `subscription`; `None` is the installation as a whole.
    pub fn sees(&self, subscription: Option<&str>) -> bool {
        self.subscription.is_none() || self.subscription.as_deref() == subscription
    }

    /// Whether `other` permits everything that this scope permits.
    pub fn is_within(&self, other: &Self) -> bool {
        let least =
            |role: Role| MATRIX.iter().filter(move |(.., roles)| roles.contains(&role)).map(|(a, ..)| *a);
        let role = match (self.role, other.role) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(most)) => least(own).all(|action| action.allowed(&[most])),
        };
        role && (other.subscription.is_none() || self.subscription == other.subscription)
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
    fn everybody_who_may_do_anything_may_view() {
        for (action, _, roles) in MATRIX {
            assert!(roles.iter().all(|role| Action::View.allowed(&[*role])), "{}", action.key());
        }
    }

    #[test]
    fn the_matrix_names_every_action_once() {
        for (i, (action, title, roles)) in MATRIX.iter().enumerate() {
            assert!(MATRIX.iter().skip(i + 1).all(|(other, ..)| other != action));
            assert!(!title.is_empty() && !roles.is_empty());
            assert_eq!(Action::from_key(action.key()), Some(*action));
        }
        assert_eq!(Action::from_key("nothing"), None);
    }

    #[test]
    fn a_scope_takes_away_and_never_adds() {
        let of = |role, subscription: Option<&str>| TokenScope {
            role,
            subscription: subscription.map(str::to_owned),
        };
        let whole = TokenScope::default();
        let reader = of(Some(R), None);
        assert!(reader.permits(Action::View, Some("a")) && !reader.permits(Action::ChangePlan, Some("a")));
        let one = of(None, Some("a"));
        assert!(one.permits(Action::BindRoles, Some("a")));
        assert!(!one.permits(Action::View, Some("b")) && !one.permits(Action::ManageTenant, None));
        let scopes: Vec<TokenScope> = std::iter::once(None)
            .chain(Role::ALL.map(Some))
            .flat_map(|role| [of(role, None), of(role, Some("a")), of(role, Some("b"))])
            .collect();
        for own in &scopes {
            assert!(own.is_within(own) && own.is_within(&whole));
            for other in &scopes {
                let wider = MATRIX.iter().any(|(action, ..)| {
                    [None, Some("a"), Some("b")]
                        .iter()
                        .any(|on| own.permits(*action, *on) && !other.permits(*action, *on))
                });
                // `role: None` counts as wider than G, although G and O together permit everything.
                assert!(!(own.is_within(other) && wider), "{own:?} within {other:?}");
            }
        }
        assert!(
            !of(Some(O), None).is_within(&of(Some(G), None)),
            "an owner replaces plans, a global admin does not"
        );
    }
}
