//! `simulate`: the count under other ways to count, from the same inventory.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::failure::Failure;
use super::source::{self, Facts};
use super::text::{NONE, Table};
use crate::census::{
    Census, Counting, Difference, Simulated, Survey, Timestamp, simulate as count, time::rfc3339,
};

/// Differences that are listed for people, a way to count; `--json` lists all.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor simulate                         the running sensor's devices
  netcensus-sensor simulate --capture office.pcap
  netcensus-sensor simulate --capture office.pcap --all
  netcensus-sensor simulate --capture office.pcap --json | jq '.simulated[].billable'")]
#[group(skip)]
pub(super) struct Arguments {
    /// List every device that differs, not only the first 20 of each way
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
    let facts = Facts::gather(&arguments.source)?;
    let survey = facts.survey();
    let simulated = Counting::ALL.map(|counting| count(&survey, counting)).into();
    let document = Document {
        schema: "netcensus.simulation/1",
        policy: survey.policy,
        as_of: survey.as_of,
        census: &survey.census,
        simulated,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.source.json {
        serde_json::to_writer(&mut out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&document, &survey, if arguments.all { usize::MAX } else { SHOWN }, &mut out)?;
    }
    Ok(out.flush()?)
}

fn print(document: &Document<'_>, survey: &Survey<'_>, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["COUNTING", "BILLABLE", "COMMITMENT", "DIFFERENCE", "WHAT COUNTS"]);
    let real = &survey.census;
    let number = |n: u64| format!("{n:>8}");
    let counted = "network and IoT devices".to_owned();
    table.row([survey.policy.to_owned(), number(real.billable), number(real.commitment), number(0), counted]);
    for s in &document.simulated {
        let difference = i128::from(s.billable) - i128::from(real.billable);
        table.row([
            s.counting.key().to_owned(),
            number(s.billable),
            number(s.commitment),
            format!("{difference:>+8}"),
            s.counting.title().to_owned(),
        ]);
    }
    table.write(out)?;
    for s in document.simulated.iter().filter(|s| !s.differs.is_empty()) {
        writeln!(out, "\n{}: what counts otherwise than by {}", s.counting.key(), survey.policy)?;
        let mut table = Table::new(&["IP", "MAC", "VERDICT", "COUNTS", "WOULD COUNT"]);
        for d in s.differs.iter().take(shown) {
            table.row(row(d));
        }
        table.write(out)?;
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
