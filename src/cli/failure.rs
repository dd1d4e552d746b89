//! How a command fails: one sentence for a person and one exit status for a program.

use std::fmt;
use std::io;

use crate::classify::RuleError;
use crate::config::ConfigError;

/// The exit status. 2 is also clap's; the numbers from 69 on are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// A service does not answer, or an address cannot be listened on (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// `EX_NOPERM`
    NotPermitted = 77,
    /// `EX_CONFIG`
    BadConfiguration = 78,
}

/// Why a command ends. The message names the thing, the place and the next step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Exit::BadConfiguration, message)
    }

    /// A failure because of the file system or a socket: not permitted if `error` says so, otherwise failed.
    pub(crate) fn system(error: &io::Error, message: impl Into<String>) -> Self {
        Self::new(refusal(error).unwrap_or(Exit::Failed), message)
    }

    /// The program cannot listen on an address or socket.
    pub(crate) fn listen(error: &io::Error, message: impl Into<String>) -> Self {
        Self::new(refusal(error).unwrap_or(Exit::Unavailable), message)
    }
}

fn refusal(error: &io::Error) -> Option<Exit> {
    (error.kind() == io::ErrorKind::PermissionDenied).then_some(Exit::NotPermitted)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::configuration(e.to_string())
    }
}

impl From<RuleError> for Failure {
    fn from(e: RuleError) -> Self {
        Self::configuration(e.to_string())
    }
}

/// Of writing a command's output. For other I/O, say what failed with [`Failure::failed`].
impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        // The reader has read enough, as `head` does.
        let exit = if e.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failed };
        Self::new(exit, format!("cannot write the output: {e}"))
    }
}
