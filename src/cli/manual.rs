//! Man pages and shell completions, generated from the command line when a package is built.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Command;
use clap_complete::{Shell, generate_to};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder; created if it is missing
    directory: PathBuf,
}

/// Writes `man1/` (a page for the command and for each subcommand) and `completions/` (bash, zsh, fish).
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn write(command: &Command, arguments: &Arguments) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let man = arguments.directory.join("man1");
    fs::create_dir_all(&man)?;
    clap_mangen::generate_to(command.clone(), man)?;
    let completions = arguments.directory.join("completions");
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command.clone(), &name, &completions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_each_command_and_completions_for_each_shell_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let command = Command::new("tool").about("About").subcommand(Command::new("run").about("Runs"));
        let arguments = Arguments { directory: dir.path().join("out") };
        write(&command, &arguments).unwrap();
        let read = |name: &str| fs::read_to_string(arguments.directory.join(name)).unwrap();
        assert!(read("man1/tool.1").contains(".TH tool 1"));
        assert!(read("man1/tool-run.1").contains("Runs"));
        assert!(read("completions/tool.bash").contains("run"));
        assert!(arguments.directory.join("completions/_tool").exists());
        assert!(read("completions/tool.fish").contains("run"));
    }
}
