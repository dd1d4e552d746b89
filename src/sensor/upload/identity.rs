//! The sensor's identity: what the plan service issued at enrolment, and the sensor's key pair. It is one file, readable
//! by its owner only, so that an identity is never half stored. A systemd credential can replace it, see [`CREDENTIAL`].

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::signing::SigningKey;
use crate::wire::Fingerprint;

/// The systemd credential with the identity: the file that enrolment wrote, for example encrypted by
/// `systemd-creds encrypt`. If the service manager passes it, the file in the state directory is not read.
pub const CREDENTIAL: &str = "netcensus.identity";

/// Its `Debug` form hides the keys.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The plan service's base URL.
    pub url: String,
    pub sensor: String,
    pub subscription: String,
    /// The bearer key: the service checks it first, as that is cheap.
    pub key: String,
    /// The private key that signs every request.
    pub signing_key: SigningKey,
    /// The service's certificate; without it, an authority that this system trusts must have issued the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("url", &self.url)
            .field("sensor", &self.sensor)
            .field("subscription", &self.subscription)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Why the identity cannot be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{}: this sensor is not enrolled; run 'netcensus-sensor enrol TOKEN'", path.display())]
    Missing { path: PathBuf },
    #[error("{}: not a valid identity: {reason}; enrol again with 'netcensus-sensor enrol TOKEN'", path.display())]
    Damaged { path: PathBuf, reason: serde_json::Error },
    #[error("{}: {error}; run the command as the user that owns the state directory", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// The file to read: the credential in the service manager's folder if it exists, otherwise `file`.
pub fn source(file: PathBuf, credentials: Option<&Path>) -> PathBuf {
    credentials.map(|c| c.join(CREDENTIAL)).filter(|c| c.exists()).unwrap_or(file)
}

impl Identity {
    /// Reads the identity.
    ///
    /// # Errors
    /// If the file is missing, damaged or not readable.
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
    /// If the file system refuses.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        self.write(path).map_err(|error| IdentityError::Io { path: path.to_owned(), error })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        make_private(directory)?;
        // `tempfile` creates it with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        // If root enrols, the service must be able to read the file: give it to the directory's owner.
        let owner = fs::metadata(directory)?;
        if file.as_file().metadata()?.uid() != owner.uid() {
            fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        fs::File::open(directory)?.sync_all()
    }
}

/// Creates a missing directory with mode 0700, owned by the owner of its parent.
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
            signing_key: SigningKey::generate().unwrap(),
            fingerprint: Some(Fingerprint::of(b"certificate")),
        }
    }

    #[test]
    fn it_is_stored_for_its_owner_alone_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("identity.json");
        assert!(matches!(Identity::load(&path), Err(IdentityError::Missing { .. })));
        let stored = identity();
        identity().store(&path).unwrap();
        stored.store(&path).unwrap();
        assert_eq!(Identity::load(&path).unwrap(), stored);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn the_keys_do_not_show_in_logs() {
        let identity = identity();
        let (shown, private) = (format!("{identity:?}"), String::from(identity.signing_key));
        assert!(!shown.contains("hidden") && !shown.contains(&private));
    }

    #[test]
    fn a_credential_of_the_service_manager_goes_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = Path::new("/state/identity.json").to_owned();
        assert_eq!(source(file.clone(), None), file);
        assert_eq!(source(file.clone(), Some(dir.path())), file);
        fs::write(dir.path().join(CREDENTIAL), "{}").unwrap();
        assert_eq!(source(file, Some(dir.path())), dir.path().join(CREDENTIAL));
    }

    #[test]
    fn a_damaged_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.json");
        // Without a key pair it is of an older version, which signed nothing.
        let old = "{\"url\":\"https://plan.example\",\"sensor\":\"s\",\"subscription\":\"m\",\"key\":\"k\"}";
        fs::write(&path, old).unwrap();
        assert!(Identity::load(&path).unwrap_err().to_string().contains("enrol again"));
    }
}
