//! Turns errors of the plan service into exit codes and messages.

pub(super) use crate::cli::failure::Failure;

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
            Refusal::TooEarly { .. } => Self::usage(refusal.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::failed(e.to_string())
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
