//! `replay --findings`: the alerts and recommendations of a capture. A capture has no plan, so nothing is withheld.

use std::io::{self, BufWriter, Write};

use super::failure::Failure;
use super::source::{Arguments, SurveyInput};
use crate::census::ZoneNames;
use crate::census::time::DAY;
use crate::cli::table;
use crate::cli::terminal::{print_json, safe};
use crate::security::{self, FeedHolders, Security};

#[derive(Debug, clap::Args)]
pub(super) struct SecurityArguments {
    /// Print alerts and recommendations in place of the inventory
    #[arg(long)]
    pub(super) findings: bool,
    /// With --findings: for so many days after the zone's first frame, every master of industrial devices is new
    #[arg(long, value_name = "DAYS", default_value_t = 7, requires = "findings")]
    pub(super) baseline_days: u16,
    /// With --findings: a feed of indicators (list, hosts file, DROP, MISP, STIX); repeatable, beside those of the configuration
    #[arg(long, value_name = "FILE", requires = "findings")]
    pub(super) indicators: Vec<std::path::PathBuf>,
    /// With --findings: tell the alerts and recommendations that are off, too
    #[arg(long, requires = "findings")]
    pub(super) all_alerts: bool,
    /// With --findings: a folder of rules of alerts and recommendations [default: the configuration's]
    #[arg(long, value_name = "DIR", requires = "findings")]
    pub(super) findings_rules: Option<std::path::PathBuf>,
}

pub(super) fn list(arguments: &Arguments, how: &SecurityArguments) -> Result<(), Failure> {
    let folder = match &how.findings_rules {
        Some(folder) => folder.clone(),
        None => arguments.config.load()?.alerts.rules,
    };
    let rules = security::load(&folder).map_err(|e| Failure::configuration(e.to_string()))?;
    let facts = SurveyInput::gather(arguments)?;
    let survey = facts.survey();
    let baseline = i64::from(how.baseline_days) * DAY;
    let (names, feeds) = (ZoneNames::default(), FeedHolders::new());
    let security =
        security::derive(&survey, &facts.inventory, &names, &rules, baseline, how.all_alerts, &feeds);
    if arguments.json {
        return print_json(&security);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&security, &mut out)?;
    Ok(out.flush()?)
}

fn print(security: &Security, out: &mut dyn Write) -> io::Result<()> {
    if security.alerts.is_empty() {
        writeln!(out, "No alert.")?;
    } else {
        let rows = security.alerts.iter().map(|alert| {
            let object = if alert.object.is_empty() {
                table::NONE.to_owned()
            } else {
                safe(&alert.object).to_string()
            };
            let device = format!("{} {}", alert.device.ip, alert.device.mac);
            [
                alert.severity.title().to_owned(),
                alert.rule.clone(),
                alert.title.clone(),
                device,
                object,
                alert.first.to_string(),
                alert.last.to_string(),
            ]
        });
        table::print(out, &["SEVERITY", "RULE", "ALERT", "DEVICE", "OBJECT", "FIRST", "LAST"], rows)?;
        for alert in &security.alerts {
            writeln!(out, "\n{} {}", alert.rule, safe(&alert.sentence))?;
            for proof in &alert.proofs {
                let sample = if proof.sample.is_empty() {
                    String::new()
                } else {
                    format!(": {}", safe(&proof.sample.join(", ")))
                };
                writeln!(out, "  {} to {}: {}{sample}", proof.first, proof.last, safe(&proof.sentence))?;
            }
            writeln!(out, "  {}", alert.advice)?;
        }
    }
    writeln!(out)?;
    let rows = security.recommendations.iter().map(|r| {
        [
            r.severity.title().to_owned(),
            r.rule.clone(),
            r.name.clone(),
            r.unhealthy.len().to_string(),
            r.healthy.len().to_string(),
            r.not_assessed.to_string(),
        ]
    });
    table::print(out, &["SEVERITY", "RULE", "RECOMMENDATION", "UNHEALTHY", "HEALTHY", "NOT ASSESSED"], rows)
}
