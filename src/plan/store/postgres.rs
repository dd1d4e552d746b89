//! PostgreSQL 15 or newer: several services on one database. A writer holds the advisory lock of its subscription until
//! the end of the transaction: writers of one subscription take turns, those of different subscriptions run in parallel.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrate as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::query::Query as Prepared;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres};

use super::StoreError;
use super::engine::{Access, AnyRow, Bulk, Each, Engine, Query, Row, Transaction, Value};
use super::news::{Announcer, News, Turn};
use super::{Location, is_away, migrations, opening};

const CONNECTIONS: u32 = 16;
/// Rows in one statement: enough to spread its cost, few enough to hold in memory twice.
const CHUNK: usize = 20_000;
const OLDEST: i32 = 150_000;
/// How long a request waits for a connection, so that it is told that the server is away before it takes too long.
const AWAY: Duration = Duration::from_secs(4);

/// A database server.
#[derive(Debug)]
pub(super) struct PostgresEngine {
    pool: PgPool,
    announcer: Announcer,
    url: String,
    /// The URL for people, without a password.
    place: String,
}

impl PostgresEngine {
    /// Connects, and brings the schema up to date.
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let engine = Self::connect(url).await?;
        engine.migrate().await?;
        Ok(engine)
    }

    /// Connects, and leaves the schema as it is.
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let location = Location::Server(url.to_owned());
        let explain = |error| opening::explain(&location, error);
        let options = options(url).map_err(explain)?;
        let options = options.application_name("netcensus-plan").options([("timezone", "UTC")]);
        // A pool would try again until its time is over, and forget why.
        let first = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let version = "SELECT current_setting('server_version_num')::int";
            let version: i32 = sqlx::query_scalar(version).fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok(version)
        };
        let first = tokio::time::timeout(AWAY, first).await;
        let version = first.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(explain)?;
        if version < OLDEST {
            return Err(StoreError::OldServer(version / 10_000));
        }
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(AWAY);
        let pool = pool.connect_lazy_with(options);
        let announcer = Announcer::new(pool.clone());
        Ok(Self { pool, announcer, url: url.to_owned(), place: location.to_string() })
    }

    /// The error with the server's name, if the server is away.
    fn named(&self, error: sqlx::Error) -> StoreError {
        if is_away(&error) {
            return StoreError::Away { place: self.place.clone(), why: opening::unreachable(&error) };
        }
        error.into()
    }
}

/// The options of a URL. A server on another machine must speak TLS and have a certificate for its name, unless the URL
/// or `PGSSLMODE` sets another mode. The driver's own default would send everything in the clear to a server that
/// declines TLS.
fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let said =
        url.contains("sslmode=") || url.contains("ssl-mode=") || std::env::var_os("PGSSLMODE").is_some();
    Ok(if said || is_here(&options) { options } else { options.ssl_mode(PgSslMode::VerifyFull) })
}

/// Whether the server runs on this machine.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    let is_loopback = || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || is_loopback()
}

#[async_trait]
impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(wrap(prepared(query).fetch_all(&self.pool).await.map_err(|e| self.named(e))?))
    }

    async fn begin(&self, access: Access<'_>) -> Result<Box<dyn Transaction>, StoreError> {
        let Access::Write(name) = access else {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let transaction = self.pool.begin_with(begin).await.map_err(|e| self.named(e))?;
            return Ok(Box::new(PostgresTransaction { transaction, written: None }));
        };
        let mut transaction = self.pool.begin().await.map_err(|e| self.named(e))?;
        // Each statement sees the newest state, so the next ones see what the previous holder of the lock committed.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.named(e))?;
        // The installation has the empty name, and nobody keeps anything of it in memory.
        let written = (!name.is_empty()).then(|| (self.announcer.clone(), name.to_owned()));
        Ok(Box::new(PostgresTransaction { transaction, written }))
    }

    async fn news(&self) -> Result<Option<News>, StoreError> {
        self.announcer.listen().await.map(Some)
    }

    async fn turn(&self, work: &str) -> Result<Option<Turn>, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(|e| self.named(e))?;
        // Other locks than those of writers: the seed differs.
        let lock = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1))";
        let is_ours: bool = sqlx::query_scalar(lock).bind(work).fetch_one(&mut *transaction).await?;
        let held = PostgresTransaction { transaction, written: None };
        Ok(is_ours.then(|| Turn(Some(Box::new(held)))))
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        Ok(migrations::postgres().run(&self.pool).await?)
    }

    async fn pending(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let table = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
        if !sqlx::query_scalar::<_, bool>(table).fetch_one(&mut *connection).await? {
            return Ok(migrations::missing(&migrations::postgres(), &[]));
        }
        let applied = connection.list_applied_migrations(migrations::TABLE).await?;
        Ok(migrations::missing(&migrations::postgres(), &applied))
    }

    async fn backup(&self, file: &Path) -> Result<(), StoreError> {
        // pg_dump would make a file that others may read.
        super::sqlite::create_private(file).map_err(sqlx::Error::Io)?;
        let mut command = Command::new("pg_dump");
        command.args(["--format=custom", "--no-owner", "--file"]).arg(file);
        run(command, &self.url).await
    }

    async fn close(&self) {
        self.announcer.announce().await;
        self.pool.close().await;
    }
}

/// Restores a backup into an empty database.
pub(super) async fn restore(url: &str, file: &Path) -> Result<(), StoreError> {
    let mut command = Command::new("pg_restore");
    command.args(["--no-owner", "--exit-on-error", "--single-transaction"]).arg(file);
    run(command, url).await
}

/// Runs a tool of the database. Passes the password in the environment, because other users can read a command line.
async fn run(mut command: Command, url: &str) -> Result<(), StoreError> {
    let bad = |why: String| StoreError::Tool { name: "reading the database's URL", why };
    let mut place = reqwest::Url::parse(url).map_err(|e| bad(e.to_string()))?;
    if !is_here(&options(url)?) && std::env::var_os("PGSSLMODE").is_none() {
        // A mode in the URL overrides this.
        command.env("PGSSLMODE", "require");
    }
    if let Some(password) = place.password() {
        let pair = format!("p={}", password.replace('+', "%2B"));
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(&pair).map_err(|e| bad(e.to_string()))?;
        command.envs(pairs.into_iter().map(|(_, password)| ("PGPASSWORD", password)));
        place.set_password(None).map_err(|()| bad("its password".into()))?;
    }
    command.arg("--dbname").arg(place.as_str());
    let name = if command.get_program() == "pg_dump" { "pg_dump" } else { "pg_restore" };
    let failed = |why: String| StoreError::Tool { name, why };
    let out = tokio::task::spawn_blocking(move || command.output()).await;
    let out = out.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
    if out.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&out.stderr);
    Err(failed(why.lines().next().unwrap_or("it gave no reason").to_owned()))
}

struct PostgresTransaction {
    transaction: sqlx::Transaction<'static, Postgres>,
    /// For which subscription it writes, and who tells the others.
    written: Option<(Announcer, String)>,
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(wrap(prepared(query).fetch_all(&mut *self.transaction).await?))
    }

    async fn each(&mut self, query: Query, each: Each<'_>) -> Result<(), StoreError> {
        let mut rows = prepared(query).fetch(&mut *self.transaction);
        while let Some(row) = std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
            each(&Row(AnyRow::Postgres(row?)))?;
        }
        Ok(())
    }

    async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        Ok(prepared(query).execute(&mut *self.transaction).await?.rows_affected())
    }

    async fn upsert(&mut self, mut bulk: Bulk<'_>) -> Result<(), StoreError> {
        let (names, key) = bulk.names();
        let replaced = bulk.replaced();
        let fixed = bulk.fixed.len();
        let picks: Vec<String> = (1..=fixed).map(|n| format!("${n}")).collect();
        let arrays: Vec<String> =
            (fixed + 1..=fixed + bulk.values.len()).map(|n| format!("${n}::text[]")).collect();
        let statement = format!(
            "INSERT INTO {} ({names}) SELECT {}, v.* FROM unnest({}) AS v
             ON CONFLICT ({key}) DO UPDATE SET {replaced} = excluded.{replaced}",
            bulk.table,
            picks.join(", "),
            arrays.join(", ")
        );
        while bulk.rows() > 0 {
            let mut insert = sqlx::query(AssertSqlSafe(statement.clone()));
            for (_, text) in bulk.fixed {
                insert = insert.bind(*text);
            }
            for column in &mut bulk.values {
                let rest = column.split_off(column.len().min(CHUNK));
                insert = insert.bind(std::mem::replace(column, rest));
            }
            insert.execute(&mut *self.transaction).await?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        if let Some((announcer, subscription)) = self.written {
            announcer.note(&subscription);
        }
        Ok(())
    }
}

fn prepared(query: Query) -> Prepared<'static, Postgres, PgArguments> {
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

fn wrap(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(AnyRow::Postgres(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_away_with_its_name() {
        // The system takes the connection, and nobody reads from it. The clock jumps to the end of the wait.
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let place = silent.local_addr().unwrap();
        let url = format!("postgresql://alice:secret@{place}/netcensus");
        let (started, away) = (tokio::time::Instant::now(), PostgresEngine::connect(&url).await.unwrap_err());
        assert!(started.elapsed() < Duration::from_secs(5));
        let text = away.to_string();
        assert!(away.is_away() && text.contains(&format!("…@{place}/netcensus")), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn another_machine_is_reached_by_tls_unless_the_url_says_otherwise() {
        let mode = |url: &str| options(url).map(|o| o.get_ssl_mode());
        let is = |url: &str, wanted: PgSslMode| {
            let mode = format!("{:?}", mode(url).unwrap());
            assert_eq!(mode, format!("{wanted:?}"), "{url}");
        };
        is("postgresql://netcensus@db.example/netcensus", PgSslMode::VerifyFull);
        is("postgresql://netcensus@192.0.2.1/netcensus", PgSslMode::VerifyFull);
        is("postgresql://netcensus@db.example/netcensus?sslmode=disable", PgSslMode::Disable);
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            is(&format!("postgresql://netcensus@{here}/netcensus"), PgSslMode::Prefer);
        }
        is("postgresql:///netcensus?host=/run/postgresql", PgSslMode::Prefer);
    }
}
