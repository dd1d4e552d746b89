//! How the running sensor fares, as it says itself.

use super::{CheckOutcome, Finding};
use crate::sensor::health::SensorState;

/// Judges what one process of the sensor says: capturing, drops, delivery, confinement.
pub fn judge(state: &SensorState) -> Vec<Finding> {
    let name = match (state.captures, state.uploads) {
        (true, false) => "capture",
        (false, true) => "upload",
        _ => "both halves",
    };
    let mut findings = vec![if state.version == env!("CARGO_PKG_VERSION") {
        Finding::good("running", name, format!("it runs, version {}", state.version))
    } else {
        let finding =
            format!("it runs version {}, and {} is installed", state.version, env!("CARGO_PKG_VERSION"));
        let remedy = "restart it: systemctl restart netcensus-sensor netcensus-upload";
        Finding::other(CheckOutcome::Notice, "running", name, finding, remedy)
    }];
    for (interface, (problem, frames, dropped)) in &state.interfaces {
        findings.push(match problem {
            Some(problem) => {
                let remedy = "see the interface above; it is captured as soon as it can be";
                Finding::other(CheckOutcome::Problem, "capture", interface, problem, remedy)
            }
            None => Finding::good("capture", interface, format!("{frames} frames were captured")),
        });
        findings.push(drops(interface, *frames, *dropped));
    }
    if state.spool_refused > 0 {
        let finding = format!("{} times a change had to stay in memory", state.spool_refused);
        let remedy = "make room on the disk, or raise spool.max_mib; see the plan service below";
        findings.push(Finding::other(CheckOutcome::Notice, "spool", "", finding, remedy));
    }
    if state.uploads {
        findings.push(delivery(state));
    }
    findings.extend(confinement(name, state));
    findings
}

fn drops(interface: &str, frames: u64, dropped: u64) -> Finding {
    let finding = format!("{dropped} frames were dropped beside {frames} that were captured");
    let remedy = "raise capture.ring_mib, or give the host more processor time; a device of which every frame is dropped is not counted";
    // One in a thousand is lost now and then; what is lost is said again.
    let outcome = match dropped.saturating_mul(1_000) {
        0 => return Finding::good("drops", interface, "no frame was dropped"),
        n if n <= frames => return Finding::good("drops", interface, finding),
        n if n <= frames.saturating_mul(50) => CheckOutcome::Notice,
        _ => CheckOutcome::Problem,
    };
    Finding::other(outcome, "drops", interface, finding, remedy)
}

fn delivery(state: &SensorState) -> Finding {
    match (&state.delivery_problem, state.acknowledged_seconds_ago) {
        // The message says the next step itself: to enrol, to onboard a plan, to check the network.
        (Some(problem), _) => {
            let remedy = "do what it says; what was seen waits in the spool meanwhile";
            Finding::other(CheckOutcome::Problem, "delivery", "", problem, remedy)
        }
        (None, Some(seconds)) => {
            Finding::good("delivery", "", format!("the last upload was acknowledged {seconds} s ago"))
        }
        (None, None) => Finding::good("delivery", "", "nothing was to be delivered yet"),
    }
}

fn confinement(name: &str, state: &SensorState) -> Vec<Finding> {
    if state.confinement.measures.is_empty() {
        let remedy = "set confinement.mode to \"try\" and restart the sensor";
        let finding = "it keeps its privileges";
        return vec![Finding::other(CheckOutcome::Notice, "confinement", name, finding, remedy)];
    }
    let each = state.confinement.measures.iter().map(|m| {
        let finding = format!("{}: {}", m.name, m.detail);
        if m.in_force {
            Finding::good("confinement", name, finding)
        } else {
            let remedy = "run a kernel that has it: 6.12 or newer, with Landlock and seccomp on";
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
    use crate::sensor::confinement::{Confinement, Measure};

    fn state() -> SensorState {
        SensorState {
            version: env!("CARGO_PKG_VERSION").into(),
            captures: true,
            uploads: true,
            interfaces: BTreeMap::from([("eth1".to_owned(), (None, 1_000, 0))]),
            delivery_problem: None,
            acknowledged_seconds_ago: Some(7),
            spool_refused: 0,
            confinement: Confinement {
                measures: vec![Measure { name: "seccomp".into(), in_force: true, detail: "d".into() }],
            },
        }
    }

    #[test]
    fn a_sensor_that_fares_well_has_good_findings_alone() {
        assert!(judge(&state()).iter().all(|f| f.outcome == CheckOutcome::Good));
    }

    #[test]
    fn each_trouble_has_its_finding_and_a_remedy() {
        let mut ill = state();
        ill.interfaces = BTreeMap::from([("eth1".to_owned(), (Some("gone".to_owned()), 1_000, 500))]);
        ill.delivery_problem = Some("no plan is in effect".into());
        ill.spool_refused = 3;
        ill.confinement.measures[0].in_force = false;
        ill.version = "0.0.1".into();
        let findings = judge(&ill);
        let of =
            |outcome| findings.iter().filter(|f| f.outcome == outcome).map(|f| f.check).collect::<Vec<_>>();
        assert_eq!(of(CheckOutcome::Problem), ["capture", "drops", "delivery"]);
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
