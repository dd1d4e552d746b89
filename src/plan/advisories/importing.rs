//! Imports files into a new set, which takes the old one's place when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Sqlite};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::AdvisoryError;
use super::set::{SetSource, VERSION};
use crate::advisory::{self, BadRecord, CVES, Form, INDEX_BYTES, Item, ReadError, ReadSummary, Record};
use crate::census::Timestamp;
use crate::lock::ProcessLock;

/// Rows that go to the database at once, and about how many bytes of them.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// Batches that wait for the database.
const WAITING: usize = 2;
/// The most files of one import.
const FILES: usize = 1_000_000;
/// How deep a folder's folders are looked into.
const DEPTH: usize = 8;
const LEVEL: i32 = 1;
/// Pages that SQLite keeps, in KiB.
const CACHE: &str = "PRAGMA cache_size = -65536";

const SCHEMA: [&str; 7] = [
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sources (form TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, dated TEXT, imported_at INTEGER NOT NULL, files INTEGER NOT NULL, items INTEGER NOT NULL, bad INTEGER NOT NULL, PRIMARY KEY (form, name)) WITHOUT ROWID",
    "CREATE TABLE records (id INTEGER PRIMARY KEY, cve INTEGER NOT NULL, source INTEGER NOT NULL, document TEXT NOT NULL, rejected INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE UNIQUE INDEX record_of ON records (cve, source, document)",
    "CREATE TABLE products (key TEXT NOT NULL, cve INTEGER NOT NULL, record INTEGER NOT NULL)",
    "CREATE TABLE kev (cve INTEGER PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE epss (cve INTEGER PRIMARY KEY, score INTEGER NOT NULL, percentile INTEGER NOT NULL)",
];

/// What an import did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportReport {
    /// The digest of the new set.
    pub digest: String,
    pub cves: u64,
    pub records: u64,
    pub sources: Vec<ImportedSource>,
    /// Files that were left out, because their import may go on without them.
    pub refused: Vec<RefusedFile>,
    /// How many more were left out.
    pub more_refused: u64,
}

/// A source, and the first records that were skipped.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportedSource {
    #[serde(flatten)]
    pub source: SetSource,
    pub bad_records: Vec<BadRecord>,
}

/// A file that was left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefusedFile {
    pub file: String,
    pub why: String,
}

/// Files that are reported one by one.
const REPORTED: usize = 20;

/// Imports files, and the files of folders, into the set at `path`. A record replaces an older one of the same source and
/// document; KEV and EPSS replace all that was known of them. A file that cannot be read as a whole ends the import, and the
/// old set stays; with `keep_going` the file is left out.
///
/// # Errors
/// If a file cannot be read, if the set would exceed its limits, or if the disk fails. The old set stays then.
pub async fn import(
    path: &Path,
    arguments: &[PathBuf],
    keep_going: bool,
    now: Timestamp,
) -> Result<ImportReport, AdvisoryError> {
    let beside = |suffix: &str| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        path.with_file_name(name)
    };
    let _lock = ProcessLock::take(&beside(".lock"))?;
    let new = beside(".importing");
    remove(&new);
    let imported = async {
        let connection = begin(path, &new).await?;
        let report = Importing { connection, now, refused: Vec::new(), more_refused: 0 }
            .run(arguments, keep_going)
            .await?;
        finish(path, &new)?;
        Ok(report)
    };
    let outcome = imported.await;
    remove(&new);
    outcome
}

fn remove(new: &Path) {
    // A crash may have left it.
    fs::remove_file(new).ok();
}

/// A copy of the old set, or an empty one, without anything that protects it: only a whole one gets its name.
async fn begin(old: &Path, new: &Path) -> Result<SqliteConnection, AdvisoryError> {
    let io = |error| AdvisoryError::Io { path: new.to_owned(), error };
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(io)?;
    let is_new = match File::open(old) {
        Ok(mut from) => io::copy(&mut from, &mut to).map(|_| false).map_err(io)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(AdvisoryError::Io { path: old.to_owned(), error }),
    };
    drop(to);
    let options = SqliteConnectOptions::new()
        .filename(new)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off);
    let mut connection = options.connect().await?;
    sqlx::query(CACHE).execute(&mut connection).await?;
    if is_new {
        for statement in SCHEMA {
            sqlx::query(statement).execute(&mut connection).await?;
        }
    } else {
        let found: Result<Option<String>, _> =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'version'")
                .fetch_optional(&mut connection)
                .await;
        if found.ok().flatten().as_deref() != Some(VERSION) {
            return Err(AdvisoryError::OtherVersion(old.to_owned()));
        }
        sqlx::query("DROP INDEX IF EXISTS product_of").execute(&mut connection).await?;
    }
    sqlx::query("BEGIN").execute(&mut connection).await?;
    Ok(connection)
}

/// Makes the new set durable and gives it the old one's name.
fn finish(old: &Path, new: &Path) -> Result<(), AdvisoryError> {
    let io = |error| AdvisoryError::Io { path: new.to_owned(), error };
    File::open(new).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(new, old).map_err(io)?;
    let folder = old.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// A row for the database.
enum Row {
    Record { cve: i64, source: i64, document: String, rejected: bool, body: Vec<u8>, keys: Vec<String> },
    Kev(i64, String),
    Epss(i64, u32, u32),
}

struct Importing {
    connection: SqliteConnection,
    now: Timestamp,
    refused: Vec<RefusedFile>,
    more_refused: u64,
}

impl Importing {
    async fn run(mut self, arguments: &[PathBuf], keep_going: bool) -> Result<ImportReport, AdvisoryError> {
        let next: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM records")
            .fetch_one(&mut self.connection)
            .await?;
        let mut next = next;
        let mut sources: Vec<ImportedSource> = Vec::new();
        for argument in arguments {
            let files = files(argument)?;
            let mut found: Vec<(ReadSummary, u64)> = Vec::new();
            for file in files {
                let read = self.file(&file, keep_going, &mut next).await;
                match read {
                    Ok(summary) => add(&mut found, summary),
                    Err(AdvisoryError::Refused { path, error }) if keep_going => self.refuse(&path, &error),
                    Err(error) => return Err(error),
                }
            }
            for (summary, files) in found {
                sources.push(self.source(argument, summary, files).await?);
            }
        }
        self.end(sources).await
    }

    fn refuse(&mut self, path: &Path, error: &ReadError) {
        if self.refused.len() < REPORTED {
            self.refused.push(RefusedFile { file: path.display().to_string(), why: error.to_string() });
        } else {
            self.more_refused += 1;
        }
    }

    /// Reads a file on a thread of its own while the database takes what it gives.
    async fn file(
        &mut self,
        path: &Path,
        keep_going: bool,
        next: &mut i64,
    ) -> Result<ReadSummary, AdvisoryError> {
        let open = |path: &Path| {
            File::open(path)
                .map_err(|error| AdvisoryError::Refused { path: path.to_owned(), error: error.into() })
        };
        let defect = |e: tokio::task::JoinError| AdvisoryError::Defect(e.to_string());
        if keep_going {
            // What a file gave before it broke could not be taken back.
            let (file, path) = (open(path)?, path.to_owned());
            let tried = tokio::task::spawn_blocking(move || advisory::read(file, &mut |_| Ok(())))
                .await
                .map_err(defect)?;
            tried.map_err(|error| AdvisoryError::Refused { path, error })?;
        }
        let file = open(path)?;
        let (sender, mut rows) = mpsc::channel(WAITING);
        let reading = tokio::task::spawn_blocking(move || read(file, &sender));
        let mut has_begun = false;
        while let Some(batch) = rows.recv().await {
            self.take(batch, next, &mut has_begun).await?;
        }
        reading
            .await
            .map_err(defect)?
            .map_err(|error| AdvisoryError::Refused { path: path.to_owned(), error })
    }

    async fn take(
        &mut self,
        batch: Vec<Row>,
        next: &mut i64,
        has_begun: &mut bool,
    ) -> Result<(), AdvisoryError> {
        let (mut records, mut products, mut kevs, mut scores) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in batch {
            match row {
                Row::Record { cve, source, document, rejected, body, keys } => {
                    products.extend(keys.into_iter().map(|key| (key, cve, *next)));
                    records.push((*next, cve, source, document, rejected, body));
                    *next += 1;
                }
                Row::Kev(cve, body) => kevs.push((cve, body)),
                Row::Epss(cve, score, percentile) => scores.push((cve, score, percentile)),
            }
        }
        // These lists are whole: what one no longer has is no longer so.
        let is_first = !std::mem::replace(has_begun, true);
        if is_first && !kevs.is_empty() {
            self.execute("DELETE FROM kev").await?;
        }
        if is_first && !scores.is_empty() {
            self.execute("DELETE FROM epss").await?;
        }
        let mut insert = "INSERT OR REPLACE INTO records (id, cve, source, document, rejected, body) ";
        self.insert(insert, records, |mut row, (id, cve, source, document, rejected, body)| {
            row.push_bind(id)
                .push_bind(cve)
                .push_bind(source)
                .push_bind(document)
                .push_bind(rejected)
                .push_bind(body);
        })
        .await?;
        insert = "INSERT INTO products (key, cve, record) ";
        self.insert(insert, products, |mut row, (key, cve, record)| {
            row.push_bind(key).push_bind(cve).push_bind(record);
        })
        .await?;
        insert = "INSERT OR REPLACE INTO kev (cve, body) ";
        self.insert(insert, kevs, |mut row, (cve, body)| {
            row.push_bind(cve).push_bind(body);
        })
        .await?;
        insert = "INSERT OR REPLACE INTO epss (cve, score, percentile) ";
        self.insert(insert, scores, |mut row, (cve, score, percentile)| {
            row.push_bind(cve).push_bind(score).push_bind(percentile);
        })
        .await
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), AdvisoryError> {
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn insert<T>(
        &mut self,
        insert: &'static str,
        rows: Vec<T>,
        mut bind: impl FnMut(sqlx::query_builder::Separated<'_, Sqlite, &'static str>, T),
    ) -> Result<(), AdvisoryError> {
        let mut rows = rows.into_iter();
        loop {
            let chunk: Vec<T> = rows.by_ref().take(BATCH).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let is_full = chunk.len() == BATCH;
            let mut query = QueryBuilder::<Sqlite>::new(insert);
            query.push_values(chunk, &mut bind);
            query.build().persistent(is_full).execute(&mut self.connection).await?;
        }
    }

    async fn source(
        &mut self,
        argument: &Path,
        summary: ReadSummary,
        files: u64,
    ) -> Result<ImportedSource, AdvisoryError> {
        let ReadSummary { form, digest, items, bad, bad_records, dated } = summary;
        let name: String = argument
            .file_name()
            .unwrap_or(argument.as_os_str())
            .to_string_lossy()
            .chars()
            .take(200)
            .collect();
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        // KEV and EPSS replaced what was known.
        if matches!(form, Form::Kev | Form::Epss) {
            sqlx::query("DELETE FROM sources WHERE form = $1")
                .bind(form.key())
                .execute(&mut self.connection)
                .await?;
        }
        let insert = "INSERT OR REPLACE INTO sources (form, name, digest, dated, imported_at, files, items, bad) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query =
            sqlx::query(insert).bind(form.key()).bind(&name).bind(&digest).bind(&dated).bind(self.now.0);
        let query = query.bind(number(files)).bind(number(items)).bind(number(bad));
        query.execute(&mut self.connection).await?;
        let source = SetSource { form, name, digest, dated, imported_at: self.now, files, items, bad };
        Ok(ImportedSource { source, bad_records })
    }

    /// Checks the limits, makes the index and notes what the set is.
    async fn end(mut self, sources: Vec<ImportedSource>) -> Result<ImportReport, AdvisoryError> {
        // Replaced records left their products behind.
        self.execute("DELETE FROM products WHERE record NOT IN (SELECT id FROM records)").await?;
        let number =
            async |connection: &mut SqliteConnection, query: &'static str| -> Result<u64, AdvisoryError> {
                let number: i64 = sqlx::query_scalar(query).fetch_one(connection).await?;
                Ok(u64::try_from(number).unwrap_or(0))
            };
        let records = number(&mut self.connection, "SELECT COUNT(*) FROM records").await?;
        let cves = number(&mut self.connection, "SELECT COUNT(DISTINCT cve) FROM records").await?;
        if cves > CVES {
            return Err(AdvisoryError::Full(format!("{cves} CVEs")));
        }
        self.execute("CREATE INDEX product_of ON products (key, cve, record)").await?;
        let pages = number(&mut self.connection, "PRAGMA page_count").await?;
        let bytes = pages * number(&mut self.connection, "PRAGMA page_size").await?;
        if bytes > INDEX_BYTES {
            return Err(AdvisoryError::Full(format!("{} MiB", bytes >> 20)));
        }
        let mut hash = Sha256::new();
        let digests: Vec<String> = sqlx::query_scalar(
            "SELECT form || ' ' || name || ' ' || digest FROM sources ORDER BY form, name",
        )
        .fetch_all(&mut self.connection)
        .await?;
        for digest in digests {
            hash.update(digest);
            hash.update("\n");
        }
        let digest = hex::encode(hash.finalize());
        let meta = [
            ("version", VERSION),
            ("digest", &digest),
            ("cves", &cves.to_string()),
            ("records", &records.to_string()),
        ];
        for (key, value) in meta {
            let insert = "INSERT OR REPLACE INTO meta (key, value) VALUES ($1, $2)";
            sqlx::query(insert).bind(key).bind(value).execute(&mut self.connection).await?;
        }
        self.execute("COMMIT").await?;
        self.connection.close().await?;
        Ok(ImportReport {
            digest,
            cves,
            records,
            sources,
            refused: self.refused,
            more_refused: self.more_refused,
        })
    }
}

/// Adds a file to the sum of an argument's files of its form.
fn add(found: &mut Vec<(ReadSummary, u64)>, summary: ReadSummary) {
    let Some((sum, files)) = found.iter_mut().find(|(known, _)| known.form == summary.form) else {
        found.push((summary, 1));
        return;
    };
    *files += 1;
    let mut hash = Sha256::new();
    hash.update(&sum.digest);
    hash.update(&summary.digest);
    sum.digest = hex::encode(hash.finalize());
    sum.items += summary.items;
    sum.bad += summary.bad;
    sum.bad_records.extend(summary.bad_records);
    sum.bad_records.truncate(REPORTED);
    sum.dated = sum.dated.take().max(summary.dated);
}

/// The file, or the files of a folder in the order of their names.
fn files(argument: &Path) -> Result<Vec<PathBuf>, AdvisoryError> {
    if !argument.is_dir() {
        return Ok(vec![argument.to_owned()]);
    }
    let mut found = Vec::new();
    descend(argument, DEPTH, &mut found)
        .map_err(|error| AdvisoryError::Io { path: argument.to_owned(), error })?;
    if found.is_empty() {
        return Err(AdvisoryError::Empty(argument.to_owned()));
    }
    found.sort();
    Ok(found)
}

fn descend(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            descend(&path, depth - 1, found)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|e| ["json", "csv", "gz", "zst"].iter().any(|k| e == *k))
        {
            if found.len() == FILES {
                return Err(io::Error::other(format!("holds more than {FILES} files")));
            }
            found.push(path);
        }
    }
    Ok(())
}

/// Reads a file into batches of rows.
fn read(file: File, rows: &mpsc::Sender<Vec<Row>>) -> Result<ReadSummary, ReadError> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    let gone = || "the import ended".to_owned();
    let summary = advisory::read(file, &mut |item| {
        let row = match item {
            Item::Kev(kev) => {
                Row::Kev(kev.cve.to_number(), serde_json::to_string(&kev).map_err(|e| e.to_string())?)
            }
            Item::Epss(epss) => Row::Epss(epss.cve.to_number(), epss.score, epss.percentile),
            Item::Record(record) => {
                let text = serde_json::to_vec(&record).map_err(|e| e.to_string())?;
                let body = compressor.compress(&text).map_err(|e| e.to_string())?;
                bytes += body.len();
                of_record(&record, body)
            }
        };
        batch.push(row);
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            rows.blocking_send(full).map_err(|_| gone())?;
        }
        Ok(())
    })?;
    rows.blocking_send(batch).map_err(|_| ReadError::Refused(gone()))?;
    Ok(summary)
}

fn of_record(record: &Record, body: Vec<u8>) -> Row {
    // What a record runs on finds nothing.
    let criteria = record.criteria().filter(|criterion| !criterion.running_on);
    let mut keys: Vec<String> = criteria.flat_map(|criterion| criterion.keys.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    Row::Record {
        cve: record.cve.to_number(),
        source: record.source.number(),
        document: record.document.clone(),
        rejected: record.rejected,
        body,
        keys,
    }
}
