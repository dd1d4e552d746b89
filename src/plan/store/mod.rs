//! The store: SQLite behind plain methods, one file a subject.
//!
//! One writer and several readers on one file in WAL mode with `synchronous = FULL`: what a method returned from is
//! on disk. Writes take the write lock when they begin, so that what they read cannot change under them. SQL is kept
//! to what PostgreSQL understands too, and every tenant table's key starts with the subscription.

mod facts;
mod people;
mod plans;
mod sensors;
mod subscriptions;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqlSafeStr as _, Sqlite, Transaction};

pub use facts::{Ingested, Receipt};
pub use people::{CredentialKind, Issued, Person};
pub use sensors::{Enrolled, Sensor};
pub use subscriptions::Subscription;

use super::secret::{BadPassword, NoRandomness};
use super::timeline::Refusal;

const READERS: u32 = 4;
/// Couplings and stations of one subscription: five times what one sensor holds.
const ROOM: i64 = 5_000_000;
const BUSY: Duration = Duration::from_secs(10);

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    /// Couplings and stations that one subscription may hold.
    room: i64,
}

/// What the store refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema cannot be brought up to date: {0}; was it written by a newer version?")]
    Migration(#[from] MigrateError),
    /// A row holds what this version cannot read.
    #[error("the table {table} holds a row that this version cannot read: {why}; restore a backup or update")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No such thing.
    #[error("there is no {what} '{id}'")]
    NotFound {
        /// Its kind.
        what: &'static str,
        /// Its id, as asked.
        id: String,
    },
    /// The name is taken.
    #[error("the {what} '{name}' exists already; choose another name")]
    Taken {
        /// Its kind.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The name is not usable.
    #[error("a name has 1 to {0} characters, none of them a control character")]
    BadName(usize),
    /// The timeline refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The enrolment secret is not good.
    #[error(
        "the enrolment token is unknown, used or expired; make a new one with 'netcensus-plan sensor token'"
    )]
    BadEnrolment,
    /// No plan is in effect (P7).
    #[error(
        "no plan is in effect for this subscription, so uploads are refused; onboard a plan and send again"
    )]
    NoPlan,
    /// The upload's name was used for other content.
    #[error(
        "upload {epoch}/{sequence} was stored with other content; a sensor must start a new epoch to resend"
    )]
    UploadConflict {
        /// Its epoch.
        epoch: String,
        /// Its sequence number.
        sequence: u64,
    },
    /// The subscription holds as many couplings and stations as it may.
    #[error(
        "the subscription holds {0} couplings and stations, which is all it may; split the site into subscriptions, or find out who floods its sensors"
    )]
    Full(i64),
    /// The upload's sequence number is out of range.
    #[error("the sequence number {0} is out of range; it counts from 1")]
    BadSequence(u64),
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The password is not accepted.
    #[error(transparent)]
    BadPassword(#[from] BadPassword),
}

impl Store {
    /// Opens the database at `path`, makes it where it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`] or [`StoreError::Migration`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        migrator().run(&writer).await?;
        let options = options.read_only(true).create_if_missing(false);
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        Ok(Self { writer, reader, room: ROOM })
    }

    /// The same store with room for `rows` couplings and stations a subscription, instead of 5,000,000.
    #[must_use]
    pub fn with_room(self, rows: i64) -> Self {
        Self { room: rows, ..self }
    }

    /// The migrations that `path` lacks, in order; an empty list where it is up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`] where there is no such database.
    pub async fn pending(path: &Path) -> Result<Vec<String>, StoreError> {
        let missing = |m: &Migration| format!("{:04} {}", m.version, m.description);
        if !path.exists() {
            return Ok(migrator().iter().map(missing).collect());
        }
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut connection = pool.acquire().await?;
        connection.ensure_migrations_table("_sqlx_migrations").await?;
        let applied = connection.list_applied_migrations("_sqlx_migrations").await?;
        let pending = |m: &&Migration| applied.iter().all(|a| a.version != m.version);
        let out = migrator().iter().filter(pending).map(missing).collect();
        drop(connection);
        pool.close().await;
        Ok(out)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// Ends all work and closes the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Makes the file readable by its owner alone: it holds inventories and hashes. The files beside it follow it.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

fn migrator() -> Migrator {
    let spine = include_str!("../../../migrations/sqlite/0001_spine.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "spine".into(), MigrationType::Simple, spine, false)])
}

/// A name as people write it: trimmed, 1 to `most` characters, no control characters.
fn checked_name(name: &str, most: usize) -> Result<&str, StoreError> {
    let name = name.trim();
    let good = !name.is_empty() && name.chars().count() <= most && !name.chars().any(char::is_control);
    good.then_some(name).ok_or(StoreError::BadName(most))
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_database_is_private_durable_and_free_of_the_reset_bug() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.sqlite");
        let store = Store::open(&path).await.unwrap();
        for file in ["plan.sqlite", "plan.sqlite-wal"] {
            assert_eq!(
                dir.path().join(file).metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{file}"
            );
        }
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.writer).await.unwrap();
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
        assert_eq!((journal.as_str(), synchronous), ("wal", 2));
        // Before 3.51.3 a checkpoint that resets the log could corrupt the file.
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&store.reader).await.unwrap();
        let parts: Vec<u32> = version.split('.').map(|p| p.parse().unwrap()).collect();
        assert!(parts >= vec![3, 51, 3], "{version}");
        assert!(Store::pending(&path).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_database_itself_refuses_plans_that_break_the_rules() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("plan.sqlite")).await.unwrap();
        let sid = store.create_subscription("a", None, crate::census::Timestamp(0)).await.unwrap().id;
        let hour = 3_600_000_000_000_i64;
        let insert = async |number: i64,
                            kind: &str,
                            committed: Option<i64>,
                            from: i64,
                            to: Option<i64>,
                            cancelled: Option<i64>| {
            let sql = "INSERT INTO plan VALUES ($1, $2, $3, $4, 0, $5, $6, $7)";
            let query = sqlx::query(sql).bind(&sid).bind(number).bind(kind).bind(committed);
            query.bind(from).bind(to).bind(cancelled).execute(&store.writer).await.is_ok()
        };
        assert!(!insert(1, "monthly", Some(1650), 0, None, None).await, "no multiple of 100");
        assert!(!insert(1, "monthly", None, 0, None, None).await, "no number");
        assert!(!insert(1, "trial", Some(100), 0, Some(hour), None).await, "a number for a trial");
        assert!(!insert(1, "trial", None, 0, None, None).await, "a trial without an end");
        assert!(!insert(1, "trial", None, 0, Some(721 * hour), None).await, "a trial of more than 30 days");
        assert!(
            !insert(1, "annual", Some(100), 0, Some(9 * hour), Some(hour)).await,
            "more than an hour's notice"
        );
        assert!(insert(1, "annual", Some(100), 0, Some(2 * hour), Some(hour)).await);
        assert!(
            !insert(2, "monthly", Some(100), 2 * hour - 1, None, None).await,
            "an overlap of a nanosecond"
        );
        assert!(insert(2, "monthly", Some(100), 2 * hour, None, None).await);
        let sql = "UPDATE plan SET to_at = NULL, cancelled_at = NULL WHERE number = 1";
        assert!(sqlx::query(sql).execute(&store.writer).await.is_err(), "an update that overlaps");
    }
}
