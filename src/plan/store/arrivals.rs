//! Arrivals: uploads that have come are joined with the stored facts, several in one transaction.
//!
//! Merging is a join, so neither the order nor the repetition of uploads matters. The row of an upload has two purposes:
//! its receipt tells the sensor that it may delete the upload, and it reveals a sensor that uses one name for two contents.
//!
//! Uploads that wait for the writer are stored together (group commit): one transaction for all, and each changed row once.
//! Each upload has a revision of the facts and an outcome of its own, so one that is refused fails no other. If the database
//! refuses what they write together, each is tried alone. Nobody hears of an upload before the commit that makes it durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audit::{By, Entry};
use super::engine::sql;
use super::facts::{FactRows, LOGGED, catch_up, content_digest, corrupt, to_json};
use super::joining::{Joined, Joining, Parts, apply};
use super::replica::Replica;
use super::{Scope, Store, StoreError, Work, clocks, plans, sensor_hours, snapshots, zones};
use crate::billing::timeline;
use crate::census::{Timestamp, Zone};
use crate::plan::crash::crash_point;
use crate::wire::{Health, SensorId, SubscriptionId, Upload};

/// The shortest time between two entries about a fork in the audit trail, in nanoseconds.
const FORK_TOLD_EVERY: i64 = 3_600_000_000_000;

/// The outcome of an upload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Receipt {
    /// Stored now.
    Stored,
    /// Stored before: nothing changed.
    Duplicate,
    /// The same request came a second time, which a sensor never sends: nothing changed.
    Replayed,
}

/// An upload that is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ingested {
    /// The outcome.
    pub receipt: Receipt,
    /// Couplings and stations that it changed.
    pub rows: usize,
    /// The number of the sensor's newest receipt, which grows with every upload that is stored.
    pub number: i64,
    /// Whether the sensor lacks the previous receipt: two appliances use its identity, or its state was restored from a
    /// backup.
    pub forked: bool,
    /// Whether the sensor has a receipt that this database never gave: the database was restored from a backup.
    pub lost: bool,
}

/// An upload that has come and is not stored yet.
#[derive(Clone, Debug)]
pub struct Arrival {
    sensor: SensorId,
    upload: Upload,
    /// As it came: other services read it in the log.
    body: Vec<u8>,
    sequence: i64,
    /// Of its facts.
    digest: [u8; 32],
    /// Unique among the sensor's requests.
    request: [u8; 32],
    at: Timestamp,
}

impl Arrival {
    /// An upload that came at `at` as `body`, which only services that share a database need. `request` is a digest that is
    /// unique among the sensor's requests. `newest` is the newest time that the service's clock has shown.
    /// Reads the whole upload, so it runs on a thread for long work.
    ///
    /// # Errors
    /// [`StoreError::BadSequence`]; [`StoreError::Corrupt`], which does not happen.
    pub fn new(
        sensor: SensorId,
        (mut upload, mut body): (Upload, Vec<u8>),
        request: [u8; 32],
        at: Timestamp,
        newest: Timestamp,
    ) -> Result<Self, StoreError> {
        let sequence =
            i64::try_from(upload.sequence).map_err(|_| StoreError::BadSequence(upload.sequence))?;
        // Of what was sent: a retry at another time is the same upload.
        let digest = content_digest(&upload)?;
        if clocks::take_down(&mut upload, newest) && !body.is_empty() {
            body = upload.encode().map_err(|e| corrupt("upload", &e))?;
        }
        Ok(Self { sensor, upload, body, sequence, digest, request, at })
    }

    /// The sensor that sent it.
    pub const fn sensor(&self) -> &SensorId {
        &self.sensor
    }

    /// The number of its couplings and stations.
    pub fn rows(&self) -> usize {
        self.upload.delta.rows()
    }
}

/// What is known of an arrival before it is joined.
enum Look {
    /// It is refused, or was stored before, and is not stored now.
    Settled(Result<Ingested, StoreError>),
    New {
        forked: bool,
        lost: bool,
        before: Before,
    },
}

/// What the sensor told by the upload before.
#[derive(Default)]
struct Before {
    health: Option<Box<Health>>,
    at: Option<Timestamp>,
}

/// Why uploads could not be stored together.
struct Failed {
    error: StoreError,
    /// Whether others will fail, too: the database is away, or somebody else has it.
    away: bool,
}

/// Arrivals joined with the facts; `None` for those that are not new.
struct Together {
    joined: Vec<Option<Result<Joined, StoreError>>>,
    changed: BTreeMap<String, Parts>,
    rows: FactRows,
}

impl Store {
    /// Stores one upload; see [`Self::ingest_all`].
    ///
    /// # Errors
    /// [`StoreError::BadSequence`], and those of [`Self::ingest_all`].
    pub async fn ingest(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        upload: Upload,
        request: [u8; 32],
        replica: &Replica,
        now: Timestamp,
    ) -> Result<Ingested, StoreError> {
        let body = upload.encode().map_err(|e| corrupt("upload", &e))?;
        let arrival = Arrival::new(sensor.clone(), (upload, body), request, now, now)?;
        let mut done = self.ingest_all(subscription, vec![arrival], replica).await;
        done.pop().unwrap_or(Err(UNANSWERED))
    }

    /// Stores uploads durably and joins them with `replica`, except for those that were stored before. The outcomes are in
    /// the order of `arrivals`, which must be of different sensors. Waits for nobody who reads the replica. Make one call at
    /// a time for each replica.
    ///
    /// # Errors
    /// Of each upload by itself: [`StoreError::NoPlan`] (P7), [`StoreError::UploadConflict`], [`StoreError::Full`], [`StoreError::Heavy`],
    /// [`StoreError::ZonesFull`], [`StoreError::SensorZonesFull`], or the database's. On an error, no part of that upload is stored.
    pub async fn ingest_all(
        &self,
        subscription: &SubscriptionId,
        arrivals: Vec<Arrival>,
        replica: &Replica,
    ) -> Vec<Result<Ingested, StoreError>> {
        let arrivals: Arc<[Arrival]> = arrivals.into();
        let error = match self.ingest_once(subscription, &arrivals, replica).await {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if arrivals.len() == 1 {
            return vec![Err(error.error)];
        }
        // One of them may be to blame, but not if the database is away.
        let mut away = error.away.then_some(error.error);
        let mut outcomes = Vec::new();
        for arrival in &*arrivals {
            outcomes.push(match &away {
                Some(error) => Err(again(error)),
                None => match self.ingest_once(subscription, &[arrival.clone()].into(), replica).await {
                    Ok(mut alone) => alone.pop().unwrap_or(Err(UNANSWERED)),
                    Err(Failed { error, away: is_away }) => {
                        away = is_away.then(|| again(&error));
                        Err(error)
                    }
                },
            });
        }
        outcomes
    }

    /// Stores uploads in one transaction; fails as a whole only if the database does.
    async fn ingest_once(
        &self,
        subscription: &SubscriptionId,
        arrivals: &Arc<[Arrival]>,
        replica: &Replica,
    ) -> Result<Vec<Result<Ingested, StoreError>>, Failed> {
        let work = self.begin(subscription, replica).await.map_err(|error| Failed { error, away: true })?;
        let done = self.ingest_in(work, subscription, arrivals, replica).await;
        done.map_err(|error| Failed { away: is_away(&error), error })
    }

    /// Begins a transaction in which uploads are stored.
    async fn begin(&self, subscription: &SubscriptionId, replica: &Replica) -> Result<Work, StoreError> {
        if replica.revision().is_none() {
            // Loading takes long: not while other writers wait.
            self.refresh(subscription, replica).await?;
        }
        self.write(Scope::Subscription(subscription)).await
    }

    async fn ingest_in(
        &self,
        mut work: Work,
        subscription: &SubscriptionId,
        arrivals: &Arc<[Arrival]>,
        replica: &Replica,
    ) -> Result<Vec<Result<Ingested, StoreError>>, StoreError> {
        let plans = plans::plans(&mut work, subscription).await?;
        let mut looks = Vec::new();
        for arrival in &**arrivals {
            looks.push(if timeline::in_effect(&plans, arrival.at).is_none() {
                Look::Settled(Err(StoreError::NoPlan))
            } else {
                look(&mut work, subscription, arrival).await?
            });
        }
        catch_up(&mut work, subscription, replica).await?;
        for (arrival, look) in arrivals.iter().zip(&mut looks) {
            if matches!(look, Look::New { .. })
                && let Some(refusal) = bind(&mut work, subscription, arrival, replica).await?
            {
                *look = Look::Settled(Err(refusal));
            }
        }
        let before = replica.revision().unwrap_or_default();
        let is_new: Vec<bool> = looks.iter().map(|look| matches!(look, Look::New { .. })).collect();
        let Together { joined, changed, rows } = self.join(replica, arrivals, is_new).await?;
        let mut newest = before;
        let mut outcomes = Vec::new();
        for ((arrival, look), joined) in arrivals.iter().zip(looks).zip(joined) {
            outcomes.push(match (look, joined) {
                (Look::Settled(outcome), _) => outcome,
                (Look::New { .. }, None) => Err(UNANSWERED),
                (Look::New { .. }, Some(Err(refusal))) => Err(refusal),
                (Look::New { forked, lost, before }, Some(Ok(joined))) => {
                    newest = newest.saturating_add(1);
                    self.record(&mut work, subscription, arrival, &joined, newest).await?;
                    let (health, now) = (before.health.as_deref(), (&arrival.upload.health, arrival.at));
                    sensor_hours::add(&mut work, subscription, &arrival.sensor, (health, before.at), now)
                        .await?;
                    if forked {
                        note_fork(&mut work, subscription, &arrival.sensor, arrival.at).await?;
                    }
                    let receipt = Receipt::Stored;
                    Ok(Ingested { receipt, rows: joined.rows, number: newest, forked, lost })
                }
            });
        }
        if newest > before {
            let query = "UPDATE subscription SET facts_revision = $2 WHERE id = $1";
            work.execute(sql(query).bind(subscription).bind(newest)).await?;
            if self.is_shared() {
                let query = "DELETE FROM fact_log WHERE subscription = $1 AND revision <= $2";
                work.execute(sql(query).bind(subscription).bind(newest.saturating_sub(LOGGED))).await?;
            }
            rows.write(&mut work, subscription).await?;
        }
        crash_point!("ingest-before-commit");
        work.commit().await?;
        crash_point!("ingest-after-commit");
        if newest > before {
            let join = |(name, parts)| (name, move |zone: &mut Zone| apply(zone, parts));
            replica.change(newest, changed.into_iter().map(join).collect()).await;
        }
        Ok(outcomes)
    }

    /// Joins the new ones of `arrivals` with the facts, on a thread for long work.
    async fn join(
        &self,
        replica: &Replica,
        arrivals: &Arc<[Arrival]>,
        is_new: Vec<bool>,
    ) -> Result<Together, StoreError> {
        let (facts, arrivals, room) = (replica.facts(), Arc::clone(arrivals), self.room);
        let join = move || {
            let mut joining = Joining::new(facts);
            let joined = arrivals.iter().zip(is_new);
            let joined = joined.map(|(arrival, is_new)| is_new.then(|| joining.add(&arrival.upload, room)));
            let joined = joined.collect();
            let changed = joining.into_changed();
            Ok(Together { joined, rows: FactRows::of(&changed)?, changed })
        };
        tokio::task::spawn_blocking(join).await.unwrap_or_else(|e| Err(corrupt("upload", &e)))
    }

    /// Records that an upload is stored, as `revision`.
    async fn record(
        &self,
        work: &mut Work,
        subscription: &SubscriptionId,
        arrival: &Arrival,
        joined: &Joined,
        revision: i64,
    ) -> Result<(), StoreError> {
        let Arrival { sensor, upload, body, sequence, digest, request, at } = arrival;
        let query = "INSERT INTO upload (subscription, sensor, epoch, sequence, digest, received_at, revision, request)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sql(query).bind(subscription).bind(sensor).bind(&upload.epoch).bind(*sequence);
        work.execute(query.bind(*digest).bind(at.0).bind(revision).bind(*request)).await?;
        let query = "UPDATE sensor SET uploaded_at = $3, zone = $4, health = $5, receipt = $6
                     WHERE subscription = $1 AND id = $2";
        let query = sql(query).bind(subscription).bind(sensor).bind(at.0).bind(&upload.zone);
        work.execute(query.bind(to_json("sensor", &upload.health)?).bind(revision)).await?;
        if self.is_shared() {
            let query = "INSERT INTO fact_log (subscription, revision, body) VALUES ($1, $2, $3)";
            work.execute(sql(query).bind(subscription).bind(revision).bind(body.as_slice())).await?;
        }
        if joined.unkept > 0 {
            let (zone, deeds) = (&upload.zone, joined.unkept);
            tracing::warn!(%subscription, %zone, deeds, "no room for what stations did: alerts may be missing, devices are not");
        }
        if let Some(reach) = joined.reach.filter(|reach| *reach < at.day_start()) {
            snapshots::note_late(work, subscription, sensor, upload, revision, reach, *at).await?;
        }
        Ok(())
    }
}

/// Binds the sensor of an upload to its zone. Returns why it may not add to the zone.
async fn bind(
    work: &mut Work,
    subscription: &SubscriptionId,
    arrival: &Arrival,
    replica: &Replica,
) -> Result<Option<StoreError>, StoreError> {
    let Arrival { sensor, upload, at, .. } = arrival;
    match zones::bind(work, subscription, sensor, &upload.zone, &replica.facts().inventory, *at).await {
        Ok(()) => Ok(None),
        Err(refusal @ (StoreError::ZonesFull | StoreError::SensorZonesFull)) => Ok(Some(refusal)),
        Err(error) => Err(error),
    }
}

/// Looks whether an upload is new.
async fn look(work: &mut Work, subscription: &SubscriptionId, arrival: &Arrival) -> Result<Look, StoreError> {
    let Arrival { sensor, upload, sequence, digest, request, at, .. } = arrival;
    let query = sql("SELECT receipt, uploaded_at, health FROM sensor WHERE subscription = $1 AND id = $2");
    let (newest, before) = match work.row(query.bind(subscription).bind(sensor)).await? {
        Some(row) => {
            let health = row.opt_text("health")?.and_then(|text| serde_json::from_str(&text).ok());
            (row.int("receipt")?, Before { health, at: row.opt_int("uploaded_at")?.map(Timestamp) })
        }
        None => (0, Before::default()),
    };
    // A sensor of an older version, or without its state, sends no number. It cannot be checked.
    let known = upload.health.receipt.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let (forked, lost) = (known.is_some_and(|n| n < newest), known.is_some_and(|n| n > newest));
    let query = "SELECT digest, revision, request FROM upload
                 WHERE subscription = $1 AND sensor = $2 AND epoch = $3 AND sequence = $4";
    let name = sql(query).bind(subscription).bind(sensor).bind(&upload.epoch).bind(*sequence);
    let Some(row) = work.row(name).await? else { return Ok(Look::New { forked, lost, before }) };
    if row.blob("digest")? != digest {
        let (epoch, sequence) = (upload.epoch.clone(), upload.sequence);
        return Ok(Look::Settled(Err(StoreError::UploadConflict { epoch, sequence })));
    }
    // The number in a replayed request says nothing about the sensor's state.
    let replayed = row.opt_blob("request")?.is_some_and(|r| r == request);
    // If the newest receipt was lost on the way, the sensor sends its upload again.
    let forked = forked && !replayed && row.int("revision")? != newest;
    if forked {
        note_fork(work, subscription, sensor, *at).await?;
    }
    let receipt = if replayed { Receipt::Replayed } else { Receipt::Duplicate };
    Ok(Look::Settled(Ok(Ingested { receipt, rows: 0, number: newest, forked, lost })))
}

/// An upload without an outcome, which does not happen: each has one.
const UNANSWERED: StoreError = StoreError::Database(sqlx::Error::RowNotFound);

/// Whether an error comes from the way to the database, not from what was written.
const fn is_away(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Database(sqlx::Error::Database(_) | sqlx::Error::Encode(_) | sqlx::Error::Protocol(_))
            | StoreError::Corrupt { .. }
    )
}

/// The error once more, for another upload that it concerns.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::NotFound { what, id } => StoreError::NotFound { what, id: id.clone() },
        StoreError::Database(sqlx::Error::PoolTimedOut) => StoreError::Database(sqlx::Error::PoolTimedOut),
        StoreError::Database(sqlx::Error::PoolClosed) => StoreError::Database(sqlx::Error::PoolClosed),
        StoreError::Away { place, why } => StoreError::Away { place: place.clone(), why: why.clone() },
        other => StoreError::Database(sqlx::Error::Io(std::io::Error::other(other.to_string()))),
    }
}

/// Records that two appliances use one identity; in the audit trail at most once an hour.
async fn note_fork(
    work: &mut Work,
    subscription: &SubscriptionId,
    sensor: &SensorId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = "UPDATE sensor SET forked_at = $3 WHERE subscription = $1 AND id = $2
                 AND (forked_at IS NULL OR forked_at < $4)";
    let told_until = now.0.saturating_sub(FORK_TOLD_EVERY);
    let query = sql(query).bind(subscription).bind(sensor).bind(now.0).bind(told_until);
    if work.execute(query).await? > 0 {
        let entry = Entry { action: "sensor.fork", object: format!("sensor/{sensor}"), ..Entry::default() };
        work.audit(Some(subscription), &By::sensor(sensor.as_str()), entry, now).await?;
    }
    Ok(())
}
