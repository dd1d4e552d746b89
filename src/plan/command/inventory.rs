//! `census`: prints the numbers that the console shows.

use std::io::{self, BufWriter, Write};

use clap::Args;

use super::arguments::Target;
use super::failure::Failure;
use crate::census::{Timestamp, Verdict};
use crate::cli::terminal::print_json;
use crate::cli::{self, table};
use crate::plan::app::census::{self, CensusReport, Overview};
use crate::plan::permission::View;
use crate::plan::store::By;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan census
  netcensus-plan census --as-of 2026-11-22T00:00:00Z --json")]
pub(super) struct CensusArguments {
    #[command(flatten)]
    target: Target,
    /// The instant at which to count, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
    /// Print the whole inventory document as JSON instead
    #[arg(long)]
    inventory: bool,
}

/// Prints the numbers.
pub(super) async fn census(arguments: CensusArguments) -> Result<(), Failure> {
    let CensusArguments { target, as_of, inventory } = arguments;
    let (app, may) = target.may::<View>(By::operator()).await?;
    if inventory {
        let mut out = BufWriter::new(io::stdout().lock());
        for part in census::document(&app, &may, as_of).await?.file()? {
            out.write_all(&part)?;
        }
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    let Overview { report, findings, .. } = census::overview(&app, &may, as_of).await?;
    if target.common.json {
        return print_json(&report);
    }
    let mut out = io::stdout().lock();
    write_census(&mut out, &report)?;
    cli::findings::print(&mut out, findings.findings(), findings.total(), "--inventory")?;
    Ok(())
}

/// Writes the census as people read it.
pub(crate) fn write_census(out: &mut dyn Write, report: &CensusReport) -> io::Result<()> {
    let c = &report.census;
    writeln!(out, "census at {} ({})", report.as_of, report.policy)?;
    let mut rows = Vec::new();
    for verdict in Verdict::ALL {
        let number = match verdict {
            Verdict::CountedNetwork => c.network,
            Verdict::CountedIot => c.iot,
            other => match c.excluded.get(other.id()) {
                Some(n) => *n,
                None => continue,
            },
        };
        let unit = if verdict.is_line() { "couplings" } else { "devices" };
        rows.push(vec![
            format!("  {}", verdict.id()),
            number.to_string(),
            unit.into(),
            verdict.title().into(),
        ]);
    }
    table::print(out, &["  RULE", ">NUMBER", "OF", "MEANS"], &rows)?;
    writeln!(
        out,
        "network {} + IoT {} = {} billable, rounded up to {} to commit",
        c.network, c.iot, c.billable, c.commitment
    )?;
    writeln!(out, "{} devices, {} couplings in all", report.devices, c.strict_couplings)?;
    if let Some(committed) = report.committed {
        writeln!(out, "committed {committed}{}", over(report.over))?;
    }
    Ok(())
}

fn over(devices: u64) -> String {
    if devices == 0 { String::new() } else { format!(": {devices} more devices count; nothing is blocked") }
}
