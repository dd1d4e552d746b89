//! The laws of the timeline and its statements, held over random histories: people who onboard, cancel, withdraw and
//! replace, prices and corrections, a clock that jumps both ways, and restarts. `PROPTEST_CASES` sets how many
//! histories each law is tried on; the default is two thousand.

use proptest::collection::vec;
use proptest::prelude::*;

use super::statement::{
    Charge, Correction, CorrectionRequest, Month, Price, Records, SetPrice, Statement, StatementLine,
    StatementState, check, correct, digest, draw, first_month, price_of,
};
use super::timeline::{History, Onboarding, Plan, PlanChange, PlanKind, PlanRefusal, PlanStatus};
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR, SECOND};

const START: Timestamp = Timestamp::from_secs(1_795_000_000);

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    Onboard(PlanKind, u64),
    Replace(PlanKind, u64),
    Cancel,
    Withdraw,
    Price(u64, bool, i64),
    Correct(usize, usize, u64, i64),
    Passes(i64),
    Jumps(i64),
    Restart,
}

fn events() -> impl Strategy<Value = Event> {
    let kinds = || prop::sample::select(&PlanKind::ALL[..]);
    let devices = || (1..40_u64).prop_map(|n| n * 100);
    prop_oneof![
        4 => (kinds(), devices()).prop_map(|(k, n)| Event::Onboard(k, n)),
        4 => (kinds(), devices()).prop_map(|(k, n)| Event::Replace(k, n)),
        3 => Just(Event::Cancel),
        2 => Just(Event::Withdraw),
        1 => (0..3_000_000_u64, any::<bool>(), -40..40_i64).prop_map(|(p, e, d)| Event::Price(p, e, d)),
        4 => (0..3_usize, 0..3_usize, 0..40_u64, 0..100_i64).prop_map(|(m, l, n, s)| Event::Correct(m, l, n * 100, s)),
        // Minutes, within the notice; days; and some part of a second.
        4 => (0..4_000_i64, 0..SECOND).prop_map(|(s, n)| Event::Passes(s * SECOND + n)),
        4 => (0..40_i64, 0..86_400_i64).prop_map(|(d, s)| Event::Passes(d * DAY + s * SECOND)),
        1 => (-50..20_i64, 0..86_400_i64).prop_map(|(d, s)| Event::Jumps(d * DAY + s * SECOND)),
        1 => Just(Event::Restart),
    ]
}

/// All that is stored of a subscription, and the clock.
#[derive(Clone, Debug, Default)]
struct World {
    plans: Vec<Plan>,
    prices: Vec<SetPrice>,
    corrections: Vec<Correction>,
    closed: Vec<(Statement, String)>,
    clock: Timestamp,
}

impl World {
    fn history(&self) -> History {
        let settled = self.closed.iter().filter_map(|(s, _)| s.closed_at).max();
        History::new(self.plans.clone(), settled, self.clock)
    }

    fn records(&self) -> Records<'_> {
        Records { plans: &self.plans, prices: &self.prices, corrections: &self.corrections }
    }

    fn act(&mut self, act: impl FnOnce(&History) -> Result<PlanChange, PlanRefusal>) {
        let Ok(change) = act(&self.history()) else { return };
        for row in change.updated.into_iter().chain(change.added) {
            match self.plans.iter_mut().find(|p| p.number == row.number) {
                Some(plan) => {
                    let fixed = |p: &Plan| (p.kind, p.committed, p.from, p.accepted_terms_at);
                    assert_eq!(fixed(plan), fixed(&row), "P4: plans cannot be edited");
                    *plan = row;
                }
                None => self.plans.push(row),
            }
        }
    }

    /// Closes what is due, as the store does.
    fn close_due(&mut self) {
        loop {
            let (month, previous) = match self.closed.last() {
                Some((s, hash)) => (s.month.next(), Some(hash.clone())),
                None => match first_month(&self.plans) {
                    Some(first) => (first, None),
                    None => return,
                },
            };
            let now = self.history().now();
            if StatementState::at(month, now) != StatementState::Closed {
                return;
            }
            let drawn = draw("s1", month, self.records(), month.to()).unwrap();
            let statement = Statement { closed_at: Some(now), previous, ..drawn };
            let hash = digest(&statement.canonical().unwrap());
            self.closed.push((statement, hash));
        }
    }

    fn happens(&mut self, event: &Event) {
        let asked = |kind: PlanKind, n: u64| Onboarding {
            kind,
            devices: (kind != PlanKind::Trial).then_some(n),
            accept_terms: true,
        };
        match *event {
            Event::Onboard(kind, n) => self.act(|h| h.onboard(&asked(kind, n))),
            Event::Replace(kind, n) => self.act(|h| h.replace(&asked(kind, n))),
            Event::Cancel => self.act(History::cancel),
            Event::Withdraw => self.act(History::withdraw),
            Event::Price(micros, euros, days) => self.price(micros, euros, days),
            Event::Correct(month, line, committed, percent) => self.correct(month, line, committed, percent),
            Event::Passes(nanos) => self.clock = self.clock.plus(nanos),
            Event::Jumps(nanos) => self.clock = self.clock.plus(nanos),
            Event::Restart => self.restart(),
        }
    }

    fn price(&mut self, micros: u64, euros: bool, days: i64) {
        self.close_due();
        let now = self.history().now();
        let valid_from = now.plus(days * DAY);
        if self.closed.last().is_some_and(|(s, _)| valid_from < s.to) {
            return;
        }
        let currency = if euros { "EUR" } else { "JPY" }.parse().unwrap();
        let number = self.prices.last().map_or(0, |p| p.number) + 1;
        let kind =
            [None, Some(PlanKind::Annual), Some(PlanKind::Monthly)][usize::try_from(micros % 3).unwrap()];
        let price = Price { currency, micros };
        self.prices.push(SetPrice { number, price, kind, valid_from, set_at: now });
    }

    fn correct(&mut self, month: usize, line: usize, committed: u64, percent: i64) {
        self.close_due();
        let Some((statement, _)) = self.closed.iter().rev().nth(month) else { return };
        let Some(line) = statement.lines.get(line) else { return };
        let asked = CorrectionRequest {
            line: line.number,
            committed: (committed > 0).then_some(committed),
            seconds: Some(line.seconds * percent / 100),
            price: None,
            reason: "as ordered".to_owned(),
        };
        let at = self.history().now();
        self.corrections.extend(correct(statement, &self.corrections, &asked, "grace", at));
    }

    /// Everything that was in memory is gone; what was written is read again.
    fn restart(&mut self) {
        let read = |(s, hash): &(Statement, String)| {
            let text = s.canonical().unwrap();
            assert_eq!(&digest(&text), hash, "what is closed stays as it is");
            (serde_json::from_str(&text).unwrap(), hash.clone())
        };
        let closed = self.closed.iter().map(read).collect();
        let correction = |c: &Correction| serde_json::from_str(&serde_json::to_string(c).unwrap()).unwrap();
        let corrections = self.corrections.iter().map(correction).collect();
        *self = Self { closed, corrections, ..self.clone() };
    }
}

/// How far a plan has come; withdrawing a cancellation is the one way back, and a person's.
fn rank(status: PlanStatus) -> u8 {
    match status {
        PlanStatus::Booked => 0,
        PlanStatus::Active | PlanStatus::Cancelling => 1,
        PlanStatus::Cancelled | PlanStatus::Expired | PlanStatus::Withdrawn => 2,
    }
}

/// Proptest's own default is 256.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(2_000), ..ProptestConfig::default() }
}

/// A number that every month's length in seconds divides.
const ALL_MONTHS: i128 = 28 * 29 * 30 * 31 * 86_400;

/// Millionths of device-months and of each currency of one charge, as numerators over [`ALL_MONTHS`].
fn exact(charge: &Charge, of: i64) -> (i128, Option<(String, i128)>) {
    let share = i128::from(charge.committed) * i128::from(charge.seconds) * (ALL_MONTHS / i128::from(of));
    let money = charge.price.map(|p| (p.currency.to_string(), share * i128::from(p.micros)));
    (share * 1_000_000, money)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn plans_never_overlap_and_no_clock_makes_a_state_run_backwards(story in vec(events(), 1..60)) {
        let mut world = World { clock: START, ..World::default() };
        let mut reached: Vec<u8> = Vec::new();
        for event in &story {
            let stored = (world.plans.clone(), world.closed.len());
            world.happens(event);
            world.close_due();
            let history = world.history();
            let now = history.now();
            let ranks: Vec<u8> = history.plans().iter().map(|p| rank(p.status(now))).collect();
            // However the clock jumped: as of what is stored last, nothing ever goes back.
            for (before, after) in reached.iter().zip(&ranks) {
                prop_assert!(before <= after, "{event:?}: {reached:?} to {ranks:?}");
            }
            if stored != (world.plans.clone(), world.closed.len()) {
                reached = ranks;
            }
            prop_assert!(history.plans().iter().filter(|p| p.status(now).in_effect()).count() <= 1, "P1");
            prop_assert_eq!(history.in_effect().is_some(), history.plans().iter().any(|p| p.status(now).in_effect()));
            let mut ranges: Vec<(Timestamp, Option<Timestamp>)> =
                world.plans.iter().map(|p| (p.from, p.to())).filter(|(from, to)| *to != Some(*from)).collect();
            ranges.sort();
            for pair in ranges.windows(2) {
                prop_assert!(pair[0].1.is_some_and(|to| to <= pair[1].0), "{ranges:?}");
            }
            for plan in &world.plans {
                prop_assert!(plan.from.0 % SECOND == 0 && plan.to().is_none_or(|to| plan.from <= to && to.0 % SECOND == 0));
                if let (Some(to), Some(at)) = (plan.to(), plan.cancel_requested_at) {
                    prop_assert!(to == at.plus(HOUR) || (plan.kind == PlanKind::Trial && to < at.plus(HOUR)), "P5");
                }
            }
        }
    }

    #[test]
    fn statements_charge_every_second_once_and_their_parts_sum_exactly(story in vec(events(), 1..60)) {
        let mut world = World { clock: START, ..World::default() };
        let mut closed: Vec<(Statement, String)> = Vec::new();
        for event in &story {
            world.happens(event);
            world.close_due();
            // What is closed is never seen otherwise again.
            prop_assert!(world.closed.starts_with(&closed));
            closed.clone_from(&world.closed);
        }
        // Let all end, and all statements close.
        world.act(History::cancel);
        world.act(History::cancel);
        let last = world.plans.iter().filter_map(Plan::to).max().unwrap_or(START);
        let prices = world.prices.iter().map(|p| p.valid_from).max().unwrap_or(START);
        world.clock = world.clock.max(last).max(prices).max(world.history().now()).plus(100 * DAY);
        world.close_due();
        let mut previous: Option<&String> = None;
        for (statement, hash) in &world.closed {
            prop_assert_eq!(check(statement), Ok(()));
            prop_assert_eq!(statement.previous.as_ref(), previous);
            prop_assert_eq!(&digest(&statement.canonical().unwrap()), hash);
            previous = Some(hash);
        }

        // Every second in effect stands in exactly one line, with its plan and its price.
        let lines: Vec<&StatementLine> = world.closed.iter().flat_map(|(s, _)| &s.lines).collect();
        let (fixes, services): (Vec<&StatementLine>, Vec<&StatementLine>) = lines.into_iter().partition(|l| l.corrects.is_some());
        for pair in services.windows(2) {
            prop_assert!(pair[0].to <= pair[1].from, "a second is charged twice");
        }
        for plan in &world.plans {
            let own: Vec<_> = services.iter().filter(|l| l.plan == plan.number).collect();
            let seconds: i64 = own.iter().map(|l| l.seconds).sum();
            let to = plan.to().unwrap();
            prop_assert_eq!(seconds, to.since(plan.from) / SECOND, "a second is lost");
            for line in own {
                prop_assert!(plan.from <= line.from && line.to <= to);
                prop_assert_eq!((line.committed, line.kind), (plan.committed, plan.kind));
                for at in [line.from, line.to.plus(-SECOND)] {
                    prop_assert!(plan.committed.is_none() || line.price == price_of(&world.prices, plan, at));
                }
            }
        }
        prop_assert_eq!(fixes.len(), world.corrections.len());

        // The parts sum to the total, and the total is the exact sum, rounded half to even.
        for (statement, _) in &world.closed {
            let (mut months, mut money) = (0_i128, std::collections::BTreeMap::<String, i128>::new());
            for line in &statement.lines {
                let of = line.seconds_in_month;
                let charge = line.committed.map(|committed| Charge { committed, seconds: line.seconds, price: line.price });
                let signed = charge.iter().map(|c| (c, 1)).chain(line.corrects.iter().map(|c| (&c.was, -1)));
                for (charge, sign) in signed {
                    let (part, amount) = exact(charge, of);
                    months += sign * part;
                    if let Some((currency, part)) = amount {
                        *money.entry(currency).or_default() += sign * part;
                    }
                }
                if let (Some(price), true) = (line.price, line.committed.is_none()) {
                    money.entry(price.currency.to_string()).or_default();
                }
            }
            let half_even = |n: i128| {
                let twice = (2 * n).div_euclid(ALL_MONTHS);
                let tie = (2 * n).rem_euclid(ALL_MONTHS) == 0 && twice.rem_euclid(2) == 1;
                let up = (twice + 1).div_euclid(2);
                if tie && up.rem_euclid(2) == 1 { up - 1 } else { up }
            };
            prop_assert_eq!(statement.device_months.0, half_even(months));
            prop_assert_eq!(statement.lines.iter().map(|l| l.device_months.0).sum::<i128>(), half_even(months));
            prop_assert_eq!(statement.amounts.len(), money.len());
            for (total, (currency, sum)) in statement.amounts.iter().zip(&money) {
                prop_assert_eq!((&total.currency.to_string(), total.amount.0), (currency, half_even(*sum)));
                let parts = statement.lines.iter().filter(|l| l.price.is_some_and(|p| p.currency == total.currency));
                prop_assert_eq!(parts.filter_map(|l| l.amount).map(|a| a.0).sum::<i128>(), half_even(*sum));
            }
        }
    }

    #[test]
    fn a_plan_in_any_parts_comes_to_what_it_comes_to_whole(
        cuts in vec(0..2_592_000_i64, 0..40), devices in 1..10_000_u64, micros in 0..5_000_000_u64,
    ) {
        let november: Month = "2026-11".parse().unwrap();
        let prices = [SetPrice {
            number: 1,
            price: Price { currency: "EUR".parse().unwrap(), micros },
            kind: None,
            valid_from: Timestamp(0),
            set_at: Timestamp(0),
        }];
        let plan = |number: i64, from: Timestamp, to: Timestamp| Plan {
            number,
            kind: PlanKind::Monthly,
            committed: Some(devices * 100),
            accepted_terms_at: from,
            from,
            cancel_requested_at: Some(to.plus(-HOUR)),
            withdrawn_at: None,
            changed_at: from,
        };
        let mut edges: Vec<i64> = cuts;
        edges.extend([0, november.seconds()]);
        edges.sort_unstable();
        edges.dedup();
        let at = |s: i64| november.from().plus(s * SECOND);
        let parts: Vec<Plan> = edges.windows(2).zip(1..).map(|(e, n)| plan(n, at(e[0]), at(e[1]))).collect();
        let records = Records { plans: &parts, prices: &prices, corrections: &[] };
        let statement = draw("s1", november, records, november.to()).unwrap();
        prop_assert_eq!(check(&statement), Ok(()));
        prop_assert_eq!(statement.lines.len(), parts.len());
        prop_assert_eq!(statement.device_months.0, i128::from(devices) * 100_000_000);
        prop_assert_eq!(statement.amounts[0].amount.0, i128::from(devices) * 100 * i128::from(micros));
    }
}
