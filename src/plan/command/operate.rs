//! `subscription` and `sensor`.

use std::io;

use clap::Subcommand;
use serde_json::json;

use super::arguments::{Common, Target, say};
use super::failure::Failure;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::clock::{Clock as _, SystemClock};
use crate::plan::app::{sensors, subscriptions};
use crate::plan::store::{By, Expected};
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
}

#[derive(Debug, Subcommand)]
pub(super) enum SensorCommand {
    /// Create an enrolment token: it works once, within one hour
    Token {
        #[command(flatten)]
        target: Target,
        /// The service's URL as sensors reach it [default: the configuration's public_url]
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
            let (app, may) = common.may_begin(By::operator()).await?;
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
            let rows: Vec<_> = list
                .subscriptions
                .into_iter()
                .map(|s| vec![s.id.to_string(), s.name, s.created_at.to_string()])
                .collect();
            Ok(table::print(&mut io::stdout().lock(), &["ID", "NAME", "CREATED"], &rows)?)
        }
    }
}

/// Enrols, lists and revokes sensors.
pub(super) async fn sensor(command: SensorCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        SensorCommand::Token { target, url } => {
            let config = target.common.config()?;
            let tls = config.tls(config.listen, SystemClock.now())?;
            let fingerprint = tls.map(|tls| tls.pin()).transpose()?.flatten();
            let (app, may) = target.may(by).await?;
            let made = sensors::create_token(&app, &may).await?;
            let url = url.unwrap_or(made.token.url);
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
                    let state = match (s.revoked_at, s.health.clock_ahead) {
                        (Some(_), _) => "revoked".to_owned(),
                        (None, Some(seconds)) => format!("clock {seconds} s ahead"),
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
