//! Random histories of plans, prices and statements on both databases at once, with restarts and a clock that jumps: the
//! constraints of the databases agree with the rules of the code, and both databases come to the same statements.

use std::collections::BTreeSet;

use netcensus::billing::statement::{CorrectionRequest, Month, Price, Statement, check};
use netcensus::billing::timeline::{Onboarding, Plan, PlanKind, PlanStatus};
use netcensus::census::Timestamp;
use netcensus::census::time::SECOND;
use netcensus::plan::store::{By, Location, Store, StoreError};
use netcensus::wire::SubscriptionId;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::databases::{self, Backend};

const DAY: i64 = 86_400 * SECOND;
const HISTORIES: u32 = 40;

#[derive(Clone, Debug)]
enum Event {
    Onboard(PlanKind, u64),
    Replace(PlanKind, u64),
    Cancel,
    Withdraw,
    Price(u64, i64),
    Correct(u8, u32, u64),
    Look,
    Passes(i64),
    Restart,
}

fn events() -> impl Strategy<Value = Event> {
    let kinds = || prop::sample::select(&PlanKind::ALL[..]);
    let devices = || (1..40_u64).prop_map(|n| n * 100);
    prop_oneof![
        3 => (kinds(), devices()).prop_map(|(k, n)| Event::Onboard(k, n)),
        4 => (kinds(), devices()).prop_map(|(k, n)| Event::Replace(k, n)),
        3 => Just(Event::Cancel),
        2 => Just(Event::Withdraw),
        1 => (0..3_000_000_u64, -20..20_i64).prop_map(|(micros, days)| Event::Price(micros, days)),
        2 => (0..3_u8, 1..4_u32, devices()).prop_map(|(month, line, n)| Event::Correct(month, line, n)),
        1 => Just(Event::Look),
        4 => (0..4_000_i64).prop_map(|s| Event::Passes(s * SECOND)),
        4 => (-20..60_i64, 0..DAY).prop_map(|(days, rest)| Event::Passes(days * DAY + rest)),
        1 => Just(Event::Restart),
    ]
}

/// The refusal, if there is one. A database that fails ends the test.
fn outcome<T>(result: Result<T, StoreError>) -> Option<String> {
    let error = result.err()?;
    let refused =
        matches!(error, StoreError::Refused(_) | StoreError::Statement(_) | StoreError::NotFound { .. });
    assert!(refused, "{error}");
    Some(error.to_string())
}

async fn apply(store: &Store, sid: &SubscriptionId, event: &Event, now: Timestamp) -> Option<String> {
    let by = By::operator();
    let asked = |kind: PlanKind, n: u64| Onboarding {
        kind,
        devices: (kind != PlanKind::Trial).then_some(n),
        accept_terms: true,
    };
    match *event {
        Event::Onboard(kind, n) => outcome(store.onboard(sid, &asked(kind, n), None, &by, now).await),
        Event::Replace(kind, n) => outcome(store.replace_plan(sid, &asked(kind, n), None, &by, now).await),
        Event::Cancel => outcome(store.cancel_plan(sid, &by, now).await),
        Event::Withdraw => outcome(store.withdraw_cancellation(sid, &by, now).await),
        Event::Price(micros, days) => {
            store.close_due(sid, now).await.unwrap();
            let price = Price { currency: "EUR".parse().unwrap(), micros };
            let kind = [None, Some(PlanKind::Annual)][usize::try_from(micros % 2).unwrap()];
            outcome(store.set_price(sid, price, kind, Some(now.plus(days * DAY)), &by, now).await)
        }
        Event::Correct(back, line, committed) => {
            let month = (0..=back).fold(Month::of(now), |m, _| m.previous());
            let (committed, reason) = (Some(committed), "as ordered".to_owned());
            let asked = CorrectionRequest { line, committed, reason, ..CorrectionRequest::default() };
            store.close_due(sid, now).await.unwrap();
            outcome(store.correct_statement(sid, month, &asked, &by, now).await)
        }
        Event::Look => outcome(store.statements(sid, None, 1_000, now).await),
        Event::Passes(_) | Event::Restart => None,
    }
}

/// All statements, the oldest first, without ids and hashes, which differ between two databases.
async fn statements(store: &Store, sid: &SubscriptionId, now: Timestamp) -> Vec<Statement> {
    let found = store.statements(sid, None, 1_000, now).await.unwrap();
    let plain = |s: Statement| Statement { subscription: String::new(), previous: None, ..s };
    found.into_iter().rev().map(|s| plain(s.statement)).collect()
}

/// Applies the events to both databases, and compares what comes of them.
async fn check_story(stores: &mut [(Store, Location); 2], story: &[Event]) {
    let mut now: Timestamp = "2026-11-18T06:26:40.5Z".parse().unwrap();
    let name = hex::encode(netcensus::plan::secret::generate_id_bits().unwrap());
    let mut sids = Vec::new();
    for (store, _) in stores.iter() {
        sids.push(store.create_subscription(&name, None, &By::operator(), now).await.unwrap().id);
    }
    for event in story {
        if let Event::Passes(nanos) = event {
            now = now.plus(*nanos);
        }
        let mut outcomes = BTreeSet::new();
        for ((store, location), sid) in stores.iter_mut().zip(&sids) {
            if let Event::Restart = event {
                store.close().await;
                *store = Store::open(location).await.unwrap();
            }
            outcomes.insert(apply(store, sid, event, now).await);
        }
        assert_eq!(outcomes.len(), 1, "{event:?}: {outcomes:?}");
    }
    let mut plans: Vec<Vec<Plan>> = Vec::new();
    let mut both = Vec::new();
    for ((store, _), sid) in stores.iter().zip(&sids) {
        let history = store.history(sid, now).await.unwrap();
        let running = history.plans().iter().filter(|p| p.status(history.now()).in_effect()).count();
        assert!(running <= 1);
        // End all plans, and close all statements but the last.
        for _ in 0..2 {
            outcome(store.cancel_plan(sid, &By::operator(), now).await);
        }
        let end = store.history(sid, now).await.unwrap().now().plus(100 * DAY);
        plans.push(store.plans(sid).await.unwrap());
        let statements = statements(store, sid, end).await;
        let mut seconds = std::collections::BTreeMap::<i64, i64>::new();
        for statement in &statements {
            assert_eq!(check(statement), Ok(()));
            for line in statement.lines.iter().filter(|l| l.corrects.is_none()) {
                *seconds.entry(line.plan).or_default() += line.seconds;
            }
        }
        for plan in plans.last().unwrap() {
            let lasted = plan.to().unwrap().since(plan.from) / SECOND;
            assert_eq!(seconds.get(&plan.number).copied().unwrap_or(0), lasted, "{plan:?}");
            assert_eq!(lasted == 0, plan.status(end) == PlanStatus::Withdrawn);
        }
        both.push(statements);
    }
    assert_eq!(plans[0], plans[1]);
    assert_eq!(both[0], both[1]);
}

#[test]
fn random_histories_come_to_the_same_statements_on_both_databases() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = |backend| {
        let location = databases::fresh(backend, dir.path());
        (runtime.block_on(Store::open(&location)).unwrap(), location)
    };
    let stores = std::cell::RefCell::new([open(Backend::Sqlite), open(Backend::Postgres)]);
    let mut runner =
        TestRunner::new(Config { cases: HISTORIES, failure_persistence: None, ..Config::default() });
    let law = |story: Vec<Event>| {
        runtime.block_on(check_story(&mut stores.borrow_mut(), &story));
        Ok(())
    };
    runner.run(&vec(events(), 1..40), law).unwrap();
}
