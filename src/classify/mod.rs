//! Classification: from evidence to category, type, vendor and model, with reasons.
//!
//! Knowledge is data, compiled in: [`Taxonomy`] (`config/taxonomy.toml`), makers (`config/vendors.toml`) and rule packs
//! (`config/rules/*.toml`). An operator can add packs in a folder; a rule with a known id replaces the earlier one. Each
//! rule has tests. The tests of operator packs run when the packs are loaded, and one error refuses the whole set. The
//! tests of compiled packs run among this crate's tests. [`Rules`] do not change once loaded: a reload builds new ones.
//! A pattern is compiled when a value first needs it.
//!
//! [`Rules`] are a pure function of the evidence. The order and the repetition of evidence and of rules do not change a
//! conclusion. `score` documents how conclusions are drawn and when none is drawn.
//!
//! Limits: 256 files, 1 MiB a file, 1 MiB of memory a pattern, 64 characters a captured text, 64 reasons a device.

mod builtin;
mod catalog;
mod error;
mod fact;
mod files;
mod index;
mod literal;
mod matcher;
mod pack;
mod reader;
mod recog;
mod rule;
mod rules;
mod score;
mod source;
mod summary;
mod taxonomy;
mod vendors;
mod weighing;

#[cfg(test)]
mod tests;

pub use catalog::RuleFileCheck;
pub use error::{Place, RuleError};
pub use files::{RuleFile, RuleFiles};
pub use rules::Rules;
pub use summary::{RuleEntry, RuleState};
pub use taxonomy::{Node, Taxonomy};
