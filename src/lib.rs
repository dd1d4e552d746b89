//! netcensus counts the devices that an Enterprise IoT plan bills, from a mirrored switch port.
//!
//! ```text
//! frames ─► capture ─► dissect ─► facts ─► sensor inventory (DashMap) ─► census (merge, identity, verdict)
//!                                                    │                          ▲             ▲
//!                                                    └─► delta ─► spool ─► upload ═HTTP═► plan api ─► store
//! ```
//!
//! [`census`], [`classify`](crate) and `dissect` are pure: no clock, no I/O, no async, no logging.

#[cfg(test)]
mod architecture;
pub mod census;
pub mod wire;

#[cfg(feature = "sensor")]
pub mod dissect;

pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
#[cfg(any(feature = "sensor", feature = "plan"))]
pub mod lock;
pub mod notify;
pub mod rulebook;
#[cfg(any(feature = "sensor", feature = "plan"))]
pub mod tls;

pub mod classify;
pub mod security;

#[cfg(feature = "sensor")]
pub mod capture;
#[cfg(feature = "sensor")]
pub mod sensor;

#[cfg(feature = "plan")]
pub mod advisory;
#[cfg(feature = "plan")]
pub mod billing;
#[cfg(feature = "plan")]
pub(crate) mod change;
#[cfg(feature = "plan")]
pub(crate) mod estimate;
#[cfg(feature = "plan")]
pub(crate) mod listing;
#[cfg(feature = "plan")]
#[doc(hidden)]
pub use listing::check_query;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "plan")]
pub mod proof;
