//! The operator's commands: subscriptions, sensors, people, tokens.

use std::io::{self, BufRead as _, Write as _};

use clap::Subcommand;
use serde_json::json;

use super::failure::Failure;
use super::{Common, Target, print_json, table};
use crate::clock::{Clock as _, SystemClock};
use crate::plan::permission::Role;
use crate::plan::secret::PASSWORD_MAX;
use crate::plan::store::{CredentialKind, Store};
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
    /// List the subscriptions
    List {
        #[command(flatten)]
        common: Common,
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
    /// Revoke a sensor's key for good
    Revoke {
        #[command(flatten)]
        target: Target,
        /// The sensor's id
        sensor: String,
    },
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a person; the password is the first line of standard input
    #[command(after_help = "Example:
  printf '%s\\n' \"$PASSWORD\" | netcensus-plan user create alice --role O --subscription Contoso")]
    Create {
        #[command(flatten)]
        target: Target,
        /// The name to sign in with
        name: String,
        /// The role on the subscription: R reader, SA security admin, C contributor, O owner
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// Make them a global admin
        #[arg(long)]
        global_admin: bool,
    },
    /// List the people
    List {
        #[command(flatten)]
        common: Common,
    },
}

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a bearer token that acts as a person, good for 90 days
    Create {
        #[command(flatten)]
        common: Common,
        /// Whose token
        person: String,
    },
}

/// Creates and lists subscriptions.
pub(super) async fn subscription(command: SubscriptionCommand) -> Result<(), Failure> {
    match command {
        SubscriptionCommand::Create { common, name, owner } => {
            let store = Store::open(&common.config()?.database).await?;
            let created = store.create_subscription(&name, owner.as_deref(), SystemClock.now()).await?;
            if common.json {
                return print_json(&created);
            }
            say(&format!("created {} ({})", created.name, created.id))
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

/// Enrols, lists and revokes sensors.
pub(super) async fn sensor(command: SensorCommand) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        SensorCommand::Token { target, url } => {
            let (config, store, subscription) = target.open().await?;
            let (secret, expires) = store.create_enrolment(&subscription.id, now).await?;
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
        SensorCommand::Revoke { target, sensor } => {
            let (_, store, subscription) = target.open().await?;
            store.revoke_sensor(&subscription.id, &sensor, now).await?;
            if target.common.json {
                return print_json(&json!({"revoked": sensor}));
            }
            say(&format!("revoked {sensor}"))
        }
    }
}

/// Creates and lists people.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Create { target, name, role, global_admin } => {
            let store = Store::open(&target.common.config()?.database).await?;
            if role.is_none() && !global_admin {
                return Err(Failure::usage("a person needs --role ROLE, --global-admin or both"));
            }
            if role == Some(Role::GlobalAdmin) {
                return Err(Failure::usage("a global admin is one of the whole tenant; use --global-admin"));
            }
            let subscription = match role {
                Some(_) => Some(target.open().await?.2),
                None => None,
            };
            let password = read_password()?;
            let person = store.create_person(&name, &password, global_admin, SystemClock.now()).await?;
            if let (Some(role), Some(subscription)) = (role, &subscription) {
                store.bind_role(&subscription.id, &person.name, role).await?;
            }
            if target.common.json {
                return print_json(&person);
            }
            say(&format!("created {}", person.name))
        }
        UserCommand::List { common } => {
            let (_, store) = common.store().await?;
            let people = store.people().await?;
            if common.json {
                return print_json(&json!({"people": people}));
            }
            let admin = |g: bool| if g { "global admin".to_owned() } else { String::new() };
            let rows: Vec<_> = people.into_iter().map(|p| vec![p.name, admin(p.global_admin)]).collect();
            Ok(table::print(&mut io::stdout().lock(), &["NAME", "TENANT"], &rows)?)
        }
    }
}

/// Makes API tokens.
pub(super) async fn token(command: TokenCommand) -> Result<(), Failure> {
    let TokenCommand::Create { common, person } = command;
    let (_, store) = common.store().await?;
    if !store.people().await?.iter().any(|p| p.name == person) {
        return Err(Failure::failed(format!(
            "there is no person '{person}'; see 'netcensus-plan user list'"
        )));
    }
    let made = store.issue(CredentialKind::Token, Some(&person), SystemClock.now()).await?;
    if common.json {
        return print_json(&json!({"token": made.secret, "expires_at": made.expires_at.to_string()}));
    }
    say(&made.secret)
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    let most = PASSWORD_MAX as u64 + 2;
    io::Read::take(io::stdin().lock(), most).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

pub(super) fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
