//! Reads a file of advisories, in whichever of the known forms it is.

use std::io::{self, BufRead, Cursor, Read};

use sha2::{Digest as _, Sha256};

use super::epss::{self, Epss};
use super::error::{BadRecord, ReadError};
use super::kev::{self, Kev};
use super::limits::{DOCUMENT_BYTES, FILE_BYTES, LINE, RECORD_BYTES, REPORTED, cut, day};
use super::pieces::{Layout, Piece, keys, split};
use super::record::Record;
use super::unpacked::unpacked;
use super::{csaf, cve5, nvd};

/// The bytes by which the form of a file is told.
const HEAD: u64 = 64 << 10;
/// The list keys of the forms that have one.
const LISTS: &[&str] = &["vulnerabilities", "cve_items"];

/// The form of a file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "plan", schema(as = AdvisoryForm))]
pub enum Form {
    /// CISA's catalogue of known exploited vulnerabilities, as JSON or CSV.
    Kev,
    /// CSAF 2.0.
    Csaf,
    /// NVD 2.0: a feed, a page of the API, or single records.
    Nvd,
    /// CVE JSON 5.
    Cve5,
    /// EPSS scores, as CSV.
    Epss,
}

impl Form {
    pub const ALL: [Self; 5] = [Self::Kev, Self::Csaf, Self::Nvd, Self::Cve5, Self::Epss];

    pub const fn key(self) -> &'static str {
        match self {
            Self::Kev => "kev",
            Self::Csaf => "csaf",
            Self::Nvd => "nvd",
            Self::Cve5 => "cve5",
            Self::Epss => "epss",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kev => "CISA KEV",
            Self::Csaf => "CSAF 2.0",
            Self::Nvd => "NVD 2.0",
            Self::Cve5 => "CVE 5",
            Self::Epss => "EPSS",
        }
    }
}

/// What a file holds, one at a time.
#[derive(Debug)]
pub enum Item {
    Record(Box<Record>),
    Kev(Box<Kev>),
    Epss(Epss),
}

/// What was read of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadSummary {
    pub form: Form,
    /// SHA-256 of the file's bytes, in hex.
    pub digest: String,
    /// The items that were given.
    pub items: u64,
    /// The records that were skipped.
    pub bad: u64,
    /// The first of these.
    pub bad_records: Vec<BadRecord>,
    /// The day that the file gives for itself, or else the newest of its records.
    pub dated: Option<String>,
}

/// Who takes the items. An error ends the reading.
type Take<'t> = &'t mut dyn FnMut(Item) -> Result<(), String>;

/// Reads a file, plain or compressed with gzip or zstd, and gives its items one at a time.
///
/// # Errors
/// If the file is in none of the known forms, if it is broken outside its records, if it or a single document is larger
/// than the limits, if none of its records can be read, or if `take` refuses an item. What was given before is void then.
pub fn read(file: impl Read, take: Take<'_>) -> Result<ReadSummary, ReadError> {
    let mut file = Hashing { file, hash: Sha256::new() };
    let mut reading = Reading { take, items: 0, bad: 0, bad_records: Vec::new(), dated: None, newest: None };
    let form = reading.all(unpacked(&mut file)?).map_err(unwrapped)?;
    io::copy(&mut file, &mut io::sink())?;
    if reading.items == 0
        && let Some(first) = reading.bad_records.first()
    {
        return Err(ReadError::NoRecords { count: reading.bad, first: first.why.clone() });
    }
    Ok(ReadSummary {
        form,
        digest: hex::encode(file.hash.finalize()),
        items: reading.items,
        bad: reading.bad,
        bad_records: reading.bad_records,
        dated: reading.dated.or(reading.newest),
    })
}

/// The bound on a file's bytes comes through the reader as an error of the system.
fn unwrapped(error: ReadError) -> ReadError {
    match error {
        ReadError::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<ReadError>()) => {
            ReadError::TooLarge(FILE_BYTES)
        }
        other => other,
    }
}

struct Hashing<R> {
    file: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

struct Reading<'t> {
    take: Take<'t>,
    items: u64,
    bad: u64,
    bad_records: Vec<BadRecord>,
    dated: Option<String>,
    newest: Option<String>,
}

/// How the form of a text was told.
enum Told {
    Table(Form),
    List(Form),
    Whole(Form),
}

impl Reading<'_> {
    fn all(&mut self, mut input: Box<dyn BufRead + '_>) -> Result<Form, ReadError> {
        let mut head = Vec::new();
        (&mut input).take(HEAD).read_to_end(&mut head)?;
        let told = told(&head)?;
        let mut input = Cursor::new(head).chain(input);
        match told {
            Told::Table(Form::Kev) => {
                kev::table(&mut input, &mut |at, kev| self.give(at, kev.map(Item::Kev)))?
            }
            Told::Table(_) => {
                let dated = epss::table(&mut input, &mut |at, epss| self.give(at, epss.map(Item::Epss)))?;
                self.dated = dated;
            }
            Told::List(form) | Told::Whole(form) => {
                let layout = if matches!(told, Told::List(_)) { Layout::List(LISTS) } else { Layout::Whole };
                let most = if form == Form::Csaf { DOCUMENT_BYTES } else { RECORD_BYTES };
                split(&mut input, layout, most, &mut |piece| self.piece(form, piece))?;
            }
        }
        let (Told::Table(form) | Told::List(form) | Told::Whole(form)) = told;
        Ok(form)
    }

    fn piece(&mut self, form: Form, piece: Piece<'_>) -> Result<(), ReadError> {
        match piece {
            Piece::Beside { key: "dateReleased" | "timestamp", value } => {
                let text: Option<String> = serde_json::from_slice(value).ok();
                self.dated = text.as_deref().and_then(day);
                Ok(())
            }
            Piece::Beside { .. } => Ok(()),
            Piece::Skipped { why, .. } if form == Form::Csaf && why.starts_with("larger") => {
                Err(ReadError::Document(DOCUMENT_BYTES))
            }
            Piece::Skipped { at, why } => self.give(at, Err(why.to_owned())),
            Piece::Record { at, bytes } => match form {
                Form::Kev => self.give(at, kev::record(bytes).map(|kev| Item::Kev(Box::new(kev)))),
                Form::Nvd => self.give(at, nvd::record(bytes).map(|r| Item::Record(Box::new(r)))),
                Form::Cve5 => self.give(at, cve5::record(bytes).map(|r| Item::Record(Box::new(r)))),
                Form::Csaf => match csaf::document(bytes) {
                    Ok(records) => records
                        .into_iter()
                        .try_for_each(|record| self.give(at, record.map(|r| Item::Record(Box::new(r))))),
                    Err(why) => self.give(at, Err(why)),
                },
                Form::Epss => Ok(()),
            },
        }
    }

    fn give(&mut self, at: u64, item: Result<Item, String>) -> Result<(), ReadError> {
        match item {
            Ok(item) => {
                self.items += 1;
                if let Item::Record(record) = &item
                    && self.newest < record.modified
                {
                    self.newest.clone_from(&record.modified);
                }
                (self.take)(item).map_err(ReadError::Refused)
            }
            Err(why) => {
                self.bad += 1;
                if self.bad_records.len() < REPORTED {
                    let (record, why) = (self.items + self.bad, cut(&why, LINE));
                    self.bad_records.push(BadRecord { record, place: at, why });
                }
                Ok(())
            }
        }
    }
}

fn told(head: &[u8]) -> Result<Told, ReadError> {
    let text = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let whole = match first {
        Some(b'{') => 1,
        Some(b'[') => 2,
        Some(b'#' | b'c' | b'"') => return of_table(text).ok_or(ReadError::UnknownForm("")),
        Some(b'P') if text.starts_with(b"PK") => {
            return Err(ReadError::UnknownForm("; unpack the archive first"));
        }
        Some(0xfd) => return Err(ReadError::UnknownForm("; unpack the xz file first")),
        _ => return Err(ReadError::UnknownForm("")),
    };
    for (depth, key, value) in keys(text) {
        let told = match (depth.checked_sub(whole), key.as_str(), value) {
            (Some(0), "document" | "product_tree", _) => Told::Whole(Form::Csaf),
            (Some(0), "dataType" | "dataVersion" | "cveMetadata" | "containers", _) => {
                Told::Whole(Form::Cve5)
            }
            (Some(0), "catalogVersion" | "dateReleased", _) => Told::List(Form::Kev),
            (Some(0), "resultsPerPage" | "startIndex" | "totalResults" | "cve_items", _) => {
                Told::List(Form::Nvd)
            }
            (Some(0), "format", Some(b'"')) => Told::List(Form::Nvd),
            (Some(0), "id" | "sourceIdentifier", Some(b'"')) => Told::Whole(Form::Nvd),
            (Some(0), "cve", Some(b'{')) => Told::Whole(Form::Nvd),
            (Some(0), "cveID", _) => Told::Whole(Form::Kev),
            (Some(2), "cveID", _) => Told::List(Form::Kev),
            (Some(2), "cve", Some(b'{')) => Told::List(Form::Nvd),
            (Some(2), "cve" | "product_status", _) => Told::Whole(Form::Csaf),
            _ => continue,
        };
        return Ok(told);
    }
    Err(ReadError::UnknownForm(""))
}

fn of_table(text: &[u8]) -> Option<Told> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).to_lowercase();
    if line.starts_with("#model_version") || line.starts_with("cve,epss") {
        return Some(Told::Table(Form::Epss));
    }
    line.trim_start_matches('"').starts_with("cveid").then_some(Told::Table(Form::Kev))
}
