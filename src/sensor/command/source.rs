//! Where the commands have their facts from: capture files, or the running sensor.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::failure::{FAILED, Failure, NOT_PERMITTED, UNAVAILABLE};
use super::{ConfigArguments, zone_name};
use crate::census::{Decisions, Inventory, Policy, Survey, Timestamp};
use crate::classify::Rules;
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::config::Config;
use crate::sensor::health::Snapshot;
use crate::sensor::{replay, rules};
use crate::wire::{CaptureSummary, FrameNumbers};

/// Options of the commands that look at an inventory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor devices                        of the running sensor
  netcensus-sensor devices --capture office.pcap")]
pub(super) struct Arguments {
    /// Read this capture file instead of asking the running sensor; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Vec<PathBuf>,
    /// The instant of the verdicts, RFC 3339 [default: the newest frame's of files, else now]
    #[arg(long, value_name = "RFC3339")]
    pub(super) as_of: Option<Timestamp>,
    /// The zone of the frames in files [default: the configuration's]
    #[arg(long, value_name = "NAME", value_parser = zone_name, requires = "capture")]
    pub(super) zone: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
}

/// All that is needed for a survey.
pub(super) struct Facts {
    pub(super) inventory: Inventory,
    pub(super) capture: CaptureSummary,
    pub(super) frames: Option<FrameNumbers>,
    pub(super) refused: u64,
    pub(super) as_of: Option<Timestamp>,
    pub(super) policy: Policy,
    pub(super) rules: Rules,
}

impl Facts {
    pub(super) fn gather(arguments: &Arguments) -> Result<Self, Failure> {
        let config = arguments.config.load()?;
        let policy = config.policy();
        if arguments.capture.is_empty() {
            let Snapshot { inventory, capture, refused, rules, rules_problem, .. } = ask(&config)?;
            if let Some(problem) = rules_problem {
                tracing::warn!(
                    "the running sensor has refused its rules, the built-in ones are used: {problem}"
                );
            }
            let rules = Rules::of(&rules)?;
            let as_of = Some(arguments.as_of.unwrap_or_else(|| SystemClock.now()));
            return Ok(Self { inventory, capture, frames: None, refused, as_of, policy, rules });
        }
        let rules = rules(&config)?;
        let options = replay::Options {
            files: arguments.capture.clone(),
            zone: arguments.zone.clone().unwrap_or(config.zone),
            couplings: config.limits.couplings,
        };
        let replayed = replay::read(&options)?;
        Ok(Self {
            as_of: arguments.as_of.or(replayed.counters.last),
            capture: replayed.capture(),
            refused: replayed.refused,
            frames: Some(replayed.frames),
            inventory: replayed.inventory,
            policy,
            rules,
        })
    }
}

impl Facts {
    /// The survey of these facts.
    pub(super) fn survey(&self) -> Survey<'_> {
        let decisions = Decisions::default();
        let as_of = self.as_of.unwrap_or_default();
        let mut survey = Survey::new(&self.inventory, &self.policy, &decisions, &self.rules, as_of);
        survey.census.lower_bound |= self.refused > 0;
        survey
    }
}

/// The rules of the configuration.
pub(super) fn rules(config: &Config) -> Result<Rules, Failure> {
    Ok(Rules::of(&rules::read(&config.rules.directory)?)?)
}

/// Asks the running sensor, or its half that captures, for its inventory.
pub(super) fn ask(config: &Config) -> Result<Snapshot, Failure> {
    ask_at(&config.control_path(), "inventory")
}

/// Asks a running process by its socket.
pub(super) fn ask_at<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, Failure> {
    let unavailable = |why: String| {
        let message = format!(
            "{}: {why}; start the sensor with 'netcensus-sensor run', or name capture files with --capture",
            path.display()
        );
        Failure::new(UNAVAILABLE, message)
    };
    match std::fs::metadata(path) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            let message = format!(
                "{}: the running sensor answers its own user and root only; use sudo",
                path.display()
            );
            return Err(Failure::new(NOT_PERMITTED, message));
        }
        Err(_) => return Err(unavailable("no sensor is running here".to_owned())),
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer: Result<T, reqwest::Error> = runtime.block_on(async {
        let client = crate::tls::client().unix_socket(path).timeout(Duration::from_mins(1)).build()?;
        client.get(format!("http://sensor/{what}")).send().await?.error_for_status()?.json().await
    });
    answer.map_err(|e| {
        if e.is_decode() {
            return Failure::new(FAILED, "the running sensor has another version; restart it".to_owned());
        }
        let mut inner: &dyn std::error::Error = &e;
        while let Some(source) = inner.source() {
            inner = source;
        }
        unavailable(format!("the sensor does not answer: {inner}"))
    })
}
