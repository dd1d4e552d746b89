//! The checks of `netcensus-sensor doctor`.
//!
//! Each judges what was observed as a pure function, so that tests need neither a mirror port nor a service.

pub mod interface;
pub mod mirror;
pub mod running;
pub mod service;
pub mod storage;

pub use crate::doctor::{CheckOutcome, Finding, Report};
