//! `subscription` and `sensor`.

use std::io::{self, Write as _};
use std::net::IpAddr;

use clap::Subcommand;
use serde_json::json;

use super::arguments::{Common, Target, say};
use super::failure::Failure;
use super::remembered;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::clock::{Clock as _, SystemClock};
use crate::plan::app::{sensors, subscriptions};
use crate::plan::running::Running;
use crate::plan::store::{By, Expected, Location};
use crate::wire::EnrolmentToken;
use crate::wire::SensorId;

#[derive(Debug, Subcommand)]
pub(super) enum SubscriptionCommand {
    /// Create a subscription
    Create {
        #[command(flatten)]
        common: Common,
        /// Its name, 1 to 100 characters
        name: String,
        /// The name of the person who becomes its owner
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
    },
    /// Rename a subscription
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
    /// Remember the subscription that your commands mean if they name none
    #[command(after_help = "Examples:
  netcensus-plan subscription use Contoso
  netcensus-plan subscription use --none

It is remembered for this user and this database, in ~/.config/netcensus/subscriptions.json. NETCENSUS_PLAN_SUBSCRIPTION
and --subscription come before it.")]
    Use {
        #[command(flatten)]
        common: Common,
        /// The subscription's id or name
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// Forget it
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SensorCommand {
    /// Create an enrolment token: it works once, within one hour
    Token {
        #[command(flatten)]
        target: Target,
        /// The service's URL as sensors reach it [default: that of the running service, else as configured]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// List the sensors and their health
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Rename a sensor
    Rename {
        #[command(flatten)]
        target: Target,
        /// The sensor's id
        sensor: SensorId,
        /// Its new name
        name: String,
    },
    /// Revoke a sensor's key permanently
    Revoke {
        #[command(flatten)]
        target: Target,
        /// The sensor's id
        sensor: SensorId,
    },
}

/// Creates and lists subscriptions.
pub(super) async fn subscription(command: SubscriptionCommand) -> Result<(), Failure> {
    match command {
        SubscriptionCommand::Create { common, name, owner } => {
            let (app, may) = common.may_here(By::operator()).await?;
            let created = subscriptions::create(&app, &may, &name, owner.as_deref()).await?;
            if common.json {
                return print_json(&created);
            }
            say(&format!("created {} ({})", created.name, created.id))
        }
        SubscriptionCommand::Rename { target, name } => {
            let (app, may) = target.may(By::operator()).await?;
            let renamed = subscriptions::rename(&app, &may, &name, &Expected::Any).await?;
            if target.common.json {
                return print_json(&renamed);
            }
            say(&format!("renamed {} to {}", may.subscription.name, renamed.name))
        }
        SubscriptionCommand::List { common } => {
            let (app, may) = common.may_here(By::operator()).await?;
            let list = subscriptions::all(&app, &may).await?;
            if common.json {
                return print_json(&json!(list));
            }
            let used = remembered::subscription(&common.config()?.database);
            let used = |id: &str| if used.as_deref() == Some(id) { "used" } else { "" }.to_owned();
            let rows: Vec<_> = list
                .subscriptions
                .into_iter()
                .map(|s| vec![s.id.to_string(), s.name, s.created_at.to_string(), used(s.id.as_str())])
                .collect();
            Ok(table::print(&mut io::stdout().lock(), &["ID", "NAME", "CREATED", ""], &rows)?)
        }
        SubscriptionCommand::Use { common, name, none: _ } => {
            let (config, store) = common.store().await?;
            let subscription = match &name {
                Some(name) => Some(store.find_subscription(name).await?),
                None => None,
            };
            remembered::remember(&config.database, subscription.as_ref())?;
            if common.json {
                return print_json(&json!({"subscription": subscription.map(|s| s.id)}));
            }
            match subscription {
                Some(s) => say(&format!("your commands on {} mean {} ({})", config.database, s.name, s.id)),
                None => say(&format!("your commands on {} have no default any more", config.database)),
            }
        }
    }
}

/// Why a sensor may not reach the address of its token.
fn doubt(url: &str, is_given: bool, is_running: bool, database: &Location) -> Option<String> {
    let host = reqwest::Url::parse(url).ok()?.host_str()?.trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_given {
        return None;
    }
    if is_here {
        return Some(format!(
            "note: the token's address {url} is reached on this machine only; for a sensor on another machine, set public_url or give --url"
        ));
    }
    (!is_running).then(|| {
        format!(
            "note: no service was found that runs on the database {database}; the token has the configured address {url}"
        )
    })
}

/// Enrols, lists and revokes sensors.
pub(super) async fn sensor(command: SensorCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        SensorCommand::Token { target, url } => {
            let config = target.common.config()?;
            let (app, may) = target.may(by).await?;
            // The running service knows its address and its certificate better than the configuration.
            let running = Running::find(&config.database);
            let fingerprint = match &running {
                Some(running) => running.fingerprint,
                None => {
                    let tls = config.tls(config.listen, SystemClock.now())?;
                    tls.map(|tls| tls.pin()).transpose()?.flatten()
                }
            };
            let made = sensors::create_token(&app, &may).await?;
            let is_given = url.is_some();
            let url = url.or_else(|| running.as_ref().map(|running| running.url.clone()));
            let url = url.unwrap_or(made.token.url);
            if let Some(note) = doubt(&url, is_given, running.is_some(), &config.database) {
                writeln!(io::stderr(), "netcensus-plan: {note}").ok();
            }
            let token = EnrolmentToken { url, secret: made.token.secret, fingerprint }.to_string();
            if target.common.json {
                return print_json(&json!({"token": token, "expires_at": made.expires_at.to_string()}));
            }
            say(&token)
        }
        SensorCommand::List { target } => {
            let (app, may) = target.may(by).await?;
            let list = sensors::list(&app, &may).await?;
            if target.common.json {
                return print_json(&json!(list));
            }
            let rows: Vec<_> = list
                .sensors
                .into_iter()
                .map(|s| {
                    let uploaded = s.uploaded_at.map_or_else(|| "never".into(), |t| t.to_string());
                    let state = match (s.revoked_at, s.health.clock_problem()) {
                        (Some(_), _) => "revoked".to_owned(),
                        (None, Some(problem)) => problem,
                        (None, None) => "enrolled".to_owned(),
                    };
                    let (frames, dropped) = (s.health.frames.to_string(), s.health.dropped.to_string());
                    vec![
                        s.id.to_string(),
                        s.name,
                        state,
                        s.zone.unwrap_or_default(),
                        uploaded,
                        frames,
                        dropped,
                    ]
                })
                .collect();
            let header = ["ID", "NAME", "STATE", "ZONE", "UPLOADED", ">FRAMES", ">DROPPED"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        SensorCommand::Rename { target, sensor, name } => {
            let (app, may) = target.may(by).await?;
            let renamed = sensors::rename(&app, &may, &sensor, &name, &Expected::Any).await?;
            if target.common.json {
                return print_json(&renamed);
            }
            say(&format!("renamed {sensor} to {}", renamed.name))
        }
        SensorCommand::Revoke { target, sensor } => {
            let (app, may) = target.may(by).await?;
            sensors::revoke(&app, &may, &sensor).await?;
            if target.common.json {
                return print_json(&json!({"revoked": sensor}));
            }
            say(&format!("revoked {sensor}"))
        }
    }
}
