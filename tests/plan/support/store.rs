//! A store without a service, and what the database itself must refuse.

use std::path::Path;

use netcensus::billing::timeline::{Onboarding, PlanKind};
use netcensus::census::Timestamp;
use netcensus::plan::store::engine::{Query, sql};
use netcensus::plan::store::{By, Location, Replica, Scope, Store};
use netcensus::proof::Day;
use netcensus::wire::SubscriptionId;

use super::databases::{self, Backend};
use super::{HOUR, Plan, START, TestSensor, at, upload};

/// A store with a subscription on a trial, and an enrolled sensor.
pub(crate) struct Stored {
    pub(crate) database: Location,
    pub(crate) store: Store,
    pub(crate) sid: SubscriptionId,
    pub(crate) sensor: TestSensor,
}

impl Stored {
    /// Opens a new database. SQLite keeps it in `directory`.
    pub(crate) async fn with_trial(backend: Backend, directory: &Path, now: Timestamp) -> Self {
        let database = databases::fresh(backend, directory);
        let store = Store::open(&database).await.unwrap();
        let by = By::operator();
        let sid = store.create_subscription("Contoso", None, &by, now).await.unwrap().id;
        let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
        store.onboard(&sid, &trial, None, &by, now).await.unwrap();
        let (secret, _) = store.create_enrolment(&sid, &by, now).await.unwrap();
        let sensor = TestSensor::enrol_in(&store, &secret, now).await;
        Self { database, store, sid, sensor }
    }

    /// A store with a day that is due at [`START`]: the day before, on which one device was seen.
    pub(crate) async fn with_a_day_due(backend: Backend, directory: &Path) -> (Self, Day) {
        let day = Day::of(at(START)).plus(-1);
        let noon = day.start().plus(12 * HOUR);
        let stored = Self::with_trial(backend, directory, day.start()).await;
        let seen = upload(1, "hq", &[("02:00:00:00:00:01", "10.0.0.1", "iot-1", &noon.to_string())]);
        let (sid, sensor) = (&stored.sid, &stored.sensor.id);
        stored.store.ingest(sid, sensor, seen, [0; 32], &Replica::default(), noon).await.unwrap();
        (stored, day)
    }
}

/// The request for a monthly plan.
pub(crate) fn monthly(devices: u64) -> Onboarding {
    Onboarding { kind: PlanKind::Monthly, devices: Some(devices), accept_terms: true }
}

impl Plan {
    /// Executes a statement in the subscription's scope, past the service's own checks.
    pub(crate) async fn execute(&self, query: Query) -> bool {
        self.execute_for(&self.sid, query).await
    }

    /// Executes a statement in the scope of this subscription; says whether the database took it.
    pub(crate) async fn execute_for(&self, sid: &SubscriptionId, query: Query) -> bool {
        let mut work = self.store.write(Scope::Subscription(sid)).await.unwrap();
        work.execute(query).await.is_ok() && work.commit().await.is_ok()
    }

    /// Asserts that the database refuses each of these statements, whatever the code above it does.
    pub(crate) async fn assert_database_refuses(&self, statements: &[&'static str]) {
        for statement in statements {
            let mut work = self.store.write(Scope::Subscription(&self.sid)).await.unwrap();
            assert!(work.execute(sql(statement)).await.is_err(), "{statement}");
        }
    }
}
