//! Decisions: what people decided about devices. Data beside the facts, which a decision never rewrites.
//!
//! A decision stands on an [`Object`], at most one on each. Objects are named by couplings and not by devices, as
//! devices are conclusions: a better rule, a late upload or a new coupling may group couplings anew, and the decision
//! stays with its coupling. Setting an object gives back what stood on it before, so that every change can be told as
//! before and after, and undone exactly.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::classification::Category;
use super::coupling::CouplingKey;
use super::managed::{ManagedKey, ManagedList};
use super::time::{Timestamp, rfc3339};

/// Who decided, and when.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Mark {
    /// The person's name.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The change set of which it is a part: its number in the subscription.
    pub change: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {} at {} (change {})", self.by, self.at, self.change)
    }
}

/// What a person can set of a device.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema), schema(as = DeviceProperty))]
pub enum Property {
    /// The category, which decides the tab and the verdict.
    Category,
    /// How much depends on it.
    Importance,
    /// Where it stands.
    Location,
    /// What it is called.
    Name,
    /// Words to find it by.
    Tags,
    /// The type, a key of the taxonomy.
    Type,
}

impl Property {
    /// All properties, by key.
    pub const ALL: [Self; 6] =
        [Self::Category, Self::Importance, Self::Location, Self::Name, Self::Tags, Self::Type];

    /// The word in documents and the store.
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

    /// The property of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.key() == key)
    }
}

/// How much depends on a device. What nobody set is [`Importance::Normal`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Importance {
    /// Little.
    Low,
    /// As much as on most.
    #[default]
    Normal,
    /// Much.
    High,
}

impl Importance {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The word in documents and the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// The importance of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.key() == key)
    }
}

/// What a decision is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Object {
    /// A property of the device in which the coupling of a zone lies.
    Property(String, CouplingKey, Property),
    /// Whether the coupling's device is deleted (X-DEL).
    Deletion(String, CouplingKey),
    /// Whether two couplings of a zone are one device (I8e); the smaller key first, see [`Object::merge`].
    Merge(String, CouplingKey, CouplingKey),
    /// Whether a coupling is kept out of joins with others.
    Split(String, CouplingKey),
    /// An entry of the list of what is managed elsewhere (X-MANAGED).
    Managed(ManagedKey),
}

impl Object {
    /// The object of a merge: the same whichever coupling is named first.
    pub fn merge(zone: &str, a: CouplingKey, b: CouplingKey) -> Self {
        Self::Merge(zone.to_owned(), a.min(b), a.max(b))
    }

    /// Whether `ruling` can be made about it.
    pub fn admits(&self, ruling: &Ruling) -> bool {
        match (self, ruling) {
            (Self::Property(_, _, property), _) => ruling.property() == Some(*property),
            (Self::Deletion(..), Ruling::Deleted { .. })
            | (Self::Merge(..), Ruling::Merged)
            | (Self::Split(..), Ruling::Split)
            | (Self::Managed(_), Ruling::Managed { .. }) => true,
            _ => false,
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The category.
    Category(Category),
    /// How much depends on it.
    Importance(Importance),
    /// Where it stands.
    Location(String),
    /// What it is called.
    Name(String),
    /// Words to find it by, sorted, each once.
    Tags(Vec<String>),
    /// The type.
    Type {
        /// Its key in the taxonomy.
        kind: String,
        /// The category in which it lay when it was set: that of the device, unless a category was set as well.
        category: Category,
    },
    /// Deleted: it returns with a frame newer than `at`.
    Deleted {
        /// When it was deleted, or the newest frame of it then, where that was later.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// Two couplings are one device.
    Merged,
    /// Kept apart from whatever was not split by the same change.
    Split,
    /// Managed elsewhere in `[from, to)`.
    Managed {
        /// The first instant.
        #[serde(with = "rfc3339")]
        from: Timestamp,
        /// The first instant after; none for an open end.
        #[serde(with = "rfc3339::option")]
        to: Option<Timestamp>,
    },
}

impl Ruling {
    /// The property that it sets, if it sets one.
    pub const fn property(&self) -> Option<Property> {
        match self {
            Self::Category(_) => Some(Property::Category),
            Self::Importance(_) => Some(Property::Importance),
            Self::Location(_) => Some(Property::Location),
            Self::Name(_) => Some(Property::Name),
            Self::Tags(_) => Some(Property::Tags),
            Self::Type { .. } => Some(Property::Type),
            Self::Deleted { .. } | Self::Merged | Self::Split | Self::Managed { .. } => None,
        }
    }
}

/// A ruling with who made it, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decision {
    /// What.
    pub ruling: Ruling,
    /// Who and when.
    #[serde(flatten)]
    pub mark: Arc<Mark>,
}

/// What was decided about the couplings of one zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneDecisions {
    pub(super) properties: BTreeMap<(CouplingKey, Property), Decision>,
    pub(super) deletions: BTreeMap<CouplingKey, Decision>,
    pub(super) merges: BTreeMap<(CouplingKey, CouplingKey), Decision>,
    pub(super) splits: BTreeMap<CouplingKey, Decision>,
}

impl ZoneDecisions {
    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The merges in which the coupling takes part, each with the other coupling.
    pub fn merges_of(&self, key: CouplingKey) -> impl Iterator<Item = CouplingKey> {
        // The coupling may stand on either side, so there is no run of keys to look at.
        self.merges.keys().filter_map(move |(a, b)| match (*a == key, *b == key) {
            (true, _) => Some(*b),
            (_, true) => Some(*a),
            _ => None,
        })
    }
}

/// All that people decided about a subscription's devices. Empty on the sensor.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decisions {
    zones: BTreeMap<String, ZoneDecisions>,
    pub(super) managed: ManagedList,
    len: usize,
}

impl Decisions {
    /// How many decisions stand.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was decided about the couplings of a zone.
    pub fn of_zone(&self, zone: &str) -> Option<&ZoneDecisions> {
        self.zones.get(zone)
    }

    /// What is managed elsewhere.
    pub fn managed(&self) -> &ManagedList {
        &self.managed
    }

    /// What stands on an object.
    pub fn get(&self, object: &Object) -> Option<&Decision> {
        let of = |zone: &str| self.zones.get(zone);
        match object {
            Object::Property(zone, key, property) => of(zone)?.properties.get(&(*key, *property)),
            Object::Deletion(zone, key) => of(zone)?.deletions.get(key),
            Object::Merge(zone, a, b) => of(zone)?.merges.get(&(*a, *b)),
            Object::Split(zone, key) => of(zone)?.splits.get(key),
            Object::Managed(key) => self.managed.get(key),
        }
    }

    /// Lets `decision` stand on an object, or nothing; gives back what stood there before.
    pub fn set(&mut self, object: &Object, decision: Option<Decision>) -> Option<Decision> {
        let added = usize::from(decision.is_some());
        let before = match object {
            Object::Managed(key) => self.managed.set(key, decision),
            Object::Property(zone, key, property) => {
                self.change(zone, |z| put(&mut z.properties, (*key, *property), decision))
            }
            Object::Deletion(zone, key) => self.change(zone, |z| put(&mut z.deletions, *key, decision)),
            Object::Merge(zone, a, b) => self.change(zone, |z| put(&mut z.merges, (*a, *b), decision)),
            Object::Split(zone, key) => self.change(zone, |z| put(&mut z.splits, *key, decision)),
        };
        self.len = self.len + added - usize::from(before.is_some());
        before
    }

    /// Changes a zone's decisions, and forgets a zone that is left with none.
    fn change<T>(&mut self, zone: &str, change: impl FnOnce(&mut ZoneDecisions) -> T) -> T {
        if let Some(known) = self.zones.get_mut(zone) {
            let out = change(known);
            if known.is_empty() {
                self.zones.remove(zone);
            }
            return out;
        }
        let mut new = ZoneDecisions::default();
        let out = change(&mut new);
        if !new.is_empty() {
            self.zones.insert(zone.to_owned(), new);
        }
        out
    }
}

/// Puts a value under a key, or takes away what is there.
pub(super) fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
