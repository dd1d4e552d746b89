//! Decisions about a device, as documents write them.

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceEntry;
use crate::census::{
    CouplingKey, Decision, DeviceDecisions, Mark, MatchedBy, Property, Ruling, Timestamp, time::rfc3339,
};

/// The decisions about a device.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct DecisionsEntry {
    /// Sorted by property.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetEntry>,
    /// Its deletion, also if it returned since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<DeletedEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedMatchEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<SplitEntry>,
}

/// A property that a person set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct SetEntry {
    pub property: Property,
    #[serde(flatten)]
    pub mark: Mark,
}

/// A deletion.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct DeletedEntry {
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub until_newer_than: Timestamp,
    #[serde(flatten)]
    pub mark: Mark,
}

/// An entry of the managed list that matches a device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct ManagedMatchEntry {
    /// The system that reported the endpoint.
    pub source: String,
    /// The endpoint's id in that system.
    pub external_id: String,
    pub matched_by: MatchedBy,
    /// The end of its validity; null if it is open.
    #[serde(with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub to: Option<Timestamp>,
    /// The import.
    #[serde(flatten)]
    pub mark: Mark,
}

/// A coupling that was split from others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct SplitEntry {
    /// `mac ip`.
    pub coupling: String,
    #[serde(flatten)]
    pub mark: Mark,
}

impl From<&DeviceDecisions> for DecisionsEntry {
    fn from(decided: &DeviceDecisions) -> Self {
        let deleted = decided.deleted.as_ref().zip(decided.deleted_at());
        Self {
            set: decided
                .properties
                .iter()
                .map(|(property, d)| SetEntry { property: *property, mark: (*d.mark).clone() })
                .collect(),
            deleted: deleted.map(|(d, at)| DeletedEntry { until_newer_than: at, mark: (*d.mark).clone() }),
            managed: decided.managed.as_ref().map(|m| ManagedMatchEntry {
                source: m.entry.source.clone(),
                external_id: m.entry.external_id.clone(),
                matched_by: m.by,
                to: m.to,
                mark: (*m.decision.mark).clone(),
            }),
            split: decided
                .split
                .iter()
                .map(|(key, mark)| SplitEntry { coupling: coupling_text(*key), mark: (**mark).clone() })
                .collect(),
        }
    }
}

impl DecisionsEntry {
    /// Whether a person set the category, by itself or with the type.
    pub(super) fn sets_category(&self) -> bool {
        self.set.iter().any(|s| matches!(s.property, Property::Category | Property::Type))
    }

    /// The decisions in words, one sentence each. `last_seen` is the device's newest frame.
    pub fn sentences(&self, last_seen: Timestamp) -> Vec<String> {
        let mut out: Vec<String> =
            self.set.iter().map(|s| format!("{} set {}", s.property.key(), s.mark)).collect();
        if let Some(d) = &self.deleted {
            let deleted = format!("deleted {}", d.mark);
            out.push(match last_seen > d.until_newer_than {
                true => format!("{deleted}; it returned with traffic since"),
                false => format!("{deleted}; it returns with traffic newer than {}", d.until_newer_than),
            });
        }
        if let Some(m) = &self.managed {
            let by = match m.matched_by {
                MatchedBy::Mac => "by its MAC",
                MatchedBy::Ip => "by its address",
            };
            let until = m.to.map_or_else(|| "until removed".to_owned(), |to| format!("until {to}"));
            let (source, id) = (&m.source, &m.external_id);
            out.push(format!("managed by {source} as '{id}' {until}, matched {by}; imported {}", m.mark));
        }
        out.extend(
            self.split.iter().map(|s| format!("{} split from other couplings {}", s.coupling, s.mark)),
        );
        out
    }
}

/// The decisions that set category, type or name, as evidence. Documents list them before all other evidence.
pub(super) fn evidence(decided: &DeviceDecisions) -> impl Iterator<Item = EvidenceEntry> {
    decided.properties.values().filter_map(|decision: &Decision| {
        let says = match &decision.ruling {
            Ruling::Category(category) => format!("category={}", category.key()),
            Ruling::Type { kind, .. } => format!("type={kind}"),
            Ruling::Name(name) => format!("name={name}"),
            _ => return None,
        };
        Some(EvidenceEntry {
            field: "decision".to_owned(),
            value: decision.mark.by.clone(),
            rule: RULE.to_owned(),
            says,
            weight: 100,
            frame: None,
            at: Some(decision.mark.at),
        })
    })
}

/// The rule id of decisions among evidence.
const RULE: &str = "set-by-a-person";

/// The titles of [`evidence`], in its order.
pub(super) fn titles(decided: &DeviceDecisions) -> impl Iterator<Item = String> {
    let says_what =
        |d: &&Decision| matches!(d.ruling, Ruling::Category(_) | Ruling::Type { .. } | Ruling::Name(_));
    decided.properties.values().filter(says_what).map(|d| format!("set {}", d.mark))
}

/// A coupling as documents write it: `mac ip`.
pub(super) fn coupling_text(key: CouplingKey) -> String {
    format!("{} {}", key.mac, key.ip)
}
