//! Sensors and how they enrol: a one-time secret is exchanged for a bearer key, both stored hashed.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit::{Actor, Entry};
use super::engine::{Row, sql};
use super::{By, Expected, Scope, Store, StoreError, checked_name};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::secret;
use crate::wire::signature::PublicKey;
use crate::wire::{EnrolResponse, Health};
use crate::wire::{SensorId, SubscriptionId};

/// The life of an enrolment token: one hour, in nanoseconds.
const TOKEN_LIFE: i64 = 3_600_000_000_000;
/// The longest name of a sensor in characters.
const NAME: usize = 64;
const SECRET_PREFIX: char = '.';
const ONE: &str = "SELECT id, name, enrolled_at, revoked_at, uploaded_at, zone, forked_at, health FROM sensor
                   WHERE subscription = $1 AND id = $2";

/// A sensor.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Sensor {
    /// 16 hex digits.
    pub id: SensorId,
    /// Its name for people.
    pub name: String,
    /// When it enrolled.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub enrolled_at: Timestamp,
    /// When its key was revoked; null if it was not.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// When its newest upload arrived.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub uploaded_at: Option<Timestamp>,
    /// The zone of its newest upload.
    pub zone: Option<String>,
    /// When an upload last showed that two appliances use its identity, or that its state came back from a backup.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub forked_at: Option<Timestamp>,
    /// Its health at its newest upload.
    pub health: Health,
}

/// An enrolment token, without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enrolment {
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// The sensor that enrolled with it.
    pub sensor: Option<SensorId>,
}

/// A new sensor and its key, which is shown once.
pub type Enrolled = EnrolResponse;

/// The enrolment of an appliance.
#[derive(Clone, Debug)]
pub struct Enrolling<'a> {
    /// The one-time secret.
    pub secret: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// The public half of its key pair.
    pub public_key: PublicKey,
    /// The former sensor of the appliance. The caller has checked that the appliance holds its key.
    pub replaces: Option<(SubscriptionId, SensorId)>,
}

/// The subscription that an enrolment secret is for.
pub fn subscription_of(secret: &str) -> Option<SubscriptionId> {
    secret.split_once(SECRET_PREFIX)?.0.parse().ok()
}

impl Sensor {
    /// What people change of a sensor. Its entity tag covers only this, because every upload changes the rest.
    pub fn by_hand(&self) -> (&str, &str, bool) {
        (self.id.as_str(), &self.name, self.revoked_at.is_some())
    }
}

impl Store {
    /// Makes a one-time secret with which a sensor may enrol within an hour.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn create_enrolment(
        &self,
        subscription: &SubscriptionId,
        by: &By,
        now: Timestamp,
    ) -> Result<(String, Timestamp), StoreError> {
        let id = self.subscription(subscription).await?.id;
        // The secret names its subscription, so that the key of the table can start with it.
        let secret = secret::generate(&format!("{id}{SECRET_PREFIX}"))?;
        let expires = now.plus(TOKEN_LIFE);
        let mut work = self.write(Scope::Subscription(&id)).await?;
        work.execute(sql("INSERT INTO enrolment (subscription, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)").bind(&id).bind(secret::hash(&secret)).bind(now.0).bind(expires.0))
        .await?;
        let after = Some(json!({"expires_at": expires.to_string()}));
        let entry = Entry { action: "sensor.token", object: "sensor".to_owned(), after, ..Entry::default() };
        work.audit(Some(&id), by, entry, now).await?;
        work.finish(by).await?;
        Ok((secret, expires))
    }

    /// Exchanges a one-time secret for a sensor's identity and key, and revokes the former sensor of the appliance.
    /// `origin` says where the request came from.
    ///
    /// # Errors
    /// [`StoreError::BadEnrolment`], [`StoreError::BadName`] or the database's.
    pub async fn enrol(
        &self,
        asked: &Enrolling<'_>,
        origin: &By,
        now: Timestamp,
    ) -> Result<Enrolled, StoreError> {
        let Enrolling { secret, public_key, replaces, .. } = asked;
        let name = checked_name(asked.name, NAME)?;
        let subscription = &subscription_of(secret).ok_or(StoreError::BadEnrolment)?;
        let sensor = SensorId::from_bits(secret::generate_id_bits()?);
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
        work.execute(
            sql("INSERT INTO sensor (subscription, id, name, key_hash, public_key, enrolled_at)
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(subscription)
            .bind(&sensor)
            .bind(name)
            .bind(secret::hash(&key))
            .bind(public_key.0)
            .bind(now.0),
        )
        .await?;
        let by = By { actor: Actor::Sensor(sensor.to_string()), ..origin.clone() };
        let after = Some(json!({"name": name, "public_key": public_key.to_string()}));
        let entry = Entry { action: "sensor.enrol", after, ..about(&sensor) };
        work.audit(Some(subscription), &by, entry, now).await?;
        let elsewhere = match replaces {
            Some((there, old)) if there == subscription => {
                work.replace_sensor(subscription, old, &sensor, &by, now).await?;
                None
            }
            other => other.as_ref(),
        };
        work.finish(&by).await?;
        if let Some((there, old)) = elsewhere {
            // Each subscription has its own lock. If this second transaction fails, a person must revoke the old sensor.
            let mut work = self.write(Scope::Subscription(there)).await?;
            work.replace_sensor(there, old, &sensor, &by, now).await?;
            work.finish(&by).await?;
        }
        Ok(EnrolResponse { sensor: sensor.to_string(), subscription: subscription.to_string(), key })
    }

    /// Enrolment tokens of a subscription that were made since `since`, the newest first: at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn enrolments(
        &self,
        subscription: &SubscriptionId,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<Enrolment>, StoreError> {
        let text = "SELECT created_at, expires_at, used_at, sensor FROM enrolment
                    WHERE subscription = $1 AND created_at >= $2 ORDER BY created_at DESC, secret_hash LIMIT $3";
        let read = |row: &Row| {
            let sensor = row.opt_text("sensor")?.map(|id| id.parse()).transpose();
            let corrupt = |e| StoreError::Corrupt { table: "enrolment", why: format!("{e}") };
            Ok(Enrolment {
                created_at: Timestamp(row.int("created_at")?),
                expires_at: Timestamp(row.int("expires_at")?),
                used_at: row.opt_int("used_at")?.map(Timestamp),
                sensor: sensor.map_err(corrupt)?,
            })
        };
        self.rows(sql(text).bind(subscription).bind(since.0).bind(limit)).await?.iter().map(read).collect()
    }

    /// All sensors of a subscription, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn sensors(&self, subscription: &SubscriptionId) -> Result<Vec<Sensor>, StoreError> {
        let query =
            "SELECT id, name, enrolled_at, revoked_at, uploaded_at, zone, forked_at, health FROM sensor
                   WHERE subscription = $1 ORDER BY name, id";
        let rows = self.rows(sql(query).bind(subscription)).await?;
        rows.iter().map(read).collect()
    }

    /// One sensor.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn sensor(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
    ) -> Result<Sensor, StoreError> {
        let row = self.row(sql(ONE).bind(subscription).bind(sensor)).await?;
        read(&row.ok_or_else(|| no_such_sensor(sensor))?)
    }

    /// Gives a sensor another name, if it is as `expected`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::BadName`], those of [`Expected::check`], or the database's.
    pub async fn rename_sensor(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        name: &str,
        expected: &Expected,
        by: &By,
        now: Timestamp,
    ) -> Result<Sensor, StoreError> {
        let name = checked_name(name, NAME)?.to_owned();
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let row = work.row(sql(ONE).bind(subscription).bind(sensor)).await?;
        let before = read(&row.ok_or_else(|| no_such_sensor(sensor))?)?;
        expected.check(&before.by_hand())?;
        let set = "UPDATE sensor SET name = $3 WHERE subscription = $1 AND id = $2";
        work.execute(sql(set).bind(subscription).bind(sensor).bind(&name)).await?;
        let entry = Entry {
            action: "sensor.rename",
            before: Some(json!({"name": before.name})),
            after: Some(json!({"name": name})),
            ..about(sensor)
        };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(Sensor { name, ..before })
    }

    /// Revokes a sensor's key permanently. Revoking twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn revoke_sensor(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let row = work.row(sql(ONE).bind(subscription).bind(sensor)).await?;
        let before = read(&row.ok_or_else(|| no_such_sensor(sensor))?)?;
        if before.revoked_at.is_some() {
            return Ok(());
        }
        let set = "UPDATE sensor SET revoked_at = $3 WHERE subscription = $1 AND id = $2";
        work.execute(sql(set).bind(subscription).bind(sensor).bind(now.0)).await?;
        let entry =
            Entry { action: "sensor.revoke", before: Some(json!({"name": before.name})), ..about(sensor) };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await
    }
}

fn about(sensor: &SensorId) -> Entry {
    Entry { object: format!("sensor/{sensor}"), ..Entry::default() }
}

fn no_such_sensor(sensor: &SensorId) -> StoreError {
    StoreError::NotFound { what: "sensor", id: sensor.to_string() }
}

fn read(row: &Row) -> Result<Sensor, StoreError> {
    let health = match row.opt_text("health")? {
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| StoreError::Corrupt { table: "sensor", why: e.to_string() })?,
        None => Health::default(),
    };
    Ok(Sensor {
        id: row.id("id")?,
        name: row.text("name")?,
        enrolled_at: Timestamp(row.int("enrolled_at")?),
        revoked_at: row.opt_int("revoked_at")?.map(Timestamp),
        uploaded_at: row.opt_int("uploaded_at")?.map(Timestamp),
        zone: row.opt_text("zone")?,
        forked_at: row.opt_int("forked_at")?.map(Timestamp),
        health,
    })
}
