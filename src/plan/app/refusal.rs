//! Why a use case gives no answer.

use crate::classify::RuleError;
use crate::estimate::FileError;
use crate::listing::BadList;
use crate::plan::oidc::ProviderError;
use crate::plan::permission::Action;
use crate::plan::store::StoreError;
use crate::wire::{BadUpload, Subject};

/// Why a use case gives no answer. The API makes a problem of it, the console an error page, the command line an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The store refuses, or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody is signed in.
    #[error("sign in at /login, or send 'Authorization: Bearer nct_…'")]
    Unauthenticated,
    /// Another site sent a signed-in browser here to change something.
    #[error("send the form from this service's own page")]
    CrossSite,
    /// The caller's roles, or the scope of their token, do not suffice.
    #[error("{}to {} takes: {}", if *by_token { "this token is kept to less than its holder may; " } else { "" }, action.title(), action.role_titles())]
    NotPermitted {
        action: Action,
        /// The person may; their token may not.
        by_token: bool,
    },
    /// It does not exist, or the caller may not see it: they are not told which.
    #[error("there is no {what} '{id}', or you may not see it")]
    Hidden { what: &'static str, id: String },
    /// The request cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// The parameters of a list cannot be understood.
    #[error(transparent)]
    List(#[from] BadList),
    /// A list of devices cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A list to import into the managed list cannot be read.
    #[error(transparent)]
    ManagedFile(FileError),
    /// Nothing is known of an address or a MAC.
    #[error("{}", .0.unknown())]
    Unknown(Subject),
    /// An upload cannot be read.
    #[error(transparent)]
    Upload(#[from] BadUpload),
    /// The bearer key is not that of an enrolled sensor. The sender is not told more.
    #[error("the key is missing, unknown or revoked; enrol the sensor again")]
    UnknownSensor,
    /// The request is not signed as it must be.
    #[error("{0}")]
    Unsigned(&'static str),
    /// The classification rules cannot be loaded.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// Too many attempts to sign in, or to guess a password. The next one is taken after this many seconds.
    #[error("too many attempts with this name or from this address; try again in {0} s")]
    TooMany(u64),
    /// A one-time link is not good.
    #[error("the link is unknown, used or too old; a new one is printed when the service starts unclaimed")]
    BadLink,
    /// The configuration names no identity provider.
    #[error("no identity provider is configured; sign in at /login")]
    NoProvider,
    /// What the identity provider sent the browser back with is not accepted.
    #[error("{0}")]
    SignIn(&'static str),
    /// The identity provider fails, or vouches for nobody.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The configuration accepts no passwords.
    #[error("sign in by the identity provider at /login")]
    NoPasswords,
    /// The program is wrong. What failed is for the log alone.
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
