//! Classifies listed devices: by the list's words for type and system, else by what the classifier knows about the name,
//! the model and the MAC's vendor.

use serde::{Deserialize, Serialize};

use super::listed::ListedDevice;
use super::words::{TypeWords, phrase};
use crate::census::{
    Category, Classification, Classifier, ClassifierInput, Evidence, Field, Said, Timestamp,
};
use crate::classify::RuleError;

/// The basis of a category, the most certain first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A sensor saw the device.
    Inventory,
    /// The list names its type.
    Type,
    /// The list names its operating system.
    System,
    /// The rules know its model, its name or its MAC's vendor.
    Rules,
    None,
}

impl Basis {
    /// The text for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Inventory => "the inventory",
            Self::Type => "its type",
            Self::System => "its operating system",
            Self::Rules => "its model, name or card",
            Self::None => "nothing",
        }
    }
}

/// The classification of a listed device.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sorted {
    pub basis: Basis,
    pub category: Category,
    /// The type, a key of the taxonomy.
    pub kind: String,
    /// The words, or the rule, that decided.
    pub because: String,
}

pub struct Sorter<'a> {
    classifier: &'a dyn Classifier,
    words: &'static TypeWords,
}

impl<'a> Sorter<'a> {
    /// A sorter with the compiled-in words.
    ///
    /// # Errors
    ///
    /// Only if the compiled-in words are broken, which a test rules out.
    pub fn new(classifier: &'a dyn Classifier) -> Result<Self, RuleError> {
        Ok(Self { classifier, words: TypeWords::builtin()? })
    }

    /// The classification of a device. A pure function of `listed`.
    pub fn sort(&self, listed: &ListedDevice) -> Sorted {
        let by_type = listed.kinds.iter().find_map(|text| self.word(text, Basis::Type));
        let told = by_type.or_else(|| self.system(listed));
        told.or_else(|| self.rules(listed)).unwrap_or_else(|| Sorted {
            basis: Basis::None,
            category: Category::Unclassified,
            kind: Classification::UNKNOWN_KIND.to_owned(),
            because: "no type, system, model, name or card tells".to_owned(),
        })
    }

    fn system(&self, listed: &ListedDevice) -> Option<Sorted> {
        let os = listed.os.as_deref()?;
        // Only the vendor distinguishes Cisco's IOS from Apple's iOS.
        let is_cisco = |text: &Option<String>| text.as_deref().is_some_and(|t| phrase(t).contains("cisco"));
        if phrase(os).split(' ').any(|w| w == "ios")
            && (is_cisco(&listed.vendor) || phrase(os).contains("cisco"))
        {
            return Some(Sorted {
                basis: Basis::System,
                category: Category::Network,
                kind: "network_other".to_owned(),
                because: format!("'{os}'"),
            });
        }
        self.word(os, Basis::System)
    }

    fn word(&self, text: &str, basis: Basis) -> Option<Sorted> {
        let found = self.words.meaning(text)?;
        Some(Sorted {
            basis,
            category: found.category,
            kind: found.kind.clone(),
            because: format!("'{text}'"),
        })
    }

    /// Asks the classifier as if a sensor had seen the device with this MAC, host name and product name.
    fn rules(&self, listed: &ListedDevice) -> Option<Sorted> {
        let mut said: Vec<(Field, String)> = Vec::new();
        if let Some(name) = listed.name.as_deref().filter(|n| is_host_name(n)) {
            let host = name.split('.').next().unwrap_or(name);
            said.push((Field::DhcpHostname, host.to_owned()));
        }
        if let Some(model) = &listed.model {
            said.push((Field::UpnpModelName, model.clone()));
            if let Some(vendor) = &listed.vendor {
                said.push((Field::UpnpModelName, format!("{vendor} {model}")));
            }
        }
        if said.is_empty() && listed.macs.is_empty() {
            return None;
        }
        let at = Timestamp(0);
        let mut evidence: Vec<Evidence> =
            said.into_iter().map(|(field, value)| Evidence::new(field, value, at)).collect();
        evidence.sort_by(|a, b| (a.field, &a.value).cmp(&(b.field, &b.value)));
        let subject = ClassifierInput {
            macs: listed.macs.clone(),
            evidence: evidence.iter().map(confirmed).collect(),
            ..ClassifierInput::default()
        };
        let answer = self.classifier.classify(&subject);
        let because =
            answer.reasons.first().map_or_else(String::new, |r| format!("'{}' ({})", r.value, r.rule));
        (answer.category != Category::Unclassified).then_some(Sorted {
            basis: Basis::Rules,
            category: answer.category,
            kind: answer.kind.to_string(),
            because,
        })
    }
}

impl std::fmt::Debug for Sorter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sorter").field("words", &self.words.len()).finish_non_exhaustive()
    }
}

/// Whether a text could be a host name. `Printer on floor 3` could not: a person wrote it, and no rule expects it.
fn is_host_name(text: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_sign) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// What a list says counts as repeated: nothing contradicts it by number (I15b).
fn confirmed(e: &Evidence) -> Said<'_> {
    let said = Said::from(e);
    Said { windows: said.windows.confirmed(), ..said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Unclassified;

    fn by(listed: &ListedDevice) -> (Category, String, Basis) {
        let sorted = Sorter::new(crate::estimate::tests::rules()).unwrap().sort(listed);
        (sorted.category, sorted.kind, sorted.basis)
    }

    #[test]
    fn types_are_understood_in_the_words_of_every_usual_list() {
        let sorter = Sorter::new(&Unclassified).unwrap();
        let kind = |text: &str| {
            let listed = ListedDevice { kinds: vec![text.to_owned()], ..ListedDevice::default() };
            sorter.sort(&listed).kind
        };
        for (text, expected) in [
            ("cmdb_ci_ip_switch", "switch"),
            ("cmdb_ci_netgear", "network_other"),
            ("cmdb_ci_win_server", "server"),
            ("cmdb_ci_wap_network", "access_point"),
            ("IP Router", "router"),
            ("Wireless Access point", "access_point"),
            ("Network Printers", "printer"),
            ("NetworkDevice", "network_other"),
            ("GamingConsole", "game_console"),
            ("AudioAndVideo", "audio_video"),
            ("IoT", "iot_other"),
            ("OperationalTechnology", "ot_device"),
            ("Überwachungskamera, Kamera", "camera"),
            ("Imprimante réseau", "printer"),
            ("Notebooks", "laptop"),
            ("Console server", "terminal_server"),
            ("bms_controller", "bms_controller"),
            ("VoIP phone", "voip_phone"),
            ("Switches", "switch"),
            ("UPS", "power"),
            ("Windows 10", "workstation"),
            ("iPhone 12, iOS 16", "smartphone"),
            ("Samsung SmartTV", "smart_tv"),
            ("Phone", "unclassified"),
            ("Camera server", "unclassified"),
            ("Other", "unclassified"),
            ("", "unclassified"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_system_decides_if_the_type_does_not() {
        let of = |os: &str, vendor: Option<&str>| {
            by(&ListedDevice {
                os: Some(os.to_owned()),
                vendor: vendor.map(str::to_owned),
                ..ListedDevice::default()
            })
        };
        let named = |c, k: &str| (c, k.to_owned(), Basis::System);
        assert_eq!(of("Windows Server 2019 Standard", None), named(Category::ComputerMobile, "server"));
        assert_eq!(of("macOS", None), named(Category::ComputerMobile, "computer"));
        assert_eq!(of("iOS", None), named(Category::ComputerMobile, "mobile_other"));
        assert_eq!(of("IOS", Some("Cisco Systems")), named(Category::Network, "network_other"));
        assert_eq!(of("Cisco IOS-XE 17.3", None), named(Category::Network, "network_other"));
        assert_eq!(of("Linux", None).0, Category::Unclassified);
    }

    #[test]
    fn rules_decide_by_mac_model_and_host_name_if_no_word_does() {
        let card =
            ListedDevice { macs: vec!["ac:cc:8e:00:00:01".parse().unwrap()], ..ListedDevice::default() };
        assert_eq!(by(&card).0, Category::Iot);
        let model = ListedDevice {
            vendor: Some("HP".to_owned()),
            model: Some("Color LaserJet Pro M454dw".to_owned()),
            ..ListedDevice::default()
        };
        assert_eq!(by(&model), (Category::Iot, "printer".to_owned(), Basis::Rules));
        let host =
            ListedDevice { name: Some("DESKTOP-7F3K2QA.corp.example".to_owned()), ..ListedDevice::default() };
        assert_eq!(by(&host), (Category::ComputerMobile, "workstation".to_owned(), Basis::Rules));
        let word =
            ListedDevice { name: Some("DESKTOP-7F3K2QA in the hall".to_owned()), ..ListedDevice::default() };
        assert_eq!(by(&word).0, Category::Unclassified);
    }
}
