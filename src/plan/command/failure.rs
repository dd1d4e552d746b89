//! How a command fails: one sentence, and the exit code of `docs/formats.md`.

use std::fmt;
use std::io;

use crate::classify::RuleError;
use crate::config::ConfigError;
use crate::estimate::FileError;
use crate::plan::app::Refusal;
use crate::plan::demo::DemoError;
use crate::plan::http::problem::Problem;
use crate::plan::oidc::ProviderError;
use crate::plan::store::StoreError;
use crate::plan::tls::TlsError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const UNAVAILABLE: u8 = 69;
const NOT_PERMITTED: u8 = 77;
const BAD_CONFIGURATION: u8 = 78;

/// Why a command ends, for a person, and as which exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: u8,
    message: String,
}

impl Failure {
    /// It failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { exit: FAILED, message: message.into() }
    }

    /// It was called wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: USAGE, message: message.into() }
    }

    /// The address cannot be listened on.
    pub(super) fn listen(address: std::net::SocketAddr, error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::PermissionDenied { NOT_PERMITTED } else { UNAVAILABLE };
        Self { exit, message: format!("cannot listen on {address}: {error}; choose another with --listen") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self { exit: BAD_CONFIGURATION, message: e.to_string() }
    }
}

impl From<RuleError> for Failure {
    fn from(e: RuleError) -> Self {
        Self { exit: BAD_CONFIGURATION, message: e.to_string() }
    }
}

impl From<TlsError> for Failure {
    fn from(e: TlsError) -> Self {
        Self { exit: BAD_CONFIGURATION, message: e.to_string() }
    }
}

impl From<ProviderError> for Failure {
    fn from(e: ProviderError) -> Self {
        Self { exit: BAD_CONFIGURATION, message: e.to_string() }
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
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::failed(e.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        // A reader that has enough, such as `head`, is no failure.
        let exit = if e.kind() == io::ErrorKind::BrokenPipe { 0 } else { FAILED };
        Self { exit, message: e.to_string() }
    }
}

impl From<Problem> for Failure {
    fn from(e: Problem) -> Self {
        Self::failed(e.detail)
    }
}

impl From<DemoError> for Failure {
    fn from(e: DemoError) -> Self {
        let exit = if matches!(e, DemoError::Listen { .. }) { UNAVAILABLE } else { FAILED };
        Self { exit, message: e.to_string() }
    }
}
