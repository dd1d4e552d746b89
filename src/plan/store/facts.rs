//! The facts: an upload is merged into stored rows in the transaction that records the upload.
//!
//! Merging is a join, so neither the order nor the repetition of uploads matters. The row of an upload has two purposes:
//! its receipt tells the sensor that it may delete the upload, and it reveals a sensor that uses one name for two contents.
//!
//! A service keeps the facts in memory as a [`Replica`], at a revision that the database counts. It merges an upload with
//! the replica and writes only the changed rows, so it reads and parses none. If another service wrote meanwhile, the
//! replica first catches up from the log of the newest uploads, or else is loaded again.
//!
//! The rows of a tunnel (I13) have the zone's name with the tunnel's path behind it. Only this file knows such names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::audit::{By, Entry};
use super::engine::{Bulk, sql};
use super::replica::{Facts, Replica};
use super::{Scope, Store, StoreError, Work, clocks, plans, snapshots, zones};
use crate::billing::timeline;
use crate::census::{
    Coupling, CouplingKey, Inventory, MacAddr, Station, Timestamp, TunnelKey, TunnelMarks, Zone,
};
use crate::plan::crash::crash_point;
use crate::wire::Upload;
use crate::wire::{SensorId, SubscriptionId};

/// Uploads that a shared database keeps in its log, for other services to catch up.
const LOGGED: i64 = 256;

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

/// The rows of a zone, or of a tunnel in it, that differ from what was known.
#[derive(Default)]
struct Rows {
    couplings: Vec<(CouplingKey, Coupling)>,
    stations: Vec<(MacAddr, Station)>,
    segment: Option<String>,
}

/// What an upload changes.
#[derive(Default)]
struct Changes {
    /// The rows inside the tunnels of each path; those of the zone itself first.
    rows: Vec<(Vec<TunnelKey>, Rows)>,
    /// Couplings and stations after the upload.
    held: usize,
    /// Whether there are more of them than before.
    grown: bool,
    /// The earliest instant about which the upload has something new.
    reach: Option<Timestamp>,
}

impl Store {
    /// Stores an upload durably and joins it with `replica`, unless it was stored before. Waits for nobody who reads the
    /// replica. Make one call at a time for each replica. `request` is a digest that is unique among the sensor's requests.
    ///
    /// # Errors
    /// [`StoreError::NoPlan`] (P7), [`StoreError::UploadConflict`], [`StoreError::BadSequence`],
    /// [`StoreError::Full`], [`StoreError::ZonesFull`], [`StoreError::SensorZonesFull`], or the database's. On an error, no part of the upload is stored.
    pub async fn ingest(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        mut upload: Upload,
        request: [u8; 32],
        replica: &Replica,
        now: Timestamp,
    ) -> Result<Ingested, StoreError> {
        let sequence =
            i64::try_from(upload.sequence).map_err(|_| StoreError::BadSequence(upload.sequence))?;
        // Of what was sent: a retry at another time is the same upload.
        let digest = content_digest(&upload)?;
        clocks::take_down(&mut upload, now);
        if replica.revision().is_none() {
            // Loading takes long: not while other writers wait.
            self.refresh(subscription, replica).await?;
        }
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        if timeline::in_effect(&plans::plans(&mut work, subscription).await?, now).is_none() {
            return Err(StoreError::NoPlan);
        }
        let query = sql("SELECT receipt FROM sensor WHERE subscription = $1 AND id = $2");
        let newest = match work.row(query.bind(subscription).bind(sensor)).await? {
            Some(row) => row.int("receipt")?,
            None => 0,
        };
        // A sensor of an older version, or without its state, sends no number. It cannot be checked.
        let known = upload.health.receipt.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let (forked, lost) = (known.is_some_and(|n| n < newest), known.is_some_and(|n| n > newest));
        let query = "SELECT digest, revision, request FROM upload WHERE subscription = $1 AND sensor = $2 AND epoch = $3 AND sequence = $4";
        let name = sql(query).bind(subscription).bind(sensor).bind(&upload.epoch).bind(sequence);
        if let Some(row) = work.row(name).await? {
            return if row.blob("digest")? == digest {
                // The number in a replayed request says nothing about the sensor's state.
                let replayed = row.opt_blob("request")?.is_some_and(|r| r == request);
                // If the newest receipt was lost on the way, the sensor sends its upload again.
                let forked = forked && !replayed && row.int("revision")? != newest;
                if forked {
                    note_fork(&mut work, subscription, sensor, now).await?;
                    work.commit().await?;
                }
                let receipt = if replayed { Receipt::Replayed } else { Receipt::Duplicate };
                Ok(Ingested { receipt, rows: 0, number: newest, forked, lost })
            } else {
                Err(StoreError::UploadConflict { epoch: upload.epoch.clone(), sequence: upload.sequence })
            };
        }
        catch_up(&mut work, subscription, replica).await?;
        zones::bind(&mut work, subscription, sensor, &upload.zone, &replica.facts().inventory, now).await?;
        let changes = changes(&replica.facts().inventory, &upload)?;
        if changes.grown && changes.held > self.room {
            return Err(StoreError::Full(self.room));
        }
        let revision = replica.revision().unwrap_or_default().saturating_add(1);
        work.execute(
            sql("INSERT INTO upload (subscription, sensor, epoch, sequence, digest, received_at, revision, request)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(subscription)
            .bind(sensor)
            .bind(&upload.epoch)
            .bind(sequence)
            .bind(digest)
            .bind(now.0)
            .bind(revision)
            .bind(request),
        )
        .await?;
        work.execute(
            sql("UPDATE sensor SET uploaded_at = $3, zone = $4, health = $5, receipt = $6
                 WHERE subscription = $1 AND id = $2")
            .bind(subscription)
            .bind(sensor)
            .bind(now.0)
            .bind(&upload.zone)
            .bind(to_json("sensor", &upload.health)?)
            .bind(revision),
        )
        .await?;
        if forked {
            note_fork(&mut work, subscription, sensor, now).await?;
        }
        work.execute(
            sql("UPDATE subscription SET facts_revision = $2 WHERE id = $1")
                .bind(subscription)
                .bind(revision),
        )
        .await?;
        if self.is_shared() {
            work.execute(
                sql("INSERT INTO fact_log (subscription, revision, body) VALUES ($1, $2, $3)")
                    .bind(subscription)
                    .bind(revision)
                    .bind(upload.encode().map_err(|e| corrupt("upload", &e))?),
            )
            .await?;
            work.execute(
                sql("DELETE FROM fact_log WHERE subscription = $1 AND revision <= $2")
                    .bind(subscription)
                    .bind(revision.saturating_sub(LOGGED)),
            )
            .await?;
        }
        if let Some(reach) = changes.reach.filter(|reach| *reach < now.day_start()) {
            snapshots::note_late(&mut work, subscription, sensor, &upload, revision, reach, now).await?;
        }
        let rows = changes.rows.iter().map(|(_, rows)| rows.couplings.len() + rows.stations.len()).sum();
        write(&mut work, subscription, &upload.zone, &changes).await?;
        crash_point!("ingest-before-commit");
        work.commit().await?;
        crash_point!("ingest-after-commit");
        let name = upload.zone.clone();
        replica.change(&name, revision, move |zone| apply(zone, changes, &upload)).await;
        Ok(Ingested { receipt: Receipt::Stored, rows, number: revision, forked, lost })
    }

    /// Brings `replica` up to date; returns whether it changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::NotFound`] or the database's.
    pub async fn refresh(
        &self,
        subscription: &SubscriptionId,
        replica: &Replica,
    ) -> Result<bool, StoreError> {
        let known = replica.revision();
        if known == Some(self.revisions(subscription).await?.0) {
            return Ok(false);
        }
        let mut work = self.read().await?;
        catch_up(&mut work, subscription, replica).await
    }

    /// The facts of a subscription, read from the database.
    ///
    /// # Errors
    /// Those of [`Store::refresh`].
    pub async fn inventory(&self, subscription: &SubscriptionId) -> Result<Inventory, StoreError> {
        let replica = Replica::default();
        self.refresh(subscription, &replica).await?;
        Ok(replica.facts().inventory.clone())
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
    let new = work
        .execute(
            sql(query)
                .bind(subscription)
                .bind(sensor)
                .bind(now.0)
                .bind(now.0.saturating_sub(FORK_TOLD_EVERY)),
        )
        .await?;
    if new > 0 {
        let entry = Entry { action: "sensor.fork", object: format!("sensor/{sensor}"), ..Entry::default() };
        work.audit(Some(subscription), &By::sensor(sensor.as_str()), entry, now).await?;
    }
    Ok(())
}

/// Brings `replica` to the state that the transaction sees.
async fn catch_up(
    work: &mut Work,
    subscription: &SubscriptionId,
    replica: &Replica,
) -> Result<bool, StoreError> {
    let query = sql("SELECT facts_revision FROM subscription WHERE id = $1").bind(subscription);
    let newest = match work.row(query).await? {
        Some(row) => row.int("facts_revision")?,
        None => return Err(StoreError::NotFound { what: "subscription", id: subscription.to_string() }),
    };
    let known = replica.revision();
    if known == Some(newest) {
        return Ok(false);
    }
    if let Some(known) = known.filter(|known| newest.saturating_sub(*known) <= LOGGED) {
        let query = "SELECT body FROM fact_log WHERE subscription = $1 AND revision > $2 ORDER BY revision";
        let rows = work.rows(sql(query).bind(subscription).bind(known)).await?;
        let uploads: Vec<Upload> =
            rows.iter().map_while(|row| Upload::decode(&row.blob("body").ok()?).ok()).collect();
        // If the log has a gap or cannot be read, no fact is lost: the rows are complete.
        if i64::try_from(uploads.len()).is_ok_and(|n| n == newest.saturating_sub(known)) {
            for (upload, revision) in uploads.into_iter().zip(known.saturating_add(1)..) {
                let Upload { zone, delta, .. } = upload;
                replica
                    .change(&zone, revision, move |known| {
                        known.merge(&delta);
                    })
                    .await;
            }
            return Ok(true);
        }
    }
    let inventory = load(work, subscription).await?;
    replica.replace(Facts { inventory, revision: Some(newest) });
    Ok(true)
}

/// The stored facts of a subscription.
async fn load(work: &mut Work, subscription: &SubscriptionId) -> Result<Inventory, StoreError> {
    let mut inventory = Inventory::default();
    let query = sql("SELECT zone, facts FROM segment WHERE subscription = $1").bind(subscription);
    work.each(query, &mut |row| {
        let (name, path) = read_name(row.str("zone")?)?;
        let of_zone = inventory.zone_mut(name);
        match path.split_last() {
            None => of_zone.segment = from_json("segment", row.str("facts")?)?,
            Some((key, around)) => {
                let tunnel = of_zone.within(around).tunnels.entry(*key).or_default();
                (tunnel.marks, tunnel.facts.segment) = from_json("segment", row.str("facts")?)?;
            }
        }
        Ok(())
    })
    .await?;
    let query = sql("SELECT zone, mac, ip, facts FROM coupling WHERE subscription = $1").bind(subscription);
    work.each(query, &mut |row| {
        let key = coupling_key(row.str("mac")?, row.str("ip")?)?;
        let facts: Coupling = from_json("coupling", row.str("facts")?)?;
        named(&mut inventory, row.str("zone")?)?.couplings.insert(key, facts);
        Ok(())
    })
    .await?;
    let query = sql("SELECT zone, mac, facts FROM station WHERE subscription = $1").bind(subscription);
    work.each(query, &mut |row| {
        let mac = mac_of("station", row.str("mac")?)?;
        let facts: Station = from_json("station", row.str("facts")?)?;
        named(&mut inventory, row.str("zone")?)?.stations.insert(mac, facts);
        Ok(())
    })
    .await?;
    Ok(inventory)
}

/// The rows that an upload changes.
fn changes(inventory: &Inventory, upload: &Upload) -> Result<Changes, StoreError> {
    let known = inventory.zones.get(&upload.zone).map(|zone| &**zone);
    let mut out = Changes { held: inventory.zones.values().map(|z| held(z)).sum(), ..Changes::default() };
    let before = out.held;
    out.compare(&[], None, known, None, &upload.delta)?;
    let mut tunnels = Vec::new();
    upload.delta.each_tunnel(&mut |path, tunnel| tunnels.push((path.to_vec(), tunnel)));
    for (path, tunnel) in tunnels {
        let marks =
            path.split_last().and_then(|(key, around)| Some(known?.inside(around)?.tunnels.get(key)?.marks));
        out.held += usize::from(marks.is_none());
        out.compare(
            &path,
            marks,
            known.and_then(|zone| zone.inside(&path)),
            Some(tunnel.marks),
            &tunnel.facts,
        )?;
    }
    out.grown = out.held > before;
    Ok(out)
}

/// What a zone takes of the room: its couplings, stations and tunnels.
fn held(zone: &Zone) -> usize {
    let mut tunnels = 0;
    zone.each_tunnel(&mut |_, _| tunnels += 1);
    zone.rows() + tunnels
}

impl Changes {
    /// Compares a zone, or what was seen inside the tunnels of `path`, with what is known of it.
    fn compare(
        &mut self,
        path: &[TunnelKey],
        known_marks: Option<TunnelMarks>,
        known: Option<&Zone>,
        marks: Option<TunnelMarks>,
        delta: &Zone,
    ) -> Result<(), StoreError> {
        let mut rows = Rows::default();
        let Self { held, reach, .. } = self;
        let mut note = |news: Option<Timestamp>| *reach = [*reach, news].into_iter().flatten().min();
        merged(
            known.map(|z| &z.couplings),
            &delta.couplings,
            Coupling::merge,
            &mut rows.couplings,
            held,
            |now, old, new| {
                note(now.news(old, new.last_seen));
            },
        );
        merged(
            known.map(|z| &z.stations),
            &delta.stations,
            Station::merge,
            &mut rows.stations,
            held,
            |now, old, _| {
                note(now.news(old));
            },
        );
        let old = known.map(|z| z.segment.clone()).unwrap_or_default();
        let mut segment = old.clone();
        segment.merge(&delta.segment);
        note(segment.news(&old, delta.segment.last_frame));
        let mut trust = known_marks.unwrap_or_default();
        let marked =
            marks.is_some_and(|marks| trust.merge(marks)) || known_marks.is_none() && marks.is_some();
        note(trust.news(known_marks.unwrap_or_default(), segment.first_frame));
        if marked || known.is_none_or(|z| z.segment != segment) {
            rows.segment = Some(match marks {
                Some(_) => to_json("segment", &(trust, &segment))?,
                None => to_json("segment", &segment)?,
            });
        }
        self.rows.push((path.to_vec(), rows));
        Ok(())
    }
}

/// The entries of `delta` that add something new, merged with the known entries. Calls `news` with each of them: merged,
/// before the merge, and as in `delta`.
fn merged<K: Copy + Ord, F: Clone + PartialEq>(
    known: Option<&BTreeMap<K, F>>,
    delta: &BTreeMap<K, F>,
    merge: impl Fn(&mut F, &F) -> bool,
    out: &mut Vec<(K, F)>,
    held: &mut usize,
    mut news: impl FnMut(&F, Option<&F>, &F),
) {
    for (key, new) in delta {
        match known.and_then(|k| k.get(key)) {
            Some(old) => {
                let mut facts = old.clone();
                merge(&mut facts, new);
                if facts != *old {
                    news(&facts, Some(old), new);
                    out.push((*key, facts));
                }
            }
            None => {
                *held += 1;
                news(new, None, new);
                out.push((*key, new.clone()));
            }
        }
    }
}

async fn write(
    work: &mut Work,
    subscription: &SubscriptionId,
    zone: &str,
    changes: &Changes,
) -> Result<(), StoreError> {
    for (path, rows) in &changes.rows {
        write_rows(work, subscription, &row_name(zone, path), rows).await?;
    }
    Ok(())
}

async fn write_rows(
    work: &mut Work,
    subscription: &SubscriptionId,
    name: &str,
    rows: &Rows,
) -> Result<(), StoreError> {
    let fixed = [("subscription", subscription.as_str()), ("zone", name)];
    if let Some(facts) = &rows.segment {
        let values = vec![vec![facts.clone()]];
        work.upsert(Bulk { table: "segment", fixed: &fixed, columns: &["facts"], values }).await?;
    }
    if !rows.couplings.is_empty() {
        let values = vec![
            rows.couplings.iter().map(|(key, _)| key.mac.to_string()).collect(),
            rows.couplings.iter().map(|(key, _)| key.ip.to_string()).collect(),
            json("coupling", rows.couplings.iter().map(|(_, facts)| facts))?,
        ];
        work.upsert(Bulk { table: "coupling", fixed: &fixed, columns: &["mac", "ip", "facts"], values })
            .await?;
    }
    if !rows.stations.is_empty() {
        let values = vec![
            rows.stations.iter().map(|(mac, _)| mac.to_string()).collect(),
            json("station", rows.stations.iter().map(|(_, facts)| facts))?,
        ];
        work.upsert(Bulk { table: "station", fixed: &fixed, columns: &["mac", "facts"], values }).await?;
    }
    Ok(())
}

/// Merges a committed upload into its zone in memory.
fn apply(zone: &mut Zone, changes: Changes, upload: &Upload) {
    for (path, rows) in changes.rows {
        let inside = zone.within(&path);
        inside.couplings.extend(rows.couplings);
        inside.stations.extend(rows.stations);
    }
    zone.segment.merge(&upload.delta.segment);
    upload.delta.each_tunnel(&mut |path, tunnel| {
        if let Some((key, around)) = path.split_last() {
            let known = zone.within(around).tunnels.entry(*key).or_default();
            known.marks.merge(tunnel.marks);
            known.facts.segment.merge(&tunnel.facts.segment);
        }
    });
}

/// Separates the parts of a row's zone. No zone has it in its name.
const SEPARATOR: char = '\u{1f}';

/// The zone of rows inside the tunnels of `path`: the zone's name, and a MAC and an address for each tunnel.
fn row_name(zone: &str, path: &[TunnelKey]) -> String {
    path.iter().fold(zone.to_owned(), |name, key| format!("{name}{SEPARATOR}{} {}", key.mac, key.ip))
}

/// The zone's name and the path in the zone of a row.
fn read_name(name: &str) -> Result<(&str, Vec<TunnelKey>), StoreError> {
    let mut parts = name.split(SEPARATOR);
    let zone = parts.next().unwrap_or_default();
    let key = |part: &str| {
        let (mac, ip) = part.split_once(' ').unwrap_or_default();
        coupling_key(mac, ip)
    };
    Ok((zone, parts.map(key).collect::<Result<_, _>>()?))
}

/// The part of the inventory to which rows of that name belong.
fn named<'i>(inventory: &'i mut Inventory, name: &str) -> Result<&'i mut Zone, StoreError> {
    let (name, path) = read_name(name)?;
    Ok(inventory.zone_mut(name).within(&path))
}

fn json<'f, F: Serialize + 'f>(
    table: &'static str,
    facts: impl Iterator<Item = &'f F>,
) -> Result<Vec<String>, StoreError> {
    facts.map(|f| to_json(table, f)).collect()
}

/// A digest of the facts in the upload. The same facts have the same digest, even if they are compressed differently.
fn content_digest(upload: &Upload) -> Result<[u8; 32], StoreError> {
    let json = to_json("upload", &(&upload.zone, &upload.delta))?;
    Ok(Sha256::digest(json.as_bytes()).into())
}

fn coupling_key(mac: &str, ip: &str) -> Result<CouplingKey, StoreError> {
    let ip: IpAddr =
        ip.parse().map_err(|_| StoreError::Corrupt { table: "coupling", why: format!("address '{ip}'") })?;
    Ok(CouplingKey { mac: mac_of("coupling", mac)?, ip })
}

fn mac_of(table: &'static str, mac: &str) -> Result<MacAddr, StoreError> {
    mac.parse().map_err(|e| StoreError::Corrupt { table, why: format!("{e}") })
}

fn from_json<T: DeserializeOwned>(table: &'static str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|e| corrupt(table, &e))
}

fn to_json<T: Serialize>(table: &'static str, facts: &T) -> Result<String, StoreError> {
    serde_json::to_string(facts).map_err(|e| corrupt(table, &e))
}

fn corrupt(table: &'static str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt { table, why: error.to_string() }
}
