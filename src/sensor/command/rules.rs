//! `rules`: which rules there are, whether they pass their tests, and what none of them knows.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::failure::{FAILED, Failure};
use super::text::{Table, safe};
use super::{ConfigArguments, coverage, source};
use crate::census::Field;
use crate::classify::{RuleEntry, RuleFileCheck, RuleFiles, Rules};
use crate::sensor::rules;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the rules, those that are overridden or disabled too
    List(ListArguments),
    /// Run the tests that stand in the rules
    Test(TestArguments),
    /// Show what devices said that no rule knows, most frequent first
    Coverage(coverage::Arguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor rules list --field dhcp.vendor_class
  netcensus-sensor rules list --pack local printer")]
pub(super) struct ListArguments {
    /// Only rules in which this text stands: in id, title, what they look for or what they set
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Only rules that read this field of evidence
    #[arg(long, value_name = "NAME", value_parser = field)]
    field: Option<Field>,
    /// Only rules of this pack
    #[arg(long, value_name = "NAME")]
    pack: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor rules test                     the built-in packs, and those of rules.directory
  netcensus-sensor rules test badge-readers.toml  before it goes there")]
pub(super) struct TestArguments {
    /// Rule files [default: the built-in packs and those of rules.directory]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArguments,
}

/// The name of a field, read.
pub(super) fn field(name: &str) -> Result<Field, String> {
    name.parse().map_err(|e: crate::census::UnknownField| {
        let likeness = |f: &&Field| strsim::jaro_winkler(f.name(), name);
        let nearest = Field::ALL.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match nearest.filter(|f| likeness(f) > 0.75) {
            Some(field) => format!("{e}; did you mean '{field}'?"),
            None => format!("{e}; config/rules/README.md names them"),
        }
    })
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(&arguments),
        Command::Test(arguments) => test(&arguments),
        Command::Coverage(arguments) => coverage::coverage(&arguments),
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    schema: &'static str,
    rules: Vec<&'a RuleEntry>,
}

fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let rules = source::rules(&arguments.config.load()?)?;
    let catalog = rules.catalog();
    let mut found: Vec<&RuleEntry> = catalog.iter().filter(|e| arguments.wants(e)).collect();
    found.sort_by(|a, b| (&a.id, a.state.key()).cmp(&(&b.id, b.state.key())));
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        return json(&Listed { schema: "netcensus.rules/1", rules: found }, out);
    }
    let mut table = Table::new(&["ID", "EVIDENCE", "WEIGHT", "SETS", "PACK", "STATE", "TITLE"]);
    for e in &found {
        let (id, sets) = (e.id.clone(), e.sets.join(", "));
        let (pack, state) = (e.pack.clone(), e.state.key().to_owned());
        table.row([id, e.evidence.clone(), e.weight.to_string(), sets, pack, state, e.title.clone()]);
    }
    table.write(&mut out)?;
    writeln!(out, "\n{} of {} rules", found.len(), catalog.len())?;
    Ok(out.flush()?)
}

impl ListArguments {
    fn wants(&self, e: &RuleEntry) -> bool {
        let text = self.text.as_deref().map(str::to_lowercase);
        let holds =
            |t: &str| [&e.id, &e.title].into_iter().chain(&e.sets).any(|s| s.to_lowercase().contains(t));
        self.field.is_none_or(|f| e.fields.contains(&f.name()))
            && self.pack.as_ref().is_none_or(|p| *p == e.pack)
            && text.is_none_or(|t| holds(&t))
    }
}

#[derive(Serialize)]
struct Tested {
    schema: &'static str,
    passed: bool,
    files: Vec<FileTested>,
}

#[derive(Serialize)]
struct FileTested {
    file: String,
    rules: usize,
    tests: usize,
    errors: Vec<String>,
    notes: Vec<String>,
}

impl From<RuleFileCheck> for FileTested {
    fn from(c: RuleFileCheck) -> Self {
        let errors = c.errors.iter().map(ToString::to_string).collect();
        Self { file: c.file, rules: c.rules, tests: c.tests, errors, notes: c.notes }
    }
}

fn test(arguments: &TestArguments) -> Result<(), Failure> {
    let checked = if arguments.files.is_empty() {
        let files = rules::read(&arguments.config.load()?.rules.directory)?;
        let mut checked = Rules::check_builtin()?;
        checked.extend(Rules::check(files.iter())?);
        checked
    } else {
        Rules::check(RuleFiles::read(&arguments.files)?.iter())?
    };
    let files: Vec<FileTested> = checked.into_iter().map(Into::into).collect();
    let wrong: usize = files.iter().map(|f| f.errors.len()).sum();
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        json(&Tested { schema: "netcensus.rule_tests/1", passed: wrong == 0, files }, out)?;
    } else {
        print(&files, &mut out)?;
        out.flush()?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new(FAILED, "1 rule or test is wrong; its place is above")),
        n => Err(Failure::new(FAILED, format!("{n} rules or tests are wrong; their places are above"))),
    }
}

fn print(files: &[FileTested], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["FILE", "RULES", "TESTS", "WRONG"]);
    for f in files {
        table.row([f.file.clone(), f.rules.to_string(), f.tests.to_string(), f.errors.len().to_string()]);
    }
    table.write(out)?;
    for line in files.iter().flat_map(|f| f.notes.iter().chain(&f.errors)) {
        writeln!(out, "{}", safe(line))?;
    }
    Ok(())
}

/// One line of JSON.
pub(super) fn json(document: &impl Serialize, mut out: impl Write) -> Result<(), Failure> {
    serde_json::to_writer(&mut out, document).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
