//! `plan`: the timeline of a subscription.

use std::io;

use clap::Subcommand;

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::billing::timeline::{Onboarding, PlanKind};
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::plans::{self, PlanEntry};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// Show the plan in effect, the booked plan, and all earlier plans
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// Onboard a plan
    Onboard {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        attempt: Attempt,
    },
    /// Replace the plan in effect: it ends in one hour, and the new plan starts at that instant
    #[command(after_help = "Example:
  netcensus-plan plan replace --kind monthly --devices 2100 --accept-terms

Within the hour, 'plan cancel --withdraw' removes the new plan and keeps the old plan. 'plan cancel' removes
only the new plan: the old plan still ends.")]
    Replace {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        attempt: Attempt,
    },
    /// Cancel the plan in effect: it ends one hour later
    Cancel {
        #[command(flatten)]
        target: Target,
        /// Withdraw the cancellation; possible until the plan ends
        #[arg(long)]
        withdraw: bool,
        #[command(flatten)]
        attempt: Attempt,
    },
}

/// The plan to onboard.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// The kind: trial, monthly or annual
    #[arg(long, value_name = "KIND")]
    kind: PlanKind,
    /// The number of devices to commit to, a multiple of 100; not for a trial
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// Accept the terms and conditions
    #[arg(long)]
    accept_terms: bool,
}

impl From<Wanted> for Onboarding {
    fn from(w: Wanted) -> Self {
        Self { kind: w.kind, devices: w.devices, accept_terms: w.accept_terms }
    }
}

/// Shows and changes plans.
pub(super) async fn run(command: PlanCommand) -> Result<(), Failure> {
    match command {
        PlanCommand::Show { target } => {
            let (app, may) = target.may(By::operator()).await?;
            let timeline = plans::timeline(&app, &may).await?;
            if target.common.json {
                return print_json(&timeline);
            }
            if timeline.plan.is_none() {
                say("no plan is in effect")?;
            }
            let rows: Vec<_> = timeline.history.iter().map(row).collect();
            let header = [">NO", "KIND", ">COMMITTED", "FROM", "TO", "RENEWS", "STATE"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        PlanCommand::Onboard { target, wanted, attempt } => {
            let (app, may) = target.may(attempt.by()?).await?;
            changed(&target, &attempt, &plans::onboard(&app, &may, &wanted.into()).await?)
        }
        PlanCommand::Replace { target, wanted, attempt } => {
            let (app, may) = target.may(attempt.by()?).await?;
            let replacement = plans::replace(&app, &may, &wanted.into()).await?;
            if target.common.json {
                return print_json(&replacement);
            }
            for entry in replacement.ending.iter().chain([&replacement.booked]) {
                say(&format!("{}{}", attempt.tried(), sentence(entry)))?;
            }
            Ok(())
        }
        PlanCommand::Cancel { target, withdraw, attempt } => {
            let (app, may) = target.may(attempt.by()?).await?;
            let entry = match withdraw {
                true => plans::withdraw(&app, &may).await?,
                false => plans::cancel(&app, &may).await?,
            };
            changed(&target, &attempt, &entry)
        }
    }
}

fn changed(target: &Target, attempt: &Attempt, entry: &PlanEntry) -> Result<(), Failure> {
    if target.common.json {
        return print_json(entry);
    }
    say(&format!("{}{}", attempt.tried(), sentence(entry)))
}

fn sentence(entry: &PlanEntry) -> String {
    let until = match (entry.to, entry.term) {
        (Some(to), _) => format!(", ends {to}"),
        (None, Some(term)) => format!(", renews for a year at {}", term.to),
        (None, None) => String::new(),
    };
    let devices = entry.committed.map_or_else(|| "any number of".to_owned(), |n| n.to_string());
    format!("{} plan for {devices} devices: {} from {}{until}", entry.kind, entry.status.title(), entry.from)
}

fn row(p: &PlanEntry) -> Vec<String> {
    vec![
        p.number.to_string(),
        p.kind.to_string(),
        p.committed.map_or_else(|| "any".into(), |n| n.to_string()),
        p.from.to_string(),
        p.to.map_or_else(String::new, |t| t.to_string()),
        p.term.filter(|_| p.to.is_none()).map_or_else(String::new, |term| term.to.to_string()),
        p.status.title().to_owned(),
    ]
}
