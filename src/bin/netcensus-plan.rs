//! The `netcensus-plan` command.

fn main() -> std::process::ExitCode {
    netcensus::plan::command::main()
}
