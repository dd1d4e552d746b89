//! The audit trail: one row for each write, added in the transaction of the write. The hash of a row covers the row and
//! the previous hash. The database refuses to change or delete rows.
//!
//! There is a trail for each subscription, and one for the installation (people, subscriptions).

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::engine::{Row, sql};
use super::{StoreError, Work};
use crate::census::{Timestamp, time::rfc3339};
use crate::wire::SubscriptionId;

/// The longest reason in characters.
pub const REASON: usize = 200;

/// Who acts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Actor {
    /// A person, by name.
    Person(String),
    /// A sensor, by id.
    Sensor(String),
    /// An identity provider, by its issuer URL: what it says of people at their sign-in.
    Provider(String),
    /// Anyone who runs commands on the service's machine.
    Operator,
    /// The service itself.
    Service,
    /// An unknown person, for example one who fails to sign in.
    Nobody,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "person:{name}"),
            Self::Sensor(id) => write!(f, "sensor:{id}"),
            Self::Provider(issuer) => write!(f, "provider:{issuer}"),
            Self::Operator => f.write_str("operator"),
            Self::Service => f.write_str("service"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// Who causes a write, from where and why, and whether it is a dry run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request: String,
    /// Why, in the actor's words: at most [`REASON`] characters.
    pub reason: Option<String>,
    /// A dry run: the change is checked and its result returned, but nothing is stored.
    pub dry_run: bool,
}

impl By {
    /// The person who acts; empty if it is not a person.
    pub fn person_name(&self) -> &str {
        match &self.actor {
            Actor::Person(name) => name,
            _ => "",
        }
    }

    fn plain(actor: Actor) -> Self {
        Self { actor, address: None, request: String::new(), reason: None, dry_run: false }
    }

    /// A person, without details of the request.
    pub fn person(name: &str) -> Self {
        Self::plain(Actor::Person(name.to_owned()))
    }

    /// A sensor.
    pub fn sensor(id: &str) -> Self {
        Self::plain(Actor::Sensor(id.to_owned()))
    }

    /// Anyone who runs commands on the service's machine.
    pub fn operator() -> Self {
        Self::plain(Actor::Operator)
    }

    /// The service itself.
    pub fn service() -> Self {
        Self::plain(Actor::Service)
    }
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// What was done, such as `plan.cancel`.
    pub action: &'static str,
    /// To what, such as `plan/3`.
    pub object: String,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
    /// By how much the billable count changed.
    pub count_delta: Option<i64>,
}

/// A row of the trail.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Counts from 1 within the trail.
    pub number: i64,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: `person:NAME`, `sensor:ID`, `provider:ISSUER`, `operator`, `service` or `nobody`.
    pub actor: String,
    /// From which address.
    pub address: Option<String>,
    /// The request's id.
    pub request: String,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// What it was before, as JSON.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What it is now, as JSON.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// By how much the billable count changed.
    pub count_delta: Option<i64>,
    /// SHA-256 over this row and the hash of the one before it.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    pub hash: [u8; 32],
}

fn hex<S: serde::Serializer>(hash: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&hex::encode(hash))
}

impl AuditEntry {
    /// The hash that the row must have after `previous`.
    pub fn expected_hash(&self, subscription: &str, previous: &[u8; 32]) -> [u8; 32] {
        let json = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let row = serde_json::json!([
            subscription,
            self.number,
            self.at.0,
            self.actor,
            self.address,
            self.request,
            self.reason,
            self.action,
            self.object,
            json(&self.before),
            json(&self.after),
            self.count_delta,
        ]);
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(row.to_string());
        hasher.finalize().into()
    }
}

impl Work {
    /// Adds a row to the trail of a subscription, or of the installation. The transaction must hold the lock of that
    /// trail. A dry run adds the row too; [`Work::finish`] then rolls it back.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit(
        &mut self,
        subscription: Option<&SubscriptionId>,
        by: &By,
        entry: Entry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let trail = subscription.map_or("", SubscriptionId::as_str);
        let newest = "SELECT number, hash FROM audit WHERE subscription = $1 ORDER BY number DESC LIMIT 1";
        let (number, previous) = match self.row(sql(newest).bind(trail)).await? {
            Some(row) => (row.int("number")?, hash_of(&row)?),
            None => (0, [0; 32]),
        };
        let mut row = AuditEntry {
            number: number.saturating_add(1),
            at: now,
            actor: by.actor.to_string(),
            address: by.address.map(|a| a.to_string()),
            request: by.request.clone(),
            reason: by.reason.clone(),
            action: entry.action.to_owned(),
            object: entry.object,
            before: entry.before,
            after: entry.after,
            count_delta: entry.count_delta,
            hash: [0; 32],
        };
        row.hash = row.expected_hash(trail, &previous);
        self.execute(
            sql("INSERT INTO audit (subscription, number, at, actor, address, request, reason, action, object,
                                    before, after, count_delta, hash)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
            .bind(trail)
            .bind(row.number)
            .bind(row.at.0)
            .bind(row.actor)
            .bind(row.address)
            .bind(row.request)
            .bind(row.reason)
            .bind(row.action)
            .bind(row.object)
            .bind(row.before.map(|v| v.to_string()))
            .bind(row.after.map(|v| v.to_string()))
            .bind(row.count_delta)
            .bind(row.hash),
        )
        .await?;
        Ok(())
    }
}

/// A row as the database holds it.
pub(super) fn read(row: &Row) -> Result<AuditEntry, StoreError> {
    let json = |column| -> Result<Option<Value>, StoreError> {
        let corrupt = |e: serde_json::Error| StoreError::Corrupt { table: "audit", why: e.to_string() };
        row.opt_text(column)?.map(|text| serde_json::from_str(&text).map_err(corrupt)).transpose()
    };
    Ok(AuditEntry {
        number: row.int("number")?,
        at: Timestamp(row.int("at")?),
        actor: row.text("actor")?,
        address: row.opt_text("address")?,
        request: row.text("request")?,
        reason: row.opt_text("reason")?,
        action: row.text("action")?,
        object: row.text("object")?,
        before: json("before")?,
        after: json("after")?,
        count_delta: row.opt_int("count_delta")?,
        hash: hash_of(row)?,
    })
}

pub(super) fn hash_of(row: &Row) -> Result<[u8; 32], StoreError> {
    let corrupt = |_| StoreError::Corrupt { table: "audit", why: "the hash has not 32 bytes".into() };
    row.blob("hash")?.try_into().map_err(corrupt)
}
