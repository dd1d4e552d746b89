//! The demo: a service, a sensor and a capture in one process, so that anybody sees in seconds what the product does.
//!
//! Everything is real but the wire: the service listens on loopback over a temporary database, the sensor enrols by
//! the HTTP API and uploads through its spool, and the capture is replayed faster than it was recorded. The sensor's
//! half needs the feature `sensor`.

#[cfg(feature = "sensor")]
mod sensor;

use std::net::SocketAddr;

use clap::Args;

/// How the demo runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan demo           stays up until Ctrl-C; open the console's link
  netcensus-plan demo --once    prints the count and ends")]
pub struct Arguments {
    /// Where to listen [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// End after the census is printed
    #[arg(long)]
    once: bool,
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The address is not free.
    #[error("cannot listen on {address}: {error}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The binary has no sensor in it.
    #[error("this build has no sensor in it; build with the feature 'sensor' to run the demo")]
    NoSensor,
    /// One of its parts failed.
    #[error("the demo failed: {0}")]
    Part(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs the demo.
///
/// # Errors
/// [`DemoError`].
#[cfg(feature = "sensor")]
pub async fn run(arguments: Arguments) -> Result<(), DemoError> {
    sensor::run(arguments.listen, arguments.once).await
}

/// Says that there is no sensor to demonstrate with.
///
/// # Errors
/// Always [`DemoError::NoSensor`].
#[cfg(not(feature = "sensor"))]
pub async fn run(_: Arguments) -> Result<(), DemoError> {
    Err(DemoError::NoSensor)
}
