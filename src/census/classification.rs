//! Classification: the interface between the census and a classifier.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::binding::Forwards;
use super::coupling::CouplingKey;
use super::evidence::{Evidence, Field};
use super::mac::MacAddr;
use super::time::Timestamp;
use super::windows::Windows;

/// The category of a device. It decides whether the device counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Category {
    /// Counted.
    Network,
    /// IoT devices, including OT, building and medical devices. Counted.
    Iot,
    /// Computers and mobile devices. Not counted.
    ComputerMobile,
    /// Shown, but not counted.
    #[default]
    Unclassified,
}

impl Category {
    /// In the order of the tabs.
    pub const ALL: [Self; 4] = [Self::ComputerMobile, Self::Network, Self::Iot, Self::Unclassified];

    /// The name in documents, rules and the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Iot => "iot",
            Self::ComputerMobile => "computer_mobile",
            Self::Unclassified => "unclassified",
        }
    }

    /// The title of its tab.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Iot => "IoT",
            Self::ComputerMobile => "Computers & Mobile",
            Self::Unclassified => "Unclassified",
        }
    }

    /// The catch-all type of the category: for a device of which only the category is known.
    pub const fn other_kind(self) -> &'static str {
        match self {
            Self::Network => "network_other",
            Self::Iot => "iot_other",
            Self::ComputerMobile => "computer_mobile_other",
            Self::Unclassified => Classification::UNKNOWN_KIND,
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.key() == key)
    }
}

/// One thing that a device said, over all its couplings and stations.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Said<'a> {
    pub field: Field,
    pub value: &'a str,
    /// The earliest frame that said it.
    pub at: Timestamp,
    /// The windows in which it was said. Repeated also if something else confirms it, or if the zone is heard too briefly
    /// to ask for that (I15b).
    pub windows: Windows,
    /// Whether it is said periodically, but only one minute showed it, long after the device was known. It does not tell what
    /// the device is (I15b).
    pub late: bool,
}

impl<'a> From<&'a Evidence> for Said<'a> {
    fn from(e: &'a Evidence) -> Self {
        Self { field: e.field, value: &e.value, at: e.at, windows: e.windows, late: false }
    }
}

/// Everything that a classifier gets to know about one device.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct ClassifierInput<'a> {
    /// Sorted.
    pub macs: Vec<MacAddr>,
    /// The evidence of its couplings and stations, sorted by field and value. Each value once.
    pub evidence: Vec<Said<'a>>,
    /// Why one of its MACs forwards, if one does (I6).
    pub forwards: Option<Forwards>,
    /// Whether one of its own addresses sent packets with the TTL 128.
    pub ttl_128: bool,
    /// Sorted; empty for a MAC without an address (I14).
    pub couplings: Vec<CouplingKey>,
}

/// A piece of evidence that a rule used, and the rule's conclusion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    pub field: Field,
    pub value: SmolStr,
    pub rule: SmolStr,
    /// The title of the rule: one sentence for people.
    pub title: SmolStr,
    /// The conclusions, as `attribute=value` joined by `, `. If they differ in certainty, each has its own in parentheses:
    /// `type=router (60 %), role=gateway (90 %)`.
    pub says: SmolStr,
    /// The certainty in percent, 1 to 99: of the category and type, or else the highest.
    pub weight: u8,
    /// Whether the device says so itself, or shows it almost certainly: no registry and no rule of thumb.
    pub proves: bool,
    /// The earliest frame with the value; `None` for derived evidence, such as the vendor of a MAC.
    pub at: Option<Timestamp>,
}

/// What a device is, and why.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Classification {
    pub category: Category,
    /// The type: a key of the taxonomy, or [`Classification::UNKNOWN_KIND`].
    pub kind: SmolStr,
    /// Roles in addition to the type, such as `gateway` or `dhcp_server`. Sorted.
    pub roles: Vec<SmolStr>,
    pub vendor: Option<SmolStr>,
    pub model: Option<SmolStr>,
    /// The operating system.
    pub os: Option<SmolStr>,
    /// The firmware version.
    pub firmware: Option<SmolStr>,
    /// The name that the device gives itself, or that a person set.
    pub name: Option<SmolStr>,
    /// The certainty of the category in percent: 0 to 99, or 100 if a person set it.
    pub confidence: u8,
    /// Strongest first, then by field and value.
    pub reasons: Vec<Reason>,
    /// What was said too seldom to contradict the rest, and so does not count (I15b). In the same order.
    pub held: Vec<Reason>,
}

impl Classification {
    /// The type of a device of which nothing is known.
    pub const UNKNOWN_KIND: &str = "unclassified";
}

/// See [`Classifier::mark`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CardMark(pub u64);

/// Classifies devices. An implementation is a pure function of its input.
pub trait Classifier {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification;

    /// As [`Self::classify`]. A classifier that keeps its answers gives out the same one again.
    fn conclude(&self, subject: &ClassifierInput<'_>) -> Arc<Classification> {
        Arc::new(self.classify(subject))
    }

    /// A key for a device with one card, without evidence and without forwarding. Devices with the same key must get the
    /// same classification, which the survey then computes once: a flood makes a million such devices. `None` opts out.
    fn silent(&self, _card: MacAddr) -> Option<String> {
        None
    }

    /// A mark that two cards share if the classifier can never tell devices apart by them, whatever else it knows of the
    /// devices. If each card has one, the survey asks once about devices that are alike. `None` opts out.
    fn mark(&self, _card: MacAddr) -> Option<CardMark> {
        None
    }

    /// The same classifier for a caller with many questions: it remembers what it read, and so answers the same sooner.
    /// `None` if it would gain nothing.
    fn reader(&self) -> Option<Box<dyn Classifier + '_>> {
        None
    }

    /// The maker of a card, if a registry knows it (I15b). For a random MAC, `None`.
    fn maker(&self, _card: MacAddr) -> Option<String> {
        None
    }
}

/// A classifier that leaves every device unclassified. For tests of the count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unclassified;

impl Classifier for Unclassified {
    fn silent(&self, _: MacAddr) -> Option<String> {
        Some(String::new())
    }

    fn classify(&self, _: &ClassifierInput<'_>) -> Classification {
        Classification { kind: Classification::UNKNOWN_KIND.into(), ..Classification::default() }
    }
}
