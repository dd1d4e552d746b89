//! How many devices to commit to, from the inventory and from lists, and when the committed number is passed.
//!
//! An estimate stores nothing, so every role may ask for one. Only the columns of tables are stored, on request and by
//! people who may edit devices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::billing::forecast::Forecast;
use crate::billing::timeline::in_effect;
use crate::census::{Timestamp, clean};
use crate::estimate::{self, COLUMNS, Estimate, FileKind, Mapping, ReadOptions, Sorter};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{Expected, MappingError, Remembered, StoreError};

/// The longest mapping as JSON, in bytes.
const MAPPING_BYTES: usize = 65_536;

/// What an estimate is made of.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Names and bytes of lists.
    pub files: Vec<(String, Vec<u8>)>,
    /// The kind of all lists; recognized by their content if it is `None`.
    pub kind: Option<FileKind>,
    /// Columns that a person named, for every table.
    pub mapping: Mapping,
    /// The instant of the verdicts.
    pub as_of: Option<Timestamp>,
    /// Whether the inventory is left out.
    pub files_only: bool,
}

/// The tables whose columns are remembered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Mappings {
    /// By signature.
    pub mappings: Vec<Remembered>,
}

/// The columns to remember.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMapping {
    /// Each field with its headers: `{"mac": ["Kennung"]}`.
    #[schema(value_type = Object)]
    pub columns: Mapping,
}

/// Makes an estimate, beside what the plan in effect commits to.
pub async fn make(app: &App, may: &May<View>, asked: Asked) -> Result<Estimate, Refusal> {
    let inventory = app.view(may.id(), asked.as_of).await?;
    let committed = committed(app, may).await?;
    let remembered = if asked.files.is_empty() { Vec::new() } else { app.store.mappings(may.id()).await? };
    let classifier = Arc::clone(app.classifier()?);
    let policy = app.settings.policy.clone();
    let work = move || {
        let mut readings = Vec::new();
        for (name, bytes) in &asked.files {
            let known = estimate::signature(bytes)
                .and_then(|signature| remembered.iter().find(|r| r.signature == signature))
                .map(|r| r.columns.clone());
            let is_known = known.is_some();
            let mapping = known.unwrap_or_default().under(&asked.mapping);
            let mut reading = estimate::read(
                name,
                bytes,
                &ReadOptions { kind: asked.kind, mapping, as_of: Some(inventory.as_of) },
            )?;
            if is_known && reading.columns.is_some() {
                reading.notes.push("its columns were remembered".to_owned());
            }
            readings.push(reading);
        }
        let sorter = Sorter::new(&*classifier)?;
        let devices = (!asked.files_only).then(|| inventory.rows().collect::<Vec<_>>());
        Ok(Estimate::new(&readings, devices.as_deref(), &sorter, &policy, inventory.as_of)?.beside(committed))
    };
    let failed = |e| Refusal::Defect(format!("an estimate failed: {e}"));
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// The forecast: when the committed number of the plan in effect is passed, or `other` if it is given.
pub async fn forecast(app: &App, may: &May<View>, other: Option<u64>) -> Result<Forecast, Refusal> {
    let committed = other.or(committed(app, may).await?);
    let samples = app.samples(may.id()).await?;
    Ok(Forecast::new(&samples, committed, app.now()))
}

async fn committed(app: &App, may: &May<View>) -> Result<Option<u64>, Refusal> {
    let plans = app.store.plans(may.id()).await?;
    Ok(in_effect(&plans, app.now()).and_then(|p| p.committed))
}

/// The tables whose columns are remembered.
pub async fn mappings(app: &App, may: &May<View>) -> Result<Mappings, Refusal> {
    Ok(Mappings { mappings: app.store.mappings(may.id()).await? })
}

/// The remembered columns of the table whose header has that signature.
pub async fn mapping(app: &App, may: &May<View>, signature: &str) -> Result<Remembered, Refusal> {
    let found = app.store.mapping(may.id(), signature).await?;
    found.ok_or_else(|| Refusal::hidden("mapping", signature))
}

/// Remembers the columns of a table. Columns that are remembered already must be as `expected`.
pub async fn remember(
    app: &App,
    may: &May<EditDevices>,
    signature: &str,
    columns: &Mapping,
    expected: &Expected,
) -> Result<Remembered, Refusal> {
    check(signature, columns).map_err(StoreError::from)?;
    Ok(app.store.remember_mapping(may.id(), signature, columns, &may.by, app.now(), expected).await?)
}

fn check(signature: &str, columns: &Mapping) -> Result<(), MappingError> {
    if signature.len() != 64 || !signature.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(MappingError::BadSignature);
    }
    let headers: Vec<&String> = columns.0.values().flatten().collect();
    let is_good = (1..=COLUMNS).contains(&headers.len())
        && headers.iter().all(|h| clean(h.as_bytes()).as_ref() == Some(*h))
        && serde_json::to_string(columns).is_ok_and(|json| json.len() <= MAPPING_BYTES);
    if is_good { Ok(()) } else { Err(MappingError::BadColumns) }
}

/// Forgets the columns of a table, if they are as `expected`.
pub async fn forget(
    app: &App,
    may: &May<EditDevices>,
    signature: &str,
    expected: &Expected,
) -> Result<(), Refusal> {
    Ok(app.store.forget_mapping(may.id(), signature, &may.by, app.now(), expected).await?)
}
