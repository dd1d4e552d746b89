//! The facts: uploads are merged into stored rows in the transaction that records the upload.
//!
//! Merging is a join, so neither the order nor the repetition of uploads matters; the upload's row only tells a
//! sender that it may forget, and catches a sender that uses one name for two contents.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::{Store, StoreError, plans};
use crate::census::{Coupling, CouplingKey, Inventory, MacAddr, Segment, Station, Timestamp, Zone};
use crate::plan::timeline;
use crate::wire::Upload;

/// Rows in one statement: SQLite takes 32,766 parameters.
const CHUNK: usize = 1_000;

/// What became of an upload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Receipt {
    /// Stored now.
    Stored,
    /// Stored before: nothing changed.
    Duplicate,
}

/// An upload that is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ingested {
    /// What became of it.
    pub receipt: Receipt,
    /// Couplings and stations that it touched.
    pub rows: usize,
}

impl Store {
    /// Stores an upload durably, or finds that it was stored before.
    ///
    /// # Errors
    /// [`StoreError::NoPlan`] (P7), [`StoreError::UploadConflict`], [`StoreError::BadSequence`],
    /// [`StoreError::Full`] (nothing of the upload is stored then), or the database's.
    pub async fn ingest(
        &self,
        subscription: &str,
        sensor: &str,
        upload: &Upload,
        now: Timestamp,
    ) -> Result<Ingested, StoreError> {
        let sequence =
            i64::try_from(upload.sequence).map_err(|_| StoreError::BadSequence(upload.sequence))?;
        let digest = content_digest(upload)?;
        let mut tx = self.write().await?;
        if timeline::in_effect(&plans::plans(&mut *tx, subscription).await?, now).is_none() {
            return Err(StoreError::NoPlan);
        }
        let sql = "SELECT digest FROM upload WHERE subscription = $1 AND sensor = $2 AND epoch = $3 AND sequence = $4";
        let known = sqlx::query(sql)
            .bind(subscription)
            .bind(sensor)
            .bind(&upload.epoch)
            .bind(sequence)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = known {
            return if row.try_get::<&[u8], _>("digest")? == digest {
                Ok(Ingested { receipt: Receipt::Duplicate, rows: 0 })
            } else {
                Err(StoreError::UploadConflict { epoch: upload.epoch.clone(), sequence: upload.sequence })
            };
        }
        sqlx::query(
            "INSERT INTO upload (subscription, sensor, epoch, sequence, digest, received_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(subscription)
        .bind(sensor)
        .bind(&upload.epoch)
        .bind(sequence)
        .bind(digest.as_slice())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE sensor SET uploaded_at = $3, zone = $4, health = $5 WHERE subscription = $1 AND id = $2",
        )
        .bind(subscription)
        .bind(sensor)
        .bind(now.0)
        .bind(&upload.zone)
        .bind(to_json("sensor", &upload.health)?)
        .execute(&mut *tx)
        .await?;
        let target = Target { subscription, zone: &upload.zone };
        target.merge_segment(&mut tx, &upload.delta.segment).await?;
        let new = target.merge_couplings(&mut tx, &upload.delta.couplings).await?
            + target.merge_stations(&mut tx, &upload.delta.stations).await?;
        // Counting takes a look at every key, so only uploads that bring new ones pay for it.
        if new > 0 && target.held(&mut tx).await? > self.room {
            return Err(StoreError::Full(self.room));
        }
        tx.commit().await?;
        let rows = upload.delta.couplings.len() + upload.delta.stations.len();
        Ok(Ingested { receipt: Receipt::Stored, rows })
    }

    /// The merged facts of a subscription.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn inventory(&self, subscription: &str) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        let mut tx = self.reader.begin().await?;
        let rows = sqlx::query("SELECT zone, facts FROM segment WHERE subscription = $1")
            .bind(subscription)
            .fetch_all(&mut *tx)
            .await?;
        for row in rows {
            zone(&mut inventory, row.try_get("zone")?).segment = from_json("segment", row.try_get("facts")?)?;
        }
        let rows = sqlx::query("SELECT zone, mac, ip, facts FROM coupling WHERE subscription = $1")
            .bind(subscription)
            .fetch_all(&mut *tx)
            .await?;
        for row in rows {
            let key = coupling_key(row.try_get("mac")?, row.try_get("ip")?)?;
            let facts: Coupling = from_json("coupling", row.try_get("facts")?)?;
            zone(&mut inventory, row.try_get("zone")?).couplings.insert(key, facts);
        }
        let rows = sqlx::query("SELECT zone, mac, facts FROM station WHERE subscription = $1")
            .bind(subscription)
            .fetch_all(&mut *tx)
            .await?;
        for row in rows {
            let mac = mac_of("station", row.try_get("mac")?)?;
            let facts: Station = from_json("station", row.try_get("facts")?)?;
            zone(&mut inventory, row.try_get("zone")?).stations.insert(mac, facts);
        }
        Ok(inventory)
    }
}

/// The zone that rows are merged into.
struct Target<'a> {
    subscription: &'a str,
    zone: &'a str,
}

impl Target<'_> {
    async fn merge_segment(&self, db: &mut SqliteConnection, delta: &Segment) -> Result<(), StoreError> {
        let known = sqlx::query("SELECT facts FROM segment WHERE subscription = $1 AND zone = $2")
            .bind(self.subscription)
            .bind(self.zone)
            .fetch_optional(&mut *db)
            .await?;
        let mut facts: Segment = match known {
            Some(row) => from_json("segment", row.try_get("facts")?)?,
            None => Segment::default(),
        };
        facts.merge(delta);
        sqlx::query(
            "INSERT INTO segment (subscription, zone, facts) VALUES ($1, $2, $3)
             ON CONFLICT (subscription, zone) DO UPDATE SET facts = excluded.facts",
        )
        .bind(self.subscription)
        .bind(self.zone)
        .bind(to_json("segment", &facts)?)
        .execute(db)
        .await?;
        Ok(())
    }

    async fn merge_couplings(
        &self,
        db: &mut SqliteConnection,
        delta: &BTreeMap<CouplingKey, Coupling>,
    ) -> Result<usize, StoreError> {
        let entries: Vec<_> = delta.iter().collect();
        let mut new = entries.len();
        for chunk in entries.chunks(CHUNK) {
            let mut merged: BTreeMap<CouplingKey, Coupling> =
                chunk.iter().map(|(k, facts)| (**k, (*facts).clone())).collect();
            let mut select = QueryBuilder::<Sqlite>::new("WITH k (mac, ip) AS (");
            select.push_values(chunk, |mut row, (key, _)| {
                row.push_bind(key.mac.to_string()).push_bind(key.ip.to_string());
            });
            select
                .push(") SELECT c.mac, c.ip, c.facts FROM k JOIN coupling c ON c.mac = k.mac AND c.ip = k.ip WHERE c.subscription = ")
                .push_bind(self.subscription)
                .push(" AND c.zone = ")
                .push_bind(self.zone);
            for row in select.build().fetch_all(&mut *db).await? {
                let key = coupling_key(row.try_get("mac")?, row.try_get("ip")?)?;
                let known: Coupling = from_json("coupling", row.try_get("facts")?)?;
                new = new.saturating_sub(1);
                merged
                    .entry(key)
                    .and_modify(|facts| {
                        facts.merge(&known);
                    })
                    .or_insert(known);
            }
            let mut rows = Vec::with_capacity(merged.len());
            for (key, facts) in &merged {
                rows.push((key.mac.to_string(), key.ip.to_string(), to_json("coupling", facts)?));
            }
            let mut upsert =
                QueryBuilder::<Sqlite>::new("INSERT INTO coupling (subscription, zone, mac, ip, facts) ");
            upsert.push_values(rows, |mut row, (mac, ip, facts)| {
                row.push_bind(self.subscription)
                    .push_bind(self.zone)
                    .push_bind(mac)
                    .push_bind(ip)
                    .push_bind(facts);
            });
            upsert.push(" ON CONFLICT (subscription, zone, mac, ip) DO UPDATE SET facts = excluded.facts");
            upsert.build().execute(&mut *db).await?;
        }
        Ok(new)
    }

    /// How many couplings and stations the subscription holds.
    async fn held(&self, db: &mut SqliteConnection) -> Result<i64, StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM coupling WHERE subscription = $1)
                        + (SELECT COUNT(*) FROM station WHERE subscription = $1) AS held";
        Ok(sqlx::query(sql).bind(self.subscription).fetch_one(db).await?.try_get("held")?)
    }

    async fn merge_stations(
        &self,
        db: &mut SqliteConnection,
        delta: &BTreeMap<MacAddr, Station>,
    ) -> Result<usize, StoreError> {
        let entries: Vec<_> = delta.iter().collect();
        let mut new = entries.len();
        for chunk in entries.chunks(CHUNK) {
            let mut merged: BTreeMap<MacAddr, Station> =
                chunk.iter().map(|(mac, facts)| (**mac, (*facts).clone())).collect();
            let mut select = QueryBuilder::<Sqlite>::new("WITH k (mac) AS (");
            select.push_values(chunk, |mut row, (mac, _)| {
                row.push_bind(mac.to_string());
            });
            select
                .push(
                    ") SELECT s.mac, s.facts FROM k JOIN station s ON s.mac = k.mac WHERE s.subscription = ",
                )
                .push_bind(self.subscription)
                .push(" AND s.zone = ")
                .push_bind(self.zone);
            for row in select.build().fetch_all(&mut *db).await? {
                let mac = mac_of("station", row.try_get("mac")?)?;
                let known: Station = from_json("station", row.try_get("facts")?)?;
                new = new.saturating_sub(1);
                merged
                    .entry(mac)
                    .and_modify(|facts| {
                        facts.merge(&known);
                    })
                    .or_insert(known);
            }
            let mut rows = Vec::with_capacity(merged.len());
            for (mac, facts) in &merged {
                rows.push((mac.to_string(), to_json("station", facts)?));
            }
            let mut upsert =
                QueryBuilder::<Sqlite>::new("INSERT INTO station (subscription, zone, mac, facts) ");
            upsert.push_values(rows, |mut row, (mac, facts)| {
                row.push_bind(self.subscription).push_bind(self.zone).push_bind(mac).push_bind(facts);
            });
            upsert.push(" ON CONFLICT (subscription, zone, mac) DO UPDATE SET facts = excluded.facts");
            upsert.build().execute(&mut *db).await?;
        }
        Ok(new)
    }
}

/// A digest of what the upload says of the network: the same facts, however compressed, are the same content.
fn content_digest(upload: &Upload) -> Result<[u8; 32], StoreError> {
    let json = to_json("upload", &(&upload.zone, &upload.delta))?;
    Ok(Sha256::digest(json.as_bytes()).into())
}

fn zone<'i>(inventory: &'i mut Inventory, name: &str) -> &'i mut Zone {
    inventory.zones.entry(name.to_owned()).or_default()
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
    serde_json::from_str(json).map_err(|e| StoreError::Corrupt { table, why: e.to_string() })
}

fn to_json<T: Serialize>(table: &'static str, facts: &T) -> Result<String, StoreError> {
    serde_json::to_string(facts).map_err(|e| StoreError::Corrupt { table, why: e.to_string() })
}
