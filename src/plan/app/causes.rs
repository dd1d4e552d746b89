//! Which causes of notices a subscription has at an instant. **Pure**: a function of facts that exist.

use crate::billing::forecast::{Forecast, Outlook};
use crate::billing::statement::Month;
use crate::billing::timeline::{Plan, PlanKind, in_effect};
use crate::census::Timestamp;
use crate::census::time::DAY;
use crate::plan::alert_ledger::LedgerEntry;
use crate::plan::app::sensor_state::SensorState;
use crate::plan::finding_ledger::FindingRecord;
use crate::plan::notice::{ALERTS, Cause, FINDINGS, NoticeKind, TEXT};
use crate::plan::store::Sensor;

/// For how long a closed statement is news.
const NEWS: i64 = 14 * DAY;
/// How many days before its end a trial is told of.
const TRIAL_DAYS: [i64; 3] = [7, 3, 1];

/// What is known of a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'c> {
    pub(super) plans: &'c [Plan],
    pub(super) sensors: &'c [Sensor],
    /// The forecast at this instant; `None` if the count is not known yet.
    pub(super) forecast: Option<&'c Forecast>,
    /// Months whose statements are closed.
    pub(super) closed: &'c [Month],
    /// The open findings, in any order.
    pub(super) findings: &'c [FindingRecord],
    /// The alerts of which people are told; `None` if they are withheld.
    pub(super) alerts: Option<&'c [LedgerEntry]>,
}

impl Circumstances<'_> {
    /// The kinds that can be judged.
    pub(super) fn judged(&self) -> Vec<NoticeKind> {
        let needs_count =
            |kind: &NoticeKind| matches!(kind, NoticeKind::CommitmentPassed | NoticeKind::CommitmentAhead);
        let is_judged = |kind: &NoticeKind| match kind {
            NoticeKind::AlertOpen => self.alerts.is_some(),
            kind => self.forecast.is_some() || !needs_count(kind),
        };
        NoticeKind::ALL.into_iter().filter(is_judged).collect()
    }

    /// The causes at `now`, by kind.
    pub(super) fn causes(&self, now: Timestamp) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.commitment(now).into_iter().collect();
        causes.extend(self.trial(now));
        causes.extend(self.sensors.iter().filter_map(|sensor| silent(sensor, now)));
        causes.extend(self.sensors.iter().filter_map(clock));
        causes.extend(self.closed.iter().filter_map(|month| statement(*month, now)));
        causes.extend(self.found());
        causes.extend(self.alerted());
        for cause in &mut causes {
            for text in [&mut cause.title, &mut cause.detail] {
                *text = line(text);
            }
        }
        causes
    }

    fn commitment(&self, now: Timestamp) -> Option<Cause> {
        let (plan, forecast) = (in_effect(self.plans, now)?, self.forecast?);
        let (committed, billable) = (plan.committed?, forecast.billable?);
        // A plan of another number has another cause.
        let cause = |kind: NoticeKind, title, detail| {
            let key = format!("{}/{}/{committed}", kind.key(), plan.number);
            Some(Cause { kind, key, title, detail, path: "/plan".to_owned() })
        };
        match forecast.outlook {
            Outlook::Passed => cause(
                NoticeKind::CommitmentPassed,
                format!("{billable} devices count, and {committed} are committed"),
                "Devices above the committed number are charged in the month's statement (P3). Commit to more, or check the devices that are new.".to_owned(),
            ),
            Outlook::WillPass if forecast.warning => cause(
                NoticeKind::CommitmentAhead,
                format!("the count may pass the {committed} committed devices on {} or later", day(forecast.earliest?)),
                format!("{billable} devices count now. The forecast: {}.", forecast.says),
            ),
            _ => None,
        }
    }

    /// The nearest of the days that a trial is told of.
    fn trial(&self, now: Timestamp) -> Option<Cause> {
        let plan = in_effect(self.plans, now).filter(|plan| plan.kind == PlanKind::Trial)?;
        let end = plan.to()?;
        // A plan that follows without a gap is what people would be told to choose.
        if self.plans.iter().any(|next| next.withdrawn_at.is_none() && next.from == end) {
            return None;
        }
        let left = end.since(now);
        let days = TRIAL_DAYS.into_iter().rev().find(|days| left <= days * DAY)?;
        let unit = if days == 1 { "day" } else { "days" };
        Some(Cause {
            kind: NoticeKind::TrialEnds,
            key: format!("{}/{}/{days}", NoticeKind::TrialEnds.key(), plan.number),
            title: format!("the trial ends on {}, within {days} {unit}", day(end)),
            detail: "After its end no plan is in effect. Choose a monthly or an annual plan before."
                .to_owned(),
            path: "/plan".to_owned(),
        })
    }

    /// The oldest open findings, so that those that were told stay among them.
    fn found(&self) -> impl Iterator<Item = Cause> {
        let mut open: Vec<&FindingRecord> = self.findings.iter().filter(|record| record.is_open()).collect();
        open.sort_by_key(|record| (record.opened_at, record.finding.id));
        let more = open.len().saturating_sub(FINDINGS);
        let many = (more > 0).then(|| Cause {
            kind: NoticeKind::FindingOpen,
            key: "findings".to_owned(),
            title: format!("more than {FINDINGS} findings are open"),
            detail: "Further ones have no notice of their own. Close those that somebody has checked."
                .to_owned(),
            path: "/findings".to_owned(),
        });
        let one = |record: &FindingRecord| {
            let finding = &record.finding;
            Cause {
                kind: NoticeKind::FindingOpen,
                key: Cause::of_finding(finding.id),
                title: format!("{} in {}: {}", finding.kind.title(), finding.zone, finding.sentence),
                detail: finding.advice.to_string(),
                path: format!("/findings#{}", finding.id),
            }
        };
        open.truncate(FINDINGS);
        open.into_iter().map(one).collect::<Vec<_>>().into_iter().chain(many)
    }
}

impl Circumstances<'_> {
    /// The alerts that were shown first, so that those that were told stay among them.
    fn alerted(&self) -> Vec<Cause> {
        let mut open: Vec<&LedgerEntry> = self.alerts.unwrap_or_default().iter().collect();
        open.sort_by_key(|entry| (entry.shown_at, entry.id));
        let more = open.len().saturating_sub(ALERTS);
        open.truncate(ALERTS);
        let one = |entry: &&LedgerEntry| {
            let LedgerEntry { id, newest_id, title, severity, device, object, .. } = entry;
            let about = if object.is_empty() { String::new() } else { format!(" ({object})") };
            Cause {
                kind: NoticeKind::AlertOpen,
                key: Cause::of_alert(*id, entry.period),
                title: format!("{} alert: {title}, {} in {}", severity.title(), device.ip, device.zone),
                detail: format!(
                    "{} {}{about}. The page of alerts has what proved it, and the next step.",
                    device.kind, device.mac
                ),
                path: format!("/alerts#{newest_id}"),
            }
        };
        let mut causes: Vec<Cause> = open.iter().map(one).collect();
        if more > 0 {
            causes.push(Cause {
                kind: NoticeKind::AlertOpen,
                key: "alerts".to_owned(),
                title: format!("more than {ALERTS} alerts are open"),
                detail: "Further ones have no notice of their own. Close those that somebody has checked, or mute what is expected.".to_owned(),
                path: "/alerts".to_owned(),
            });
        }
        causes
    }
}

fn silent(sensor: &Sensor, now: Timestamp) -> Option<Cause> {
    let at = sensor.uploaded_at.filter(|_| SensorState::of(sensor, now) == SensorState::Silent)?;
    Some(Cause {
        kind: NoticeKind::SensorSilent,
        key: format!("{}/{}", NoticeKind::SensorSilent.key(), sensor.id),
        title: format!("the sensor {} is silent since {}", sensor.name, minute(at)),
        detail: "What it would see now is missing. Check that the appliance runs and reaches this service: 'netcensus-sensor doctor' tells.".to_owned(),
        path: "/sensors".to_owned(),
    })
}

fn clock(sensor: &Sensor) -> Option<Cause> {
    let problem = sensor.health.clock_problem().filter(|_| sensor.revoked_at.is_none())?;
    Some(Cause {
        kind: NoticeKind::ClockOff,
        key: format!("{}/{}", NoticeKind::ClockOff.key(), sensor.id),
        title: format!("the sensor {}: {problem}", sensor.name),
        detail: "First and last sightings are wrong by as much (I16). Set up time synchronisation on the appliance.".to_owned(),
        path: "/sensors".to_owned(),
    })
}

fn statement(month: Month, now: Timestamp) -> Option<Cause> {
    let age = now.since(month.closes_at());
    (0..NEWS).contains(&age).then(|| Cause {
        kind: NoticeKind::StatementClosed,
        key: format!("{}/{month}", NoticeKind::StatementClosed.key()),
        title: format!("the statement of {month} is closed"),
        detail: "Its numbers do not change any more, except by a correction (P9).".to_owned(),
        path: format!("/statements/{month}"),
    })
}

/// One line of at most [`TEXT`] characters without control characters: it comes from people and from the network, and may
/// become the subject of an e-mail.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT).collect()
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn minute(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(16).collect();
    format!("{} UTC", text.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::forecast::Sample;
    use crate::census::time::HOUR;
    use crate::wire::{Health, SensorId};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn plan(kind: PlanKind, committed: Option<u64>) -> Plan {
        let from = at("2026-11-01T00:00:00Z");
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

    fn sensor() -> Sensor {
        Sensor {
            id: SensorId::from_bits([1; 8]),
            name: "edge\r\nBcc: all@example.com".to_owned(),
            enrolled_at: at("2026-11-01T00:00:00Z"),
            revoked_at: None,
            uploaded_at: Some(at("2026-11-22T08:00:00Z")),
            zone: None,
            forked_at: None,
            health: Health::default(),
        }
    }

    const NOTHING: Circumstances<'static> =
        Circumstances { plans: &[], sensors: &[], forecast: None, closed: &[], findings: &[], alerts: None };

    fn keys(of: Circumstances<'_>, now: &str) -> Vec<String> {
        of.causes(at(now)).into_iter().map(|cause| cause.key).collect()
    }

    #[test]
    fn a_trial_is_told_of_seven_days_three_days_and_one_day_before_its_end() {
        let plans = [plan(PlanKind::Trial, None)];
        let of = |now| keys(Circumstances { plans: &plans, ..NOTHING }, now);
        assert_eq!(of("2026-11-23T23:59:59Z"), [""; 0]);
        assert_eq!(of("2026-11-24T00:00:00Z"), ["trial_ends/1/7"]);
        assert_eq!(of("2026-11-28T00:00:00Z"), ["trial_ends/1/3"]);
        assert_eq!(of("2026-11-30T00:00:00Z"), ["trial_ends/1/1"]);
        assert_eq!(of("2026-12-01T00:00:00Z"), [""; 0], "it has ended");
    }

    #[test]
    fn a_trial_that_a_booked_plan_follows_is_not_told_of() {
        let trial = plan(PlanKind::Trial, None);
        let next = Plan { number: 2, from: trial.to().unwrap(), ..plan(PlanKind::Monthly, Some(100)) };
        let plans = [trial, next];
        assert_eq!(keys(Circumstances { plans: &plans, ..NOTHING }, "2026-11-29T00:00:00Z"), [""; 0]);
    }

    #[test]
    fn a_passed_commitment_is_told_of_once_a_plan_and_number() {
        let plans = [plan(PlanKind::Monthly, Some(100))];
        let now = "2026-11-22T09:00:00Z";
        let forecast =
            |billable| Forecast::new(&[Sample { at: at(now).plus(-1), billable }], Some(100), at(now));
        let of = |forecast: &Forecast| {
            keys(Circumstances { plans: &plans, forecast: Some(forecast), ..NOTHING }, now)
        };
        assert_eq!(of(&forecast(101)), ["commitment_passed/1/100"]);
        assert_eq!(of(&forecast(150)), ["commitment_passed/1/100"]);
        assert_eq!(of(&forecast(100)), [""; 0]);
    }

    #[test]
    fn a_commitment_that_the_trend_passes_within_thirty_days_is_told_of() {
        let plans = [plan(PlanKind::Monthly, Some(100))];
        let now = at("2026-11-22T09:00:00Z");
        let forecast = |slope: u64| {
            let sample = |ago: u64| Sample {
                at: now.plus(-DAY * i64::try_from(ago).unwrap()).plus(-1),
                billable: 90 - slope * ago,
            };
            let samples: Vec<Sample> = (0..20).map(sample).collect();
            Forecast::new(&samples, Some(100), now)
        };
        let of = |slope| {
            let forecast = forecast(slope);
            let causes = Circumstances { plans: &plans, forecast: Some(&forecast), ..NOTHING }.causes(now);
            causes.into_iter().map(|cause| (cause.key, cause.title)).collect::<Vec<_>>()
        };
        let told = of(1);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "commitment_ahead/1/100");
        assert!(told[0].1.contains("2026-12-0"), "{told:?}");
        assert_eq!(of(0), []);
    }

    #[test]
    fn without_a_count_the_commitment_is_not_judged() {
        assert!(!NOTHING.judged().contains(&NoticeKind::CommitmentPassed));
        assert!(NOTHING.judged().contains(&NoticeKind::SensorSilent));
    }

    #[test]
    fn a_silent_sensor_is_told_of_and_its_name_breaks_no_line() {
        let (sensors, revoked) = ([sensor()], [Sensor { revoked_at: Some(Timestamp(0)), ..sensor() }]);
        let of = |sensors| Circumstances { sensors, ..NOTHING }.causes(at("2026-11-22T09:00:01Z"));
        let told = of(&sensors[..]);
        assert_eq!(told.len(), 1);
        assert_eq!(
            told[0].title,
            "the sensor edge  Bcc: all@example.com is silent since 2026-11-22 08:00 UTC"
        );
        assert_eq!(of(&revoked[..]), []);
        assert_eq!(keys(Circumstances { sensors: &sensors, ..NOTHING }, "2026-11-22T09:00:00Z"), [""; 0]);
    }

    #[test]
    fn a_wrong_clock_is_told_of_while_the_sensor_uploads() {
        let health = Health { clock_skew: Some(-3_600), ..Health::default() };
        let sensors = [Sensor { health, ..sensor() }];
        let told = keys(Circumstances { sensors: &sensors, ..NOTHING }, "2026-11-22T08:01:00Z");
        assert_eq!(told, ["clock_off/0101010101010101"]);
    }

    #[test]
    fn a_closed_statement_is_news_for_a_fortnight() {
        let closed = ["2026-10".parse().unwrap()];
        let of = |now| keys(Circumstances { closed: &closed, ..NOTHING }, now);
        assert_eq!(of("2026-11-03T23:00:00Z"), [""; 0]);
        assert_eq!(of("2026-11-04T00:00:00Z"), ["statement_closed/2026-10"]);
        assert_eq!(of("2026-11-18T00:00:00Z"), [""; 0]);
    }

    #[test]
    fn more_findings_than_have_room_are_told_of_by_one_notice() {
        use crate::census::{Finding, Limit};
        let record = |n: i64| FindingRecord {
            finding: Finding::lower_bound(&format!("zone {n}"), Limit::Couplings),
            state: crate::plan::finding_ledger::FindingState::Open,
            opened_at: Timestamp(n * HOUR),
            gone_since: None,
            closed_at: None,
            closed_by: None,
            reopened_at: None,
            reopened_by: None,
            note: None,
        };
        let count = i64::try_from(FINDINGS).unwrap();
        let findings: Vec<FindingRecord> = (0..=count).map(record).collect();
        let told = Circumstances { findings: &findings, ..NOTHING }.causes(Timestamp(0));
        assert_eq!(told.len(), FINDINGS + 1);
        assert_eq!(told.last().unwrap().key, "findings");
        let newest = Cause::of_finding(findings.last().unwrap().finding.id);
        assert!(told.iter().all(|cause| cause.key != newest));
    }
}
