//! JSON of makers' APIs as records, one after another: no document is ever held as a tree, as a small body can make a
//! large one.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::listed::{FileRow, Reading};
use super::{ADDRESSES, FileError, FileKind, ROWS, defender, meraki};
use crate::census::VALUE_BYTES;

/// Members around a list of records in the answers of APIs and what tools make of them.
const WRAPPERS: [&str; 10] =
    ["value", "items", "data", "results", "result", "pages", "clients", "devices", "machines", "records"];
/// How deep such members may lie in each other.
const DEPTH: u8 = 4;
/// Members of a record that are read, in any spelling of upper and lower case.
const MEMBERS: [&str; 24] = [
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
];

/// An address of a machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Card {
    pub(super) ip: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) status: Option<String>,
    pub(super) kind: Option<String>,
}

/// One record: its known members that are texts, numbers or truth values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    members: BTreeMap<&'static str, String>,
    pub(super) cards: Vec<Card>,
}

impl Record {
    /// A member by the name in [`MEMBERS`].
    pub(super) fn get(&self, member: &str) -> Option<&str> {
        self.members.get(member).map(String::as_str).filter(|v| !v.trim().is_empty())
    }

    /// As [`Self::get`], cleaned, and `None` for what stands for nothing.
    pub(super) fn text(&self, member: &str) -> Option<String> {
        super::listed::text(self.get(member)?)
    }

    fn kind(&self) -> Option<FileKind> {
        let has = |member: &&str| self.members.contains_key(*member);
        let defender =
            ["computerDnsName", "onboardingStatus", "osPlatform", "lastIpAddress", "mergedIntoMachineId"];
        let meraki = ["mac", "serial", "productType", "deviceTypePrediction"];
        if defender.iter().any(has) || !self.cards.is_empty() {
            Some(FileKind::Defender)
        } else {
            meraki.iter().any(has).then_some(FileKind::Meraki)
        }
    }
}

/// Reads records; `named` where a person told the kind.
pub(super) fn read(name: String, text: &str, kind: FileKind, named: bool) -> Result<Reading, FileError> {
    let (found, broken) = records(text);
    if found.len() > ROWS {
        return Err(FileError::TooManyRows { name });
    }
    let kind = match found.iter().find_map(Record::kind) {
        _ if named => kind,
        Some(kind) => kind,
        None if found.iter().all(|r| *r == Record::default()) => {
            let why = broken.unwrap_or_else(|| "there is none in it".to_owned());
            return Err(FileError::NoRecords { name, why });
        }
        None => return Err(FileError::UnknownRecords { name }),
    };
    let entry = match kind {
        FileKind::Defender => defender::entry,
        _ => meraki::entry,
    };
    let mut rows: Vec<FileRow> =
        found.iter().zip(1..).map(|(record, number)| FileRow { number, entry: entry(record) }).collect();
    if let Some(why) = broken {
        rows.push(FileRow {
            number: rows.len() as u64 + 1,
            entry: Err(format!("the file breaks off here: {why}")),
        });
    }
    Ok(Reading { name, kind, rows, columns: None, notes: Vec::new() })
}

/// All records of a text until its end or until it breaks, and why it broke. At most one more than [`ROWS`].
fn records(text: &str) -> (Vec<Record>, Option<String>) {
    let mut found = Vec::new();
    let mut rest = text;
    let mut lines = 0;
    // One document after another: lines of records, or pages that a script put into one file.
    loop {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let end = match stream.next() {
            None => return (found, None),
            Some(Ok(_)) => stream.byte_offset(),
            Some(Err(error)) => {
                // What stands before the break counts.
                let mut partial = serde_json::Deserializer::from_str(rest);
                Node::top(&mut found).deserialize(&mut partial).ok();
                return (found, Some(place(&error, lines)));
            }
        };
        let (document, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let mut whole = serde_json::Deserializer::from_str(document);
        if let Err(error) = Node::top(&mut found).deserialize(&mut whole) {
            return (found, Some(place(&error, lines)));
        }
        if found.len() > ROWS {
            return (found, None);
        }
        lines += document.matches('\n').count();
        rest = after;
    }
}

/// An error of the parser with the line of the whole file.
fn place(error: &serde_json::Error, lines_before: usize) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let what: String = what.chars().filter(|c| !c.is_control()).take(120).collect();
    format!("{what}, at line {} column {}", error.line() + lines_before, error.column())
}

/// A place where records can stand: a record, a list of such places, or a wrapper around one.
struct Node<'a> {
    found: &'a mut Vec<Record>,
    depth: u8,
    /// Whether it is the value of a wrapper's member: then it is a list, or nothing.
    is_inside: bool,
}

impl Node<'_> {
    fn top(found: &mut Vec<Record>) -> Node<'_> {
        Node { found, depth: 0, is_inside: false }
    }

    /// Something that stands where a record should.
    fn nothing(self) -> Seen {
        if !self.is_inside && self.depth > 0 && self.found.len() <= ROWS {
            self.found.push(Record::default());
        }
        Seen::Other
    }
}

/// What a value was.
enum Seen {
    List,
    Other,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Seen, D::Error> {
        input.deserialize_any(self)
    }
}

macro_rules! scalars {
    ($me:ident => $value:expr; $($method:ident: $type:ty),*) => {
        $(fn $method<E: serde::de::Error>($me, _: $type) -> Result<Self::Value, E> { Ok($value) })*
    };
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a list of records")
    }

    scalars!(self => self.nothing(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: serde::de::Error>(self) -> Result<Seen, E> {
        Ok(self.nothing())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        if self.depth >= DEPTH {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Seen::Other);
        }
        loop {
            let element = Node { found: &mut *self.found, depth: self.depth + 1, is_inside: false };
            if list.next_element_seed(element)?.is_none() {
                break;
            }
            if self.found.len() > ROWS {
                // Refused for its number; the rest is passed over.
                while list.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(Seen::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Seen, A::Error> {
        let mut record = Record::default();
        let mut is_wrapper = false;
        while let Some(name) = members.next_key::<Name>()? {
            match name {
                Name::Wrapper if self.depth < DEPTH => {
                    let inner = Node { found: &mut *self.found, depth: self.depth + 1, is_inside: true };
                    is_wrapper |= matches!(members.next_value_seed(inner)?, Seen::List);
                }
                Name::Cards => record.cards = members.next_value::<Cards>()?.0,
                Name::Member(name) => {
                    if let Scalar(Some(value)) = members.next_value()? {
                        record.members.insert(name, value);
                    }
                }
                Name::Wrapper | Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        // An empty list of records makes a wrapper too: a page without any.
        if is_wrapper {
            return Ok(Seen::List);
        }
        if !self.is_inside && self.found.len() <= ROWS {
            self.found.push(record);
        }
        Ok(Seen::Other)
    }
}

/// The name of a member.
enum Name {
    Wrapper,
    Cards,
    Member(&'static str),
    Other,
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
                let is = |known: &&str| known.eq_ignore_ascii_case(name);
                Ok(if let Some(member) = MEMBERS.into_iter().find(|m| is(m)) {
                    Name::Member(member)
                } else if name.eq_ignore_ascii_case("ipAddresses") {
                    Name::Cards
                } else if WRAPPERS.iter().any(is) {
                    Name::Wrapper
                } else {
                    Name::Other
                })
            }
        }
        input.deserialize_str(Names)
    }
}

/// A text, number or truth value as text, cut to what is kept of one; nothing for lists and objects.
struct Scalar(Option<String>);

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

/// The addresses of a machine: objects, or plain texts as older answers have them.
struct Cards(Vec<Card>);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn macs(text: &str) -> Vec<String> {
        records(text).0.iter().filter_map(|r| r.text("mac")).collect()
    }

    #[test]
    fn records_are_found_in_every_usual_wrapping() {
        for text in [
            r#"[{"mac":"a"},{"mac":"b"}]"#,
            r#"{"value":[{"mac":"a"},{"mac":"b"}],"@odata.nextLink":"https://x"}"#,
            "{\"mac\":\"a\"}\n{\"mac\":\"b\"}\n",
            r#"{"value":[{"mac":"a"}]} {"value":[{"mac":"b"}]}"#,
            r#"[[{"mac":"a"}],[{"mac":"b"}]]"#,
            r#"[7,{"mac":"a"},null,{"mac":"b"}]"#,
            r#"{"pages":[{"items":[{"MAC":"a"}]},{"items":[{"mac":"b","x":{"mac":"no"}}]}]}"#,
        ] {
            assert_eq!(macs(text), ["a", "b"], "{text}");
            assert_eq!(records(text).1, None);
        }
        assert!(records(r#"{"value":[]}"#).0.is_empty());
        assert_eq!(macs(r#"{"data":{"clients":[{"mac":"a"},{"mac":"b","data":{"mac":"no"}}]}}"#), ["a", "b"]);
        let error = read("x.json".into(), r#"{"error":{"code":"Unauthorized"}}"#, FileKind::Defender, false)
            .unwrap_err();
        assert!(error.to_string().contains("there is none"), "{error}");
    }

    #[test]
    fn what_stands_before_a_break_is_kept_and_the_break_is_named() {
        let (found, broken) = records("[{\"mac\":\"a\"},\n{\"mac\":");
        assert_eq!((found.len(), found[0].get("mac")), (1, Some("a")));
        assert!(broken.unwrap().ends_with("at line 2 column 7"));
        let (found, broken) = records("{\"mac\":\"a\"}\n{\"mac\":\"b\"}\n{oops}");
        assert_eq!(found.len(), 2);
        assert!(broken.unwrap().contains("at line 3"));
        assert!(records(&"[".repeat(500)).1.is_some());
    }

    #[test]
    fn members_of_any_kind_of_value_never_stop_the_reading() {
        let text = r#"[{"mac":["x"],"ip":7,"os":null,"name":{"a":1},"ipAddresses":[{"ipAddress":"10.0.0.1","macAddress":null,"more":[1]},"10.0.0.2",3]}]"#;
        let (found, broken) = records(text);
        assert_eq!(broken, None);
        assert_eq!((found[0].get("mac"), found[0].get("ip")), (None, Some("7")));
        assert_eq!(found[0].cards.len(), 2);
    }
}
