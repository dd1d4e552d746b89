//! An operator's folder of rules for findings.

use std::path::{Path, PathBuf};

use super::ruleset::{BadRuleset, Ruleset};
use crate::classify::{RuleError, RuleFiles};

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesetError {
    #[error(transparent)]
    Read(#[from] RuleError),
    #[error("{}: it is not a folder", .0.display())]
    NoFolder(PathBuf),
    #[error(transparent)]
    Bad(#[from] BadRuleset),
}

/// The built-in rules, and over them the `*.toml` of a folder in the order of their names; an empty path stands for no folder.
///
/// # Errors
/// If the folder or a file cannot be read, exceeds a limit or does not hold rules. Nothing of the folder holds then.
pub fn load(folder: &Path) -> Result<Ruleset, RulesetError> {
    let mut rules = Ruleset::builtin()?;
    if folder.as_os_str().is_empty() {
        return Ok(rules);
    }
    if !folder.is_dir() {
        return Err(RulesetError::NoFolder(folder.to_owned()));
    }
    for file in RuleFiles::of_folder(folder)?.iter().filter(|file| file.name.ends_with(".toml")) {
        rules.put(&file.name, &file.text)?;
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_read_in_the_order_of_names_or_refused_whole() {
        let dir = tempfile::tempdir().unwrap();
        let rule = |severity: &str| format!("[[alert]]\nid = 'A-MAP'\nseverity = '{severity}'\n");
        fs::write(dir.path().join("b.toml"), rule("high")).unwrap();
        fs::write(dir.path().join("a.toml"), rule("low")).unwrap();
        let rules = load(dir.path()).unwrap();
        assert_eq!(rules.alerts["A-MAP"].severity.key(), "high");
        fs::write(dir.path().join("c.toml"), "[[alert]]\nid = 'A-MAP'\nseverity = 1\n").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("c.toml:3:12: "));
        assert!(load(&dir.path().join("none")).is_err(), "a name that is wrong");
        assert!(load(Path::new("")).is_ok());
    }
}
