//! What is told: alerts and recommendations.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::census::time::rfc3339;
use crate::census::{Category, Classification, CouplingKey, MacAddr, Timestamp};

/// How bad it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Informational];

    /// The name in documents and the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.key() == key)
    }
}

/// The id of an alert: 32 hex digits, made of the label under which its earliest doer came, its rule, that doer and its object.
/// It stays while the alert grows, and if its zone gets another name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlertId(u128);

impl AlertId {
    pub(super) fn of(label: &str, rule: &str, doer: CouplingKey, object: &str) -> Self {
        let mut state = Sha256::new();
        for part in [rule, &doer.mac.to_string(), &doer.ip.to_string(), object, label] {
            state.update((part.len() as u64).to_be_bytes());
            state.update(part);
        }
        Self(state.finalize().first_chunk().map_or(0, |head| u128::from_be_bytes(*head)))
    }
}

impl AlertId {
    /// The id under which an object of a rule is accepted in a whole zone. No alert has it.
    pub fn of_object(label: &str, rule: &str, object: &str) -> Self {
        let mut state = Sha256::new();
        for part in ["object of a rule", rule, object, label] {
            state.update((part.len() as u64).to_be_bytes());
            state.update(part);
        }
        Self(state.finalize().first_chunk().map_or(0, |head| u128::from_be_bytes(*head)))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not an alert's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an alert's id has 32 lowercase hexadecimal digits")]
pub struct BadAlertId;

impl FromStr for AlertId {
    type Err = BadAlertId;

    fn from_str(text: &str) -> Result<Self, BadAlertId> {
        let is_id = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id {
            return Err(BadAlertId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| BadAlertId)
    }
}

impl TryFrom<String> for AlertId {
    type Error = BadAlertId;

    fn try_from(text: String) -> Result<Self, BadAlertId> {
        text.parse()
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> Self {
        id.to_string()
    }
}

/// The device of an alert or recommendation.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Standing {
    /// The device's id.
    pub id: String,
    pub zone: String,
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub ip: IpAddr,
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub mac: MacAddr,
    /// As in the inventory.
    pub category: String,
    /// As in the inventory.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Standing {
    /// That of a device with this id, address and MAC, of which `what` is concluded.
    pub fn new(
        id: String,
        zone: &str,
        (ip, mac): (IpAddr, MacAddr),
        category: Category,
        what: &Classification,
    ) -> Self {
        let text = |text: &Option<smol_str::SmolStr>| text.as_ref().map(ToString::to_string);
        Self {
            id,
            zone: zone.to_owned(),
            ip,
            mac,
            category: category.key().to_owned(),
            kind: what.kind.to_string(),
            vendor: text(&what.vendor),
            model: text(&what.model),
            name: text(&what.name),
        }
    }
}

/// What an alert rests on: one deed, or several.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Proof {
    /// What was done, in one sentence for people, with the value and the threshold.
    pub sentence: String,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first: Timestamp,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last: Timestamp,
    /// Some of the things that it was done to, at most eight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<String>,
}

/// An alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Alert {
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub id: AlertId,
    /// The ids that the same alert had, or would have, by its other couplings. Decisions on one of them hold for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plan", schema(value_type = Vec<String>))]
    pub aliases: Vec<AlertId>,
    /// The labels under which sensors upload to its zone, its own first; left out if there is one, which is the zone's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The rule, such as `A-SCAN-P`.
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    pub device: Standing,
    /// What it is about beside the device: a peer, a command, an indicator. Empty if nothing.
    pub object: String,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first: Timestamp,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last: Timestamp,
    /// What was found, in one sentence for people.
    pub sentence: String,
    pub proofs: Vec<Proof>,
    /// The next step.
    pub advice: String,
    /// MITRE ATT&CK techniques.
    pub techniques: Vec<String>,
    /// The feeds of the plan service that hold its indicator now; left out if none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<String>,
}

impl Alert {
    /// Severest first, then newest.
    pub fn sort(alerts: &mut [Self]) {
        alerts.sort_by(|a, b| (b.severity, b.last, a.id).cmp(&(a.severity, a.last, b.id)));
    }
}

/// A recommendation and the devices that it is about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Recommendation {
    /// The rule, such as `R-TELNET`.
    pub rule: String,
    pub name: String,
    pub severity: Severity,
    /// The devices that are proved insecure, each with what proved it.
    pub unhealthy: Vec<Unhealthy>,
    /// The devices that showed the secure way, and not the insecure one.
    pub healthy: Vec<Standing>,
    /// How many devices in the scope showed neither.
    pub not_assessed: u64,
    pub remedy: String,
}

impl Recommendation {
    /// Keeps those with a device that is unhealthy or healthy, the severest first.
    pub fn sort<R: Borrow<Self>>(all: &mut Vec<R>) {
        all.retain(|r| !r.borrow().unhealthy.is_empty() || !r.borrow().healthy.is_empty());
        all.sort_by(|a, b| {
            let (a, b) = (a.borrow(), b.borrow());
            (b.severity, &a.rule).cmp(&(a.severity, &b.rule))
        });
    }
}

/// A device that is proved insecure.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Unhealthy {
    pub device: Standing,
    pub proof: Proof,
}

/// What was derived of an inventory.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Security {
    /// Severest first, then newest.
    pub alerts: Vec<Alert>,
    /// Those with a device that is unhealthy or healthy.
    pub recommendations: Vec<Arc<Recommendation>>,
    /// The ids of alerts that would be told if a feed still held their indicators.
    #[serde(skip)]
    pub delisted: BTreeSet<AlertId>,
}
