//! The list of what is managed elsewhere: such devices are not counted (X-MANAGED).

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::census::parse_instant;
use super::changes::{ChangeAnswer, answer};
use super::devices::Trial;
use crate::census::{Decision, Decisions, MacAddr, ManagedKey, Ruling, Timestamp, time::rfc3339};
use crate::change::{ChangeRequest, ListReport, ManagedEndpoint};
use crate::estimate::{FILE_BYTES, FileError, FileKind, Mapping, ReadOptions, read};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract::{Json, Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;

/// The largest list to import: 200,000 entries fit.
const LIST_BYTES: usize = 48 << 20;
/// Entries on a page where nothing else is asked, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    let import = OpenApiRouter::new()
        .routes(routes!(import))
        .routes(routes!(import_file))
        .layer(DefaultBodyLimit::max(LIST_BYTES));
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(forget)).merge(import)
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ManagedQuery {
    /// A source's name.
    pub source: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// On the page, at most 1000; 100 where it is missing.
    pub limit: Option<usize>,
}

/// One page of the managed list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedPage {
    /// The sources, by name.
    pub sources: Vec<SourceEntry>,
    /// Entries that match, on all pages.
    pub total: usize,
    /// The entries, by source and name there.
    pub entries: Vec<ManagedEntry>,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

/// A source of managed entries.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SourceEntry {
    /// Its name.
    pub source: String,
    /// Its entries.
    pub entries: u64,
    /// Those that hold now.
    pub in_force: u64,
}

/// An entry of the managed list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedEntry {
    /// The system that reported it.
    pub source: String,
    /// Its name there.
    pub external_id: String,
    /// The only zone in which it is looked for; null for all.
    pub zone: Option<String>,
    /// Its MAC.
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// Its address, by which an entry without a MAC matches.
    #[schema(value_type = Option<String>)]
    pub ip: Option<IpAddr>,
    /// The first instant at which it holds.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant at which it no longer holds; null for an open end.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Whether it holds now.
    pub in_force: bool,
    /// Who imported it.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The change by which it came to stand.
    pub change: u64,
}

impl ManagedEntry {
    fn new(key: &ManagedKey, decision: &Decision, now: Timestamp) -> Option<Self> {
        let Ruling::Managed { from, to } = decision.ruling else { return None };
        Some(Self {
            source: key.source.clone(),
            external_id: key.external_id.clone(),
            zone: key.zone.clone(),
            mac: key.mac,
            ip: key.ip,
            from,
            to,
            in_force: from <= now && to.is_none_or(|to| now < to),
            by: decision.mark.by.clone(),
            at: decision.mark.at,
            change: decision.mark.change,
        })
    }
}

impl ManagedPage {
    /// The page that `query` asks for.
    ///
    /// # Errors
    /// Where the cursor cannot be read.
    pub fn new(decisions: &Decisions, query: &ManagedQuery, now: Timestamp) -> Result<Self, Problem> {
        let bad =
            || Problem::new(ProblemType::InvalidRequest, "'after' is no cursor; send the 'next' as it is");
        let read = |text: &String| -> Option<ManagedKey> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
        };
        let after = query.after.as_ref().filter(|a| !a.is_empty());
        let after = after.map(|text| read(text).ok_or_else(bad)).transpose()?;
        let source = query.source.as_deref().filter(|s| !s.is_empty());
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let mut sources: BTreeMap<&str, SourceEntry> = BTreeMap::new();
        let (mut total, mut entries, mut last, mut next) = (0, Vec::new(), None, None);
        for (key, decision) in decisions.managed().iter() {
            let Some(entry) = ManagedEntry::new(key, decision, now) else { continue };
            let summary = sources.entry(&key.source).or_default();
            summary.entries += 1;
            summary.in_force += u64::from(entry.in_force);
            if source.is_some_and(|s| s != key.source) {
                continue;
            }
            total += 1;
            if after.as_ref().is_some_and(|after| key <= after) {
                continue;
            }
            if entries.len() < limit {
                entries.push(entry);
                last = Some(key);
            } else if next.is_none() {
                next = last.and_then(|key| serde_json::to_vec(key).ok()).map(|k| URL_SAFE_NO_PAD.encode(k));
            }
        }
        let named = |(name, entry): (&str, SourceEntry)| SourceEntry { source: name.to_owned(), ..entry };
        Ok(Self { sources: sources.into_iter().map(named).collect(), total, entries, next })
    }
}

/// What is managed elsewhere, and by whom.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/managed", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ManagedQuery), responses((status = 200, body = ManagedPage)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<ManagedQuery>,
) -> Result<axum::Json<ManagedPage>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let decisions = service.inventories()?.decisions(&sid).await?;
    Ok(axum::Json(ManagedPage::new(&decisions, &query, service.now())?))
}

/// A list to import.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The system that it is from. The list replaces all that the source had.
    pub source: String,
    /// The only zone in which its entries are looked for; all zones where it is missing.
    #[serde(default)]
    pub zone: Option<String>,
    /// From when entries hold that say nothing of it; where it is missing, from the count on at which they are imported,
    /// or as before where they are known.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when entries hold that say nothing of it.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// The entries, at most 200000.
    pub entries: Vec<ImportEntry>,
}

/// An entry to import.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImportEntry {
    /// Its name in its system; its MAC or address where it is missing.
    pub external_id: Option<String>,
    /// Its MAC.
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// Its address: looked at where there is no MAC.
    #[schema(value_type = Option<String>)]
    pub ip: Option<IpAddr>,
    /// The first instant at which it holds.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds. Where neither the entry nor the list names one, an entry without a
    /// MAC holds for 30 days, as addresses change hands, and another until the list is replaced or forgotten.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

impl Import {
    /// What to ask for.
    pub fn ask(self) -> ChangeRequest {
        let Self { source, zone, from, to, entries } = self;
        let entry = |e: ImportEntry| {
            let named = || e.mac.map(|mac| mac.to_string()).or_else(|| e.ip.map(|ip| ip.to_string()));
            ManagedEndpoint {
                external_id: e.external_id.clone().or_else(named).unwrap_or_default(),
                mac: e.mac,
                ip: e.ip,
                from: e.from.or(from),
                to: e.to.or(to),
            }
        };
        ChangeRequest::Import { source, zone, entries: entries.into_iter().map(entry).collect() }
    }
}

/// Replaces the list of a source.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/managed/import", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory", request_body = Import,
    params(("sid" = String, Path, description = "subscription"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 413, description = "problem"), (status = 422, description = "problem")))]
pub async fn import(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(list): Json<Import>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    Ok(answer(service.change(&sid, list.ask(), &caller.by, None).await?, &caller.by))
}

/// A list of another system to import.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct FileImport {
    /// The system that it is from. The list replaces all that the source had.
    pub source: String,
    /// The only zone in which its entries are looked for; all zones where it is missing.
    pub zone: Option<String>,
    /// From when its entries hold; where it is missing, from the count on at which they are imported. RFC 3339.
    pub from: Option<String>,
    /// Until when its entries hold. Where it is missing, those without a MAC hold for 30 days, others until the list is
    /// replaced or forgotten. RFC 3339.
    pub to: Option<String>,
    /// `cmdb` for a table, `meraki` or `defender`; told by the content where it is missing.
    pub kind: Option<String>,
    /// `true`: takes every row, and not only those that the list calls managed.
    pub all: Option<bool>,
    /// `true`: everything is checked and answered, and nothing is stored.
    pub dry_run: Option<bool>,
}

/// What an import of a list did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileAnswer {
    /// What became of its rows.
    pub list: ListReport,
    /// What it did.
    #[serde(flatten)]
    pub answer: ChangeAnswer,
}

impl FileImport {
    /// What to ask for, and what became of the rows.
    ///
    /// # Errors
    /// Where the list or a parameter cannot be read.
    pub fn ask(
        self,
        name: &str,
        list: &[u8],
        mapping: Mapping,
    ) -> Result<(ChangeRequest, ListReport), Problem> {
        let unknown = || Problem::new(ProblemType::InvalidRequest, "the kind is cmdb, meraki or defender");
        let kind = self.kind.as_deref().filter(|k| !k.is_empty());
        let kind = kind.map(|k| FileKind::from_key(k).ok_or_else(unknown)).transpose()?;
        let (from, to) = (parse_instant(self.from.as_deref())?, parse_instant(self.to.as_deref())?);
        let unreadable = |e: FileError| Problem::new(ProblemType::UnreadableList, e.to_string());
        let reading = read(name, list, &ReadOptions { kind, mapping }).map_err(unreadable)?;
        let (entries, report) = ManagedEndpoint::of_list(&reading, self.all.unwrap_or(false));
        let entries = entries.into_iter().map(|e| ManagedEndpoint { from, to, ..e }).collect();
        Ok((ChangeRequest::Import { source: self.source, zone: self.zone, entries }, report))
    }
}

/// Replaces the list of a source by one that another system exported: a table (CSV), or the machines of Defender for
/// Endpoint as its API gives them (JSON).
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/managed/import/file", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory",
    request_body(content = String, content_type = "application/octet-stream", description = "the file"),
    params(("sid" = String, Path, description = "subscription"), FileImport),
    responses((status = 200, body = FileAnswer), (status = 413, description = "problem"), (status = 422, description = "problem")))]
pub async fn import_file(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(import): Parameters<FileImport>,
    body: Body,
) -> Result<axum::Json<FileAnswer>, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let too_large = || {
        let detail = format!("a list has at most {} MiB", FILE_BYTES >> 20);
        Problem::new(ProblemType::TooLarge, detail)
    };
    let list = to_bytes(body, FILE_BYTES).await.map_err(|_| too_large())?;
    // Reading a long list takes a while, which other requests need not wait for.
    let read = tokio::task::spawn_blocking(move || import.ask("the list", &list, Mapping::default()));
    let failed = |e: tokio::task::JoinError| Problem::new(ProblemType::Internal, e.to_string());
    let (ask, list) = read.await.map_err(failed)??;
    let changed = service.change(&sid, ask, &caller.by, None).await?;
    Ok(axum::Json(FileAnswer { list, answer: ChangeAnswer::new(changed, &caller.by) }))
}

/// Forgets the list of a source.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/managed/{source}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("source" = String, Path, description = "source"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 404, description = "problem")))]
pub async fn forget(
    State(service): State<App>,
    Path((sid, source)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    Ok(answer(service.change(&sid, ChangeRequest::Forget { source }, &caller.by, None).await?, &caller.by))
}
