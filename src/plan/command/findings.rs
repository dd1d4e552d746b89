//! `findings`: lists, closes and reopens what a person should check.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::census::FindingKind;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::findings::{self, FindingFilter};
use crate::plan::finding_ledger::{FindingRecord, StateFilter};
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan findings list
  netcensus-plan findings list --state all --kind address_conflict --json
  netcensus-plan findings close 0123456789abcdef --note 'two spare cards, both ours'")]
pub(super) enum FindingsCommand {
    /// List the findings
    List(ListArguments),
    /// Close a finding; it opens again if newer frames show it
    Close(DecideArguments),
    /// Open a closed finding again
    Reopen(DecideArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Which findings: open, closed or all
    #[arg(long, value_name = "STATE", default_value_t)]
    state: StateFilter,
    /// Only findings of this kind, such as address_conflict
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<FindingKind>,
    /// Only findings of this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DecideArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// A note for those who look at the finding later: at most 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The finding's id
    #[arg(value_name = "ID")]
    id: String,
}

fn kind(text: &str) -> Result<FindingKind, String> {
    FindingKind::from_key(text).ok_or_else(|| {
        let known: Vec<&str> = FindingKind::ALL.into_iter().map(FindingKind::key).collect();
        format!("write one of {}", known.join(", "))
    })
}

/// Lists, closes and reopens findings.
pub(super) async fn run(command: FindingsCommand) -> Result<(), Failure> {
    match command {
        FindingsCommand::List(ListArguments { target, state, kind, zone }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let list = findings::list(&app, &may, &FindingFilter { kind, zone, state }, None).await?;
            if target.common.json {
                return print_json(&list);
            }
            let rows: Vec<Vec<String>> = list.findings.iter().map(row).collect();
            table::print(&mut io::stdout().lock(), &["ID", "STATE", "ZONE", "FINDING", "NOTE"], &rows)?;
            for more in &list.unlisted_findings {
                say(&format!(
                    "… and {} more of {} in {}, too many to list",
                    more.count, more.kind, more.zone
                ))?;
            }
            match list.dropped_findings {
                0 => Ok(()),
                dropped => say(&format!("{dropped} closed findings were deleted to make room for others")),
            }
        }
        FindingsCommand::Close(DecideArguments { target, attempt, note, id }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let record = findings::close(&app, &may, &id, note.as_deref()).await?;
            print(&record, &attempt, target.common.json)
        }
        FindingsCommand::Reopen(DecideArguments { target, attempt, note, id }) => {
            let (app, may) = target.may::<UpdateFindings>(attempt.by()?).await?;
            let record = findings::reopen(&app, &may, &id, note.as_deref()).await?;
            print(&record, &attempt, target.common.json)
        }
    }
}

fn print(record: &FindingRecord, attempt: &Attempt, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(record);
    }
    say(&format!("{}{}: {}", attempt.tried(), record.state.key(), record.finding))
}

fn row(record: &FindingRecord) -> Vec<String> {
    let finding = &record.finding;
    let state = match (record.is_open(), record.gone_since, record.reopened_at) {
        (false, ..) => "closed".to_owned(),
        (true, Some(since), _) => format!("open, no longer seen since {since}"),
        (true, None, Some(at)) => format!("open again since {at}"),
        (true, None, None) => "open".to_owned(),
    };
    vec![
        finding.id.to_string(),
        state,
        finding.zone.clone(),
        finding.sentence.clone(),
        record.note.clone().unwrap_or_default(),
    ]
}
