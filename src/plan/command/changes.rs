//! `changes`: lists, shows and undoes changes of devices.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target};
use super::device_table::{HEADER, row};
use super::failure::Failure;
use super::progress::showing;
use crate::change::{ChangeSet, DecisionEntry};
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::changes::{self, ChangeAnswer, ChangesQuery};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
pub(super) enum ChangesCommand {
    /// List the changes, the newest first
    List(ListArguments),
    /// Show the decisions that a change altered, before and after
    Show(ShowArguments),
    /// Undo a change
    Undo(UndoArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Only changes with a lower number
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// The most changes to list, at most 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    target: Target,
    /// The change's number
    #[arg(value_name = "NUMBER")]
    number: u64,
}

#[derive(Clone, Debug, Args)]
pub(super) struct UndoArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The change's number
    #[arg(value_name = "NUMBER")]
    number: u64,
}

/// Lists, shows and undoes changes.
pub(super) async fn run(command: ChangesCommand) -> Result<(), Failure> {
    match command {
        ChangesCommand::List(ListArguments { target, before, limit }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let page = changes::list(&app, &may, ChangesQuery { before, limit: Some(limit) }).await?;
            if target.common.json {
                return print_json(&page);
            }
            let rows: Vec<Vec<String>> = page.changes.iter().map(set_row).collect();
            let header = [">NO", "AT", "BY", "WHAT", ">COUNT", "UNDONE BY", "REASON"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        ChangesCommand::Show(ShowArguments { target, number }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let detail = changes::show_whole(&app, &may, number).await?;
            if target.common.json {
                return print_json(&detail);
            }
            let mut out = io::stdout().lock();
            let set = &detail.set;
            writeln!(out, "change {} by {} at {}: {}", set.number, set.by, set.at, set.summary)?;
            let standing = |d: &Option<DecisionEntry>| d.as_ref().map_or_else(|| "–".to_owned(), in_words);
            let rows: Vec<Vec<String>> = detail
                .altered
                .iter()
                .map(|a| {
                    let o = &a.object;
                    let named = [&o.coupling, &o.with, &o.source, &o.external_id, &o.mac, &o.ip];
                    let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
                    let what = o.property.unwrap_or(o.kind).to_owned();
                    let zone = o.zone.clone().unwrap_or_default();
                    vec![what, zone, named.join(" "), standing(&a.before), standing(&a.after)]
                })
                .collect();
            Ok(table::print(&mut out, &["WHAT", "ZONE", "OF", "BEFORE", "AFTER"], &rows)?)
        }
        ChangesCommand::Undo(UndoArguments { target, attempt, number }) => {
            let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
            print_change(showing(changes::undo(&app, &may, number)).await?, target.common.json)
        }
    }
}

/// Prints the result of a change, or of a dry run.
pub(super) fn print_change(changed: ChangeAnswer, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&changed);
    }
    let mut out = io::stdout().lock();
    let Some(set) = &changed.change else {
        writeln!(out, "nothing to change: the devices already are as you asked")?;
        return Ok(());
    };
    let (tried, count) = (if changed.dry_run { "would be change" } else { "change" }, set.count);
    writeln!(out, "{tried} {}: {}", set.number, set.summary)?;
    writeln!(out, "billable {} → {} ({:+})", count.before, count.after, count.delta)?;
    let rows: Vec<Vec<String>> = changed.devices.iter().map(row).collect();
    if !rows.is_empty() {
        table::print(&mut out, &HEADER, &rows)?;
    }
    if changed.dry_run {
        writeln!(out, "nothing was stored")?;
    } else {
        writeln!(out, "undo it with 'netcensus-plan changes undo {}'", set.number)?;
    }
    Ok(())
}

fn set_row(set: &ChangeSet) -> Vec<String> {
    vec![
        set.number.to_string(),
        set.at.to_string(),
        set.by.clone(),
        set.summary.clone(),
        format!("{:+}", set.count.delta),
        set.undone_by.map(|n| n.to_string()).unwrap_or_default(),
        set.reason.clone().unwrap_or_default(),
    ]
}

fn in_words(decision: &DecisionEntry) -> String {
    let value = match &decision.value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let from = decision.from.map(|at| format!("from {at}")).unwrap_or_default();
    let to = decision.to.map(|at| format!("to {at}")).unwrap_or_default();
    [value, from, to].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}
