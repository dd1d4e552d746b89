//! `audit`: lists and verifies the audit trail.

use std::io;

use clap::{Args, Subcommand};
use serde_json::json;

use super::arguments::{Common, Target, say};
use super::failure::Failure;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::App;
use crate::plan::app::audit::{self, MayViewTrail, TrailPage};
use crate::plan::permission::ViewAudit;
use crate::plan::store::By;
use crate::plan::store::trail::{PAGE, TrailFilter};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List who changed what, the newest first
    #[command(after_help = "Examples:
  netcensus-plan audit list --subscription Contoso --action plan.cancel
  netcensus-plan audit list --limit 500 --json")]
    List {
        #[command(flatten)]
        trail: Trail,
        /// Only rows of this actor, such as person:alice or operator
        #[arg(long)]
        actor: Option<String>,
        /// Only rows of this action, such as plan.cancel or denied
        #[arg(long)]
        action: Option<String>,
        /// Only rows about this object, such as plan/3
        #[arg(long)]
        object: Option<String>,
        /// Only rows with a smaller number
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// The most rows to list, 1 to 500
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=PAGE))]
        limit: i64,
    },
    /// Recompute the chain of hashes, and print the first row that was changed or is missing
    #[command(
        after_help = "Keep the output: with --seen, the next run also finds out whether the newest rows were deleted.

Example:
  netcensus-plan audit verify --subscription Contoso --seen 1200:9f86d081…"
    )]
    Verify {
        #[command(flatten)]
        trail: Trail,
        /// A row and its hash, as an earlier run printed them
        #[arg(long, value_name = "NUMBER:HASH", value_parser = seen)]
        seen: Option<(i64, [u8; 32])>,
    },
}

/// The trail.
#[derive(Debug, Args)]
pub(super) struct Trail {
    #[command(flatten)]
    common: Common,
    /// The subscription's id or name [default: the installation's trail: people, subscriptions, sign-ins]
    #[arg(long, short, value_name = "ID")]
    subscription: Option<String>,
}

impl Trail {
    /// The application, and the proof that the operator may view the trail.
    async fn open(self) -> Result<(App, Box<dyn MayViewTrail + Send>), Failure> {
        let Self { common, subscription } = self;
        let by = By::operator();
        if subscription.is_none() {
            let (app, may) = common.may_here::<ViewAudit>(by).await?;
            return Ok((app, Box::new(may)));
        }
        let (app, may) = Target { common, subscription }.may::<ViewAudit>(by).await?;
        Ok((app, Box::new(may)))
    }
}

/// Runs an `audit` command.
pub(super) async fn audit(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List { trail, actor, action, object, before, limit } => {
            let json = trail.common.json;
            let (app, may) = trail.open().await?;
            let filter = TrailFilter { actor, action, object, before, ..TrailFilter::default() };
            let TrailPage { entries, unrecorded, .. } = audit::page(&app, &*may, filter, limit).await?;
            if json {
                return print_json(&json!({"entries": entries, "unrecorded": unrecorded}));
            }
            let rows: Vec<_> = entries
                .into_iter()
                .map(|e| {
                    let (address, reason) = (e.address.unwrap_or_default(), e.reason.unwrap_or_default());
                    vec![e.number.to_string(), e.at.to_string(), e.actor, address, e.action, e.object, reason]
                })
                .collect();
            let header = [">NO", "AT", "ACTOR", "FROM", "ACTION", "OBJECT", "REASON"];
            table::print(&mut io::stdout().lock(), &header, &rows)?;
            if unrecorded > 0 {
                say(&format!(
                    "{unrecorded} further refused requests are only counted, because the trail takes 200 rows of a kind in 24 hours"
                ))?;
            }
            Ok(())
        }
        AuditCommand::Verify { trail, seen } => {
            let json = trail.common.json;
            let (app, may) = trail.open().await?;
            let verified = audit::verify(&app, &*may, seen).await?;
            let good = verified.map_err(|broken| Failure::failed(broken.to_string()))?;
            let head: String = hex::encode(good.head);
            if json {
                return print_json(&json!({"rows": good.rows, "head": head}));
            }
            say(&format!("the chain of {} rows holds; the newest is {}:{head}", good.rows, good.rows))
        }
    }
}

/// A row and its hash, such as `12:9f86…`.
fn seen(text: &str) -> Result<(i64, [u8; 32]), String> {
    let read = || {
        let (number, digits) = text.split_once(':')?;
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).ok()?;
        Some((number.parse().ok()?, hash))
    };
    read().ok_or_else(|| {
        "write the number of a row and its hash as 'audit verify' printed them, such as 12:9f86d0…".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_verify_prints_is_what_it_reads() {
        let text = format!("12:{}", "0f".repeat(32));
        assert_eq!(seen(&text), Ok((12, [15; 32])));
        for wrong in ["12", "x:00", "12:00", &format!("12:{}", "é".repeat(64))] {
            assert!(seen(wrong).is_err(), "{wrong}");
        }
    }
}
