//! The report of `doctor`, on the appliance and at the plan service: findings, each with its remedy. A check that cannot
//! be made says so and why.

use std::io::{self, Write};

use serde::Serialize;

use crate::census;
use crate::cli::terminal::{safe, write_json};

/// The schema of the report.
pub const SCHEMA: &str = "netcensus.doctor/1";

/// The check that shows the findings of the census.
pub const CENSUS: &str = "census";
/// The most findings of one census in a report.
const CENSUS_FINDINGS: usize = 20;

/// The outcome of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckOutcome {
    /// Nothing to do.
    Good,
    /// It works, but somebody should look at it.
    Notice,
    /// It does not work.
    Problem,
    /// The check could not be made.
    Unchecked,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The check: `interface`, `mirror`, `clock` …
    pub check: &'static str,
    /// What was checked: an interface, a file, a host; empty if there is only one.
    pub subject: String,
    pub outcome: CheckOutcome,
    /// What the check found.
    pub finding: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding with nothing to do.
    pub fn good(check: &'static str, subject: impl Into<String>, finding: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.into(),
            outcome: CheckOutcome::Good,
            finding: finding.into(),
            remedy: None,
        }
    }

    /// The first of the `total` findings of a census. `owner` is a subscription, or empty.
    pub fn of_census<'f>(
        owner: &str,
        findings: impl IntoIterator<Item = &'f census::Finding>,
        total: u64,
    ) -> Vec<Self> {
        if total == 0 {
            return vec![Self::good(CENSUS, owner, "no findings")];
        }
        let subject = |zone: &str| [owner, zone].join(" ").trim_start().to_owned();
        let notice = |f: &census::Finding| {
            Self::other(CheckOutcome::Notice, CENSUS, subject(&f.zone), f.to_string(), f.advice.clone())
        };
        let mut shown: Vec<Self> = findings.into_iter().take(CENSUS_FINDINGS).map(notice).collect();
        let more = total.saturating_sub(shown.len() as u64);
        if more > 0 {
            let remedy = "the inventory document and the console list them";
            shown.push(Self::other(
                CheckOutcome::Notice,
                CENSUS,
                owner,
                format!("{more} more findings"),
                remedy,
            ));
        }
        shown
    }

    /// A finding with a remedy.
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

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether nothing is a problem.
    pub healthy: bool,
    /// In the order in which a person would look: each check relies on those before it.
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

    /// Writes the findings as text, or the report as one JSON document.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            return write_json(self, out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Limit;

    #[test]
    fn a_finding_of_the_census_is_a_notice_with_its_advice() {
        let finding = census::Finding::lower_bound("hq", Limit::Couplings);
        let shown = Finding::of_census("Contoso", [&finding], 3);
        assert_eq!((shown[0].subject.as_str(), shown[0].outcome), ("Contoso hq", CheckOutcome::Notice));
        assert_eq!(
            (&shown[0].finding, shown[0].remedy.as_deref()),
            (&finding.sentence, Some(&*finding.advice))
        );
        assert_eq!(shown[1].finding, "2 more findings");
        assert!(Report::from(shown).healthy, "the sensor works; the network needs a look");
        assert_eq!(Finding::of_census("", [], 0)[0].outcome, CheckOutcome::Good);
    }
}
