//! The managed list: devices that other systems manage are not counted (X-MANAGED).

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::changes::{ChangeAnswer, make};
use super::{App, May, Refusal, zones};
use crate::census::{
    Decision, Decisions, MacAddr, ManagedKey, Ruling, Timestamp, ZoneNames, time::BadTimestamp, time::rfc3339,
};
use crate::change::{ChangeRequest, CountDelta, ListDoubt, ListReport, ManagedEndpoint, Replacement, doubts};
use crate::estimate::{FileKind, Mapping, ReadOptions, read};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::By;

/// Entries on a page if the caller names no limit, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct ManagedQuery {
    /// A source's name.
    pub source: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// On the page, at most 1000; 100 if it is missing.
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
    fn new(key: &ManagedKey, decision: &Decision, names: &ZoneNames, now: Timestamp) -> Option<Self> {
        let Ruling::Managed { from, to } = decision.ruling else { return None };
        Some(Self {
            source: key.source.clone(),
            external_id: key.external_id.clone(),
            zone: key.zone.as_deref().map(|label| names.name(label).to_owned()),
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
    /// At most `limit` entries behind the cursor of `query`.
    fn new(
        decisions: &Decisions,
        query: &ManagedQuery,
        limit: usize,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let bad = || Refusal::invalid("'after' is not a cursor; send the 'next' of the previous page");
        let read = |text: &String| -> Option<ManagedKey> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
        };
        let after = query.after.as_ref().filter(|a| !a.is_empty());
        let after = after.map(|text| read(text).ok_or_else(bad)).transpose()?;
        let source = query.source.as_deref().filter(|s| !s.is_empty());
        let mut sources: BTreeMap<&str, SourceEntry> = BTreeMap::new();
        let (mut total, mut entries, mut last, mut next) = (0, Vec::new(), None, None);
        for (key, decision) in decisions.managed().iter() {
            let Some(entry) = ManagedEntry::new(key, decision, decisions.names(), now) else { continue };
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

/// A list to import.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The system that it is from. The list replaces all that the source had.
    pub source: String,
    /// The only zone in which its entries are looked for; all zones if it is missing.
    #[serde(default)]
    pub zone: Option<String>,
    /// From when entries without a `from` hold. If it is missing, known entries keep theirs, and new ones hold from the
    /// import's count on.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when entries without a `to` hold.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// `true`: the list replaces that of its source even if it loses more than a fifth of it.
    #[serde(default)]
    pub force: bool,
    /// The entries, at most 200000.
    pub entries: Vec<ImportEntry>,
}

/// An entry to import.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImportEntry {
    /// Its name in its system; its MAC or address if it is missing.
    pub external_id: Option<String>,
    /// Its MAC.
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// Its address: only used if there is no MAC.
    #[schema(value_type = Option<String>)]
    pub ip: Option<IpAddr>,
    /// The first instant at which it holds.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds. If neither the entry nor the list names one, an entry without a MAC
    /// holds for 30 days, as addresses change hands, and another until the list is replaced or forgotten.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

impl From<Import> for ChangeRequest {
    fn from(list: Import) -> Self {
        let Import { source, zone, from, to, force: _, entries } = list;
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
        Self::Import { source, zone, entries: entries.into_iter().map(entry).collect() }
    }
}

/// A list of another system to import.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct FileImport {
    /// The system that it is from. The list replaces all that the source had.
    pub source: String,
    /// The only zone in which its entries are looked for; all zones if it is missing.
    pub zone: Option<String>,
    /// From when its entries hold, RFC 3339. If it is missing, they hold from the import's count on.
    pub from: Option<String>,
    /// Until when its entries hold, RFC 3339. If it is missing, those without a MAC hold for 30 days, others until the list
    /// is replaced or forgotten.
    pub to: Option<String>,
    /// `cmdb` for a table, `meraki` or `defender`; recognized by the content if it is missing.
    pub kind: Option<String>,
    /// `true`: takes every row, and not only those that the list calls managed.
    pub all: Option<bool>,
    /// `true`: the list replaces that of its source even if it is incomplete, or loses more than a fifth of it.
    pub force: Option<bool>,
    /// `true`: everything is checked and answered, and nothing is stored.
    pub dry_run: Option<bool>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    /// What became of the entries of the source.
    pub entries: Replacement,
    /// Why the list replaces nothing without `force`, one sentence each. Empty if nothing is wrong with it.
    pub doubts: Vec<String>,
    #[serde(flatten)]
    pub answer: ChangeAnswer,
}

/// What an import of a list of another system did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileAnswer {
    /// The outcome of its rows.
    pub list: ListReport,
    #[serde(flatten)]
    pub answer: ImportAnswer,
}

/// A list that would replace another and looks incomplete, with what it would do.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the list of '{source_name}' replaces nothing: {}. It would make {} entries {}, and {} billable devices {} ({:+}). Look at it with a dry run; if it is right, import it with 'force'",
    sentences(.doubts),
    .entries.before,
    .entries.after,
    .count.before,
    .count.after,
    .count.delta
)]
pub struct DoubtfulList {
    pub source_name: String,
    pub doubts: Vec<ListDoubt>,
    pub entries: Replacement,
    /// Billable devices before and after.
    pub count: CountDelta,
}

fn sentences(doubts: &[ListDoubt]) -> String {
    doubts.iter().map(ListDoubt::to_string).collect::<Vec<_>>().join("; ")
}

/// A list of another system that was read.
#[derive(Debug)]
pub struct ReadList {
    pub report: ListReport,
    force: bool,
    ask: ChangeRequest,
}

impl FileImport {
    /// Reads the list. `name` is for error messages, `mapping` says which columns of a table contain what.
    ///
    /// # Errors
    /// [`Refusal::ManagedFile`], or [`Refusal::Invalid`] if a parameter cannot be read.
    pub fn read(self, name: &str, list: &[u8], mapping: Mapping) -> Result<ReadList, Refusal> {
        let unknown = || Refusal::invalid("unknown kind: write cmdb, meraki or defender");
        let kind = self.kind.as_deref().filter(|k| !k.is_empty());
        let kind = kind.map(|k| FileKind::from_key(k).ok_or_else(unknown)).transpose()?;
        let instant = |text: Option<String>| {
            let bad = |e: BadTimestamp| Refusal::invalid(e.to_string());
            text.map(|text| text.parse::<Timestamp>()).transpose().map_err(bad)
        };
        let (from, to) = (instant(self.from)?, instant(self.to)?);
        let reading = read(name, list, &ReadOptions { kind, mapping, ..ReadOptions::default() })
            .map_err(Refusal::ManagedFile)?;
        let (entries, report) = ManagedEndpoint::of_list(&reading, self.all.unwrap_or(false));
        let entries = entries.into_iter().map(|e| ManagedEndpoint { from, to, ..e }).collect();
        let ask = ChangeRequest::Import { source: self.source, zone: self.zone, entries };
        Ok(ReadList { report, force: self.force.unwrap_or(false), ask })
    }
}

/// One page of the managed list.
pub async fn list(app: &App, may: &May<View>, query: &ManagedQuery) -> Result<ManagedPage, Refusal> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    ManagedPage::new(&*app.decisions(may.id()).await?, query, limit, app.now())
}

/// The whole managed list, or that of one source.
pub async fn list_whole(app: &App, may: &May<View>, source: Option<String>) -> Result<ManagedPage, Refusal> {
    let query = ManagedQuery { source, ..ManagedQuery::default() };
    ManagedPage::new(&*app.decisions(may.id()).await?, &query, usize::MAX, app.now())
}

/// Replaces the list of a source.
pub async fn import(app: &App, may: &May<EditDevices>, list: Import) -> Result<ImportAnswer, Refusal> {
    let force = list.force;
    replace(app, may, list.into(), None, force).await
}

/// Replaces the list of a source by one that another system exported.
pub async fn import_list(app: &App, may: &May<EditDevices>, list: ReadList) -> Result<FileAnswer, Refusal> {
    let ReadList { report, force, ask } = list;
    let answer = replace(app, may, ask, Some(&report), force).await?;
    Ok(FileAnswer { list: report, answer })
}

/// Replaces the list of a source. Refused if it looks incomplete, unless somebody says that it is right.
async fn replace(
    app: &App,
    may: &May<EditDevices>,
    ask: ChangeRequest,
    report: Option<&ListReport>,
    force: bool,
) -> Result<ImportAnswer, Refusal> {
    let ChangeRequest::Import { source, zone, entries: listed } = ask else {
        return Err(Refusal::Defect("an import asks for something else".to_owned()));
    };
    let known = app.decisions(may.id()).await?;
    let zone = match zone {
        Some(zone) => Some(zones::label(app, may, &known, zone).await?),
        None => None,
    };
    let entries = Replacement::new(known.managed(), &source, zone.as_deref(), &listed, app.now());
    let doubts = doubts(report, entries);
    let source_name: String = source.chars().filter(|c| !c.is_control()).take(60).collect();
    let ask = ChangeRequest::Import { source, zone, entries: listed };
    let is_tried = may.by.dry_run || (!doubts.is_empty() && !force);
    let by = By { dry_run: is_tried, ..may.by.clone() };
    let changed = app.change(may.id(), ask, &by, None).await?;
    let answer = ChangeAnswer::new(changed, &by);
    if is_tried && !may.by.dry_run {
        let count = answer.count;
        return Err(Refusal::DoubtfulList(Box::new(DoubtfulList { source_name, doubts, entries, count })));
    }
    Ok(ImportAnswer { entries, doubts: doubts.iter().map(ListDoubt::to_string).collect(), answer })
}

/// Forgets the list of a source.
pub async fn forget(app: &App, may: &May<EditDevices>, source: String) -> Result<ChangeAnswer, Refusal> {
    make(app, may, ChangeRequest::Forget { source }, None).await
}
