//! The plan service as a whole: a real server on loopback, a real database in a temporary folder, a clock that
//! stands where a test puts it.

mod census;
mod harness;
mod plans;
mod uploads;
