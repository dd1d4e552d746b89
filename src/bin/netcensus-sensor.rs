//! The `netcensus-sensor` command.

fn main() -> std::process::ExitCode {
    netcensus::sensor::command::main()
}
