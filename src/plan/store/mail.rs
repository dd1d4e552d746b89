//! E-mails that wait to be sent, and what became of the newest ones.
//!
//! A digest is queued in the transaction that marks its notices as mailed. So a crash neither loses nor repeats it. If the
//! service is killed between the answer of the mail server and the next commit, the same e-mail goes out a second time, with
//! the same Message-ID.

use serde::Serialize;
use utoipa::ToSchema;

use super::engine::{Row, sql};
use super::notices::Digest;
use super::{Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::census::time::{DAY, rfc3339};

/// For how long it is known what became of an e-mail.
const KEPT: i64 = 30 * DAY;

/// An e-mail to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueuedMail {
    /// A random word, of which the Message-ID is made.
    pub id: String,
    pub person: String,
    pub address: String,
    pub subject: String,
    pub body: String,
    /// When it was queued.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of an e-mail.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct MailEntry {
    /// To which address.
    pub address: String,
    pub subject: String,
    /// When it was queued.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the mail server took it, or the service gave it up; null while it waits.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why the newest attempt failed; null if it did not.
    pub error: Option<String>,
}

/// What became of an attempt to send an e-mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Attempted {
    /// The server took it.
    Sent,
    /// Not now: the next attempt, and why.
    Later(Timestamp, String),
    /// Never, and why.
    GivenUp(String),
}

impl Store {
    /// Queues an e-mail for each person with news that they were not mailed, at most one a day and person. `compose` gives
    /// subject, text and id; `None` if the person wants no e-mail about any of it. Returns how many were queued.
    ///
    /// # Errors
    /// The database's.
    pub async fn queue_digests(
        &self,
        day: i64,
        now: Timestamp,
        compose: impl Fn(&Digest) -> Option<QueuedMail>,
    ) -> Result<usize, StoreError> {
        if self.read().await?.digests(day).await?.is_empty() {
            return Ok(0);
        }
        let mut work = self.write(Scope::Installation).await?;
        let mut queued = 0;
        for digest in work.digests(day).await? {
            if let Some(mail) = compose(&digest) {
                work.queue_mail(&mail, now).await?;
                work.had_digest(&digest.person, day).await?;
                queued += 1;
            }
            for part in &digest.parts {
                if let Some(newest) = part.notices.last() {
                    work.mailed_notices(&part.subscription, &digest.person, newest.number).await?;
                }
            }
        }
        work.commit().await?;
        Ok(queued)
    }

    /// E-mails that are due, the oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn due_mail(&self, limit: i64, now: Timestamp) -> Result<Vec<QueuedMail>, StoreError> {
        let query = "SELECT id, person, address, subject, body, created_at, attempts FROM mail
                     WHERE ended_at IS NULL AND next_at <= $1 ORDER BY next_at, id LIMIT $2";
        self.rows(sql(query).bind(now.0).bind(limit)).await?.iter().map(queued).collect()
    }

    /// Records what became of an attempt. The text of an e-mail that has ended is deleted, and all of it after 30 days.
    ///
    /// # Errors
    /// The database's.
    pub async fn attempted_mail(
        &self,
        id: &str,
        outcome: &Attempted,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        match outcome {
            Attempted::Later(next, why) => {
                let set = "UPDATE mail SET next_at = $2, error = $3, attempts = attempts + 1 WHERE id = $1";
                work.execute(sql(set).bind(id).bind(next.0).bind(why)).await?;
            }
            Attempted::Sent | Attempted::GivenUp(_) => {
                let why = match outcome {
                    Attempted::GivenUp(why) => Some(why.clone()),
                    _ => None,
                };
                let set = "UPDATE mail SET ended_at = $2, error = $3, body = '', attempts = attempts + 1 WHERE id = $1";
                work.execute(sql(set).bind(id).bind(now.0).bind(why)).await?;
            }
        }
        work.execute(sql("DELETE FROM mail WHERE ended_at < $1").bind(now.plus(-KEPT).0)).await?;
        work.commit().await
    }

    /// The newest e-mails to a person, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn mail_of(&self, person: &str, limit: i64) -> Result<Vec<MailEntry>, StoreError> {
        let query = "SELECT address, subject, created_at, ended_at, error FROM mail
                     WHERE person = $1 ORDER BY created_at DESC, id LIMIT $2";
        self.rows(sql(query).bind(person).bind(limit)).await?.iter().map(entry).collect()
    }
}

impl Work {
    pub(super) async fn queue_mail(&mut self, mail: &QueuedMail, now: Timestamp) -> Result<(), StoreError> {
        let put = "INSERT INTO mail (id, person, address, subject, body, created_at, next_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $6)";
        let put = sql(put).bind(&mail.id).bind(&mail.person).bind(&mail.address);
        self.execute(put.bind(&mail.subject).bind(&mail.body).bind(now.0)).await.map(drop)
    }
}

fn queued(row: &Row) -> Result<QueuedMail, StoreError> {
    Ok(QueuedMail {
        id: row.text("id")?,
        person: row.text("person")?,
        address: row.text("address")?,
        subject: row.text("subject")?,
        body: row.text("body")?,
        created_at: Timestamp(row.int("created_at")?),
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
    })
}

fn entry(row: &Row) -> Result<MailEntry, StoreError> {
    Ok(MailEntry {
        address: row.text("address")?,
        subject: row.text("subject")?,
        created_at: Timestamp(row.int("created_at")?),
        ended_at: row.opt_int("ended_at")?.map(Timestamp),
        error: row.opt_text("error")?,
    })
}
