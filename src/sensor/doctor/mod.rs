//! What is wrong with a sensor, and what to do about it: for `netcensus-sensor doctor`.
//!
//! Each check gives findings; a check that cannot be made says so and why. The parts that judge are functions of what
//! was found out, so that tests need neither a mirror port nor a service.

pub mod interface;
pub mod mirror;
pub mod running;
pub mod service;
pub mod storage;

use serde::Serialize;

/// The schema of the report.
pub const SCHEMA: &str = "netcensus.doctor/1";

/// How a check came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// It works, but somebody should look at it.
    Notice,
    /// It does not work.
    Problem,
    /// It could not be found out.
    Unchecked,
}

/// What a check found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The check: `interface`, `mirror`, `clock` …
    pub check: &'static str,
    /// What was checked: an interface, a file, a host; empty where there is only one.
    pub subject: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What is so.
    pub finding: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn good(check: &'static str, subject: impl Into<String>, finding: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), outcome: Outcome::Good, finding: finding.into(), remedy: None }
    }

    /// Something else than good, with what to do about it.
    pub fn other(
        outcome: Outcome,
        check: &'static str,
        subject: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, subject: subject.into(), outcome, finding: finding.into(), remedy: Some(remedy.into()) }
    }
}

/// All findings.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether nothing is a problem.
    pub healthy: bool,
    /// In the order of the way of a frame: interface, sensor, spool, plan service.
    pub findings: Vec<Finding>,
}

impl From<Vec<Finding>> for Report {
    fn from(findings: Vec<Finding>) -> Self {
        let healthy = findings.iter().all(|f| f.outcome != Outcome::Problem);
        Self { schema: SCHEMA, healthy, findings }
    }
}
