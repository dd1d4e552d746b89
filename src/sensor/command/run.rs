//! `run`: the daemon.

use super::super::config::Config;
use super::super::daemon::{self, Half, Options};
use super::{ConfigArguments, Failure, logging};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor run --interface eth1
  netcensus-sensor run --config /etc/netcensus/netcensus-sensor.toml
  netcensus-sensor run --only capture            the half that needs CAP_NET_RAW and no network
  netcensus-sensor run --only upload             the half that needs the network and no privilege")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Run one half alone; both meet in the spool
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Capture on this interface, instead of those in the configuration; may be repeated
    #[arg(long = "interface", short = 'i', value_name = "NAME")]
    interfaces: Vec<String>,
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
    let set_level = logging::start(config.log.format, &config.log.level);
    let only = arguments.only.map(|only| match only {
        Only::Capture => Half::Capture,
        Only::Upload => Half::Upload,
    });
    Ok(daemon::run(Options { config_path: arguments.config.config, config, only, set_level })?)
}
