//! The operator's commands: subscriptions, plans, sensors.

use std::io::{self, Write as _};

use clap::Subcommand;
use serde_json::json;

use super::failure::Failure;
use super::{Common, Target, print_json, table};
use crate::clock::{Clock as _, SystemClock};
use crate::plan::api::plans::{PlanEntry, Timeline};
use crate::plan::store::{By, Sensor, Store, StoreError, Subscription};
use crate::plan::timeline::{Kind, Onboarding, Plan};
use crate::wire::EnrolmentToken;

/// What to do with subscriptions.
#[derive(Debug, Subcommand)]
pub(super) enum SubscriptionCommand {
    /// Create a subscription
    Create {
        #[command(flatten)]
        common: Common,
        /// Its name
        name: String,
        /// The person who owns it
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
    },
    /// Give a subscription another name
    Rename {
        #[command(flatten)]
        target: Target,
        /// Its new name
        name: String,
    },
    /// List the subscriptions
    List {
        #[command(flatten)]
        common: Common,
    },
}

/// What to do with the plan.
#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// Show the plan in effect, and those before it
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// Onboard a plan
    Onboard {
        #[command(flatten)]
        target: Target,
        /// trial, monthly or annual
        #[arg(long, value_name = "KIND")]
        kind: Kind,
        /// The number of devices to commit to, a multiple of 100; not for a trial
        #[arg(long, value_name = "N")]
        devices: Option<u64>,
        /// Accept the terms and conditions
        #[arg(long)]
        accept_terms: bool,
    },
    /// Cancel the plan in effect: it ends exactly one hour later
    Cancel {
        #[command(flatten)]
        target: Target,
        /// Withdraw the cancellation instead, within its hour
        #[arg(long)]
        withdraw: bool,
    },
}

/// What to do with sensors.
#[derive(Debug, Subcommand)]
pub(super) enum SensorCommand {
    /// Make a one-time enrolment token, good for an hour
    Token {
        #[command(flatten)]
        target: Target,
        /// The service's URL as sensors reach it [default: the configuration's public_url]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// List the sensors and how they fare
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Give a sensor another name
    Rename {
        #[command(flatten)]
        target: Target,
        /// The sensor's id
        sensor: String,
        /// Its new name
        name: String,
    },
    /// Revoke a sensor's key for good
    Revoke {
        #[command(flatten)]
        target: Target,
        /// The sensor's id
        sensor: String,
    },
}

/// Creates and lists subscriptions.
pub(super) async fn subscription(command: SubscriptionCommand) -> Result<(), Failure> {
    match command {
        SubscriptionCommand::Create { common, name, owner } => {
            let store = Store::open(&common.config()?.database).await?;
            let created = store
                .create_subscription(&name, owner.as_deref(), &By::operator(), SystemClock.now())
                .await?;
            if common.json {
                return print_json(&created);
            }
            say(&format!("created {} ({})", created.name, created.id))
        }
        SubscriptionCommand::Rename { target, name } => {
            let (_, store, subscription) = target.open().await?;
            let unchecked = |_: &Subscription| Ok::<(), StoreError>(());
            let (by, now) = (By::operator(), SystemClock.now());
            let renamed = store.rename_subscription(&subscription.id, &name, unchecked, &by, now).await?;
            if target.common.json {
                return print_json(&renamed);
            }
            say(&format!("renamed {} to {}", subscription.name, renamed.name))
        }
        SubscriptionCommand::List { common } => {
            let (_, store) = common.store().await?;
            let subscriptions = store.subscriptions().await?;
            if common.json {
                return print_json(&json!({"subscriptions": subscriptions}));
            }
            let rows: Vec<_> =
                subscriptions.into_iter().map(|s| vec![s.id, s.name, s.created_at.to_string()]).collect();
            Ok(table::print(&mut io::stdout().lock(), &["ID", "NAME", "CREATED"], &rows)?)
        }
    }
}

/// Shows and changes plans.
pub(super) async fn plan(command: PlanCommand) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        PlanCommand::Show { target } => {
            let (_, store, subscription) = target.open().await?;
            let timeline = Timeline::new(&store.plans(&subscription.id).await?, now);
            if target.common.json {
                return print_json(&timeline);
            }
            if timeline.plan.is_none() {
                say("no plan is in effect")?;
            }
            let rows: Vec<_> = timeline.history.iter().map(plan_row).collect();
            let header = [">NO", "KIND", ">COMMITTED", "FROM", "TO", "STATE"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        PlanCommand::Onboard { target, kind, devices, accept_terms } => {
            let (_, store, subscription) = target.open().await?;
            let asked = Onboarding { kind, devices, accept_terms };
            changed(&target, &store.onboard(&subscription.id, &asked, now).await?)
        }
        PlanCommand::Cancel { target, withdraw } => {
            let (_, store, subscription) = target.open().await?;
            let plan = match withdraw {
                true => store.withdraw_cancellation(&subscription.id, now).await?,
                false => store.cancel_plan(&subscription.id, now).await?,
            };
            changed(&target, &plan)
        }
    }
}

/// Enrols, lists and revokes sensors.
pub(super) async fn sensor(command: SensorCommand) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        SensorCommand::Token { target, url } => {
            let (config, store, subscription) = target.open().await?;
            let (secret, expires) = store.create_enrolment(&subscription.id, &By::operator(), now).await?;
            let url = url.unwrap_or_else(|| config.url(config.listen));
            let token = EnrolmentToken { url, secret }.to_string();
            if target.common.json {
                return print_json(&json!({"token": token, "expires_at": expires.to_string()}));
            }
            say(&token)
        }
        SensorCommand::List { target } => {
            let (_, store, subscription) = target.open().await?;
            let sensors = store.sensors(&subscription.id).await?;
            if target.common.json {
                return print_json(&json!({"sensors": sensors}));
            }
            let rows: Vec<_> = sensors
                .into_iter()
                .map(|s| {
                    let uploaded = s.uploaded_at.map_or_else(|| "never".into(), |t| t.to_string());
                    let state = if s.revoked_at.is_some() { "revoked" } else { "enrolled" };
                    let (frames, dropped) = (s.health.frames.to_string(), s.health.dropped.to_string());
                    vec![s.id, s.name, state.into(), s.zone.unwrap_or_default(), uploaded, frames, dropped]
                })
                .collect();
            let header = ["ID", "NAME", "STATE", "ZONE", "UPLOADED", ">FRAMES", ">DROPPED"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        SensorCommand::Rename { target, sensor, name } => {
            let (_, store, subscription) = target.open().await?;
            let unchecked = |_: &Sensor| Ok::<(), StoreError>(());
            let by = By::operator();
            let renamed = store.rename_sensor(&subscription.id, &sensor, &name, unchecked, &by, now).await?;
            if target.common.json {
                return print_json(&renamed);
            }
            say(&format!("renamed {sensor} to {}", renamed.name))
        }
        SensorCommand::Revoke { target, sensor } => {
            let (_, store, subscription) = target.open().await?;
            store.revoke_sensor(&subscription.id, &sensor, &By::operator(), now).await?;
            if target.common.json {
                return print_json(&json!({"revoked": sensor}));
            }
            say(&format!("revoked {sensor}"))
        }
    }
}

fn changed(target: &Target, plan: &Plan) -> Result<(), Failure> {
    let entry = PlanEntry::new(plan, SystemClock.now());
    if target.common.json {
        return print_json(&entry);
    }
    let until = entry.to.map_or_else(String::new, |to| format!(", ends {to}"));
    let devices = entry.committed.map_or_else(|| "any number of".to_owned(), |n| n.to_string());
    say(&format!("{} plan for {devices} devices: {}{until}", entry.kind, entry.status.title()))
}

fn plan_row(p: &PlanEntry) -> Vec<String> {
    vec![
        p.number.to_string(),
        p.kind.to_string(),
        p.committed.map_or_else(|| "any".into(), |n| n.to_string()),
        p.from.to_string(),
        p.to.map_or_else(String::new, |t| t.to_string()),
        p.status.title().to_owned(),
    ]
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
