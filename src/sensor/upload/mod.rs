//! The upload half: from the spool to the plan service.

pub mod client;
pub mod delivery;
pub mod feedback;
pub mod identity;
pub mod route;
mod set_fetch;
pub mod signing;
pub mod spool;
pub(crate) mod trust;
