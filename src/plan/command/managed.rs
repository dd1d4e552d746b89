//! `managed`: the list of devices that other systems manage.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target};
use super::changes::print_change;
use super::failure::Failure;
use super::progress::showing;
use crate::census::Timestamp;
use crate::change::ListReport;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::estimate::Mapping;
use crate::plan::app::managed::{self, FileImport, Import, ImportAnswer, ImportEntry};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::By;

/// The largest file.
const FILE_BYTES: u64 = 48 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum ManagedCommand {
    /// List the devices that other systems manage
    List(ListArguments),
    /// Import the list of a source; it replaces the earlier list of that source
    Import(ImportArguments),
    /// Delete the list of a source
    Forget(ForgetArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Only entries of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The file is a CMDB as CSV, an export of Meraki or Defender as JSON, or a JSON list of entries (or an object with
the member 'entries'). An entry has 'mac' or 'ip', and may have 'external_id', 'from' and 'to'.

Example:
  netcensus-plan managed import machines.json --source defender --dry-run

A list that breaks off, of which little can be read or nothing is taken, or that loses more than a fifth of the entries of its
source, replaces nothing. Look at it with --dry-run; if it is right, import it with --force."
)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A name for the system that the list comes from
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The zone to which the entries apply [default: all zones]
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// The start for entries without 'from', RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    from: Option<Timestamp>,
    /// The end for entries without 'to', RFC 3339 [default: 30 days for entries without a MAC, else none]
    #[arg(long, value_name = "RFC3339")]
    to: Option<Timestamp>,
    /// The kind of the file: cmdb, meraki or defender [default: recognized by the content]
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Import every row, not only rows that the list marks as managed
    #[arg(long)]
    all: bool,
    /// Replace the list of the source even if the file breaks off, is mostly unreadable or loses more than a fifth of it
    #[arg(long)]
    force: bool,
    /// The column of a table that contains a field, such as mac=COLUMN; may be repeated
    #[arg(long = "map", value_name = "WHAT=COLUMN")]
    mapping: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ForgetArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The source's name
    #[arg(value_name = "SOURCE")]
    source: String,
}

/// Lists, imports and forgets.
pub(super) async fn run(command: ManagedCommand) -> Result<(), Failure> {
    match command {
        ManagedCommand::List(arguments) => list(arguments).await,
        ManagedCommand::Import(arguments) => import(arguments).await,
        ManagedCommand::Forget(ForgetArguments { target, attempt, source }) => {
            let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
            print_change(showing(managed::forget(&app, &may, source)).await?, target.common.json)
        }
    }
}

async fn list(arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { target, source } = arguments;
    let (app, may) = target.may::<View>(By::operator()).await?;
    let page = managed::list_whole(&app, &may, source).await?;
    if target.common.json {
        return print_json(&page);
    }
    let rows: Vec<Vec<String>> = page
        .entries
        .into_iter()
        .map(|e| {
            let mac = e.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let ip = e.ip.map(|ip| ip.to_string()).unwrap_or_default();
            let to = e.to.map_or_else(|| "open".to_owned(), |to| to.to_string());
            let holds = if e.in_force { "yes" } else { "no" };
            vec![
                e.source,
                e.external_id,
                e.zone.unwrap_or_default(),
                mac,
                ip,
                e.from.to_string(),
                to,
                holds.into(),
            ]
        })
        .collect();
    let header = ["SOURCE", "ID", "ZONE", "MAC", "IP", "FROM", "TO", "HOLDS"];
    Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
}

async fn import(arguments: ImportArguments) -> Result<(), Failure> {
    let ImportArguments { target, attempt, file, source, zone, from, to, kind, all, force, mapping } =
        arguments;
    let by = attempt.by()?;
    let name = file.display();
    let cannot = |e: io::Error| Failure::failed(format!("cannot read {name}: {e}"));
    let mut bytes = Vec::new();
    let read = match file.as_os_str().to_str() {
        Some("-") => io::stdin().lock().take(FILE_BYTES + 1).read_to_end(&mut bytes),
        _ => File::open(&file).map_err(cannot)?.take(FILE_BYTES + 1).read_to_end(&mut bytes),
    };
    if read.map_err(cannot)? as u64 > FILE_BYTES {
        let most = FILE_BYTES >> 20;
        return Err(Failure::failed(format!(
            "{name} is larger than {most} MiB; a source has at most 200000 entries"
        )));
    }
    let own = if kind.is_none() { entries(&bytes).ok() } else { None };
    let changed = match own {
        Some(entries) => {
            let (app, may) = target.may::<EditDevices>(by).await?;
            let list = Import { source, zone, from, to, force, entries };
            showing(managed::import(&app, &may, list)).await?
        }
        None => {
            let mapping = Mapping::parse(mapping.iter().map(String::as_str));
            let mapping = mapping.map_err(|e| Failure::usage(e.to_string()))?;
            let (from, to) = (from.map(|t| t.to_string()), to.map(|t| t.to_string()));
            let list = FileImport {
                source,
                zone,
                from,
                to,
                kind,
                all: Some(all),
                force: Some(force),
                dry_run: None,
            };
            let list = list.read(&name.to_string(), &bytes, mapping)?;
            print_rows(&list.report)?;
            let (app, may) = target.may::<EditDevices>(by).await?;
            showing(managed::import_list(&app, &may, list)).await?.answer
        }
    };
    print_import(changed, target.common.json)
}

/// Prints what an import did; what speaks against it on standard error.
fn print_import(changed: ImportAnswer, json: bool) -> Result<(), Failure> {
    let ImportAnswer { entries, doubts, answer } = &changed;
    let mut err = io::stderr().lock();
    for doubt in doubts {
        let without = if answer.dry_run { "; without --force, it replaces nothing" } else { "" };
        writeln!(err, "warning: {doubt}{without}")?;
    }
    if json {
        return print_json(&changed);
    }
    writeln!(io::stdout(), "entries {} → {}, {} of them lost", entries.before, entries.after, entries.lost)?;
    print_change(changed.answer, false)
}

/// Prints the outcome of a list's rows on standard error, because the change goes to standard output.
fn print_rows(report: &ListReport) -> io::Result<()> {
    let mut out = io::stderr().lock();
    let ListReport { rows, taken, not_managed, without_address, unreadable, .. } = report;
    writeln!(
        out,
        "{rows} rows: {taken} taken, {not_managed} not managed, {without_address} without an address, {unreadable} unreadable"
    )?;
    for row in &report.unreadable_rows {
        writeln!(
            out,
            "  row {}: {}",
            row.row,
            row.why.chars().filter(|c| !c.is_control()).collect::<String>()
        )?;
    }
    Ok(())
}

/// The entries of a file: a list, or an object with one.
fn entries(bytes: &[u8]) -> Result<Vec<ImportEntry>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        entries: Vec<ImportEntry>,
    }
    let is_list = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        return serde_json::from_slice(bytes);
    }
    serde_json::from_slice::<Wrapped>(bytes).map(|w| w.entries)
}
