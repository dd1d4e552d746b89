//! The sensor daemon and its commands.

#[cfg(test)]
mod attacks;
pub mod command;
pub mod config;
pub mod confinement;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub mod health;
pub mod indicator_set;
pub mod indicators;
pub mod pipeline;
mod progress;
pub mod replay;
pub(crate) mod rules;
pub mod status;
pub mod upload;
