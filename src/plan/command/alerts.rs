//! `alerts` and `recommendations`: what devices did, and how they are administered.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::census::Timestamp;
use crate::cli::table::{self, NONE};
use crate::cli::terminal::print_json;
use crate::plan::alert_ledger::LedgerEntry;
use crate::plan::alert_life::{AlertState, CloseReason, DecisionScope};
use crate::plan::app::alert_changes::{
    self, AlertChangeAnswer, AlertChangesQuery, AlertVerdict, AlteredAlert, ManyAlertsVerdict,
};
use crate::plan::app::alerts::{self, AlertFilter, AlertRecord};
use crate::plan::app::{alert_record, alert_sheet};
use crate::plan::permission::{Export, UpdateFindings, View};
use crate::plan::store::{AlertChange, By, Expected};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan alerts list
  netcensus-plan alerts show 0123456789abcdef0123456789abcdef
  netcensus-plan alerts close --as false-positive 0123456789abcdef0123456789abcdef
  netcensus-plan alerts accept --note 'our scanner' 0123456789abcdef0123456789abcdef
  netcensus-plan alerts assign --to jo 0123456789abcdef0123456789abcdef
  netcensus-plan alerts undo 3")]
pub(super) enum AlertsCommand {
    /// List the alerts that are open
    List(ListArguments),
    /// Print alerts as CSV
    Export(ListArguments),
    /// Show an alert and what proved it
    Show(ShowArguments),
    /// Show what happened to an alert
    History(ShowArguments),
    /// Note that somebody looks at alerts
    Activate(DecideArguments),
    /// Close alerts; they are reopened if they are seen again
    Close(CloseArguments),
    /// Accept alerts as expected; they stay closed whatever is seen
    Accept(AcceptArguments),
    /// Open alerts again
    Reopen(DecideArguments),
    /// Name who works on alerts; their states stay
    Assign(AssignArguments),
    /// List what people changed
    Changes(ChangesArguments),
    /// Undo a change
    Undo(UndoArguments),
    /// List alerts that were shown once and were taken back, with the reason
    Withdrawn(ChangesArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Alerts of every state
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// Only alerts of this state: new, active, reopened, muted, resolved, closed or accepted
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only alerts of this rule, such as A-SCAN-P
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only alerts of this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
}

impl ListArguments {
    fn filter(&self) -> Result<AlertFilter, Failure> {
        let known = |key: &String| {
            let unknown = || {
                let keys: Vec<&str> = AlertState::ALL.iter().map(|state| state.key()).collect();
                Failure::usage(format!("unknown state '{key}'; write {}", keys.join(", ")))
            };
            AlertState::from_key(key).ok_or_else(unknown)
        };
        let state = self.state.as_ref().map(known).transpose()?;
        let Self { all, rule, zone, .. } = self.clone();
        Ok(AlertFilter { state, all, rule, zone, ..AlertFilter::default() })
    }
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
    /// A note for those who look at the alerts later: at most 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The alerts' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CloseArguments {
    #[command(flatten)]
    decide: DecideArguments,
    /// Why: true-positive, expected-activity or false-positive
    #[arg(long = "as", value_name = "REASON")]
    why: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AcceptArguments {
    #[command(flatten)]
    decide: DecideArguments,
    /// Until when, RFC 3339 [default: for ever]
    #[arg(long, value_name = "INSTANT")]
    until: Option<Timestamp>,
    /// Accept the objects of the alerts for their rules and zones: whatever device does so, also later
    #[arg(long)]
    object: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AssignArguments {
    #[command(flatten)]
    decide: DecideArguments,
    /// Who: somebody with a role on the subscription [default: nobody]
    #[arg(long, value_name = "PERSON")]
    to: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ChangesArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct UndoArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The number of the change
    #[arg(value_name = "NUMBER")]
    number: u64,
}

#[derive(Clone, Debug, Args)]
pub(super) struct RecommendationsArguments {
    #[command(flatten)]
    target: Target,
}

/// Lists alerts and decides about them.
pub(super) async fn run(command: AlertsCommand) -> Result<(), Failure> {
    let verdict = |state| AlertVerdict { state: Some(state), ..AlertVerdict::default() };
    match command {
        AlertsCommand::List(arguments) => list(arguments).await,
        AlertsCommand::Export(arguments) => {
            let (app, may) = arguments.target.may::<Export>(By::operator()).await?;
            let csv = alert_sheet::csv(&app, &may, &arguments.filter()?).await?;
            Ok(io::stdout().lock().write_all(&csv)?)
        }
        AlertsCommand::Show(arguments) => show(arguments).await,
        AlertsCommand::History(arguments) => history(arguments).await,
        AlertsCommand::Activate(arguments) => decide(arguments, verdict(AlertState::Active)).await,
        AlertsCommand::Close(CloseArguments { decide: arguments, why }) => {
            let known = |why: String| {
                let unknown = "write --as true-positive, --as expected-activity or --as false-positive";
                CloseReason::from_key(&why.replace('-', "_")).ok_or_else(|| Failure::usage(unknown))
            };
            let reason = why.map(known).transpose()?;
            decide(arguments, AlertVerdict { reason, ..verdict(AlertState::Closed) }).await
        }
        AlertsCommand::Accept(AcceptArguments { decide: arguments, until, object }) => {
            let scope = if object { DecisionScope::Object } else { DecisionScope::Alert };
            decide(arguments, AlertVerdict { until, scope, ..verdict(AlertState::Accepted) }).await
        }
        AlertsCommand::Assign(AssignArguments { decide: arguments, to }) => {
            let assignee = Some(to.unwrap_or_default());
            decide(arguments, AlertVerdict { assignee, ..AlertVerdict::default() }).await
        }
        AlertsCommand::Reopen(arguments) => decide(arguments, verdict(AlertState::New)).await,
        AlertsCommand::Changes(arguments) => changes(arguments).await,
        AlertsCommand::Undo(UndoArguments { target, attempt, number }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let answer = alert_changes::undo(&app, &may, number).await?;
            if target.common.json {
                return print_json(&answer);
            }
            tell(&attempt, &answer)
        }
        AlertsCommand::Withdrawn(arguments) => withdrawn(arguments).await,
    }
}

async fn list(arguments: ListArguments) -> Result<(), Failure> {
    let (app, may) = arguments.target.may::<View>(By::operator()).await?;
    let list = alerts::list(&app, &may, &arguments.filter()?).await?;
    if arguments.target.common.json {
        return print_json(&list);
    }
    let rows: Vec<Vec<String>> = list.alerts.iter().map(row).collect();
    let header = ["ID", "SEVERITY", "STATE", "WORKS ON IT", "RULE", "DEVICE", "ALERT", "OBJECT", "LAST SEEN"];
    table::print(&mut io::stdout().lock(), &header, &rows)?;
    Ok(())
}

async fn show(ShowArguments { target, id }: ShowArguments) -> Result<(), Failure> {
    let (app, may) = target.may::<View>(By::operator()).await?;
    let (record, _) = alerts::get(&app, &may, &id).await?;
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

async fn history(ShowArguments { target, id }: ShowArguments) -> Result<(), Failure> {
    let (app, may) = target.may::<View>(By::operator()).await?;
    let history = alert_record::history(&app, &may, &id).await?;
    if target.common.json {
        return print_json(&history);
    }
    let row = |event: &alert_record::AlertEvent| {
        let note = event.decision.as_ref().and_then(|d| d.note.clone()).unwrap_or_else(|| NONE.to_owned());
        vec![event.at.to_string(), event.sentence.clone(), event.by.clone(), note]
    };
    let rows: Vec<Vec<String>> = history.events.iter().map(row).collect();
    table::print(&mut io::stdout().lock(), &["WHEN", "WHAT", "WHO", "NOTE"], &rows)?;
    Ok(())
}

async fn changes(ChangesArguments { target }: ChangesArguments) -> Result<(), Failure> {
    let (app, may) = target.may::<View>(By::operator()).await?;
    let list = alert_changes::list(&app, &may, AlertChangesQuery::default()).await?;
    if target.common.json {
        return print_json(&list);
    }
    let number = |number: Option<u64>| number.map_or_else(|| NONE.to_owned(), |n| n.to_string());
    let row = |change: &AlertChange| {
        vec![
            change.number.to_string(),
            change.at.to_string(),
            change.by.clone(),
            change.alerts.to_string(),
            number(change.undoes),
            number(change.undone_by),
        ]
    };
    let rows: Vec<Vec<String>> = list.changes.iter().map(row).collect();
    table::print(
        &mut io::stdout().lock(),
        &[">NO", "WHEN", "WHO", ">ALERTS", ">UNDOES", ">UNDONE BY"],
        &rows,
    )?;
    Ok(())
}

async fn withdrawn(ChangesArguments { target }: ChangesArguments) -> Result<(), Failure> {
    let (app, may) = target.may::<View>(By::operator()).await?;
    let list = alert_record::withdrawn(&app, &may).await?;
    if target.common.json {
        return print_json(&list);
    }
    let row = |entry: &LedgerEntry| {
        let (at, why) = entry.withdrawn.map(|w| (w.at.to_string(), w.why.sentence())).unwrap_or_default();
        let ip = entry.device.ip.to_string();
        vec![entry.id.to_string(), entry.rule.clone(), ip, entry.title.clone(), at, why.to_owned()]
    };
    let rows: Vec<Vec<String>> = list.alerts.iter().map(row).collect();
    let header = ["ID", "RULE", "DEVICE", "ALERT", "WITHDRAWN", "WHY"];
    table::print(&mut io::stdout().lock(), &header, &rows)?;
    Ok(())
}

async fn decide(arguments: DecideArguments, verdict: AlertVerdict) -> Result<(), Failure> {
    let DecideArguments { target, attempt, note, ids } = arguments;
    let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
    let decide = AlertVerdict { note, ..verdict };
    let many = ManyAlertsVerdict { alerts: ids, decide };
    let (answer, _) = alert_changes::decide_many(&app, &may, &many, Expected::Any).await?;
    if target.common.json {
        return print_json(&answer);
    }
    tell(&attempt, &answer)
}

fn tell(attempt: &Attempt, answer: &AlertChangeAnswer) -> Result<(), Failure> {
    for AlteredAlert { before, alert } in &answer.altered {
        let (before, after) = (before.key(), alert.state.key());
        say(&format!("{}{after} instead of {before}: {}", attempt.tried(), alert.alert.sentence))?;
    }
    match &answer.change {
        Some(change) if !answer.dry_run => {
            say(&format!("change {}; 'alerts undo {0}' takes it back", change.number))
        }
        Some(_) => Ok(()),
        None => say("nothing to change: every alert is as you ask already"),
    }
}

fn row(record: &AlertRecord) -> Vec<String> {
    let alert = &record.alert;
    let works = record.decision.as_ref().and_then(|d| d.assignee.clone());
    let object = if alert.object.is_empty() { NONE.to_owned() } else { alert.object.clone() };
    vec![
        alert.id.to_string(),
        alert.severity.title().to_owned(),
        record.state.key().to_owned(),
        works.unwrap_or_else(|| NONE.to_owned()),
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
    let rows: Vec<Vec<String>> = list.recommendations.iter().map(|r| row(r)).collect();
    let header = ["RULE", "SEVERITY", "RECOMMENDATION", "UNHEALTHY", "HEALTHY", "NOT ASSESSED"];
    table::print(&mut io::stdout().lock(), &header, &rows)?;
    Ok(())
}
