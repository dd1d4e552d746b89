//! The `netcensus-plan` command.

/// Views are many small pieces that readers and surveys make and free at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    netcensus::plan::command::main()
}
