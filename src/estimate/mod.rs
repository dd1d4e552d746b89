//! How many devices to commit: from lists that a customer already has, before any sensor exists, and later from the
//! inventory.
//!
//! ```text
//! file ─► text ─► cmdb | leases | members ─► Table ─► rows ─┐
//!              └► json ─► meraki | defender ────────────────┴► ListedDevice ─┐
//!                                                                            ├─► overlap ─► verdict ─► Estimate
//! inventory (devices of a view) ─────────────────────────────────────────────┘
//! ```
//!
//! Pure: bytes and an instant in, a report out. `columns` says what each column holds: by a person, by its header, or by its
//! cells. `dates` and `states` understand a list's dates and status words as a whole. `overlap` finds the rows that stand for
//! one device: by MAC, id or serial number, or by address if nothing contradicts. [`Sorter`] classifies a device by the words
//! of its lists. [`crate::census::verdict`] decides whether it counts, as everywhere. Every row is exactly one of taken,
//! merged, excluded or unreadable, so the ledger closes ([`Estimate::closes`]). The order of files, and of the rows of a file,
//! never changes a number. What was not understood is in the report, with its number and its effect.
//!
//! # What is read
//!
//! | kind | form | members or columns |
//! |---|---|---|
//! | `cmdb` | CSV with `,` `;` tab or `\|`, with a header within the first ten records or with none; lease files of ISC DHCP and dnsmasq | those of [`FileColumn`](column::FileColumn) |
//! | `cmdb` | JSON of any product that is not listed below | the same, by the paths of members: `status.value`, `primary_ip4.address` |
//! | `meraki` | JSON of `GET /networks/{id}/clients` | `id`, `mac`, `ip`, `ip6`, `description`, `os`, `manufacturer`, `deviceTypePrediction`, `lastSeen` |
//! | `meraki` | JSON of `GET /networks/{id}/devices` or `/organizations/{id}/devices` | `mac`, `lanIp`, `name`, `model`, `productType`, `serial` |
//! | `defender` | JSON of `GET /api/machines` | `id`, `computerDnsName`, `osPlatform`, `lastIpAddress`, `ipAddresses` (`ipAddress`, `macAddress`, `operationalStatus`, `type`), `onboardingStatus`, `mergedIntoMachineId`, `isExcluded`, `deviceCategory`, `deviceType`, `lastSeen` |
//!
//! JSON may be one array, an answer with the records in `value` (or `items`, `data`, `results`, `pages` and the like),
//! several pages one after another, or one record a line. Text is UTF-8 with or without a byte order mark, or UTF-16 with one.

mod cell;
mod cmdb;
mod column;
mod columns;
mod dates;
mod defender;
mod encoding;
mod error;
mod exclusion;
mod fate;
mod file;
mod headers;
mod json;
mod judgement;
mod leases;
mod limits;
mod listed;
mod mapping;
mod members;
mod meraki;
mod moment;
mod nested;
mod overlap;
mod placeholder;
mod product;
mod quotes;
mod reading;
mod record;
mod report;
mod rows;
mod seekers;
mod shared;
mod sorter;
mod spelling;
mod states;
mod summary;
mod table;
mod unread;
mod words;

#[cfg(test)]
mod generated;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod situations;
#[cfg(test)]
mod tests;

pub(crate) use error::FileError;
pub(crate) use exclusion::Exclusion;
pub(crate) use file::{ReadOptions, read, signature};
pub(crate) use limits::{COLUMNS, FILE_BYTES, FILES};
pub(crate) use listed::ListedDevice;
pub(crate) use mapping::Mapping;
pub(crate) use reading::{FileKind, Reading};
pub(crate) use report::{Estimate, FileReport, RowOutcome, RowReport};
pub(crate) use sorter::Sorter;
