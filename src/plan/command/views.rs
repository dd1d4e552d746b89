//! `views`: lists of devices with a name, shared by those who see the subscription.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Target, say};
use super::failure::Failure;
use super::selection::Selection;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::views::{self, CountedView, NewView};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan views save 'silent cameras' --query 'type:camera seen>7d' --sort -last_seen
  netcensus-plan views list
  netcensus-plan devices --view 'silent cameras'
  netcensus-plan devices export --view 'silent cameras' --output silent.csv

Everybody who sees the subscription has these views. People save views of their own in the console.")]
pub(super) enum ViewsCommand {
    /// List the saved views, each with its number of devices
    List(ListArguments),
    /// Save a view; one of that name is replaced
    Save(Box<SaveArguments>),
    /// Delete a view
    Delete(DeleteArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct SaveArguments {
    #[command(flatten)]
    target: Target,
    /// Its name, at most 60 characters
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    target: Target,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Lists, saves or deletes views.
pub(super) async fn run(command: ViewsCommand) -> Result<(), Failure> {
    match command {
        ViewsCommand::List(ListArguments { target }) => list(&target).await,
        ViewsCommand::Save(arguments) => {
            let SaveArguments { target, name, selection } = *arguments;
            let (app, may) = target.may::<EditDevices>(By::operator()).await?;
            let filter = selection.filter(&app, &may.view()).await?;
            let filter = serde_urlencoded::to_string(filter).map_err(|e| Failure::failed(e.to_string()))?;
            let saved = views::save_shared(&app, &may, name, NewView { filter, look: String::new() }).await?;
            if target.common.json {
                print_json(&saved)
            } else {
                say(&format!("saved the view '{}'", saved.name))
            }
        }
        ViewsCommand::Delete(DeleteArguments { target, name }) => {
            let (app, may) = target.may::<EditDevices>(By::operator()).await?;
            views::delete_shared(&app, &may, &name).await?;
            say(&format!("deleted the view '{name}'"))
        }
    }
}

async fn list(target: &Target) -> Result<(), Failure> {
    let (app, may) = target.may::<View>(By::operator()).await?;
    let list = views::list(&app, &may).await?;
    if target.common.json {
        return print_json(&list);
    }
    let row = |counted: &CountedView| {
        let devices = counted.devices.map_or_else(|| "unreadable".to_owned(), |n| n.to_string());
        vec![counted.view.name.clone(), devices, counted.view.filter.clone(), counted.view.by.clone()]
    };
    let rows: Vec<Vec<String>> = list.views.iter().map(row).collect();
    Ok(table::print(&mut io::stdout().lock(), &["VIEW", "DEVICES", "FILTER", "SAVED BY"], &rows)?)
}
