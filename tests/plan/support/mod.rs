//! What the tests share: databases, a running service, the people and sensors that use it, requests and their answers.
//!
//! Tests ask the service over HTTP or by its command line. The few that need the store or the service's own jobs reach
//! them through the helpers here, so that a rename inside the service changes this folder and not each test.

pub(crate) mod answers;
pub(crate) mod browser;
pub(crate) mod databases;
pub(crate) mod dice;
pub(crate) mod gate;
pub(crate) mod people;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod seen;
pub(crate) mod sensors;
pub(crate) mod service;
pub(crate) mod smtp;
pub(crate) mod store;
pub(crate) mod trail;

use std::time::Duration;

pub(crate) use answers::{Answer, assert_has, send};
pub(crate) use databases::Backend;
pub(crate) use seen::{Seen, upload};
pub(crate) use sensors::{TestSensor, signing_key, stranger};
pub(crate) use service::{Plan, START, at};

/// How long a test waits for something that must happen. Only a hang takes this long, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const HOUR: i64 = 3_600 * SECOND;
