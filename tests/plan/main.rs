//! The plan service as a whole: a real server on loopback, a real database in a temporary folder, a clock that
//! stands where a test puts it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of tests fails by panicking"
)]

mod access;
mod agreement;
mod audit;
mod census;
mod commands;
mod console;
mod conventions;
#[cfg(feature = "failpoints")]
mod crashes;
mod database;
mod decisions;
mod enrolment;
mod estimates;
mod facts;
mod guard;
mod harness;
mod histories;
mod lists;
mod oidc;
mod plans;
mod snapshots;
mod statements;
mod stores;
mod tls;
mod uploads;
mod vectors;
