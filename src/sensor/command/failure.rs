//! How the errors of the sensor end a command.

pub(super) use crate::cli::failure::{Exit, Failure};

use crate::capture::live::LiveError;
use crate::sensor::daemon::RunError;
use crate::sensor::replay::ReplayError;
use crate::sensor::upload::client::UploadError;
use crate::sensor::upload::identity::IdentityError;
use crate::sensor::upload::spool::SpoolError;

impl From<ReplayError> for Failure {
    fn from(e: ReplayError) -> Self {
        Self::failed(e.to_string())
    }
}

impl From<LiveError> for Failure {
    fn from(e: LiveError) -> Self {
        let exit = match e {
            LiveError::NotPermitted { .. } => Exit::NotPermitted,
            LiveError::LinkType { .. } | LiveError::Filter { .. } | LiveError::Rings { .. } => {
                Exit::BadConfiguration
            }
            LiveError::Away { .. } => Exit::Failed,
        };
        Self::new(exit, e.to_string())
    }
}

impl From<SpoolError> for Failure {
    fn from(e: SpoolError) -> Self {
        match &e {
            SpoolError::Io { error, .. } => Self::system(error, e.to_string()),
            SpoolError::Full { .. } => Self::failed(e.to_string()),
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(e: IdentityError) -> Self {
        match &e {
            IdentityError::Io { error, .. } => Self::system(error, e.to_string()),
            IdentityError::Missing { .. } | IdentityError::Damaged { .. } => {
                Self::configuration(e.to_string())
            }
        }
    }
}

impl From<UploadError> for Failure {
    fn from(e: UploadError) -> Self {
        let exit = match &e {
            UploadError::Unreachable { .. } | UploadError::Busy { .. } => Exit::Unavailable,
            UploadError::Unauthorized { .. }
            | UploadError::Token { .. }
            | UploadError::Certificate { .. } => Exit::NotPermitted,
            _ => Exit::Failed,
        };
        Self::new(exit, e.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(e: RunError) -> Self {
        match e {
            RunError::Config(e) => e.into(),
            RunError::Live(e) => e.into(),
            RunError::Spool(e) => e.into(),
            RunError::Rules(e) => e.into(),
            RunError::Running { .. } => Self::new(Exit::Unavailable, e.to_string()),
            RunError::NoInterface | RunError::NoSuchInterface(_) | RunError::Confinement(_) => {
                Self::configuration(e.to_string())
            }
            RunError::Listen { ref error, .. } => Self::listen(error, e.to_string()),
            RunError::System(_) | RunError::Restart => Self::failed(e.to_string()),
        }
    }
}
