//! `explain`: why an address or a MAC is counted, or is not.

use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;

use super::failure::{FAILED, Failure};
use super::source::{self, Facts};
use super::text::safe;
use crate::census::{
    Binding, Category, CouplingKey, Decisions, Device, JoinReason, Line, MacAddr, Outcome, Policy, Reason,
    Rung, Survey, Timestamp, Unaddressed, Verdict, Zone, changes, ladder, time::rfc3339,
};
use crate::wire::{DeviceEntry, EvidenceEntry};

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

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Ip(IpAddr),
    Mac(MacAddr),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ip = text.parse().map(Self::Ip);
        ip.or_else(|_| text.parse().map(Self::Mac))
            .map_err(|_| "write an address as 10.2.0.41 or fe80::1, a MAC as aa:bb:cc:dd:ee:ff".to_owned())
    }
}

impl Subject {
    fn matches(self, key: CouplingKey) -> bool {
        match self {
            Self::Ip(ip) => key.ip == ip,
            Self::Mac(mac) => key.mac == mac,
        }
    }
}

pub(super) fn explain(arguments: Arguments) -> Result<(), Failure> {
    let facts = Facts::gather(&arguments.source)?;
    let as_of = facts.as_of.unwrap_or_default();
    let decisions = Decisions::default();
    let survey = Survey::new(&facts.inventory, &facts.policy, &decisions, &facts.rules, as_of);
    let answer = Answer::new(arguments.subject, &facts, &survey);
    if answer.is_empty() {
        return Err(Failure::new(FAILED, unknown(arguments.subject)));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.source.json {
        serde_json::to_writer(&mut out, &answer).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        answer.print(&mut out)?;
    }
    Ok(out.flush()?)
}

fn unknown(subject: Subject) -> String {
    match subject {
        Subject::Ip(ip) => format!(
            "{ip}: no frame showed this address with a MAC; it may be silent, beyond another router, or a group or broadcast address, which is never a device"
        ),
        Subject::Mac(mac) => format!(
            "{mac}: no frame showed this MAC with an address, nor speaking LLDP, CDP or STP; it may be silent, or not on the mirrored ports"
        ),
    }
}

/// Everything that is known of the subject.
#[derive(Debug, Serialize)]
struct Answer {
    schema: &'static str,
    policy: String,
    #[serde(with = "rfc3339")]
    as_of: Timestamp,
    devices: Vec<DeviceAnswer>,
    lines: Vec<LineAnswer>,
    unaddressed: Vec<UnaddressedAnswer>,
}

#[derive(Debug, Serialize)]
struct DeviceAnswer {
    device: DeviceEntry,
    verdict: &'static str,
    ladder: Vec<Rung>,
    couplings: Vec<CouplingAnswer>,
    joins: Vec<JoinAnswer>,
    forwards: Option<String>,
    reasons: Vec<ReasonAnswer>,
    changes: Vec<String>,
}

/// A coupling that is no device's.
#[derive(Debug, Serialize)]
struct LineAnswer {
    zone: String,
    rule: Verdict,
    verdict: &'static str,
    coupling: CouplingAnswer,
    forwards: Option<String>,
    changes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct UnaddressedAnswer {
    mac: MacAddr,
    category: Category,
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    reasons: Vec<ReasonAnswer>,
    changes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CouplingAnswer {
    mac: MacAddr,
    ip: IpAddr,
    binding: Binding,
    vlan: Vec<u16>,
    #[serde(with = "rfc3339")]
    first_seen: Timestamp,
    #[serde(with = "rfc3339")]
    last_seen: Timestamp,
    signs: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct JoinAnswer {
    coupling: String,
    with: String,
    reason: JoinReason,
    title: &'static str,
}

#[derive(Debug, Serialize)]
struct ReasonAnswer {
    #[serde(flatten)]
    evidence: EvidenceEntry,
    title: String,
}

impl Answer {
    fn new(subject: Subject, facts: &Facts, survey: &Survey<'_>) -> Self {
        let devices = survey.devices.iter().filter(|d| d.couplings.iter().any(|m| subject.matches(m.key)));
        let lines = survey.lines.iter().filter(|l| subject.matches(l.key));
        let unaddressed =
            survey.unaddressed.iter().filter(|u| matches!(subject, Subject::Mac(mac) if mac == u.mac));
        Self {
            schema: "netcensus.explanation/1",
            policy: survey.policy.to_owned(),
            as_of: survey.as_of,
            devices: devices.map(|d| DeviceAnswer::new(d, facts)).collect(),
            lines: lines
                .filter_map(|l| {
                    let zone = facts.inventory.zones.get(l.zone)?;
                    LineAnswer::new(l, zone, &facts.policy)
                })
                .collect(),
            unaddressed: unaddressed.map(|u| UnaddressedAnswer::new(u, facts)).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.lines.is_empty() && self.unaddressed.is_empty()
    }
}

impl DeviceAnswer {
    fn new(d: &Device<'_>, facts: &Facts) -> Self {
        let couplings = d.couplings.iter().map(|m| CouplingAnswer {
            mac: m.key.mac,
            ip: m.key.ip,
            binding: m.binding,
            vlan: m.facts.vlans.clone(),
            first_seen: m.facts.first_seen,
            last_seen: m.facts.last_seen,
            signs: m.facts.signs.iter().map(|s| s.title()).collect(),
        });
        let joins = d.joins.iter().map(|j| JoinAnswer {
            coupling: pair(j.coupling),
            with: pair(j.with),
            reason: j.reason,
            title: j.reason.title(),
        });
        Self {
            verdict: d.verdict.title(),
            ladder: ladder(d.verdict),
            couplings: couplings.collect(),
            joins: joins.collect(),
            forwards: d.forwards.map(|why| why.to_string()),
            reasons: reasons(&d.classification.reasons, facts),
            changes: changes(d.verdict, d.last_seen, &facts.policy),
            device: DeviceEntry::new(d, facts.frames.as_ref()),
        }
    }
}

impl LineAnswer {
    fn new(line: &Line<'_>, zone: &Zone, policy: &Policy) -> Option<Self> {
        let facts = zone.couplings.get(&line.key)?;
        Some(Self {
            zone: line.zone.to_owned(),
            rule: line.verdict,
            verdict: line.verdict.title(),
            coupling: CouplingAnswer {
                mac: line.key.mac,
                ip: line.key.ip,
                binding: line.binding,
                vlan: facts.vlans.clone(),
                first_seen: facts.first_seen,
                last_seen: facts.last_seen,
                signs: facts.signs.iter().map(|s| s.title()).collect(),
            },
            forwards: line.forwards.map(|why| why.to_string()),
            changes: changes(line.verdict, facts.last_seen, policy),
        })
    }
}

impl UnaddressedAnswer {
    fn new(u: &Unaddressed, facts: &Facts) -> Self {
        let what = &u.classification;
        Self {
            mac: u.mac,
            category: what.category,
            kind: what.kind.clone(),
            name: what.name.clone(),
            reasons: reasons(&what.reasons, facts),
            changes: vec!["it becomes a device as soon as a frame shows an address of it".to_owned()],
        }
    }
}

fn reasons(reasons: &[Reason], facts: &Facts) -> Vec<ReasonAnswer> {
    let answer = |r: &Reason| ReasonAnswer {
        evidence: EvidenceEntry::new(r, facts.frames.as_ref()),
        title: r.title.clone(),
    };
    reasons.iter().map(answer).collect()
}

fn pair(key: CouplingKey) -> String {
    format!("{} {}", key.mac, key.ip)
}

impl Answer {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "As of {}, policy {}", self.as_of, safe(&self.policy))?;
        for device in &self.devices {
            writeln!(out)?;
            device.print(out)?;
        }
        for line in &self.lines {
            writeln!(out)?;
            line.print(out)?;
        }
        for unaddressed in &self.unaddressed {
            writeln!(out)?;
            unaddressed.print(out)?;
        }
        Ok(())
    }
}

impl DeviceAnswer {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let d = &self.device;
        writeln!(out, "Device {} {} in zone '{}'", d.ip, d.mac, safe(&d.zone))?;
        writeln!(out, "  {} {}", d.verdict.id(), self.verdict)?;
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
        writeln!(
            out,
            "  {}, {}{} ({percent:.0} % certain)",
            d.category.title(),
            safe(&d.kind),
            what.concat()
        )?;
        if d.random_mac {
            writeln!(out, "  its MAC is made up (locally administered)")?;
        }
        writeln!(out, "\nThe rules, in order")?;
        for rung in &self.ladder {
            let mark = if rung.outcome == Outcome::Decided { ">" } else { " " };
            writeln!(out, "{mark} {:9} {:14}  {}", rung.rule.id(), rung.outcome.title(), rung.title)?;
        }
        writeln!(out, "\nCouplings")?;
        for (c, entry) in self.couplings.iter().zip(&d.couplings) {
            c.print(&format!("{:?}", entry.state).to_lowercase(), out)?;
        }
        for join in &self.joins {
            writeln!(out, "  {} belongs to {}: {}", join.coupling, join.with, join.title)?;
        }
        if let Some(why) = &self.forwards {
            writeln!(out, "  it forwards for others: {why}")?;
        }
        print_reasons(&self.reasons, out)?;
        print_changes(&self.changes, out)
    }
}

impl LineAnswer {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let c = &self.coupling;
        writeln!(out, "No device: {} seen with {} in zone '{}'", c.ip, c.mac, safe(&self.zone))?;
        writeln!(out, "  {} {}", self.rule.id(), self.verdict)?;
        c.print("no device's", out)?;
        if let Some(why) = &self.forwards {
            writeln!(out, "  {} forwards for others: {why}", c.mac)?;
        }
        print_changes(&self.changes, out)
    }
}

impl UnaddressedAnswer {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Without an address: {}", self.mac)?;
        let name = self.name.as_ref().map(|n| format!(", name {}", safe(n))).unwrap_or_default();
        writeln!(out, "  {}, {}{name}: listed, not counted (I14)", self.category.title(), safe(&self.kind))?;
        print_reasons(&self.reasons, out)?;
        print_changes(&self.changes, out)
    }
}

impl CouplingAnswer {
    fn print(&self, state: &str, out: &mut dyn Write) -> io::Result<()> {
        let binding = format!("{:?}", self.binding).to_lowercase();
        let vlans: Vec<String> = self.vlan.iter().map(ToString::to_string).collect();
        let vlan = if vlans.is_empty() { String::new() } else { format!(", VLAN {}", vlans.join(" ")) };
        writeln!(out, "  {} {}: {binding}, {state}{vlan}", self.mac, self.ip)?;
        writeln!(out, "    seen from {} to {}", self.first_seen, self.last_seen)?;
        for sign in &self.signs {
            writeln!(out, "    {sign}")?;
        }
        Ok(())
    }
}

fn print_reasons(reasons: &[ReasonAnswer], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nWhy it is taken for this")?;
    if reasons.is_empty() {
        writeln!(out, "  nothing that it said is known to a rule")?;
    }
    for r in reasons {
        let title = if r.title.is_empty() { &r.evidence.rule } else { &r.title };
        writeln!(out, "  {}: {} ({} %)", safe(title), safe(&r.evidence.says), r.evidence.weight)?;
        let place = match (r.evidence.frame, r.evidence.at) {
            (Some(frame), Some(at)) => format!("  frame {frame}, {at}"),
            (None, Some(at)) => format!("  {at}"),
            _ => String::new(),
        };
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
