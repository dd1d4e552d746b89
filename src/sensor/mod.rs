//! The sensor daemon and its commands.

pub mod bounds;
pub mod capturing;
pub mod checkpoint;
pub mod collector;
pub mod command;
pub mod config;
pub mod confinement;
pub mod daemon;
pub mod delivery;
pub mod doctor;
mod fragments;
pub mod health;
pub mod identity;
pub mod logging;
pub mod replay;
pub mod route;
pub mod rules;
pub mod signing;
pub mod spool;
pub mod status;
pub mod table;
pub mod told;
pub mod trust;
pub mod uploader;
pub mod worker;
