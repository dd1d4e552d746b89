//! From the spool to the plan service: what waits there, who the sensor is, how and to whom it sends.

pub mod client;
pub mod delivery;
pub mod feedback;
pub mod identity;
pub mod route;
pub mod signing;
pub mod spool;
pub mod trust;
