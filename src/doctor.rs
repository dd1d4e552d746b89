//! What a doctor finds: on the appliance and at the plan service, each check gives findings with their remedy. A check
//! that cannot be made says so and why.

use std::io::{self, Write};

use serde::Serialize;

/// The schema of the report.
pub const SCHEMA: &str = "netcensus.doctor/1";

/// How a check came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckOutcome {
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
    pub outcome: CheckOutcome,
    /// What is so.
    pub finding: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn good(check: &'static str, subject: impl Into<String>, finding: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.into(),
            outcome: CheckOutcome::Good,
            finding: finding.into(),
            remedy: None,
        }
    }

    /// Something else than good, with what to do about it.
    pub fn other(
        outcome: CheckOutcome,
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
    /// In the order in which a person would look: each check needs what those before it found good.
    pub findings: Vec<Finding>,
}

impl From<Vec<Finding>> for Report {
    fn from(findings: Vec<Finding>) -> Self {
        let healthy = findings.iter().all(|f| f.outcome != CheckOutcome::Problem);
        Self { schema: SCHEMA, healthy, findings }
    }
}

impl Report {
    /// How many findings are problems.
    pub fn problems(&self) -> usize {
        self.findings.iter().filter(|f| f.outcome == CheckOutcome::Problem).count()
    }

    /// Writes it for people, or as one JSON document.
    ///
    /// # Errors
    /// Where `out` fails.
    pub fn write(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut *out, self)?;
            return writeln!(out);
        }
        self.findings.iter().try_for_each(|finding| finding.write(out))
    }
}

impl Finding {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mark = match self.outcome {
            CheckOutcome::Good => "good",
            CheckOutcome::Notice => "NOTICE",
            CheckOutcome::Problem => "PROBLEM",
            CheckOutcome::Unchecked => "unchecked",
        };
        let what = format!("{} {}", self.check, self.subject);
        writeln!(out, "{mark:<9}  {}: {}", safe(what.trim_end()), safe(&self.finding))?;
        match &self.remedy {
            Some(remedy) => writeln!(out, "{:<9}    -> {}", "", safe(remedy)),
            None => Ok(()),
        }
    }
}

/// A string as a terminal may show it: no control characters, and none that change the direction of writing.
pub fn safe(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}
