//! The commands of `netcensus-plan`. Operator commands work on the database file itself, beside a running service.

mod changes;
mod devices;
mod doctor;
mod estimate;
mod failure;
mod inventory;
mod maintain;
mod managed;
mod operate;
mod people;
mod plan;
mod rule;
mod serve;
mod snapshot;
mod statement;
mod tokens;
mod trail;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use self::failure::Failure;
#[cfg(feature = "sensor")]
pub(crate) use self::inventory::write_census;
use super::config::Config;
use super::demo;
use super::store::{By, Location, Store, Subscription, audit};
use crate::cli::log::{self, LogFormat};
use crate::cli::terminal::print_json;
use crate::cli::{self, manual, table};
use crate::clock::SystemClock;
use crate::plan::app::{self, App, May, MayHere};
use crate::plan::oidc::OidcSettings;
use crate::plan::permission::Permission;

/// Where the configuration lies on an installed system.
const INSTALLED: &str = "/etc/netcensus/netcensus-plan.toml";

/// Counts the devices that a plan bills, takes uploads from sensors, and shows both in a console.
#[derive(Debug, Parser)]
#[command(name = "netcensus-plan", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  netcensus-plan demo                            see it work: service, sensor, capture, count
  netcensus-plan serve --listen 127.0.0.1:8080   run the service; prints the first link
  netcensus-plan subscription create Contoso
  netcensus-plan plan onboard --kind monthly --devices 1700 --accept-terms
  netcensus-plan statement show 2026-11          what a month comes to, line by line
  netcensus-plan sensor token                    a one-time token for 'netcensus-sensor enrol'
  netcensus-plan census --json                   the numbers, for programs
  netcensus-plan estimate cmdb.csv               how many to commit to, before any sensor exists

Exit status: 0 done, 1 failed, 2 usage error, 69 service unavailable, 77 not permitted, 78 configuration error.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until SIGTERM or Ctrl-C
    Serve(serve::Arguments),
    /// Run a service, a sensor and a capture in one process, and print what counts
    Demo(demo::Arguments),
    /// Tell what is wrong with the service, and what to do about it
    Doctor(doctor::Arguments),
    /// Bring the database's schema up to date
    Migrate(maintain::Migrate),
    /// Copy the database into a file, beside a running service
    Backup(maintain::Backup),
    /// Restore a backup into an empty database
    Restore(maintain::Restore),
    /// Create and list subscriptions
    #[command(subcommand)]
    Subscription(operate::SubscriptionCommand),
    /// Show, onboard, replace and cancel the plan of a subscription
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Set and list the prices of a device-month
    #[command(subcommand)]
    Price(statement::PriceCommand),
    /// List, show and correct what each month comes to
    #[command(subcommand)]
    Statement(statement::StatementCommand),
    /// Enrol, list and revoke sensors
    #[command(subcommand)]
    Sensor(operate::SensorCommand),
    /// Seal, show and export what was counted at the end of a day
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Check an exported bundle, or the proof of a device, with nothing but the file
    Verify(snapshot::VerifyArguments),
    /// Print the census: what counts, and what does not
    Census(inventory::CensusArguments),
    /// Tell how many devices to commit to, from lists of yours, the inventory, or both
    Estimate(estimate::EstimateArguments),
    /// Tell when the committed number will be passed
    Forecast(estimate::ForecastArguments),
    /// List, explain, change and export the devices
    Devices(Box<devices::DevicesCommand>),
    /// Show and undo what people changed of the devices
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// List, import and forget what is managed elsewhere
    #[command(subcommand)]
    Managed(managed::ManagedCommand),
    /// Create, list, disable and enable people; give new passwords
    #[command(subcommand)]
    User(people::UserCommand),
    /// List, bind and take away roles on a subscription
    #[command(subcommand)]
    Role(people::RoleCommand),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Read and verify the audit trail
    #[command(subcommand)]
    Audit(trail::AuditCommand),
    /// Print a census rule by its id, or list all rules
    Rule(rule::Arguments),
    /// Write man pages and shell completions into a folder, for packages
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// Which database, and how to answer.
#[derive(Clone, Debug, Args)]
struct Common {
    /// The configuration file [default: /etc/netcensus/netcensus-plan.toml where it exists]
    #[arg(long, value_name = "FILE", env = "NETCENSUS_PLAN_CONFIG")]
    config: Option<PathBuf>,
    /// The database: a file, or a URL postgresql://… [default: the configuration's]
    #[arg(long, value_name = "FILE|URL", env = "NETCENSUS_PLAN_DATABASE")]
    database: Option<Location>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Which subscription.
#[derive(Clone, Debug, Args)]
struct Target {
    #[command(flatten)]
    common: Common,
    /// The subscription's id or name [default: the only one there is]
    #[arg(long, short, value_name = "ID")]
    subscription: Option<String>,
}

/// How something is changed.
#[derive(Clone, Debug, Args)]
struct Attempt {
    /// Why, for the audit trail: at most 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Check everything and store nothing
    #[arg(long)]
    dry_run: bool,
}

impl Attempt {
    /// The operator, who does it.
    fn by(&self) -> Result<By, Failure> {
        let reason = self.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
        if reason.is_some_and(|r| r.chars().count() > audit::REASON) {
            return Err(Failure::usage(format!("a reason has at most {} characters", audit::REASON)));
        }
        Ok(By { reason: reason.map(str::to_owned), dry_run: self.dry_run, ..By::operator() })
    }

    /// A prefix for the outcome of a dry run.
    fn tried(&self) -> &'static str {
        if self.dry_run { "would be: " } else { "" }
    }
}

impl Common {
    fn config(&self) -> Result<Config, Failure> {
        let installed = PathBuf::from(INSTALLED);
        let path = self.config.clone().or_else(|| installed.exists().then_some(installed));
        let mut config = Config::load(path.as_deref())?;
        if let Some(database) = &self.database {
            config.database.clone_from(database);
        }
        Ok(config)
    }

    /// The database, which must exist.
    async fn store(&self) -> Result<(Config, Store), Failure> {
        let config = self.config()?;
        if config.database.is_missing() {
            return Err(Failure::failed(format!(
                "there is no database {}; name it with --database, or start one with 'netcensus-plan serve'",
                config.database
            )));
        }
        let store = Store::open(&config.database).await?;
        Ok((config, store))
    }

    /// As [`Common::may_here`], but makes the database if there is none.
    async fn may_begin<A: Permission>(&self, by: By) -> Result<(App, MayHere<A>), Failure> {
        let config = self.config()?;
        let store = Store::open(&config.database).await?;
        Ok((application(&config, store)?, MayHere::operator(by)))
    }

    /// The application, and the proof that the operator may do `A` to the installation as a whole.
    async fn may_here<A: Permission>(&self, by: By) -> Result<(App, MayHere<A>), Failure> {
        let (config, store) = self.store().await?;
        Ok((application(&config, store)?, MayHere::operator(by)))
    }
}

impl Target {
    /// The application, and the proof that the operator may do `A` to the subscription.
    async fn may<A: Permission>(&self, by: By) -> Result<(App, May<A>), Failure> {
        let (config, store, subscription) = self.open().await?;
        Ok((application(&config, store)?, May::operator(subscription, by)))
    }

    async fn open(&self) -> Result<(Config, Store, Subscription), Failure> {
        let (config, store) = self.common.store().await?;
        let subscription = match &self.subscription {
            Some(id) => store.find_subscription(id).await?,
            None => match store.subscriptions().await?.as_slice() {
                [only] => only.clone(),
                [] => {
                    let next =
                        "there is no subscription; create one with 'netcensus-plan subscription create NAME'";
                    return Err(Failure::failed(next));
                }
                _ => {
                    let next = "there are several subscriptions; name one with --subscription, see 'netcensus-plan subscription list'";
                    return Err(Failure::usage(next));
                }
            },
        };
        Ok((config, store, subscription))
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    #[cfg(feature = "failpoints")]
    let _failpoints = super::crash::set_up();
    // The service starts the log of its configuration.
    if !matches!(command, Command::Serve(_)) {
        drop(log::start(LogFormat::Text, log::COMMANDS));
    }
    let outcome = cli::service_runtime().and_then(|runtime| runtime.block_on(run(command)));
    cli::exit("netcensus-plan", outcome)
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await.map_err(Failure::from),
        Command::Doctor(arguments) => doctor::doctor(arguments).await,
        Command::Migrate(arguments) => maintain::migrate(arguments).await,
        Command::Backup(arguments) => maintain::backup(arguments).await,
        Command::Restore(arguments) => maintain::restore(arguments).await,
        Command::Subscription(command) => operate::subscription(command).await,
        Command::Plan(command) => plan::run(command).await,
        Command::Price(command) => statement::price(command).await,
        Command::Statement(command) => statement::statement(command).await,
        Command::Sensor(command) => operate::sensor(command).await,
        Command::Snapshot(command) => snapshot::snapshot(command).await,
        Command::Verify(arguments) => snapshot::verify(&arguments),
        Command::Census(arguments) => inventory::census(arguments).await,
        Command::Estimate(arguments) => estimate::estimate(arguments).await,
        Command::Forecast(arguments) => estimate::forecast(arguments).await,
        Command::Devices(command) => devices::devices(*command).await,
        Command::Changes(command) => changes::run(command).await,
        Command::Managed(command) => managed::run(command).await,
        Command::User(command) => people::user(command).await,
        Command::Role(command) => people::role(command).await,
        Command::Token(command) => tokens::token(command).await,
        Command::Audit(command) => trail::audit(command).await,
        Command::Rule(arguments) => rule::rule(&arguments),
        Command::Manual(arguments) => manual::write(&Cli::command(), &arguments).map_err(Failure::from),
    }
}

/// The application over the database. It loads the rules when something is first counted. No command signs a person in,
/// so the application gets no identity provider.
fn application(config: &Config, store: Store) -> Result<App, Failure> {
    let config = Config { oidc: OidcSettings::default(), ..config.clone() };
    let settings = config.settings(config.url(config.listen))?;
    Ok(App::with_rules(store, Arc::new(SystemClock), config.rules().map(PathBuf::from), settings))
}

/// A service over the database, for commands that ask what it would answer.
fn service(config: &Config, store: Store) -> Result<App, Failure> {
    let settings = config.settings(config.url(config.listen))?;
    let classifier = app::classifier(config.rules())?;
    Ok(App::new(store, Arc::new(SystemClock), classifier, settings))
}
