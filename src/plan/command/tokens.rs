//! `token`: API tokens of people.

use std::io;

use clap::Subcommand;
use serde_json::json;

use super::arguments::{Common, say};
use super::failure::Failure;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::people;
use crate::plan::permission::Role;
use crate::plan::store::{By, NewToken};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create an API token that acts as a person, and print it; it cannot be printed again
    #[command(after_help = "Examples:
  netcensus-plan token create alice --name backup --days 30
  netcensus-plan token create alice --name dashboard --role R --subscription Contoso")]
    Create {
        #[command(flatten)]
        common: Common,
        /// The person's name
        person: String,
        /// The token's name, for lists
        #[arg(long, default_value = "command line")]
        name: String,
        /// The token's life in days, 1 to 365
        #[arg(long, default_value_t = 90)]
        days: i64,
        /// Limit the token to what this role permits: R, SA, C, O or G
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// Limit the token to this subscription, by id or name
        #[arg(long, short, value_name = "ID")]
        subscription: Option<String>,
    },
    /// List the tokens of a person, without the secrets
    List {
        #[command(flatten)]
        common: Common,
        /// The person's name
        person: String,
    },
    /// Revoke a token of a person
    Revoke {
        #[command(flatten)]
        common: Common,
        /// The person's name
        person: String,
        /// The token's id: see 'netcensus-plan token list'
        id: String,
    },
}

/// Runs a `token` command.
pub(super) async fn token(command: TokenCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        TokenCommand::Create { common, person, name, days, role, subscription } => {
            let (app, may) = common.may_here(by).await?;
            let new = NewToken { name, days: Some(days), role, subscription };
            let created = people::create_token(&app, &may, &person, &new).await?;
            if common.json {
                let expires = created.expires_at.to_string();
                return print_json(&json!({"token": created.token, "id": created.id, "expires_at": expires}));
            }
            say(&created.token)
        }
        TokenCommand::List { common, person } => {
            let (app, may) = common.may_here(by).await?;
            let tokens = people::tokens(&app, &may, &person).await?;
            if common.json {
                return print_json(&json!(tokens));
            }
            let rows: Vec<_> = tokens
                .tokens
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
            let header = ["ID", "NAME", "LIMITED TO", "SUBSCRIPTION", "EXPIRES", "LAST USED"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        TokenCommand::Revoke { common, person, id } => {
            let (app, may) = common.may_here(by).await?;
            people::revoke_token(&app, &may, &person, &id).await?;
            if common.json {
                return print_json(&json!({"revoked": id}));
            }
            say(&format!("revoked {id}"))
        }
    }
}
