//! `rule`: prints a census rule, or the list of all rules.

use std::io::{self, Write as _};

use super::failure::Failure;
use crate::rulebook;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// The rule's id, or a section: identity, verdict, ledger, plan, roles, vectors [default: list all rules]
    #[arg(value_name = "ID")]
    id: Option<String>,
}

/// Prints the rule, or all rules.
///
/// # Errors
/// An unknown id, which is an error of usage, or the output.
pub(crate) fn print(program: &str, arguments: &Arguments) -> Result<(), Failure> {
    let text = rulebook::printed(arguments.id.as_deref(), arguments.json)
        .map_err(|e| Failure::usage(format!("{e}; '{program} rule' lists all rules")))?;
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Every command of `program` that the documents name must be one that `parse` knows.
#[cfg(test)]
pub(crate) fn assert_documented_commands_exist<T>(
    program: &str,
    parse: impl Fn(Vec<String>) -> Result<T, clap::Error>,
) {
    use clap::error::ErrorKind::{InvalidSubcommand, InvalidValue, UnknownArgument};

    let commands = rulebook::documents::commands(program);
    assert!(commands.len() > 10, "{commands:?}");
    for words in commands {
        if let Err(e) = parse(words.clone()) {
            let unknown = matches!(e.kind(), InvalidSubcommand | UnknownArgument | InvalidValue);
            assert!(!unknown, "{words:?}: {e}");
        }
    }
}
