//! Why a use case gives no answer.

use super::managed::DoubtfulList;
use crate::census::Timestamp;
use crate::classify::RuleError;
use crate::estimate::FileError;
use crate::listing::BadList;
use crate::plan::entitlement::Withheld;
use crate::plan::oidc::ProviderError;
use crate::plan::permission::Action;
use crate::plan::store::StoreError;
use crate::security::BadFeed;
use crate::wire::{BadUpload, Subject};

/// Why a use case gives no answer. The API turns it into a problem, the console into an error page, the command line into
/// an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The store refuses, or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody is signed in.
    #[error("nobody is signed in; sign in at /login, or send 'Authorization: Bearer nct_…'")]
    Unauthenticated,
    /// Another site sent a signed-in browser here to change something.
    #[error("send the form from this service's own page")]
    CrossSite,
    /// The caller's roles, or the scope of their token, do not suffice.
    #[error("{}the action '{}' needs one of the roles: {}", if *by_token { "this token permits less than its holder's roles; " } else { "" }, action.title(), action.role_titles())]
    NotPermitted {
        action: Action,
        /// The person may; their token may not.
        by_token: bool,
    },
    /// Only an owner of the subscription may.
    #[error("only an owner of the subscription confirms this; ask one of them")]
    OwnersOnly,
    /// A token with limits does not reach its holder's account.
    #[error(
        "this token is limited to a role or a subscription, so it does not reach its holder's account; sign in, or use a token without limits"
    )]
    LimitedToken,
    /// It does not exist, or the caller may not see it: they are not told which.
    #[error("there is no {what} '{id}', or you may not see it")]
    Hidden { what: &'static str, id: String },
    /// The request cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// A past instant before the subscription existed.
    #[error("the subscription did not exist at {as_of}; name {began} or a later instant")]
    TooEarly {
        as_of: Timestamp,
        /// The first instant that can be asked for.
        began: Timestamp,
    },
    /// There is no plan that buys what was asked for (P7).
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The parameters of a list cannot be understood.
    #[error(transparent)]
    List(#[from] BadList),
    /// A list of devices cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A feed of indicators cannot be read.
    #[error("the feed cannot be read: {0}; nothing was changed")]
    Feed(#[from] BadFeed),
    /// The feeds would hold too much.
    #[error("{0}; nothing was changed, delete a feed first")]
    TooManyIndicators(String),
    /// A list to import into the managed list cannot be read.
    #[error(transparent)]
    ManagedFile(FileError),
    /// A managed list looks incomplete.
    #[error(transparent)]
    DoubtfulList(#[from] Box<DoubtfulList>),
    /// The address or MAC is unknown.
    #[error("{}", .0.unknown())]
    Unknown(Subject),
    /// An upload cannot be read.
    #[error(transparent)]
    Upload(#[from] BadUpload),
    /// The bearer key is not that of an enrolled sensor. The sender is not told more.
    #[error("the key is missing, unknown or revoked; enrol the sensor again")]
    UnknownSensor,
    /// The signature of the request is missing or invalid.
    #[error("{0}")]
    Unsigned(&'static str),
    /// The classification rules cannot be loaded.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// Too many attempts to sign in, or to guess a password. The next one is taken after this many seconds.
    #[error("too many attempts with this name or from this address; try again in {0} s")]
    TooMany(u64),
    /// The service has as much of this to do as it takes at once. It may be asked again after some seconds.
    #[error("{what}; try again in {seconds} s")]
    Busy { what: &'static str, seconds: u64 },
    /// A session has as many event streams as it may.
    #[error("you have {0} event streams open, which is the limit; close a page of the console")]
    Streams(usize),
    /// The database cannot be written to.
    #[error("the database is not ready to write; the service's log has the cause")]
    NotReady,
    /// A one-time link is not valid.
    #[error(
        "the link is unknown, used or expired; restart the service: it prints a new link while it has no administrator"
    )]
    BadLink,
    /// A link that signs a person in is not valid.
    #[error(
        "the link is unknown, used or expired; it signs in once and within ten minutes: sign in at /login, ask for a new link, or start the demo again"
    )]
    BadSignInLink,
    /// An invitation is not valid.
    #[error("the invitation is unknown, used or expired; ask a global admin for a new one")]
    BadInvitation,
    /// The configuration names no identity provider.
    #[error("no identity provider is configured; sign in at /login")]
    NoProvider,
    /// The parameters with which the identity provider sent the browser back are not accepted.
    #[error("{0}")]
    SignIn(&'static str),
    /// The identity provider fails, or does not sign the person in.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The configuration accepts no passwords.
    #[error("passwords are not accepted; sign in with the identity provider at /login")]
    NoPasswords,
    /// A defect of the program. Only the log has the cause.
    #[error("internal error: {0}")]
    Defect(String),
}

impl Refusal {
    /// There is no such `what`, or the caller may not see it.
    pub fn hidden(what: &'static str, id: &str) -> Self {
        Self::Hidden { what, id: id.chars().take(60).collect() }
    }

    /// The request cannot be understood, in these words.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
    }
}
