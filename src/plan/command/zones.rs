//! `zones`: lists, renames and merges zones.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target};
use super::changes::print_change;
use super::failure::Failure;
use super::progress::showing;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::inventory::ZoneSummary;
use crate::plan::app::zones::{self, ZoneAnswer, ZoneMerge, ZoneRename};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{By, Expected};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan zones merge HQ --into hq --dry-run
  netcensus-plan zones rename site-0815 --to Zurich

Facts stay stored under the labels of their sensors: 'netcensus-plan changes undo NUMBER' gives each zone its own again.")]
pub(super) enum ZonesCommand {
    /// List the zones, each with its labels and numbers
    List(ListArguments),
    /// Give a zone a name that no other zone has
    Rename(RenameArguments),
    /// Merge a zone into another one: the same coupling in both is one device then
    Merge(MergeArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct RenameArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The zone
    #[arg(value_name = "ZONE")]
    zone: String,
    /// Its new name: 1 to 64 bytes
    #[arg(long, value_name = "NAME")]
    to: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct MergeArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The zone
    #[arg(value_name = "ZONE")]
    zone: String,
    /// The zone of which it becomes a part
    #[arg(long, value_name = "ZONE")]
    into: String,
}

/// Lists, renames and merges.
pub(super) async fn run(command: ZonesCommand) -> Result<(), Failure> {
    match command {
        ZonesCommand::List(ListArguments { target }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let list = zones::list(&app, &may, None).await?;
            if target.common.json {
                return print_json(&list);
            }
            let rows: Vec<Vec<String>> = list.zones.iter().map(row).collect();
            let header = ["ZONE", ">DEVICES", ">BILLABLE", ">COUPLINGS", "NEWEST FRAME", "LABELS"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        ZonesCommand::Rename(RenameArguments { target, attempt, zone, to }) => {
            let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
            let asked = ZoneRename { zone, name: to };
            print(showing(zones::rename(&app, &may, asked, Expected::Any)).await?, target.common.json)
        }
        ZonesCommand::Merge(MergeArguments { target, attempt, zone, into }) => {
            let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
            let asked = ZoneMerge { zone, into };
            print(showing(zones::merge(&app, &may, asked, Expected::Any)).await?, target.common.json)
        }
    }
}

fn print(answer: ZoneAnswer, json: bool) -> Result<(), Failure> {
    if json { print_json(&answer) } else { print_change(answer.answer, false) }
}

fn row(zone: &ZoneSummary) -> Vec<String> {
    let labels: Vec<&str> = zone.labels.iter().map(|label| &*label.label).collect();
    vec![
        zone.name.clone(),
        zone.devices.to_string(),
        zone.billable.to_string(),
        zone.couplings.to_string(),
        zone.last_frame.map_or_else(|| "–".to_owned(), |at| at.to_string()),
        labels.join(", "),
    ]
}
