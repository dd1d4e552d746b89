//! Finds records in JSON whose wrapping nobody knows: `{"networkDevices":[…]}`, maps by name or by MAC, answers of GraphQL.
//!
//! An object is a record if a member of its own is a MAC or an address, or if it stands under one. What stands below a record
//! belongs to it. Only for a text in which the usual wrappings hold no record, because a record without an address would
//! vanish here.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::limits::ROWS;
use super::members::{Cells, Records, is_address};
use crate::census::VALUE_BYTES;

/// How deep a text is searched.
const DEPTH: u8 = 16;
/// The longest path of members within a record, in bytes.
const PATH_BYTES: usize = 128;
/// The most values of one record.
const VALUES: usize = 512;

/// The records that were found.
#[derive(Debug, Default)]
pub(super) struct Nested {
    rows: Vec<Vec<(String, String)>>,
}

impl Nested {
    /// Searches a document.
    pub(super) fn search<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let place = Place { rows: &mut self.rows, name: None, depth: 0 };
        place.deserialize(input)?;
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// As records with columns.
    pub(super) fn into_records(self) -> Records {
        let mut records = Records::default();
        for values in self.rows {
            let mut row: Cells = Vec::new();
            for (path, value) in values {
                records.add(&mut row, &path, value);
            }
            records.push(row);
        }
        records
    }
}

/// What a place holds that belongs to the object around it: paths below the place, and texts.
type Values = Vec<(String, String)>;

struct Place<'a> {
    rows: &'a mut Vec<Values>,
    /// The member that holds it.
    name: Option<&'a str>,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Values, D::Error> {
        input.deserialize_any(self)
    }
}

fn one(text: String) -> Values {
    vec![(String::new(), text)]
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Values, E> {
        Ok(Vec::new())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Values, E> {
        Ok(one(value.to_string()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Values, E> {
        Ok(one(value.to_string()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
        Ok(one(value.to_string()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Values, E> {
        Ok(one(value.to_string()))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
        Ok(one(text.chars().take(VALUE_BYTES * 2).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while self.depth < DEPTH && self.rows.len() <= ROWS {
            let place = Place { rows: &mut *self.rows, name: None, depth: self.depth + 1 };
            let Some(inner) = list.next_element_seed(place)? else { return Ok(values) };
            let room = VALUES.saturating_sub(values.len());
            values.extend(inner.into_iter().take(room));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Values, A::Error> {
        let Self { rows, name, depth } = self;
        let first = rows.len();
        let mut values: Values = Vec::new();
        let mut is_record = false;
        if let Some(name) = name.filter(|name| is_address(name)) {
            is_record = true;
            values.push(("mac".to_owned(), name.to_owned()));
        }
        while let Some(name) = members.next_key::<String>()? {
            if depth >= DEPTH || rows.len() > ROWS {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let place = Place { rows: &mut *rows, name: Some(&name), depth: depth + 1 };
            let inner = members.next_value_seed(place)?;
            is_record |= inner.iter().any(|(path, text)| path.is_empty() && is_address(text));
            let room = VALUES.saturating_sub(values.len());
            values.extend(inner.into_iter().take(room).filter_map(|(path, text)| {
                let path = if path.is_empty() { name.clone() } else { format!("{name}.{path}") };
                (path.len() <= PATH_BYTES).then_some((path, text))
            }));
        }
        if is_record {
            // What was found below belongs to this record, as this one may belong to one around it.
            rows.truncate(first);
            rows.push(values.clone());
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Values> {
        let mut nested = Nested::default();
        nested.search(&mut serde_json::Deserializer::from_str(text)).unwrap();
        nested.rows
    }

    #[test]
    fn records_are_found_in_any_wrapping_and_keep_what_is_below_them() {
        let two =
            r#"[{"mac":"00:40:8c:00:00:01","ports":[{"mac":"00:40:8c:00:00:09","n":1}]},{"ip":"10.0.0.2"}]"#;
        for text in [
            format!(r#"{{"networkDevices":{two}}}"#),
            format!(r#"{{"data":{{"site":{{"assetResources":{{"items":{two}}}}}}}}}"#),
            format!(r#"{{"Dhcp4":{{"subnet4":[{{"subnet":"10.0.0.0/24","reservations":{two}}}]}}}}"#),
        ] {
            assert_eq!(found(&text).len(), 2, "{text}");
        }
        let below = &found(&format!(r#"{{"x":{two}}}"#))[0];
        assert!(below.contains(&("ports.n".to_owned(), "1".to_owned())), "{below:?}");
        let by_mac = found(r#"{"00:40:8c:00:00:01":{"name":"a"},"00:40:8c:00:00:02":{"name":"b"}}"#);
        assert_eq!(by_mac.len(), 2);
        assert_eq!(by_mac[1][0], ("mac".to_owned(), "00:40:8c:00:00:02".to_owned()));
    }
}
