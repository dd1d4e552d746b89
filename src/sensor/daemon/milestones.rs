//! What a person who starts a sensor for the first time waits for, each logged once: enrolled, first frame, first device,
//! first upload.

use std::sync::atomic::Ordering;

use crate::sensor::config::Config;
use crate::sensor::status::Status;
use crate::sensor::upload::identity::Identity;

/// What was not logged yet.
#[derive(Debug)]
pub(super) struct Milestones {
    enrolled: bool,
    frame: bool,
    device: bool,
    upload: bool,
}

impl Milestones {
    /// For a sensor that captures, or uploads, or both.
    pub(super) const fn new(captures: bool, uploads: bool) -> Self {
        Self { enrolled: !uploads, frame: !captures, device: !captures, upload: !uploads }
    }

    /// Whether all are logged.
    pub(super) const fn are_done(&self) -> bool {
        self.enrolled && self.frame && self.device && self.upload
    }

    /// Says at the start if the sensor is not enrolled: it captures all the same.
    pub(super) fn begin(&self, config: &Config) {
        if !self.enrolled
            && let Err(e) = Identity::load(&config.identity_source())
        {
            tracing::warn!("not enrolled yet: {e}; what is captured waits in the spool");
        }
    }

    /// Logs what has come since the last call. `couplings` are those of the table, those of an earlier run included.
    pub(super) fn look(&mut self, config: &Config, status: &Status, couplings: usize) {
        if !self.enrolled
            && let Ok(identity) = Identity::load(&config.identity_source())
        {
            self.enrolled = true;
            tracing::info!("enrolled as the sensor {} of {}", identity.sensor, identity.url);
        }
        if !self.frame
            && let Some((interface, _)) = status.interfaces().iter().find(|(_, i)| i.counters.frames > 0)
        {
            self.frame = true;
            tracing::info!("first frame on {interface}");
        }
        if !self.device && couplings > 0 {
            self.device = true;
            tracing::info!(
                "first device: {couplings} pairs of MAC and IP address so far; 'netcensus-sensor devices' lists them"
            );
        }
        let stored = status.uploads_stored.load(Ordering::Relaxed);
        if !self.upload && stored + status.uploads_duplicate.load(Ordering::Relaxed) > 0 {
            self.upload = true;
            tracing::info!("first upload acknowledged by the plan service");
        }
    }
}
