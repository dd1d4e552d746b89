//! What is wrong with a sensor, and what to do about it: for `netcensus-sensor doctor`.
//!
//! The parts that judge are functions of what was found out, so that tests need neither a mirror port nor a service.

pub mod interface;
pub mod mirror;
pub mod running;
pub mod service;
pub mod storage;

pub use crate::doctor::{CheckOutcome, Finding, Report};
