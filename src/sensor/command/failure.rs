//! How a command fails: one sentence, and the exit code of `docs/formats.md`.

use std::fmt;
use std::io;

use crate::capture::live::LiveError;
use crate::classify::RuleError;
use crate::config::ConfigError;
use crate::sensor::daemon::RunError;
use crate::sensor::identity::IdentityError;
use crate::sensor::replay::ReplayError;
use crate::sensor::spool::SpoolError;
use crate::sensor::uploader::UploadError;

/// It failed.
pub(super) const FAILED: u8 = 1;
/// A service does not answer (EX_UNAVAILABLE of sysexits.h).
pub(super) const UNAVAILABLE: u8 = 69;
/// It is not permitted (EX_NOPERM).
pub(super) const NOT_PERMITTED: u8 = 77;
/// The configuration is wrong (EX_CONFIG).
pub(super) const BAD_CONFIGURATION: u8 = 78;

/// Why a command ends, for a person, and as which exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: u8,
    message: String,
}

impl Failure {
    pub(super) fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::new(BAD_CONFIGURATION, e.to_string())
    }
}

impl From<RuleError> for Failure {
    fn from(e: RuleError) -> Self {
        Self::new(BAD_CONFIGURATION, e.to_string())
    }
}

impl From<ReplayError> for Failure {
    fn from(e: ReplayError) -> Self {
        match e {
            ReplayError::Output(e) => e.into(),
            e @ ReplayError::Capture(_) => Self::new(FAILED, e.to_string()),
        }
    }
}

impl From<LiveError> for Failure {
    fn from(e: LiveError) -> Self {
        let exit = match e {
            LiveError::NotPermitted { .. } => NOT_PERMITTED,
            LiveError::LinkType { .. } | LiveError::Filter { .. } => BAD_CONFIGURATION,
            LiveError::Away { .. } => FAILED,
        };
        Self::new(exit, e.to_string())
    }
}

impl From<SpoolError> for Failure {
    fn from(e: SpoolError) -> Self {
        let exit = match &e {
            SpoolError::Io { error, .. } => of_io(error, FAILED),
            SpoolError::Full { .. } => FAILED,
        };
        Self::new(exit, e.to_string())
    }
}

impl From<IdentityError> for Failure {
    fn from(e: IdentityError) -> Self {
        let exit = match &e {
            IdentityError::Io { error, .. } => of_io(error, FAILED),
            IdentityError::Missing { .. } | IdentityError::Damaged { .. } => BAD_CONFIGURATION,
        };
        Self::new(exit, e.to_string())
    }
}

impl From<UploadError> for Failure {
    fn from(e: UploadError) -> Self {
        let exit = match &e {
            UploadError::Unreachable { .. } | UploadError::Busy { .. } => UNAVAILABLE,
            UploadError::Unauthorized { .. }
            | UploadError::Token { .. }
            | UploadError::Certificate { .. } => NOT_PERMITTED,
            _ => FAILED,
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
            RunError::NoInterface | RunError::Confinement(_) => Self::new(BAD_CONFIGURATION, e.to_string()),
            RunError::Listen { ref error, .. } => Self::new(of_io(error, FAILED), e.to_string()),
            RunError::System(_) | RunError::Restart => Self::new(FAILED, e.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        // A reader that has enough, such as `head`, is no failure.
        let exit = if e.kind() == io::ErrorKind::BrokenPipe { 0 } else { FAILED };
        Self::new(exit, format!("the result cannot be written: {e}"))
    }
}

fn of_io(error: &io::Error, other: u8) -> u8 {
    if error.kind() == io::ErrorKind::PermissionDenied { NOT_PERMITTED } else { other }
}
