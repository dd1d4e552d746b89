//! Stored snapshots. Rows are only added; the database refuses changes. [`crate::proof`] decides the content of a snapshot,
//! [`crate::plan::app::sealing`] when it is sealed.

use super::engine::{Query, Row, sql};
use super::error::SnapshotError;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::crash::crash_point;
use crate::plan::secret::NoRandomness;
use crate::plan::store::audit::Entry;
use crate::proof::bundle::HEADERS;
use crate::proof::part::Part;
use crate::proof::{Day, Digest, Header, Sealed, Signature, SigningKey, Span, TrailHeads, day};
use crate::wire::{SensorId, SubscriptionId, Upload};

/// The most late uploads that a reason names. It counts the others.
const NAMED: i64 = 3;

/// A sealed snapshot without its leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    pub header: Header,
    /// The signed form of the header.
    pub signed_form: String,
    /// SHA-256 of the signed form.
    pub hash: Digest,
    pub signature: Signature,
    pub sealed_at: Timestamp,
    /// The revision of the facts that was counted.
    pub facts_revision: i64,
}

/// The sealed days around an instant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SealedDays {
    /// The newest before.
    pub previous: Option<Day>,
    /// The oldest after.
    pub next: Option<Day>,
    /// The oldest of all.
    pub first: Option<Day>,
    /// The newest of all.
    pub last: Option<Day>,
}

/// The numbers of a sealed day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DayCount {
    pub day: Day,
    /// The newest revision of its snapshot.
    pub revision: u64,
    pub network: u64,
    pub iot: u64,
    pub billable: u64,
    /// All devices, counted or not.
    pub devices: u64,
    /// The committed number of the day's last plan; none for a trial and without a plan.
    pub committed: Option<u64>,
}

impl DayCount {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let number = |name| Ok::<_, StoreError>(row.int(name)?.cast_unsigned());
        Ok(Self {
            day: day_of(row)?,
            revision: number("revision")?,
            network: number("network")?,
            iot: number("iot")?,
            billable: billable(row)?,
            devices: number("devices")?,
            committed: row.opt_int("committed")?.map(i64::cast_unsigned),
        })
    }
}

/// A count to be sealed. The chain gives the rest of the header.
#[derive(Debug)]
pub(crate) struct Unsealed {
    /// The header without its number, its revision, the hash of the previous header and the heads of the audit trails.
    pub(crate) header: Header,
    pub(crate) parts: Vec<Part>,
    /// The revision of the facts that was counted.
    pub(crate) facts_revision: i64,
    /// The revision of the day's newest snapshot when it was counted.
    pub(crate) after: Option<u64>,
}

/// The result of sealing.
#[derive(Debug)]
pub(crate) enum SealOutcome {
    Sealed(Box<Snapshot>),
    /// Another service sealed the day meanwhile.
    Overtaken,
}

impl Store {
    /// The key that signs snapshots. The first call makes it.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`] or the database's.
    pub async fn signing_key(&self, now: Timestamp) -> Result<SigningKey, StoreError> {
        let query = || sql("SELECT seed FROM signing_key WHERE id = 1");
        if let Some(row) = self.row(query()).await? {
            return key_of(&row);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| NoRandomness)?;
        let mut work = self.write(Scope::Installation).await?;
        let insert =
            "INSERT INTO signing_key (id, seed, created_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
        work.execute(sql(insert).bind(seed).bind(now.0)).await?;
        let row = work.row(query()).await?;
        work.commit().await?;
        // If two services begin at once, both use the key that the first one stored.
        key_of(&row.ok_or_else(|| corrupt("signing_key", "no key"))?)
    }

    /// Snapshots of a subscription, the newest first: at most `limit`, of those numbered below `before`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn snapshots(
        &self,
        subscription: &SubscriptionId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Snapshot>, StoreError> {
        let text =
            "SELECT * FROM snapshot WHERE subscription = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        let query = sql(text).bind(subscription).bind(before.unwrap_or(i64::MAX)).bind(limit);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The newest snapshot of a day, or the snapshot of a revision.
    ///
    /// # Errors
    /// [`SnapshotError::NoSnapshot`], [`StoreError::Corrupt`] or the database's.
    pub async fn snapshot(
        &self,
        subscription: &SubscriptionId,
        day: Day,
        revision: Option<i64>,
    ) -> Result<Snapshot, StoreError> {
        let found = self.find_snapshot(subscription, day, revision).await?;
        let name = || match revision {
            Some(revision) => format!("{day}, revision {revision}"),
            None => day.to_string(),
        };
        Ok(found.ok_or_else(|| SnapshotError::NoSnapshot(name()))?)
    }

    /// As [`Store::snapshot`], but `None` if there is no such snapshot.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn find_snapshot(
        &self,
        subscription: &SubscriptionId,
        day: Day,
        revision: Option<i64>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let text = "SELECT * FROM snapshot WHERE subscription = $1 AND day = $2 AND revision <= $3
                    ORDER BY revision DESC LIMIT 1";
        let query = sql(text).bind(subscription).bind(day.to_string()).bind(revision.unwrap_or(i64::MAX));
        let found = self.row(query).await?.as_ref().map(read).transpose()?;
        let is_asked = |s: &Snapshot| revision.is_none_or(|r| u64::try_from(r) == Ok(s.header.revision));
        Ok(found.filter(is_asked))
    }

    /// The newest snapshot whose day ends at `as_of` or before.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub(crate) async fn snapshot_before(
        &self,
        subscription: &SubscriptionId,
        as_of: Timestamp,
    ) -> Result<Option<Snapshot>, StoreError> {
        let text = "SELECT * FROM snapshot WHERE subscription = $1 AND as_of <= $2
                    ORDER BY as_of DESC, revision DESC LIMIT 1";
        let row = self.row(sql(text).bind(subscription).bind(as_of.0)).await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest revision of every day from `from` on, and whether late uploads changed it since.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn sealed_days(
        &self,
        subscription: &SubscriptionId,
        from: Day,
    ) -> Result<Vec<Sealed>, StoreError> {
        let text = "SELECT s.day, s.sealed_at, c.checked_at,
                           (SELECT COUNT(*) FROM late_upload u
                            WHERE u.subscription = s.subscription AND u.reach < s.as_of
                              AND u.revision > s.facts_revision AND u.revision > COALESCE(c.facts_revision, 0)) AS late
                    FROM snapshot s
                    LEFT JOIN snapshot_check c ON c.subscription = s.subscription AND c.day = s.day
                    WHERE s.subscription = $1 AND s.day >= $2
                      AND s.revision = (SELECT MAX(n.revision) FROM snapshot n
                                        WHERE n.subscription = s.subscription AND n.day = s.day)
                    ORDER BY s.day";
        let rows = self.rows(sql(text).bind(subscription).bind(from.to_string())).await?;
        let sealed = |row: &Row| {
            let looked_at = row.int("sealed_at")?.max(row.opt_int("checked_at")?.unwrap_or(i64::MIN));
            Ok(Sealed { day: day_of(row)?, sealed_at: Timestamp(looked_at), late: row.int("late")? > 0 })
        };
        rows.iter().map(sealed).collect()
    }

    /// The late uploads that a snapshot lacks, as text; `None` if it lacks none.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn lateness(
        &self,
        subscription: &SubscriptionId,
        snapshot: &Snapshot,
    ) -> Result<Option<String>, StoreError> {
        let which = "FROM late_upload WHERE subscription = $1 AND revision > $2 AND reach < $3";
        let query = |text: String| {
            let query = Query::assembled(text).bind(subscription).bind(snapshot.facts_revision);
            query.bind(snapshot.header.as_of.0)
        };
        let count = self.row(query(format!("SELECT COUNT(*) AS count {which}"))).await?;
        let count = count.map_or(Ok(0), |row| row.int("count"))?;
        let named = format!("SELECT sensor, epoch, sequence {which} ORDER BY revision LIMIT {NAMED}");
        let mut names = Vec::new();
        for row in self.rows(query(named)).await? {
            names.push(format!("{} {}/{}", row.str("sensor")?, row.str("epoch")?, row.int("sequence")?));
        }
        let more = count.saturating_sub(NAMED);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        Ok((count > 0).then(|| format!("late uploads (sensor epoch/sequence): {}", names.join(", "))))
    }

    /// Seals a count: gives it its place in the chain, signs and stores it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub(crate) async fn seal(
        &self,
        subscription: &SubscriptionId,
        unsealed: Unsealed,
        key: &SigningKey,
        by: &By,
        now: Timestamp,
    ) -> Result<SealOutcome, StoreError> {
        let Unsealed { mut header, parts, facts_revision, after } = unsealed;
        let day = header.day.to_string();
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let newest = "SELECT MAX(revision) AS revision FROM snapshot WHERE subscription = $1 AND day = $2";
        let newest = work.row(sql(newest).bind(subscription).bind(&day)).await?;
        let newest = newest.map_or(Ok(None), |row| row.opt_int("revision"))?.map(i64::cast_unsigned);
        if newest != after {
            return Ok(SealOutcome::Overtaken);
        }
        let last = "SELECT number, hash FROM snapshot WHERE subscription = $1 ORDER BY number DESC LIMIT 1";
        let last = work.row(sql(last).bind(subscription)).await?;
        let (number, previous) = match last {
            Some(row) => (row.int("number")?.saturating_add(1), Some(hash_of(&row)?)),
            None => (1, None),
        };
        header.number = number.cast_unsigned();
        header.revision = newest.map_or(0, |n| n.saturating_add(1));
        header.previous = previous;
        header.trails = Some(TrailHeads {
            subscription: work.trail_head(Some(subscription)).await?,
            installation: work.trail_head(None).await?,
        });
        let signed_form = header.signed_form().map_err(|e| corrupt("snapshot", &e.to_string()))?;
        let signature = key.sign(signed_form.as_bytes());
        let hash = Digest::of(signed_form.as_bytes());
        let snapshot = Snapshot { header, signed_form, hash, signature, sealed_at: now, facts_revision };
        insert(&mut work, &snapshot, number).await?;
        for (place, part) in (0_i64..).zip(parts) {
            let text = "INSERT INTO snapshot_part (subscription, number, part, first_device, devices, body)
                        VALUES ($1, $2, $3, $4, $5, $6)";
            let query = sql(text).bind(subscription).bind(number).bind(place).bind(part.first);
            work.execute(query.bind(i64::try_from(part.leaves).unwrap_or(i64::MAX)).bind(part.body)).await?;
        }
        let prune = "DELETE FROM late_upload WHERE subscription = $1 AND received_at < $2";
        let old = now.plus(-(day::REVISED + 1) * crate::census::time::DAY);
        work.execute(sql(prune).bind(subscription).bind(old.0)).await?;
        let entry = Entry {
            action: "snapshot.seal",
            object: format!("snapshot/{day}/{}", snapshot.header.revision),
            after: Some(serde_json::json!({
                "billable": snapshot.header.census.billable,
                "root": snapshot.header.root,
                "hash": snapshot.hash,
                "reason": snapshot.header.reason,
            })),
            ..Entry::default()
        };
        work.audit(Some(subscription), by, entry, now).await?;
        crash_point!("snapshot-seal-before-commit");
        work.finish(by).await?;
        crash_point!("snapshot-seal-after-commit");
        Ok(SealOutcome::Sealed(Box::new(snapshot)))
    }

    /// Notes that a sealed day was counted again at a revision of the facts, with the same result.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn note_unchanged(
        &self,
        subscription: &SubscriptionId,
        day: Day,
        facts_revision: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let text = "INSERT INTO snapshot_check (subscription, day, facts_revision, checked_at)
                    VALUES ($1, $2, $3, $4)
                    ON CONFLICT (subscription, day)
                    DO UPDATE SET facts_revision = excluded.facts_revision, checked_at = excluded.checked_at";
        let query = sql(text).bind(subscription).bind(day.to_string()).bind(facts_revision).bind(now.0);
        work.execute(query).await?;
        work.commit().await
    }

    /// The next part of a snapshot's leaves that comes after part number `after`, with its number; -1 for the first.
    ///
    /// # Errors
    /// The database's.
    pub async fn snapshot_part(
        &self,
        snapshot: &Snapshot,
        after: i64,
    ) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let text =
            "SELECT part, body FROM snapshot_part WHERE subscription = $1 AND number = $2 AND part > $3
                    ORDER BY part LIMIT 1";
        let header = &snapshot.header;
        let query = sql(text).bind(&header.subscription).bind(header.number.cast_signed()).bind(after);
        let row = self.row(query).await?;
        row.map(|row| Ok((row.int("part")?, row.blob("body")?))).transpose()
    }

    /// The part of the chain with all snapshots of some days, in order, for a bundle.
    ///
    /// # Errors
    /// [`SnapshotError::NoSnapshot`], [`SnapshotError::TooManyHeaders`], [`StoreError::Corrupt`] or the database's.
    pub async fn chain(
        &self,
        subscription: &SubscriptionId,
        days: Span,
    ) -> Result<Vec<Snapshot>, StoreError> {
        let text = "SELECT MIN(number) AS first, MAX(number) AS last FROM snapshot
                    WHERE subscription = $1 AND day >= $2 AND day < $3";
        let query = sql(text).bind(subscription).bind(days.from.to_string()).bind(days.to.to_string());
        let bounds = self
            .row(query)
            .await?
            .map(|row| Ok::<_, StoreError>((row.opt_int("first")?, row.opt_int("last")?)));
        let Some((Some(first), Some(last))) = bounds.transpose()? else {
            return Err(
                SnapshotError::NoSnapshot(format!("any day from {} to {}", days.from, days.to)).into()
            );
        };
        let headers = last.saturating_sub(first).saturating_add(1);
        if usize::try_from(headers).is_ok_and(|n| n > HEADERS) {
            return Err(SnapshotError::TooManyHeaders { days, headers }.into());
        }
        let text =
            "SELECT * FROM snapshot WHERE subscription = $1 AND number BETWEEN $2 AND $3 ORDER BY number";
        let query = sql(text).bind(subscription).bind(first).bind(last);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The count at the end of every sealed day from `from` on and before `to`, by its newest snapshot. Reads no header.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn daily_counts(
        &self,
        subscription: &SubscriptionId,
        days: Span,
    ) -> Result<Vec<DayCount>, StoreError> {
        let rows = self.rows(counts(subscription, days)).await?;
        rows.iter().map(DayCount::read).collect()
    }

    /// The sealed days around a day: the newest before it, the oldest after it, and the oldest and newest of all.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn sealed_around(
        &self,
        subscription: &SubscriptionId,
        day: Day,
    ) -> Result<SealedDays, StoreError> {
        let text = "SELECT (SELECT MAX(day) FROM snapshot WHERE subscription = $1 AND day < $2) AS previous,
                           (SELECT MIN(day) FROM snapshot WHERE subscription = $1 AND day > $2) AS next,
                           (SELECT MIN(day) FROM snapshot WHERE subscription = $1) AS first,
                           (SELECT MAX(day) FROM snapshot WHERE subscription = $1) AS last";
        let Some(row) = self.row(sql(text).bind(subscription).bind(day.to_string())).await? else {
            return Ok(SealedDays::default());
        };
        let day = |name| {
            let text = row.opt_text(name)?;
            text.map(|text| text.parse().map_err(|_| corrupt("snapshot", "the day"))).transpose()
        };
        Ok(SealedDays {
            previous: day("previous")?,
            next: day("next")?,
            first: day("first")?,
            last: day("last")?,
        })
    }
}

/// The highest billable count among the newest snapshots of some days, and the count of the last day; `None` if there is no
/// snapshot.
pub(super) async fn peak_and_last(
    work: &mut Work,
    subscription: &SubscriptionId,
    days: Span,
) -> Result<(Option<u64>, Option<u64>), StoreError> {
    let rows = work.rows(counts(subscription, days)).await?;
    let counts: Vec<u64> = rows.iter().map(billable).collect::<Result<_, _>>()?;
    Ok((counts.iter().max().copied(), counts.last().copied()))
}

/// The billable count of the newest snapshot of each day, in order.
fn counts(subscription: &SubscriptionId, days: Span) -> Query {
    let text =
        "SELECT s.day, s.revision, s.network, s.iot, s.billable, s.devices, s.committed FROM snapshot s
                WHERE s.subscription = $1 AND s.day >= $2 AND s.day < $3
                  AND s.revision = (SELECT MAX(n.revision) FROM snapshot n
                                    WHERE n.subscription = s.subscription AND n.day = s.day)
                ORDER BY s.day";
    sql(text).bind(subscription).bind(days.from.to_string()).bind(days.to.to_string())
}

fn billable(row: &Row) -> Result<u64, StoreError> {
    Ok(row.int("billable")?.cast_unsigned())
}

/// Notes an upload with new facts about a day that has ended.
pub(super) async fn note_late(
    work: &mut Work,
    subscription: &SubscriptionId,
    sensor: &SensorId,
    upload: &Upload,
    revision: i64,
    reach: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "INSERT INTO late_upload (subscription, revision, sensor, epoch, sequence, reach, received_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let query = sql(text).bind(subscription).bind(revision).bind(sensor).bind(&upload.epoch);
    work.execute(query.bind(upload.sequence.cast_signed()).bind(reach.0).bind(now.0)).await.map(drop)
}

async fn insert(work: &mut Work, snapshot: &Snapshot, number: i64) -> Result<(), StoreError> {
    let Header { subscription, day, revision, as_of, known_until, plan, census, size, .. } = &snapshot.header;
    let text = "INSERT INTO snapshot (subscription, number, day, revision, sealed_at, facts_revision, as_of, known_until,
                                      network, iot, billable, devices, committed, header, hash, signature)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let committed = plan.as_ref().and_then(|p| p.committed).map(u64::cast_signed);
    work.execute(
        sql(text)
            .bind(subscription)
            .bind(number)
            .bind(day.to_string())
            .bind(revision.cast_signed())
            .bind(snapshot.sealed_at.0)
            .bind(snapshot.facts_revision)
            .bind(as_of.0)
            .bind(known_until.0)
            .bind(census.network.cast_signed())
            .bind(census.iot.cast_signed())
            .bind(census.billable.cast_signed())
            .bind(size.cast_signed())
            .bind(committed)
            .bind(&snapshot.signed_form)
            .bind(snapshot.hash.0)
            .bind(snapshot.signature.0.to_vec()),
    )
    .await
    .map(drop)
}

fn read(row: &Row) -> Result<Snapshot, StoreError> {
    let signed_form = row.text("header")?;
    let header = Header::read(&signed_form).ok_or_else(|| corrupt("snapshot", "the header"))?;
    let signature = row.blob("signature")?.try_into().map_err(|_| corrupt("snapshot", "the signature"))?;
    Ok(Snapshot {
        header,
        signed_form,
        hash: hash_of(row)?,
        signature: Signature(signature),
        sealed_at: Timestamp(row.int("sealed_at")?),
        facts_revision: row.int("facts_revision")?,
    })
}

fn key_of(row: &Row) -> Result<SigningKey, StoreError> {
    let seed =
        row.blob("seed")?.try_into().map_err(|_| corrupt("signing_key", "the seed has not 32 bytes"))?;
    Ok(SigningKey::from_seed(&seed))
}

fn hash_of(row: &Row) -> Result<Digest, StoreError> {
    Ok(Digest(row.blob("hash")?.try_into().map_err(|_| corrupt("snapshot", "the hash has not 32 bytes"))?))
}

fn day_of(row: &Row) -> Result<Day, StoreError> {
    row.str("day")?.parse().map_err(|_| corrupt("snapshot", "the day"))
}

fn corrupt(table: &'static str, why: &str) -> StoreError {
    StoreError::Corrupt { table, why: why.to_owned() }
}
