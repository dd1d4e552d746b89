//! The sensor daemon and its commands.

pub mod config;
pub mod replay;
pub mod table;
pub mod worker;
