//! `estimate` and `forecast`: how many devices to commit to, and when the count passes the committed number.
//!
//! `estimate` reads lists without a service, a database or a configuration, because people estimate before they install.

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::Target;
use super::estimate_report::write_estimate;
use super::failure::Failure;
use crate::billing::forecast::{Forecast, read_series};
use crate::census::{Policy, Timestamp};
use crate::cli::terminal::print_json;
use crate::clock::{Clock as _, SystemClock};
use crate::estimate::{self, Estimate, FILE_BYTES, FILES, FileError, FileKind, Mapping, ReadOptions, Sorter};
use crate::plan::app::estimates::{self, Asked};
use crate::plan::app::{self, App, May};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{By, Expected};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan estimate cmdb.csv meraki-clients.json machines.json
  netcensus-plan estimate assets.csv --map mac=Kennung --map type='Art des Geräts' --report
  netcensus-plan estimate                        from the inventory of the service

Lists are read as products export them, as CSV or JSON: a CMDB, asset and endpoint management, network
controllers, DHCP leases, the Defender portal, and our own exports. A device that is in several lists counts once.
Machines that Defender manages do not count. The report says which columns, dates and states were taken, and what
was not understood. No list leaves this machine.")]
pub(super) struct EstimateArguments {
    #[command(flatten)]
    target: Target,
    /// The lists; - for standard input [default: none, only the inventory]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kind of the lists: cmdb, meraki or defender [default: recognized by their content]
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<FileKind>,
    /// The column of a table that contains a field, such as mac=COLUMN; may be repeated
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// Remember the columns of --map for tables with the same header
    #[arg(long, requires = "map")]
    remember: bool,
    /// Leave out the inventory, even if there is a database
    #[arg(long, requires = "files")]
    files_only: bool,
    /// Print the outcome of each row
    #[arg(long)]
    report: bool,
    /// The instant at which to count, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan forecast
  netcensus-plan forecast --series counts.csv --committed 1700

A series has lines such as 2026-11-22,1679. A forecast needs the counts of at least 7 days and uses the newest 42.")]
pub(super) struct ForecastArguments {
    #[command(flatten)]
    target: Target,
    /// A file with your own daily counts, instead of the service's counts
    #[arg(long, value_name = "FILE")]
    series: Option<PathBuf>,
    /// The committed number [default: that of the plan in effect]
    #[arg(long, value_name = "NUMBER")]
    committed: Option<u64>,
    /// The instant at which the forecast starts, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339", requires = "series")]
    as_of: Option<Timestamp>,
}

/// Reads the kind of a list.
pub(super) fn kind(text: &str) -> Result<FileKind, String> {
    FileKind::from_key(text).ok_or_else(|| "write cmdb, meraki or defender".to_owned())
}

/// Prints an estimate.
pub(super) async fn estimate(arguments: EstimateArguments) -> Result<(), Failure> {
    let EstimateArguments { target, files, kind, map, remember, files_only, report, as_of } = arguments;
    let mapping =
        Mapping::parse(map.iter().map(String::as_str)).map_err(|e| Failure::usage(e.to_string()))?;
    if files.len() > FILES {
        return Err(FileError::TooManyFiles.into());
    }
    let files = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let config = target.common.config()?;
    let is_asked = files.is_empty() || target.subscription.is_some() || remember;
    let with_service = !files_only && (is_asked || !config.database.is_missing());
    let found = if with_service {
        let (app, may) = target.may::<EditDevices>(By::operator()).await?;
        if remember {
            remember_columns(&app, &may, &files, &mapping).await?;
        }
        estimates::make(&app, &may.view(), Asked { files, kind, mapping, as_of, files_only }).await?
    } else {
        let classifier = app::classifier(config.rules())?;
        {
            let as_of = as_of.unwrap_or_else(|| SystemClock.now());
            let options = ReadOptions { kind, mapping, as_of: Some(as_of) };
            alone(&files, &options, &*classifier, &config.policy(), as_of)?
        }
    };
    if target.common.json {
        return print_json(&found);
    }
    let mut out = io::stdout().lock();
    write_estimate(&mut out, &found, report)?;
    Ok(())
}

/// The estimate of lists alone.
fn alone(
    files: &[(String, Vec<u8>)],
    options: &ReadOptions,
    classifier: &(dyn crate::census::Classifier + Send + Sync),
    policy: &Policy,
    as_of: Timestamp,
) -> Result<Estimate, Failure> {
    let readings = files
        .iter()
        .map(|(name, bytes)| estimate::read(name, bytes, options))
        .collect::<Result<Vec<_>, _>>()?;
    let sorter = Sorter::new(classifier)?;
    Ok(Estimate::new(&readings, None, &sorter, policy, as_of)?)
}

/// Reads a file up to its bound; `-` is standard input.
fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let cannot = |e: io::Error| Failure::failed(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    // One byte over the limit shows that the file is too large.
    let most = FILE_BYTES as u64 + 1;
    if path.as_os_str() == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(cannot)?;
        return Ok(("stdin".to_owned(), bytes));
    }
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    Ok((path.display().to_string(), bytes))
}

async fn remember_columns(
    app: &App,
    may: &May<EditDevices>,
    files: &[(String, Vec<u8>)],
    mapping: &Mapping,
) -> Result<(), Failure> {
    for signature in files.iter().filter_map(|(_, bytes)| estimate::signature(bytes)) {
        estimates::remember(app, may, &signature, mapping, &Expected::Any).await?;
    }
    Ok(())
}

/// Prints a forecast.
pub(super) async fn forecast(arguments: ForecastArguments) -> Result<(), Failure> {
    let ForecastArguments { target, series, committed, as_of } = arguments;
    let found = match series {
        Some(path) => {
            let (name, bytes) = read(&path)?;
            let text = String::from_utf8_lossy(&bytes);
            let samples = read_series(&text).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
            let as_of = as_of.unwrap_or_else(|| SystemClock.now());
            Forecast::new(&samples, committed, as_of)
        }
        None => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            estimates::forecast(&app, &may, committed).await?
        }
    };
    if target.common.json {
        return print_json(&found);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", found.says)?;
    if let Some(recommended) = found.recommended {
        writeln!(out, "To cover a month, commit {recommended}.")?;
    }
    Ok(())
}
