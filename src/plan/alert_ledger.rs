//! The ledger of alerts: which were shown, of which people were told, and which were withdrawn, and why. **Pure.**
//!
//! An alert is derived, so a better rule, another category or a merge of devices may take it back. What was shown once must
//! not vanish without a word: the ledger keeps an entry of each alert, and appends a line for each thing that happened to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alert_life::AlertState;
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR, rfc3339};
use crate::security::{Alert, AlertId, Severity, Standing};

/// How long the ledger is kept.
pub const KEPT: i64 = 400 * DAY;
/// The most alerts in the ledger of a subscription. Further ones are counted.
pub const ENTRIES: usize = 100_000;
/// The most lines of a subscription; the oldest are deleted.
pub const LINES: usize = 1_000_000;

/// Why an alert was withdrawn.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawnWhy {
    /// Its rule changed, was turned off, or is not there any more.
    Rule,
    /// Its device has another category, for which the rule does not apply.
    Class,
    /// Its device was merged, split or deleted.
    Merge,
    /// No feed of the plan service holds its indicator any more.
    Feed,
    /// The facts changed on which it rested.
    Facts,
}

impl WithdrawnWhy {
    /// The reason in words for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Rule => "its rule changed or was turned off",
            Self::Class => "its device has another category now, for which the rule does not apply",
            Self::Merge => "its device was merged with another, split or deleted",
            Self::Feed => "no feed holds its indicator any more",
            Self::Facts => "the facts on which it rested changed",
        }
    }
}

/// When an alert was withdrawn, and why.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Withdrawal {
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub why: WithdrawnWhy,
}

/// An alert as it was shown last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// The id under which it was shown first.
    #[schema(value_type = String)]
    pub id: AlertId,
    /// The id that it had last.
    #[schema(value_type = String)]
    pub newest_id: AlertId,
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    pub device: Standing,
    pub object: String,
    /// When it was shown first.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub shown_at: Timestamp,
    /// When it was seen last, to an hour.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last: Timestamp,
    pub state: AlertState,
    /// How often it was open again after it was closed, accepted or resolved.
    #[serde(default)]
    pub period: u32,
    /// When and why it was withdrawn; left out if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
}

/// What happened to an alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum LedgerEvent {
    /// It was shown for the first time, with this severity.
    Shown { severity: Severity },
    /// It got another severity.
    Severity { before: Severity, after: Severity },
    /// It came into another state.
    State { before: AlertState, after: AlertState },
    /// People were told of it by a notice.
    Told,
    /// It is not derived any more.
    Withdrawn { why: WithdrawnWhy },
    /// It is derived again.
    Returned,
}

impl LedgerEntry {
    /// Of an alert that is shown for the first time.
    fn new(&Showing { alert, state }: &Showing<'_>, now: Timestamp) -> Self {
        Self {
            id: alert.id,
            newest_id: alert.id,
            rule: alert.rule.clone(),
            title: alert.title.clone(),
            severity: alert.severity,
            device: alert.device.clone(),
            object: alert.object.clone(),
            shown_at: now,
            last: alert.last,
            state,
            period: 0,
            withdrawn: None,
        }
    }

    /// Whether people are told of it: it is open, of Medium or above, and was not withdrawn.
    pub fn is_news(&self) -> bool {
        self.withdrawn.is_none() && self.state.is_open() && self.severity >= Severity::Medium
    }
}

impl LedgerEvent {
    /// What happened, in words for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Shown { severity } => format!("shown for the first time, severity {}", severity.key()),
            Self::Severity { before, after } => {
                format!("severity {} instead of {}", after.key(), before.key())
            }
            Self::State { before, after } => format!("{} instead of {}", after.key(), before.key()),
            Self::Told => "people were told by a notice".to_owned(),
            Self::Withdrawn { why } => format!("withdrawn: {}", why.sentence()),
            Self::Returned => "shown again".to_owned(),
        }
    }
}

/// A line of the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct LedgerLine {
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The alert, by the id under which it was shown first.
    #[schema(value_type = String)]
    pub id: AlertId,
    #[serde(flatten)]
    pub event: LedgerEvent,
}

/// The entries of a subscription.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AlertLedger {
    /// By the id under which an alert was shown first.
    pub entries: BTreeMap<AlertId, LedgerEntry>,
}

/// An alert as it is shown now.
#[derive(Clone, Copy, Debug)]
pub struct Showing<'a> {
    pub alert: &'a Alert,
    pub state: AlertState,
}

/// What changes in the ledger.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LedgerSteps {
    /// Entries that are new or different.
    pub entries: Vec<LedgerEntry>,
    /// Lines to append.
    pub lines: Vec<LedgerLine>,
    /// Alerts for which there is no room.
    pub unrecorded: u64,
}

impl LedgerSteps {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.lines.is_empty()
    }
}

impl AlertLedger {
    /// The entry of an alert: by its id, or by one that it had or would have.
    pub fn of(&self, alert: &Alert) -> Option<&LedgerEntry> {
        let is_one = |id: &AlertId| *id == alert.id || alert.aliases.contains(id);
        let entries = self.entries.values().filter(|entry| is_one(&entry.id) || is_one(&entry.newest_id));
        entries.min_by_key(|entry| (entry.shown_at, entry.id))
    }

    /// What changes if these alerts are shown at `now`. `gone` tells why an alert that was shown is not derived any more.
    pub fn steps(
        &self,
        shown: &[Showing<'_>],
        gone: impl Fn(&LedgerEntry) -> WithdrawnWhy,
        now: Timestamp,
    ) -> LedgerSteps {
        let mut steps = LedgerSteps::default();
        let by_newest: BTreeMap<AlertId, AlertId> =
            self.entries.values().map(|entry| (entry.newest_id, entry.id)).collect();
        let mut there: BTreeSet<AlertId> = BTreeSet::new();
        let mut room = ENTRIES.saturating_sub(self.entries.len());
        for showing in shown {
            let alert = showing.alert;
            let ids = || std::iter::once(&alert.id).chain(&alert.aliases);
            // Two entries may have become one alert: all of them go on in it.
            let known: BTreeSet<AlertId> = ids()
                .flat_map(|id| [self.entries.get(id).map(|e| e.id), by_newest.get(id).copied()])
                .flatten()
                .collect();
            let first = known.iter().filter_map(|id| self.entries.get(id)).min_by_key(|e| (e.shown_at, e.id));
            there.extend(&known);
            match first {
                Some(entry) => steps.go_on(entry, showing, now),
                None if room == 0 => steps.unrecorded += 1,
                None => {
                    room -= 1;
                    steps.begin(showing, now);
                }
            }
        }
        for entry in self.entries.values() {
            if entry.withdrawn.is_none() && !there.contains(&entry.id) {
                let why = gone(entry);
                steps.lines.push(LedgerLine { at: now, id: entry.id, event: LedgerEvent::Withdrawn { why } });
                steps
                    .entries
                    .push(LedgerEntry { withdrawn: Some(Withdrawal { at: now, why }), ..entry.clone() });
            }
        }
        steps
    }

    /// Takes steps, as the store does.
    pub fn take(&mut self, steps: &LedgerSteps) {
        self.entries.extend(steps.entries.iter().map(|entry| (entry.id, entry.clone())));
    }
}

impl LedgerSteps {
    fn begin(&mut self, showing: &Showing<'_>, now: Timestamp) {
        let alert = showing.alert;
        self.lines.push(LedgerLine {
            at: now,
            id: alert.id,
            event: LedgerEvent::Shown { severity: alert.severity },
        });
        self.entries.push(LedgerEntry::new(showing, now));
    }

    fn go_on(&mut self, entry: &LedgerEntry, showing: &Showing<'_>, now: Timestamp) {
        let &Showing { alert, state } = showing;
        let mut line = |event| self.lines.push(LedgerLine { at: now, id: entry.id, event });
        if entry.withdrawn.is_some() {
            line(LedgerEvent::Returned);
        }
        if entry.severity != alert.severity {
            line(LedgerEvent::Severity { before: entry.severity, after: alert.severity });
        }
        if entry.state != state {
            line(LedgerEvent::State { before: entry.state, after: state });
        }
        let was_over =
            matches!(entry.state, AlertState::Closed | AlertState::Accepted | AlertState::Resolved);
        let period = entry.period.saturating_add(u32::from(was_over && state.is_open()));
        // A busy alert is seen every minute; an entry a minute would be written for nothing.
        let last = if alert.last.since(entry.last) >= HOUR { alert.last } else { entry.last };
        let newest = LedgerEntry {
            id: entry.id,
            shown_at: entry.shown_at,
            last,
            period,
            ..LedgerEntry::new(showing, now)
        };
        if newest != *entry {
            self.entries.push(newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mute::tests::alert;

    fn at(hours: i64) -> Timestamp {
        Timestamp(hours * HOUR)
    }

    fn shown(
        ledger: &mut AlertLedger,
        alerts: &[Alert],
        state: AlertState,
        now: Timestamp,
    ) -> Vec<LedgerEvent> {
        let showing: Vec<Showing<'_>> = alerts.iter().map(|alert| Showing { alert, state }).collect();
        let steps = ledger.steps(&showing, |_| WithdrawnWhy::Rule, now);
        ledger.take(&steps);
        steps.lines.into_iter().map(|line| line.event).collect()
    }

    #[test]
    fn what_vanishes_is_withdrawn_once_with_its_reason_and_may_return() {
        let mut ledger = AlertLedger::default();
        let one = [alert(at(1))];
        let first = shown(&mut ledger, &one, AlertState::New, at(2));
        assert_eq!(first, [LedgerEvent::Shown { severity: Severity::Medium }]);
        assert_eq!(shown(&mut ledger, &one, AlertState::New, at(3)), []);
        let gone = shown(&mut ledger, &[], AlertState::New, at(4));
        assert_eq!(gone, [LedgerEvent::Withdrawn { why: WithdrawnWhy::Rule }]);
        assert_eq!(shown(&mut ledger, &[], AlertState::New, at(5)), []);
        let entry = ledger.entries.values().next().unwrap();
        assert_eq!(entry.withdrawn, Some(Withdrawal { at: at(4), why: WithdrawnWhy::Rule }));
        assert_eq!(shown(&mut ledger, &one, AlertState::New, at(6)), [LedgerEvent::Returned]);
    }

    #[test]
    fn a_state_or_severity_that_changes_is_a_line() {
        let mut ledger = AlertLedger::default();
        shown(&mut ledger, &[alert(at(1))], AlertState::New, at(2));
        let worse = [Alert { severity: Severity::High, ..alert(at(1)) }];
        let lines = shown(&mut ledger, &worse, AlertState::Muted, at(3));
        let severity = LedgerEvent::Severity { before: Severity::Medium, after: Severity::High };
        let state = LedgerEvent::State { before: AlertState::New, after: AlertState::Muted };
        assert_eq!(lines, [severity, state]);
    }

    #[test]
    fn an_alert_that_gets_another_id_by_a_merge_goes_on_under_the_first() {
        let mut ledger = AlertLedger::default();
        let one = alert(at(1));
        shown(&mut ledger, std::slice::from_ref(&one), AlertState::New, at(2));
        let other: AlertId = "f".repeat(32).parse().unwrap();
        let merged = Alert { id: other, aliases: vec![one.id], ..one.clone() };
        assert_eq!(shown(&mut ledger, std::slice::from_ref(&merged), AlertState::New, at(3)), []);
        assert_eq!(ledger.of(&merged).map(|entry| (entry.id, entry.newest_id)), Some((one.id, other)));
        let alone = Alert { aliases: Vec::new(), ..merged };
        assert_eq!(
            shown(&mut ledger, &[alone], AlertState::New, at(4)),
            [],
            "the earlier coupling went away"
        );
    }
}
