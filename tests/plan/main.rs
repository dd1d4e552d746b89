//! The plan service as a whole: a real server on loopback, a real database, a clock that the test sets.
//!
//! Tests that `on_each_database!` lists run once on SQLite and once on PostgreSQL.

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
mod coverage;
#[cfg(feature = "failpoints")]
mod crashes;
mod decisions;
mod device_table;
mod enrolment;
mod entitlement;
mod estimates;
mod facts;
mod feeds;
mod findings;
mod forecasts;
mod guard;
mod histories;
mod history;
mod lists;
mod managed;
mod map;
mod notices;
mod ocsf;
mod oidc;
#[cfg(feature = "failpoints")]
mod overload;
mod pages;
mod pasts;
mod plan_pages;
mod plans;
mod queries;
mod security;
mod sensor_pages;
mod snapshot_commands;
mod snapshots;
mod statements;
mod stores;
mod support;
mod tenants;
mod tls;
mod uploads;
mod vectors;
mod views;
mod vulnerabilities;
mod walks;
mod zones;
