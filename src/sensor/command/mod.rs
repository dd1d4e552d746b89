//! The commands of `netcensus-sensor`.

mod arguments;
mod coverage;
mod devices;
mod doctor;
mod enrol;
mod explain;
mod failure;
mod indicators;
mod interfaces;
mod rules;
mod run;
mod security;
mod simulate;
mod source;
mod top;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::arguments::{ConfigArguments, zone_name};
use self::failure::Failure;
use crate::census::Timestamp;
use crate::cli::log::{self, LogFormat};
use crate::cli::terminal::safe;
use crate::cli::{self, manual, rule};

/// Finds the devices on a network from a mirrored switch port and uploads them to the plan service.
#[derive(Debug, Parser)]
#[command(name = "netcensus-sensor", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    /// Print errors only, no warnings; 'run' logs as [log] in its configuration says
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  netcensus-sensor replay office.pcap              count the devices in a capture file; needs no privilege
  netcensus-sensor explain 10.2.0.41 --capture office.pcap
  netcensus-sensor simulate --capture office.pcap  compare the count with other ways to count
  netcensus-sensor interfaces                      list the interfaces to capture on
  netcensus-sensor enrol nce2_...                  join a subscription, once
  netcensus-sensor run --interface eth1            capture and upload until stopped
  netcensus-sensor doctor                          find problems and their remedies
  netcensus-sensor devices                         list the devices of the running sensor
  netcensus-sensor top                             watch them in the terminal
  netcensus-sensor rules coverage                  list what devices said that no rule matches

Exit status: 0 done, 1 failed, 2 usage error, 69 service unavailable, 77 not permitted, 78 configuration error.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Capture from mirror ports and upload changes until SIGTERM or Ctrl-C; SIGHUP reloads the configuration
    Run(run::Arguments),
    /// Read capture files as one capture and print the census
    Replay(ReplayArguments),
    /// Exchange a one-time token for this sensor's identity
    Enrol(enrol::Arguments),
    /// Check the configuration and the rules, and print the settings in effect
    Validate(ValidateArguments),
    /// Check interfaces, mirror port, clock, plan service, spool and confinement, and print a remedy for each problem
    Doctor(doctor::Arguments),
    /// List the interfaces and whether the sensor can capture on them
    Interfaces(interfaces::Arguments),
    /// List the devices of the running sensor or of capture files
    Devices(source::Arguments),
    /// Explain why an address or a MAC counts or does not count
    Explain(explain::Arguments),
    /// Count the same devices in other ways and list the differences
    Simulate(simulate::Arguments),
    /// Watch the census of the running sensor in the terminal
    Top(top::Arguments),
    /// List the classification rules, run their tests, and measure what they cover
    #[command(subcommand)]
    Rules(rules::Command),
    /// Read feeds of indicators, tell what they hold, and look addresses and names up
    Indicators(indicators::Arguments),
    /// Print a census rule by its id, or list all rules
    #[command(after_help = "Examples:
  netcensus-sensor rule            list all rules
  netcensus-sensor rule X-IDLE     print a rule
  netcensus-sensor rule I8c        print the rule that contains a clause")]
    Rule(rule::Arguments),
    /// Write man pages and shell completions into a folder, for packages
    #[command(hide = true)]
    Manual(manual::Arguments),
}

#[derive(Debug, clap::Args)]
struct ValidateArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// For the service manager: fail only if the configuration is valid but names no interface
    #[arg(long)]
    interfaces: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor replay office.pcap
  netcensus-sensor replay --findings office.pcap
  netcensus-sensor replay --json monday.pcapng.gz tuesday.pcapng.gz > inventory.json
  tcpdump -i eth1 -w - | netcensus-sensor replay -")]
struct ReplayArguments {
    /// Print the inventory as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    security: security::SecurityArguments,
    #[command(flatten)]
    config: ConfigArguments,
    /// Count as of this time, RFC 3339 [default: the newest frame's, unless a clock jumped]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
    /// The zone that the frames belong to [default: the configuration's]
    #[arg(long, value_name = "NAME", value_parser = zone_name)]
    zone: Option<String>,
    /// Threads that dissect frames, beside one that reads them; 1 reads and dissects in one thread [default: the
    /// configuration's]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=32))]
    threads: Option<u16>,
    /// Capture files (pcap or pcapng, also compressed by gzip or zstd); - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let Cli { quiet, command } = Cli::parse();
    // `run` starts the log of its configuration.
    if !matches!(command, Command::Run(_)) {
        drop(log::start(LogFormat::Text, if quiet { "error" } else { log::COMMANDS }));
    }
    let outcome = match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Replay(arguments) => replay(arguments),
        Command::Enrol(arguments) => enrol::enrol(&arguments),
        Command::Validate(arguments) => validate(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Indicators(arguments) => indicators::list(&arguments),
        Command::Interfaces(arguments) => interfaces::list(&arguments),
        Command::Devices(arguments) => devices::list(arguments),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Simulate(arguments) => simulate::simulate(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Rules(command) => rules::run(command),
        Command::Rule(arguments) => rule::print("netcensus-sensor", &arguments),
        Command::Manual(arguments) => manual::write(&Cli::command(), &arguments).map_err(Failure::from),
    };
    cli::exit("netcensus-sensor", outcome)
}

fn replay(arguments: ReplayArguments) -> Result<(), Failure> {
    let ReplayArguments { json, security, config, as_of, zone, threads, files } = arguments;
    let threads = threads.map(usize::from);
    let indicators = security.indicators.clone();
    let arguments = source::Arguments { capture: files, as_of, zone, json, config, indicators, threads };
    if security.findings { security::list(&arguments, &security) } else { devices::list(arguments) }
}

fn validate(arguments: &ValidateArguments) -> Result<(), Failure> {
    let config = arguments.config.load();
    if arguments.interfaces {
        // The service itself reports an invalid configuration when it starts.
        return match config {
            Ok(config) if config.capture.interfaces.is_empty() => {
                Err(Failure::failed("no interface to capture on; set capture.interfaces"))
            }
            _ => Ok(()),
        };
    }
    let config = config?;
    let rules = source::rules(&config)?;
    crate::security::load(&config.alerts.rules).map_err(|e| Failure::configuration(e.to_string()))?;
    let mut out = io::stdout().lock();
    let interfaces = if config.capture.interfaces.is_empty() {
        "none yet: set capture.interfaces".to_owned()
    } else {
        config.capture.interfaces.join(", ")
    };
    writeln!(out, "The configuration is valid.")?;
    writeln!(out, "  zone        {}", config.zone)?;
    writeln!(out, "  interfaces  {interfaces}")?;
    writeln!(out, "  rules       {}", rules.len())?;
    for note in rules.notes() {
        writeln!(out, "              {}", safe(note))?;
    }
    writeln!(out, "  state       {}", config.state_directory.display())?;
    writeln!(
        out,
        "  spool       {}, at most {} MiB",
        config.spool_directory().display(),
        config.spool.max_mib
    )?;
    writeln!(out, "  upload      every {:?}", config.upload.interval)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_shows_help() {
        Cli::command().debug_assert();
        for command in [
            "run",
            "replay",
            "enrol",
            "validate",
            "doctor",
            "interfaces",
            "devices",
            "explain",
            "simulate",
            "top",
            "rules",
        ] {
            let shown = Cli::try_parse_from(["netcensus-sensor", command, "--help"]).unwrap_err();
            assert_eq!(shown.kind(), clap::error::ErrorKind::DisplayHelp, "{command}");
        }
    }

    #[test]
    fn every_command_that_the_documents_name_exists() {
        rule::assert_documented_commands_exist("netcensus-sensor", Cli::try_parse_from);
    }

    #[test]
    fn an_address_or_a_mac_is_explained_and_nothing_else() {
        let parse = |subject| Cli::try_parse_from(["netcensus-sensor", "explain", subject]);
        for good in ["10.0.0.1", "fe80::1", "aa:bb:cc:dd:ee:ff", "AABB.CCDD.EEFF"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["", "10.0.0", "aa:bb", "host"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
