//! What may be done to a timeline, and when (P1 to P6).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::{LARGEST, Plan, PlanKind, STEP, in_effect, present, whole_second};
use super::refusal::PlanRefusal;
use crate::census::Timestamp;

/// The most plans that one subscription can have had. The history is read whole.
pub const HISTORY: usize = 10_000;

/// The plans of a subscription, and the instant at which they are looked at.
///
/// **Replacing** (P4) cancels the plan in effect and books a successor for the instant at which that plan ends: an hour
/// later, or at the end of a trial if that is earlier (P5). If the plan is already cancelled, its end does not move.
///
/// **While a successor is booked**, withdrawing takes back both: the plan in effect continues, and the booking never comes
/// into effect. Cancelling takes back only the booking, which needs no notice because it has not begun; the end of the
/// plan in effect does not move. A second successor cannot be booked.
///
/// **If the clock goes back**, the timeline does not: the instant is never before the newest stored one of
/// a plan or of a closed statement. Reading stores nothing, so a clock that was ahead for a moment does no harm unless somebody
/// changed a plan, or a statement was closed, during that moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct History {
    plans: Vec<Plan>,
    now: Timestamp,
}

/// The plan that a person asks for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Onboarding {
    /// The kind of plan.
    pub kind: PlanKind,
    /// The number of devices to commit: a positive multiple of 100; none for a trial.
    #[serde(default)]
    pub devices: Option<u64>,
    /// Whether the terms are accepted; without that, the plan is refused.
    #[serde(default)]
    pub accept_terms: bool,
}

/// What an action does to the rows. Store all of it or nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanChange {
    /// Existing rows with their new values; if the plan in effect changes, it is the first.
    pub updated: Vec<Plan>,
    /// The new row.
    pub added: Option<Plan>,
}

impl PlanChange {
    /// The rows after it, oldest first.
    pub fn applied(&self, plans: &[Plan]) -> Vec<Plan> {
        let newer =
            |plan: &Plan| self.updated.iter().find(|u| u.number == plan.number).unwrap_or(plan).clone();
        plans.iter().map(newer).chain(self.added.clone()).collect()
    }
}

impl History {
    /// The plans, oldest first, at `now` by the clock, or at `settled` if that is later.
    pub fn new(plans: Vec<Plan>, settled: Option<Timestamp>, now: Timestamp) -> Self {
        let now = present(&plans, now).max(settled.map_or(Timestamp(i64::MIN), whole_second));
        Self { plans, now }
    }

    /// All plans, oldest first.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The instant at which the plans are looked at: a whole second.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The plan in effect.
    pub fn in_effect(&self) -> Option<&Plan> {
        in_effect(&self.plans, self.now)
    }

    /// The plan that is booked to follow.
    pub fn booked(&self) -> Option<&Plan> {
        self.plans.iter().find(|p| p.withdrawn_at.is_none() && self.now < p.from)
    }

    /// Onboards a plan that starts now (P1, P2).
    ///
    /// # Errors
    /// [`PlanRefusal`], for the first rule that is broken.
    pub fn onboard(&self, asked: &Onboarding) -> Result<PlanChange, PlanRefusal> {
        let added = self.plan(asked, self.now)?;
        if let Some(plan) = self.plans.iter().find(|p| p.to().is_none_or(|to| self.now < to)) {
            return Err(PlanRefusal::AlreadyActive { kind: plan.kind, to: plan.to() });
        }
        Ok(PlanChange { updated: Vec::new(), added: Some(added) })
    }

    /// Confirms the cancellation of the plan in effect (P5), or takes back the booked successor.
    ///
    /// # Errors
    /// [`PlanRefusal::NoPlan`] or [`PlanRefusal::AlreadyCancelled`].
    pub fn cancel(&self) -> Result<PlanChange, PlanRefusal> {
        let plan = self.in_effect().ok_or(PlanRefusal::NoPlan)?;
        let updated = match (self.booked(), plan.cancel_requested_at, plan.to()) {
            (Some(booked), ..) => self.taken_back(booked),
            (None, Some(_), Some(to)) => return Err(PlanRefusal::AlreadyCancelled(to)),
            _ => self.cancelled(plan),
        };
        Ok(PlanChange { updated: vec![updated], added: None })
    }

    /// Withdraws the cancellation before the plan's end (P5), and with it the booked successor.
    ///
    /// # Errors
    /// [`PlanRefusal::NoPlan`] or [`PlanRefusal::NotCancelled`].
    pub fn withdraw(&self) -> Result<PlanChange, PlanRefusal> {
        let plan = self.in_effect().ok_or(PlanRefusal::NoPlan)?;
        if plan.cancel_requested_at.is_none() {
            return Err(PlanRefusal::NotCancelled);
        }
        let kept = Plan { cancel_requested_at: None, changed_at: self.now, ..plan.clone() };
        let updated = std::iter::once(kept).chain(self.booked().map(|b| self.taken_back(b))).collect();
        Ok(PlanChange { updated, added: None })
    }

    /// Replaces the plan in effect by one that starts where it ends (P4).
    ///
    /// # Errors
    /// [`PlanRefusal`], for the first rule that is broken.
    pub fn replace(&self, asked: &Onboarding) -> Result<PlanChange, PlanRefusal> {
        let plan = self.in_effect().ok_or(PlanRefusal::NoPlan)?;
        if let Some(booked) = self.booked() {
            return Err(PlanRefusal::SuccessorBooked { number: booked.number, from: booked.from });
        }
        let ending = if plan.cancel_requested_at.is_some() { plan.clone() } else { self.cancelled(plan) };
        // A cancelled plan always has an end.
        let start = ending.to().ok_or(PlanRefusal::NotCancelled)?;
        let updated = if ending == *plan { Vec::new() } else { vec![ending] };
        Ok(PlanChange { updated, added: Some(self.plan(asked, start)?) })
    }

    fn cancelled(&self, plan: &Plan) -> Plan {
        Plan { cancel_requested_at: Some(self.now), changed_at: self.now, ..plan.clone() }
    }

    fn taken_back(&self, booked: &Plan) -> Plan {
        Plan { withdrawn_at: Some(self.now), changed_at: self.now, ..booked.clone() }
    }

    /// The row of the plan asked for, in effect from `from` on.
    fn plan(&self, asked: &Onboarding, from: Timestamp) -> Result<Plan, PlanRefusal> {
        if !asked.accept_terms {
            return Err(PlanRefusal::TermsNotAccepted);
        }
        match (asked.kind, asked.devices) {
            (PlanKind::Trial, Some(_)) => return Err(PlanRefusal::NumberForTrial),
            (PlanKind::Monthly | PlanKind::Annual, None) => {
                return Err(PlanRefusal::NumberMissing(asked.kind));
            }
            (_, Some(n)) => committable(n)?,
            _ => {}
        }
        if self.plans.len() >= HISTORY {
            return Err(PlanRefusal::HistoryFull);
        }
        Ok(Plan {
            number: self.plans.iter().map(|p| p.number).max().unwrap_or(0).saturating_add(1),
            kind: asked.kind,
            committed: asked.devices,
            accepted_terms_at: self.now,
            from,
            cancel_requested_at: None,
            withdrawn_at: None,
            changed_at: self.now,
        })
    }
}

/// Checks that a number can be committed to (P2).
///
/// # Errors
/// [`PlanRefusal::TooMany`] or [`PlanRefusal::NotMultiple`].
pub(crate) fn committable(n: u64) -> Result<(), PlanRefusal> {
    match n {
        n if n > LARGEST => Err(PlanRefusal::TooMany(n)),
        n if n == 0 || n % STEP != 0 => {
            Err(PlanRefusal::NotMultiple { asked: n, next: n.max(1).next_multiple_of(STEP) })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::timeline::PlanStatus;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(kind: PlanKind, devices: Option<u64>) -> Onboarding {
        Onboarding { kind, devices, accept_terms: true }
    }

    /// A timeline, and a clock that a test moves.
    #[derive(Default)]
    struct Story(Vec<Plan>);

    impl Story {
        fn at(&self, clock: &str) -> History {
            History::new(self.0.clone(), None, at(clock))
        }

        fn does(
            &mut self,
            clock: &str,
            act: impl FnOnce(&History) -> Result<PlanChange, PlanRefusal>,
        ) -> Result<PlanChange, PlanRefusal> {
            let change = act(&self.at(clock))?;
            for row in change.updated.iter().chain(&change.added) {
                match self.0.iter_mut().find(|p| p.number == row.number) {
                    Some(plan) => *plan = row.clone(),
                    None => self.0.push(row.clone()),
                }
            }
            Ok(change)
        }

        fn statuses(&self, clock: &str) -> Vec<PlanStatus> {
            let history = self.at(clock);
            history.plans().iter().map(|p| p.status(history.now())).collect()
        }
    }

    fn monthly(start: &str, devices: u64) -> Story {
        let mut story = Story::default();
        story.does(start, |h| h.onboard(&asked(PlanKind::Monthly, Some(devices)))).unwrap();
        story
    }

    #[test]
    fn a_number_that_is_no_multiple_of_a_hundred_is_refused_with_the_next_one() {
        let empty = Story::default().at("2026-11-01T00:00:00Z");
        for (n, next) in [(0, 100), (1, 100), (99, 100), (101, 200), (1650, 1700), (1679, 1700)] {
            let refusal = empty.onboard(&asked(PlanKind::Monthly, Some(n))).unwrap_err();
            assert_eq!(refusal, PlanRefusal::NotMultiple { asked: n, next });
            assert!(refusal.to_string().contains(&format!("commit {next}")));
        }
        let plan = empty.onboard(&asked(PlanKind::Annual, Some(1700))).unwrap().added.unwrap();
        assert_eq!(plan.committed, Some(1700));
        let huge = empty.onboard(&asked(PlanKind::Annual, Some(u64::MAX)));
        assert_eq!(huge, Err(PlanRefusal::TooMany(u64::MAX)));
    }

    #[test]
    fn every_other_refusal_is_its_own() {
        let empty = Story::default().at("2026-11-01T00:00:00Z");
        let silent = Onboarding { accept_terms: false, ..asked(PlanKind::Trial, None) };
        assert_eq!(empty.onboard(&silent), Err(PlanRefusal::TermsNotAccepted));
        assert_eq!(empty.onboard(&asked(PlanKind::Trial, Some(100))), Err(PlanRefusal::NumberForTrial));
        let missing = empty.onboard(&asked(PlanKind::Monthly, None));
        assert_eq!(missing, Err(PlanRefusal::NumberMissing(PlanKind::Monthly)));
        for refused in [empty.cancel(), empty.withdraw(), empty.replace(&asked(PlanKind::Trial, None))] {
            assert_eq!(refused, Err(PlanRefusal::NoPlan));
        }
        let running = monthly("2026-11-01T00:00:00Z", 100).at("2026-11-02T00:00:00Z");
        let second = running.onboard(&asked(PlanKind::Trial, None));
        assert_eq!(second, Err(PlanRefusal::AlreadyActive { kind: PlanKind::Monthly, to: None }));
        assert_eq!(running.withdraw(), Err(PlanRefusal::NotCancelled));
        let replaced = running.replace(&asked(PlanKind::Monthly, Some(150)));
        assert_eq!(replaced, Err(PlanRefusal::NotMultiple { asked: 150, next: 200 }));
        let mut full = running.plans().to_vec();
        full.resize(HISTORY, Plan { withdrawn_at: Some(Timestamp(0)), ..full[0].clone() });
        let full = History::new(full, None, at("2026-11-02T00:00:00Z"));
        assert_eq!(full.replace(&asked(PlanKind::Trial, None)), Err(PlanRefusal::HistoryFull));
    }

    #[test]
    fn a_cancelled_plan_stays_in_effect_for_exactly_one_hour() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        let plan = story.does("2026-11-22T10:00:00Z", History::cancel).unwrap().updated[0].clone();
        assert_eq!(plan.to(), Some(at("2026-11-22T11:00:00Z")));
        assert_eq!(plan.status(at("2026-11-22T10:59:59.999999999Z")), PlanStatus::Cancelling);
        assert_eq!(plan.status(at("2026-11-22T11:00:00Z")), PlanStatus::Cancelled);
        let again = story.at("2026-11-22T10:30:00Z").cancel();
        assert_eq!(again, Err(PlanRefusal::AlreadyCancelled(at("2026-11-22T11:00:00Z"))));
        let kept = story.at("2026-11-22T10:59:59Z").withdraw().unwrap();
        assert_eq!(kept.updated[0].to(), None);
        assert_eq!(story.at("2026-11-22T11:00:00Z").withdraw(), Err(PlanRefusal::NoPlan));
        let next = story.does("2026-11-22T11:00:00Z", |h| h.onboard(&asked(PlanKind::Annual, Some(2100))));
        let next = next.unwrap().added.unwrap();
        assert_eq!((next.number, next.from), (2, at("2026-11-22T11:00:00Z")));
    }

    #[test]
    fn a_trial_ends_after_thirty_days_by_itself() {
        let mut story = Story::default();
        story.does("2026-11-01T08:00:00Z", |h| h.onboard(&asked(PlanKind::Trial, None))).unwrap();
        assert_eq!(story.statuses("2026-12-01T07:59:59Z"), [PlanStatus::Active]);
        assert_eq!(story.statuses("2026-12-01T08:00:00Z"), [PlanStatus::Expired]);
        let late = story.at("2026-12-01T07:30:00Z").cancel().unwrap();
        let end = late.updated[0].to();
        assert_eq!(end, Some(at("2026-12-01T08:00:00Z")), "notice never prolongs a trial");
        let next = story.at("2026-12-01T08:00:00Z").onboard(&asked(PlanKind::Monthly, Some(100)));
        assert!(next.is_ok());
    }

    #[test]
    fn a_replacement_starts_where_the_plan_in_effect_ends() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        let change = story
            .does("2026-11-22T10:00:00.75Z", |h| h.replace(&asked(PlanKind::Annual, Some(2100))))
            .unwrap();
        let (old, new) = (change.updated[0].clone(), change.added.unwrap());
        assert_eq!((old.to(), new.from), (Some(at("2026-11-22T11:00:00Z")), at("2026-11-22T11:00:00Z")));
        assert_eq!(story.statuses("2026-11-22T10:59:59Z"), [PlanStatus::Cancelling, PlanStatus::Booked]);
        assert_eq!(story.statuses("2026-11-22T11:00:00Z"), [PlanStatus::Cancelled, PlanStatus::Active]);
        let history = story.at("2026-11-22T10:30:00Z");
        let booked = PlanRefusal::SuccessorBooked { number: 2, from: at("2026-11-22T11:00:00Z") };
        assert_eq!(history.replace(&asked(PlanKind::Trial, None)), Err(booked));
        assert!(matches!(
            history.onboard(&asked(PlanKind::Trial, None)),
            Err(PlanRefusal::AlreadyActive { .. })
        ));
    }

    #[test]
    fn a_replaced_trial_ends_no_later_than_it_would_have_ended() {
        let mut story = Story::default();
        story.does("2026-11-01T08:00:00Z", |h| h.onboard(&asked(PlanKind::Trial, None))).unwrap();
        let change =
            story.does("2026-12-01T07:30:00Z", |h| h.replace(&asked(PlanKind::Monthly, Some(100)))).unwrap();
        assert_eq!(change.added.unwrap().from, at("2026-12-01T08:00:00Z"));
    }

    #[test]
    fn a_plan_that_is_cancelled_already_is_replaced_at_its_end() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        story.does("2026-11-22T10:00:00Z", History::cancel).unwrap();
        let change =
            story.does("2026-11-22T10:45:00Z", |h| h.replace(&asked(PlanKind::Monthly, Some(1800)))).unwrap();
        assert!(change.updated.is_empty(), "its hour runs from its own confirmation");
        assert_eq!(change.added.unwrap().from, at("2026-11-22T11:00:00Z"));
    }

    #[test]
    fn withdrawing_keeps_the_plan_and_the_successor_never_comes_into_effect() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        story.does("2026-11-22T10:00:00Z", |h| h.replace(&asked(PlanKind::Monthly, Some(2100)))).unwrap();
        let change = story.does("2026-11-22T10:30:00Z", History::withdraw).unwrap();
        assert_eq!(change.updated.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2]);
        for clock in ["2026-11-22T10:30:00Z", "2026-11-22T11:00:00Z", "2030-01-01T00:00:00Z"] {
            assert_eq!(story.statuses(clock), [PlanStatus::Active, PlanStatus::Withdrawn], "{clock}");
        }
        // The next booking is a new row beside it.
        story.does("2026-11-22T11:00:00Z", |h| h.replace(&asked(PlanKind::Monthly, Some(1800)))).unwrap();
        let after = story.statuses("2026-11-22T12:00:00Z");
        assert_eq!(after, [PlanStatus::Cancelled, PlanStatus::Withdrawn, PlanStatus::Active]);
    }

    #[test]
    fn cancelling_while_a_successor_is_booked_takes_back_the_successor_alone() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        story.does("2026-11-22T10:00:00Z", |h| h.replace(&asked(PlanKind::Monthly, Some(2100)))).unwrap();
        story.does("2026-11-22T10:30:00Z", History::cancel).unwrap();
        assert_eq!(story.statuses("2026-11-22T10:59:59Z"), [PlanStatus::Cancelling, PlanStatus::Withdrawn]);
        assert_eq!(story.statuses("2026-11-22T11:00:00Z"), [PlanStatus::Cancelled, PlanStatus::Withdrawn]);
        let again = story.at("2026-11-22T10:40:00Z").cancel();
        assert_eq!(again, Err(PlanRefusal::AlreadyCancelled(at("2026-11-22T11:00:00Z"))));
        let kept = story.does("2026-11-22T10:40:00Z", History::withdraw).unwrap();
        assert_eq!(kept.updated.len(), 1);
        assert_eq!(story.statuses("2026-11-22T11:00:00Z"), [PlanStatus::Active, PlanStatus::Withdrawn]);
    }

    #[test]
    fn a_clock_that_goes_back_moves_no_timeline_back() {
        let mut story = monthly("2026-11-01T00:00:00Z", 1700);
        story.does("2026-11-22T10:00:00Z", History::cancel).unwrap();
        story.does("2026-11-22T11:00:00Z", |h| h.onboard(&asked(PlanKind::Monthly, Some(100)))).unwrap();
        assert_eq!(story.statuses("2026-11-01T00:00:00Z"), [PlanStatus::Cancelled, PlanStatus::Active]);
        let plan = story.does("2026-11-22T08:00:00Z", History::cancel).unwrap().updated[0].clone();
        assert_eq!(plan.cancel_requested_at, Some(at("2026-11-22T11:00:00Z")));
        let settled = Some(at("2026-12-04T00:00:00.5Z"));
        let history = History::new(story.0, settled, at("2026-11-22T11:30:00Z"));
        assert_eq!(history.now(), at("2026-12-04T00:00:00Z"), "nor before a statement that is closed");
        assert_eq!(history.in_effect(), None);
    }
}
