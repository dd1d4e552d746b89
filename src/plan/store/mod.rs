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

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqlSafeStr as _, Sqlite, Transaction};

pub use facts::{Ingested, Receipt};
pub use people::{CredentialKind, Person, Session};
pub use sensors::{Enrolled, Sensor};
pub use subscriptions::Subscription;

use super::secret::{BadPassword, NoRandomness};
use super::timeline::Refusal;

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
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
        Ok(Self { writer, reader })
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
