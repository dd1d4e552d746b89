//! The capture half: capture threads and workers fill the table, the collector moves changes into the spool.

pub mod bounds;
pub(crate) mod capturing;
pub mod checkpoint;
pub mod collector;
mod fragments;
mod split;
pub mod table;
pub mod worker;
