//! The sensor daemon and its commands.

pub mod command;
pub mod config;
pub mod confinement;
pub mod daemon;
pub mod doctor;
pub mod health;
pub mod pipeline;
pub mod replay;
pub mod rules;
pub mod status;
pub mod upload;
