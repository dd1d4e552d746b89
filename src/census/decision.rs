//! A decision of a person about a device. Decisions are kept beside the facts and never change them.
//!
//! A decision stands on an [`Object`], at most one on each. Objects name couplings instead of devices, because devices
//! are conclusions: a better rule, a late upload or a new coupling may group the couplings anew, and each decision stays
//! with its coupling.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::classification::Category;
use super::coupling::CouplingKey;
use super::mac::MacAddr;
use super::time::{Timestamp, rfc3339};

/// Who decided, and when.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Mark {
    /// The person's name.
    pub by: String,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The number of the change set within the subscription.
    pub change: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {} at {} (change {})", self.by, self.at, self.change)
    }
}

/// A property of a device that a person can set.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema), schema(as = DeviceProperty))]
pub enum Property {
    /// The category, which decides the tab and the verdict.
    Category,
    Importance,
    Location,
    Name,
    Tags,
    /// A key of the taxonomy.
    Type,
}

impl Property {
    /// Sorted by key.
    pub const ALL: [Self; 6] =
        [Self::Category, Self::Importance, Self::Location, Self::Name, Self::Tags, Self::Type];

    /// The name in documents and the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Importance => "importance",
            Self::Location => "location",
            Self::Name => "name",
            Self::Tags => "tags",
            Self::Type => "type",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.key() == key)
    }
}

/// How much depends on a device; [`Importance::Normal`] unless a person set it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Importance {
    Low,
    #[default]
    Normal,
    High,
}

impl Importance {
    /// In ascending order.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The name in documents and the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.key() == key)
    }
}

/// What identifies an entry of the managed list.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ManagedKey {
    /// The system that reported the endpoint.
    pub source: String,
    /// The endpoint's id in that system. An endpoint with several cards has an entry for each.
    pub external_id: String,
    /// The zone in which the entry matches; `None` for all zones.
    pub zone: Option<String>,
    pub mac: Option<MacAddr>,
    pub ip: Option<IpAddr>,
}

/// What a decision is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Object {
    /// A property of the device that the coupling belongs to: zone, coupling, property.
    Property(String, CouplingKey, Property),
    /// The deletion of the coupling's device (X-DEL).
    Deletion(String, CouplingKey),
    /// The merge of two couplings of a zone into one device (I8e), the smaller key first; see [`Object::merge`].
    Merge(String, CouplingKey, CouplingKey),
    /// The split of a coupling from the others of its device.
    Split(String, CouplingKey),
    /// An entry of the managed list (X-MANAGED).
    Managed(ManagedKey),
    /// The zone in which the facts of a label count (I9).
    Zone(String),
}

impl Object {
    /// The object of a merge. The order of the couplings does not matter.
    pub fn merge(zone: &str, a: CouplingKey, b: CouplingKey) -> Self {
        Self::Merge(zone.to_owned(), a.min(b), a.max(b))
    }

    /// The label of the facts that it is about; `None` if it is not about a coupling.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Property(label, ..)
            | Self::Deletion(label, _)
            | Self::Merge(label, ..)
            | Self::Split(label, _) => Some(label),
            Self::Managed(_) | Self::Zone(_) => None,
        }
    }

    /// The coupling that it is about.
    pub const fn coupling(&self) -> Option<CouplingKey> {
        match self {
            Self::Property(_, key, _)
            | Self::Deletion(_, key)
            | Self::Merge(_, key, _)
            | Self::Split(_, key) => Some(*key),
            Self::Managed(_) | Self::Zone(_) => None,
        }
    }

    /// The same of another label.
    #[must_use]
    pub fn of_label(&self, label: &str) -> Self {
        let label = label.to_owned();
        match self {
            Self::Property(_, key, property) => Self::Property(label, *key, *property),
            Self::Deletion(_, key) => Self::Deletion(label, *key),
            Self::Merge(_, a, b) => Self::Merge(label, *a, *b),
            Self::Split(_, key) => Self::Split(label, *key),
            Self::Managed(_) | Self::Zone(_) => self.clone(),
        }
    }

    /// Whether `ruling` is of the kind that this object takes.
    pub fn admits(&self, ruling: &Ruling) -> bool {
        match (self, ruling) {
            (Self::Property(_, _, property), _) => ruling.property() == Some(*property),
            (Self::Deletion(..), Ruling::Deleted { .. })
            | (Self::Merge(..), Ruling::Merged)
            | (Self::Split(..), Ruling::Split)
            | (Self::Managed(_), Ruling::Managed { .. })
            | (Self::Zone(_), Ruling::Zone(_)) => true,
            _ => false,
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Category(Category),
    Importance(Importance),
    Location(String),
    Name(String),
    /// Sorted, without duplicates.
    Tags(Vec<String>),
    Type {
        /// A key of the taxonomy.
        kind: String,
        /// The category of that type at the time of the decision. It holds unless a person also set a category.
        category: Category,
    },
    /// The device returns with a frame newer than `at`.
    Deleted {
        /// The later of the time of deletion and the newest frame that the device had then.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    Merged,
    /// Kept apart from all couplings but those that the same change split.
    Split,
    /// Managed elsewhere in `[from, to)`.
    Managed {
        #[serde(with = "rfc3339")]
        from: Timestamp,
        /// `None` for an open end.
        #[serde(with = "rfc3339::option")]
        to: Option<Timestamp>,
    },
    /// The name of the zone in which a label's facts count.
    Zone(String),
}

impl Ruling {
    /// The property that it sets, if any.
    pub const fn property(&self) -> Option<Property> {
        match self {
            Self::Category(_) => Some(Property::Category),
            Self::Importance(_) => Some(Property::Importance),
            Self::Location(_) => Some(Property::Location),
            Self::Name(_) => Some(Property::Name),
            Self::Tags(_) => Some(Property::Tags),
            Self::Type { .. } => Some(Property::Type),
            Self::Deleted { .. } | Self::Merged | Self::Split | Self::Managed { .. } | Self::Zone(_) => None,
        }
    }
}

/// A ruling, who made it and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decision {
    pub ruling: Ruling,
    #[serde(flatten)]
    pub mark: Arc<Mark>,
}
