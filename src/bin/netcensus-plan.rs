//! The `netcensus-plan` command.

fn main() {}
