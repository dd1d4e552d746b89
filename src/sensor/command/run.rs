//! `run`: the daemon.

use super::arguments::ConfigArguments;
use super::failure::Failure;
use crate::cli::log;
use crate::sensor::config::Config;
use crate::sensor::daemon::{self, Half, RunOptions};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor run --interface eth1
  netcensus-sensor run --config /etc/netcensus/netcensus-sensor.toml
  netcensus-sensor run --only capture            the half that needs CAP_NET_RAW but no network
  netcensus-sensor run --only upload             the half that needs the network but no privilege")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Run only one half; the two halves exchange uploads through the spool
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Capture on this interface instead of those in the configuration; repeatable
    #[arg(long = "interface", short = 'i', value_name = "NAME")]
    interfaces: Vec<String>,
    /// Wait for interfaces that are not there, instead of refusing to start
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Only {
    /// From the mirror port into the spool
    Capture,
    /// From the spool to the plan service
    Upload,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config: Config = arguments.config.load()?;
    if !arguments.interfaces.is_empty() {
        config.capture.interfaces = arguments.interfaces;
    }
    let set_level = log::start(config.log.format, &config.log.level);
    let only = arguments.only.map(|only| match only {
        Only::Capture => Half::Capture,
        Only::Upload => Half::Upload,
    });
    Ok(daemon::run(RunOptions {
        config_path: arguments.config.config,
        config,
        only,
        wait: arguments.wait,
        set_level,
    })?)
}
