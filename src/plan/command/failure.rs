//! How the errors of the plan service end a command.

pub(super) use crate::cli::failure::Failure;

use crate::estimate::FileError;
use crate::plan::demo::DemoError;
use crate::plan::http::oidc::ProviderError;
use crate::plan::http::problem::Problem;
use crate::plan::http::tls::TlsError;
use crate::plan::store::StoreError;

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

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::failed(e.to_string())
    }
}

impl From<Problem> for Failure {
    fn from(e: Problem) -> Self {
        Self::failed(e.detail)
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
