//! Advisories: which known vulnerabilities a device has, and why this is said.
//!
//! **Pure**: readers take bytes, everything else takes values. `plan/advisories` keeps what the readers made.
//!
//! 1. [`read`] takes a file of CISA KEV, CSAF 2.0, NVD 2.0, CVE 5 or EPSS apart and gives [`Item`]s, one at a time. It
//!    never holds more than one record. A record that cannot be read is counted with its place and skipped; a file that
//!    cannot be read as a whole is an error.
//! 2. [`Products`] (`config/vulnerabilities/products.toml`) says under which names advisories know a device, and by which
//!    [`Scheme`] its versions compare. A device that no row names is *not mapped*.
//!    [`Components`] (`config/vulnerabilities/components.toml`) does so for the software that banners name.
//! 3. `Profile::judge` compares a record with a device's firmware; [`conclude`] decides between several sources.
//!
//! Nothing is guessed. A version text that does not fit its scheme wholly, a condition on a second product that the device
//! does not prove, and a sentence instead of a version make the answer *undecided*, which is not shown as a vulnerability.

mod check;
mod components;
mod cpe;
mod csaf;
mod cve5;
mod epss;
mod error;
#[doc(hidden)]
pub mod generated;
mod id;
mod kev;
mod limits;
mod matching;
mod names;
mod nvd;
mod pieces;
mod products;
mod range;
mod reading;
mod record;
mod scheme;
mod score;
mod unpacked;
mod verdict;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;

#[doc(hidden)]
pub use check::{check_components, check_range, check_versions};
pub use components::{Component, Components};
pub use cpe::{Attribute, Cpe, Part};
pub use epss::Epss;
pub use error::{BadRecord, ReadError};
pub use id::CveId;
pub use kev::Kev;
pub use limits::{CVES, FILE_BYTES, INDEX_BYTES, MATCHES, RECORD_BYTES};
pub use matching::{Firmware, Judged, Leaf, Prepared, Profile, Proof, Readied, Why};
pub use products::{Name, Named, Products, ProductsError};
pub use reading::{Form, Item, ReadSummary, read};
pub use record::{Bound, Constraint, Criterion, Group, Node, Record, Source, Status};
pub use scheme::{Scheme, Version};
pub use score::{Score, Severity};
pub use verdict::{Conclusion, Verdict, Voice, conclude};
