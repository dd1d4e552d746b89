//! Who this sensor is to its plan service: what enrolment gave, in one file that only its owner may read.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The identity. Its `Debug` form hides the key.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The plan service's base URL.
    pub url: String,
    /// The sensor's id.
    pub sensor: String,
    /// The subscription that it belongs to.
    pub subscription: String,
    /// The bearer key.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("url", &self.url)
            .field("sensor", &self.sensor)
            .field("subscription", &self.subscription)
            .finish_non_exhaustive()
    }
}

/// Why the identity cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error("{}: this sensor is not enrolled; run 'netcensus-sensor enrol TOKEN'", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{}: this is no identity: {reason}; enrol again with 'netcensus-sensor enrol TOKEN'", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: serde_json::Error,
    },
    /// The file system refuses.
    #[error("{}: {error}; run the command as the user that owns the state directory", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Identity {
    /// Reads the identity.
    ///
    /// # Errors
    /// [`IdentityError`] where there is none, or it cannot be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        match fs::read(path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|reason| IdentityError::Damaged { path: path.to_owned(), reason }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(IdentityError::Missing { path: path.to_owned() })
            }
            Err(error) => Err(IdentityError::Io { path: path.to_owned(), error }),
        }
    }

    /// Stores the identity, whole or not at all, with mode 0600.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        self.write(path).map_err(|error| IdentityError::Io { path: path.to_owned(), error })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        make_private(directory)?;
        // A temporary file has mode 0600 from the start.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        // Root enrols for the service, which must be able to read it: it belongs to whom the directory belongs.
        let owner = fs::metadata(directory)?;
        if file.as_file().metadata()?.uid() != owner.uid() {
            fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        fs::File::open(directory)?.sync_all()
    }
}

/// Makes the directory where it is missing: for its owner alone, who is the owner of the directory that it lies in.
fn make_private(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
        fs::DirBuilder::new().mode(0o700).create(directory)?;
        let owner = fs::metadata(parent)?;
        if fs::metadata(directory)?.uid() != owner.uid() {
            chown(directory, Some(owner.uid()), Some(owner.gid()))?;
        }
        return Ok(());
    }
    fs::DirBuilder::new().mode(0o700).create(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn identity() -> Identity {
        Identity {
            url: "https://plan.example".into(),
            sensor: "s1".into(),
            subscription: "main".into(),
            key: "hidden".into(),
        }
    }

    #[test]
    fn it_is_stored_for_its_owner_alone_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("identity.json");
        assert!(matches!(Identity::load(&path), Err(IdentityError::Missing { .. })));
        identity().store(&path).unwrap();
        identity().store(&path).unwrap();
        assert_eq!(Identity::load(&path).unwrap(), identity());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn the_key_does_not_show_in_logs() {
        assert!(!format!("{:?}", identity()).contains("hidden"));
    }

    #[test]
    fn a_damaged_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.json");
        fs::write(&path, "{}").unwrap();
        assert!(Identity::load(&path).unwrap_err().to_string().contains("enrol again"));
    }
}
