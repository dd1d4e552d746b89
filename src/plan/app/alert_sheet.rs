//! Alerts as CSV, safe to open in a spreadsheet.

use super::alerts::{AlertFilter, AlertRecord, whole};
use super::{App, May, Refusal};
use crate::listing::csv_rows;
use crate::plan::permission::Export;

const COLUMNS: [&str; 26] = [
    "id",
    "severity",
    "state",
    "rule",
    "title",
    "zone",
    "ip",
    "mac",
    "name",
    "category",
    "type",
    "vendor",
    "model",
    "device",
    "object",
    "first",
    "last",
    "sentence",
    "techniques",
    "reason",
    "note",
    "assignee",
    "decided_by",
    "decided_at",
    "muted_by",
    "feeds",
];

/// All alerts that a filter takes, a row an alert, with a header.
pub async fn csv(app: &App, may: &May<Export>, filter: &AlertFilter) -> Result<Vec<u8>, Refusal> {
    let list = whole(app, may, filter).await?;
    let header = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
    Ok(csv_rows(std::iter::once(header).chain(list.alerts.iter().map(row))))
}

fn row(record: &AlertRecord) -> Vec<String> {
    let (alert, device) = (&record.alert, &record.alert.device);
    let decision = record.decision.as_ref();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        alert.id.to_string(),
        alert.severity.key().to_owned(),
        record.state.key().to_owned(),
        alert.rule.clone(),
        alert.title.clone(),
        device.zone.clone(),
        device.ip.to_string(),
        device.mac.to_string(),
        text(&device.name),
        device.category.clone(),
        device.kind.clone(),
        text(&device.vendor),
        text(&device.model),
        device.id.clone(),
        alert.object.clone(),
        alert.first.to_string(),
        alert.last.to_string(),
        alert.sentence.clone(),
        alert.techniques.join(" "),
        decision.and_then(|d| d.reason).map(|reason| reason.key().to_owned()).unwrap_or_default(),
        decision.and_then(|d| d.note.clone()).unwrap_or_default(),
        decision.and_then(|d| d.assignee.clone()).unwrap_or_default(),
        decision.map(|d| d.by.clone()).unwrap_or_default(),
        decision.map(|d| d.at.to_string()).unwrap_or_default(),
        record.muted_by.map(|number| number.to_string()).unwrap_or_default(),
        alert.feeds.join(" "),
    ]
}
