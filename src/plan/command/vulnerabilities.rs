//! `vulnerabilities`: imports advisories, and lists which devices have which vulnerabilities.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::arguments::{Common, Target, say};
use super::failure::Failure;
use crate::advisory::Severity;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::advisories::AdvisoryError;
use crate::plan::app::vulnerabilities::{self, Confidence, CoverageRow, Vulnerability};
use crate::plan::permission::{ManageTenant, View};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan vulnerabilities import known_exploited_vulnerabilities.json csaf/ nvdcve-2.0-2024.json.gz epss.csv.gz
  netcensus-plan vulnerabilities list
  netcensus-plan vulnerabilities list --confidence possible --json
  netcensus-plan vulnerabilities show CVE-2021-36260
  netcensus-plan vulnerabilities coverage")]
pub(super) enum VulnerabilitiesCommand {
    /// Import advisories from files and folders: CISA KEV, CSAF 2.0, NVD 2.0, CVE 5, EPSS; plain, gzip or zstd
    Import(ImportArguments),
    /// List the vulnerabilities of the devices, known exploited ones first
    List(ListArguments),
    /// Show a CVE, what each source says, and the devices that have it
    Show(ShowArguments),
    /// List the products, and whether advisories can be found about them
    Coverage(CoverageArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    common: Common,
    /// Leave out files that cannot be read, instead of importing nothing
    #[arg(long)]
    keep_going: bool,
    /// Files, or folders of files that end in .json, .csv, .gz or .zst
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Which: those that devices have, those that they possibly have, or those of components that their banners name
    #[arg(long, value_name = "CONFIDENCE", default_value = "confirmed")]
    confidence: ConfidenceArgument,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ConfidenceArgument {
    Confirmed,
    Possible,
    Component,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    target: Target,
    /// The CVE's id
    #[arg(value_name = "CVE")]
    cve: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CoverageArguments {
    #[command(flatten)]
    target: Target,
}

impl From<AdvisoryError> for Failure {
    fn from(error: AdvisoryError) -> Self {
        match error {
            AdvisoryError::NoPlace => Self::configuration(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

/// Imports advisories, or lists what they say.
pub(super) async fn run(command: VulnerabilitiesCommand) -> Result<(), Failure> {
    match command {
        VulnerabilitiesCommand::Import(arguments) => import(arguments).await,
        VulnerabilitiesCommand::List(ListArguments { target, confidence }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let confidence = match confidence {
                ConfidenceArgument::Confirmed => Confidence::Confirmed,
                ConfidenceArgument::Possible => Confidence::Possible,
                ConfidenceArgument::Component => Confidence::Component,
            };
            let list = vulnerabilities::entries(&app, &may, confidence).await?;
            if target.common.json {
                return print_json(&list);
            }
            let Some(set) = &list.set else {
                return say(
                    "No advisories were imported yet; see 'netcensus-plan vulnerabilities import --help'.",
                );
            };
            let rows: Vec<Vec<String>> = list
                .vulnerabilities
                .iter()
                .map(|entry| {
                    let mut row = row(&entry.vulnerability);
                    row.insert(3, entry.devices.to_string());
                    row
                })
                .collect();
            let titles = ["CVE", "SEVERITY", "EXPLOITED", "DEVICES", "WHAT"];
            table::print(&mut io::stdout().lock(), &titles, &rows)?;
            if confidence == Confidence::Component {
                say(if list.components {
                    "Distributions mend old versions without a new number: each of these may be mended."
                } else {
                    "Components are not looked for; set components = true in [vulnerabilities]."
                })?;
            }
            if confidence == Confidence::Confirmed {
                let totals = list.totals;
                say(&format!(
                    "{} vulnerabilities on {} devices; {} known to be exploited, on {} devices",
                    totals.cves, totals.devices, totals.exploited_cves, totals.exploited_devices
                ))?;
            }
            say(&format!("{} CVEs, imported at {}", set.cves, set.imported_at))
        }
        VulnerabilitiesCommand::Show(ShowArguments { target, cve }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let answer = vulnerabilities::show(&app, &may, &cve).await?;
            if target.common.json {
                return print_json(&answer);
            }
            let text = row(&answer.vulnerability).join("  ");
            say(&text)?;
            if answer.rejected {
                say("rejected: it is not a vulnerability")?;
            }
            for remedy in &answer.remedies {
                say(&format!("remedy: {remedy}"))?;
            }
            let rows: Vec<Vec<String>> = answer
                .devices
                .iter()
                .map(|d| {
                    vec![
                        d.id.clone(),
                        d.ip.clone(),
                        d.product.model.clone().unwrap_or_default(),
                        d.product.firmware.clone().unwrap_or_default(),
                        d.finding.verdict.key().to_owned(),
                        format!(
                            "{}: {} ({})",
                            d.finding.compared,
                            d.finding.criterion,
                            d.finding.source.title()
                        ),
                    ]
                })
                .collect();
            table::print(
                &mut io::stdout().lock(),
                &["ID", "ADDRESS", "MODEL", "FIRMWARE", "VERDICT", "WHY"],
                &rows,
            )?;
            Ok(())
        }
        VulnerabilitiesCommand::Coverage(CoverageArguments { target }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let coverage = vulnerabilities::whole_coverage(&app, &may).await?;
            if target.common.json {
                return print_json(&coverage);
            }
            let rows: Vec<Vec<String>> = coverage.products.iter().map(product).collect();
            let titles = ["VENDOR", "MODEL", "COVERED", "DEVICES", "FIRMWARE", "UNDECIDED"];
            table::print(&mut io::stdout().lock(), &titles, &rows)?;
            for source in coverage.set.iter().flat_map(|set| &set.sources) {
                say(&format!(
                    "{}: {} records, {} skipped, SHA-256 {}",
                    source.title(),
                    source.items,
                    source.bad,
                    source.digest
                ))?;
            }
            Ok(())
        }
    }
}

async fn import(arguments: ImportArguments) -> Result<(), Failure> {
    let ImportArguments { common, keep_going, files } = arguments;
    let (app, may) = common.may_here::<ManageTenant>(By::operator()).await?;
    let report = vulnerabilities::import(&app, &may, &files, keep_going).await?;
    if common.json {
        return print_json(&report);
    }
    for imported in &report.sources {
        let source = &imported.source;
        say(&format!("{}: {} records, {} skipped", source.title(), source.items, source.bad))?;
        for bad in &imported.bad_records {
            say(&format!("  skipped: record {} at {}: {}", bad.record, bad.place, bad.why))?;
        }
    }
    for refused in &report.refused {
        say(&format!("left out: {}: {}", refused.file, refused.why))?;
    }
    if report.more_refused > 0 {
        say(&format!("left out: {} more", report.more_refused))?;
    }
    say(&format!("The set has {} CVEs in {} records; digest {}", report.cves, report.records, report.digest))
}

fn row(vulnerability: &Vulnerability) -> Vec<String> {
    let Vulnerability { cve, title, severity, score, kev, exploit, .. } = vulnerability;
    let exploited = match kev {
        Some(kev) => format!("KEV since {}", kev.added),
        None if exploit.is_empty() => String::new(),
        None => "exploit known".to_owned(),
    };
    let severity = severity.map_or("", Severity::key);
    vec![
        cve.to_string(),
        format!("{severity} {}", score.as_deref().unwrap_or_default()).trim().to_owned(),
        exploited,
        title.clone(),
    ]
}

fn product(row: &CoverageRow) -> Vec<String> {
    vec![
        row.vendor.clone().unwrap_or_default(),
        row.model.clone().unwrap_or_default(),
        row.mapping.title().to_owned(),
        row.devices.to_string(),
        row.with_firmware.to_string(),
        row.undecided.to_string(),
    ]
}
