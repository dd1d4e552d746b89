//! Findings of `netcensus-plan doctor`: problems of a plan service, and how to solve them.
//!
//! The command collects the data; the functions here judge it.

use super::store::{Location, Sensor};
use crate::billing::timeline::{Plan, PlanKind, in_effect};
use crate::census::Timestamp;
use crate::doctor::{CheckOutcome, Finding};
use crate::plan::app::sensor_state::SILENT;
use crate::proof::Day;
use crate::proof::day::SETTLED_AFTER;

const MIB: u64 = 1 << 20;
const HOUR: i64 = 3_600 * 1_000_000_000;
const DAY: i64 = 24 * HOUR;
/// With less free space, a service may stop within hours.
const LITTLE: u64 = 256 * MIB;
/// How long before the end of a certificate or a plan doctor warns.
const SOON: i64 = 7 * DAY;

/// Whether the schema is up to date.
pub fn database(place: &Location, pending: usize) -> Finding {
    let place = place.to_string();
    if pending == 0 {
        return Finding::good("database", place, "the database answers, and its schema is up to date");
    }
    let finding = format!("{pending} migrations are pending: an older version wrote the database");
    Finding::other(
        CheckOutcome::Problem,
        "database",
        place,
        finding,
        "stop the service, then 'netcensus-plan migrate'",
    )
}

/// A database file: its permissions, and the free space of its file system in bytes.
pub fn file(place: &Location, mode: u32, free: Option<u64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let place = place.to_string();
    findings.push(if mode & 0o077 == 0 {
        Finding::good("permissions", &place, "only the owner may open the file")
    } else {
        let finding = format!("users other than the owner may open the file (mode {:o})", mode & 0o777);
        let remedy = format!(
            "chmod 600 {place}: the file contains hashes of passwords and the key that signs snapshots"
        );
        Finding::other(CheckOutcome::Problem, "permissions", &place, finding, remedy)
    });
    findings.push(match free {
        None => Finding::other(
            CheckOutcome::Unchecked,
            "disk",
            place,
            "the free space is unknown",
            "run doctor as root",
        ),
        Some(free) => {
            let finding = format!("{} MiB are free on the file system of the database", free / MIB);
            let remedy =
                "free some space: without it, the service refuses uploads, and they wait on the sensors";
            if free < LITTLE {
                Finding::other(CheckOutcome::Problem, "disk", place, finding, remedy)
            } else {
                Finding::good("disk", place, finding)
            }
        }
    });
    findings
}

/// Whether the clock goes forward: `newest` is the newest instant in the audit trails.
pub fn clock(newest: Option<Timestamp>, now: Timestamp) -> Finding {
    match newest {
        Some(newest) if newest.since(now) > 0 => {
            let finding =
                format!("this host's clock says {now}, but the newest row of the audit trail is of {newest}");
            let remedy = "synchronise this host's clock: timedatectl set-ntp true";
            Finding::other(CheckOutcome::Problem, "clock", "", finding, remedy)
        }
        _ => Finding::good("clock", "", format!("it is {now}, later than all rows of the audit trail")),
    }
}

/// The validity of the certificate.
pub fn certificate(subject: &str, from: Timestamp, to: Timestamp, now: Timestamp) -> Finding {
    let finding = format!("valid from {from} to {to}");
    let remedy = "replace the file with a new certificate, then reload it: systemctl reload netcensus-plan";
    if now.since(from) < 0 {
        Finding::other(
            CheckOutcome::Problem,
            "certificate",
            subject,
            finding,
            "check this host's clock, and the certificate",
        )
    } else if now.since(to) >= 0 {
        Finding::other(CheckOutcome::Problem, "certificate", subject, finding, remedy)
    } else if to.since(now) < SOON {
        Finding::other(CheckOutcome::Notice, "certificate", subject, finding, remedy)
    } else {
        Finding::good("certificate", subject, finding)
    }
}

/// The plan of a subscription. `billable` is the present count.
pub fn plan(subscription: &str, plans: &[Plan], billable: u64, now: Timestamp) -> Finding {
    let other = |outcome, finding: String, remedy: &str| {
        Finding::other(outcome, "plan", subscription, finding, remedy)
    };
    let Some(plan) = in_effect(plans, now) else {
        let finding = "no plan is in effect: the service refuses uploads";
        return other(
            CheckOutcome::Problem,
            finding.into(),
            "onboard a plan: 'netcensus-plan plan onboard', or in the console",
        );
    };
    let ends = plan.to().filter(|to| to.since(now) < SOON);
    match (ends, plan.committed) {
        (Some(to), _) => {
            let kind = if plan.kind == PlanKind::Trial { "the trial" } else { "the plan" };
            let remedy =
                "replace it before it ends, or the service refuses uploads: 'netcensus-plan plan replace'";
            other(CheckOutcome::Notice, format!("{kind} ends at {to}"), remedy)
        }
        (None, Some(committed)) if billable > committed => {
            let finding = format!("{billable} billable devices, but only {committed} are committed");
            other(
                CheckOutcome::Notice,
                finding,
                "nothing is blocked; 'netcensus-plan estimate' proposes a number",
            )
        }
        (None, Some(committed)) => Finding::good(
            "plan",
            subscription,
            format!("{committed} devices are committed, {billable} are billable"),
        ),
        (None, None) => {
            Finding::good("plan", subscription, format!("a trial, {billable} devices are billable"))
        }
    }
}

/// The sensors of a subscription that are not revoked.
pub fn sensors(subscription: &str, sensors: &[Sensor], now: Timestamp) -> Vec<Finding> {
    let standing: Vec<&Sensor> = sensors.iter().filter(|s| s.revoked_at.is_none()).collect();
    if standing.is_empty() {
        let remedy = "create a token with 'netcensus-plan sensor token', then run 'netcensus-sensor enrol TOKEN' on the appliance";
        return vec![Finding::other(
            CheckOutcome::Notice,
            "sensor",
            subscription,
            "no sensor is enrolled",
            remedy,
        )];
    }
    standing.into_iter().map(|s| sensor(subscription, s, now)).collect()
}

fn sensor(subscription: &str, sensor: &Sensor, now: Timestamp) -> Finding {
    let subject = format!("{subscription}/{}", sensor.name);
    let other =
        |outcome, finding: String, remedy: &str| Finding::other(outcome, "sensor", &subject, finding, remedy);
    let away = "on the appliance: 'netcensus-sensor doctor'";
    let Some(uploaded) = sensor.uploaded_at else {
        return other(CheckOutcome::Notice, "it has sent no upload yet".into(), away);
    };
    let health = &sensor.health;
    if let Some(at) = sensor.forked_at {
        let finding = format!(
            "since {at}, two appliances use the identity of this sensor, or its state was restored from a backup"
        );
        return other(
            CheckOutcome::Problem,
            finding,
            "enrol each appliance with a token of its own, and revoke this one",
        );
    }
    if now.since(uploaded) > SILENT {
        let finding = format!("the last upload came at {uploaded}, {} h ago", now.since(uploaded) / HOUR);
        return other(CheckOutcome::Problem, finding, away);
    }
    if let Some(clock) = health.clock_problem() {
        let finding = format!(
            "{clock}: first and last sightings are wrong by as much, and devices count as idle or active at the wrong time"
        );
        return other(
            CheckOutcome::Problem,
            finding,
            "on the appliance: 'timedatectl set-ntp true', then 'netcensus-sensor doctor'",
        );
    }
    if health.refused > 0 || health.spool_dropped > 0 {
        let finding = format!(
            "the sensor refused {} sightings at its limit and dropped {} uploads unsent: its count is a lower bound",
            health.refused, health.spool_dropped
        );
        return other(
            CheckOutcome::Problem,
            finding,
            "raise limits.couplings or spool.max_mib on the appliance",
        );
    }
    Finding::good("sensor", subject, format!("the last upload came at {uploaded}"))
}

/// Whether the due days are sealed. `sealed` is the newest sealed day; `created`, when the subscription was created.
pub fn snapshots(subscription: &str, sealed: Option<Day>, created: Timestamp, now: Timestamp) -> Finding {
    let due = Day::of(now.plus(-SETTLED_AFTER)).plus(-1);
    match sealed {
        Some(day) if day >= due => {
            Finding::good("snapshots", subscription, format!("{day} is sealed, the newest day that is due"))
        }
        None if Day::of(created) > due => Finding::good("snapshots", subscription, "no day is due yet"),
        _ => {
            let newest = sealed.map_or_else(
                || "no day is sealed".to_owned(),
                |day| format!("the newest sealed day is {day}"),
            );
            let remedy = "start the service, which seals due days each minute, or see its log; by hand: 'netcensus-plan snapshot seal DAY'";
            Finding::other(
                CheckOutcome::Problem,
                "snapshots",
                subscription,
                format!("{due} is due, {newest}"),
                remedy,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn running(kind: PlanKind, committed: Option<u64>, from: Timestamp) -> Plan {
        Plan {
            number: 1,
            kind,
            committed,
            accepted_terms_at: from,
            from,
            cancel_requested_at: None,
            withdrawn_at: None,
            changed_at: from,
        }
    }

    #[test]
    fn a_database_in_a_file_is_judged_by_who_may_open_it_and_the_room_beside_it() {
        let place = Location::File("plan.sqlite".into());
        let outcomes = |mode, free| file(&place, mode, free).iter().map(|f| f.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(0o100_600, Some(LITTLE)), [CheckOutcome::Good, CheckOutcome::Good]);
        assert_eq!(outcomes(0o100_640, Some(LITTLE - 1)), [CheckOutcome::Problem, CheckOutcome::Problem]);
        assert_eq!(outcomes(0o100_600, None), [CheckOutcome::Good, CheckOutcome::Unchecked]);
        assert_eq!(
            [database(&place, 0).outcome, database(&place, 2).outcome],
            [CheckOutcome::Good, CheckOutcome::Problem]
        );
    }

    #[test]
    fn a_clock_before_what_is_written_down_is_a_problem() {
        assert_eq!(clock(None, NOW).outcome, CheckOutcome::Good);
        assert_eq!(clock(Some(NOW), NOW).outcome, CheckOutcome::Good);
        assert_eq!(clock(Some(NOW.plus(1)), NOW).outcome, CheckOutcome::Problem);
    }

    #[test]
    fn a_certificate_is_shown_a_week_before_its_end() {
        let outcome = |from, to| certificate("plan.pem", NOW.plus(from), NOW.plus(to), NOW).outcome;
        assert_eq!(outcome(-DAY, SOON), CheckOutcome::Good);
        assert_eq!(outcome(-DAY, SOON - 1), CheckOutcome::Notice);
        assert_eq!([outcome(-DAY, 0), outcome(1, SOON)], [CheckOutcome::Problem; 2]);
    }

    #[test]
    fn a_plan_is_judged_by_its_end_and_by_what_was_committed_to() {
        let outcome = |plans: &[Plan], billable| plan("Contoso", plans, billable, NOW).outcome;
        let monthly = running(PlanKind::Monthly, Some(100), NOW.plus(-DAY));
        assert_eq!(outcome(&[], 0), CheckOutcome::Problem);
        assert_eq!(outcome(std::slice::from_ref(&monthly), 100), CheckOutcome::Good);
        assert_eq!(outcome(std::slice::from_ref(&monthly), 101), CheckOutcome::Notice);
        let cancelled = Plan { cancel_requested_at: Some(NOW), ..monthly };
        assert_eq!(outcome(&[cancelled], 1), CheckOutcome::Notice);
        assert_eq!(outcome(&[running(PlanKind::Trial, None, NOW)], 1), CheckOutcome::Good);
        assert_eq!(outcome(&[running(PlanKind::Trial, None, NOW.plus(-25 * DAY))], 1), CheckOutcome::Notice);
    }

    #[test]
    fn a_silent_a_cloned_and_a_full_sensor_are_problems() {
        let well = Sensor {
            id: "s".parse().unwrap(),
            name: "edge".into(),
            enrolled_at: NOW.plus(-DAY),
            revoked_at: None,
            uploaded_at: Some(NOW.plus(-SILENT)),
            zone: None,
            forked_at: None,
            health: crate::wire::Health::default(),
        };
        let outcome = |s: &Sensor| sensors("Contoso", std::slice::from_ref(s), NOW)[0].outcome;
        assert_eq!(outcome(&well), CheckOutcome::Good);
        assert_eq!(
            outcome(&Sensor { uploaded_at: Some(NOW.plus(-SILENT - 1)), ..well.clone() }),
            CheckOutcome::Problem
        );
        assert_eq!(outcome(&Sensor { forked_at: Some(NOW), ..well.clone() }), CheckOutcome::Problem);
        assert_eq!(outcome(&Sensor { uploaded_at: None, ..well.clone() }), CheckOutcome::Notice);
        assert_eq!(outcome(&Sensor { revoked_at: Some(NOW), ..well.clone() }), CheckOutcome::Notice);
        let mut astray = well.clone();
        astray.health.clock_skew = Some(301);
        assert_eq!(outcome(&astray), CheckOutcome::Problem);
        let mut full = well;
        full.health.refused = 1;
        assert_eq!(outcome(&full), CheckOutcome::Problem);
    }

    #[test]
    fn a_day_that_is_due_and_not_sealed_is_a_problem() {
        let today = Day::of(NOW).start();
        let yesterday = Day::of(NOW).plus(-1);
        let outcome = |sealed, now| snapshots("Contoso", sealed, today.plus(-9 * DAY), now).outcome;
        assert_eq!(outcome(Some(yesterday), NOW), CheckOutcome::Good);
        assert_eq!(outcome(Some(yesterday.plus(-1)), NOW), CheckOutcome::Problem);
        assert_eq!(outcome(Some(yesterday.plus(-1)), today.plus(SETTLED_AFTER - 1)), CheckOutcome::Good);
        assert_eq!(outcome(None, NOW), CheckOutcome::Problem);
        assert_eq!(snapshots("Contoso", None, today, NOW).outcome, CheckOutcome::Good);
    }
}
