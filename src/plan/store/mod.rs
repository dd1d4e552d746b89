//! The store: everything that the plan service keeps, one file a subject.
//!
//! When a method returns, its writes are durable. Writers of one subscription take turns. The key of every table with data
//! of subscriptions starts with the subscription. Two engines run the same SQL: SQLite for one service, PostgreSQL for
//! several.

mod access;
mod admin_grants;
mod alert_ledger;
mod alerts;
mod arrivals;
pub mod audit;
mod availability;
mod clocks;
mod closed;
mod credential_kind;
mod credentials;
mod decisions;
pub mod engine;
mod error;
mod expected;
mod facts;
mod feeds;
mod findings;
mod idempotency;
mod identities;
mod invitations;
mod joining;
mod location;
mod mail;
mod mappings;
mod migrations;
mod mutes;
mod news;
mod notice_choices;
mod notices;
mod opening;
mod people;
mod plans;
mod postgres;
mod prices;
mod receipts;
mod replica;
mod roles;
mod room;
mod sensor_hours;
mod sensor_keys;
mod sensors;
pub(crate) mod snapshots;
mod sqlite;
mod statements;
mod subscriptions;
mod terms;
pub mod trail;
mod views;
mod zones;

use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::MigrateError;

use self::engine::{Access, Bulk, Each, Engine, Query, Row, Transaction, sql};
use self::postgres::PostgresEngine;
use self::sqlite::SqliteEngine;
use crate::wire::SubscriptionId;
pub use admin_grants::AdminGrant;
pub use alert_ledger::NumberedLine;
pub use alerts::{AlertChange, AlertChangeSteps, AlertStep, CHANGED_AT_ONCE};
pub use arrivals::{Arrival, Ingested, Receipt};
pub use audit::By;
pub use availability::is_away;
pub use credential_kind::CredentialKind;
pub use credentials::{CredentialEntry, Holder, Issued, NewToken};
pub use decisions::Recording;
pub use error::{AccessRefusal, MAPPINGS, MappingError, SnapshotError, StoreError};
pub use expected::{Expected, tag};
pub use feeds::{FeedChange, IndicatorSet};
pub use findings::Surveyed;
pub use idempotency::{Answer, Claim};
pub use identities::{Admitted, ExternalPerson, GroupRole, Kept, PendingSignIn, UnknownGroups};
pub use location::Location;
pub use mail::{Attempted, MailEntry, QueuedMail};
pub use mappings::Remembered;
pub use news::{Heard, News, Turn};
pub use notice_choices::{ChangedChoices, NoticeChoices};
pub use notices::{Digest, DigestPart};
pub use people::{Person, PersonEntry, PersonIdentity};
pub use plans::Changed;
pub use replica::{Facts, JoinedZones, Replica};
pub use roles::RoleBinding;
pub use room::Room;
pub use sensor_hours::{HOURS, SensorHour};
pub use sensor_keys::Sender;
pub use sensors::{Enrolled, Enrolling, Enrolment, Sensor, subscription_of};
pub use snapshots::{DayCount, SealedDays, Snapshot};
pub use statements::StoredStatement;
pub use subscriptions::Subscription;
pub use terms::Acceptance;
pub use views::{DeviceView, VIEWS, ViewOwner};
pub use zones::{ZONES, ZONES_OF_SENSOR};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Arc<dyn Engine>,
    /// What the facts of one subscription may take.
    room: Room,
}

/// The lock that a writer holds until its transaction ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope<'a> {
    /// The installation: people, and the list of subscriptions.
    Installation,
    /// The data of one subscription.
    Subscription(&'a SubscriptionId),
}

/// A transaction of the store.
pub struct Work(Box<dyn Transaction>);

impl Store {
    /// Opens the database at `location`, creates the file if it is missing, and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unusable`], [`StoreError::Away`], [`StoreError::Missing`] if a server has no such database,
    /// [`StoreError::Migration`] or [`StoreError::OldServer`].
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let engine: Arc<dyn Engine> = match location {
            Location::File(path) => match SqliteEngine::open(path).await {
                Ok(engine) => Arc::new(engine),
                Err(StoreError::Database(error)) => return Err(opening::explain(location, error)),
                Err(StoreError::Migration(MigrateError::Execute(error))) => {
                    return Err(opening::explain(location, error));
                }
                Err(error) => return Err(error),
            },
            Location::Server(url) => Arc::new(PostgresEngine::open(url).await?),
        };
        Ok(Self { engine, room: Room::default() })
    }

    /// The same store with this room for the facts of each subscription.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The migrations that the database at `location` lacks, in order; empty if it is up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn pending(location: &Location) -> Result<Vec<String>, StoreError> {
        match location {
            Location::File(path) => SqliteEngine::pending_of(path).await.map_err(|error| match error {
                StoreError::Database(error) => opening::explain(location, error),
                other => other,
            }),
            Location::Server(url) => {
                let engine = PostgresEngine::connect(url).await?;
                let pending = engine.pending().await;
                engine.close().await;
                pending
            }
        }
    }

    /// Writes a consistent copy of the database into a new file. Services may run meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`], [`StoreError::Tool`] or the database's.
    pub async fn backup(&self, file: &Path) -> Result<(), StoreError> {
        if file.exists() {
            return Err(StoreError::NotEmpty(file.display().to_string()));
        }
        let made = self.engine.backup(file).await;
        if made.is_err() {
            // Nobody should take a part of a copy for a backup.
            std::fs::remove_file(file).ok();
        }
        made
    }

    /// Restores a backup into a new file or an empty database, and brings the schema up to date. If it fails, nothing is
    /// left of it.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`], [`StoreError::BadBackup`], [`StoreError::Tool`] or the database's.
    pub async fn restore(file: &Path, location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::File(path) if path.exists() => {
                return Err(StoreError::NotEmpty(path.display().to_string()));
            }
            Location::File(path) => sqlite::restore(file, path).await?,
            Location::Server(url) => {
                let empty = PostgresEngine::connect(url).await?;
                let tables = "SELECT 1 AS one FROM information_schema.tables WHERE table_name = 'subscription' LIMIT 1";
                let taken = !empty.rows(sql(tables)).await?.is_empty();
                empty.close().await;
                if taken {
                    return Err(StoreError::NotEmpty(location.to_string()));
                }
                postgres::restore(url, file).await?;
            }
        }
        Self::open(location).await
    }

    /// The database's name for people.
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    /// Whether several services may work on the database.
    pub fn is_shared(&self) -> bool {
        self.engine.is_shared()
    }

    /// News of the other services on the database; `None` if there can be no other.
    ///
    /// # Errors
    /// The database's.
    pub async fn news(&self) -> Result<Option<News>, StoreError> {
        self.engine.news().await
    }

    /// The turn at work of that name, which one service does at a time; `None` if another service has it.
    ///
    /// # Errors
    /// The database's.
    pub async fn turn(&self, work: &str) -> Result<Option<Turn>, StoreError> {
        self.engine.turn(work).await
    }

    /// Ends all work and closes the database.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// The rows that a query answers, outside a transaction.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        self.engine.rows(query).await
    }

    /// The first row that a query answers, outside a transaction.
    ///
    /// # Errors
    /// The database's.
    pub async fn row(&self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// A transaction whose reads all see one state of the database.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(&self) -> Result<Work, StoreError> {
        Ok(Work(self.engine.begin(Access::Read).await?))
    }

    /// A transaction that may write in `scope`; nobody else writes there until it ends.
    ///
    /// # Errors
    /// The database's.
    pub async fn write(&self, scope: Scope<'_>) -> Result<Work, StoreError> {
        let name = match scope {
            Scope::Installation => "",
            Scope::Subscription(id) => id.as_str(),
        };
        Ok(Work(self.engine.begin(Access::Write(name)).await?))
    }
}

/// Each fails with the database's error.
impl Work {
    /// The rows that a query answers.
    pub async fn rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        self.0.rows(query).await
    }

    /// The first row that a query answers.
    pub async fn row(&mut self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.0.rows(query).await?.into_iter().next())
    }

    /// Calls `each` for every row that a query answers, without holding them all.
    pub async fn each(&mut self, query: Query, each: Each<'_>) -> Result<(), StoreError> {
        self.0.each(query, each).await
    }

    /// Executes a statement; returns how many rows it touched.
    pub async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        self.0.execute(query).await
    }

    /// Writes many rows of one table.
    pub async fn upsert(&mut self, bulk: Bulk<'_>) -> Result<(), StoreError> {
        self.0.upsert(bulk).await
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }

    /// Commits, or rolls back if `by` is a dry run.
    pub async fn finish(self, by: &By) -> Result<(), StoreError> {
        if by.dry_run { Ok(()) } else { self.commit().await }
    }

    /// Tells the services that have a subscription's decisions in memory that the decisions changed.
    pub async fn bump_decisions(&mut self, subscription: &SubscriptionId) -> Result<(), StoreError> {
        let bump = "UPDATE subscription SET decisions_revision = decisions_revision + 1 WHERE id = $1";
        self.execute(sql(bump).bind(subscription)).await.map(drop)
    }
}

/// A name as people write it: trimmed, 1 to `most` characters, no control characters.
fn checked_name(name: &str, most: usize) -> Result<&str, StoreError> {
    let name = name.trim();
    let good = !name.is_empty() && name.chars().count() <= most && !name.chars().any(char::is_control);
    good.then_some(name).ok_or(StoreError::BadName(most))
}

/// Turns the violation of a unique constraint into `taken`.
fn or_taken(taken: impl FnOnce() -> StoreError) -> impl FnOnce(StoreError) -> StoreError {
    |error| match &error {
        StoreError::Database(e)
            if e.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
        {
            taken()
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_database_is_private_durable_and_free_of_the_reset_bug() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::File(dir.path().join("plan.sqlite"));
        let store = Store::open(&location).await.unwrap();
        for file in ["plan.sqlite", "plan.sqlite-wal"] {
            assert_eq!(
                dir.path().join(file).metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{file}"
            );
        }
        let mut work = store.write(Scope::Installation).await.unwrap();
        let journal = work.row(sql("PRAGMA journal_mode")).await.unwrap().unwrap();
        let synchronous = work.row(sql("PRAGMA synchronous")).await.unwrap().unwrap();
        assert_eq!(
            (journal.str("journal_mode").unwrap(), synchronous.int("synchronous").unwrap()),
            ("wal", 2)
        );
        // Before 3.51.3 a checkpoint that resets the log could corrupt the file.
        let version = work.row(sql("SELECT sqlite_version() AS version")).await.unwrap().unwrap();
        let parts: Vec<u32> =
            version.str("version").unwrap().split('.').map(|p| p.parse().unwrap()).collect();
        assert!(parts >= vec![3, 51, 3], "{parts:?}");
        assert!(Store::pending(&location).await.unwrap().is_empty());
    }
}
