//! `doctor`: problems of the sensor, and their remedies.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::arguments::ConfigArguments;
use super::failure::{Exit, Failure};
use super::source::{self, SurveyInput, ask_at};
use crate::capture::fanout::Group;
use crate::capture::live::{Live, LiveError, Settings};
use crate::census::MacAddr;
use crate::cli;
use crate::clock::{Clock as _, SystemClock};
use crate::dissect::LinkType;
use crate::doctor::CENSUS;
use crate::sensor::config::Config;
use crate::sensor::doctor::mirror::Mirror;
use crate::sensor::doctor::{CheckOutcome, Finding, Report, interface, running, service, storage};
use crate::sensor::health::SensorState;
use crate::sensor::pipeline::capturing;
use crate::sensor::pipeline::table::Table;
use crate::sensor::pipeline::worker::Worker;

const WAIT: Duration = Duration::from_millis(100);
/// Maximum number of couplings in the table of the mirror check.
const COUPLINGS: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sudo netcensus-sensor doctor
  sudo netcensus-sensor doctor --seconds 30 --interface eth1
  sudo netcensus-sensor doctor --json | jq '.findings[] | select(.outcome != \"good\")'

Exit status: 0 no problem found, 1 problems found.")]
pub(super) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Check this interface instead of those in the configuration; repeatable
    #[arg(long = "interface", short = 'i', value_name = "NAME")]
    interfaces: Vec<String>,
    /// How many seconds to capture on each interface
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn doctor(arguments: &Arguments) -> Result<(), Failure> {
    let mut config = arguments.config.load()?;
    if !arguments.interfaces.is_empty() {
        config.capture.interfaces.clone_from(&arguments.interfaces);
    }
    let report = Report::from(examine(&config, arguments.seconds)?);
    report.write(arguments.json, &mut io::stdout().lock())?;
    if report.healthy {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} of {} findings are problems; each has its remedy above",
        report.problems(),
        report.findings.len()
    )))
}

fn examine(config: &Config, seconds: u64) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![rules(config)];
    let (states, spoken) = ask(config);
    if config.capture.interfaces.is_empty() {
        let remedy = "set capture.interfaces; 'netcensus-sensor interfaces' lists the interfaces";
        findings.push(Finding::other(
            CheckOutcome::Problem,
            "interface",
            "",
            "no interface is configured",
            remedy,
        ));
    }
    for name in &config.capture.interfaces {
        let captured =
            states.iter().any(|s| s.interfaces.get(name).is_some_and(|(problem, ..)| problem.is_none()));
        findings.extend(interface::judge(name, interface::look(name), captured, config.capture.promiscuous));
        findings.extend(mirror(config, name, seconds));
    }
    findings.extend(spoken);
    if states.iter().any(|s| s.captures) {
        findings.extend(census(config));
    }
    match storage::look(config) {
        Ok(spool) => findings.extend(storage::judge(&spool, SystemClock.now())),
        Err(finding) => findings.push(finding),
    }
    let (finding, identity) = storage::identity(&config.identity_source());
    findings.push(finding);
    if let Some(identity) = identity {
        findings.extend(cli::runtime()?.block_on(service::examine(&identity, &config.route(), &SystemClock)));
    }
    Ok(findings)
}

fn rules(config: &Config) -> Finding {
    match source::rules(config) {
        Ok(rules) => Finding::good("rules", "", format!("{} rules are valid", rules.len())),
        Err(e) => {
            let remedy = "correct the file; the running sensor keeps its present rules until then";
            Finding::other(CheckOutcome::Problem, "rules", "", e.to_string(), remedy)
        }
    }
}

/// Asks the running sensor, or both halves if they run apart. Returns their states and the findings about them.
fn ask(config: &Config) -> (Vec<SensorState>, Vec<Finding>) {
    let (mut states, mut findings) = (Vec::new(), Vec::new());
    for (path, half, unit) in [
        (config.control_path(), "capture", "netcensus-sensor"),
        (config.upload_control_path(), "upload", "netcensus-upload"),
    ] {
        if half == "upload" && states.iter().any(|s: &SensorState| s.uploads) {
            continue;
        }
        match ask_at::<SensorState>(&path, "state") {
            Ok(state) => {
                findings.extend(running::judge(&state));
                states.push(state);
            }
            Err(e) => {
                let (outcome, remedy) = match e.exit {
                    Exit::NotPermitted => (CheckOutcome::Unchecked, "run doctor as root".to_owned()),
                    Exit::Unavailable => (
                        CheckOutcome::Problem,
                        format!("start it: systemctl start {unit}; its log: journalctl -u {unit}"),
                    ),
                    _ => (CheckOutcome::Problem, format!("restart it: systemctl restart {unit}")),
                };
                findings.push(Finding::other(outcome, "running", half, e.to_string(), remedy));
            }
        }
    }
    (states, findings)
}

/// The findings of the running sensor's census.
fn census(config: &Config) -> Vec<Finding> {
    let facts = match SurveyInput::running(config, None) {
        Ok(facts) => facts,
        Err(e) => {
            let remedy = "see the finding about the running sensor above";
            return vec![Finding::other(CheckOutcome::Unchecked, CENSUS, "", e.to_string(), remedy)];
        }
    };
    let survey = facts.survey();
    Finding::of_census("", survey.findings.iter(), survey.findings.total())
}

/// Captures for `seconds`, beside the running sensor.
fn mirror(config: &Config, name: &str, seconds: u64) -> Vec<Finding> {
    let mut live = match Live::open(
        &Settings { rings: 1, ..capturing::settings(&config.capture, name) },
        &Group::default(),
    ) {
        Ok(live) => live,
        Err(e @ LiveError::NotPermitted { .. }) => {
            let remedy = "run doctor as root";
            return vec![Finding::other(CheckOutcome::Unchecked, "mirror", name, e.to_string(), remedy)];
        }
        Err(e) => {
            let remedy = "see the finding about this interface above";
            return vec![Finding::other(CheckOutcome::Problem, "mirror", name, e.to_string(), remedy)];
        }
    };
    if live.link() != LinkType::Ethernet {
        let remedy = "none needed: mirror ports are Ethernet, and this interface is not";
        return vec![Finding::other(
            CheckOutcome::Unchecked,
            "mirror",
            name,
            "the interface is not Ethernet, so it was not checked",
            remedy,
        )];
    }
    let table = Table::new(COUPLINGS);
    let (mut worker, mut mirror) = (Worker::new(&table), Mirror::new(own_macs()));
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let polled = live.poll(WAIT, &mut |frame| {
            mirror.frame(frame.data);
            worker.frame(frame);
        });
        if let Err(e) = polled {
            return vec![Finding::other(
                CheckOutcome::Problem,
                "mirror",
                name,
                e.to_string(),
                "see the finding about this interface above",
            )];
        }
    }
    let counters = worker.counters();
    let mut findings = mirror.judge(name, seconds, counters.duplicates);
    findings.extend(counters.mostly_unread().map(|mostly| running::understood(name, &mostly)));
    findings
}

fn own_macs() -> BTreeSet<MacAddr> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let read = entries.filter_map(|e| fs::read_to_string(e.path().join("address")).ok()?.trim().parse().ok());
    read.collect()
}
