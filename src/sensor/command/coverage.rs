//! `rules coverage`: what devices said that no rule knows, so that an operator sees what to write a rule for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::failure::Failure;
use super::rules::{field, json};
use super::source::{self, Facts};
use super::text::Table;
use crate::census::{Category, Classification, Classifier, ClassifierInput, Decisions, Field, Survey};
use crate::classify::Rules;

/// The most values that are told apart; more are only counted.
const VALUES: usize = 200_000;
/// Fields whose values are one device's own, and what the census concluded: nobody writes a rule for one.
const IDENTIFIERS: [Field; 8] = [
    Field::Behaviour,
    Field::LldpChassisId,
    Field::LldpMedSerial,
    Field::SnmpEngineId,
    Field::EnipSerial,
    Field::DhcpClientId,
    Field::DhcpDuid,
    Field::DnsQuery,
];

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor rules coverage                 of the running sensor
  netcensus-sensor rules coverage --undecided --capture office.pcap
  netcensus-sensor rules coverage --field dhcp.vendor_class --top 0")]
#[group(skip)]
pub(super) struct Arguments {
    /// Only what devices said whose category is not decided
    #[arg(long)]
    undecided: bool,
    /// Only this field of evidence
    #[arg(long, value_name = "NAME", value_parser = field)]
    field: Option<Field>,
    /// So many values at most; 0 for all
    #[arg(long, value_name = "N", default_value_t = 40)]
    top: usize,
    #[command(flatten)]
    source: source::Arguments,
}

/// The answer.
#[derive(Debug, Default, Serialize)]
struct Coverage {
    schema: &'static str,
    /// Devices, and speakers without an address, that were looked at.
    devices: u64,
    /// Those whose category is decided.
    decided: u64,
    /// Those whose category is not.
    undecided: u64,
    /// Values that no rule knows, and how many there are in all.
    unmatched_values: usize,
    /// Whether there were more values than are told apart.
    lower_bound: bool,
    unmatched: Vec<Unmatched>,
}

#[derive(Debug, Serialize)]
struct Unmatched {
    field: &'static str,
    value: String,
    devices: u64,
    undecided: u64,
}

pub(super) fn coverage(arguments: &Arguments) -> Result<(), Failure> {
    let facts = Facts::gather(&arguments.source)?;
    let found = measure(&facts, arguments);
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.source.json {
        return json(&found, out);
    }
    print(&found, &mut out)?;
    Ok(out.flush()?)
}

fn measure(facts: &Facts, arguments: &Arguments) -> Coverage {
    let observer = Observer { rules: &facts.rules, arguments, tally: RefCell::default() };
    let as_of = facts.as_of.unwrap_or_default();
    Survey::new(&facts.inventory, &facts.policy, &Decisions::default(), &observer, as_of);
    let tally = observer.tally.into_inner();
    let mut unmatched: Vec<Unmatched> = tally
        .values
        .into_iter()
        .map(|((field, value), (devices, undecided))| Unmatched {
            field: field.name(),
            value,
            devices,
            undecided,
        })
        .collect();
    let key = |u: &Unmatched| (std::cmp::Reverse((u.devices, u.undecided)), u.field);
    unmatched.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.value.cmp(&b.value)));
    let all = unmatched.len();
    if arguments.top > 0 {
        unmatched.truncate(arguments.top);
    }
    Coverage {
        schema: "netcensus.coverage/1",
        devices: tally.decided + tally.undecided,
        decided: tally.decided,
        undecided: tally.undecided,
        unmatched_values: all,
        lower_bound: tally.refused,
        unmatched,
    }
}

fn print(found: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    if !found.unmatched.is_empty() {
        let mut table = Table::new(&["DEVICES", "UNDECIDED", "FIELD", "VALUE"]);
        for u in &found.unmatched {
            table.row([u.devices.to_string(), u.undecided.to_string(), u.field.to_owned(), u.value.clone()]);
        }
        table.write(out)?;
        writeln!(out)?;
    }
    writeln!(out, "{} devices: {} decided, {} undecided", found.devices, found.decided, found.undecided)?;
    let more = if found.lower_bound { " or more" } else { "" };
    let shown = found.unmatched.len();
    writeln!(out, "{}{more} values that no rule knows, {shown} shown", found.unmatched_values)
}

/// Classifies as the rules do, and takes down what they do not know.
struct Observer<'a> {
    rules: &'a Rules,
    arguments: &'a Arguments,
    tally: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    decided: u64,
    undecided: u64,
    /// How many devices said it, and how many of them are undecided.
    values: HashMap<(Field, String), (u64, u64)>,
    refused: bool,
}

impl Classifier for Observer<'_> {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let what = self.rules.classify(subject);
        let undecided = what.category == Category::Unclassified;
        let mut tally = self.tally.borrow_mut();
        *(if undecided { &mut tally.undecided } else { &mut tally.decided }) += 1;
        if self.arguments.undecided && !undecided {
            return what;
        }
        for key in self.rules.unmatched(subject) {
            let wanted = match self.arguments.field {
                Some(field) => field == key.0,
                None => !IDENTIFIERS.contains(&key.0),
            };
            if !wanted {
                continue;
            }
            if tally.values.len() >= VALUES && !tally.values.contains_key(&key) {
                tally.refused = true;
                continue;
            }
            let count = tally.values.entry(key).or_default();
            count.0 += 1;
            count.1 += u64::from(undecided);
        }
        what
    }
}
