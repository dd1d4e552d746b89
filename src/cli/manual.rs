//! Man pages and shell completions, written from the command line's own description when the package is made.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Command;
use clap_complete::{Shell, generate_to};

/// Where to write what a package holds beside the binary.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder, made where it is missing
    directory: PathBuf,
}

/// Writes `man1/` and `completions/` into the folder: a page for the command and one for each of its subcommands, and
/// completions for bash, zsh and fish.
///
/// # Errors
/// Where the file system refuses.
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
