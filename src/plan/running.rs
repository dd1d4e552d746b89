//! The service that runs on a database: its address, for commands beside it; and that no second one serves a file.
//!
//! `serve` holds a lock beside SQLite's file and writes its address into it. With PostgreSQL several services may run, so the
//! lock is in the runtime folder of this host and refuses nobody.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::store::Location;
use crate::lock::{self, LockError, ProcessLock};
use crate::wire::Fingerprint;

/// Where a service is reached.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Running {
    /// The URL that it gives to browsers and sensors.
    pub url: String,
    /// The address that it listens on.
    pub listen: SocketAddr,
    /// Whether it speaks TLS itself.
    pub tls: bool,
    /// The fingerprint for enrolment tokens, if sensors verify the service by it.
    pub fingerprint: Option<Fingerprint>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotAlone {
    /// Another service serves the file.
    #[error(
        "the process {} serves the database {place} already; stop it first, or name another database with --database. Several services share a PostgreSQL database only", pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string())
    )]
    Served {
        /// The database.
        place: String,
        /// The process.
        pid: Option<u32>,
    },
    /// The folder of the database cannot be made.
    #[error(
        "cannot make the folder {} for the database: {error}; make it as root and give it to the service's user (install -d -m 700 -o USER {}), or name another database with --database", path.display(), path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The lock cannot be taken.
    #[error("{0}; the service's user must be able to write into the folder of the database")]
    Lock(#[from] LockError),
}

impl NotAlone {
    /// What the system says, if it refused something.
    pub fn io(&self) -> Option<&std::io::Error> {
        match self {
            Self::Folder { error, .. } | Self::Lock(LockError::Io { error, .. }) => Some(error),
            _ => None,
        }
    }
}

/// The mark of a service that runs, until it is dropped.
#[derive(Debug)]
pub struct RunningMark(Option<ProcessLock>);

impl RunningMark {
    /// Makes the folder of a database file if it is missing, and locks the file.
    ///
    /// # Errors
    /// [`NotAlone`].
    pub fn take(database: &Location) -> Result<Self, NotAlone> {
        let Location::File(path) = database else {
            let lock =
                runtime_folder().and_then(|folder| ProcessLock::take(&folder.join(name(database))).ok());
            return Ok(Self(lock));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder
            && !folder.is_dir()
        {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| NotAlone::Folder { path: folder.to_owned(), error })?;
        }
        match ProcessLock::take(&beside(path)) {
            Ok(lock) => Ok(Self(Some(lock))),
            Err(LockError::Held { pid, .. }) => Err(NotAlone::Served { place: database.to_string(), pid }),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells commands where the service is reached.
    pub fn tell(&mut self, running: &Running) {
        let Some(lock) = &mut self.0 else { return };
        let told =
            serde_json::to_string(running).map_err(std::io::Error::other).and_then(|note| lock.note(&note));
        if let Err(error) = told {
            tracing::warn!(
                "cannot write down the service's address: {error}; commands use the configured one"
            );
        }
    }
}

impl Running {
    /// The service that runs on a database, on this host.
    pub fn find(database: &Location) -> Option<Self> {
        let note = match database {
            Location::File(path) => lock::note(&beside(path)),
            Location::Server(_) => runtime_folders().iter().find_map(|f| lock::note(&f.join(name(database)))),
        };
        serde_json::from_str(&note?).ok()
    }
}

/// The lock beside a database file.
fn beside(path: &Path) -> PathBuf {
    // A link to the file leads to the same database.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = path.into_os_string();
    name.push(".lock");
    PathBuf::from(name)
}

/// The name of a server's lock: without the URL, which may have a password.
fn name(database: &Location) -> String {
    let hash = hex::encode(Sha256::digest(database.to_string()));
    format!("{}.lock", hash.chars().take(16).collect::<String>())
}

/// Folders that no other user can write into: that which systemd made for the unit, that of root, and that of the user.
fn runtime_folders() -> Vec<PathBuf> {
    let unit = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let user = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("netcensus-plan"));
    [unit, Some(PathBuf::from("/run/netcensus-plan")), user].into_iter().flatten().collect()
}

/// The first of them that can be made or is there.
fn runtime_folder() -> Option<PathBuf> {
    runtime_folders().into_iter().find(|folder| {
        let usable = |folder: &Path| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
        usable(folder) || DirBuilder::new().mode(0o755).create(folder).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Running {
        Running {
            url: "http://127.0.0.1:9000".to_owned(),
            listen: "127.0.0.1:9000".parse().unwrap(),
            tls: false,
            fingerprint: None,
        }
    }

    #[test]
    fn a_file_is_served_once_and_its_service_is_found_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let database = Location::File(dir.path().join("new/plan.sqlite"));
        assert_eq!(Running::find(&database), None);
        let mut mark = RunningMark::take(&database).unwrap();
        assert_eq!(Running::find(&database), None, "it is not reached yet");
        mark.tell(&running());
        assert_eq!(Running::find(&database), Some(running()));
        let refused = RunningMark::take(&database).unwrap_err().to_string();
        assert!(refused.contains(&format!("the process {}", std::process::id())), "{refused}");
        drop(mark);
        assert_eq!(Running::find(&database), None);
        RunningMark::take(&database).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let refused =
            RunningMark::take(&Location::File(dir.path().join("file/sub/plan.sqlite"))).unwrap_err();
        assert!(refused.io().is_some() && refused.to_string().contains("file/sub"), "{refused}");
    }
}
