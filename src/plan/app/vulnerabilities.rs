//! Vulnerabilities: which devices have which, why, and what the set of advisories does not cover.
//!
//! A device *has* a vulnerability only if it proves its vendor, model and firmware, and a record names this firmware (or
//! says that all versions are affected). Everything else is *possible*: it has a list of its own and is in no total. So have
//! the vulnerabilities of *components*, which banners name, if the operator asks for them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::advisories::{Claimed, Judged, Judgement};
pub use super::vulnerability_answers::{
    AffectedDevice, Confidence, Coverage, CoverageRow, CveAnswer, CveSource, DeviceVulnerabilities,
    DeviceVulnerability, Finding, Product, Totals, Vulnerability, VulnerabilityEntry, VulnerabilityList,
};
use super::{App, May, MayHere, Refusal};
use crate::advisory::{CveId, Firmware, Record, Verdict, Why};
use crate::census::{DeviceId, Timestamp};
use crate::listing::harmless;
use crate::plan::advisories::{self, AdvisoryError, CveFacts, Found, ImportReport, Mapping, Tables};
use crate::plan::entitlement::entitlement;
use crate::plan::permission::{ManageTenant, View};
use crate::wire::DeviceRow;

/// The schema of the answers.
pub const SCHEMA: &str = "netcensus.vulnerabilities/1";
/// CVEs in a list; products in a coverage; devices of a CVE; vulnerabilities of a device.
const LISTED: usize = 1_000;
/// From this score of EPSS on, in hundred-thousandths, a vulnerability comes before others of its severity.
const LIKELY: u32 = 10_000;

/// Refuses if no plan is in effect (P7).
///
/// # Errors
/// [`Refusal::Withheld`], or the store's.
pub(super) async fn gate(app: &App, may: &May<View>) -> Result<(), Refusal> {
    Ok(entitlement(&app.store.plans(may.id()).await?, app.now())?)
}

/// The vulnerabilities of a subscription.
pub async fn list(app: &App, may: &May<View>, confidence: Confidence) -> Result<VulnerabilityList, Refusal> {
    let mut all = entries(app, may, confidence).await?;
    all.unlisted = all.vulnerabilities.len().saturating_sub(LISTED) as u64;
    all.vulnerabilities.truncate(LISTED);
    Ok(all)
}

/// As [`list`], all of them.
pub async fn entries(
    app: &App,
    may: &May<View>,
    confidence: Confidence,
) -> Result<VulnerabilityList, Refusal> {
    gate(app, may).await?;
    let judged = app.judged(may.id()).await?;
    let of_cves = judged.iter().flat_map(|judged| {
        let counts = judged.tally.of(confidence).iter();
        counts.filter_map(|(cve, devices)| Some((*cve, *devices, judged.facts.get(cve)?)))
    });
    let mut sorted: Vec<(CveId, u64, &CveFacts)> = of_cves.collect();
    sorted.sort_by_key(|(cve, _, facts)| priority(*cve, facts));
    let entry = |(cve, devices, facts): (CveId, u64, &CveFacts)| VulnerabilityEntry {
        vulnerability: Vulnerability::new(cve, facts),
        confidence,
        devices,
    };
    Ok(VulnerabilityList {
        schema: SCHEMA,
        as_of: judged.as_ref().map_or_else(|| app.now(), |judged| judged.as_of),
        set: judged.as_ref().map(|judged| judged.set.summary().clone()),
        totals: judged.as_ref().map_or_else(Totals::default, |judged| judged.tally.totals),
        components: app.settings.components,
        vulnerabilities: sorted.into_iter().map(entry).collect(),
        unlisted: 0,
    })
}

/// A CVE and the devices that have it, or possibly have it.
pub async fn show(app: &App, may: &May<View>, cve: &str) -> Result<CveAnswer, Refusal> {
    gate(app, may).await?;
    let hidden = || Refusal::hidden("vulnerability", cve);
    let id: CveId = cve.parse().map_err(|_| hidden())?;
    let judged = app.judged(may.id()).await?.ok_or_else(hidden)?;
    let records = judged.set.of_cve(id).await?;
    let facts = judged.set.facts(&[id]).await?.remove(&id).unwrap_or_default();
    if records.is_empty() && facts.kev.is_none() {
        return Err(hidden());
    }
    let mut found: Vec<(&DeviceId, &Judgement, Claimed<'_>)> = Vec::new();
    for (device, judgement) in &judged.devices {
        let of_cve = judgement.claimed().find(|claimed| claimed.found.cve == id);
        found.extend(of_cve.map(|claimed| (device, judgement, claimed)));
    }
    found.sort_by_key(|(device, _, claimed)| (confidence(claimed.found.verdict), **device));
    let confirmed =
        found.iter().filter(|(_, _, claimed)| claimed.found.verdict.is_confirmed()).count() as u64;
    let unlisted = found.len().saturating_sub(LISTED) as u64;
    let (view, tables) = (app.view(may.id(), None).await?, app.tables()?);
    let devices = found.into_iter().take(LISTED).filter_map(|(device, judgement, claimed)| {
        let row = view.row(*device)?;
        let (_, record) = records.iter().find(|(record, _)| *record == claimed.found.record)?;
        let finding = finding(&tables, judgement, claimed, record, &facts)?;
        Some(AffectedDevice::new(row, judgement, claimed.found, finding))
    });
    let devices = devices.collect();
    let mut remedies: Vec<String> =
        records.iter().flat_map(|(_, record)| record.remedies.iter().cloned()).collect();
    let mut references: Vec<String> =
        records.iter().flat_map(|(_, record)| record.references.iter().cloned()).collect();
    for list in [&mut remedies, &mut references] {
        let mut seen = BTreeSet::new();
        list.retain(|text| seen.insert(text.clone()));
        list.truncate(10);
    }
    let source = |(_, record): &(i64, Record)| CveSource {
        source: record.source,
        document: named(record),
        modified: record.modified.clone(),
    };
    Ok(CveAnswer {
        schema: SCHEMA,
        as_of: judged.as_of,
        vulnerability: Vulnerability::new(id, &facts),
        rejected: records.iter().any(|(_, record)| record.rejected),
        summary: records.iter().map(|(_, r)| &r.summary).find(|s| !s.is_empty()).cloned().unwrap_or_default(),
        remedies,
        references,
        sources: records.iter().map(source).collect(),
        confirmed,
        devices,
        unlisted,
    })
}

/// The vulnerabilities of a device. Refused if there is no such device.
pub async fn of_device(app: &App, may: &May<View>, id: &str) -> Result<DeviceVulnerabilities, Refusal> {
    gate(app, may).await?;
    let hidden = || Refusal::hidden("device", id);
    let device: DeviceId = id.parse().map_err(|_| hidden())?;
    let view = app.view(may.id(), None).await?;
    let row = view.row(device).ok_or_else(hidden)?;
    let judged = app.judged(may.id()).await?;
    let Some((judged, judgement)) = judged.as_ref().and_then(|j| Some((j, j.devices.get(&device)?))) else {
        return Ok(DeviceVulnerabilities::nothing(view.as_of, row));
    };
    let mut found: Vec<(Claimed<'_>, &CveFacts)> =
        judgement.claimed().filter_map(|c| Some((c, judged.facts.get(&c.found.cve)?))).collect();
    found.sort_by_key(|(c, facts)| (confidence(c.found.verdict), priority(c.found.cve, facts)));
    let unlisted = found.len().saturating_sub(LISTED) as u64;
    found.truncate(LISTED);
    let tables = app.tables()?;
    let ids: Vec<i64> = found.iter().map(|(claimed, _)| claimed.found.record).collect();
    let records: BTreeMap<i64, Record> = judged.set.records(&ids).await?.into_iter().collect();
    let mut vulnerabilities = Vec::with_capacity(found.len());
    for (claimed, facts) in found {
        let Some(record) = records.get(&claimed.found.record) else { continue };
        let Some(finding) = finding(&tables, judgement, claimed, record, facts) else { continue };
        let vulnerability = Vulnerability::new(claimed.found.cve, facts);
        vulnerabilities.push(DeviceVulnerability {
            vulnerability,
            confidence: confidence(claimed.found.verdict),
            finding,
        });
    }
    let result = &judgement.result;
    Ok(DeviceVulnerabilities {
        schema: SCHEMA,
        as_of: judged.as_of,
        product: Product::new(judgement),
        vulnerabilities,
        unlisted,
        fixed: result.fixed,
        not_affected: result.not_affected,
        undecided: result.undecided,
    })
}

/// Which products the set covers, those first that no row of the table names.
pub async fn coverage(app: &App, may: &May<View>) -> Result<Coverage, Refusal> {
    let mut all = whole_coverage(app, may).await?;
    all.unlisted = all.products.len().saturating_sub(LISTED) as u64;
    all.products.truncate(LISTED);
    Ok(all)
}

/// As [`coverage`], all products.
pub async fn whole_coverage(app: &App, may: &May<View>) -> Result<Coverage, Refusal> {
    gate(app, may).await?;
    let judged: Option<Arc<Judged>> = app.judged(may.id()).await?;
    let mut rows: BTreeMap<(Mapping, Option<&str>, Option<&str>), CoverageRow> = BTreeMap::new();
    for judgement in judged.iter().flat_map(|judged| judged.devices.values()) {
        let Judgement { subject, result, .. } = judgement;
        let vendor = Some(subject.vendor.as_str()).filter(|vendor| !vendor.is_empty());
        let row =
            rows.entry((result.mapping, vendor, subject.model.as_deref())).or_insert_with(|| CoverageRow {
                vendor: vendor.map(str::to_owned),
                model: subject.model.clone(),
                mapping: result.mapping,
                no_source: result.no_source.clone(),
                devices: 0,
                with_firmware: 0,
                undecided: 0,
            });
        row.devices += 1;
        row.with_firmware += u64::from(matches!(subject.firmware, Firmware::Said(_)));
        row.undecided += result.undecided;
    }
    let mut products: Vec<CoverageRow> = rows.into_values().collect();
    products.sort_by_key(|row| (order(row.mapping), Reverse(row.devices)));
    let of = |mapping| products.iter().filter(|row| row.mapping == mapping).map(|row| row.devices).sum();
    Ok(Coverage {
        schema: SCHEMA,
        as_of: judged.as_ref().map_or_else(|| app.now(), |judged| judged.as_of),
        set: judged.as_ref().map(|judged| judged.set.summary().clone()),
        mapped: of(Mapping::Mapped),
        no_source: of(Mapping::NoSource),
        not_mapped: of(Mapping::NotMapped),
        unidentified: of(Mapping::Unidentified),
        products,
        unlisted: 0,
    })
}

/// Imports files into the set of the installation.
///
/// # Errors
/// Those of [`advisories::import`]; the old set stays then.
pub async fn import(
    app: &App,
    _: &MayHere<ManageTenant>,
    files: &[PathBuf],
    keep_going: bool,
) -> Result<ImportReport, AdvisoryError> {
    advisories::import(&app.advisories_path()?, files, keep_going, app.now()).await
}

const fn order(mapping: Mapping) -> u8 {
    match mapping {
        Mapping::NotMapped => 0,
        Mapping::Unidentified => 1,
        Mapping::NoSource => 2,
        Mapping::Mapped => 3,
    }
}

/// Known exploited first, then likely, then by score and likelihood.
fn priority(cve: CveId, facts: &CveFacts) -> (bool, bool, Reverse<u8>, Reverse<u32>, Reverse<CveId>) {
    let epss = facts.epss.map_or(0, |(score, _)| score);
    let score = facts.score.as_ref().map_or(0, |score| score.tenths);
    (facts.kev.is_none(), epss < LIKELY, Reverse(score), Reverse(epss), Reverse(cve))
}

const fn confidence(verdict: Verdict) -> Confidence {
    match verdict {
        Verdict::Component => Confidence::Component,
        _ if verdict.is_confirmed() => Confidence::Confirmed,
        _ => Confidence::Possible,
    }
}

fn named(record: &Record) -> Option<String> {
    Some(record.document.clone()).filter(|document| !document.is_empty())
}

fn finding(
    tables: &Tables,
    judgement: &Judgement,
    Claimed { found, component }: Claimed<'_>,
    record: &Record,
    facts: &CveFacts,
) -> Option<Finding> {
    let subject = component.map_or(&judgement.subject, |component| &component.subject);
    let profile = subject.profile(tables);
    let (prepared, ready) = (profile.prepare(record)?, profile.ready(&subject.firmware));
    let judged = crate::advisory::Judged { verdict: found.verdict, leaf: found.leaf };
    let Why { criterion, compared, row, fixed_in } = prepared.why(judged, &ready)?;
    let proved_at = component.map_or(judgement.proved_at, |component| Some(component.at));
    let proved = proved_at.map(|at| at.to_string().chars().take(10).collect::<String>());
    Some(Finding {
        verdict: found.verdict,
        component: component.map(|component| component.said.clone()),
        source: record.source,
        document: named(record),
        criterion,
        compared,
        product_row: row,
        rules: if component.is_some() { Vec::new() } else { judgement.rules.clone() },
        fixed_in: fixed_in.filter(|_| found.verdict != Verdict::AllVersions),
        first_detected: proved.max(facts.published.clone()),
    })
}

/// A share of 100,000.
fn share(parts: u32) -> f64 {
    f64::from(parts) / 100_000.0
}

impl Vulnerability {
    fn new(cve: CveId, facts: &CveFacts) -> Self {
        let score = facts.score.as_ref();
        Self {
            cve,
            title: facts.title.clone(),
            severity: score.map(crate::advisory::Score::severity),
            score: score.map(crate::advisory::Score::base),
            cvss: score.map(|score| score.version.clone()),
            vector: score.map(|score| score.vector.clone()),
            score_source: score.map(|score| score.source.clone()),
            kev: facts.kev.clone(),
            exploit: facts.exploit.clone(),
            epss: facts.epss.map(|(score, _)| share(score)),
            epss_percentile: facts.epss.map(|(_, percentile)| share(percentile)),
            published: facts.published.clone(),
        }
    }
}

impl Vulnerability {
    /// Severity and score for people; `None` if nobody scored.
    pub fn rating(&self) -> Option<String> {
        Some(format!("{} {}", self.severity?, self.score.as_ref()?))
    }
}

impl Product {
    fn new(judgement: &Judgement) -> Self {
        let (subject, result) = (&judgement.subject, &judgement.result);
        let firmware = match &subject.firmware {
            Firmware::Said(text) => Some(text.clone()),
            Firmware::Unknown | Firmware::Contradictory => None,
        };
        Self {
            vendor: Some(subject.vendor.clone()).filter(|vendor| !vendor.is_empty()),
            model: subject.model.clone(),
            os: subject.os.clone(),
            firmware,
            contradictory_firmware: subject.firmware == Firmware::Contradictory,
            proved: subject.is_proved,
            mapping: result.mapping,
            no_source: result.no_source.clone(),
        }
    }
}

impl AffectedDevice {
    fn new(row: &DeviceRow, judgement: &Judgement, found: Found, finding: Finding) -> Self {
        Self {
            id: row.id.to_string(),
            zone: String::from(&*row.zone),
            ip: row.ip.to_string(),
            name: row.what.name.as_ref().map(ToString::to_string),
            product: Product::new(judgement),
            confidence: confidence(found.verdict),
            finding,
        }
    }
}

impl DeviceVulnerabilities {
    /// Of a device that no plan covers, or before anything was imported.
    fn nothing(as_of: Timestamp, row: &DeviceRow) -> Self {
        let text = |text: &Option<smol_str::SmolStr>| text.as_ref().map(ToString::to_string);
        let what = &*row.what;
        Self {
            schema: SCHEMA,
            as_of,
            product: Product {
                vendor: text(&what.vendor),
                model: text(&what.model),
                os: text(&what.os),
                firmware: text(&what.firmware),
                contradictory_firmware: false,
                proved: false,
                mapping: Mapping::Unidentified,
                no_source: None,
            },
            vulnerabilities: Vec::new(),
            unlisted: 0,
            fixed: 0,
            not_affected: 0,
            undecided: 0,
        }
    }
}

/// The list as CSV.
pub fn csv(list: &VulnerabilityList) -> Vec<u8> {
    let header = [
        "cve",
        "confidence",
        "devices",
        "severity",
        "score",
        "exploited",
        "kev_added",
        "kev_due",
        "epss",
        "published",
        "title",
        "as_of",
    ];
    let row = |entry: &VulnerabilityEntry| {
        let Vulnerability { cve, title, severity, score, kev, epss, published, .. } = &entry.vulnerability;
        vec![
            cve.to_string(),
            entry.confidence.key().to_owned(),
            entry.devices.to_string(),
            severity.map_or_else(String::new, |s| s.to_string()),
            score.clone().unwrap_or_default(),
            kev.is_some().to_string(),
            kev.as_ref().map(|kev| kev.added.clone()).unwrap_or_default(),
            kev.as_ref().and_then(|kev| kev.due.clone()).unwrap_or_default(),
            epss.map_or_else(String::new, |e| format!("{e:.5}")),
            published.clone().unwrap_or_default(),
            title.clone(),
            list.as_of.to_string(),
        ]
    };
    table(&header, list.vulnerabilities.iter().map(row))
}

/// The coverage as CSV.
pub fn coverage_csv(coverage: &Coverage) -> Vec<u8> {
    let header =
        ["vendor", "model", "mapping", "devices", "with_firmware", "undecided", "no_source", "as_of"];
    let row = |row: &CoverageRow| {
        vec![
            row.vendor.clone().unwrap_or_default(),
            row.model.clone().unwrap_or_default(),
            row.mapping.key().to_owned(),
            row.devices.to_string(),
            row.with_firmware.to_string(),
            row.undecided.to_string(),
            row.no_source.clone().unwrap_or_default(),
            coverage.as_of.to_string(),
        ]
    };
    table(&header, coverage.products.iter().map(row))
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(header).chain(rows) {
        // Writing to memory does not fail, and all rows have the same length.
        if out.write_record(row.iter().map(|cell| harmless(cell).into_owned())).is_err() {
            tracing::error!("a row of an export could not be written");
        }
    }
    out.into_inner().unwrap_or_default()
}

/// Objects, one a line.
pub fn lines<T: Serialize>(rows: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        out.extend(serde_json::to_vec(row).unwrap_or_default());
        out.push(b'\n');
    }
    out
}
