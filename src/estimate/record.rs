//! One record of a maker's API, reduced to the members that matter.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cell;
use super::limits::ADDRESSES;
use super::reading::FileKind;
use crate::census::VALUE_BYTES;

/// Members of a record that are read, in upper or lower case.
pub(super) const MEMBERS: [&str; 30] = [
    "id",
    "mac",
    "ip",
    "ip6",
    "lanIp",
    "description",
    "name",
    "os",
    "manufacturer",
    "deviceTypePrediction",
    "lastSeen",
    "model",
    "productType",
    "serial",
    "computerDnsName",
    "osPlatform",
    "lastIpAddress",
    "onboardingStatus",
    "mergedIntoMachineId",
    "isExcluded",
    "deviceCategory",
    "deviceType",
    "deviceManufacturer",
    "deviceModel",
    "lastReportedAt",
    // Read only to tell whose record it is.
    "networkId",
    "recentDeviceMac",
    "recentDeviceSerial",
    "smInstalled",
    "groupPolicy8021x",
];

/// An address of a machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Card {
    pub(super) ip: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) status: Option<String>,
    pub(super) kind: Option<String>,
}

/// One record: its known members that are texts, numbers or booleans.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) members: BTreeMap<&'static str, String>,
    pub(super) cards: Vec<Card>,
}

impl Record {
    /// A member by the name in [`MEMBERS`].
    pub(super) fn get(&self, member: &str) -> Option<&str> {
        self.members.get(member).map(String::as_str).filter(|v| !v.trim().is_empty())
    }

    /// As [`Self::get`], cleaned; `None` for words such as `n/a`.
    pub(super) fn text(&self, member: &str) -> Option<String> {
        cell::text(self.get(member)?)
    }

    /// Whose record it is, if a member tells that only that maker writes. A `mac` or a `serial` stands in every list.
    pub(super) fn kind(&self) -> Option<FileKind> {
        let has = |member: &&str| self.members.contains_key(*member);
        let defender = ["computerDnsName", "mergedIntoMachineId", "lastIpAddress"];
        let client = [
            "deviceTypePrediction",
            "recentDeviceMac",
            "recentDeviceSerial",
            "smInstalled",
            "groupPolicy8021x",
        ];
        let is_defender = defender.iter().any(has) || (has(&"onboardingStatus") && !self.cards.is_empty());
        let is_device = has(&"productType") && ["serial", "lanIp", "networkId"].iter().any(has)
            || has(&"lanIp") && has(&"networkId")
            || self.get("serial").is_some_and(is_meraki_serial);
        match is_defender {
            true => Some(FileKind::Defender),
            false => (client.iter().any(has) || is_device).then_some(FileKind::Meraki),
        }
    }
}

/// Whether a serial number has Meraki's form, `Q2XX-XXXX-XXXX`.
fn is_meraki_serial(serial: &str) -> bool {
    let mut parts = serial.split('-');
    let is_part = |part: Option<&str>| {
        part.is_some_and(|p| p.len() == 4 && p.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()))
    };
    serial.starts_with('Q') && (0..3).all(|_| is_part(parts.next())) && parts.next().is_none()
}

/// A text, number or boolean as text, truncated to the kept length; nothing for lists and objects.
pub(super) struct Scalar(pub(super) Option<String>);

impl<'de> serde::Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(Some(text.chars().take(VALUE_BYTES * 2).collect())))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
        }
        input.deserialize_any(Any)
    }
}

/// Methods of a [`Visitor`] that answer every scalar alike.
macro_rules! scalars {
    ($me:ident => $value:expr; $($method:ident: $type:ty),*) => {
        $(fn $method<E: serde::de::Error>($me, _: $type) -> Result<Self::Value, E> { Ok($value) })*
    };
}

/// The addresses of a machine: objects, or plain texts in older answers.
pub(super) struct Cards(pub(super) Vec<Card>);

/// One element of such a list.
struct OneCard(Option<Card>);

impl<'de> serde::Deserialize<'de> for Cards {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cards;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of addresses")
            }

            scalars!(self => Cards(Vec::new()); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_unit<E: serde::de::Error>(self) -> Result<Cards, E> {
                Ok(Cards(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Cards, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Cards(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cards, A::Error> {
                let mut cards = Vec::new();
                while let Some(OneCard(card)) = list.next_element()? {
                    cards.extend(card.filter(|_| cards.len() < ADDRESSES));
                }
                Ok(Cards(cards))
            }
        }
        input.deserialize_any(Any)
    }
}

impl<'de> serde::Deserialize<'de> for OneCard {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = OneCard;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }

            scalars!(self => OneCard(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

            fn visit_unit<E: serde::de::Error>(self) -> Result<OneCard, E> {
                Ok(OneCard(None))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneCard, E> {
                let ip = text.chars().take(VALUE_BYTES).collect();
                Ok(OneCard(Some(Card { ip: Some(ip), ..Card::default() })))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneCard, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OneCard(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<OneCard, A::Error> {
                let mut card = Card::default();
                while let Some(name) = members.next_key::<CardMember>()? {
                    let Scalar(value) = members.next_value()?;
                    match name {
                        CardMember::Ip => card.ip = value,
                        CardMember::Mac => card.mac = value,
                        CardMember::Status => card.status = value,
                        CardMember::Kind => card.kind = value,
                        CardMember::Other => {}
                    }
                }
                Ok(OneCard(Some(card)))
            }
        }
        input.deserialize_any(Any)
    }
}

/// A member of a machine's address.
#[derive(serde::Deserialize)]
enum CardMember {
    #[serde(rename = "ipAddress", alias = "ipaddress", alias = "IPAddress", alias = "IpAddress")]
    Ip,
    #[serde(rename = "macAddress", alias = "macaddress", alias = "MacAddress", alias = "MACAddress")]
    Mac,
    #[serde(rename = "operationalStatus", alias = "OperationalStatus")]
    Status,
    #[serde(rename = "type", alias = "Type")]
    Kind,
    #[serde(other)]
    Other,
}

pub(super) use scalars;
