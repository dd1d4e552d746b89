//! `alerts` and `recommendations`: what devices did, and how they are administered.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::cli::table::{self, NONE};
use crate::cli::terminal::print_json;
use crate::plan::app::alerts::{self, AlertFilter, AlertRecord};
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::{AlertState, By};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan alerts list
  netcensus-plan alerts show 0123456789abcdef0123456789abcdef
  netcensus-plan alerts accept 0123456789abcdef0123456789abcdef --note 'our scanner'")]
pub(super) enum AlertsCommand {
    /// List the alerts that are open
    List(ListArguments),
    /// Show an alert and what proved it
    Show(ShowArguments),
    /// Note that somebody looks at an alert
    Activate(DecideArguments),
    /// Close an alert; it is new again if it is seen again
    Close(DecideArguments),
    /// Accept an alert as expected; it stays closed whatever is seen
    Accept(DecideArguments),
    /// Open an alert again
    Reopen(DecideArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// List closed and accepted alerts, too
    #[arg(long)]
    all: bool,
    /// Only alerts of this rule, such as A-SCAN-P
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only alerts of this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    target: Target,
    /// The alert's id
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DecideArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// A note for those who look at the alert later: at most 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The alert's id
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct RecommendationsArguments {
    #[command(flatten)]
    target: Target,
}

/// Lists alerts and decides about them.
pub(super) async fn run(command: AlertsCommand) -> Result<(), Failure> {
    match command {
        AlertsCommand::List(ListArguments { target, all, rule, zone }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let filter = AlertFilter { all, rule, zone, ..AlertFilter::default() };
            let list = alerts::list(&app, &may, &filter).await?;
            if target.common.json {
                return print_json(&list);
            }
            let rows: Vec<Vec<String>> = list.alerts.iter().map(row).collect();
            let header = ["ID", "SEVERITY", "STATE", "RULE", "DEVICE", "ALERT", "OBJECT", "LAST SEEN"];
            table::print(&mut io::stdout().lock(), &header, &rows)?;
            Ok(())
        }
        AlertsCommand::Show(ShowArguments { target, id }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let record = alerts::get(&app, &may, &id).await?;
            if target.common.json {
                return print_json(&record);
            }
            let alert = &record.alert;
            say(&format!("{} {}: {} ({})", alert.rule, alert.title, alert.sentence, alert.severity.title()))?;
            say(&format!("  device {} {} in {}", alert.device.ip, alert.device.mac, alert.device.zone))?;
            for proof in &alert.proofs {
                say(&format!("  {} to {}: {}", proof.first, proof.last, proof.sentence))?;
                if !proof.sample.is_empty() {
                    say(&format!("    {}", proof.sample.join(", ")))?;
                }
            }
            say(&format!("  {}", alert.advice))
        }
        AlertsCommand::Activate(arguments) => decide(arguments, AlertState::Active).await,
        AlertsCommand::Close(arguments) => decide(arguments, AlertState::Closed).await,
        AlertsCommand::Accept(arguments) => decide(arguments, AlertState::Accepted).await,
        AlertsCommand::Reopen(arguments) => decide(arguments, AlertState::New).await,
    }
}

async fn decide(arguments: DecideArguments, state: AlertState) -> Result<(), Failure> {
    let DecideArguments { target, attempt, note, id } = arguments;
    let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
    let record = alerts::decide(&app, &may, &id, state, note.as_deref()).await?;
    if target.common.json {
        return print_json(&record);
    }
    say(&format!("{}{}: {}", attempt.tried(), record.state.key(), record.alert.sentence))
}

fn row(record: &AlertRecord) -> Vec<String> {
    let alert = &record.alert;
    let object = if alert.object.is_empty() { NONE.to_owned() } else { alert.object.clone() };
    vec![
        alert.id.to_string(),
        alert.severity.title().to_owned(),
        record.state.key().to_owned(),
        alert.rule.clone(),
        alert.device.ip.to_string(),
        alert.title.clone(),
        object,
        alert.last.to_string(),
    ]
}

/// Lists recommendations.
pub(super) async fn recommendations(arguments: RecommendationsArguments) -> Result<(), Failure> {
    let RecommendationsArguments { target } = arguments;
    let (app, may) = target.may::<View>(By::operator()).await?;
    let list = alerts::recommendations(&app, &may).await?;
    if target.common.json {
        return print_json(&list);
    }
    let row = |r: &crate::security::Recommendation| {
        vec![
            r.rule.clone(),
            r.severity.title().to_owned(),
            r.name.clone(),
            r.unhealthy.len().to_string(),
            r.healthy.len().to_string(),
            r.not_assessed.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = list.recommendations.iter().map(row).collect();
    let header = ["RULE", "SEVERITY", "RECOMMENDATION", "UNHEALTHY", "HEALTHY", "NOT ASSESSED"];
    table::print(&mut io::stdout().lock(), &header, &rows)?;
    Ok(())
}
