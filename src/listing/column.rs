//! The columns of a list, for sorting and for files.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::census::{DeviceDecisions, DeviceId, MacAddr, Timestamp, Verdict};
use crate::wire::{DeviceEntry, DeviceRow};

macro_rules! columns {
    ($($variant:ident = $key:literal, $title:literal;)*) => {
        /// A column of a list of devices.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Column { $(#[doc = $title] $variant,)* }

        impl Column {
            /// All columns, in the order in which a file shows them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the API and in a file's first row.
            pub(crate) const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }
        }
    };
}

columns! {
    Id = "id", "The device's id.";
    Zone = "zone", "Its zone.";
    Ip = "ip", "The address it is listed under.";
    Mac = "mac", "The MAC of that address.";
    Name = "name", "Its name.";
    Category = "category", "Its category.";
    Type = "type", "Its type.";
    Roles = "roles", "Roles beside the type.";
    Vendor = "vendor", "Its maker.";
    Model = "model", "Its model.";
    Os = "os", "Its operating system.";
    Firmware = "firmware", "Its firmware.";
    Location = "location", "Its location, as a person set it.";
    Tags = "tags", "Its tags, as people set them.";
    Importance = "importance", "Its importance; normal unless somebody set it.";
    RandomMac = "random_mac", "Whether its MAC is randomised.";
    Confidence = "confidence", "Certainty of the category, 0 to 1.";
    Couplings = "couplings", "How many couplings it has.";
    Addresses = "addresses", "Every MAC and address of it.";
    FirstSeen = "first_seen", "Its earliest frame.";
    LastSeen = "last_seen", "Its newest frame.";
    Verdict = "verdict", "The rule that decided.";
    Counted = "counted", "Whether it is billed.";
    Why = "why", "The verdict in words.";
    ManagedBy = "managed_by", "The source of the managed list that names it.";
    Decided = "decided", "What people decided about it.";
    AsOf = "as_of", "The instant of the verdicts, the same in every row.";
    Policy = "policy", "The policy of the count, the same in every row.";
}

/// A column that does not exist, or by which a list cannot be sorted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadColumn {
    /// The column does not exist.
    #[error("unknown column '{name}'; the columns are {}", keys(Column::ALL.iter().copied()))]
    Unknown { name: String },
    /// Lists cannot be sorted by the column.
    #[error(
        "a list cannot be sorted by '{name}'; use one of {}, with the prefix '-' to sort descending",
        keys(Sort::BY.into_iter())
    )]
    NoOrder { name: String },
    /// The column has no texts.
    #[error(
        "'from' jumps in lists that are sorted by a text, such as name or vendor, not by '{name}'; use 'skip'"
    )]
    NoTexts { name: String },
}

fn keys(columns: impl Iterator<Item = Column>) -> String {
    columns.map(Column::key).collect::<Vec<_>>().join(", ")
}

impl FromStr for Column {
    type Err = BadColumn;

    fn from_str(text: &str) -> Result<Self, BadColumn> {
        let unknown = || BadColumn::Unknown { name: text.chars().take(40).collect() };
        Self::ALL.iter().copied().find(|c| c.key() == text).ok_or_else(unknown)
    }
}

impl Column {
    /// The column's text for a device; empty if it is not known.
    pub(crate) fn text(self, d: &DeviceEntry, as_of: Timestamp, policy: &str) -> String {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        match self {
            Self::Id => d.id.clone(),
            Self::Zone => d.zone.clone(),
            Self::Ip => d.ip.to_string(),
            Self::Mac => d.mac.to_string(),
            Self::Name => or_empty(&d.name),
            Self::Category => d.category.key().to_owned(),
            Self::Type => d.kind.clone(),
            Self::Roles => d.roles.join(" "),
            Self::Vendor => or_empty(&d.vendor),
            Self::Model => or_empty(&d.model),
            Self::Os => or_empty(&d.os),
            Self::Firmware => or_empty(&d.firmware),
            Self::Location => or_empty(&d.location),
            Self::Tags => d.tags.join("; "),
            Self::Importance => d.importance.unwrap_or_default().key().to_owned(),
            Self::RandomMac => d.random_mac.to_string(),
            Self::Confidence => d.confidence.to_string(),
            Self::Couplings => d.couplings.len().to_string(),
            Self::Addresses => {
                d.couplings.iter().map(|c| format!("{} {}", c.mac, c.ip)).collect::<Vec<_>>().join("; ")
            }
            Self::FirstSeen => d.first_seen.to_string(),
            Self::LastSeen => d.last_seen.to_string(),
            Self::Verdict => d.verdict.id().to_owned(),
            Self::Counted => d.verdict.is_counted().to_string(),
            Self::Why => d.verdict.title().to_owned(),
            Self::ManagedBy => {
                let managed = d.decided.as_ref().and_then(|d| d.managed.as_ref());
                managed.map(|m| m.source.clone()).unwrap_or_default()
            }
            Self::Decided => {
                let said = d.decided.as_ref().map(|decided| decided.sentences(d.last_seen));
                said.unwrap_or_default().join("; ")
            }
            Self::AsOf => as_of.to_string(),
            Self::Policy => policy.to_owned(),
        }
    }
}

/// The order of a list: by a column, then by id, so two devices never tie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sort {
    by: Column,
    descending: bool,
}

/// The sort key of a device. Texts are compared without regard to case; devices without one come last.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SortKey<'d> {
    Place(Cow<'d, str>, IpAddr, MacAddr),
    Mac(MacAddr, IpAddr, Cow<'d, str>),
    Text(bool, Cow<'d, str>),
    Number(u64),
    At(Timestamp),
}

impl SortKey<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Place(..) => 0,
            Self::Mac(..) => 1,
            Self::Text(..) => 2,
            Self::Number(_) => 3,
            Self::At(_) => 4,
        }
    }
}

impl Ord for SortKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Place(a, b, c), Self::Place(d, e, f)) => (a, b, c).cmp(&(d, e, f)),
            (Self::Mac(a, b, c), Self::Mac(d, e, f)) => (a, b, c).cmp(&(d, e, f)),
            (Self::Text(a, b), Self::Text(c, d)) => a.cmp(c).then_with(|| without_case(b, d)),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::At(a), Self::At(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for SortKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SortKey<'_> {}

/// Compares texts without regard to case. Allocates nothing, because a list compares hundreds of thousands.
fn without_case(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return a.bytes().map(lower).cmp(b.bytes().map(lower));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: Column::Ip, descending: false }
    }
}

impl Sort {
    /// What a list can be sorted by.
    pub(crate) const BY: [Column; 15] = [
        Column::Ip,
        Column::Mac,
        Column::Zone,
        Column::Name,
        Column::Category,
        Column::Type,
        Column::Vendor,
        Column::Model,
        Column::Os,
        Column::Location,
        Column::Importance,
        Column::Couplings,
        Column::FirstSeen,
        Column::LastSeen,
        Column::Verdict,
    ];

    /// The word in the API: the column, with the prefix `-` if descending.
    pub(crate) fn key_text(self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.by.key())
    }

    pub(super) fn key(self, d: &DeviceRow) -> SortKey<'_> {
        fn text(text: Option<&str>) -> SortKey<'_> {
            SortKey::Text(text.is_none(), Cow::Borrowed(text.unwrap_or_default()))
        }
        let (what, decided) = (&*d.what, d.decided.as_deref());
        match self.by {
            Column::Mac => SortKey::Mac(d.mac, d.ip, Cow::Borrowed(&d.zone)),
            Column::Zone => text(Some(&d.zone)),
            Column::Name => text(what.name.as_deref()),
            Column::Category => text(Some(what.category.key())),
            Column::Type => text(Some(&what.kind)),
            Column::Vendor => text(what.vendor.as_deref()),
            Column::Model => text(what.model.as_deref()),
            Column::Os => text(what.os.as_deref()),
            Column::Location => text(decided.and_then(DeviceDecisions::location)),
            Column::Importance => {
                let set = decided.and_then(DeviceDecisions::importance);
                SortKey::Number(set.unwrap_or_default() as u64)
            }
            Column::Couplings => SortKey::Number(d.couplings.len() as u64),
            Column::FirstSeen => SortKey::At(d.first_seen),
            Column::LastSeen => SortKey::At(d.last_seen),
            Column::Verdict => {
                let place = Verdict::ALL.iter().position(|v| *v == d.verdict).unwrap_or_default();
                SortKey::Number(place as u64)
            }
            _ => SortKey::Place(Cow::Borrowed(&d.zone), d.ip, d.mac),
        }
    }

    /// The key with which a text begins; in a descending list, the last one.
    ///
    /// # Errors
    /// [`BadColumn::NoTexts`].
    pub(super) fn key_of(self, text: &str) -> Result<SortKey<'static>, BadColumn> {
        if !self.has_texts() {
            return Err(BadColumn::NoTexts { name: self.by.key().to_owned() });
        }
        let end = if self.descending { "\u{10ffff}" } else { "" };
        Ok(SortKey::Text(false, Cow::Owned(format!("{text}{end}"))))
    }

    /// Whether the list is ordered by a text.
    pub(crate) const fn has_texts(self) -> bool {
        use Column::{Category, Location, Model, Name, Os, Type, Vendor, Zone};
        matches!(self.by, Zone | Name | Category | Type | Vendor | Model | Os | Location)
    }

    pub(super) fn compare_keys(self, a: &SortKey<'_>, b: &SortKey<'_>) -> Ordering {
        if self.descending { b.cmp(a) } else { a.cmp(b) }
    }

    pub(super) fn compare(self, a: (&SortKey<'_>, DeviceId), b: (&SortKey<'_>, DeviceId)) -> Ordering {
        let order = a.cmp(&b);
        if self.descending { order.reverse() } else { order }
    }
}

impl FromStr for Sort {
    type Err = BadColumn;

    fn from_str(text: &str) -> Result<Self, BadColumn> {
        let (descending, key) = match text.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, text),
        };
        let no_order = || BadColumn::NoOrder { name: key.chars().take(40).collect() };
        let by = Self::BY.into_iter().find(|c| c.key() == key).ok_or_else(no_order)?;
        Ok(Self { by, descending })
    }
}
