//! JSON of any product as a table: a column for each path of members, a row for each record.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cmdb::listed;
use super::error::FileError;
use super::file::{ReadOptions, scope};
use super::json::{BREAKS_OFF, DEPTH, WRAPPERS, documents, missing_pages};
use super::limits::{COLUMNS, ROWS};
use super::nested::Nested;
use super::reading::Reading;
use super::record::scalars;
use super::spelling;
use super::table::{Row, RowCells, Section, Table};
use crate::census::VALUE_BYTES;

/// How deep members of a record are read.
const MEMBER_DEPTH: u8 = 6;
/// The longest path of members, in bytes.
const PATH_BYTES: usize = 128;
/// The longest cell that several values of one path make, in bytes.
const CELL_BYTES: usize = VALUE_BYTES * 16;

/// Reads the records of a text.
pub(super) fn read(name: String, text: &str, options: &ReadOptions) -> Result<Reading, FileError> {
    let mut found = Records::default();
    let broken = documents(text, |document| {
        let mut whole = serde_json::Deserializer::from_str(document);
        let place = Place { found: &mut found, depth: 0, mode: Mode::Top };
        place.deserialize(&mut whole)?;
        Ok(found.rows.len() <= ROWS)
    });
    // One object around everything, whose parts have names that nobody knows.
    let has_address = |row: &Cells| row.iter().any(|(place, text)| found.is_own(*place) && is_address(text));
    let is_one =
        found.rows.len() <= 1 && found.roots == found.rows.len() && !found.rows.iter().any(has_address);
    if is_one {
        let mut nested = Nested::default();
        documents(text, |document| {
            let mut whole = serde_json::Deserializer::from_str(document);
            nested.search(&mut whole)?;
            Ok(nested.rows() <= ROWS)
        });
        if nested.rows() > found.rows.len() {
            found = nested.into_records();
        }
    }
    let Records { header, rows, left_out, .. } = found;
    if rows.len() > ROWS {
        return Err(FileError::TooManyRows { name });
    }
    if rows.is_empty() || header.is_empty() {
        let why = broken.unwrap_or_else(|| "it has no record".to_owned());
        return Err(FileError::NoRecords { name, why });
    }
    let rows: Vec<Row> = rows
        .into_iter()
        .zip(1..)
        .map(|(cells, number)| Row { number, cells: RowCells::Some(cells) })
        .collect();
    let count = rows.len() as u64;
    let no_column = |wanted| FileError::NoSuchColumn { name: name.clone(), wanted, columns: listed(&header) };
    let section = Section::of(&header, rows, &options.mapping).map_err(no_column)?;
    if !section.columns.is_useful() {
        let members = listed(&header);
        let why = format!(
            "it has no record with a MAC or IP address; its members are: {members}; name one, such as mac=MEMBER"
        );
        return Err(FileError::NoRecords { name, why });
    }
    let mut table = Table { sections: vec![section], ..Table::default() };
    if let Some(why) = broken {
        table.broken.push((count + 1, format!("the file breaks off here: {why}")));
        table.doubts.push(BREAKS_OFF.to_owned());
    }
    table.doubts.extend(missing_pages(text, usize::try_from(count).unwrap_or(usize::MAX)));
    if left_out > 0 {
        table
            .notes
            .push(format!("has more than {COLUMNS} members; {left_out} values of others were not read"));
    }
    Ok(Reading::of(name, &scope(text), table, None, options))
}

/// The cells of a record: each with its column.
pub(super) type Cells = Vec<(usize, String)>;

/// The records so far.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// What the list that is being read is called, if that says what its records are.
    kind: Option<&'static str>,
    header: Vec<String>,
    places: HashMap<String, usize>,
    rows: Vec<Cells>,
    /// How many of them are whole documents.
    roots: usize,
    /// Values of further members, which have no column.
    left_out: u64,
}

impl Records {
    /// Whether a column holds members of the record itself, not of what is in it.
    fn is_own(&self, place: usize) -> bool {
        self.header.get(place).is_some_and(|path| !path.contains('.'))
    }

    pub(super) fn push(&mut self, row: Cells) {
        self.rows.push(row);
    }

    /// Adds a value to a row.
    pub(super) fn add(&mut self, row: &mut Cells, path: &str, value: String) {
        let place = match self.places.get(path) {
            Some(place) => *place,
            None if self.header.len() < COLUMNS => {
                let place = self.header.len();
                self.header.push(path.to_owned());
                self.places.insert(path.to_owned(), place);
                place
            }
            None => {
                self.left_out += 1;
                return;
            }
        };
        match row.iter_mut().find(|(p, _)| *p == place) {
            Some((_, cell)) if cell.len() + value.len() < CELL_BYTES => {
                cell.push('\n');
                cell.push_str(&value);
            }
            Some(_) => {}
            None => row.push((place, value)),
        }
    }
}

/// The type that a list's name gives to its records.
fn kind_of(wrapper: &str) -> Option<&'static str> {
    Some(match wrapper {
        "aps" => "access point",
        "switches" => "switch",
        "gateways" | "mcs" => "gateway router",
        _ => return None,
    })
}

/// Whether a text is a MAC or an address, and nothing else.
pub(super) fn is_address(text: &str) -> bool {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    !is_number && (spelling::macs(text).next().is_some() || !spelling::ips(text).ips.is_empty())
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// Here or in a list: an object is a record, unless it wraps a list.
    Top,
    /// The value of a wrapper: a list of records, or further wrappers.
    Wrapped,
    /// The value of `objects`, by whose members iTop names its records.
    Named,
}

/// A place where records can stand.
struct Place<'a> {
    found: &'a mut Records,
    depth: u8,
    mode: Mode,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    /// Whether it is a list of records, or wraps one.
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    scalars!(self => false; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let before = self.found.rows.len();
        let mut is_empty = true;
        while self.depth < DEPTH {
            let element = Place { found: &mut *self.found, depth: self.depth + 1, mode: Mode::Top };
            if list.next_element_seed(element)?.is_none() {
                // A list of texts belongs to its record; an empty page wraps nothing, but is not a record.
                return Ok(is_empty || self.found.rows.len() > before);
            }
            is_empty = false;
            if self.found.rows.len() > ROWS {
                break;
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Self { found, depth, mode } = self;
        let mut row = Vec::new();
        let mut wraps = false;
        while let Some(name) = members.next_key::<String>()? {
            let is_wrapper = WRAPPERS.iter().any(|w| w.eq_ignore_ascii_case(&name)) && depth < DEPTH;
            if mode == Mode::Named {
                let record = Place { found: &mut *found, depth: depth + 1, mode: Mode::Top };
                members.next_value_seed(record)?;
                wraps = true;
            } else if is_wrapper {
                let mode = if name == "objects" { Mode::Named } else { Mode::Wrapped };
                let before = std::mem::replace(&mut found.kind, kind_of(&name));
                let inner = Place { found: &mut *found, depth: depth + 1, mode };
                wraps |= members.next_value_seed(inner)?;
                found.kind = before;
            } else if mode == Mode::Wrapped {
                members.next_value::<IgnoredAny>()?;
            } else {
                let mut path: String = name.chars().take(64).collect();
                let value = Values { found: &mut *found, row: &mut row, path: &mut path, depth: 0 };
                members.next_value_seed(value)?;
            }
        }
        // A switch may have a list of clients, and is a record beside them; a page has no address of its own.
        let has_address = || row.iter().any(|(place, text)| found.is_own(*place) && is_address(text));
        if mode == Mode::Top && (!wraps || has_address()) && found.rows.len() <= ROWS {
            if let Some(kind) = found.kind {
                found.add(&mut row, "record_type", kind.to_owned());
            }
            found.roots += usize::from(depth == 0);
            found.rows.push(row);
        }
        Ok(wraps)
    }
}

/// The values below one member of a record.
struct Values<'a> {
    found: &'a mut Records,
    row: &'a mut Cells,
    path: &'a mut String,
    depth: u8,
}

impl Values<'_> {
    fn take(self, value: String) {
        if !value.is_empty() {
            self.found.add(self.row, self.path, value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(value.to_string());
        Ok(())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(value.to_string());
        Ok(())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(value.to_string());
        Ok(())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(value.to_string());
        Ok(())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(text.chars().take(VALUE_BYTES * 2).collect());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { found, row, path, depth } = self;
        if depth < MEMBER_DEPTH {
            loop {
                let value = Values { found: &mut *found, row: &mut *row, path: &mut *path, depth: depth + 1 };
                if list.next_element_seed(value)?.is_none() {
                    return Ok(());
                }
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { found, row, path, depth } = self;
        let length = path.len();
        while let Some(name) = members.next_key::<String>()? {
            if depth >= MEMBER_DEPTH || length + name.len() >= PATH_BYTES {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            path.push('.');
            path.push_str(&name);
            let value = Values { found: &mut *found, row: &mut *row, path: &mut *path, depth: depth + 1 };
            let read = members.next_value_seed(value);
            path.truncate(length);
            read?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(Vec<String>, Option<String>)> {
        let reading = read("x.json".into(), text, &ReadOptions::default()).unwrap();
        let of = |row: &super::super::reading::FileRow| match &row.listed {
            Ok(d) => (d.macs.iter().map(ToString::to_string).collect(), d.name.clone()),
            Err(why) => (vec![why.clone()], None),
        };
        reading.rows.iter().map(of).collect()
    }

    #[test]
    fn records_are_found_in_the_wrapping_of_every_usual_api() {
        let one = ["00:40:8c:00:00:01".to_owned()];
        for text in [
            r#"{"meta":{"rc":"ok"},"data":[{"mac":"00:40:8c:00:00:01","hostname":"a"}]}"#,
            r#"{"errorCode":0,"result":{"totalRows":1,"data":[{"mac":"00-40-8C-00-00-01","hostName":"a"}]}}"#,
            r#"[{"arguments":{"leases":[{"hw-address":"00:40:8c:00:00:01","ip-address":"10.0.0.1","hostname":"a"}]},"result":0}]"#,
            r#"{"SearchResult":{"total":1,"resources":[{"name":"a","mac":"00:40:8C:00:00:01"}]}}"#,
            r#"{"objects":{"NetworkDevice::1":{"code":0,"fields":{"name":"a","macaddress":"00:40:8c:00:00:01"}}},"code":0}"#,
            r#"{"count":1,"results":[{"id":1,"name":"a","primary_mac_address":{"mac_address":"00:40:8c:00:00:01"},"role":{"name":"Access Switch"}}]}"#,
            "{\"mac\":\"00:40:8c:00:00:01\",\"name\":\"a\"}\n",
        ] {
            let found = rows(text);
            assert_eq!(found[0].0, one, "{text}");
            assert_eq!(found.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_says_so_and_keeps_what_came_before() {
        let found = rows("[{\"mac\":\"00:40:8c:00:00:01\",\"name\":\"a\"},\n{\"mac\":");
        assert_eq!(found.len(), 2);
        assert!(found[1].0[0].contains("breaks off"), "{found:?}");
    }

    #[test]
    fn records_without_any_address_are_refused_with_their_members() {
        let text = r#"[{"fruit":"apple","price":3}]"#;
        let refused = read("x.json".into(), text, &ReadOptions::default()).unwrap_err();
        assert!(refused.to_string().contains("fruit, price"), "{refused}");
    }
}
