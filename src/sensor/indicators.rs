//! Reads the lists of indicators that the configuration names.

use std::fs;
use std::path::PathBuf;

use crate::security::Indicators;

/// The largest list, in bytes.
const LIST_BYTES: u64 = 256 << 20;

/// The indicators of all lists. A list that cannot be read is left out, with a warning: alerts are no reason not to count.
pub fn read(files: &[PathBuf]) -> Indicators {
    let mut all = Indicators::default();
    for file in files {
        let name = file.display();
        match fs::metadata(file).map(|m| m.len()) {
            Ok(0..=LIST_BYTES) => {}
            Ok(bytes) => {
                tracing::warn!(
                    "{name}: {bytes} bytes are more than a list may have ({LIST_BYTES}); it is left out"
                );
                continue;
            }
            Err(e) => {
                tracing::warn!("{name}: {e}; this list of indicators is left out");
                continue;
            }
        }
        match fs::read_to_string(file) {
            Ok(text) => {
                let before = all.left_out;
                let added = all.add(&text);
                let left_out = all.left_out - before;
                tracing::info!("{name}: {added} indicators, {left_out} lines left out");
            }
            Err(e) => tracing::warn!("{name}: {e}; this list of indicators is left out"),
        }
    }
    all
}
