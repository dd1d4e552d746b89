//! The sensor from outside: its commands as processes, its delivery against a real HTTP server, its capture on a real
//! interface.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod commands;
mod confinement;
mod delivery;
mod exhaustion;
mod indicators;
mod live;
mod memory;
mod outage;
mod rules;
mod service;
mod situations;
mod units;
