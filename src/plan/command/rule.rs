//! `rule`: prints a census rule, or the list of all rules.

use std::io::{self, Write};

use super::failure::Failure;
use crate::rulebook;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-plan rule            list all rules
  netcensus-plan rule X-IDLE     print a rule
  netcensus-plan rule I8c        print the rule that contains a clause")]
pub(super) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// The rule's id, or a section: identity, verdict, ledger, plan, roles, vectors [default: list all rules]
    #[arg(value_name = "ID")]
    id: Option<String>,
}

pub(super) fn rule(arguments: &Arguments) -> Result<(), Failure> {
    let text = rulebook::printed(arguments.id.as_deref(), arguments.json)
        .map_err(|e| Failure::usage(format!("{e}; 'netcensus-plan rule' lists all rules")))?;
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use clap::error::ErrorKind;

    use super::super::Cli;
    use crate::rulebook::documents;

    #[test]
    fn every_command_that_the_documents_name_exists() {
        let commands = documents::commands("netcensus-plan");
        assert!(commands.len() > 10, "{commands:?}");
        for words in commands {
            if let Err(e) = Cli::try_parse_from(&words) {
                let unknown = matches!(
                    e.kind(),
                    ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument | ErrorKind::InvalidValue
                );
                assert!(!unknown, "{words:?}: {e}");
            }
        }
    }
}
