//! Devices as a table.

use crate::wire::DeviceEntry;

/// The columns of the table.
pub(super) const HEADER: [&str; 8] = ["IP", "MAC", "CATEGORY", "TYPE", "VENDOR", "NAME", "VERDICT", "ID"];

/// A device as a row of the table.
pub(super) fn row(d: &DeviceEntry) -> Vec<String> {
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    vec![
        d.ip.to_string(),
        d.mac.to_string(),
        d.category.key().to_owned(),
        d.kind.clone(),
        text(&d.vendor),
        text(&d.name),
        d.verdict.id().to_owned(),
        d.id.clone(),
    ]
}
