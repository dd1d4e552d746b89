//! Reads the feeds of indicators that the configuration names.

use std::fs::File;
use std::path::PathBuf;

use crate::census::Timestamp;
use crate::security::{BadFeed, Indicators};

/// The indicators of all feeds. A feed that cannot be read is left out, with a warning: the sensor counts without it. `now`
/// tells which indicators have expired.
pub fn read(files: &[PathBuf], now: Timestamp) -> Indicators {
    let mut all = Indicators::default();
    for file in files {
        let name = file.display();
        let report = File::open(file).map_err(BadFeed::from).and_then(|file| all.read_feed(file, now));
        match report {
            Ok(report) => {
                let (added, form, known) = (report.added, report.form, report.known);
                let left_out = report.leavings();
                tracing::info!(form, added, known, left_out, "read the indicators of {name}");
            }
            Err(error) => tracing::warn!("{name}: {error}; this feed of indicators is left out"),
        }
    }
    all
}
