//! `rules coverage`: values of evidence that no rule matches, so that an operator sees what to write a rule for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::arguments::field;
use super::failure::Failure;
use super::source::{self, SurveyInput};
use crate::census::{Category, Classification, Classifier, ClassifierInput, Decisions, Field, Survey};
use crate::classify::Rules;
use crate::cli::table;
use crate::cli::terminal::print_json;

/// Maximum number of distinct values. Above it, further values are dropped and the answer says `lower_bound`.
const VALUES: usize = 200_000;
/// Fields whose values identify one device or are conclusions of the census: a rule for one makes no sense.
const IDENTIFIERS: [Field; 10] = [
    Field::Behaviour,
    Field::MacMakes,
    Field::LldpChassisId,
    Field::LldpMedSerial,
    Field::SnmpEngineId,
    Field::EnipSerial,
    Field::DhcpClientId,
    Field::DhcpDuid,
    Field::DhcpBoot,
    Field::DnsQuery,
];

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor rules coverage                 ask the running sensor
  netcensus-sensor rules coverage --undecided --capture office.pcap
  netcensus-sensor rules coverage --field dhcp.vendor_class --top 0")]
#[group(skip)]
pub(super) struct Arguments {
    /// Only values of devices whose category is undecided
    #[arg(long)]
    undecided: bool,
    /// Only this field of evidence
    #[arg(long, value_name = "NAME", value_parser = field)]
    field: Option<Field>,
    /// Maximum number of values to list; 0 lists all
    #[arg(long, value_name = "N", default_value_t = 40)]
    top: usize,
    #[command(flatten)]
    source: source::Arguments,
}

#[derive(Debug, Default, Serialize)]
struct Coverage {
    schema: &'static str,
    /// Devices, and speakers without an address.
    devices: u64,
    decided: u64,
    undecided: u64,
    /// How many values no rule matches, before `--top` cuts the list.
    unmatched_values: usize,
    /// Whether there were more than [`VALUES`].
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
    let facts = SurveyInput::gather(&arguments.source)?;
    let found = measure(&facts, arguments);
    if arguments.source.json {
        return print_json(&found);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&found, &mut out)?;
    Ok(out.flush()?)
}

fn measure(facts: &SurveyInput, arguments: &Arguments) -> Coverage {
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
        let rows = found
            .unmatched
            .iter()
            .map(|u| [u.devices.to_string(), u.undecided.to_string(), u.field.to_owned(), u.value.clone()]);
        table::print(out, &[">DEVICES", ">UNDECIDED", "FIELD", "VALUE"], rows)?;
        writeln!(out)?;
    }
    writeln!(out, "{} devices: {} decided, {} undecided", found.devices, found.decided, found.undecided)?;
    let more = if found.lower_bound { " or more" } else { "" };
    let shown = found.unmatched.len();
    writeln!(out, "{}{more} values that no rule matches, {shown} shown", found.unmatched_values)
}

/// Classifies by the rules and collects the values that none of them matches.
struct Observer<'a> {
    rules: &'a Rules,
    arguments: &'a Arguments,
    tally: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    decided: u64,
    undecided: u64,
    /// How many devices have the value, and how many of these are undecided.
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
