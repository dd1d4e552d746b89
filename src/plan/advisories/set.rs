//! Reads the set.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use utoipa::ToSchema;
use zstd::bulk::Decompressor;

use super::AdvisoryError;
use crate::advisory::{CveId, Form, Kev, Record, Score};
use crate::census::{Timestamp, time::rfc3339};

/// The version of the file's schema.
pub(super) const VERSION: &str = "1";
/// Values of one statement.
pub(super) const CHUNK: usize = 500;
/// The most bytes of one record in the file after decompression.
const BODY: usize = 32 << 20;
const READERS: u32 = 2;

/// The set of advisories, open for reading. It stays as it is, also if another set takes its place meanwhile.
#[derive(Debug)]
pub struct AdvisorySet {
    pool: SqlitePool,
    summary: SetSummary,
}

/// What a set holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct SetSummary {
    /// Identifies the set: SHA-256 of the digests of all that was imported into it, in hex.
    pub digest: String,
    /// When the newest part was imported.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Timestamp,
    pub cves: u64,
    pub records: u64,
    /// CVEs that were rejected, which are never shown.
    pub rejected: u64,
    /// What was imported, by form and name.
    pub sources: Vec<SetSource>,
}

/// A file, or a folder of files, that was imported.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct SetSource {
    pub form: Form,
    pub name: String,
    /// SHA-256 of the file, or of the digests of a folder's files, in hex.
    pub digest: String,
    /// The day that the file gives for itself, or else the newest of its records, `YYYY-MM-DD`.
    pub dated: Option<String>,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Timestamp,
    pub files: u64,
    /// Records, or scores.
    pub items: u64,
    /// Records that could not be read and were skipped.
    pub bad: u64,
}

/// What is known of a CVE, whatever devices have it.
#[derive(Clone, Debug, Default)]
pub struct CveFacts {
    pub title: String,
    pub published: Option<String>,
    pub score: Option<Score>,
    pub kev: Option<Kev>,
    /// Score and percentile of EPSS, in hundred-thousandths.
    pub epss: Option<(u32, u32)>,
    /// Signs of an exploit beside KEV.
    pub exploit: Vec<String>,
}

impl AdvisorySet {
    /// Opens the set; `None` if nothing was imported yet.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a set of this version.
    pub async fn open(path: &Path) -> Result<Option<Self>, AdvisoryError> {
        if !path.exists() {
            return Ok(None);
        }
        // Nobody writes into the file once it has its name.
        let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
        let pool = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        let found: Result<Option<String>, _> =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'version'").fetch_optional(&pool).await;
        if found.ok().flatten().as_deref() != Some(VERSION) {
            return Err(AdvisoryError::OtherVersion(PathBuf::from(path)));
        }
        let summary = summary(&pool).await?;
        Ok(Some(Self { pool, summary }))
    }

    pub fn summary(&self) -> &SetSummary {
        &self.summary
    }

    /// The records that name one of the keys, as (place of the key, CVE, record), at most all.
    pub(super) async fn candidates(
        &self,
        keys: &[(&str, bool)],
    ) -> Result<Vec<(usize, i64, i64)>, AdvisoryError> {
        let mut found = Vec::new();
        let exact: Vec<(usize, &str)> = keys
            .iter()
            .enumerate()
            .filter(|(_, (_, is_prefix))| !is_prefix)
            .map(|(i, (key, _))| (i, *key))
            .collect();
        for chunk in exact.chunks(CHUNK) {
            let places: BTreeMap<&str, usize> = chunk.iter().map(|(place, key)| (*key, *place)).collect();
            let mut query =
                QueryBuilder::<Sqlite>::new("SELECT key, cve, record FROM products WHERE key IN (");
            let mut list = query.separated(", ");
            for (_, key) in chunk {
                list.push_bind(*key);
            }
            query.push(")");
            for row in query.build().persistent(false).fetch_all(&self.pool).await? {
                let key: &str = row.try_get("key")?;
                if let Some(place) = places.get(key) {
                    found.push((*place, row.try_get("cve")?, row.try_get("record")?));
                }
            }
        }
        for (place, (key, _)) in keys.iter().enumerate().filter(|(_, (_, is_prefix))| *is_prefix) {
            // The first text after all that begin so: keys are ASCII and letters of any script.
            let end = format!("{key}\u{10ffff}");
            let query = "SELECT cve, record FROM products WHERE key >= $1 AND key < $2";
            for row in sqlx::query(query).bind(*key).bind(end).fetch_all(&self.pool).await? {
                found.push((place, row.try_get("cve")?, row.try_get("record")?));
            }
        }
        Ok(found)
    }

    /// The records of these ids, with their ids, in any order.
    pub(in crate::plan) async fn records(&self, ids: &[i64]) -> Result<Vec<(i64, Record)>, AdvisoryError> {
        let mut out = Vec::with_capacity(ids.len());
        let mut unpacker = unpacker()?;
        for chunk in ids.chunks(CHUNK) {
            for row in self.among("SELECT id, body FROM records WHERE id IN (", chunk).await? {
                out.push((row.try_get("id")?, body(&row, &mut unpacker)?));
            }
        }
        Ok(out)
    }

    /// All records of a CVE, the most trusted source first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn of_cve(&self, cve: CveId) -> Result<Vec<(i64, Record)>, AdvisoryError> {
        let query = "SELECT id, body FROM records WHERE cve = $1 ORDER BY source, document";
        let rows = sqlx::query(query).bind(cve.to_number()).fetch_all(&self.pool).await?;
        let mut unpacker = unpacker()?;
        rows.iter().map(|row| Ok((row.try_get("id")?, body(row, &mut unpacker)?))).collect()
    }

    /// The numbers of the CVEs that were rejected.
    pub(super) async fn rejected(&self) -> Result<HashSet<i64>, AdvisoryError> {
        let rows: Vec<i64> =
            sqlx::query_scalar("SELECT cve FROM records WHERE rejected = 1").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    /// What is known of these CVEs.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn facts(&self, cves: &[CveId]) -> Result<BTreeMap<CveId, CveFacts>, AdvisoryError> {
        let mut facts: BTreeMap<CveId, CveFacts> =
            cves.iter().map(|cve| (*cve, CveFacts::default())).collect();
        let numbers: Vec<i64> = cves.iter().map(|cve| cve.to_number()).collect();
        let mut unpacker = unpacker()?;
        for chunk in numbers.chunks(CHUNK) {
            let mut records: BTreeMap<CveId, Vec<Record>> = BTreeMap::new();
            for row in self.among("SELECT body FROM records WHERE cve IN (", chunk).await? {
                let record = body(&row, &mut unpacker)?;
                records.entry(record.cve).or_default().push(record);
            }
            for (cve, mut records) in records {
                records.sort_by_key(|record| record.source);
                if let Some(facts) = facts.get_mut(&cve) {
                    facts.add(&records);
                }
            }
            for row in self.among("SELECT cve, body FROM kev WHERE cve IN (", chunk).await? {
                let kev: Kev = serde_json::from_str(row.try_get("body")?)
                    .map_err(|e| AdvisoryError::Damaged(e.to_string()))?;
                if let Some(facts) = facts.get_mut(&kev.cve) {
                    facts.kev = Some(kev);
                }
            }
            for row in self.among("SELECT cve, score, percentile FROM epss WHERE cve IN (", chunk).await? {
                let cve = CveId::from_number(row.try_get("cve")?);
                if let Some(facts) = cve.and_then(|cve| facts.get_mut(&cve)) {
                    facts.epss = Some((row.try_get("score")?, row.try_get("percentile")?));
                }
            }
        }
        for facts in facts.values_mut() {
            if facts.title.is_empty() {
                facts.title = facts.kev.as_ref().map(|kev| kev.name.clone()).unwrap_or_default();
            }
        }
        Ok(facts)
    }

    async fn among(&self, select: &'static str, numbers: &[i64]) -> Result<Vec<SqliteRow>, AdvisoryError> {
        let mut query = QueryBuilder::<Sqlite>::new(select);
        let mut list = query.separated(", ");
        for number in numbers {
            list.push_bind(*number);
        }
        query.push(")");
        Ok(query.build().persistent(false).fetch_all(&self.pool).await?)
    }
}

/// The longest title that is made of a description, in characters.
const TITLE: usize = 120;

impl CveFacts {
    /// Takes what records say, the most trusted first.
    fn add(&mut self, records: &[Record]) {
        let title = records.iter().map(|r| &r.title).find(|title| !title.is_empty()).cloned();
        let sentence = || {
            let summary = records.iter().map(|r| &r.summary).find(|summary| !summary.is_empty())?;
            let short: String = summary.chars().take(TITLE).collect();
            Some(if short.len() < summary.len() { format!("{short}…") } else { short })
        };
        self.title = title.or_else(sentence).unwrap_or_default();
        self.published = records.iter().filter_map(|r| r.published.clone()).min();
        self.score = records.iter().filter_map(|r| r.score.clone()).min_by_key(Score::rank);
        self.exploit = records.iter().flat_map(|r| r.exploit.iter().cloned()).collect();
        self.exploit.sort();
        self.exploit.dedup();
    }
}

/// What unpacks bodies. It is dearer to make than to use.
fn unpacker() -> Result<Decompressor<'static>, AdvisoryError> {
    Decompressor::new().map_err(|e| AdvisoryError::Defect(e.to_string()))
}

/// Reads the body of a record.
fn body(row: &SqliteRow, unpacker: &mut Decompressor<'_>) -> Result<Record, AdvisoryError> {
    let damaged = |e: &dyn std::fmt::Display| AdvisoryError::Damaged(e.to_string());
    let bytes: &[u8] = row.try_get("body")?;
    // The frame says how large it is, so a damaged one cannot take memory beyond the bound.
    let size =
        zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().and_then(|n| usize::try_from(n).ok());
    let size = size.filter(|size| *size <= BODY).ok_or_else(|| damaged(&"a record is too large"))?;
    let text = unpacker.decompress(bytes, size).map_err(|e| damaged(&e))?;
    serde_json::from_slice(&text).map_err(|e| damaged(&e))
}

async fn summary(pool: &SqlitePool) -> Result<SetSummary, AdvisoryError> {
    let number = async |query: &'static str| -> Result<u64, AdvisoryError> {
        let number: i64 = sqlx::query_scalar(query).fetch_one(pool).await?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let meta = async |key: &'static str| -> Result<String, AdvisoryError> {
        let value: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
            .bind(key)
            .fetch_optional(pool)
            .await?;
        value.ok_or_else(|| AdvisoryError::Damaged(format!("it lacks '{key}'")))
    };
    let mut sources = Vec::new();
    for row in sqlx::query("SELECT * FROM sources ORDER BY form, name").fetch_all(pool).await? {
        let form: &str = row.try_get("form")?;
        let form = Form::ALL.into_iter().find(|known| known.key() == form);
        let count = |column: &str| -> Result<u64, AdvisoryError> {
            Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
        };
        sources.push(SetSource {
            form: form.ok_or_else(|| AdvisoryError::Damaged("an unknown form".to_owned()))?,
            name: row.try_get("name")?,
            digest: row.try_get("digest")?,
            dated: row.try_get("dated")?,
            imported_at: Timestamp(row.try_get("imported_at")?),
            files: count("files")?,
            items: count("items")?,
            bad: count("bad")?,
        });
    }
    let imported_at = sources.iter().map(|source| source.imported_at).max().unwrap_or(Timestamp(0));
    let count =
        async |key: &'static str| -> Result<u64, AdvisoryError> { Ok(meta(key).await?.parse().unwrap_or(0)) };
    Ok(SetSummary {
        digest: meta("digest").await?,
        imported_at,
        cves: count("cves").await?,
        records: count("records").await?,
        rejected: number("SELECT COUNT(DISTINCT cve) FROM records WHERE rejected = 1").await?,
        sources,
    })
}

/// What a set says about a source.
impl SetSource {
    /// For people, such as `NVD 2.0 nvdcve-2.0-2024.json.gz of 2026-11-29`.
    pub fn title(&self) -> String {
        let dated = self.dated.as_ref().map(|day| format!(" of {day}")).unwrap_or_default();
        format!("{} {}{dated}", self.form.title(), self.name)
    }
}
