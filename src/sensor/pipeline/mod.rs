//! The capture half: capture threads and workers fill the table, the collector moves changes into the spool.

mod addressed;
pub mod bounds;
mod budget;
pub(crate) mod capturing;
pub mod checkpoint;
pub mod collector;
mod counters;
pub(crate) mod crew;
mod deeds;
mod digest;
mod exchanges;
mod fragments;
pub mod freshness;
#[cfg(test)]
mod freshness_laws;
mod pairs;
mod rows;
mod sightings;
mod speech;
mod split;
mod stretch;
pub mod table;
mod together;
mod traffic;
mod tunnels;
pub mod worker;
