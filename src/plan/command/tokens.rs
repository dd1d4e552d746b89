//! The operator's commands about API tokens.

use std::io;

use clap::Subcommand;
use serde_json::json;

use super::failure::Failure;
use super::operate::say;
use super::{Common, print_json, table};
use crate::clock::{Clock as _, SystemClock};
use crate::plan::permission::Role;
use crate::plan::store::{By, CredentialKind, NewToken};

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a bearer token that acts as a person; it is shown once
    #[command(after_help = "Examples:
  netcensus-plan token create alice --name backup --days 30
  netcensus-plan token create alice --name dashboard --role R --subscription Contoso")]
    Create {
        #[command(flatten)]
        common: Common,
        /// Whose token
        person: String,
        /// Its name in the list
        #[arg(long, default_value = "command line")]
        name: String,
        /// How many days it lives, 1 to 365
        #[arg(long, default_value_t = 90)]
        days: i64,
        /// Keep it to what this role may: R, SA, C, O or G
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// Keep it to this subscription, by id or name
        #[arg(long, short, value_name = "ID")]
        subscription: Option<String>,
    },
    /// List the tokens of a person, without the secrets
    List {
        #[command(flatten)]
        common: Common,
        /// Whose tokens
        person: String,
    },
    /// Revoke a token of a person
    Revoke {
        #[command(flatten)]
        common: Common,
        /// Whose token
        person: String,
        /// The token's id, as the list shows it
        id: String,
    },
}

/// Does what is asked with API tokens.
pub(super) async fn token(command: TokenCommand) -> Result<(), Failure> {
    let (by, now) = (By::operator(), SystemClock.now());
    match command {
        TokenCommand::Create { common, person, name, days, role, subscription } => {
            let (_, store) = common.store().await?;
            let new = NewToken { name, days: Some(days), role, subscription };
            let made = store.create_token(&person, &new, None, &by, now).await?;
            if common.json {
                let expires = made.expires_at.to_string();
                return print_json(&json!({"token": made.secret, "id": made.id, "expires_at": expires}));
            }
            say(&made.secret)
        }
        TokenCommand::List { common, person } => {
            let (_, store) = common.store().await?;
            store.person(&person).await?;
            let tokens = store.credentials(CredentialKind::Token, &person, now).await?;
            if common.json {
                return print_json(&json!({"tokens": tokens}));
            }
            let rows: Vec<_> = tokens
                .into_iter()
                .map(|t| {
                    let used = t.used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
                    let role = t.role.map(|role| role.title().to_owned()).unwrap_or_default();
                    vec![
                        t.id,
                        t.name,
                        role,
                        t.subscription.unwrap_or_default(),
                        t.expires_at.to_string(),
                        used,
                    ]
                })
                .collect();
            let header = ["ID", "NAME", "KEPT TO", "SUBSCRIPTION", "EXPIRES", "LAST USED"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        TokenCommand::Revoke { common, person, id } => {
            let (_, store) = common.store().await?;
            store.end_credential(CredentialKind::Token, &person, &id, &by, now).await?;
            if common.json {
                return print_json(&json!({"revoked": id}));
            }
            say(&format!("revoked {id}"))
        }
    }
}
