//! The checks of `netcensus-sensor doctor`.
//!
//! Each judges what was observed as a pure function, so that tests need neither a mirror port nor a service.

pub(crate) mod interface;
pub(crate) mod mirror;
pub(crate) mod running;
pub(crate) mod service;
pub(crate) mod storage;

pub(crate) use crate::doctor::{CheckOutcome, Finding, Report};
