//! The service over HTTP: the API for programs and sensors, the console for people.

pub mod address;
pub mod api;
pub mod auth;
pub mod conditional;
pub mod console;
pub mod extract;
pub mod guard;
pub mod limit;
pub mod operations;
pub mod problem;
mod rule_problems;
pub mod signed;
