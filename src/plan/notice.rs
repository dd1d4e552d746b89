//! Notices: what a person who is responsible for a subscription should hear of without looking. **Pure.**
//!
//! A notice has a *cause*: a text that stays the same as long as the same thing goes on. The store keeps one row a cause, and
//! gives it a number when it begins. A person has read, and has been mailed, everything up to a number. So nobody hears
//! twice of one cause.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::time::{DAY, HOUR, rfc3339};
use crate::census::{FindingId, Timestamp};
use crate::security::AlertId;

/// The longest title, and the longest detail, in characters.
pub const TEXT: usize = 400;
/// The most findings of a subscription that have a notice of their own.
pub const FINDINGS: usize = 1_000;
/// The most alerts of a subscription that have a notice of their own.
pub const ALERTS: usize = 1_000;

/// What a notice is about. The order of the variants is the order of the list of choices.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// More devices count than are committed.
    CommitmentPassed,
    /// The count may pass the committed number within 30 days.
    CommitmentAhead,
    /// A trial ends in 7 days, 3 days or 1 day.
    TrialEnds,
    /// A sensor has not uploaded for an hour.
    SensorSilent,
    /// The clock of a sensor is wrong.
    ClockOff,
    /// The statement of a month was closed.
    StatementClosed,
    /// A finding was opened.
    FindingOpen,
    /// An alert of Medium or above is open that no mute rule holds.
    AlertOpen,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::CommitmentPassed,
        Self::CommitmentAhead,
        Self::TrialEnds,
        Self::SensorSilent,
        Self::ClockOff,
        Self::StatementClosed,
        Self::FindingOpen,
        Self::AlertOpen,
    ];

    /// Its word in the API and in the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::CommitmentPassed => "commitment_passed",
            Self::CommitmentAhead => "commitment_ahead",
            Self::TrialEnds => "trial_ends",
            Self::SensorSilent => "sensor_silent",
            Self::ClockOff => "clock_off",
            Self::StatementClosed => "statement_closed",
            Self::FindingOpen => "finding_open",
            Self::AlertOpen => "alert_open",
        }
    }

    /// The kind with that word.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// A few words for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::CommitmentPassed => "commitment passed",
            Self::CommitmentAhead => "commitment may be passed within 30 days",
            Self::TrialEnds => "trial ends in 7 days, 3 days, 1 day",
            Self::SensorSilent => "sensor silent for an hour",
            Self::ClockOff => "clock of a sensor wrong",
            Self::StatementClosed => "statement closed",
            Self::FindingOpen => "finding open",
            Self::AlertOpen => "alert of medium or high severity",
        }
    }

    /// After how long a cause that was over is a new one if it comes back. Before, it goes on in silence: the trend moves
    /// around a threshold for days, and a bad link makes a sensor silent many times a day.
    pub const fn pause(self) -> i64 {
        match self {
            Self::CommitmentPassed | Self::CommitmentAhead => 7 * DAY,
            Self::SensorSilent | Self::ClockOff => DAY,
            // The key of an alert's cause tells one period from the next, so what comes back under it was told.
            Self::TrialEnds | Self::StatementClosed | Self::AlertOpen => 90 * DAY,
            // A person closed it, so it is new if it opens again.
            Self::FindingOpen => HOUR,
        }
    }

    /// How a person hears of it who did not choose. Findings may be many.
    pub const fn usual(self) -> Channel {
        match self {
            Self::FindingOpen => Channel::Console,
            _ => Channel::Mail,
        }
    }
}

/// How a person hears of notices of a kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Not at all.
    Off,
    /// In the console.
    Console,
    /// In the console and by e-mail, once they confirmed an address.
    Mail,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Off, Self::Console, Self::Mail];

    /// Its word in the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Console => "console",
            Self::Mail => "mail",
        }
    }

    /// The words that people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Off => "not at all",
            Self::Console => "in the console",
            Self::Mail => "in the console and by e-mail",
        }
    }
}

/// What a person chose. Kinds that they did not name are as [`NoticeKind::usual`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Choices(BTreeMap<NoticeKind, Channel>);

impl Choices {
    /// How the person hears of that kind.
    pub fn of(&self, kind: NoticeKind) -> Channel {
        self.0.get(&kind).copied().unwrap_or_else(|| kind.usual())
    }

    /// All kinds, each with its channel.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self(NoticeKind::ALL.into_iter().map(|kind| (kind, self.of(kind))).collect())
    }

    /// These choices, and for all other kinds those of `before`.
    #[must_use]
    pub fn over(&self, before: &Self) -> Self {
        Self(before.0.iter().chain(&self.0).map(|(kind, channel)| (*kind, *channel)).collect())
    }

    /// Kinds of which the person does not want to hear.
    pub fn off(&self) -> Vec<NoticeKind> {
        NoticeKind::ALL.into_iter().filter(|kind| self.of(*kind) == Channel::Off).collect()
    }
}

impl FromIterator<(NoticeKind, Channel)> for Choices {
    fn from_iter<I: IntoIterator<Item = (NoticeKind, Channel)>>(choices: I) -> Self {
        Self(choices.into_iter().collect())
    }
}

/// What goes on at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cause {
    pub kind: NoticeKind,
    /// Tells it from other causes of the subscription; stays the same while it goes on.
    pub key: String,
    /// One line.
    pub title: String,
    /// What it means, and the next step.
    pub detail: String,
    /// The page that shows it, below the pages of the subscription: `/plan`.
    pub path: String,
}

impl Cause {
    /// The key of a finding's cause.
    pub fn of_finding(id: FindingId) -> String {
        format!("finding/{id}")
    }

    /// The key of an alert's cause: by the id under which the alert was shown first, and how often it was open again.
    pub fn of_alert(id: AlertId, period: u32) -> String {
        format!("alert/{id}/{period}")
    }

    /// The alert that a key is about, if it is about one.
    pub fn alert_of(key: &str) -> Option<AlertId> {
        key.strip_prefix("alert/")?.split('/').next()?.parse().ok()
    }
}

/// A notice, as it was told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Notice {
    /// Counts up within the subscription, in the order in which notices begin.
    pub number: i64,
    pub kind: NoticeKind,
    /// One line.
    pub title: String,
    /// What it means, and the next step.
    pub detail: String,
    /// The page that shows it, below the pages of the subscription.
    pub path: String,
    /// Since when it goes on.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// Since when it does not go on any more; null if it goes on.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub over_at: Option<Timestamp>,
}

/// What the store holds of a cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    pub kind: NoticeKind,
    pub over_at: Option<Timestamp>,
}

/// What changes in the store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Steps {
    /// Causes that begin: each gets the next number.
    pub begin: Vec<Cause>,
    /// Keys of causes that are over.
    pub end: Vec<String>,
    /// Keys of causes that go on after a short pause, without a new notice.
    pub resume: Vec<String>,
}

impl Steps {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.begin.is_empty() && self.end.is_empty() && self.resume.is_empty()
    }
}

/// What changes if these causes go on at `now`. A kind that is not in `judged` could not be judged, so its causes stay.
pub fn steps(
    known: &BTreeMap<String, Known>,
    causes: &[Cause],
    judged: &[NoticeKind],
    now: Timestamp,
) -> Steps {
    let mut steps = Steps::default();
    for cause in causes {
        match known.get(&cause.key) {
            None => steps.begin.push(cause.clone()),
            Some(Known { over_at: None, .. }) => {}
            Some(Known { over_at: Some(at), .. }) if now.since(*at) < cause.kind.pause() => {
                steps.resume.push(cause.key.clone());
            }
            Some(_) => steps.begin.push(cause.clone()),
        }
    }
    let goes_on: std::collections::BTreeSet<&str> = causes.iter().map(|cause| cause.key.as_str()).collect();
    let over = known.iter().filter(|(key, known)| {
        known.over_at.is_none() && judged.contains(&known.kind) && !goes_on.contains(key.as_str())
    });
    steps.end = over.map(|(key, _)| key.clone()).collect();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000 * DAY);

    fn cause(kind: NoticeKind, key: &str) -> Cause {
        let text = || "x".to_owned();
        Cause { kind, key: key.to_owned(), title: text(), detail: text(), path: text() }
    }

    fn known(kind: NoticeKind, over: Option<i64>) -> BTreeMap<String, Known> {
        BTreeMap::from([("a".to_owned(), Known { kind, over_at: over.map(|ago| NOW.plus(-ago)) })])
    }

    #[test]
    fn a_cause_that_goes_on_is_told_once() {
        let causes = [cause(NoticeKind::SensorSilent, "a")];
        let first = steps(&BTreeMap::new(), &causes, &NoticeKind::ALL, NOW);
        assert_eq!(first.begin, causes);
        assert!(steps(&known(NoticeKind::SensorSilent, None), &causes, &NoticeKind::ALL, NOW).is_empty());
    }

    #[test]
    fn a_cause_that_comes_back_soon_goes_on_in_silence_and_later_is_a_new_one() {
        let causes = [cause(NoticeKind::SensorSilent, "a")];
        let soon = steps(&known(NoticeKind::SensorSilent, Some(DAY - 1)), &causes, &NoticeKind::ALL, NOW);
        assert_eq!((soon.resume, soon.begin), (vec!["a".to_owned()], vec![]));
        let later = steps(&known(NoticeKind::SensorSilent, Some(DAY)), &causes, &NoticeKind::ALL, NOW);
        assert_eq!((later.resume, later.begin.len()), (vec![], 1));
    }

    #[test]
    fn a_kind_that_could_not_be_judged_stays_as_it_is() {
        let passed = known(NoticeKind::CommitmentPassed, None);
        assert_eq!(steps(&passed, &[], &NoticeKind::ALL, NOW).end, ["a"]);
        assert!(steps(&passed, &[], &[NoticeKind::SensorSilent], NOW).is_empty());
    }

    #[test]
    fn choices_keep_what_a_person_did_not_name() {
        let before: Choices = [(NoticeKind::TrialEnds, Channel::Off)].into_iter().collect();
        let change: Choices = [(NoticeKind::ClockOff, Channel::Console)].into_iter().collect();
        let after = change.over(&before);
        assert_eq!(after.off(), [NoticeKind::TrialEnds]);
        assert_eq!(after.of(NoticeKind::ClockOff), Channel::Console);
        assert_eq!(after.of(NoticeKind::SensorSilent), Channel::Mail);
        assert_eq!(after.whole().0.len(), NoticeKind::ALL.len());
    }

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_key(kind.key()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.key());
        }
    }
}
