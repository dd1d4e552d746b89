//! `indicators`: what feeds of indicators hold, and which indicator an address or a name hits.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::arguments::ConfigArguments;
use super::failure::Failure;
use crate::cli::table::{self, NONE};
use crate::cli::terminal::{print_json, safe};
use crate::clock::{Clock as _, SystemClock};
use crate::security::{FeedReport, Indicators};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor indicators                              the feeds that the configuration names
  netcensus-sensor indicators drop.txt misp.json           feeds before you name them there
  netcensus-sensor indicators --test c2.example drop.txt   which indicator does it hit?")]
pub(super) struct Arguments {
    /// Feeds: lists, hosts files, Spamhaus DROP, MISP CSV and JSON, STIX 2.1, TAXII 2.1 [default: alerts.indicators]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Tell which indicator this address or name hits; repeatable
    #[arg(long, value_name = "ADDRESS|NAME")]
    test: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArguments,
}

/// What the feeds hold.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    feeds: Vec<FeedEntry>,
    /// Indicators of all feeds.
    indicators: usize,
    tests: Vec<TestEntry>,
}

#[derive(Debug, Serialize)]
struct FeedEntry {
    file: String,
    #[serde(flatten)]
    report: FeedReport,
}

#[derive(Debug, Serialize)]
struct TestEntry {
    value: String,
    /// The indicator that it hits; null if it hits none.
    hits: Option<String>,
}

/// Reads feeds, prints what they hold, and looks values up. A feed that cannot be read is a failure.
pub(super) fn list(arguments: &Arguments) -> Result<(), Failure> {
    let files = match &arguments.files[..] {
        [] => arguments.config.load()?.alerts.indicators,
        named => named.to_vec(),
    };
    let mut all = Indicators::default();
    let mut feeds = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let failed = |why: &dyn std::fmt::Display| Failure::failed(format!("{name}: {why}"));
        let opened = File::open(&file).map_err(|e| failed(&e))?;
        let report = all.read_feed(opened, SystemClock.now()).map_err(|e| failed(&e))?;
        feeds.push(FeedEntry { file: name, report });
    }
    let hits = |value: &String| match value.parse::<IpAddr>() {
        Ok(ip) => all.address(ip),
        Err(_) => all.name(value),
    };
    let test = |value: &String| TestEntry { value: value.clone(), hits: hits(value) };
    let tests = arguments.test.iter().map(test).collect();
    let document = Document { schema: "netcensus.indicators/1", feeds, indicators: all.len(), tests };
    if arguments.json {
        return print_json(&document);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&document, &mut out)?;
    Ok(out.flush()?)
}

fn print(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let row = |FeedEntry { file, report }: &FeedEntry| {
        let left_out = Some(report.leavings()).filter(|text| !text.is_empty());
        vec![
            file.clone(),
            report.form.to_owned(),
            report.added.to_string(),
            report.known.to_string(),
            left_out.unwrap_or_else(|| NONE.to_owned()),
        ]
    };
    let rows: Vec<Vec<String>> = document.feeds.iter().map(row).collect();
    table::print(out, &["FEED", "FORM", ">INDICATORS", ">KNOWN BEFORE", "LEFT OUT"], &rows)?;
    for FeedEntry { file, report } in &document.feeds {
        if !report.guarded_some.is_empty() {
            writeln!(out, "guarded in {}: {}", safe(file), safe(&report.guarded_some.join(", ")))?;
        }
    }
    for TestEntry { value, hits } in &document.tests {
        match hits {
            Some(indicator) => writeln!(out, "{} hits {}", safe(value), safe(indicator))?,
            None => writeln!(out, "{} hits no indicator", safe(value))?,
        }
    }
    Ok(())
}
