//! What a device is: the classifier's answer, and the question put to it.

use serde::{Deserialize, Serialize};

use super::binding::Forwards;
use super::coupling::CouplingKey;
use super::evidence::{Evidence, Field};
use super::mac::MacAddr;
use super::time::Timestamp;

/// The category, which decides the tab and whether a device counts (`docs/rules.md`, Verdict).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Network devices: counted.
    Network,
    /// IoT devices, OT, building and medical devices included: counted.
    Iot,
    /// Computers & mobile: not counted.
    ComputerMobile,
    /// Not known: shown, not counted.
    #[default]
    Unclassified,
}

impl Category {
    /// All categories in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::ComputerMobile, Self::Network, Self::Iot, Self::Unclassified];

    /// The word in documents, rules and the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Iot => "iot",
            Self::ComputerMobile => "computer_mobile",
            Self::Unclassified => "unclassified",
        }
    }

    /// The tab's title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Iot => "IoT",
            Self::ComputerMobile => "Computers & Mobile",
            Self::Unclassified => "Unclassified",
        }
    }

    /// The taxonomy's type for a device of which nothing but the category is known.
    pub const fn other_kind(self) -> &'static str {
        match self {
            Self::Network => "network_other",
            Self::Iot => "iot_other",
            Self::ComputerMobile => "computer_mobile_other",
            Self::Unclassified => Classification::UNKNOWN_KIND,
        }
    }

    /// The category of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.key() == key)
    }
}

/// What a classifier is asked: all that is known of one device.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The device's MACs, sorted.
    pub macs: Vec<MacAddr>,
    /// All evidence of its couplings and stations, sorted by field and value, each value once with its earliest time.
    pub evidence: Vec<&'a Evidence>,
    /// Why one of its MACs forwards, where one does.
    pub forwards: Option<Forwards>,
    /// Its couplings, sorted; empty for what speaks without an address (I14).
    pub couplings: Vec<CouplingKey>,
}

/// One piece of evidence that a rule used, and what the rule concluded from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// The field.
    pub field: Field,
    /// The value as it was said.
    pub value: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's title: one sentence for people.
    pub title: String,
    /// What follows, as `attribute=value` joined by `, `.
    pub says: String,
    /// Certainty in percent, 1 to 99.
    pub weight: u8,
    /// The earliest frame that said it; `None` for what is derived, such as a MAC's vendor.
    pub at: Option<Timestamp>,
}

/// What a device is taken for, and why.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Classification {
    /// The category.
    pub category: Category,
    /// The type's key in the taxonomy; `unclassified` where none is supported.
    pub kind: String,
    /// Roles beside the type: `gateway`, `dhcp_server` …; sorted.
    pub roles: Vec<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// The name that it gives itself.
    pub name: Option<String>,
    /// Certainty of the category in percent, 0 to 99; 100 where a person set it.
    pub confidence: u8,
    /// Why, strongest first; then by field and value.
    pub reasons: Vec<Reason>,
}

impl Classification {
    /// The type's key where nothing is known.
    pub const UNKNOWN_KIND: &str = "unclassified";
}

/// Tells what a device is. A pure function of the subject: the order in which evidence came never matters.
pub trait Classifier {
    /// Classifies one device.
    fn classify(&self, subject: &Subject<'_>) -> Classification;

    /// A key that silent devices share which it classifies alike: one card each, no evidence, not forwarding. A flood
    /// makes a million of them. `None` where it cannot tell.
    fn silent(&self, _card: MacAddr) -> Option<String> {
        None
    }
}

/// A classifier that knows nothing: every device stays unclassified. For tests of the count alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unclassified;

impl Classifier for Unclassified {
    fn silent(&self, _: MacAddr) -> Option<String> {
        Some(String::new())
    }

    fn classify(&self, _: &Subject<'_>) -> Classification {
        Classification { kind: Classification::UNKNOWN_KIND.to_owned(), ..Classification::default() }
    }
}
