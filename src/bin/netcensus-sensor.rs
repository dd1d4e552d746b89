//! The `netcensus-sensor` command.

fn main() {}
