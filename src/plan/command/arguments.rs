//! The arguments that commands share; from them, commands get the application and the operator's proof.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::failure::Failure;
use super::remembered;
use crate::clock::SystemClock;
use crate::plan::app::inventory::Patience;
use crate::plan::app::{self, App, May, MayHere, Settings};
use crate::plan::config::Config;
use crate::plan::oidc::OidcSettings;
use crate::plan::permission::Permission;
use crate::plan::store::{By, Location, Store, Subscription, audit};

/// The variable that names the subscription.
const SUBSCRIPTION: &str = "NETCENSUS_PLAN_SUBSCRIPTION";
/// The configuration file of an installed system.
const INSTALLED: &str = "/etc/netcensus/netcensus-plan.toml";

/// The database, and the form of the output.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// The configuration file [default: /etc/netcensus/netcensus-plan.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "NETCENSUS_PLAN_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The database: a file, or a URL postgresql://… [default: as configured]
    #[arg(long, value_name = "FILE|URL", env = "NETCENSUS_PLAN_DATABASE")]
    pub(super) database: Option<Location>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// The subscription.
#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) common: Common,
    /// The subscription's id or name; not needed if there is only one [env: NETCENSUS_PLAN_SUBSCRIPTION] [default: see 'subscription use']
    #[arg(long, short, value_name = "ID")]
    pub(super) subscription: Option<String>,
}

/// The reason for a change, and whether it is only tried.
#[derive(Clone, Debug, Args)]
pub(super) struct Attempt {
    /// The reason, for the audit trail: at most 200 characters
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Check the change and print its result, but store nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Attempt {
    /// The operator, with the reason that they gave.
    pub(super) fn by(&self) -> Result<By, Failure> {
        let reason = self.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
        if reason.is_some_and(|r| r.chars().count() > audit::REASON) {
            return Err(Failure::usage(format!("the reason is longer than {} characters", audit::REASON)));
        }
        Ok(By { reason: reason.map(str::to_owned), dry_run: self.dry_run, ..By::operator() })
    }

    /// The words before the outcome of a dry run.
    pub(super) fn tried(&self) -> &'static str {
        if self.dry_run { "would be: " } else { "" }
    }
}

impl Common {
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let installed = PathBuf::from(INSTALLED);
        let path = self.config.clone().or_else(|| installed.exists().then_some(installed));
        let mut config = Config::load(path.as_deref())?;
        if let Some(database) = &self.database {
            config.database.clone_from(database);
        }
        Ok(config)
    }

    /// The database, which must exist: only `serve` and `restore` make one.
    pub(super) async fn store(&self) -> Result<(Config, Store), Failure> {
        let config = self.config()?;
        let store = Store::open_existing(&config.database).await?;
        Ok((config, store))
    }

    /// The application, and the proof that the operator may do `A` to the installation as a whole.
    pub(super) async fn may_here<A: Permission>(&self, by: By) -> Result<(App, MayHere<A>), Failure> {
        let (config, store) = self.store().await?;
        Ok((application(&config, store)?, MayHere::operator(by)))
    }
}

impl Target {
    /// The application, and the proof that the operator may do `A` to the subscription.
    pub(super) async fn may<A: Permission>(&self, by: By) -> Result<(App, May<A>), Failure> {
        let (config, store, subscription) = self.open().await?;
        Ok((application(&config, store)?, May::operator(subscription, by)))
    }

    pub(super) async fn open(&self) -> Result<(Config, Store, Subscription), Failure> {
        let (config, store) = self.common.store().await?;
        // Not an argument's `env`: commands that work without a service ask whether the argument was given.
        let named = std::env::var(SUBSCRIPTION).ok().filter(|name| !name.is_empty());
        let subscription = match self.subscription.as_ref().or(named.as_ref()) {
            Some(id) => store.find_subscription(id).await?,
            None => match store.subscriptions().await?.as_slice() {
                [only] => only.clone(),
                [] => {
                    let next =
                        "there is no subscription; create one with 'netcensus-plan subscription create NAME'";
                    return Err(Failure::failed(next));
                }
                several => {
                    let used = remembered::subscription(&config.database);
                    let used = several.iter().find(|one| used.as_deref() == Some(one.id.as_str()));
                    let next = "there are several subscriptions; choose one with --subscription, with the variable NETCENSUS_PLAN_SUBSCRIPTION, or once for all with 'netcensus-plan subscription use NAME' ('netcensus-plan subscription list' lists them)";
                    used.cloned().ok_or_else(|| Failure::usage(next))?
                }
            },
        };
        Ok((config, store, subscription))
    }
}

/// The application over the database. It loads the rules when something is first counted. No command signs a person in,
/// so the application gets no identity provider.
pub(super) fn application(config: &Config, store: Store) -> Result<App, Failure> {
    let config = Config { oidc: OidcSettings::default(), ..config.clone() };
    let terms = config.terms.read().map_err(Failure::configuration)?.map(Arc::new);
    let settings = config.settings(config.url(config.listen))?;
    let settings = Settings { patience: Patience::ENDLESS, terms, ..settings };
    Ok(App::with_rules(store, Arc::new(SystemClock), config.rules().map(PathBuf::from), settings))
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// The application as the service runs it, with the rules loaded, for `doctor`.
pub(super) fn service(config: &Config, store: Store) -> Result<App, Failure> {
    let settings = Settings { patience: Patience::ENDLESS, ..config.settings(config.url(config.listen))? };
    let classifier = app::classifier(config.rules())?;
    Ok(App::new(store, Arc::new(SystemClock), classifier, settings))
}
