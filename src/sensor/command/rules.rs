//! `rules`: lists the classification rules and runs their tests.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::arguments::{ConfigArguments, field};
use super::failure::Failure;
use super::{coverage, source};
use crate::census::Field;
use crate::classify::{RuleEntry, RuleFileCheck, RuleFiles, Rules};
use crate::cli::table;
use crate::cli::terminal::{print_json, safe};
use crate::sensor::rules;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the rules, including overridden and disabled ones
    List(ListArguments),
    /// Run the tests in the rule files
    Test(TestArguments),
    /// List what devices said that no rule matches, most frequent first
    Coverage(coverage::Arguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor rules list --field dhcp.vendor_class
  netcensus-sensor rules list --pack local printer")]
pub(super) struct ListArguments {
    /// Only rules with this text in their id, title or what they set
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
  netcensus-sensor rules test                     the built-in packs and those in rules.directory
  netcensus-sensor rules test badge-readers.toml  a file before you install it there")]
pub(super) struct TestArguments {
    /// Rule files [default: the built-in packs and those in rules.directory]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArguments,
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
    if arguments.json {
        return print_json(&Listed { schema: "netcensus.rules/1", rules: found });
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let rows = found.iter().map(|e| {
        let (id, sets) = (e.id.clone(), e.sets.join(", "));
        let (pack, state) = (e.pack.clone(), e.state.key().to_owned());
        [id, e.evidence.clone(), e.weight.to_string(), sets, pack, state, e.title.clone()]
    });
    table::print(&mut out, &["ID", "EVIDENCE", ">WEIGHT", "SETS", "PACK", "STATE", "TITLE"], rows)?;
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
    if arguments.json {
        print_json(&Tested { schema: "netcensus.rule_tests/1", passed: wrong == 0, files })?;
    } else {
        let mut out = BufWriter::new(io::stdout().lock());
        print(&files, &mut out)?;
        out.flush()?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::failed("1 rule or test failed; see file and line above")),
        n => Err(Failure::failed(format!("{n} rules or tests failed; see files and lines above"))),
    }
}

fn print(files: &[FileTested], out: &mut dyn Write) -> io::Result<()> {
    let number = |n: usize| n.to_string();
    let rows =
        files.iter().map(|f| [f.file.clone(), number(f.rules), number(f.tests), number(f.errors.len())]);
    table::print(out, &["FILE", ">RULES", ">TESTS", ">FAILED"], rows)?;
    for line in files.iter().flat_map(|f| f.notes.iter().chain(&f.errors)) {
        writeln!(out, "{}", safe(line))?;
    }
    Ok(())
}
