//! The ledger of findings: what a survey found stays open until a person closes it (I15 d). **Pure.**
//!
//! A survey says what the facts show at an instant. The ledger remembers what surveys showed and what people decided about
//! it. A finding whose kind does not [stay](FindingKind::stays) closes by itself when a survey no longer shows it. A closed
//! finding opens again if frames that are newer than those of the closing show it.
//!
//! Taking the same conclusions twice changes nothing. Therefore a page takes the present ones over the stored ledger, and
//! does not wait for the job that stores them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::audit::Actor;
use crate::census::{
    Finding, FindingId, FindingKind, LISTED_FINDINGS, Timestamp, UnlistedFindings, time::rfc3339,
};

/// The most findings of a subscription, open and closed.
pub const RECORDS: usize = 10_000;
/// The longest note in characters.
pub const NOTE: usize = 500;

/// Whether somebody still has to look at a finding.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    #[default]
    Open,
    Closed,
}

impl FindingState {
    /// Its word in documents and in the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Which findings are in a list, by their state.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateFilter {
    #[default]
    Open,
    Closed,
    All,
}

impl StateFilter {
    pub const ALL: [Self; 3] = [Self::Open, Self::Closed, Self::All];

    /// Its word in queries.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::All => "all",
        }
    }

    /// Whether findings of that state are in the list.
    pub fn takes(self, state: FindingState) -> bool {
        match self {
            Self::Open => state == FindingState::Open,
            Self::Closed => state == FindingState::Closed,
            Self::All => true,
        }
    }
}

impl fmt::Display for StateFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for StateFilter {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|filter| filter.key() == text).ok_or(UnknownState)
    }
}

/// A text that does not name a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown state: write open, closed or all")]
pub struct UnknownState;

/// What the facts and the health of the sensors show at an instant.
#[derive(Clone, Debug, Default)]
pub struct Conclusions {
    /// Sorted by kind, zone and subjects.
    pub findings: Vec<Finding>,
    /// How many findings have no room in the list.
    pub unlisted: Vec<UnlistedFindings>,
}

/// A finding, and what people decided about it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct FindingRecord {
    /// As a survey showed it last. If a person closed it, as it was then.
    #[serde(flatten)]
    pub finding: Finding,
    pub state: FindingState,
    /// When a survey showed it first.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// Since when no survey shows it; null if the newest survey shows it.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone_since: Option<Timestamp>,
    /// When it was closed last; null if it never was.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// Who closed it last: `person:NAME`, `operator`, or `service` if it closed by itself.
    pub closed_by: Option<String>,
    /// When it was opened again after `closed_at`; null if it was not.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reopened_at: Option<Timestamp>,
    /// Who opened it again: `person:NAME`, `operator`, or `service` if newer frames showed it.
    pub reopened_by: Option<String>,
    /// What the person wrote who closed it or opened it again last.
    pub note: Option<String>,
}

/// What a person decides about a finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FindingDecision {
    /// The state that it gets.
    pub state: FindingState,
    pub note: Option<String>,
}

/// What the ledger has no room for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Overflow {
    /// The most findings of a kind in a zone that had no room at once, since there was room for all.
    pub unlisted: Vec<UnlistedFindings>,
    /// How many closed findings were deleted to make room for others.
    pub dropped: u64,
}

/// The findings of a subscription.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FindingLedger {
    pub records: BTreeMap<FindingId, FindingRecord>,
    pub overflow: Overflow,
}

impl FindingRecord {
    fn new(finding: Finding, now: Timestamp) -> Self {
        Self {
            finding,
            state: FindingState::Open,
            opened_at: now,
            gone_since: None,
            closed_at: None,
            closed_by: None,
            reopened_at: None,
            reopened_by: None,
            note: None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.state == FindingState::Open
    }

    /// Takes what the newest survey says of it.
    fn show(&mut self, finding: &Finding, now: Timestamp) {
        // Without times, only a survey between that did not show it tells that it came back.
        let came_back = self.gone_since.is_some()
            && (finding.last.is_none() || self.closed_by.as_deref() == Some(&*Actor::Service.to_string()));
        self.gone_since = None;
        if !self.is_open() {
            if finding.last <= self.finding.last && !came_back {
                return;
            }
            self.open(&Actor::Service.to_string(), now);
        }
        if self.finding != *finding {
            self.finding = finding.clone();
        }
    }

    /// Notes that the newest survey does not show it.
    fn miss(&mut self, now: Timestamp) {
        self.gone_since.get_or_insert(now);
        if self.is_open() && !self.finding.kind.stays() {
            self.close(&Actor::Service.to_string(), now);
        }
    }

    fn close(&mut self, by: &str, now: Timestamp) {
        self.state = FindingState::Closed;
        (self.closed_at, self.closed_by) = (Some(now), Some(by.to_owned()));
        (self.reopened_at, self.reopened_by) = (None, None);
    }

    fn open(&mut self, by: &str, now: Timestamp) {
        self.state = FindingState::Open;
        (self.reopened_at, self.reopened_by) = (Some(now), Some(by.to_owned()));
    }

    /// Takes a person's decision. Says whether it changes anything.
    pub fn decide(&mut self, decision: &FindingDecision, by: &str, now: Timestamp) -> bool {
        if self.state == decision.state {
            return false;
        }
        match decision.state {
            FindingState::Closed => self.close(by, now),
            FindingState::Open => self.open(by, now),
        }
        self.note.clone_from(&decision.note);
        true
    }
}

impl FindingLedger {
    /// Takes the conclusions of the newest survey.
    pub fn take(&mut self, shown: &Conclusions, now: Timestamp) {
        let ids: BTreeSet<FindingId> = shown.findings.iter().map(|finding| finding.id).collect();
        for (id, record) in &mut self.records {
            if !ids.contains(id) {
                record.miss(now);
            }
        }
        let mut fresh = Vec::new();
        for finding in &shown.findings {
            match self.records.get_mut(&finding.id) {
                Some(record) => record.show(finding, now),
                None => fresh.push(finding),
            }
        }
        let mut unlisted = groups(&shown.unlisted);
        let mut room = Room::of(self);
        for finding in fresh {
            if room.take(self, finding) {
                self.records.insert(finding.id, FindingRecord::new(finding.clone(), now));
            } else {
                *unlisted.entry((finding.kind, finding.zone.clone())).or_default() += 1;
            }
        }
        // A number stays until there is room again: a person cleans up before it is forgotten.
        for ((kind, zone), count) in groups(&self.overflow.unlisted) {
            let group = (kind, zone);
            if unlisted.contains_key(&group) || !room.is_free(self, &group) {
                let most = unlisted.entry(group).or_default();
                *most = count.max(*most);
            }
        }
        let list = |((kind, zone), count)| UnlistedFindings { kind, zone, count };
        self.overflow.unlisted = unlisted.into_iter().map(list).collect();
    }

    /// Those that `wanted` takes, as every list has them: by kind, zone and subjects.
    pub fn into_list(self, wanted: impl Fn(&FindingRecord) -> bool) -> Vec<FindingRecord> {
        let mut list: Vec<FindingRecord> = self.records.into_values().filter(wanted).collect();
        list.sort_by(|a, b| a.finding.rank().cmp(&b.finding.rank()));
        list
    }
}

type Group = (FindingKind, String);

fn groups(unlisted: &[UnlistedFindings]) -> BTreeMap<Group, u64> {
    unlisted.iter().map(|u| ((u.kind, u.zone.clone()), u.count)).collect()
}

/// The room for further findings.
struct Room {
    /// How many are open.
    open: BTreeMap<Group, usize>,
    /// Closed findings that no survey shows: those that were closed first are deleted first. A closed one that a survey
    /// shows must stay, or it would come back as an open one.
    deletable: BTreeSet<(Option<Timestamp>, FindingId)>,
}

impl Room {
    fn of(ledger: &FindingLedger) -> Self {
        let mut room = Self { open: BTreeMap::new(), deletable: BTreeSet::new() };
        for (id, record) in &ledger.records {
            if record.is_open() {
                let group = (record.finding.kind, record.finding.zone.clone());
                *room.open.entry(group).or_default() += 1;
            } else if record.gone_since.is_some() {
                room.deletable.insert((record.closed_at, *id));
            }
        }
        room
    }

    /// Takes room for a finding, if necessary that of a closed one. Says whether there was any.
    fn take(&mut self, ledger: &mut FindingLedger, finding: &Finding) -> bool {
        let group = (finding.kind, finding.zone.clone());
        if self.open_in(&group) >= LISTED_FINDINGS {
            return false;
        }
        if ledger.records.len() >= RECORDS {
            let Some((_, oldest)) = self.deletable.pop_first() else { return false };
            ledger.records.remove(&oldest);
            ledger.overflow.dropped = ledger.overflow.dropped.saturating_add(1);
        }
        *self.open.entry(group).or_default() += 1;
        true
    }

    fn is_free(&self, ledger: &FindingLedger, group: &Group) -> bool {
        self.open_in(group) < LISTED_FINDINGS
            && (ledger.records.len() < RECORDS || !self.deletable.is_empty())
    }

    fn open_in(&self, group: &Group) -> usize {
        self.open.get(group).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Limit, MacAddr, Prefix};

    const ALICE: &str = "person:alice";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    /// A conflict of the address with that number, whose newest frame is at `last`.
    fn conflict(number: u16, last: i64) -> Finding {
        let [c, d] = number.to_be_bytes();
        let cards = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
        Finding::address_conflict("hq", [10, 0, c, d].into(), cards, at(1), at(last))
    }

    fn conclusions(findings: impl IntoIterator<Item = Finding>) -> Conclusions {
        let mut findings: Vec<Finding> = findings.into_iter().collect();
        Finding::sort(&mut findings);
        Conclusions { findings, unlisted: Vec::new() }
    }

    fn ledger(findings: impl IntoIterator<Item = Finding>, now: i64) -> FindingLedger {
        let mut ledger = FindingLedger::default();
        ledger.take(&conclusions(findings), at(now));
        ledger
    }

    fn decide(ledger: &mut FindingLedger, finding: &Finding, state: FindingState, now: i64) {
        let decision = FindingDecision { state, note: None };
        assert!(ledger.records.get_mut(&finding.id).unwrap().decide(&decision, ALICE, at(now)));
    }

    #[test]
    fn the_same_conclusions_change_nothing() {
        let shown = conclusions([conflict(1, 5), Finding::lower_bound("hq", Limit::Learned)]);
        let mut twice = ledger(shown.findings.clone(), 10);
        let once = twice.clone();
        twice.take(&shown, at(20));
        assert_eq!(once, twice);
    }

    #[test]
    fn an_attempt_stays_open_and_a_present_state_closes_by_itself() {
        let (attempt, state) = (conflict(1, 5), Finding::lower_bound("hq", Limit::Learned));
        let mut ledger = ledger([attempt.clone(), state.clone()], 10);
        for now in [20, 30] {
            ledger.take(&Conclusions::default(), at(now));
        }
        let (attempt, state) = (&ledger.records[&attempt.id], ledger.records[&state.id].clone());
        assert_eq!((attempt.state, attempt.gone_since), (FindingState::Open, Some(at(20))));
        assert_eq!((state.state, state.closed_at), (FindingState::Closed, Some(at(20))));
        assert_eq!(state.closed_by.as_deref(), Some("service"));
        ledger.take(&conclusions([state.finding.clone()]), at(40));
        let again = &ledger.records[&state.finding.id];
        assert!(again.is_open());
        assert_eq!((again.reopened_at, again.gone_since), (Some(at(40)), None));
    }

    #[test]
    fn what_is_closed_opens_again_by_newer_frames_only() {
        let finding = conflict(1, 5);
        let mut ledger = ledger([finding.clone()], 10);
        decide(&mut ledger, &finding, FindingState::Closed, 11);
        for shown in [conclusions([finding.clone()]), Conclusions::default(), conclusions([conflict(1, 4)])] {
            ledger.take(&shown, at(20));
            assert!(!ledger.records[&finding.id].is_open());
        }
        ledger.take(&conclusions([conflict(1, 6)]), at(30));
        let record = &ledger.records[&finding.id];
        assert!(record.is_open());
        assert_eq!((record.finding.last, record.opened_at), (Some(at(6)), at(10)));
        assert_eq!((record.closed_at, record.reopened_at), (Some(at(11)), Some(at(30))));
        assert_eq!(record.reopened_by.as_deref(), Some("service"));
    }

    #[test]
    fn what_has_no_times_opens_again_if_it_was_gone_meanwhile() {
        let prefix: Prefix = "10.0.0.0/16".parse().unwrap();
        let finding = Finding::prefix_conflict("hq", prefix, ["10.0.0.0/24".parse().unwrap()]);
        assert!(finding.last.is_none());
        let mut ledger = ledger([finding.clone()], 10);
        decide(&mut ledger, &finding, FindingState::Closed, 11);
        ledger.take(&conclusions([finding.clone()]), at(20));
        assert!(!ledger.records[&finding.id].is_open());
        ledger.take(&Conclusions::default(), at(30));
        ledger.take(&conclusions([finding.clone()]), at(40));
        assert!(ledger.records[&finding.id].is_open());
    }

    #[test]
    fn a_person_decides_once_and_the_note_is_that_of_the_last_decision() {
        let finding = conflict(1, 5);
        let mut ledger = ledger([finding.clone()], 10);
        let record = ledger.records.get_mut(&finding.id).unwrap();
        let close = FindingDecision { state: FindingState::Closed, note: Some("a spare card".into()) };
        assert!(record.decide(&close, ALICE, at(11)));
        assert!(!record.decide(&close, "person:bob", at(12)), "it is closed already");
        assert_eq!(
            (record.closed_by.as_deref(), record.note.as_deref()),
            (Some(ALICE), Some("a spare card"))
        );
        assert!(record.decide(&FindingDecision { state: FindingState::Open, note: None }, ALICE, at(13)));
        assert_eq!(
            (record.is_open(), record.reopened_by.as_deref(), &record.note),
            (true, Some(ALICE), &None)
        );
    }

    #[test]
    fn a_thousand_of_a_kind_in_a_zone_are_open_and_the_others_are_counted_until_there_is_room() {
        let all = || (0..1_200).map(|n| conflict(n, 5));
        let mut ledger = ledger(all(), 10);
        assert_eq!(ledger.records.len(), LISTED_FINDINGS);
        assert_eq!(ledger.overflow.unlisted[0].count, 200);
        ledger.take(&Conclusions::default(), at(20));
        assert_eq!(ledger.overflow.unlisted[0].count, 200, "the number stays although the facts changed");
        for n in 0..300 {
            decide(&mut ledger, &conflict(n, 5), FindingState::Closed, 21);
        }
        ledger.take(&conclusions(all()), at(30));
        assert_eq!((ledger.records.len(), ledger.overflow.unlisted.len()), (1_200, 0));
    }

    #[test]
    fn a_full_ledger_deletes_what_was_closed_first_and_keeps_what_is_open_or_shown() {
        let mut ledger = FindingLedger::default();
        // Ten rounds of a thousand, each closed after it is gone.
        for round in 0..10_u16 {
            let now = 100 * i64::from(round);
            let findings: Vec<Finding> = (0..1_000).map(|n| conflict(1_000 * round + n, now)).collect();
            ledger.take(&conclusions(findings.clone()), at(now));
            for finding in &findings {
                decide(&mut ledger, finding, FindingState::Closed, now + 1);
            }
        }
        assert_eq!(ledger.records.len(), RECORDS);
        let newcomers = (20_000..20_400).map(|n| conflict(n, 2_000));
        let still_shown = (0..100).map(|n| conflict(n, 0));
        ledger.take(&conclusions(newcomers.chain(still_shown)), at(2_000));
        assert_eq!((ledger.records.len(), ledger.overflow.dropped), (RECORDS, 400));
        let known = |number: u16| ledger.records.contains_key(&conflict(number, 0).id);
        assert!(known(20_399) && known(0) && known(99), "new ones, and closed ones that are still shown");
        assert!((1_000..10_000).all(known), "those that were closed later");
        assert_eq!((100..1_000).filter(|n| !known(*n)).count(), 400, "the first that were closed go");
    }
}
