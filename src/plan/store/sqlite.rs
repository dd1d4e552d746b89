//! SQLite: one writer and several readers on one file in WAL mode with `synchronous = FULL`, so what was committed is
//! on disk. Writers take the write lock when they begin, so nobody changes what they have read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrate as _;
use sqlx::query::Query as Prepared;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder, Sqlite};

use super::StoreError;
use super::engine::{Access, AnyRow, Bulk, Each, Engine, Query, Row, Transaction, Value};
use super::migrations;

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);
/// Rows in one statement: SQLite takes 32,766 values.
const CHUNK: usize = 1_000;

/// A database file.
#[derive(Debug)]
pub(super) struct SqliteEngine {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteEngine {
    /// Opens the file, creates it if it is missing, and brings its schema up to date.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrations::sqlite().run(&writer).await?;
        let options = options.read_only(true).create_if_missing(false);
        let reader = pool(READERS).connect_with(options).await?;
        Ok(Self { writer, reader })
    }

    /// The migrations that the file lacks, without changing it.
    pub(super) async fn pending_of(path: &Path) -> Result<Vec<String>, StoreError> {
        if !path.exists() {
            return Ok(migrations::missing(&migrations::sqlite(), &[]));
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let pending = pending(&pool).await;
        pool.close().await;
        pending
    }
}

/// A pool that closes a connection whose transaction could not be rolled back. SQLite itself ends a transaction for which
/// the disk is too full; the driver then takes the connection for one inside a transaction, and could never begin another.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).before_acquire(move |connection, _| {
        let usable = !connection.is_in_transaction();
        Box::pin(async move { Ok(usable) })
    })
}

async fn pending(pool: &SqlitePool) -> Result<Vec<String>, StoreError> {
    let mut connection = pool.acquire().await?;
    let table = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(migrations::missing(&migrations::sqlite(), &[]));
    }
    let applied = connection.list_applied_migrations(migrations::TABLE).await?;
    Ok(migrations::missing(&migrations::sqlite(), &applied))
}

#[async_trait]
impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(wrap(prepared(query).fetch_all(&self.reader).await?))
    }

    async fn begin(&self, access: Access<'_>) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(SqliteTransaction(match access {
            Access::Read => self.reader.begin().await?,
            Access::Write(_) => self.writer.begin_with("BEGIN IMMEDIATE").await?,
        })))
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        Ok(migrations::sqlite().run(&self.writer).await?)
    }

    async fn pending(&self) -> Result<Vec<String>, StoreError> {
        pending(&self.writer).await
    }

    async fn backup(&self, file: &Path) -> Result<(), StoreError> {
        // The copy goes into an existing file only while that is empty.
        create_private(file).map_err(sqlx::Error::Io)?;
        let name = file.to_str().ok_or(StoreError::BadPath)?;
        sqlx::query("VACUUM INTO $1").bind(name).execute(&self.reader).await?;
        Ok(())
    }

    async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

struct SqliteTransaction(sqlx::Transaction<'static, Sqlite>);

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(wrap(prepared(query).fetch_all(&mut *self.0).await?))
    }

    async fn each(&mut self, query: Query, each: Each<'_>) -> Result<(), StoreError> {
        let mut rows = prepared(query).fetch(&mut *self.0);
        while let Some(row) = std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
            each(&Row(AnyRow::Sqlite(row?)))?;
        }
        Ok(())
    }

    async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        Ok(prepared(query).execute(&mut *self.0).await?.rows_affected())
    }

    async fn upsert(&mut self, bulk: Bulk<'_>) -> Result<(), StoreError> {
        let (names, key) = bulk.names();
        let (rows, replaced) = (bulk.rows(), bulk.replaced());
        let mut columns: Vec<_> = bulk.values.into_iter().map(Vec::into_iter).collect();
        for start in (0..rows).step_by(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new(format!("INSERT INTO {} ({names}) ", bulk.table));
            insert.push_values(start..rows.min(start + CHUNK), |mut row, _| {
                for (_, text) in bulk.fixed {
                    row.push_bind(*text);
                }
                for column in &mut columns {
                    row.push_bind(column.next());
                }
            });
            insert.push(format!(" ON CONFLICT ({key}) DO UPDATE SET {replaced} = excluded.{replaced}"));
            insert.build().execute(&mut *self.0).await?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
}

fn prepared(query: Query) -> Prepared<'static, Sqlite, SqliteArguments> {
    let mut out = match query.text {
        std::borrow::Cow::Borrowed(text) => sqlx::query(text),
        std::borrow::Cow::Owned(text) => sqlx::query(AssertSqlSafe(text)),
    };
    for value in query.values {
        out = match value {
            Value::Int(n) => out.bind(n),
            Value::Text(text) => out.bind(text),
            Value::Blob(bytes) => out.bind(bytes),
        };
    }
    out
}

fn wrap(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(AnyRow::Sqlite(row))).collect()
}

/// Creates the file, readable only by its owner: it contains inventories and hashes. SQLite gives its other files the same
/// permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

/// Restores a backup into a new file.
pub(super) fn restore(file: &Path, path: &Path) -> Result<(), StoreError> {
    create_private(path).map_err(sqlx::Error::Io)?;
    std::fs::copy(file, path).map_err(sqlx::Error::Io)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::engine::sql;
    use super::*;

    #[tokio::test]
    async fn writers_go_on_after_a_transaction_for_which_the_disk_was_too_full() {
        let dir = tempfile::tempdir().unwrap();
        let engine = SqliteEngine::open(&dir.path().join("plan.sqlite")).await.unwrap();
        let mut work = engine.begin(Access::Write("")).await.unwrap();
        work.execute(sql("CREATE TABLE filler (body BLOB)")).await.unwrap();
        work.commit().await.unwrap();
        let mut work = engine.begin(Access::Write("")).await.unwrap();
        work.rows(sql("PRAGMA max_page_count = 1")).await.unwrap();
        let full = work.execute(sql("INSERT INTO filler VALUES (zeroblob(10000000))")).await;
        assert!(full.unwrap_err().to_string().contains("full"));
        drop(work);
        let mut work = engine.begin(Access::Write("")).await.unwrap();
        work.execute(sql("INSERT INTO filler VALUES (zeroblob(1000))")).await.unwrap();
        work.commit().await.unwrap();
    }
}
