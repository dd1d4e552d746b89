//! The facts as rows.
//!
//! A service keeps the facts in memory as a [`Replica`], at a revision that the database counts. If another service wrote
//! meanwhile, the replica first catches up from the log of the newest uploads, or else is loaded again.
//!
//! The rows of a tunnel (I13) have the zone's name with the tunnel's path behind it. Only this file knows such names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::engine::{Bulk, sql};
use super::joining::{Part, Parts};
use super::replica::{Facts, Replica};
use super::room::{coupling_bytes, station_bytes};
use super::{Store, StoreError, Work};
use crate::census::conduct::{Deed, DeedKey};
use crate::census::{Coupling, CouplingKey, Inventory, MacAddr, Station, TunnelKey, Zone};
use crate::wire::SubscriptionId;
use crate::wire::Upload;

/// Uploads that a shared database keeps in its log, for other services to catch up.
pub(super) const LOGGED: i64 = 256;

impl Store {
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

/// Brings `replica` to the state that the transaction sees.
pub(super) async fn catch_up(
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
                let join = move |known: &mut Zone| {
                    let before = touched_bytes(known, &delta);
                    known.merge(&delta);
                    touched_bytes(known, &delta).saturating_sub(before)
                };
                replica.change(revision, vec![(zone, join)]).await;
            }
            return Ok(true);
        }
    }
    let inventory = load(work, subscription).await?;
    replica.replace(Facts::loaded(inventory, newest));
    Ok(true)
}

/// The bytes of those rows that a delta names.
fn touched_bytes(known: &Zone, delta: &Zone) -> isize {
    let mut bytes = 0;
    let mut add = |known: Option<&Zone>, delta: &Zone| {
        let Some(known) = known else { return };
        bytes += delta
            .couplings
            .keys()
            .filter_map(|key| known.couplings.get(key))
            .map(coupling_bytes)
            .sum::<usize>();
        bytes +=
            delta.stations.keys().filter_map(|mac| known.stations.get(mac)).map(station_bytes).sum::<usize>();
        let deeds = delta.conduct.0.keys().filter_map(|key| known.conduct.0.get(key));
        bytes += deeds.map(Deed::bytes).sum::<usize>();
    };
    add(Some(known), delta);
    delta.each_tunnel(&mut |path, tunnel| add(known.inside(path), &tunnel.facts));
    isize::try_from(bytes).unwrap_or(isize::MAX)
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
    let query = sql("SELECT zone, deed, facts FROM conduct WHERE subscription = $1").bind(subscription);
    work.each(query, &mut |row| {
        let key: DeedKey = from_json("conduct", row.str("deed")?)?;
        let mut deed: Deed = from_json("conduct", row.str("facts")?)?;
        deed.normalise(key.kind);
        named(&mut inventory, row.str("zone")?)?.conduct.0.insert(key, deed);
        Ok(())
    })
    .await?;
    Ok(inventory)
}

/// The rows of the changed facts of a subscription, as text.
#[derive(Debug, Default)]
pub(super) struct FactRows {
    segments: [Vec<String>; 2],
    couplings: [Vec<String>; 4],
    stations: [Vec<String>; 3],
    deeds: [Vec<String>; 3],
}

impl FactRows {
    /// The rows of `changed`.
    pub(super) fn of(changed: &BTreeMap<String, Parts>) -> Result<Self, StoreError> {
        let mut rows = Self::default();
        for (zone, parts) in changed {
            for (path, part) in parts {
                rows.add(&row_name(zone, path), !path.is_empty(), part)?;
            }
        }
        Ok(rows)
    }

    fn add(&mut self, name: &str, in_tunnel: bool, part: &Part) -> Result<(), StoreError> {
        if let Some((marks, segment)) = &part.head {
            let facts =
                if in_tunnel { to_json("segment", &(marks, segment))? } else { to_json("segment", segment)? };
            push(&mut self.segments, [name.to_owned(), facts]);
        }
        for (CouplingKey { mac, ip }, facts) in &part.couplings {
            let facts = to_json("coupling", facts)?;
            push(&mut self.couplings, [name.to_owned(), mac.to_string(), ip.to_string(), facts]);
        }
        for (mac, facts) in &part.stations {
            push(&mut self.stations, [name.to_owned(), mac.to_string(), to_json("station", facts)?]);
        }
        for (key, deed) in &part.deeds {
            let row = [name.to_owned(), to_json("conduct", key)?, to_json("conduct", deed)?];
            push(&mut self.deeds, row);
        }
        Ok(())
    }

    /// Writes them.
    pub(super) async fn write(
        self,
        work: &mut Work,
        subscription: &SubscriptionId,
    ) -> Result<(), StoreError> {
        let fixed = [("subscription", subscription.as_str())];
        let tables: [(_, &'static [&'static str], _); 4] = [
            ("segment", &["zone", "facts"], self.segments.into()),
            ("coupling", &["zone", "mac", "ip", "facts"], self.couplings.into()),
            ("station", &["zone", "mac", "facts"], Vec::from(self.stations)),
            ("conduct", &["zone", "deed", "facts"], Vec::from(self.deeds)),
        ];
        for (table, columns, values) in tables {
            let bulk = Bulk { table, fixed: &fixed, columns, values };
            if bulk.rows() > 0 {
                work.upsert(bulk).await?;
            }
        }
        Ok(())
    }
}

/// Adds a row to columns.
fn push<const N: usize>(columns: &mut [Vec<String>; N], row: [String; N]) {
    columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
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

/// A digest of the facts in the upload. The same facts have the same digest, even if they are compressed differently.
pub(super) fn content_digest(upload: &Upload) -> Result<[u8; 32], StoreError> {
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

pub(super) fn to_json<T: Serialize>(table: &'static str, facts: &T) -> Result<String, StoreError> {
    serde_json::to_string(facts).map_err(|e| corrupt(table, &e))
}

pub(super) fn corrupt(table: &'static str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt { table, why: error.to_string() }
}
