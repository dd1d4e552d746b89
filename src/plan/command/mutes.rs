//! `mutes`: which alerts are listed, but told to nobody.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::census::Timestamp;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::mutes::{self, MuteAnswer, NewMute};
use crate::plan::mute::MuteFilter;
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::By;
use crate::security::Severity;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan mutes add --rule A-SCAN-P --device 10.0.0.5 --because 'our scanner' --until 2027-06-30T00:00:00Z --dry-run
  netcensus-plan mutes end 3")]
pub(super) enum MutesCommand {
    /// List the mute rules, each with what it holds
    List(ListArguments),
    /// Make a mute rule; --dry-run tells what it would have held
    Add(Box<AddArguments>),
    /// End a mute rule now
    End(EndArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AddArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// Alerts of this rule, such as A-SCAN-P
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Alerts of this severity or a lower one: informational, low, medium or high
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Alerts of this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Alerts of this device: its address, MAC or id
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Alerts of devices of this category
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// Alerts of devices of this vendor; '*' stands for any characters
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    /// Alerts of devices of this type; '*' stands for any characters
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Alerts about this object; '*' stands for any characters
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// Alerts with this ATT&CK technique, such as T1046
    #[arg(long, value_name = "TECHNIQUE")]
    technique: Option<String>,
    /// Why: at most 300 characters
    #[arg(long, value_name = "TEXT")]
    because: String,
    /// When the rule ends, RFC 3339: at most a year ahead
    #[arg(long, value_name = "INSTANT")]
    until: Timestamp,
}

#[derive(Clone, Debug, Args)]
pub(super) struct EndArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The number of the rule
    #[arg(value_name = "NUMBER")]
    number: u64,
}

/// Lists, makes and ends mute rules.
pub(super) async fn run(command: MutesCommand) -> Result<(), Failure> {
    match command {
        MutesCommand::List(ListArguments { target }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let list = mutes::list(&app, &may).await?;
            if target.common.json {
                return print_json(&list);
            }
            let row = |answer: &MuteAnswer| {
                let MuteAnswer { mute, in_force, effect } = answer;
                vec![
                    mute.number.to_string(),
                    if *in_force { "in force" } else { "ended" }.to_owned(),
                    mute.filter.sentence(),
                    mute.until.to_string(),
                    effect.now.to_string(),
                    effect.of_30_days.to_string(),
                    mute.reason.clone(),
                ]
            };
            let rows: Vec<Vec<String>> = list.mutes.iter().map(row).collect();
            let header = [">NO", "STATE", "ALERTS WITH", "UNTIL", ">HOLDS", ">OF 30 DAYS", "REASON"];
            table::print(&mut io::stdout().lock(), &header, &rows)?;
            Ok(())
        }
        MutesCommand::Add(arguments) => add(*arguments).await,
        MutesCommand::End(EndArguments { target, attempt, number }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let mute = mutes::end(&app, &may, number).await?;
            if target.common.json {
                return print_json(&mute);
            }
            say(&format!("{}mute rule {number} ended", attempt.tried()))
        }
    }
}

async fn add(arguments: AddArguments) -> Result<(), Failure> {
    let AddArguments { target, attempt, rule, severity, zone, device, category, vendor, .. } =
        arguments.clone();
    let AddArguments { kind, object, technique, because, until, .. } = arguments;
    let unknown = || Failure::usage("severity: write informational, low, medium or high");
    let severity = severity.map(|key| Severity::from_key(&key).ok_or_else(unknown)).transpose()?;
    let filter = MuteFilter { rule, severity, zone, device, category, vendor, kind, object, technique };
    let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
    let answer = mutes::make(&app, &may, NewMute { filter, reason: because, until }).await?;
    if target.common.json {
        return print_json(&answer);
    }
    let MuteAnswer { mute, effect, .. } = answer;
    say(&format!("{}mute rule {}: {}", attempt.tried(), mute.number, mute.filter.sentence()))?;
    say(&format!(
        "  of {} alerts of the last 30 days, {} fit; {} of them are open now",
        effect.alerts_of_30_days, effect.of_30_days, effect.now
    ))
}
