//! `explain`: why an address or a MAC counts or does not count.

use std::io::{self, BufWriter, Write};

use super::failure::Failure;
use super::source::{self, SurveyInput};
use crate::census::{RungOutcome, Timestamp};
use crate::cli::terminal::{print_json, safe};
use crate::wire::{
    CouplingAnswer, DeviceAnswer, Explanation, LineAnswer, ReasonAnswer, Subject, UnaddressedAnswer,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor explain 10.2.0.41
  netcensus-sensor explain 00:40:8c:12:34:56 --capture office.pcap
  netcensus-sensor explain 203.0.113.7 --capture office.pcap --json")]
#[group(skip)]
pub(super) struct Arguments {
    /// The address or MAC
    #[arg(value_name = "IP|MAC")]
    subject: Subject,
    #[command(flatten)]
    source: source::Arguments,
}

pub(super) fn explain(arguments: Arguments) -> Result<(), Failure> {
    let facts = SurveyInput::gather(&arguments.source)?;
    let answer = Explanation::new(&facts.survey(), arguments.subject, &facts.policy, facts.frames.as_ref());
    if answer.is_empty() {
        return Err(Failure::failed(arguments.subject.unknown()));
    }
    if arguments.source.json {
        return print_json(&answer);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&answer, &mut out)?;
    Ok(out.flush()?)
}

fn print(answer: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "As of {}, policy {}", answer.as_of, safe(&answer.policy))?;
    for device in &answer.devices {
        writeln!(out)?;
        print_device(device, out)?;
    }
    for line in &answer.lines {
        writeln!(out)?;
        print_line(line, out)?;
    }
    for unaddressed in &answer.unaddressed {
        writeln!(out)?;
        print_unaddressed(unaddressed, out)?;
    }
    Ok(())
}

fn print_device(answer: &DeviceAnswer, out: &mut dyn Write) -> io::Result<()> {
    let d = &answer.device;
    writeln!(out, "Device {} {} in zone '{}'", d.ip, d.mac, safe(&d.zone))?;
    writeln!(out, "  {} {}", d.verdict.id(), answer.verdict)?;
    let known = [
        ("maker", &d.vendor),
        ("model", &d.model),
        ("system", &d.os),
        ("firmware", &d.firmware),
        ("name", &d.name),
    ];
    let what: Vec<String> =
        known.iter().filter_map(|(k, v)| v.as_ref().map(|v| format!(", {k} {}", safe(v)))).collect();
    let percent = d.confidence * 100.0;
    writeln!(out, "  {}, {}{} ({percent:.0} % certain)", d.category.title(), safe(&d.kind), what.concat())?;
    if d.random_mac {
        writeln!(out, "  its MAC is locally administered, so it may be random")?;
    }
    writeln!(out, "\nThe rules, in order")?;
    for rung in &answer.ladder {
        let mark = if rung.outcome == RungOutcome::Decided { ">" } else { " " };
        writeln!(out, "{mark} {:9} {:14}  {}", rung.rule.id(), rung.outcome.title(), rung.title)?;
    }
    writeln!(out, "\nCouplings")?;
    for c in &answer.couplings {
        print_coupling(c, out)?;
    }
    for join in &answer.joins {
        writeln!(out, "  {} belongs to {}: {}", join.coupling, join.with, join.title)?;
        if let Some(by) = &join.by {
            writeln!(out, "    {}={}{}", by.field, safe(&by.value), place(by.frame, Some(by.at)))?;
        }
    }
    if let Some(why) = &answer.forwards {
        writeln!(out, "  it forwards packets for others: {why}")?;
    }
    print_reasons(&answer.reasons, out)?;
    print_changes(&answer.changes, out)
}

fn print_line(answer: &LineAnswer, out: &mut dyn Write) -> io::Result<()> {
    let c = &answer.coupling;
    writeln!(out, "No device: {} seen with {} in zone '{}'", c.ip, c.mac, safe(&answer.zone))?;
    writeln!(out, "  {} {}", answer.rule.id(), answer.verdict)?;
    print_coupling(c, out)?;
    if let Some(why) = &answer.forwards {
        writeln!(out, "  {} forwards packets for others: {why}", c.mac)?;
    }
    print_changes(&answer.changes, out)
}

fn print_unaddressed(answer: &UnaddressedAnswer, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Without an address: {}", answer.mac)?;
    let name = answer.name.as_ref().map(|n| format!(", name {}", safe(n))).unwrap_or_default();
    writeln!(out, "  {}, {}{name}: listed, not counted (I14)", answer.category.title(), safe(&answer.kind))?;
    print_reasons(&answer.reasons, out)?;
    print_changes(&answer.changes, out)
}

fn print_coupling(coupling: &CouplingAnswer, out: &mut dyn Write) -> io::Result<()> {
    let binding = format!("{:?}", coupling.binding).to_lowercase();
    let state = coupling.state.map_or_else(|| "no device's".to_owned(), |s| format!("{s:?}").to_lowercase());
    let vlans: Vec<String> = coupling.vlan.iter().map(ToString::to_string).collect();
    let vlan = if vlans.is_empty() { String::new() } else { format!(", VLAN {}", vlans.join(" ")) };
    writeln!(out, "  {} {}: {binding}, {state}{vlan}", coupling.mac, coupling.ip)?;
    writeln!(out, "    seen from {} to {}", coupling.first_seen, coupling.last_seen)?;
    if let Some(proof) = &coupling.proof {
        writeln!(out, "    proven: {}{}", proof.by, place(proof.frame, Some(proof.at)))?;
    }
    for sign in &coupling.signs {
        writeln!(out, "    {sign}")?;
    }
    Ok(())
}

fn print_reasons(reasons: &[ReasonAnswer], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nWhy it has this type")?;
    if reasons.is_empty() {
        writeln!(out, "  no rule matches what it said")?;
    }
    for r in reasons {
        let title = if r.title.is_empty() { &r.evidence.rule } else { &r.title };
        writeln!(out, "  {}: {}", safe(title), safe(&r.evidence.conclusions()))?;
        let place = place(r.evidence.frame, r.evidence.at);
        writeln!(out, "    {}={}{place}", r.evidence.field, safe(&r.evidence.value))?;
    }
    Ok(())
}

fn print_changes(changes: &[String], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nWhat would change this")?;
    for change in changes {
        writeln!(out, "  {change}")?;
    }
    Ok(())
}

/// Which frame said it first, and when.
fn place(frame: Option<u64>, at: Option<Timestamp>) -> String {
    match (frame, at) {
        (Some(frame), Some(at)) => format!("  frame {frame}, {at}"),
        (None, Some(at)) => format!("  {at}"),
        _ => String::new(),
    }
}
