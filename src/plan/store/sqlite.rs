//! SQLite: one writer and several readers on one file in WAL mode with `synchronous = FULL`, so what was committed is
//! on disk. Writers take the write lock when they begin, so nobody changes what they have read.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
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
use super::availability::is_locked;
use super::engine::{Access, AnyRow, Bulk, Each, Engine, Query, Row, Transaction, Value};
use super::news::{News, Turn};
use super::{Location, migrations, opening};

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);
/// Rows in one statement: SQLite takes 32,766 values.
const CHUNK: usize = 1_000;

/// A database file.
#[derive(Debug)]
pub(super) struct SqliteEngine {
    writer: SqlitePool,
    reader: SqlitePool,
    location: Location,
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
        Ok(Self { writer, reader, location: Location::File(path.to_owned()) })
    }

    /// The error with the file's name, if another program has locked the file.
    fn named(&self, error: sqlx::Error) -> StoreError {
        if is_locked(&error) { opening::explain(&self.location, error) } else { error.into() }
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

    async fn news(&self) -> Result<Option<News>, StoreError> {
        Ok(None)
    }

    async fn turn(&self, _: &str) -> Result<Option<Turn>, StoreError> {
        Ok(Some(Turn(None)))
    }

    async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(wrap(prepared(query).fetch_all(&self.reader).await.map_err(|e| self.named(e))?))
    }

    async fn begin(&self, access: Access<'_>) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(SqliteTransaction(match access {
            Access::Read => self.reader.begin().await.map_err(|e| self.named(e))?,
            Access::Write(_) => self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.named(e))?,
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
    let Query { text, values } = query;
    let (mut out, values) = match text {
        std::borrow::Cow::Borrowed(text) => (sqlx::query(text), values),
        std::borrow::Cow::Owned(text) => {
            let (text, values) = without_names(&text, &values);
            (sqlx::query(AssertSqlSafe(text)), values)
        }
    };
    for value in values {
        out = match value {
            Value::Int(n) => out.bind(n),
            Value::Text(text) => out.bind(text),
            Value::Blob(bytes) => out.bind(bytes),
        };
    }
    out
}

/// A statement with `?` in place of each `$1`, and the values in the order in which it takes them. SQLite looks for the name of
/// each parameter among those of all others: of a statement with thousands, that would be most of its time.
fn without_names(text: &str, values: &[Value]) -> (String, Vec<Value>) {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut taken = Vec::new();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        let value = number.parse::<usize>().ok().and_then(|n| values.get(n.checked_sub(1)?));
        taken.push(value.cloned().unwrap_or(Value::Int(None)));
        out.push('?');
        out.push_str(rest);
    }
    (out, taken)
}

fn wrap(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(AnyRow::Sqlite(row))).collect()
}

/// Creates the file, readable only by its owner: it contains inventories and hashes. SQLite gives its other files the same
/// permissions.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

/// Restores a backup into a new file. The copy gets its name only when it is whole and its schema is up to date, so a
/// failure leaves nothing.
pub(super) async fn restore(file: &Path, path: &Path) -> Result<(), StoreError> {
    let location = Location::File(path.to_owned());
    let wrong = |e| opening::explain(&location, sqlx::Error::Io(e));
    let mut name = path.file_name().ok_or(StoreError::BadPath)?.to_owned();
    name.push(format!(".restoring-{}", std::process::id()));
    let copy = path.with_file_name(name);
    let restored = async {
        copy_private(file, &copy, &wrong)?;
        check(file, &copy).await?;
        SqliteEngine::open(&copy).await?.close().await;
        // A hard link does not replace a file that somebody made meanwhile.
        std::fs::hard_link(&copy, path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => StoreError::NotEmpty(path.display().to_string()),
            _ => wrong(e),
        })?;
        File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(wrong)
    }
    .await;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = copy.as_os_str().to_owned();
        name.push(suffix);
        std::fs::remove_file(name).ok();
    }
    restored
}

/// Copies the bytes alone: a copy with the source's permissions could be readable by others.
fn copy_private(
    file: &Path,
    copy: &Path,
    wrong: &dyn Fn(std::io::Error) -> StoreError,
) -> Result<(), StoreError> {
    let unreadable = |e: std::io::Error| bad_backup(file, e.to_string());
    let mut from = File::open(file).map_err(unreadable)?;
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy).map_err(wrong)?;
    std::io::copy(&mut from, &mut to).map_err(wrong)?;
    to.sync_all().map_err(wrong)
}

/// Whether the copy is a whole database of this program.
async fn check(file: &Path, copy: &Path) -> Result<(), StoreError> {
    let bad = |e: sqlx::Error| {
        let why = e.as_database_error().map_or_else(|| e.to_string(), |e| e.message().to_owned());
        bad_backup(file, why)
    };
    let options = SqliteConnectOptions::new().filename(copy).busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(bad)?;
    let table = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let tables: Result<i64, _> = sqlx::query_scalar(table).fetch_one(&pool).await;
    let said: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await;
    pool.close().await;
    match (tables.map_err(bad)?, said.map_err(bad)?.as_str()) {
        (0, _) => Err(bad_backup(file, "it has no tables of netcensus-plan".to_owned())),
        (_, "ok") => Ok(()),
        (_, said) => Err(bad_backup(file, format!("it is damaged ({said})"))),
    }
}

fn bad_backup(file: &Path, why: String) -> StoreError {
    StoreError::BadBackup { file: file.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

    use super::super::engine::sql;
    use super::*;

    #[test]
    fn a_statement_without_names_takes_each_value_where_it_was_named() {
        let values = [Value::from(7_i64), Value::from("a"), Value::from("b")];
        let (text, taken) = without_names("INSERT INTO t VALUES ($1, $2), ($1, $3)", &values);
        assert_eq!(text, "INSERT INTO t VALUES (?, ?), (?, ?)");
        assert_eq!(format!("{taken:?}"), format!("{:?}", [&values[0], &values[1], &values[0], &values[2]]));
        let ten: Vec<Value> = (1..=10_i64).map(Value::from).collect();
        let (text, taken) = without_names("SELECT $10, $1", &ten);
        assert_eq!(
            (text.as_str(), format!("{taken:?}")),
            ("SELECT ?, ?", format!("{:?}", [&ten[9], &ten[0]]))
        );
    }

    /// The files in a folder, and the permissions of each.
    fn files(folder: &Path) -> Vec<(String, u32)> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().mode() & 0o777))
            .collect();
        files.sort();
        files
    }

    #[tokio::test]
    async fn a_restored_database_is_private_whatever_the_backup_is() {
        let dir = tempfile::tempdir().unwrap();
        let (backup, path) = (dir.path().join("backup"), dir.path().join("plan.sqlite"));
        let engine = SqliteEngine::open(&dir.path().join("old.sqlite")).await.unwrap();
        engine.backup(&backup).await.unwrap();
        engine.close().await;
        std::fs::set_permissions(&backup, PermissionsExt::from_mode(0o644)).unwrap();
        restore(&backup, &path).await.unwrap();
        let mode = |name: &str| files(dir.path()).into_iter().find(|file| file.0 == name).map(|file| file.1);
        assert_eq!((mode("plan.sqlite"), mode("backup")), (Some(0o600), Some(0o644)));
        assert_eq!(files(dir.path()).len(), 3, "{:?}", files(dir.path()));
        let again = restore(&backup, &path).await.unwrap_err();
        assert!(matches!(again, StoreError::NotEmpty(_)), "{again}");
    }

    #[tokio::test]
    async fn a_restore_that_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (backups, place) = (dir.path().join("backups"), dir.path().join("place"));
        std::fs::create_dir_all(&backups).unwrap();
        std::fs::create_dir_all(&place).unwrap();
        let whole = backups.join("whole");
        let engine = SqliteEngine::open(&backups.join("plan.sqlite")).await.unwrap();
        engine.backup(&whole).await.unwrap();
        engine.close().await;
        let bytes = std::fs::read(&whole).unwrap();
        let pages = half(&bytes);
        for (name, bytes) in [
            ("empty", Vec::new()),
            ("cut", bytes[..3_000].to_vec()),
            ("cut at a page", bytes[..pages].to_vec()),
            ("text", b"not a database at all".repeat(300)),
        ] {
            let file = backups.join(name);
            std::fs::write(&file, bytes).unwrap();
            let refused = restore(&file, &place.join("plan.sqlite")).await.unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("nothing was restored"), "{refused}");
            assert_eq!(files(&place), [], "{name}");
        }
        let missing = restore(&backups.join("missing"), &place.join("plan.sqlite")).await;
        assert!(missing.is_err() && files(&place).is_empty());
        restore(&whole, &place.join("plan.sqlite")).await.unwrap();
    }

    /// Half of a database file, at the end of a page.
    fn half(bytes: &[u8]) -> usize {
        bytes.len() / 2 / 4_096 * 4_096
    }

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
