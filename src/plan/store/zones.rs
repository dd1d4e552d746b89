//! The zones of a subscription, and the sensors that may add to them.
//!
//! A sensor captures one zone, which its configuration names. It is bound to the zones that it named so far: a few, for an
//! appliance that moved. Whoever has its key therefore fills neither the subscription with zones nor every zone with facts.

use std::collections::BTreeSet;

use super::engine::sql;
use super::{StoreError, Work};
use crate::census::{Inventory, Timestamp};
use crate::wire::{SensorId, SubscriptionId};

/// The most zones of a subscription that has fewer sensors. With more sensors, it may have as many zones as sensors: people
/// enrolled each of them.
pub const ZONES: usize = 256;
/// The most zones of a sensor. One that is enrolled again begins anew.
pub const ZONES_OF_SENSOR: i64 = 8;

/// Binds a sensor to a zone of `inventory`, unless it is bound already or a bound is reached.
///
/// # Errors
/// [`StoreError::ZonesFull`], [`StoreError::SensorZonesFull`] or the database's.
pub(super) async fn bind(
    work: &mut Work,
    subscription: &SubscriptionId,
    sensor: &SensorId,
    zone: &str,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = "SELECT 1 AS one FROM sensor_zone WHERE subscription = $1 AND sensor = $2 AND zone = $3";
    if work.row(sql(known).bind(subscription).bind(sensor).bind(zone)).await?.is_some() {
        return Ok(());
    }
    if !inventory.zones.contains_key(zone) {
        // Uploads that are stored together add zones that the inventory does not have yet.
        let bound = "SELECT DISTINCT zone FROM sensor_zone WHERE subscription = $1";
        let bound = work.rows(sql(bound).bind(subscription)).await?;
        let mut zones: BTreeSet<&str> = inventory.zones.keys().map(String::as_str).collect();
        for row in &bound {
            zones.insert(row.str("zone")?);
        }
        let sensors = "SELECT count(*) AS sensors FROM sensor WHERE subscription = $1";
        let sensors = work.row(sql(sensors).bind(subscription)).await?;
        let sensors = sensors.map_or(Ok(0), |row| row.int("sensors"))?;
        if !zones.contains(zone) && zones.len() >= ZONES.max(usize::try_from(sensors).unwrap_or(ZONES)) {
            return Err(StoreError::ZonesFull);
        }
    }
    let count = "SELECT count(*) AS zones FROM sensor_zone WHERE subscription = $1 AND sensor = $2";
    let count = work.row(sql(count).bind(subscription).bind(sensor)).await?;
    if count.map_or(Ok(0), |row| row.int("zones"))? >= ZONES_OF_SENSOR {
        return Err(StoreError::SensorZonesFull);
    }
    let bind = "INSERT INTO sensor_zone (subscription, sensor, zone, bound_at) VALUES ($1, $2, $3, $4)";
    work.execute(sql(bind).bind(subscription).bind(sensor).bind(zone).bind(now.0)).await.map(drop)
}
