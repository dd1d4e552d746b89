//! What the service does, whoever asks: console, API and command line call the same.

pub mod attempts;
pub mod bundling;
pub mod inventory;
pub mod jobs;
pub mod permission;
pub mod sealing;
pub mod service;
pub mod suspicion;
