//! Where commands get their facts: from capture files or from the running sensor.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::arguments::{ConfigArguments, zone_name};
use super::failure::{Exit, Failure};
use crate::census::{Decisions, Finding, Inventory, Limit, MostlyUnread, Policy, Survey, Timestamp};
use crate::classify::Rules;
use crate::cli;
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::config::Config;
use crate::sensor::health::SensorSnapshot;
use crate::sensor::{indicators, replay, rules};
use crate::wire::{CaptureSummary, DropSpan, FrameNumbers};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor devices                        ask the running sensor
  netcensus-sensor devices --capture office.pcap  read a capture file")]
pub(super) struct Arguments {
    /// Read this capture file instead of asking the running sensor; repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Vec<PathBuf>,
    /// Count as of this time, RFC 3339 [default: now, or with --capture the newest frame's, unless a clock jumped]
    #[arg(long, value_name = "RFC3339")]
    pub(super) as_of: Option<Timestamp>,
    /// The zone that the frames of the capture files belong to [default: the configuration's]
    #[arg(long, value_name = "NAME", value_parser = zone_name, requires = "capture")]
    pub(super) zone: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    /// Further lists of indicators.
    #[arg(skip)]
    pub(super) indicators: Vec<PathBuf>,
    /// Threads that dissect, if not as the configuration says.
    #[arg(skip)]
    pub(super) threads: Option<usize>,
}

/// An inventory, and what a survey of it needs.
pub(super) struct SurveyInput {
    /// With the facts of the tunnels that are trusted (I13).
    pub(super) inventory: Inventory,
    pub(super) capture: CaptureSummary,
    pub(super) frames: Option<FrameNumbers>,
    pub(super) refused: u64,
    pub(super) limits: Vec<Limit>,
    pub(super) mostly_unread: Option<MostlyUnread>,
    pub(super) as_of: Option<Timestamp>,
    pub(super) policy: Policy,
    pub(super) rules: Rules,
}

impl SurveyInput {
    pub(super) fn gather(arguments: &Arguments) -> Result<Self, Failure> {
        let config = arguments.config.load()?;
        let policy = config.policy();
        if arguments.capture.is_empty() {
            return Self::running(&config, arguments.as_of);
        }
        let rules = rules(&config)?;
        let options = replay::ReplayOptions {
            files: arguments.capture.clone(),
            couplings: config.limits.couplings,
            memory: config.limits.memory(),
            tunnels: config.tunnels(),
            indicators: indicators::read(
                &[&config.alerts.indicators[..], &arguments.indicators].concat(),
                SystemClock.now(),
            ),
            threads: arguments.threads.unwrap_or_else(|| config.capture.threads()),
            zone: arguments.zone.clone().unwrap_or(config.zone),
        };
        let mut replayed = replay::read(&options)?;
        replayed.inventory.admit(&policy);
        Ok(Self {
            as_of: arguments.as_of.or_else(|| replayed.inventory.believed_end()).or(replayed.counters.last),
            capture: replayed.capture(),
            refused: replayed.refused,
            mostly_unread: replayed.mostly_unread(),
            limits: replayed.limits,
            frames: Some(replayed.frames),
            inventory: replayed.inventory,
            policy,
            rules,
        })
    }

    /// What the running sensor knows, to be counted at `as_of` or now.
    pub(super) fn running(config: &Config, as_of: Option<Timestamp>) -> Result<Self, Failure> {
        let SensorSnapshot {
            mut inventory,
            capture,
            refused,
            limits,
            mostly_unread,
            rules,
            rules_problem,
            ..
        } = ask(config)?;
        if let Some(problem) = rules_problem {
            tracing::warn!(
                "the running sensor uses the built-in rules only, because its own are invalid: {problem}"
            );
        }
        let rules = Rules::of(&rules)?;
        let as_of = Some(as_of.unwrap_or_else(|| SystemClock.now()));
        let policy = config.policy();
        inventory.admit(&policy);
        Ok(Self { inventory, capture, frames: None, refused, limits, mostly_unread, as_of, policy, rules })
    }

    pub(super) fn survey(&self) -> Survey<'_> {
        let decisions = Decisions::default();
        let as_of = self.as_of.unwrap_or_default();
        let mut survey = Survey::new(&self.inventory, &self.policy, &decisions, &self.rules, as_of);
        if self.refused > 0 {
            survey.census.lower_bound = true;
            for (zone, limit) in self
                .inventory
                .zones
                .keys()
                .flat_map(|zone| self.limits.iter().map(move |limit| (zone, *limit)))
            {
                survey.findings.push(Finding::lower_bound(zone, limit));
            }
        }
        if let Some(mostly) = &self.mostly_unread {
            for zone in self.inventory.zones.keys() {
                survey.findings.push(Finding::of_unread(zone, mostly));
            }
        }
        if let Some(DropSpan { first, last }) = self.capture.drops {
            for zone in self.inventory.zones.keys() {
                survey.findings.push(Finding::frames_dropped(zone, self.capture.dropped, first, last));
            }
        }
        survey
    }
}

/// The built-in rules and those of the configured folder.
pub(super) fn rules(config: &Config) -> Result<Rules, Failure> {
    Ok(Rules::of(&rules::read(&config.rules.directory)?)?)
}

/// Asks the running sensor (its capture half, if the halves run apart) for its inventory.
pub(super) fn ask(config: &Config) -> Result<SensorSnapshot, Failure> {
    ask_at(&config.control_path(), "inventory")
}

/// Requests `what` from a sensor process over its control socket.
pub(super) fn ask_at<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, Failure> {
    let unavailable = |why: String| {
        let message = format!(
            "{}: {why}; start the sensor with 'netcensus-sensor run', or read a file with --capture",
            path.display()
        );
        Failure::new(Exit::Unavailable, message)
    };
    match std::fs::metadata(path) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            let message = format!(
                "{}: only root and the sensor's user may ask the running sensor; use sudo",
                path.display()
            );
            return Err(Failure::new(Exit::NotPermitted, message));
        }
        Err(_) => return Err(unavailable("the sensor is not running".to_owned())),
    }
    let runtime = cli::runtime()?;
    let answer: Result<T, reqwest::Error> = runtime.block_on(async {
        let client = crate::tls::client().unix_socket(path).timeout(Duration::from_mins(1)).build()?;
        client.get(format!("http://sensor/{what}")).send().await?.error_for_status()?.json().await
    });
    answer.map_err(|e| {
        if e.is_decode() {
            return Failure::failed(
                "the running sensor has another version than this command; restart the sensor",
            );
        }
        let mut inner: &dyn std::error::Error = &e;
        while let Some(source) = inner.source() {
            inner = source;
        }
        unavailable(format!("the sensor does not answer: {inner}"))
    })
}
