//! The operator's commands about people and their roles. Passwords come by standard input, never on the command line.

use crate::plan::store::Expected;
use std::io::{self, BufRead as _};

use clap::Subcommand;
use serde_json::json;

use super::failure::Failure;
use super::operate::say;
use super::{Common, Target, print_json, table};
use crate::clock::{Clock as _, SystemClock};
use crate::plan::permission::Role;
use crate::plan::secret::PASSWORD_MAX;
use crate::plan::store::{By, RoleBinding, Store};

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
    /// Give a person a new password, the first line of standard input; their sessions end
    #[command(after_help = "Example:
  printf '%s\\n' \"$PASSWORD\" | netcensus-plan user password alice")]
    Password {
        #[command(flatten)]
        common: Common,
        /// Whose
        name: String,
    },
    /// Disable a person: their sessions and tokens end at once
    Disable {
        #[command(flatten)]
        common: Common,
        /// Whom
        name: String,
    },
    /// Enable a person again
    Enable {
        #[command(flatten)]
        common: Common,
        /// Whom
        name: String,
    },
}

/// What to do with roles.
#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// List who has a role on the subscription
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Bind a role for a person, in place of the one that they have
    Bind {
        #[command(flatten)]
        target: Target,
        /// Whose
        person: String,
        /// R reader, SA security admin, C contributor, O owner
        role: Role,
    },
    /// Take a person's role away; the only owner stays
    Unbind {
        #[command(flatten)]
        target: Target,
        /// Whose
        person: String,
    },
}

/// Does what is asked with people.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    let (by, now) = (By::operator(), SystemClock.now());
    match command {
        UserCommand::Create { target, name, role, global_admin } => {
            create(&target, &name, role, global_admin).await
        }
        UserCommand::List { common } => {
            let (_, store) = common.store().await?;
            let people = store.people().await?;
            if common.json {
                return print_json(&json!({"people": people}));
            }
            let rows: Vec<_> = people
                .into_iter()
                .map(|p| {
                    let tenant = if p.global_admin { "global admin" } else { "" };
                    let state =
                        p.disabled_at.map_or_else(|| "enabled".to_owned(), |at| format!("disabled {at}"));
                    let signs_in = if p.has_password { "password" } else { "provider" };
                    vec![p.name, tenant.to_owned(), signs_in.to_owned(), state]
                })
                .collect();
            let header = ["NAME", "TENANT", "SIGNS IN BY", "STATE"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        UserCommand::Password { common, name } => {
            let (_, store) = common.store().await?;
            store.person(&name).await?;
            store.set_password(&name, &read_password()?, None, &by, now).await?;
            if common.json {
                return print_json(&json!({"changed": name}));
            }
            say(&format!("changed the password of {name}; their sessions have ended"))
        }
        UserCommand::Disable { common, name } => {
            let (_, store) = common.store().await?;
            let person = store.set_disabled(&name, true, &by, now).await?;
            if common.json {
                return print_json(&person);
            }
            say(&format!("disabled {name}; their sessions and tokens have ended"))
        }
        UserCommand::Enable { common, name } => {
            let (_, store) = common.store().await?;
            let person = store.set_disabled(&name, false, &by, now).await?;
            if common.json {
                return print_json(&person);
            }
            say(&format!("enabled {name}"))
        }
    }
}

async fn create(target: &Target, name: &str, role: Option<Role>, global_admin: bool) -> Result<(), Failure> {
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
    let (by, now) = (By::operator(), SystemClock.now());
    let person = store.create_person(name, &read_password()?, global_admin, &by, now).await?;
    if let (Some(role), Some(subscription)) = (role, &subscription) {
        bind(&store, &subscription.id, &person.name, role).await?;
    }
    if target.common.json {
        return print_json(&person);
    }
    say(&format!("created {}", person.name))
}

/// Does what is asked with roles.
pub(super) async fn role(command: RoleCommand) -> Result<(), Failure> {
    match command {
        RoleCommand::List { target } => {
            let (_, store, subscription) = target.open().await?;
            let roles = store.role_bindings(&subscription.id).await?;
            if target.common.json {
                return print_json(&json!({"roles": roles}));
            }
            let rows: Vec<_> = roles
                .into_iter()
                .map(|b| vec![b.person, b.role.key().to_owned(), b.role.title().to_owned()])
                .collect();
            Ok(table::print(&mut io::stdout().lock(), &["PERSON", "ROLE", "WHICH IS"], &rows)?)
        }
        RoleCommand::Bind { target, person, role } => {
            let (_, store, subscription) = target.open().await?;
            let bound = bind(&store, &subscription.id, &person, role).await?;
            if target.common.json {
                return print_json(&bound);
            }
            say(&format!("{person} is {role} of {}", subscription.name))
        }
        RoleCommand::Unbind { target, person } => {
            let (_, store, subscription) = target.open().await?;
            let (by, now) = (By::operator(), SystemClock.now());
            store.unbind_role(&subscription.id, &person, &Expected::Any, &by, now).await?;
            if target.common.json {
                return print_json(&json!({"unbound": person}));
            }
            say(&format!("{person} has no role on {} any more", subscription.name))
        }
    }
}

async fn bind(store: &Store, subscription: &str, person: &str, role: Role) -> Result<RoleBinding, Failure> {
    let (by, now) = (By::operator(), SystemClock.now());
    Ok(store.bind_role(subscription, person, role, &Expected::Any, &by, now).await?)
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    let most = PASSWORD_MAX as u64 + 2;
    io::Read::take(io::stdin().lock(), most).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
