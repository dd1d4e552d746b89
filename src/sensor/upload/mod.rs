//! The upload half: from the spool to the plan service.

pub mod client;
pub mod delivery;
pub mod feedback;
pub mod identity;
pub mod route;
pub mod signing;
pub mod spool;
pub(crate) mod trust;
