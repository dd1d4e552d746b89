//! The kinds of secrets that people present, and the life of each.

use crate::census::time::{DAY, HOUR, MINUTE};

/// The default life of a token in days.
pub(super) const TOKEN_DAYS: i64 = 90;

/// What a secret of a person is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// The cookie of a signed-in browser: 12 hours.
    Session,
    /// A bearer token for programs: 90 days by default.
    Token,
    /// The one-time link that makes the first administrator: 24 hours.
    Setup,
    /// A one-time link that signs a person in: 10 minutes.
    Login,
}

impl CredentialKind {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::Setup => "setup",
            Self::Login => "login",
        }
    }

    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "nce_",
            Self::Token => "nct_",
            Self::Setup | Self::Login => "",
        }
    }

    /// The life of such a secret, in nanoseconds.
    pub const fn life(self) -> i64 {
        match self {
            Self::Session => 12 * HOUR,
            Self::Token => TOKEN_DAYS * DAY,
            Self::Setup => DAY,
            Self::Login => 10 * MINUTE,
        }
    }
}
