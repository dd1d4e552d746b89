//! `feeds`: what the sensors take for malicious.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::cli::table::{self, NONE};
use crate::cli::terminal::{print_json, safe};
use crate::plan::app::feeds::{self, FeedAnswer, FeedList};
use crate::plan::feed::{Feed, FeedName};
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan feeds import drop drop.txt --dry-run      what would be added, removed and left out?
  netcensus-plan feeds import misp misp.json               it replaces the feed 'misp' as a whole
  netcensus-plan feeds test c2.evil.example")]
pub(super) enum FeedsCommand {
    /// List the feeds of indicators, and how many sensors have their set
    List(ListArguments),
    /// Import a feed; it replaces the one of that name
    Import(ImportArguments),
    /// Delete a feed; alerts whose indicators no other feed holds are withdrawn
    Delete(DeleteArguments),
    /// Tell which feeds hold an address, a network or a name
    Test(TestArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The name of the feed: 1 to 60 letters, digits, '-', '_' or '.'
    #[arg(value_name = "NAME")]
    name: FeedName,
    /// A list, a hosts file, Spamhaus DROP, MISP CSV or JSON, or STIX 2.1; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The name of the feed
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct TestArguments {
    #[command(flatten)]
    target: Target,
    /// An address, a network or a name
    #[arg(value_name = "VALUE")]
    value: String,
}

/// Lists, imports, deletes and tests feeds.
pub(super) async fn run(command: FeedsCommand) -> Result<(), Failure> {
    match command {
        FeedsCommand::List(ListArguments { target }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let list = feeds::list(&app, &may).await?;
            if target.common.json { print_json(&list) } else { print(&list) }
        }
        FeedsCommand::Import(ImportArguments { target, attempt, name, file }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let answer = feeds::import(&app, &may, name, open(&file)?).await?;
            if target.common.json {
                return print_json(&answer);
            }
            tell(&answer, attempt.tried())
        }
        FeedsCommand::Delete(DeleteArguments { target, attempt, name }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let answer = feeds::delete(&app, &may, &name).await?;
            if target.common.json {
                return print_json(&answer);
            }
            let (tried, removed) = (attempt.tried(), answer.removed);
            say(&format!("{tried}feed {} deleted, with {removed} indicators", safe(&name)))?;
            say(&format!("  the set of all feeds: {} indicators", answer.set.indicators))
        }
        FeedsCommand::Test(TestArguments { target, value }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let answer = feeds::test(&app, &may, &value).await?;
            if target.common.json {
                return print_json(&answer);
            }
            if answer.hits.is_empty() {
                return say(&format!("no feed holds {}", safe(&answer.value)));
            }
            for hit in &answer.hits {
                say(&format!("{} is in {}", safe(&hit.indicator), safe(&hit.feeds.join(", "))))?;
            }
            Ok(())
        }
    }
}

fn open(file: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
    Ok(Box::new(opened))
}

fn left_out(feed: &Feed) -> String {
    let guarded = (feed.guarded > 0).then(|| format!("guarded {}", feed.guarded));
    let others = feed.not_understood.iter().map(|(kind, n)| format!("{kind} {n}"));
    guarded.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn print(list: &FeedList) -> Result<(), Failure> {
    let row = |feed: &Feed| {
        vec![
            feed.name.to_string(),
            feed.form.clone(),
            feed.indicators.to_string(),
            feed.overlapping.to_string(),
            Some(left_out(feed)).filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned()),
            feed.imported_at.to_string(),
            feed.by.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = list.feeds.iter().map(row).collect();
    let header = ["NAME", "FORM", ">INDICATORS", ">IN OTHERS", "LEFT OUT", "IMPORTED", "BY"];
    table::print(&mut io::stdout().lock(), &header, &rows)?;
    if let Some(set) = &list.set {
        say(&format!("set {}: {} indicators, {} bytes", set.digest, set.indicators, set.bytes))?;
        let sensors = &list.sensors;
        say(&format!(
            "{} of {} sensors have it in force",
            sensors.current,
            sensors.current + sensors.others
        ))?;
        for problem in &sensors.problems {
            say(&format!("  {}: {}", safe(&problem.sensor), safe(&problem.problem)))?;
        }
    }
    Ok(())
}

fn tell(answer: &FeedAnswer, tried: &str) -> Result<(), Failure> {
    let FeedAnswer { feed: Some(feed), added, removed, set, .. } = answer else { return Ok(()) };
    say(&format!(
        "{tried}feed {} ({}): {} indicators, {added} added, {removed} removed, {} in other feeds, too",
        feed.name, feed.form, feed.indicators, feed.overlapping
    ))?;
    let leavings = left_out(feed);
    if !leavings.is_empty() {
        say(&format!("  left out: {}", safe(&leavings)))?;
    }
    if !feed.guarded_some.is_empty() {
        say(&format!("  guarded: {}", safe(&feed.guarded_some.join(", "))))?;
    }
    say(&format!("  the set of all feeds: {} indicators, {} bytes", set.indicators, set.bytes))
}
