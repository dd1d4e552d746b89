//! How many devices to commit to: from lists that a customer already has, before any sensor exists, and from the
//! inventory afterwards.
//!
//! ```text
//! file ─► text ─► cmdb | json ─► meraki | defender ─► ListedDevice ─┐
//!                                                            ├─► overlap ─► verdict ─► Estimate
//! inventory (devices of a view) ─────────────────────────────┘
//! ```
//!
//! Pure: bytes and an instant in, a report out. Rows that stand for one device are found by MAC, else by address where
//! no MAC contradicts (`overlap`); what a device is, is told by what the lists say of it ([`Sorter`]); whether it
//! counts is decided by [`crate::census::verdict`], as everywhere. Every row ends as exactly one of taken, merged,
//! excluded or unreadable, so that the ledger closes ([`Estimate::closes`]). Neither the order of the files nor that of
//! their rows changes a number.
//!
//! # What is read
//!
//! | kind | form | members or columns |
//! |---|---|---|
//! | `cmdb` | CSV with `,` `;` tab or `\|`, a header within the first ten lines | those of [`FileColumn`], guessed from the header or named with `mac=COLUMN` |
//! | `meraki` | JSON of `GET /networks/{id}/clients` | `id`, `mac`, `ip`, `ip6`, `description`, `os`, `manufacturer`, `deviceTypePrediction`, `lastSeen` |
//! | `meraki` | JSON of `GET /networks/{id}/devices` or `/organizations/{id}/devices` | `mac`, `lanIp`, `name`, `model`, `productType`, `serial` |
//! | `defender` | JSON of `GET /api/machines` | `id`, `computerDnsName`, `osPlatform`, `lastIpAddress`, `ipAddresses` (`ipAddress`, `macAddress`, `operationalStatus`, `type`), `onboardingStatus`, `mergedIntoMachineId`, `isExcluded`, `deviceCategory`, `deviceType`, `lastSeen` |
//!
//! JSON comes as one array, as an answer's `value` (also `items`, `data`, `results`, `pages` and the like), as pages
//! one after another, or as one record a line. Text is UTF-8 with or without a byte order mark, or UTF-16 with one.

mod cell;
mod cmdb;
mod column;
mod columns;
mod defender;
mod encoding;
mod error;
mod exclusion;
mod fate;
mod file;
mod json;
mod judgement;
mod limits;
mod listed;
mod mapping;
mod meraki;
mod overlap;
mod reading;
mod record;
mod report;
mod sorter;
mod words;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use column::FileColumn;
pub use columns::Columns;
pub use error::FileError;
pub use exclusion::Exclusion;
pub use file::{ReadOptions, read, signature};
pub use limits::{ADDRESSES, COLUMNS, FILE_BYTES, FILES, ROWS};
pub use listed::ListedDevice;
pub use mapping::Mapping;
pub use overlap::ADDRESS_LIFE;
pub use reading::{FileKind, FileRow, Reading};
pub use report::{Estimate, FileReport, InventoryReport, Ledger, Managing, RowOutcome, RowReport, SCHEMA};
pub use sorter::{Basis, Sorted, Sorter};
