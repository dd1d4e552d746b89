//! The operator's commands about people and their roles. Passwords come by standard input, never on the command line.

use std::io::{self, BufRead as _};

use clap::Subcommand;
use serde_json::json;

use super::arguments::{Common, Target, say};
use super::failure::Failure;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::people::{self, Invitation, NewPerson, Relink};
use crate::plan::app::roles;
use crate::plan::permission::Role;
use crate::plan::running::Running;
use crate::plan::secret::PASSWORD_MAX;
use crate::plan::store::{By, Expected};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a person; reads the password from the first line of standard input
    #[command(after_help = "Example:
  printf '%s\\n' \"$PASSWORD\" | netcensus-plan user create alice --role O --subscription Contoso")]
    Create {
        #[command(flatten)]
        target: Target,
        /// The name with which the person signs in
        name: String,
        /// The role on the subscription: R reader, SA security admin, C contributor, O owner
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// Make the person a global admin, who administers the whole installation
        #[arg(long)]
        global_admin: bool,
    },
    /// Invite a person: print a one-time link by which they choose a password; creates the person if they are new
    #[command(after_help = "Examples:
  netcensus-plan user invite alice --role O --subscription Contoso
  netcensus-plan user invite alice                a new password, if alice forgot hers")]
    Invite {
        #[command(flatten)]
        target: Target,
        /// The name with which the person signs in
        name: String,
        /// The role on the subscription: R reader, SA security admin, C contributor, O owner
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// Make a new person a global admin, who administers the whole installation
        #[arg(long)]
        global_admin: bool,
    },
    /// List the people
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Set a person's password, read from the first line of standard input; their sessions end
    #[command(after_help = "Example:
  printf '%s\\n' \"$PASSWORD\" | netcensus-plan user password alice")]
    Password {
        #[command(flatten)]
        common: Common,
        /// The person's name
        name: String,
    },
    /// Link a person to another subject of the identity provider; their sessions end
    #[command(after_help = "Example:
  netcensus-plan user relink alice --subject 6f1c0b1e-7f8e-4d52-a3f8-6c1f6a3b9d10

The person's refused sign-in shows the subject.")]
    Relink {
        #[command(flatten)]
        common: Common,
        /// The person's name
        name: String,
        /// The subject (sub) at the provider
        #[arg(long, value_name = "SUBJECT")]
        subject: String,
        /// The provider's issuer URL [default: as configured]
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
    },
    /// Disable a person: they can no longer sign in, and their sessions and tokens end at once
    Disable {
        #[command(flatten)]
        common: Common,
        /// The person's name
        name: String,
    },
    /// Enable a disabled person
    Enable {
        #[command(flatten)]
        common: Common,
        /// The person's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// List the people who have a role on the subscription
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Bind a role for a person; it replaces the role that they have
    Bind {
        #[command(flatten)]
        target: Target,
        /// The person's name
        person: String,
        /// The role: R reader, SA security admin, C contributor, O owner
        role: Role,
    },
    /// Remove a person's role; refused for the only owner
    Unbind {
        #[command(flatten)]
        target: Target,
        /// The person's name
        person: String,
    },
}

/// Runs a `user` command.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        UserCommand::Create { target, name, role, global_admin } => {
            create(&target, &name, role, global_admin).await
        }
        UserCommand::Invite { target, name, role, global_admin } => {
            invite(&target, &name, role, global_admin).await
        }
        UserCommand::List { common } => {
            let (app, may) = common.may_here(by).await?;
            let people = people::list(&app, &may).await?;
            if common.json {
                return print_json(&json!(people));
            }
            let rows: Vec<_> = people
                .people
                .into_iter()
                .map(|p| {
                    let installation = if p.global_admin { "global admin" } else { "" };
                    let state =
                        p.disabled_at.map_or_else(|| "enabled".to_owned(), |at| format!("disabled {at}"));
                    let signs_in = if p.has_password { "password" } else { "provider" };
                    vec![p.name, installation.to_owned(), signs_in.to_owned(), state]
                })
                .collect();
            let header = ["NAME", "INSTALLATION", "SIGNS IN BY", "STATE"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        UserCommand::Password { common, name } => {
            let (app, may) = common.may_here(by).await?;
            people::set_password(&app, &may, &name, &read_password()?).await?;
            if common.json {
                return print_json(&json!({"changed": name}));
            }
            say(&format!("changed the password of {name}; their sessions have ended"))
        }
        UserCommand::Relink { common, name, subject, issuer } => {
            let configured = common.config()?.oidc.issuer;
            let issuer = issuer.or_else(|| Some(configured).filter(|url| !url.is_empty()));
            let (app, may) = common.may_here(by).await?;
            let to = Relink { subject, issuer };
            let person = people::relink(&app, &may, &name, &to).await?;
            if common.json {
                return print_json(&person);
            }
            say(&format!("linked {name} to the subject {}; their sessions have ended", to.subject))
        }
        UserCommand::Disable { common, name } => {
            let (app, may) = common.may_here(by).await?;
            let person = people::set_disabled(&app, &may, &name, true).await?;
            if common.json {
                return print_json(&person);
            }
            say(&format!("disabled {name}; their sessions and tokens have ended"))
        }
        UserCommand::Enable { common, name } => {
            let (app, may) = common.may_here(by).await?;
            let person = people::set_disabled(&app, &may, &name, false).await?;
            if common.json {
                return print_json(&person);
            }
            say(&format!("enabled {name}"))
        }
    }
}

async fn create(target: &Target, name: &str, role: Option<Role>, global_admin: bool) -> Result<(), Failure> {
    let by = By::operator();
    let (app, may) = target.common.may_here(by.clone()).await?;
    if role.is_none() && !global_admin {
        return Err(Failure::usage("give --role ROLE, --global-admin or both"));
    }
    if role == Some(Role::GlobalAdmin) {
        return Err(Failure::usage(
            "global admin is a role on the whole installation: use --global-admin instead of --role",
        ));
    }
    let binding = match role {
        Some(role) => Some((role, target.may(by).await?.1)),
        None => None,
    };
    let new = NewPerson { name: name.to_owned(), password: Some(read_password()?), global_admin };
    let person = people::create(&app, &may, &new).await?;
    if let Some((role, may)) = binding {
        roles::bind(&app, &may, &person.name, role, &Expected::Any).await?;
    }
    if target.common.json {
        return print_json(&person);
    }
    say(&format!("created {}", person.name))
}

async fn invite(target: &Target, name: &str, role: Option<Role>, global_admin: bool) -> Result<(), Failure> {
    let by = By::operator();
    let config = target.common.config()?;
    if !config.oidc.local_passwords {
        return Err(Failure::failed(
            "passwords are not accepted here ('local_passwords' is off), so nobody can be invited to choose one; people sign in by the identity provider",
        ));
    }
    let (app, may) = target.common.may_here(by.clone()).await?;
    let binding = match role {
        Some(Role::GlobalAdmin) => {
            return Err(Failure::usage(
                "global admin is a role on the whole installation: use --global-admin instead of --role",
            ));
        }
        Some(role) => Some((role, target.may(by).await?.1)),
        None => None,
    };
    let known = people::list(&app, &may).await?.people.into_iter().find(|person| person.name == name);
    match known {
        Some(person) if global_admin && !person.global_admin => {
            return Err(Failure::failed(format!(
                "{name} exists and is not a global admin; a person is made one when they are created"
            )));
        }
        Some(_) => {}
        None => {
            let new = NewPerson { name: name.to_owned(), password: None, global_admin };
            people::create(&app, &may, &new).await?;
        }
    }
    if let Some((role, may)) = binding {
        roles::bind(&app, &may, name, role, &Expected::Any).await?;
    }
    let invitation = people::invite(&app, &may, name).await?;
    // The running service knows its address better than the configuration.
    let path = invitation.link.strip_prefix(app.settings.public_url.as_str()).unwrap_or_default();
    let url = Running::find(&config.database)
        .map_or_else(|| app.settings.public_url.clone(), |running| running.url);
    let invitation = Invitation { link: format!("{url}{path}"), ..invitation };
    if target.common.json {
        return print_json(&invitation);
    }
    say(&format!("give {name} this link; it works once, until {}:", invitation.expires_at))?;
    say(&invitation.link)
}

/// Runs a `role` command.
pub(super) async fn role(command: RoleCommand) -> Result<(), Failure> {
    let by = By::operator();
    match command {
        RoleCommand::List { target } => {
            let (app, may) = target.may(by).await?;
            let roles = roles::list(&app, &may).await?;
            if target.common.json {
                return print_json(&json!(roles));
            }
            let rows: Vec<_> = roles
                .roles
                .into_iter()
                .map(|b| vec![b.person, b.role.key().to_owned(), b.role.title().to_owned()])
                .collect();
            Ok(table::print(&mut io::stdout().lock(), &["PERSON", "ROLE", "TITLE"], &rows)?)
        }
        RoleCommand::Bind { target, person, role } => {
            let (app, may) = target.may(by).await?;
            let bound = roles::bind(&app, &may, &person, role, &Expected::Any).await?;
            if target.common.json {
                return print_json(&bound);
            }
            say(&format!("{person} is {role} of {}", may.subscription.name))
        }
        RoleCommand::Unbind { target, person } => {
            let (app, may) = target.may(by).await?;
            roles::unbind(&app, &may, &person, &Expected::Any).await?;
            if target.common.json {
                return print_json(&json!({"unbound": person}));
            }
            say(&format!("{person} no longer has a role on {}", may.subscription.name))
        }
    }
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    let most = PASSWORD_MAX as u64 + 2;
    io::Read::take(io::stdin().lock(), most)
        .read_line(&mut line)
        .map_err(|e| Failure::failed(format!("cannot read standard input: {e}")))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
