//! Turns errors of the plan service into exit codes and messages.

pub(super) use crate::cli::failure::{Exit, Failure};

use crate::billing::timeline::PlanRefusal;
use crate::estimate::FileError;
use crate::plan::app::Refusal;
use crate::plan::demo::DemoError;
use crate::plan::oidc::ProviderError;
use crate::plan::store::StoreError;
use crate::plan::tls::TlsError;

impl From<TlsError> for Failure {
    fn from(e: TlsError) -> Self {
        Self::configuration(e.to_string())
    }
}

impl From<ProviderError> for Failure {
    fn from(e: ProviderError) -> Self {
        Self::configuration(e.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(e: FileError) -> Self {
        Self::failed(e.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rules(error) => error.into(),
            Refusal::Store(error) => error.into(),
            busy @ (Refusal::NotReady | Refusal::Busy { .. }) => {
                Self::new(Exit::Unavailable, busy.to_string())
            }
            Refusal::TooEarly { .. } => Self::usage(refusal.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        let exit = match &e {
            StoreError::Missing(_) => Exit::Unavailable,
            StoreError::Unusable { denied: true, .. } => Exit::NotPermitted,
            away if away.is_away() => Exit::Unavailable,
            _ => Exit::Failed,
        };
        Self::new(exit, told(&e))
    }
}

/// What the operator reads: the API's words where the command line needs none of its own.
fn told(e: &StoreError) -> String {
    match e {
        StoreError::Refused(PlanRefusal::TermsNotAccepted) => {
            "the terms of the plan are not accepted; read them ('netcensus-plan rule plan', and your agreement), then repeat the command with --accept-terms"
                .to_owned()
        }
        StoreError::NotFound { what, .. } => {
            let list = match *what {
                "person" => "netcensus-plan user list",
                "role of" => "netcensus-plan role list",
                "subscription" => "netcensus-plan subscription list",
                "sensor" => "netcensus-plan sensor list",
                "statement" => "netcensus-plan statement list",
                "token" => "netcensus-plan token list PERSON",
                _ => return e.to_string(),
            };
            format!("{e}; '{list}' shows what there is")
        }
        _ => e.to_string(),
    }
}

impl From<DemoError> for Failure {
    fn from(e: DemoError) -> Self {
        match &e {
            DemoError::Listen { error, .. } => Self::listen(error, e.to_string()),
            _ => Self::failed(e.to_string()),
        }
    }
}
