//! `simulate`: counts the same inventory in other ways.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::failure::Failure;
use super::source::{self, SurveyInput};
use crate::census::{
    Census, Counting, Difference, Simulated, Survey, Timestamp, simulate as count, time::rfc3339,
};
use crate::cli::table::{self, NONE};
use crate::cli::terminal::print_json;

/// Maximum number of differences in the text for each way to count; the JSON has all.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor simulate                         count the running sensor's devices
  netcensus-sensor simulate --capture office.pcap
  netcensus-sensor simulate --capture office.pcap --all
  netcensus-sensor simulate --capture office.pcap --json | jq '.simulated[].billable'")]
#[group(skip)]
pub(super) struct Arguments {
    /// List every difference, not only the first 20 for each way to count
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    source: source::Arguments,
}

#[derive(Debug, Serialize)]
struct Document<'s> {
    schema: &'static str,
    policy: &'s str,
    #[serde(with = "rfc3339")]
    as_of: Timestamp,
    census: &'s Census,
    simulated: Vec<Simulated>,
}

pub(super) fn simulate(arguments: &Arguments) -> Result<(), Failure> {
    let facts = SurveyInput::gather(&arguments.source)?;
    let survey = facts.survey();
    let simulated = Counting::ALL.map(|counting| count(&survey, counting)).into();
    let document = Document {
        schema: "netcensus.simulation/1",
        policy: survey.policy,
        as_of: survey.as_of,
        census: &survey.census,
        simulated,
    };
    if arguments.source.json {
        return print_json(&document);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&document, &survey, if arguments.all { usize::MAX } else { SHOWN }, &mut out)?;
    Ok(out.flush()?)
}

fn print(document: &Document<'_>, survey: &Survey<'_>, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    let real = &survey.census;
    let line = |counting: &str, billable: u64, commitment: u64, what: &str| {
        let difference = i128::from(billable) - i128::from(real.billable);
        let difference = if difference == 0 { "0".to_owned() } else { format!("{difference:+}") };
        [counting.to_owned(), billable.to_string(), commitment.to_string(), difference, what.to_owned()]
    };
    let mut rows = vec![line(survey.policy, real.billable, real.commitment, "network and IoT devices")];
    rows.extend(
        document
            .simulated
            .iter()
            .map(|s| line(s.counting.key(), s.billable, s.commitment, s.counting.title())),
    );
    table::print(out, &["COUNTING", ">BILLABLE", ">COMMITMENT", ">DIFFERENCE", "WHAT COUNTS"], &rows)?;
    for s in document.simulated.iter().filter(|s| !s.differs.is_empty()) {
        writeln!(out, "\n{}: what it counts differently from {}", s.counting.key(), survey.policy)?;
        let header = ["IP", "MAC", "VERDICT", ">COUNTS", ">WOULD COUNT"];
        table::print(out, &header, s.differs.iter().take(shown).map(row))?;
        if s.differs.len() > shown {
            writeln!(out, "… and {} more; --all lists them", s.differs.len() - shown)?;
        }
    }
    Ok(())
}

fn row(d: &Difference) -> [String; 5] {
    let several = || if d.device.is_none() { format!("{} addresses", d.simulated) } else { NONE.to_owned() };
    [
        d.ip.map_or_else(several, |ip| ip.to_string()),
        d.mac.to_string(),
        d.verdict.id().to_owned(),
        d.counted.to_string(),
        d.simulated.to_string(),
    ]
}
