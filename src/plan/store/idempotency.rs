//! Answers to requests with an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again
//! gets the first answer, and is not executed again.

use super::engine::sql;
use super::{Scope, Store, StoreError, Work};
use crate::census::Timestamp;

/// How long answers are kept: 7 days, in nanoseconds.
const KEPT: i64 = 7 * 86_400_000_000_000;
/// How long a request may run before its key is free again, in nanoseconds: longer than any request does.
const RUNS: i64 = 120_000_000_000;

/// Answers that are kept for one person, and their bytes.
const ANSWERS: i64 = 1_000;
const ANSWER_BYTES: i64 = 16 << 20;

/// An answer as it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub kind: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The outcome of claiming a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// The request is the first: execute it, then keep the answer. So many older answers of the same person gave way.
    First { dropped: u64 },
    /// The request was executed before.
    Done(Answer),
    /// The request is still running.
    Running,
    /// The key was used for another request.
    OtherRequest,
}

impl Store {
    /// Claims `key` of `holder` for the request with that fingerprint.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim_key(
        &self,
        holder: [u8; 32],
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        work.execute(
            sql("DELETE FROM idempotency WHERE created_at <= $1 OR (status IS NULL AND created_at <= $2)")
                .bind(now.plus(-KEPT).0)
                .bind(now.plus(-RUNS).0),
        )
        .await?;
        let known = "SELECT fingerprint, status, kind, body FROM idempotency WHERE holder = $1 AND key = $2";
        if let Some(row) = work.row(sql(known).bind(holder).bind(key)).await? {
            if row.blob("fingerprint")? != fingerprint {
                return Ok(Claim::OtherRequest);
            }
            let Some(status) = row.opt_int("status")? else { return Ok(Claim::Running) };
            let corrupt = |_| StoreError::Corrupt { table: "idempotency", why: format!("status {status}") };
            return Ok(Claim::Done(Answer {
                status: u16::try_from(status).map_err(corrupt)?,
                kind: row.opt_text("kind")?.unwrap_or_default(),
                body: row.opt_blob("body")?.unwrap_or_default(),
            }));
        }
        let dropped = make_room(&mut work, holder).await?;
        work.execute(
            sql("INSERT INTO idempotency (holder, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)")
                .bind(holder)
                .bind(key)
                .bind(fingerprint)
                .bind(now.0),
        )
        .await?;
        work.commit().await?;
        Ok(Claim::First { dropped })
    }

    /// Keeps the answer to a claimed request. Without an answer, frees the key.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep_answer(
        &self,
        holder: [u8; 32],
        key: &str,
        answer: Option<Answer>,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let query = match answer {
            Some(answer) => {
                sql("UPDATE idempotency SET status = $3, kind = $4, body = $5 WHERE holder = $1 AND key = $2")
                    .bind(holder)
                    .bind(key)
                    .bind(i64::from(answer.status))
                    .bind(answer.kind)
                    .bind(answer.body)
            }
            None => sql("DELETE FROM idempotency WHERE holder = $1 AND key = $2").bind(holder).bind(key),
        };
        work.execute(query).await?;
        work.commit().await
    }
}

/// Drops the oldest answers of a person who has as many as are kept. Returns how many. One person never drops those of
/// another.
async fn make_room(work: &mut Work, holder: [u8; 32]) -> Result<u64, StoreError> {
    let mut dropped = 0;
    loop {
        let held = "SELECT COUNT(*) AS answers, CAST(COALESCE(SUM(LENGTH(body)), 0) AS BIGINT) AS bytes
                    FROM idempotency WHERE holder = $1";
        let Some(row) = work.row(sql(held).bind(holder)).await? else { return Ok(dropped) };
        let (answers, bytes) = (row.int("answers")?, row.int("bytes")?);
        if answers < ANSWERS && bytes < ANSWER_BYTES {
            return Ok(dropped);
        }
        let oldest = "DELETE FROM idempotency WHERE holder = $1 AND key IN (
                          SELECT key FROM idempotency WHERE holder = $1 AND status IS NOT NULL
                          ORDER BY created_at, key LIMIT $2)";
        let gone = work.execute(sql(oldest).bind(holder).bind(answers / 8 + 1)).await?;
        if gone == 0 {
            // All of them still run; they end soon.
            return Ok(dropped);
        }
        dropped += gone;
    }
}
