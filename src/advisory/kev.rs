//! CISA's catalogue of known exploited vulnerabilities: JSON and CSV.

use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::error::ReadError;
use super::id::CveId;
use super::limits::{LINE, TEXT, cut, day};

/// The most bytes of the table: the real one has less than one MiB.
const TABLE_BYTES: u64 = 64 << 20;

/// A vulnerability that is known to be exploited.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Kev {
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub cve: CveId,
    /// The name that the catalogue gives it.
    pub name: String,
    /// Since when it is in the catalogue, `YYYY-MM-DD`.
    pub added: String,
    /// Until when agencies must act, `YYYY-MM-DD`.
    pub due: Option<String>,
    pub action: String,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(default)]
    vulnerability_name: String,
    date_added: String,
    #[serde(default)]
    required_action: String,
    due_date: Option<String>,
    known_ransomware_campaign_use: Option<String>,
}

impl Entry {
    fn kev(self) -> Result<Kev, String> {
        Ok(Kev {
            cve: self.cve.trim().parse::<CveId>().map_err(|e| e.to_string())?,
            name: cut(&self.vulnerability_name, LINE),
            added: day(self.date_added.trim()).ok_or("dateAdded is not a date")?,
            due: self.due_date.as_deref().map(str::trim).and_then(day),
            action: cut(&self.required_action, TEXT),
            ransomware: self.known_ransomware_campaign_use.is_some_and(|use_| use_.trim() == "Known"),
        })
    }
}

/// Reads a record of the JSON form.
pub(super) fn record(bytes: &[u8]) -> Result<Kev, String> {
    serde_json::from_slice::<Entry>(bytes).map_err(|e| e.to_string())?.kev()
}

/// Reads the CSV form; calls `each` with the line at which an entry begins.
pub(super) fn table(
    input: &mut dyn BufRead,
    each: &mut dyn FnMut(u64, Result<Box<Kev>, String>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut limited = input.take(TABLE_BYTES);
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(&mut limited);
    let headers = table.byte_headers().map_err(|_| ReadError::Header("KEV"))?;
    let names: Vec<String> = headers
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().trim_start_matches('\u{feff}').to_owned())
        .collect();
    let column = |name: &str| names.iter().position(|known| known.eq_ignore_ascii_case(name));
    let need = |name: &str| column(name).ok_or(ReadError::Header("KEV"));
    let (cve, added) = (need("cveID")?, need("dateAdded")?);
    let others = ["vulnerabilityName", "requiredAction", "dueDate", "knownRansomwareCampaignUse"].map(column);
    for row in table.byte_records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) => return Err(error.into()),
                _ => continue,
            },
        };
        let cell = |column: usize| row.get(column).map(|cell| String::from_utf8_lossy(cell).into_owned());
        let [name, action, due, ransomware] = others.map(|column| column.and_then(cell));
        let entry = Entry {
            cve: cell(cve).unwrap_or_default(),
            vulnerability_name: name.unwrap_or_default(),
            date_added: cell(added).unwrap_or_default(),
            required_action: action.unwrap_or_default(),
            due_date: due,
            known_ransomware_campaign_use: ransomware,
        };
        each(row.position().map_or(0, csv::Position::line), entry.kev().map(Box::new))?;
    }
    drop(table);
    if limited.limit() == 0 { Err(ReadError::TooLarge(TABLE_BYTES)) } else { Ok(()) }
}
