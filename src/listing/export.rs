//! Whole lists as files: CSV that is safe to open in a spreadsheet (RFC 4180, UTF-8), and NDJSON.
//!
//! Written chunk by chunk, so the size of a list is not limited.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::column::{BadColumn, Column};
use crate::census::Timestamp;
use crate::wire::DeviceEntry;

/// Devices in one chunk.
pub(crate) const CHUNK: usize = 512;

/// Columns by their keys, separated by commas; `None` if no column is named.
///
/// # Errors
/// [`BadColumn::Unknown`].
pub(crate) fn columns(asked: Option<&str>) -> Result<Option<Vec<Column>>, BadColumn> {
    let asked = asked.map(str::trim).filter(|a| !a.is_empty());
    asked.map(|keys| keys.split(',').take(100).map(|key| key.trim().parse()).collect()).transpose()
}

#[derive(Clone, Debug)]
pub(crate) struct Csv {
    columns: Vec<Column>,
    as_of: Timestamp,
    policy: String,
}

impl Csv {
    /// With those columns, or with all.
    pub(crate) fn new(columns: Option<Vec<Column>>, as_of: Timestamp, policy: &str) -> Self {
        let columns = columns.unwrap_or_else(|| Column::ALL.to_vec());
        Self { columns, as_of, policy: policy.to_owned() }
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        csv_rows(std::iter::once(self.columns.iter().map(|c| c.key().to_owned()).collect()))
    }

    /// The rows of some devices.
    pub(crate) fn rows(&self, devices: impl Iterator<Item = DeviceEntry>) -> Vec<u8> {
        csv_rows(devices.map(|d| self.columns.iter().map(|c| c.text(&d, self.as_of, &self.policy)).collect()))
    }
}

/// Rows of equal length as CSV (RFC 4180, CRLF). No cell is a formula to a spreadsheet.
pub(crate) fn csv_rows(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        // Writing to memory does not fail, and all rows have the same length.
        if out.write_record(row.iter().map(|cell| harmless(cell).into_owned())).is_err() {
            tracing::error!("a row of an export could not be written");
        }
    }
    out.into_inner().unwrap_or_default()
}

/// Quotes a cell that a spreadsheet would take for a formula: names that devices send must not run on a person's computer.
pub(crate) fn harmless(cell: &str) -> Cow<'_, str> {
    let formula =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    match cell.chars().next() {
        Some(first) if formula(first) => Cow::Owned(format!("'{cell}")),
        _ => Cow::Borrowed(cell),
    }
}

/// Writes NDJSON: an object a line.
#[derive(Clone, Debug)]
pub(crate) struct Ndjson {
    columns: Option<Vec<Column>>,
    as_of: Timestamp,
    policy: String,
}

impl Ndjson {
    /// With those columns, or else with devices as the API shows them, each with `as_of` and `policy`.
    pub(crate) fn new(columns: Option<Vec<Column>>, as_of: Timestamp, policy: &str) -> Self {
        Self { columns, as_of, policy: policy.to_owned() }
    }

    /// The lines of some devices.
    pub(crate) fn lines(&self, devices: impl Iterator<Item = DeviceEntry>) -> Vec<u8> {
        let mut out = Vec::new();
        for device in devices {
            let line = match &self.columns {
                Some(columns) => {
                    let text =
                        |c: &Column| (c.key().to_owned(), c.text(&device, self.as_of, &self.policy).into());
                    Value::Object(columns.iter().map(text).collect::<Map<_, Value>>())
                }
                None => {
                    let mut line = serde_json::to_value(&device).unwrap_or_default();
                    if let Value::Object(members) = &mut line {
                        members.insert("as_of".to_owned(), self.as_of.to_string().into());
                        members.insert("policy".to_owned(), self.policy.clone().into());
                    }
                    line
                }
            };
            out.extend_from_slice(line.to_string().as_bytes());
            out.push(b'\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_quotes_are_doubled() {
        for text in ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["", "10.0.0.1", "a=b", "'=1", " =1"] {
            assert_eq!(harmless(text), text);
        }
        let row =
            vec!["=cmd|' /C calc'!A0".to_owned(), "a,b \"c\"".into(), "Zürich\nline".into(), String::new()];
        let csv = String::from_utf8(csv_rows(std::iter::once(row))).unwrap();
        assert_eq!(csv, "'=cmd|' /C calc'!A0,\"a,b \"\"c\"\"\",\"Zürich\nline\",\r\n");
    }

    #[test]
    fn columns_are_named_by_their_keys() {
        assert_eq!(columns(None), Ok(None));
        assert_eq!(columns(Some("ip, name")), Ok(Some(vec![Column::Ip, Column::Name])));
        let unknown = columns(Some("ip,colour")).unwrap_err().to_string();
        assert!(unknown.starts_with("unknown column 'colour'; the columns are id, zone, ip"), "{unknown}");
    }
}
