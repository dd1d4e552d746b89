//! The commands of `netcensus-sensor`.

mod coverage;
mod devices;
mod doctor;
mod enrol;
mod explain;
mod failure;
mod interfaces;
mod rule;
mod rules;
mod run;
mod simulate;
mod source;
mod text;
mod top;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::failure::{FAILED, Failure};
use super::config::Config;
use super::logging;
use crate::census::Timestamp;
use crate::manual;

/// Finds the devices on a network from a mirrored switch port, and tells the plan service what they are.
#[derive(Debug, Parser)]
#[command(name = "netcensus-sensor", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    /// Print no warnings, only errors; `run` logs as its configuration says
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  netcensus-sensor replay office.pcap             the census of a capture file; needs no privilege
  netcensus-sensor explain 10.2.0.41 --capture office.pcap
  netcensus-sensor simulate --capture office.pcap how many other ways to count would find
  netcensus-sensor interfaces                     what there is to capture on
  netcensus-sensor enrol nce2_...                 join a subscription, once
  netcensus-sensor run --interface eth1           capture and upload until stopped
  netcensus-sensor doctor                         what is wrong, and what to do about it
  netcensus-sensor devices                        what the running sensor knows
  netcensus-sensor top                            the same, live in the terminal
  netcensus-sensor rules coverage                 what no rule knows

Exit status: 0 done, 1 failed, 2 usage, 69 service unavailable, 77 not permitted, 78 bad configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Capture from mirror ports and upload what changes, until SIGTERM or Ctrl-C; SIGHUP reads the configuration anew
    Run(run::Arguments),
    /// Read capture files as one capture, and print the census
    Replay(ReplayArguments),
    /// Exchange a one-time token for this sensor's identity
    Enrol(enrol::Arguments),
    /// Check the configuration and the rules, and print what is in effect
    Validate(ValidateArguments),
    /// Find out what is wrong: interfaces, mirror port, clock, plan service, spool, confinement; each with its remedy
    Doctor(doctor::Arguments),
    /// List the interfaces, and whether they can be captured
    Interfaces(interfaces::Arguments),
    /// List the devices of the running sensor, or of capture files
    Devices(source::Arguments),
    /// Tell why an address or a MAC is counted, or is not
    Explain(explain::Arguments),
    /// Count the same devices in other ways, and list those that differ
    Simulate(simulate::Arguments),
    /// Watch the census of the running sensor in the terminal
    Top(top::Arguments),
    /// List, test and measure the rules by which devices are told apart
    #[command(subcommand)]
    Rules(rules::Command),
    /// Print a census rule by its id, or list all rules
    Rule(rule::Arguments),
    /// Write man pages and shell completions into a folder, for packages
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
struct ConfigArguments {
    /// The configuration file [default: /etc/netcensus/netcensus-sensor.toml where it exists]
    #[arg(long, value_name = "FILE", env = "NETCENSUS_SENSOR_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArguments {
    fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config.as_deref())?)
    }
}

#[derive(Debug, clap::Args)]
struct ValidateArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Fail where the configuration is good and names no interface, and in no other case: for the service manager
    #[arg(long)]
    interfaces: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor replay office.pcap
  netcensus-sensor replay --json monday.pcapng.gz tuesday.pcapng.gz > inventory.json
  tcpdump -i eth1 -w - | netcensus-sensor replay -")]
struct ReplayArguments {
    /// Print the inventory document, one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArguments,
    /// The instant of the verdicts, RFC 3339 [default: the newest frame's]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
    /// The zone of the frames [default: the configuration's]
    #[arg(long, value_name = "NAME", value_parser = zone_name)]
    zone: Option<String>,
    /// Capture files, pcap or pcapng, also compressed with gzip or zstd; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !matches!(cli.command, Command::Run(_)) {
        quiet_log(if cli.quiet { "error" } else { "warn" });
    }
    let outcome = match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Replay(arguments) => replay(arguments),
        Command::Enrol(arguments) => enrol::enrol(&arguments),
        Command::Validate(arguments) => validate(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Interfaces(arguments) => interfaces::list(&arguments),
        Command::Devices(arguments) => devices::list(arguments),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Simulate(arguments) => simulate::simulate(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Rules(command) => rules::run(command),
        Command::Rule(arguments) => rule::rule(&arguments),
        Command::Manual(arguments) => manual::write(&Cli::command(), &arguments).map_err(Failure::from),
    };
    match outcome {
        Ok(()) | Err(Failure { exit: 0, .. }) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is closed, the code alone tells.
            writeln!(io::stderr(), "netcensus-sensor: {failure}").ok();
            ExitCode::from(failure.exit)
        }
    }
}

fn replay(arguments: ReplayArguments) -> Result<(), Failure> {
    let ReplayArguments { json, config, as_of, zone, files } = arguments;
    devices::list(source::Arguments { capture: files, as_of, zone, json, config })
}

fn validate(arguments: &ValidateArguments) -> Result<(), Failure> {
    let config = arguments.config.load();
    if arguments.interfaces {
        // What is wrong is told by the start itself.
        return match config {
            Ok(config) if config.capture.interfaces.is_empty() => {
                Err(Failure::new(FAILED, "no interface to capture on; set capture.interfaces"))
            }
            _ => Ok(()),
        };
    }
    let config = config?;
    let rules = source::rules(&config)?;
    let mut out = io::stdout().lock();
    let interfaces = if config.capture.interfaces.is_empty() {
        "none yet: set capture.interfaces".to_owned()
    } else {
        config.capture.interfaces.join(", ")
    };
    writeln!(out, "The configuration is good.")?;
    writeln!(out, "  zone        {}", config.zone)?;
    writeln!(out, "  interfaces  {interfaces}")?;
    writeln!(out, "  rules       {}", rules.len())?;
    for note in rules.notes() {
        writeln!(out, "              {}", text::safe(note))?;
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

fn zone_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 || text.contains(char::is_control) {
        return Err("a zone's name has 1 to 64 bytes and no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// The log of commands that end by themselves: text on standard error.
fn quiet_log(level: &str) {
    drop(logging::start(super::config::LogFormat::Text, level));
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
