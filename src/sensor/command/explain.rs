//! `explain`: why an address or a MAC is counted, or is not.

use super::Failure;
use super::source;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: source::Arguments,
}

pub(super) fn explain(_arguments: Arguments) -> Result<(), Failure> {
    Ok(())
}
