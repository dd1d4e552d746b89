//! `snapshot` and `verify`. `verify` needs neither a configuration nor a database.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::pin::pin;

use clap::{Args, Subcommand};
use futures_core::Stream as _;
use serde_json::json;

use super::arguments::{Common, Target};
use super::failure::Failure;
use crate::billing::statement::Month;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::snapshots::{self, SnapshotEntry};
use crate::plan::store::By;
use crate::proof::verify::{BundleReport, DeviceReport, TrustedSigner, Verified};
use crate::proof::{Day, Header, Span, TrailHeads, verify as verification};

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// List the snapshots, the last sealed first
    List {
        #[command(flatten)]
        target: Target,
        /// The most snapshots to list
        #[arg(long, value_name = "N", default_value_t = 31)]
        limit: i64,
    },
    /// Show the snapshot of a day
    Show {
        #[command(flatten)]
        target: Target,
        /// A UTC day, such as 2026-11-21
        day: Day,
        /// Its revision [default: the newest]
        #[arg(long, value_name = "N")]
        revision: Option<i64>,
    },
    /// Seal a day that has ended, or create a new revision if its count has changed
    Seal {
        #[command(flatten)]
        target: Target,
        /// A UTC day, such as 2026-11-21
        day: Day,
        /// The reason, for the snapshot's header and the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print the count, but seal nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Export a month as a bundle that 'netcensus-plan verify' checks
    #[command(after_help = "Example:
  netcensus-plan snapshot export 2026-11 --output november.ndjson && netcensus-plan verify november.ndjson")]
    Export {
        #[command(flatten)]
        target: Target,
        /// A UTC month, such as 2026-11
        month: Month,
        /// The file to create; it must not exist [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the proof that a device is in a snapshot; 'netcensus-plan verify' checks it
    Proof {
        #[command(flatten)]
        target: Target,
        /// A UTC day, such as 2026-11-21
        day: Day,
        /// The device's id
        device: String,
        /// The revision [default: the newest]
        #[arg(long, value_name = "N")]
        revision: Option<i64>,
    },
    /// Print the public key that verifies snapshots, and its fingerprint
    Key {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan verify november.ndjson
  netcensus-plan verify november.ndjson --key SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE

Needs no configuration, database or network. Exit status: 0 if the file is valid, 1 if it is not.")]
pub(super) struct VerifyArguments {
    /// The file; - for standard input
    file: PathBuf,
    /// The expected public key: its 64 hex digits or its fingerprint; see 'netcensus-plan snapshot key'
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Seals, shows and exports.
pub(super) async fn snapshot(command: SnapshotCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        SnapshotCommand::List { target, limit } => {
            let (app, may) = target.may(by).await?;
            let page = snapshots::page(&app, &may, None, Some(limit)).await?;
            if target.common.json {
                return print_json(&page);
            }
            let rows: Vec<_> = page.snapshots.iter().map(row).collect();
            let titles =
                ["DAY", ">REVISION", ">NETWORK", ">IOT", ">BILLABLE", ">COMMITTED", "SEALED", "HASH"];
            Ok(table::print(&mut io::stdout().lock(), &titles, &rows)?)
        }
        SnapshotCommand::Show { target, day, revision } => {
            let (app, may) = target.may(by).await?;
            show(&snapshots::show(&app, &may, day, revision).await?, target.common.json)
        }
        SnapshotCommand::Seal { target, day, reason, dry_run } => {
            let (app, may) = target.may(By { reason, dry_run, ..by }).await?;
            let done = snapshots::seal(&app, &may, day).await?;
            if target.common.json {
                return print_json(&json!({"sealed": done.sealed && !dry_run, "snapshot": done.snapshot}));
            }
            let what = match (done.sealed, dry_run) {
                (true, false) => "sealed",
                (true, true) => "would be sealed",
                (false, _) => "unchanged, nothing was sealed",
            };
            let mut out = io::stdout().lock();
            writeln!(out, "{day}, revision {}: {what}", done.snapshot.header.revision)?;
            Ok(write_header(&mut out, &done.snapshot.header)?)
        }
        SnapshotCommand::Export { target, month, output } => {
            let (app, may) = target.may(by).await?;
            let bundle = snapshots::bundle(&app, &may, Span::from(month)).await?;
            let mut out: Box<dyn io::Write + Send> = match &output {
                Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(|e| {
                    Failure::failed(format!("cannot create {}: {e}; name another --output", path.display()))
                })?)),
                None => Box::new(io::stdout()),
            };
            let mut pieces = pin!(bundle.stream());
            while let Some(piece) = std::future::poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
                out.write_all(&piece?)?;
            }
            Ok(out.flush()?)
        }
        SnapshotCommand::Proof { target, day, device, revision } => {
            let (app, may) = target.may(by).await?;
            print_json(&snapshots::proof(&app, &may, day, revision, &device).await?.inclusion)
        }
        SnapshotCommand::Key { common } => {
            let (app, may) = common.may_here(by).await?;
            let key = snapshots::signing_key(&app, &may).await?;
            if common.json {
                return print_json(&json!({"key": key, "fingerprint": key.fingerprint()}));
            }
            Ok(writeln!(io::stdout().lock(), "{key}\n{}", key.fingerprint())?)
        }
    }
}

/// Checks a file.
pub(super) fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let trust = TrustedSigner { key: arguments.key.clone() };
    let name = arguments.file.display();
    let outcome = if arguments.file.as_os_str() == "-" {
        verification::verify(io::stdin().lock(), &trust)
    } else {
        let file = File::open(&arguments.file)
            .map_err(|e| Failure::failed(format!("cannot read {name}: {e}; name a bundle or a proof")))?;
        verification::verify(BufReader::new(file), &trust)
    };
    let verified = outcome.map_err(|e| Failure::failed(format!("{name}: {e}")))?;
    if arguments.json {
        return print_json(&verified);
    }
    let mut out = io::stdout().lock();
    match &verified {
        Verified::Bundle(report) => write_report(&mut out, report)?,
        Verified::Device(report) => write_device(&mut out, report)?,
    }
    Ok(())
}

fn write_report(out: &mut dyn io::Write, report: &BundleReport) -> io::Result<()> {
    let rows: Vec<_> = report.snapshots.iter().map(counts).collect();
    let titles =
        ["DAY", ">REVISION", ">NETWORK", ">IOT", ">BILLABLE", ">ROUNDED UP", ">COMMITTED", ">DEVICES"];
    table::print(out, &titles, &rows)?;
    writeln!(
        out,
        "{} days of subscription {} recounted from {} leaves; the chain of {} headers holds",
        report.snapshots.len(),
        report.subscription,
        report.leaves,
        report.headers
    )?;
    for statement in &report.statements {
        let amounts: Vec<_> =
            statement.amounts.iter().map(|a| format!(", {} {}", a.amount, a.currency)).collect();
        writeln!(
            out,
            "statement of {}: {} device-months{}; its arithmetic holds",
            statement.month,
            statement.device_months,
            amounts.concat()
        )?;
    }
    if let Some(TrailHeads { subscription, .. }) = report.trails.as_deref() {
        writeln!(
            out,
            "the audit trail had {} rows; compare with 'netcensus-plan audit verify --subscription {} --seen {}:{}'",
            subscription.rows, report.subscription, subscription.rows, subscription.hash
        )?;
    }
    write_signer(out, &report.signed_by, report.key_was_named)
}

fn write_device(out: &mut dyn io::Write, report: &DeviceReport) -> io::Result<()> {
    let DeviceReport { device, header, .. } = report;
    writeln!(
        out,
        "device {} ({} {} in {}) is in the snapshot of {}, revision {}: {}",
        device.id,
        device.mac,
        device.ip,
        device.zone,
        header.day,
        header.revision,
        device.verdict.title()
    )?;
    write_header(out, header)?;
    write_signer(out, &report.signed_by, report.key_was_named)
}

fn write_signer(out: &mut dyn io::Write, signed_by: &str, named: bool) -> io::Result<()> {
    let trust = if named {
        "as required by --key"
    } else {
        "compare it with 'netcensus-plan snapshot key', or give --key"
    };
    writeln!(out, "signed by {signed_by}: {trust}")
}

fn write_header(out: &mut dyn io::Write, header: &Header) -> io::Result<()> {
    let c = &header.census;
    writeln!(
        out,
        "{} network + {} IoT = {} billable, rounded up to {}; {} devices in all",
        c.network, c.iot, c.billable, c.commitment, header.size
    )?;
    for (verdict, number) in &c.excluded {
        writeln!(out, "  {verdict:<9} {number}")?;
    }
    if let Some(reason) = &header.reason {
        let plain: String = reason.chars().filter(|c| !c.is_control()).collect();
        writeln!(out, "because: {plain}")?;
    }
    Ok(())
}

fn show(entry: &SnapshotEntry, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(entry);
    }
    let mut out = io::stdout().lock();
    let header = &entry.header;
    writeln!(out, "{}, revision {}, number {} in the chain", header.day, header.revision, header.number)?;
    write_header(&mut out, header)?;
    for (name, value) in [
        ("as of", header.as_of.to_string()),
        ("known until", header.known_until.to_string()),
        ("sealed at", entry.sealed_at.to_string()),
        ("root", header.root.to_string()),
        ("previous", header.previous.map_or_else(|| "none, it is the first".into(), |hash| hash.to_string())),
        ("hash", entry.hash.to_string()),
        ("signed by", entry.key.fingerprint()),
    ] {
        writeln!(out, "{name:<12} {value}")?;
    }
    Ok(())
}

fn row(entry: &SnapshotEntry) -> Vec<String> {
    let h = &entry.header;
    vec![
        h.day.to_string(),
        h.revision.to_string(),
        h.census.network.to_string(),
        h.census.iot.to_string(),
        h.census.billable.to_string(),
        committed(h),
        entry.sealed_at.to_string(),
        entry.hash.to_string().chars().take(16).collect(),
    ]
}

fn counts(h: &Header) -> Vec<String> {
    let c = &h.census;
    let numbers = [h.revision, c.network, c.iot, c.billable, c.commitment].map(|n| n.to_string());
    [h.day.to_string()].into_iter().chain(numbers).chain([committed(h), h.size.to_string()]).collect()
}

fn committed(h: &Header) -> String {
    h.plan.as_ref().map_or_else(
        || "no plan".into(),
        |p| p.committed.map_or_else(|| p.kind.to_string(), |n| n.to_string()),
    )
}
