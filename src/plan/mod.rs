//! The plan service: who is a customer, which plan is in effect, which sensors report, and what their devices cost.
//!
//! ```text
//! browser ─► console ─┐                               ┌─► timeline (pure: P1 to P10)
//! program ─► api ─────┼─► service ─► store ───────────┤
//! sensor  ─► api ─────┘      │   (SQLite, PostgreSQL)  └─► facts (merge in the upload's transaction)
//!                            └─► inventory: merged facts in memory ─► census ─► views
//! ```
//!
//! What counts is decided by [`crate::census`] alone; what a device is, by [`crate::classify`]. Time comes from an
//! injected [`crate::clock::Clock`].

pub mod advisories;
pub mod alert_ledger;
pub mod alert_life;
pub mod app;
pub mod command;
pub mod config;
mod connection;
pub mod connections;
mod crash;
pub mod demo;
pub mod doctor;
pub mod entitlement;
pub mod feed;
pub mod finding_ledger;
pub mod http;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod mute;
pub mod notice;
pub mod oidc;
pub mod permission;
pub mod running;
pub mod secret;
pub mod server;
pub mod store;
pub mod terms;
pub mod tls;
