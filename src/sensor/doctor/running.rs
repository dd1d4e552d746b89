//! The running sensor's own report.

use super::{CheckOutcome, Finding};
use crate::census::MostlyUnread;
use crate::sensor::health::SensorState;

/// Judges the state of one sensor process: capture, drops, delivery, confinement.
pub(crate) fn judge(state: &SensorState) -> Vec<Finding> {
    let name = match (state.captures, state.uploads) {
        (true, false) => "capture",
        (false, true) => "upload",
        _ => "both halves",
    };
    let mut findings = vec![if state.version == env!("CARGO_PKG_VERSION") {
        Finding::good("running", name, format!("running, version {}", state.version))
    } else {
        let finding = format!(
            "running version {}, but version {} is installed",
            state.version,
            env!("CARGO_PKG_VERSION")
        );
        let remedy = "restart it: systemctl restart netcensus-sensor netcensus-upload";
        Finding::other(CheckOutcome::Notice, "running", name, finding, remedy)
    }];
    for (interface, (problem, frames, dropped)) in &state.interfaces {
        findings.push(match problem {
            Some(problem) => {
                let remedy = "see the finding about this interface above; the sensor retries";
                Finding::other(CheckOutcome::Problem, "capture", interface, problem, remedy)
            }
            None => Finding::good("capture", interface, format!("{frames} frames captured")),
        });
        findings.push(drops(interface, *frames, *dropped));
        findings.extend(state.mostly_unread.get(interface).map(|mostly| understood(interface, mostly)));
    }
    if state.spool_refused > 0 {
        let finding = format!(
            "changes had to stay in memory {} times because the spool refused them",
            state.spool_refused
        );
        let remedy = "free disk space, or raise spool.max_mib; see the findings about the plan service below";
        findings.push(Finding::other(CheckOutcome::Notice, "spool", "", finding, remedy));
    }
    if state.uploads {
        findings.push(delivery(state));
    }
    findings.extend(confinement(name, state));
    findings
}

/// The finding about an interface most of whose bytes were not understood.
pub(crate) fn understood(interface: &str, mostly: &MostlyUnread) -> Finding {
    Finding::other(CheckOutcome::Problem, "understood", interface, mostly.observation(), &mostly.cause)
}

fn drops(interface: &str, frames: u64, dropped: u64) -> Finding {
    let finding = format!("{dropped} frames dropped, {frames} captured");
    let remedy =
        "raise capture.ring_mib, or give the host more CPU; a device is missed if all its frames are dropped";
    // One in a thousand is harmless: devices repeat themselves.
    let outcome = match dropped.saturating_mul(1_000) {
        0 => return Finding::good("drops", interface, "no frames dropped"),
        n if n <= frames => return Finding::good("drops", interface, finding),
        n if n <= frames.saturating_mul(50) => CheckOutcome::Notice,
        _ => CheckOutcome::Problem,
    };
    Finding::other(outcome, "drops", interface, finding, remedy)
}

fn delivery(state: &SensorState) -> Finding {
    match (&state.delivery_problem, state.acknowledged_seconds_ago) {
        // The message names the next step: to enrol, to onboard a plan, to check the network.
        (Some(problem), _) => {
            let remedy = "follow the finding; meanwhile, uploads wait in the spool";
            Finding::other(CheckOutcome::Problem, "delivery", "", problem, remedy)
        }
        (None, Some(seconds)) => Finding::good(
            "delivery",
            "",
            format!("the plan service acknowledged the last upload {seconds} s ago"),
        ),
        (None, None) => Finding::good("delivery", "", "no uploads yet"),
    }
}

fn confinement(name: &str, state: &SensorState) -> Vec<Finding> {
    if state.confinement.measures.is_empty() {
        let remedy = "set confinement.mode to \"try\" and restart the sensor";
        let finding = "the process keeps its privileges";
        return vec![Finding::other(CheckOutcome::Notice, "confinement", name, finding, remedy)];
    }
    let each = state.confinement.measures.iter().map(|m| {
        let finding = format!("{}: {}", m.name, m.detail);
        if m.in_force {
            Finding::good("confinement", name, finding)
        } else {
            let remedy = "use a kernel from 6.12 on, with Landlock and seccomp enabled";
            Finding::other(CheckOutcome::Notice, "confinement", name, finding, remedy)
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Report;
    use super::*;
    use crate::census::{NotUnderstood, Unread};
    use crate::sensor::confinement::{Confinement, Measure};

    fn state() -> SensorState {
        SensorState {
            version: env!("CARGO_PKG_VERSION").into(),
            captures: true,
            uploads: true,
            interfaces: BTreeMap::from([("eth1".to_owned(), (None, 1_000, 0))]),
            mostly_unread: BTreeMap::new(),
            delivery_problem: None,
            acknowledged_seconds_ago: Some(7),
            spool_refused: 0,
            confinement: Confinement {
                measures: vec![Measure { name: "seccomp".into(), in_force: true, detail: "d".into() }],
            },
            indicators: crate::sensor::indicators::IndicatorsInForce::default(),
        }
    }

    #[test]
    fn a_healthy_sensor_has_only_good_findings() {
        assert!(judge(&state()).iter().all(|f| f.outcome == CheckOutcome::Good));
    }

    #[test]
    fn each_trouble_has_its_finding_and_a_remedy() {
        let mut ill = state();
        ill.interfaces = BTreeMap::from([("eth1".to_owned(), (Some("gone".to_owned()), 1_000, 500))]);
        let mut unread = Unread::default();
        (0..1_000).for_each(|_| unread.count(NotUnderstood::ether_type(0x88e5), 60));
        ill.mostly_unread =
            unread.judge(1_000, 60_000).map(|mostly| ("eth1".to_owned(), mostly)).into_iter().collect();
        ill.delivery_problem = Some("no plan is in effect".into());
        ill.spool_refused = 3;
        ill.confinement.measures[0].in_force = false;
        ill.version = "0.0.1".into();
        let findings = judge(&ill);
        let of =
            |outcome| findings.iter().filter(|f| f.outcome == outcome).map(|f| f.check).collect::<Vec<_>>();
        assert_eq!(of(CheckOutcome::Problem), ["capture", "drops", "understood", "delivery"]);
        assert_eq!(of(CheckOutcome::Notice), ["running", "spool", "confinement"]);
        assert!(findings.iter().all(|f| f.outcome == CheckOutcome::Good || f.remedy.is_some()));
        assert!(!Report::from(findings).healthy);
    }

    #[test]
    fn drops_are_judged_by_their_share() {
        let outcome = |dropped| drops("eth1", 100_000, dropped).outcome;
        assert_eq!([outcome(0), outcome(100)], [CheckOutcome::Good; 2]);
        assert_eq!([outcome(101), outcome(5_000)], [CheckOutcome::Notice; 2]);
        assert_eq!(outcome(5_001), CheckOutcome::Problem);
    }
}
