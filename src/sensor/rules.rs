//! The operator's rules that the running sensor has accepted. Facts need no rules: the daemon only keeps the valid files,
//! and the commands that ask it compile them for a survey.

use std::io;
use std::path::Path;

use crate::classify::{RuleError, RuleFiles, Rules};

/// The rules in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) files: RuleFiles,
    /// Why the configured folder is not in use, if it is not.
    pub(crate) problem: Option<String>,
}

impl Accepted {
    /// Reads the folder and checks all its files; an empty path means that no folder is configured.
    ///
    /// # Errors
    /// The first invalid file.
    pub(crate) fn read(folder: &Path) -> Result<Self, RuleError> {
        let files = read(folder)?;
        if !files.is_empty() {
            for note in Rules::of(&files)?.notes() {
                tracing::warn!("{note}");
            }
        }
        Ok(Self { files, problem: None })
    }

    /// As [`Accepted::read`], but an invalid file does not stop the sensor from capturing.
    pub(crate) fn at_start(folder: &Path) -> Self {
        Self::read(folder).unwrap_or_else(|e| {
            tracing::error!("{e}; using only the built-in rules");
            Self { files: RuleFiles::default(), problem: Some(e.to_string()) }
        })
    }
}

/// The files of the configured folder, unchecked.
///
/// # Errors
/// If the path is not a folder or a file cannot be read.
pub(crate) fn read(folder: &Path) -> Result<RuleFiles, RuleError> {
    if folder.as_os_str().is_empty() {
        return Ok(RuleFiles::default());
    }
    if !folder.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotADirectory, "rules.directory is not a directory");
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
