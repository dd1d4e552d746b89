//! What each sensor told in each hour of the last days.
//!
//! An upload brings totals since the sensor's start. An hour gets what is new since the upload before, so that charts need no
//! row for each upload.

use serde::Serialize;
use utoipa::ToSchema;

use super::engine::{Row, sql};
use super::{Store, StoreError, Work};
use crate::census::time::{HOUR, MINUTE};
use crate::census::{Timestamp, time::rfc3339};
use crate::wire::{Health, SensorId, SubscriptionId};

/// The hours that are kept of a sensor: eight days.
pub const HOURS: i64 = 192;
/// The parts of an hour in which a sensor is heard or not. It uploads at least once in so long.
const PART: i64 = 5 * MINUTE;
/// The most frames of an hour.
const MOST: i64 = 1 << 53;

/// What a sensor told in one hour.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct SensorHour {
    /// Its beginning. An upload belongs to the hour in which it arrived.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Frames that were captured since the upload before.
    pub frames: u64,
    /// Frames that the kernel or the interface dropped since the upload before.
    pub dropped: u64,
    /// How often the sensor started.
    pub starts: u64,
    /// In how many of the hour's 12 parts of five minutes an upload came.
    pub heard: u32,
}

/// What is new since the upload before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Gain {
    frames: u64,
    dropped: u64,
    starts: u64,
}

impl Gain {
    /// Totals that fell say that the sensor started again. What the first upload tells may be old, but it is all there is.
    fn since(before: Option<&Health>, now: &Health) -> Self {
        let started = Self { frames: now.frames, dropped: now.dropped, starts: 1 };
        let Some(before) = before else { return started };
        if now.frames < before.frames || now.bytes < before.bytes || now.dropped < before.dropped {
            return started;
        }
        Self { frames: now.frames - before.frames, dropped: now.dropped - before.dropped, starts: 0 }
    }
}

/// Adds an upload that arrived at `at` to its hour. `before` is the health of the upload before.
///
/// # Errors
/// The database's.
pub(super) async fn add(
    work: &mut Work,
    subscription: &SubscriptionId,
    sensor: &SensorId,
    (before, before_at): (Option<&Health>, Option<Timestamp>),
    (now, at): (&Health, Timestamp),
) -> Result<(), StoreError> {
    let gain = Gain::since(before, now);
    let hour = at.0.div_euclid(HOUR);
    let part = at.0.rem_euclid(HOUR).div_euclid(PART);
    // A sensor may claim any number: it must not make a sum too large for the database.
    let put = "INSERT INTO sensor_hour (subscription, sensor, hour, frames, dropped, starts, heard)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subscription, sensor, hour) DO UPDATE SET
         frames = CASE WHEN sensor_hour.frames < $8 THEN sensor_hour.frames + excluded.frames ELSE $8 END,
         dropped = CASE WHEN sensor_hour.dropped < $8 THEN sensor_hour.dropped + excluded.dropped ELSE $8 END,
         starts = sensor_hour.starts + excluded.starts, heard = sensor_hour.heard | excluded.heard";
    let number = |n: u64| i64::try_from(n).unwrap_or(MOST).min(MOST);
    let put = sql(put).bind(subscription).bind(sensor).bind(hour);
    let put = put.bind(number(gain.frames)).bind(number(gain.dropped)).bind(number(gain.starts));
    work.execute(put.bind(1_i64 << part).bind(MOST)).await?;
    if before_at.is_none_or(|before| before.0.div_euclid(HOUR) != hour) {
        let old = "DELETE FROM sensor_hour WHERE subscription = $1 AND sensor = $2 AND hour <= $3";
        work.execute(sql(old).bind(subscription).bind(sensor).bind(hour.saturating_sub(HOURS))).await?;
    }
    Ok(())
}

impl Store {
    /// The kept hours of a sensor after `since`, the oldest first. Hours without an upload have no entry.
    ///
    /// # Errors
    /// The database's.
    pub async fn sensor_hours(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        since: Timestamp,
    ) -> Result<Vec<SensorHour>, StoreError> {
        let query = "SELECT hour, frames, dropped, starts, heard FROM sensor_hour
                     WHERE subscription = $1 AND sensor = $2 AND hour > $3 ORDER BY hour";
        let query = sql(query).bind(subscription).bind(sensor).bind(since.0.div_euclid(HOUR));
        self.rows(query).await?.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<SensorHour, StoreError> {
    let number = |column| Ok::<_, StoreError>(u64::try_from(row.int(column)?).unwrap_or_default());
    Ok(SensorHour {
        from: Timestamp(row.int("hour")?.saturating_mul(HOUR)),
        frames: number("frames")?,
        dropped: number("dropped")?,
        starts: number("starts")?,
        heard: row.int("heard")?.count_ones(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(frames: u64, dropped: u64) -> Health {
        Health { frames, bytes: frames * 100, dropped, ..Health::default() }
    }

    #[test]
    fn an_hour_gains_what_is_new_and_a_start_shows_by_totals_that_fell() {
        let gain = |before: Option<&Health>, now: &Health| Gain::since(before, now);
        let first = health(1_000, 10);
        assert_eq!(gain(None, &first), Gain { frames: 1_000, dropped: 10, starts: 1 });
        assert_eq!(gain(Some(&first), &health(1_500, 12)), Gain { frames: 500, dropped: 2, starts: 0 });
        assert_eq!(gain(Some(&first), &first), Gain::default());
        assert_eq!(gain(Some(&first), &health(20, 0)), Gain { frames: 20, dropped: 0, starts: 1 });
    }
}
