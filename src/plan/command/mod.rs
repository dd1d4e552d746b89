//! The commands of `netcensus-plan`. Operator commands work on the database itself; the service may run meanwhile.

mod alerts;
mod arguments;
mod changes;
mod device_table;
mod devices;
mod doctor;
mod estimate;
mod estimate_report;
mod failure;
mod feeds;
mod findings;
mod inventory;
mod maintain;
mod managed;
mod mutes;
mod notices;
mod operate;
mod people;
mod plan;
mod progress;
mod remembered;
mod selection;
mod serve;
mod snapshot;
mod statement;
mod tokens;
mod trail;
mod views;
mod vulnerabilities;
mod zones;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::failure::Failure;
#[cfg(feature = "sensor")]
pub(crate) use self::inventory::write_census;
use super::app::freshness;
use super::demo;
use crate::cli::log::{self, LogFormat};
use crate::cli::{self, manual, rule};

/// Counts the devices that a plan bills, takes uploads from sensors, and shows both in a console.
#[derive(Debug, Parser)]
#[command(name = "netcensus-plan", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  netcensus-plan demo                            try it: service, sensor, capture and count
  netcensus-plan serve --listen 127.0.0.1:8080   run the service; prints the link for the first sign-in
  netcensus-plan subscription create Contoso
  netcensus-plan plan onboard --kind monthly --devices 1700 --accept-terms
  netcensus-plan statement show 2026-11          the charges of a month, line by line
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
    /// Find problems of the service, and print how to solve each
    Doctor(doctor::Arguments),
    /// Bring the database's schema up to date
    Migrate(maintain::Migrate),
    /// Copy the database into a file; the service may run meanwhile
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
    /// List, show and correct the monthly statements
    #[command(subcommand)]
    Statement(statement::StatementCommand),
    /// Enrol, list and revoke sensors
    #[command(subcommand)]
    Sensor(operate::SensorCommand),
    /// Seal, show and export the count at the end of a day
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Check an exported bundle, or the proof of a device, without a database or network
    Verify(snapshot::VerifyArguments),
    /// Print the census: how many devices count, and how many do not
    Census(inventory::CensusArguments),
    /// Estimate how many devices to commit to, from your lists, the inventory, or both
    Estimate(estimate::EstimateArguments),
    /// Forecast when the count passes the committed number
    Forecast(estimate::ForecastArguments),
    /// List, explain, change and export the devices
    Devices(Box<devices::DevicesCommand>),
    /// List, save and delete views: lists of devices with a name
    #[command(subcommand)]
    Views(views::ViewsCommand),
    /// List, show and undo the changes that people made to devices
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// List, close and reopen findings: what a person should check
    #[command(subcommand)]
    Findings(findings::FindingsCommand),
    /// Import advisories, and list which devices have which vulnerabilities
    #[command(subcommand)]
    Vulnerabilities(vulnerabilities::VulnerabilitiesCommand),
    /// List alerts and decide about them: what devices did that a person should look at
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Make mute rules: which alerts are listed, but told to nobody
    #[command(subcommand)]
    Mutes(mutes::MutesCommand),
    /// Manage the feeds of indicators: addresses, networks and names that are known to be malicious
    #[command(subcommand)]
    Feeds(feeds::FeedsCommand),
    /// List recommendations: insecure ways in which devices are administered
    Recommendations(alerts::RecommendationsArguments),
    /// List notices: what a person should hear of; send a test e-mail
    #[command(subcommand)]
    Notices(notices::NoticesCommand),
    /// List, import and forget devices that other systems manage
    #[command(subcommand)]
    Managed(managed::ManagedCommand),
    /// List, rename and merge zones
    #[command(subcommand)]
    Zones(zones::ZonesCommand),
    /// Create, list, disable and enable people; set passwords
    #[command(subcommand)]
    User(people::UserCommand),
    /// List, bind and remove roles on a subscription
    #[command(subcommand)]
    Role(people::RoleCommand),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Read and verify the audit trail
    #[command(subcommand)]
    Audit(trail::AuditCommand),
    /// Print a census rule by its id, or list all rules
    #[command(after_help = "Examples:
  netcensus-plan rule            list all rules
  netcensus-plan rule X-IDLE     print a rule
  netcensus-plan rule I8c        print the rule that contains a clause")]
    Rule(rule::Arguments),
    /// Write man pages and shell completions into a folder, for packages
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    #[cfg(feature = "failpoints")]
    let _failpoints = super::crash::set_up();
    // The command serve starts the log itself, as its configuration says.
    if !matches!(command, Command::Serve(_)) {
        drop(log::start(LogFormat::Text, log::COMMANDS));
    }
    let outcome = cli::service_runtime().and_then(|runtime| runtime.block_on(run(command)));
    cli::exit("netcensus-plan", outcome)
}

/// Runs a command, and then says on standard error from what a past count was made.
async fn run(command: Command) -> Result<(), Failure> {
    let (outcome, noted) = freshness::noting(run_silently(command)).await;
    if let (Ok(()), Some((as_of, basis))) = (&outcome, noted.past) {
        writeln!(io::stderr(), "note: the count at {as_of} is {basis}").ok();
    }
    outcome
}

async fn run_silently(command: Command) -> Result<(), Failure> {
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
        Command::Views(command) => views::run(command).await,
        Command::Changes(command) => changes::run(command).await,
        Command::Findings(command) => findings::run(command).await,
        Command::Vulnerabilities(command) => vulnerabilities::run(command).await,
        Command::Alerts(command) => alerts::run(command).await,
        Command::Mutes(command) => mutes::run(command).await,
        Command::Feeds(command) => feeds::run(command).await,
        Command::Recommendations(arguments) => alerts::recommendations(arguments).await,
        Command::Notices(command) => notices::run(command).await,
        Command::Managed(command) => managed::run(command).await,
        Command::Zones(command) => zones::run(command).await,
        Command::User(command) => people::user(command).await,
        Command::Role(command) => people::role(command).await,
        Command::Token(command) => tokens::token(command).await,
        Command::Audit(command) => trail::audit(command).await,
        Command::Rule(arguments) => rule::print("netcensus-plan", &arguments),
        Command::Manual(arguments) => manual::write(&Cli::command(), &arguments).map_err(Failure::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_the_documents_name_exists() {
        rule::assert_documented_commands_exist("netcensus-plan", Cli::try_parse_from);
    }
}
