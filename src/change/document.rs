//! Alterations as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::change_set::Alteration;
use crate::census::{CouplingKey, Decision, Importance, Object, Ruling, Timestamp, time::rfc3339};

/// The decision on one object before and after a change.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlterationEntry {
    /// The object of the decision.
    pub object: ObjectEntry,
    /// The decision before; null if there was none.
    pub before: Option<DecisionEntry>,
    /// The decision after; null if there is none.
    pub after: Option<DecisionEntry>,
}

/// The object of a decision.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct ObjectEntry {
    /// `property`, `deletion`, `merge`, `split`, `managed` or `zone`.
    pub kind: &'static str,
    /// The zone, by the label under which its sensors upload; null for an entry of the managed list that applies to all
    /// zones.
    pub zone: Option<String>,
    /// The coupling, `mac ip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupling: Option<String>,
    /// The coupling with which it is merged, `mac ip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// The property, such as `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<&'static str>,
    /// The source of an entry of the managed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its id in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The MAC of an entry of the managed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The IP address of an entry of the managed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// A decision on an object.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DecisionEntry {
    /// The value of a property; the name of a zone; `true` for a merge or a split; null for others.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    /// The first instant at which an entry of the managed list applies; for a deletion, the instant after which a frame
    /// brings the device back.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The first instant at which an entry of the managed list no longer applies; omitted if the end is open.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Who decided.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The change that made it.
    pub change: u64,
}

impl From<&Alteration> for AlterationEntry {
    fn from(a: &Alteration) -> Self {
        let decision = |d: &Option<Decision>| d.as_ref().map(DecisionEntry::from);
        Self { object: ObjectEntry::from(&a.object), before: decision(&a.before), after: decision(&a.after) }
    }
}

impl From<&Object> for ObjectEntry {
    fn from(object: &Object) -> Self {
        let pair = |key: &CouplingKey| Some(format!("{} {}", key.mac, key.ip));
        let of = |kind, zone: &String, key| Self {
            kind,
            zone: Some(zone.clone()),
            coupling: pair(key),
            ..Self::default()
        };
        match object {
            Object::Property(zone, key, property) => {
                Self { property: Some(property.key()), ..of("property", zone, key) }
            }
            Object::Deletion(zone, key) => of("deletion", zone, key),
            Object::Split(zone, key) => of("split", zone, key),
            Object::Merge(zone, a, b) => Self { with: pair(b), ..of("merge", zone, a) },
            Object::Zone(label) => Self { kind: "zone", zone: Some(label.clone()), ..Self::default() },
            Object::Managed(key) => Self {
                kind: "managed",
                zone: key.zone.clone(),
                source: Some(key.source.clone()),
                external_id: Some(key.external_id.clone()),
                mac: key.mac.map(|mac| mac.to_string()),
                ip: key.ip.map(|ip| ip.to_string()),
                ..Self::default()
            },
        }
    }
}

impl From<&Decision> for DecisionEntry {
    fn from(decision: &Decision) -> Self {
        let (mut from, mut to) = (None, None);
        let value = match &decision.ruling {
            Ruling::Category(category) => category.key().into(),
            Ruling::Importance(importance) => Importance::key(*importance).into(),
            Ruling::Location(text)
            | Ruling::Name(text)
            | Ruling::Zone(text)
            | Ruling::Type { kind: text, .. } => text.clone().into(),
            Ruling::Tags(tags) => tags.clone().into(),
            Ruling::Merged | Ruling::Split => true.into(),
            Ruling::Deleted { at } => {
                from = Some(*at);
                serde_json::Value::Null
            }
            Ruling::Managed { from: first, to: end } => {
                (from, to) = (Some(*first), *end);
                serde_json::Value::Null
            }
        };
        let mark = &decision.mark;
        Self { value, from, to, by: mark.by.clone(), at: mark.at, change: mark.change }
    }
}
