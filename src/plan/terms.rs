//! The terms and conditions that people accept with a plan: a text that the operator configures.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::proof::Digest;

/// The longest text in bytes.
const LONGEST: usize = 64 << 10;
/// The longest name of a version in characters.
const VERSION: usize = 40;

/// `[terms]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TermsConfig {
    /// The file with the text; empty for none.
    pub file: PathBuf,
    /// The name of its version; empty for the beginning of its SHA-256.
    pub version: String,
}

/// The terms in one version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The name of the version.
    pub version: String,
    /// The text.
    pub text: String,
    /// SHA-256 of the text, by which the version is known.
    pub sha256: Digest,
}

impl Terms {
    /// The terms with that text.
    pub fn new(version: &str, text: String) -> Self {
        let sha256 = Digest::of(text.as_bytes());
        let version = match version.trim() {
            "" => sha256.to_string().chars().take(12).collect(),
            version => version.to_owned(),
        };
        Self { version, text, sha256 }
    }

    /// The paragraphs of the text.
    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        self.text.split("\n\n").map(str::trim).filter(|p| !p.is_empty())
    }
}

impl TermsConfig {
    /// Reads the file, if one is named.
    ///
    /// # Errors
    /// Why it has no usable text.
    pub fn read(&self) -> Result<Option<Terms>, String> {
        if self.file.as_os_str().is_empty() {
            return Ok(None);
        }
        let wrong = |what: String| format!("{}: {what}", Path::display(&self.file));
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| wrong(format!("cannot read the terms: {e}; let terms.file name a text file")))?;
        if text.trim().is_empty() || text.len() > LONGEST {
            return Err(wrong(format!(
                "the terms must have 1 to {LONGEST} bytes of text, as terms.file needs it"
            )));
        }
        if self.version.chars().count() > VERSION || self.version.contains(char::is_control) {
            return Err(format!("terms.version must have at most {VERSION} characters"));
        }
        Ok(Some(Terms::new(&self.version, text.replace("\r\n", "\n"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_a_name_is_called_by_its_hash() {
        let terms = Terms::new(" ", "One.\n\nTwo.\n".into());
        assert!(terms.sha256.to_string().starts_with(&terms.version) && terms.version.len() == 12);
        assert_eq!(terms.paragraphs().collect::<Vec<_>>(), ["One.", "Two."]);
        assert_eq!(Terms::new("2026-11", "One.".into()).version, "2026-11");
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("terms.txt");
        let config = TermsConfig { file: file.clone(), version: String::new() };
        assert!(config.read().unwrap_err().contains("terms.txt: cannot read the terms"));
        std::fs::write(&file, " \n").unwrap();
        assert!(config.read().unwrap_err().contains("1 to 65536 bytes"));
        std::fs::write(&file, "Be kind.\r\n").unwrap();
        assert_eq!(config.read().unwrap().unwrap().text, "Be kind.\n");
        assert_eq!(TermsConfig::default().read(), Ok(None));
    }
}
