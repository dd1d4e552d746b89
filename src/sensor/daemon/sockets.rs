//! The addresses and sockets on which the sensor answers.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::RunError;
use crate::sensor::config::Config;
use crate::sensor::health;
use crate::sensor::upload::spool::{self, SpoolError};

/// Opened before the sensor confines itself, because a confined sensor cannot listen.
pub(super) struct Sockets {
    pub(super) loopback: Option<TcpListener>,
    pub(super) control: UnixListener,
    /// The capture half's metrics, which the upload half relays.
    pub(super) health: Option<UnixListener>,
    pub(super) paths: Vec<PathBuf>,
}

impl Sockets {
    pub(super) fn open(config: &Config, captures: bool, uploads: bool) -> Result<Self, RunError> {
        let refused = |address: String| move |error| RunError::Listen { address, error };
        let open = |address| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        // The capture half has no network, not even loopback.
        let address = config.listen().filter(|_| uploads);
        let loopback = address.map(|a| open(a).map_err(refused(a.to_string()))).transpose()?;
        let control_path = if captures { config.control_path() } else { config.upload_control_path() };
        let control =
            health::bind_control(&control_path).map_err(refused(control_path.display().to_string()))?;
        let mut paths = vec![control_path];
        let health = if uploads {
            None
        } else {
            let path = config.health_path();
            let bound = health::bind_health(&path).map_err(refused(path.display().to_string()))?;
            paths.push(path);
            Some(bound)
        };
        if !captures {
            // Create the spool if the capture half has not yet: Landlock can only exempt existing paths.
            let spool = config.spool_directory();
            spool::make_private(&spool).map_err(|error| SpoolError::Io { path: spool, error })?;
        }
        Ok(Self { loopback, control, health, paths })
    }
}
