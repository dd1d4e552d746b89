//! The life of an alert: a function of what was seen, what people decided, and which mute rules are in force. **Pure.**
//!
//! Nothing of it is stored but decisions. So late uploads, restarts and several services lead to the same states.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mute::Mute;
use crate::census::Timestamp;
use crate::census::time::{DAY, rfc3339};
use crate::security::{Alert, AlertId};

/// An open alert that was not seen for so long is closed.
pub const FORGOTTEN: i64 = 90 * DAY;
/// An open alert that was not seen for so long is resolved, if its device was seen on [`PRESENT`] of these days.
pub const RESOLVED: i64 = 30 * DAY;
/// On so many of the last 30 days a device must have been seen, so that its silence means something.
pub const PRESENT: u32 = 10;

/// The state of an alert.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody looked at it yet.
    #[default]
    New,
    /// A person looks at it.
    Active,
    /// It was seen again after it was closed, or after its acceptance ended.
    Reopened,
    /// A mute rule holds it: it is listed, and nobody is told.
    Muted,
    /// It was not seen for 30 days, although its device was seen on at least 10 of them.
    Resolved,
    /// A person closed it, or it was not seen for 90 days.
    Closed,
    /// It is expected: it stays closed whatever is seen, until its end if it has one.
    Accepted,
}

impl AlertState {
    pub const ALL: [Self; 7] =
        [Self::New, Self::Active, Self::Reopened, Self::Muted, Self::Resolved, Self::Closed, Self::Accepted];
    /// Those that a person can decide.
    pub const DECIDED: [Self; 4] = [Self::New, Self::Active, Self::Closed, Self::Accepted];

    /// The name in the API and the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Reopened => "reopened",
            Self::Muted => "muted",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Accepted => "accepted",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.key() == key)
    }

    /// Whether a person still has to do something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Active | Self::Reopened)
    }
}

/// Why a person closed an alert.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// It was an attack or a fault, and was dealt with.
    TruePositive,
    /// It happened, and is part of how the site works.
    ExpectedActivity,
    /// It did not happen, or does not mean what the alert says.
    FalsePositive,
}

impl CloseReason {
    pub const ALL: [Self; 3] = [Self::TruePositive, Self::ExpectedActivity, Self::FalsePositive];

    /// The name in the API and on the command line.
    pub const fn key(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::ExpectedActivity => "expected_activity",
            Self::FalsePositive => "false_positive",
        }
    }

    /// The words for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::TruePositive => "true positive",
            Self::ExpectedActivity => "expected activity",
            Self::FalsePositive => "false positive",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.key() == key)
    }
}

/// Of what a decision is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionScope {
    /// One alert.
    #[default]
    Alert,
    /// All alerts of its rule and its object in its zone, of whatever device, also those to come.
    Object,
}

impl DecisionScope {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_alert(&self) -> bool {
        *self == Self::Alert
    }
}

/// What a person decided about an alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct AlertDecision {
    /// `new`, `active`, `closed` or `accepted`.
    pub state: AlertState,
    /// Why it was closed; left out if the person did not say, and in other states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
    /// Until when it is accepted; left out if for ever, and in other states.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// A note for those who look at it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who works on it; left out if nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Left out for `alert`.
    #[serde(default, skip_serializing_if = "DecisionScope::is_alert")]
    pub scope: DecisionScope,
    /// Who decided.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl AlertDecision {
    /// Whether both say the same, without who said it and when.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |d: &Self| (d.state, d.reason, d.until, d.note.clone(), d.assignee.clone(), d.scope);
        said(self) == said(other)
    }
}

/// The stage of an alert in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Life {
    pub state: AlertState,
    /// The mute rule that holds it, if one does.
    pub muted_by: Option<u64>,
    /// Since when, if it came into this state by itself: by a sighting, or by none.
    pub since: Option<Timestamp>,
}

/// The id under which the object of an alert is accepted in its zone.
pub fn object_id(alert: &Alert) -> AlertId {
    let label = alert.labels.first().unwrap_or(&alert.device.zone);
    AlertId::of_object(label, &alert.rule, &alert.object)
}

/// All ids under which the object of an alert may have been accepted in its zone: one a label.
pub fn object_ids(alert: &Alert) -> impl Iterator<Item = AlertId> {
    let others = alert.labels.iter().skip(1);
    let of = |label: &String| AlertId::of_object(label, &alert.rule, &alert.object);
    std::iter::once(object_id(alert)).chain(others.map(of))
}

/// The newest decision about an alert: by its id, by one that it had or would have, or about its object.
pub fn decision<'d>(
    alert: &Alert,
    decisions: &'d BTreeMap<AlertId, AlertDecision>,
) -> Option<&'d AlertDecision> {
    let own = std::iter::once(alert.id).chain(alert.aliases.iter().copied());
    let ids = own.chain((!decisions.is_empty()).then(|| object_ids(alert)).into_iter().flatten());
    ids.filter_map(|id| decisions.get(&id)).max_by_key(|decision| decision.at)
}

/// The stage of an alert in its life at `as_of`. `present` is on how many of the last 30 days its device was seen.
pub fn life(
    alert: &Alert,
    decision: Option<&AlertDecision>,
    mutes: &[Mute],
    present: u32,
    as_of: Timestamp,
) -> Life {
    let by_itself = |state, since| Life { state, since: Some(since), muted_by: None };
    let stays = |state| Life { state, ..Life::default() };
    let open = match decision {
        None => stays(AlertState::New),
        Some(d) => match (d.state, d.until) {
            (AlertState::Closed, _) if alert.last <= d.at => return stays(AlertState::Closed),
            (AlertState::Accepted, None) => return stays(AlertState::Accepted),
            (AlertState::Accepted, Some(end)) if alert.last <= end => return stays(AlertState::Accepted),
            (AlertState::Closed | AlertState::Accepted, _) => by_itself(AlertState::Reopened, alert.last),
            (AlertState::Active, _) => stays(AlertState::Active),
            _ => stays(AlertState::New),
        },
    };
    // A person who opens it again wants to look at it, however long ago it was seen.
    let newest = decision.map_or(alert.last, |d| d.at.max(alert.last));
    let silent = as_of.since(newest);
    if silent >= FORGOTTEN {
        return by_itself(AlertState::Closed, newest.plus(FORGOTTEN));
    }
    if silent >= RESOLVED && present >= PRESENT {
        return by_itself(AlertState::Resolved, newest.plus(RESOLVED));
    }
    match mutes.iter().find(|mute| mute.is_in_force(as_of) && mute.filter.takes(alert)) {
        Some(mute) => Life { state: AlertState::Muted, muted_by: Some(mute.number), since: None },
        None => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mute::MuteFilter;
    use crate::plan::mute::tests::alert;

    const NOW: Timestamp = Timestamp(1_000 * DAY);

    fn ago(days: i64) -> Timestamp {
        NOW.plus(-days * DAY)
    }

    fn decided(state: AlertState, at: Timestamp) -> AlertDecision {
        let (by, scope) = ("person:a".into(), DecisionScope::Alert);
        AlertDecision { state, reason: None, until: None, note: None, assignee: None, scope, by, at }
    }

    fn state(last: Timestamp, decision: Option<&AlertDecision>, present: u32) -> AlertState {
        life(&alert(last), decision, &[], present, NOW).state
    }

    #[test]
    fn a_closed_alert_is_reopened_by_a_later_sighting_and_by_no_earlier_one() {
        let closed = decided(AlertState::Closed, ago(2));
        assert_eq!(state(ago(3), Some(&closed), 0), AlertState::Closed);
        assert_eq!(state(ago(2), Some(&closed), 0), AlertState::Closed);
        let again = life(&alert(ago(1)), Some(&closed), &[], 0, NOW);
        assert_eq!((again.state, again.since), (AlertState::Reopened, Some(ago(1))));
    }

    #[test]
    fn an_accepted_alert_stays_so_until_it_is_seen_after_the_end() {
        let for_ever = decided(AlertState::Accepted, ago(50));
        let ends = AlertDecision { until: Some(ago(5)), ..for_ever.clone() };
        assert_eq!(state(ago(0), Some(&for_ever), 30), AlertState::Accepted);
        assert_eq!(state(ago(6), Some(&ends), 30), AlertState::Accepted);
        assert_eq!(state(ago(4), Some(&ends), 30), AlertState::Reopened);
    }

    #[test]
    fn what_stopped_is_resolved_if_the_device_was_there_and_closed_after_ninety_days() {
        assert_eq!(state(ago(29), None, 30), AlertState::New);
        assert_eq!(state(ago(30), None, 9), AlertState::New, "the device may just be away");
        assert_eq!(state(ago(30), None, 10), AlertState::Resolved);
        assert_eq!(state(ago(89), None, 0), AlertState::New);
        let closed = life(&alert(ago(91)), None, &[], 30, NOW);
        assert_eq!((closed.state, closed.since), (AlertState::Closed, Some(ago(1))));
        let looks = decided(AlertState::Active, ago(10));
        assert_eq!(state(ago(200), Some(&looks), 30), AlertState::Active, "somebody wants to look at it");
    }

    #[test]
    fn a_mute_holds_what_is_open_while_it_is_in_force() {
        let filter = MuteFilter { rule: Some("A-SCAN-P".into()), ..MuteFilter::default() };
        let mute = |until| Mute {
            number: 3,
            filter: filter.clone(),
            reason: "x".into(),
            by: "x".into(),
            at: ago(9),
            until,
        };
        let of =
            |mute: Mute, decision: Option<&AlertDecision>| life(&alert(ago(1)), decision, &[mute], 30, NOW);
        let held = of(mute(NOW.plus(1)), None);
        assert_eq!((held.state, held.muted_by), (AlertState::Muted, Some(3)));
        assert_eq!(of(mute(NOW), None).state, AlertState::New);
        let closed = decided(AlertState::Closed, NOW);
        assert_eq!(of(mute(NOW.plus(1)), Some(&closed)).state, AlertState::Closed);
    }

    #[test]
    fn an_accepted_object_holds_for_the_zone_until_something_newer_is_decided_about_the_alert() {
        let one = alert(ago(1));
        let accepted = decided(AlertState::Accepted, ago(5));
        let of = |zone: &str, rule: &str, object: &str| {
            let decisions = BTreeMap::from([(AlertId::of_object(zone, rule, object), accepted.clone())]);
            decision(&one, &decisions).is_some()
        };
        assert!(of("hq", "A-SCAN-P", "10.0.0.9"));
        assert!(!of("hq2", "A-SCAN-P", "10.0.0.9") && !of("hq", "A-SCAN-H", "10.0.0.9"));
        assert!(!of("hq", "A-SCAN-P", "10.0.0.8"));
        let newer = decided(AlertState::Active, ago(2));
        let decisions = BTreeMap::from([(object_id(&one), accepted.clone()), (one.id, newer)]);
        assert_eq!(decision(&one, &decisions).unwrap().state, AlertState::Active);
    }

    #[test]
    fn a_decision_on_an_alias_holds_and_the_newest_counts() {
        let mut one = alert(ago(9));
        let other: AlertId = "0".repeat(32).parse().unwrap();
        one.aliases = vec![other];
        let mut decisions = BTreeMap::from([(other, decided(AlertState::Closed, ago(2)))]);
        assert_eq!(decision(&one, &decisions).unwrap().state, AlertState::Closed);
        decisions.insert(one.id, decided(AlertState::Active, ago(1)));
        assert_eq!(decision(&one, &decisions).unwrap().state, AlertState::Active);
    }
}
