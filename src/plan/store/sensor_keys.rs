//! Checks whether a sender is the sensor that it claims to be, and records senders that are not.

use serde_json::json;

use super::audit::{Actor, Entry};
use super::engine::sql;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::app::suspicion::Suspicion;
use crate::plan::secret;
use crate::wire::signature::PublicKey;
use crate::wire::{SensorId, SubscriptionId};

/// The sender, judged by the bearer key alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sender {
    /// The sensor, if the request is signed with this key.
    Sensor(PublicKey),
    /// Somebody who pretends to be the sensor.
    Suspect(Suspicion),
    /// Somebody who names an unknown sensor.
    Nobody,
}

impl Store {
    /// Who sends `key` as the bearer key of that sensor.
    ///
    /// # Errors
    /// The database's.
    pub async fn sender(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
        key: &str,
    ) -> Result<Sender, StoreError> {
        let hash = secret::hash(key);
        // Looks the sensor up by its id alone, which is random, to recognise a sensor that sends to another subscription.
        let query = "SELECT subscription, key_hash, public_key, revoked_at FROM sensor WHERE id = $1";
        let mut sender = Sender::Nobody;
        for row in self.rows(sql(query).bind(sensor)).await? {
            let proven = row.blob("key_hash")? == hash;
            if row.str("subscription")? != subscription.as_str() {
                if proven {
                    sender = Sender::Suspect(Suspicion::Foreign);
                }
                continue;
            }
            return Ok(match (proven, row.opt_int("revoked_at")?, row.opt_blob("public_key")?) {
                (false, ..) => Sender::Suspect(Suspicion::WrongKey),
                (true, Some(_), _) => Sender::Suspect(Suspicion::Revoked),
                (true, None, None) => Sender::Suspect(Suspicion::NoKeyPair),
                (true, None, Some(key)) => Sender::Sensor(read_key(key)?),
            });
        }
        Ok(sender)
    }

    /// The public key of a sensor; `None` if the sensor is unknown or revoked, or has no key pair.
    ///
    /// # Errors
    /// The database's.
    pub async fn public_key(
        &self,
        subscription: &SubscriptionId,
        sensor: &SensorId,
    ) -> Result<Option<PublicKey>, StoreError> {
        let query =
            "SELECT public_key FROM sensor WHERE subscription = $1 AND id = $2 AND revoked_at IS NULL";
        let row = self.row(sql(query).bind(subscription).bind(sensor)).await?;
        match row.map(|row| row.opt_blob("public_key")).transpose()?.flatten() {
            Some(key) => read_key(key).map(Some),
            None => Ok(None),
        }
    }

    /// Writes a suspicion into the trail of `subscription`, if that exists. `times` is how often it came up since the last
    /// row; `origin` says where the request came from.
    ///
    /// # Errors
    /// The database's.
    pub async fn note_suspicion(
        &self,
        subscription: &SubscriptionId,
        sensor: Option<&SensorId>,
        what: Suspicion,
        times: u64,
        origin: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let known = sql("SELECT 1 AS one FROM subscription WHERE id = $1").bind(subscription);
        if work.row(known).await?.is_none() {
            return Ok(());
        }
        let actor = match sensor {
            Some(sensor) if what.is_by_the_sensor() => Actor::Sensor(sensor.to_string()),
            _ => Actor::Nobody,
        };
        let by = By { actor, reason: None, ..origin.clone() };
        let entry = Entry {
            action: what.action(),
            object: sensor.map_or_else(|| "sensor".to_owned(), |sensor| format!("sensor/{sensor}")),
            after: Some(json!({"why": what.key(), "times": times})),
            ..Entry::default()
        };
        work.audit_refused(Some(subscription), &by, entry, now).await?;
        work.commit().await
    }
}

impl Work {
    /// Revokes the former sensor `old` of the appliance that is now `new`. Changes nothing if `old` is already revoked.
    pub(super) async fn replace_sensor(
        &mut self,
        subscription: &SubscriptionId,
        old: &SensorId,
        new: &SensorId,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let query = "UPDATE sensor SET revoked_at = $3, replaced_by = $4
                     WHERE subscription = $1 AND id = $2 AND revoked_at IS NULL";
        let done = self.execute(sql(query).bind(subscription).bind(old).bind(now.0).bind(new)).await?;
        if done == 0 {
            return Ok(());
        }
        let entry = Entry {
            action: "sensor.replace",
            object: format!("sensor/{old}"),
            after: Some(json!({"replaced_by": new})),
            ..Entry::default()
        };
        self.audit(Some(subscription), by, entry, now).await
    }
}

fn read_key(key: Vec<u8>) -> Result<PublicKey, StoreError> {
    let corrupt = |_| StoreError::Corrupt { table: "sensor", why: "the public key has not 32 bytes".into() };
    Ok(PublicKey(key.try_into().map_err(corrupt)?))
}
