//! Sensors and how they enrol: a one-time secret is exchanged for a bearer key, both stored hashed.

use serde::Serialize;
use utoipa::ToSchema;

use super::engine::{Row, sql};
use super::{Scope, Store, StoreError, checked_name};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::secret;
use crate::wire::{EnrolResponse, Health};

/// How long an enrolment token is good: one hour, in nanoseconds.
const TOKEN_LIFE: i64 = 3_600_000_000_000;
/// The longest name of a sensor in characters.
const NAME: usize = 64;
const SECRET_PREFIX: char = '.';

/// A sensor.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Sensor {
    /// 16 hex digits.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// When it enrolled.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub enrolled_at: Timestamp,
    /// When its key was revoked, if it was.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// Its newest upload.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub uploaded_at: Option<Timestamp>,
    /// The zone of its newest upload.
    pub zone: Option<String>,
    /// When an upload last showed that two appliances use its identity, or that its state came back from a backup.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub forked_at: Option<Timestamp>,
    /// How it fared at its newest upload.
    #[schema(value_type = Object)]
    pub health: Health,
}

/// A new sensor and its key, which is shown once.
pub type Enrolled = EnrolResponse;

impl Store {
    /// Makes a one-time secret with which a sensor may enrol within an hour.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn create_enrolment(
        &self,
        subscription: &str,
        now: Timestamp,
    ) -> Result<(String, Timestamp), StoreError> {
        let id = self.subscription(subscription).await?.id;
        // The secret names its subscription, so that the key of the table can start with it.
        let secret = secret::generate(&format!("{id}{SECRET_PREFIX}"))?;
        let expires = now.plus(TOKEN_LIFE);
        let mut work = self.write(Scope::Subscription(&id)).await?;
        work.execute(sql("INSERT INTO enrolment (subscription, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)").bind(&id).bind(secret::hash(&secret)).bind(now.0).bind(expires.0))
        .await?;
        work.commit().await?;
        Ok((secret, expires))
    }

    /// Exchanges a one-time secret for a sensor's identity and key.
    ///
    /// # Errors
    /// [`StoreError::BadEnrolment`], [`StoreError::BadName`] or the database's.
    pub async fn enrol(&self, secret: &str, name: &str, now: Timestamp) -> Result<Enrolled, StoreError> {
        let name = checked_name(name, NAME)?;
        let (subscription, _) = secret.split_once(SECRET_PREFIX).ok_or(StoreError::BadEnrolment)?;
        let sensor = secret::generate_id()?;
        let key = secret::generate("ncs_")?;
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let used = work
            .execute(
                sql("UPDATE enrolment SET used_at = $3, sensor = $4
             WHERE subscription = $1 AND secret_hash = $2 AND used_at IS NULL AND expires_at > $3")
                .bind(subscription)
                .bind(secret::hash(secret))
                .bind(now.0)
                .bind(&sensor),
            )
            .await?;
        if used != 1 {
            return Err(StoreError::BadEnrolment);
        }
        work.execute(sql("INSERT INTO sensor (subscription, id, name, key_hash, enrolled_at) VALUES ($1, $2, $3, $4, $5)").bind(subscription).bind(&sensor).bind(name).bind(secret::hash(&key)).bind(now.0))
        .await?;
        work.commit().await?;
        Ok(EnrolResponse { sensor, subscription: subscription.to_owned(), key })
    }

    /// All sensors of a subscription, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn sensors(&self, subscription: &str) -> Result<Vec<Sensor>, StoreError> {
        let query =
            "SELECT id, name, enrolled_at, revoked_at, uploaded_at, zone, forked_at, health FROM sensor
                   WHERE subscription = $1 ORDER BY name, id";
        let rows = self.rows(sql(query).bind(subscription)).await?;
        rows.iter().map(read).collect()
    }

    /// Revokes a sensor's key for good. Revoking twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn revoke_sensor(
        &self,
        subscription: &str,
        sensor: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let query =
            "UPDATE sensor SET revoked_at = coalesce(revoked_at, $3) WHERE subscription = $1 AND id = $2";
        let done = work.execute(sql(query).bind(subscription).bind(sensor).bind(now.0)).await?;
        if done == 0 {
            return Err(StoreError::NotFound { what: "sensor", id: sensor.chars().take(60).collect() });
        }
        work.commit().await?;
        Ok(())
    }

    /// Whether `key` is the valid key of that sensor.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_sensor_key(
        &self,
        subscription: &str,
        sensor: &str,
        key: &str,
    ) -> Result<bool, StoreError> {
        let query = "SELECT 1 AS one FROM sensor
                   WHERE subscription = $1 AND id = $2 AND key_hash = $3 AND revoked_at IS NULL";
        let row = self.row(sql(query).bind(subscription).bind(sensor).bind(secret::hash(key))).await?;
        Ok(row.is_some())
    }
}

fn read(row: &Row) -> Result<Sensor, StoreError> {
    let health = match row.opt_text("health")? {
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| StoreError::Corrupt { table: "sensor", why: e.to_string() })?,
        None => Health::default(),
    };
    Ok(Sensor {
        id: row.text("id")?,
        name: row.text("name")?,
        enrolled_at: Timestamp(row.int("enrolled_at")?),
        revoked_at: row.opt_int("revoked_at")?.map(Timestamp),
        uploaded_at: row.opt_int("uploaded_at")?.map(Timestamp),
        zone: row.opt_text("zone")?,
        forked_at: row.opt_int("forked_at")?.map(Timestamp),
        health,
    })
}
