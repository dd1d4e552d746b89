//! The command-line library of both binaries: how a command fails, logs, prints, and documents itself.

pub(crate) mod failure;
pub(crate) mod findings;
pub mod log;
pub(crate) mod manual;
pub(crate) mod rule;
pub(crate) mod table;
pub(crate) mod terminal;

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use self::failure::{Exit, Failure};

/// Ends a program: prints why its command failed, and returns the exit status.
///
/// A closed output pipe (`netcensus-plan devices | head`) counts as success.
pub(crate) fn exit(program: &str, outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure { exit: Exit::Done, .. }) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::complain(program, &failure.to_string());
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// The runtime of a command that makes a few requests, on the calling thread.
///
/// # Errors
/// If the system refuses what a runtime needs (an epoll descriptor, for example).
#[cfg(feature = "sensor")]
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    started(&mut Builder::new_current_thread())
}

/// The runtime of a service: a worker thread a core.
///
/// # Errors
/// If the system refuses what a runtime needs.
#[cfg(feature = "plan")]
pub(crate) fn service_runtime() -> Result<Runtime, Failure> {
    started(&mut Builder::new_multi_thread())
}

#[cfg(any(feature = "sensor", feature = "plan"))]
fn started(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|e| {
        Failure::failed(format!(
            "cannot start the runtime: {e}; check the process's limits on threads and files"
        ))
    })
}
