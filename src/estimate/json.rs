//! JSON of makers' APIs, read record by record. A document is never held as a tree, because a small body can make a large
//! tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::dates::Dates;
use super::error::FileError;
use super::file::ReadOptions;
use super::limits::ROWS;
use super::listed::ListedDevice;
use super::reading::{FileKind, FileRow, Reading, Told};
use super::record::{Cards, MEMBERS, Record, Scalar, scalars};
use super::{defender, members, meraki};

/// Members that wrap a list of records, in answers of APIs and in exports of tools.
pub(super) const WRAPPERS: [&str; 30] = [
    "value",
    "items",
    "data",
    "results",
    "result",
    "pages",
    "clients",
    "devices",
    "machines",
    "records",
    "rows",
    "list",
    "response",
    "payload",
    "content",
    "arguments",
    "leases",
    "hosts",
    "assets",
    "computers",
    "endpoints",
    "resources",
    "SearchResult",
    "aps",
    "switches",
    "gateways",
    "objects",
    "inventory",
    "edges",
    "entities",
];
/// Why rows of a file that breaks off may be missing.
pub(super) const BREAKS_OFF: &str = "it breaks off: records may be missing; save it again";
/// How deep wrappers may be nested.
pub(super) const DEPTH: u8 = 6;

/// Reads records. `kind` is what a person named.
pub(super) fn read(
    name: String,
    text: &str,
    kind: Option<FileKind>,
    options: &ReadOptions,
) -> Result<Reading, FileError> {
    if kind == Some(FileKind::Cmdb) {
        return members::read(name, text, options);
    }
    let (found, broken) = records(text);
    if found.len() > ROWS {
        return Err(FileError::TooManyRows { name });
    }
    let Some(kind) = kind.or_else(|| most(&found)) else {
        return members::read(name, text, options);
    };
    if kind != FileKind::Cmdb && found.iter().all(|r| *r == Record::default()) && broken.is_some() {
        let why = broken.unwrap_or_default();
        return Err(FileError::NoRecords { name, why });
    }
    if found.is_empty() {
        return Err(FileError::NoRecords { name, why: "it has no record".to_owned() });
    }
    let read = match kind {
        FileKind::Defender => defender::read,
        _ => meraki::read,
    };
    let texts = found.iter().filter_map(seen);
    let mut dates = Dates::of(texts, None, options.as_of);
    let mut rows: Vec<FileRow> = found
        .iter()
        .zip(1..)
        .map(|(record, number)| {
            let seen = seen(record).and_then(|text| dates.read(text));
            FileRow { number, listed: read(record).map(|d| ListedDevice { last_seen: seen, ..d }) }
        })
        .collect();
    let pages = missing_pages(text, found.len());
    let doubts = broken.iter().map(|_| BREAKS_OFF.to_owned()).chain(pages).collect();
    if let Some(why) = broken {
        rows.push(FileRow {
            number: rows.len() as u64 + 1,
            listed: Err(format!("the file breaks off here: {why}")),
        });
    }
    let (dates, unread) = dates.report("lastSeen");
    Ok(Reading {
        name,
        kind,
        rows,
        product: Some(match kind {
            FileKind::Defender => "Microsoft Defender for Endpoint",
            _ => "the Meraki dashboard",
        }),
        is_distinct: false,
        columns: None,
        told: Told { dates: dates.into_iter().collect(), unread, ..Told::default() },
        doubts,
        notes: Vec::new(),
    })
}

/// The maker whose records at least half of all are: one access point in an asset list is none.
fn most(found: &[Record]) -> Option<FileKind> {
    let of = |kind: FileKind| found.iter().filter(|r| r.kind() == Some(kind)).count();
    [FileKind::Defender, FileKind::Meraki]
        .into_iter()
        .find(|kind| of(*kind) > 0 && of(*kind) * 2 >= found.len())
}

/// When a record was last seen.
fn seen(record: &Record) -> Option<&str> {
    record.get("lastSeen").or_else(|| record.get("lastReportedAt"))
}

/// What an answer says about further pages.
#[derive(Default, serde::Deserialize)]
struct Page {
    #[serde(
        rename = "@odata.nextLink",
        alias = "nextLink",
        alias = "next_link",
        alias = "next",
        alias = "nextPageToken",
        default
    )]
    next: Option<Scalar>,
    #[serde(alias = "totalCount", alias = "total_count", alias = "totalcount", alias = "total", default)]
    count: Option<Scalar>,
    #[serde(alias = "hasMore", default)]
    has_more: Option<Scalar>,
}

/// Why records are missing, if the last page of a text says that more pages follow, or that there are more records.
pub(super) fn missing_pages(text: &str, records: usize) -> Option<String> {
    let mut last = Page::default();
    documents(text, |document| {
        // A member that stands twice, or a list at the top, tells nothing.
        last = serde_json::from_str(document).unwrap_or_default();
        Ok(true)
    });
    let text_of = |member: Option<Scalar>| member.and_then(|Scalar(text)| text).unwrap_or_default();
    let follows = !text_of(last.next).trim().is_empty() || text_of(last.has_more) == "true";
    let count = text_of(last.count).parse::<u64>().ok();
    match count {
        _ if follows => {
            Some("it is one page of more; save all pages, one after another in one file".to_owned())
        }
        Some(count) if records > 0 && count > records as u64 => Some(format!(
            "it says that there are {count} records, and has {records}; save all pages, one after another in one file"
        )),
        _ => None,
    }
}

/// All records of a text up to its end or to the first error, and that error. At most one more than [`ROWS`].
fn records(text: &str) -> (Vec<Record>, Option<String>) {
    let mut found = Vec::new();
    let broken = documents(text, |document| {
        let mut whole = serde_json::Deserializer::from_str(document);
        let read = Node::top(&mut found).deserialize(&mut whole);
        read.map(|_| found.len() <= ROWS)
    });
    (found, broken)
}

/// Gives `each` one document after another, until it says that it has enough: lines of records, or pages that a script
/// appended to one file. The error if one breaks off, after `each` had its beginning.
pub(super) fn documents(
    text: &str,
    mut each: impl FnMut(&str) -> Result<bool, serde_json::Error>,
) -> Option<String> {
    let mut rest = text;
    let mut lines = 0;
    loop {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let end = match stream.next() {
            None => return None,
            Some(Ok(_)) => stream.byte_offset(),
            Some(Err(error)) => {
                // Records before the error count.
                each(rest).ok();
                return Some(place(&error, lines));
            }
        };
        let (document, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        match each(document) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(place(&error, lines)),
        }
        lines += document.matches('\n').count();
        rest = after;
    }
}

/// A parser's error with its line in the whole file.
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
    /// Whether it is the value of a wrapper: then only a list has a meaning.
    is_inside: bool,
}

impl Node<'_> {
    fn top(found: &mut Vec<Record>) -> Node<'_> {
        Node { found, depth: 0, is_inside: false }
    }

    /// A value that is not a record, in the place of one.
    fn nothing(self) -> Seen {
        if !self.is_inside && self.depth > 0 && self.found.len() <= ROWS {
            self.found.push(Record::default());
        }
        Seen::Other
    }
}

/// The kind of a value.
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
                // Too many rows: the file will be refused, so skip the rest.
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
                    // A member that is null tells whose record it is, and nothing else.
                    let Scalar(value) = members.next_value()?;
                    record.members.insert(name, value.unwrap_or_default());
                }
                Name::Wrapper | Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        // A wrapper may be empty: a page without records.
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
        let error =
            read("x.json".into(), r#"{"error":{"code":"Unauthorized"}}"#, None, &ReadOptions::default())
                .unwrap_err();
        assert!(error.to_string().contains("it has no record"), "{error}");
    }

    #[test]
    fn one_page_of_more_says_so() {
        let page = r#"{"value":[{"mac":"a"}],"@odata.nextLink":"https://x"}"#;
        assert!(missing_pages(page, 1).is_some());
        assert!(
            missing_pages(r#"{"count":2,"next":null,"results":[{"id":1}]}"#, 1)
                .unwrap()
                .contains("2 records")
        );
        assert!(missing_pages(r#"{"count":2,"next":"https://x","results":[{"id":1}]}"#, 1).is_some());
        for whole in [
            r#"{"count":1,"next":null,"results":[{"id":1}]}"#.to_owned(),
            r#"[{"mac":"a"}]"#.to_owned(),
            format!(r#"{page} {{"value":[{{"mac":"b"}}]}}"#),
        ] {
            assert_eq!(missing_pages(&whole, 2), None, "{whole}");
        }
    }

    #[test]
    fn records_before_an_error_are_kept_and_the_error_is_named() {
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
