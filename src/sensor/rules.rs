//! The operator's rules that the running sensor has taken, for the commands that ask it: facts need no rules, so the
//! daemon keeps the texts that were found good, and whoever makes a survey compiles them.

use std::io;
use std::path::Path;

use crate::classify::{RuleError, RuleFiles, Rules};

/// The rules in use.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// The operator's files.
    pub files: RuleFiles,
    /// Why none of them is in use although a folder is configured.
    pub problem: Option<String>,
}

impl Accepted {
    /// Reads the folder and checks all that is in it; an empty path is no folder.
    ///
    /// # Errors
    /// With the first thing that is wrong. What was accepted before stays in use then.
    pub fn read(folder: &Path) -> Result<Self, RuleError> {
        let files = read(folder)?;
        if !files.is_empty() {
            for note in Rules::of(&files)?.notes() {
                tracing::warn!("{note}");
            }
        }
        Ok(Self { files, problem: None })
    }

    /// As [`Accepted::read`], at a start: capturing does not wait for a rule to be corrected.
    pub fn at_start(folder: &Path) -> Self {
        Self::read(folder).unwrap_or_else(|e| {
            tracing::error!("{e}; the built-in rules alone are in use");
            Self { files: RuleFiles::default(), problem: Some(e.to_string()) }
        })
    }
}

/// The files of the configured folder, unchecked.
///
/// # Errors
/// Where they cannot be read, and where the folder is none.
pub fn read(folder: &Path) -> Result<RuleFiles, RuleError> {
    if folder.as_os_str().is_empty() {
        return Ok(RuleFiles::default());
    }
    if !folder.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotADirectory, "rules.directory is no directory");
        return Err(RuleError::Read { path: folder.to_owned(), source });
    }
    RuleFiles::of_folder(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_broken_file_refuses_the_folder_whole_and_the_start_goes_on_without_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.toml"), "schema = 1\n[pack]\nname = 'p'\nversion = '1'\n").unwrap();
        assert_eq!(Accepted::read(dir.path()).unwrap().files.iter().count(), 1);
        fs::write(dir.path().join("b.toml"), "schema = 1\n[pack\n").unwrap();
        assert!(Accepted::read(dir.path()).unwrap_err().to_string().contains("b.toml:2:"));
        let started = Accepted::at_start(dir.path());
        assert!(started.files.is_empty() && started.problem.is_some_and(|p| p.contains("b.toml:2:")));
        assert!(read(&dir.path().join("none")).is_err());
        assert!(Accepted::read(Path::new("")).unwrap().files.is_empty());
    }
}
