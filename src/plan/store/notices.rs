//! Notices: one row a cause, and up to which number each person has read them.

use std::collections::BTreeMap;

use super::engine::{Row, sql};
use super::{By, Scope, Store, StoreError, Work};
use crate::billing::statement::Month;
use crate::census::Timestamp;
use crate::census::time::DAY;
use crate::plan::notice::{Cause, Choices, Known, Notice, NoticeKind, Steps, steps};
use crate::security::AlertId;
use crate::wire::SubscriptionId;

/// After how long a cause that is over is forgotten.
const KEPT: i64 = 90 * DAY;
/// The most notices that one run reads for e-mails; the next run reads the rest.
const AT_ONCE: i64 = 5_000;

/// What a person has not been mailed yet.
#[derive(Clone, Debug)]
pub struct Digest {
    pub person: String,
    pub address: String,
    pub choices: Choices,
    /// A part a subscription.
    pub parts: Vec<DigestPart>,
}

/// The notices of a subscription in a digest.
#[derive(Clone, Debug)]
pub struct DigestPart {
    pub subscription: SubscriptionId,
    /// The subscription's name.
    pub name: String,
    /// By number.
    pub notices: Vec<Notice>,
}

impl Store {
    /// Records which causes go on. Returns how many notices began. The lock is taken only if something changes.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_causes(
        &self,
        subscription: &SubscriptionId,
        causes: &[Cause],
        judged: &[NoticeKind],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let known = self.read().await?.known_causes(subscription).await?;
        if steps(&known, causes, judged, now).is_empty() {
            return Ok(0);
        }
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let steps = steps(&work.known_causes(subscription).await?, causes, judged, now);
        work.take_steps(subscription, &steps, now).await?;
        let told: Vec<AlertId> = steps.begin.iter().filter_map(|cause| Cause::alert_of(&cause.key)).collect();
        work.told_of_alerts(subscription, &told, now).await?;
        work.commit().await?;
        Ok(steps.begin.len())
    }

    /// The notices of a subscription, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn notices(
        &self,
        subscription: &SubscriptionId,
        limit: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        let query = "SELECT number, kind, title, detail, path, began_at, over_at FROM notice
                     WHERE subscription = $1 ORDER BY number DESC LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.rows(sql(query).bind(subscription).bind(limit)).await?.iter().map(read).collect()
    }

    /// Up to which number a person has read the notices of a subscription.
    ///
    /// # Errors
    /// The database's.
    pub async fn notices_read(&self, subscription: &SubscriptionId, person: &str) -> Result<i64, StoreError> {
        self.read().await?.notices_read(subscription, person).await
    }

    /// How many notices of each kind a person has not read yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn unread_notices(
        &self,
        subscription: &SubscriptionId,
        person: &str,
    ) -> Result<BTreeMap<NoticeKind, u64>, StoreError> {
        let query = "SELECT kind, count(*) AS n FROM notice WHERE subscription = $1 AND number > COALESCE(
                         (SELECT read_to FROM notice_mark WHERE subscription = $1 AND person = $2), 0)
                     GROUP BY kind";
        let rows = self.rows(sql(query).bind(subscription).bind(person)).await?;
        rows.iter().map(|row| Ok((kind(row)?, u64::try_from(row.int("n")?).unwrap_or(0)))).collect()
    }

    /// Records that a person has read the notices up to a number. A smaller number than before changes nothing. The audit
    /// trail does not have it.
    ///
    /// # Errors
    /// The database's.
    pub async fn read_notices(
        &self,
        subscription: &SubscriptionId,
        person: &str,
        up_to: i64,
        by: &By,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let newest = "SELECT COALESCE(max(number), 0) AS n FROM notice WHERE subscription = $1";
        let newest = work.row(sql(newest).bind(subscription)).await?;
        let newest = newest.map(|row| row.int("n")).transpose()?.unwrap_or_default();
        let (before, after) = (work.notices_read(subscription, person).await?, up_to.min(newest));
        if after <= before {
            return Ok(());
        }
        let set = "INSERT INTO notice_mark (subscription, person, read_to) VALUES ($1, $2, $3)
                   ON CONFLICT (subscription, person) DO UPDATE SET read_to = excluded.read_to";
        work.execute(sql(set).bind(subscription).bind(person).bind(after)).await?;
        work.finish(by).await
    }

    /// The months whose statements were closed, of the last few.
    ///
    /// # Errors
    /// The database's.
    pub async fn closed_months(&self, subscription: &SubscriptionId) -> Result<Vec<Month>, StoreError> {
        let query = "SELECT month FROM statement WHERE subscription = $1 ORDER BY month DESC LIMIT 3";
        self.rows(sql(query).bind(subscription)).await?.iter().map(|row| row.id("month")).collect()
    }
}

impl Work {
    /// What people with a confirmed address have not been mailed yet, of the subscriptions on which a role is bound for them.
    /// Those who got an e-mail on `day` or later are left out.
    pub(super) async fn digests(&mut self, day: i64) -> Result<Vec<Digest>, StoreError> {
        let query = "SELECT c.person, c.address, c.choices, s.id, s.name,
                            n.number, n.kind, n.title, n.detail, n.path, n.began_at, n.over_at
                     FROM notice_choice c
                     JOIN person p ON p.name = c.person AND p.disabled_at IS NULL
                     JOIN role_binding b ON b.person = c.person
                     JOIN subscription s ON s.id = b.subscription
                     JOIN notice n ON n.subscription = s.id
                     LEFT JOIN notice_mark m ON m.subscription = s.id AND m.person = c.person
                     WHERE c.address IS NOT NULL AND c.digest_day < $1 AND n.number > COALESCE(m.mailed_to, 0)
                     ORDER BY c.person, s.name, s.id, n.number LIMIT $2";
        let mut digests: Vec<Digest> = Vec::new();
        for row in &self.rows(sql(query).bind(day).bind(AT_ONCE)).await? {
            let (person, subscription) = (row.text("person")?, row.id::<SubscriptionId>("id")?);
            if digests.last().is_none_or(|digest| digest.person != person) {
                let choices = super::notice_choices::choices(row)?;
                digests.push(Digest { person, address: row.text("address")?, choices, parts: Vec::new() });
            }
            let Some(digest) = digests.last_mut() else { continue };
            if digest.parts.last().is_none_or(|part| part.subscription != subscription) {
                digest.parts.push(DigestPart { subscription, name: row.text("name")?, notices: Vec::new() });
            }
            if let Some(part) = digest.parts.last_mut() {
                part.notices.push(read(row)?);
            }
        }
        Ok(digests)
    }

    /// Records that a person has been mailed the notices of a subscription up to a number.
    pub(super) async fn mailed_notices(
        &mut self,
        subscription: &SubscriptionId,
        person: &str,
        up_to: i64,
    ) -> Result<(), StoreError> {
        let set = "INSERT INTO notice_mark (subscription, person, mailed_to) VALUES ($1, $2, $3)
                   ON CONFLICT (subscription, person) DO UPDATE SET mailed_to = excluded.mailed_to";
        self.execute(sql(set).bind(subscription).bind(person).bind(up_to)).await.map(drop)
    }

    async fn notices_read(&mut self, subscription: &SubscriptionId, person: &str) -> Result<i64, StoreError> {
        let query = "SELECT read_to FROM notice_mark WHERE subscription = $1 AND person = $2";
        let row = self.row(sql(query).bind(subscription).bind(person)).await?;
        Ok(row.map(|row| row.int("read_to")).transpose()?.unwrap_or_default())
    }

    async fn known_causes(
        &mut self,
        subscription: &SubscriptionId,
    ) -> Result<BTreeMap<String, Known>, StoreError> {
        let query = "SELECT cause, kind, over_at FROM notice WHERE subscription = $1";
        let rows = self.rows(sql(query).bind(subscription)).await?;
        let known = |row: &Row| {
            let known = Known { kind: kind(row)?, over_at: row.opt_int("over_at")?.map(Timestamp) };
            Ok((row.text("cause")?, known))
        };
        rows.iter().map(known).collect()
    }

    async fn take_steps(
        &mut self,
        subscription: &SubscriptionId,
        steps: &Steps,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let newest = "SELECT COALESCE(max(number), 0) AS n FROM notice WHERE subscription = $1";
        let newest = self.row(sql(newest).bind(subscription)).await?;
        let mut number = newest.map(|row| row.int("n")).transpose()?.unwrap_or_default();
        for cause in &steps.begin {
            number += 1;
            let put = "INSERT INTO notice (subscription, cause, number, kind, title, detail, path, began_at, over_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL) ON CONFLICT (subscription, cause)
                 DO UPDATE SET number = excluded.number, title = excluded.title, detail = excluded.detail,
                 path = excluded.path, began_at = excluded.began_at, over_at = NULL";
            let put = sql(put).bind(subscription).bind(&cause.key).bind(number).bind(cause.kind.key());
            self.execute(put.bind(&cause.title).bind(&cause.detail).bind(&cause.path).bind(now.0)).await?;
        }
        for (key, over) in
            steps.end.iter().map(|key| (key, Some(now.0))).chain(steps.resume.iter().map(|key| (key, None)))
        {
            let set = "UPDATE notice SET over_at = $3 WHERE subscription = $1 AND cause = $2";
            self.execute(sql(set).bind(subscription).bind(key).bind(over)).await?;
        }
        // The newest row stays, because numbers must not come again.
        let forget = "DELETE FROM notice WHERE subscription = $1 AND over_at < $2 AND number < $3";
        self.execute(sql(forget).bind(subscription).bind(now.plus(-KEPT).0).bind(number)).await.map(drop)
    }
}

fn kind(row: &Row) -> Result<NoticeKind, StoreError> {
    let word = row.str("kind")?;
    let corrupt = || StoreError::Corrupt { table: "notice", why: format!("unknown kind '{word}'") };
    NoticeKind::from_key(word).ok_or_else(corrupt)
}

fn read(row: &Row) -> Result<Notice, StoreError> {
    Ok(Notice {
        number: row.int("number")?,
        kind: kind(row)?,
        title: row.text("title")?,
        detail: row.text("detail")?,
        path: row.text("path")?,
        began_at: Timestamp(row.int("began_at")?),
        over_at: row.opt_int("over_at")?.map(Timestamp),
    })
}
