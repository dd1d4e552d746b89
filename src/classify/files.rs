//! An operator's rule files: reads their texts from a folder, within limits.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::RuleError;

/// The most bytes of a rule pack.
const FILE_BYTES: u64 = 1 << 20;
/// The most bytes of a fingerprint file.
const XML_BYTES: u64 = 4 << 20;
/// The most files of a folder.
const FILES: usize = 256;
/// The most bytes of all files of a folder.
const FOLDER_BYTES: u64 = 32 << 20;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RuleFile {
    /// Its path, as errors name it.
    pub name: String,
    pub text: String,
}

/// The files of an operator; later files override earlier ones. [`Rules::of`](super::Rules::of) checks their texts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RuleFiles(Vec<RuleFile>);

impl RuleFiles {
    /// The rule files of a folder, sorted by name; none if the folder does not exist.
    ///
    /// # Errors
    /// If something cannot be read or exceeds a limit.
    pub fn of_folder(dir: &Path) -> Result<Self, RuleError> {
        let failed = |source| RuleError::Read { path: dir.to_owned(), source };
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(failed(e)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|e| e == "toml" || e == "xml") {
                paths.push(path);
            }
        }
        if paths.len() > FILES {
            let what = "the number of files";
            return Err(RuleError::TooLarge { path: dir.to_owned(), what, limit: FILES as u64 });
        }
        paths.sort();
        let files = Self::read(&paths)?;
        if files.0.iter().map(|f| f.text.len() as u64).sum::<u64>() > FOLDER_BYTES {
            let what = "the length of its files in bytes";
            return Err(RuleError::TooLarge { path: dir.to_owned(), what, limit: FOLDER_BYTES });
        }
        Ok(files)
    }

    /// Reads these files, in this order.
    ///
    /// # Errors
    /// If one cannot be read or exceeds a limit.
    pub fn read(paths: &[PathBuf]) -> Result<Self, RuleError> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let failed = |source| RuleError::Read { path: path.clone(), source };
            let is_xml = path.extension().is_some_and(|e| e == "xml");
            let limit = if is_xml { XML_BYTES } else { FILE_BYTES };
            if fs::metadata(path).map_err(failed)?.len() > limit {
                let what = "its length in bytes";
                return Err(RuleError::TooLarge { path: path.clone(), what, limit });
            }
            let text = fs::read_to_string(path).map_err(failed)?;
            files.push(RuleFile { name: path.display().to_string(), text });
        }
        Ok(Self(files))
    }

    pub fn iter(&self) -> std::slice::Iter<'_, RuleFile> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for RuleFiles {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(files: I) -> Self {
        Self(files.into_iter().map(|(name, text)| RuleFile { name, text }).collect())
    }
}
