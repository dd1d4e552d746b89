//! From frames to deltas: capture threads and workers fill the table, the collector empties it into the spool.

pub mod bounds;
pub mod capturing;
pub mod checkpoint;
pub mod collector;
mod fragments;
pub mod table;
pub mod worker;
