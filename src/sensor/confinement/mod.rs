//! What the process may still do once it has opened what needs a privilege: nearly nothing.
//!
//! Four measures, from the kernel's side, each on its own: **capabilities** are given up, **no new privileges** come
//! with another program, **Landlock** leaves the state and spool folders to write and what is read to read, and
//! **seccomp** leaves the system calls that the sensor makes. All four hold for one thread and those that it starts, so
//! [`enter`] comes after the captures are opened and before the first thread.
//!
//! A kernel that lacks a measure is no reason not to count: the sensor goes on without it, with one warning, and
//! `doctor` shows it. `confinement.mode = "require"` makes it a reason.

mod capabilities;
mod files;
mod system_calls;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the process still needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// Its capture threads open interfaces again, so they keep `CAP_NET_RAW` and packet sockets.
    pub reopens: bool,
    /// It reaches the plan service.
    pub network: bool,
    /// Folders and files that it reads. One that does not exist is passed over.
    pub readable: Vec<PathBuf>,
    /// Folders that it writes to. One that does not exist is passed over.
    pub writable: Vec<PathBuf>,
}

/// One measure, and how far it is in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Measure {
    /// Its name: `capabilities`, `no_new_privileges`, `landlock`, `seccomp`.
    pub name: String,
    /// Whether all of it is in force.
    pub in_force: bool,
    /// What is left to the process, or what is missing.
    pub detail: String,
}

impl Measure {
    fn new(name: &str, in_force: bool, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), in_force, detail: detail.into() }
    }

    fn of(name: &str, outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(detail) => Self::new(name, true, detail),
            Err(detail) => Self::new(name, false, detail),
        }
    }
}

/// What confines the process.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Confinement {
    /// In the order in which they were taken; none where confinement is off.
    pub measures: Vec<Measure>,
}

impl Confinement {
    /// The measures that are not wholly in force.
    pub fn missing(&self) -> Vec<&Measure> {
        self.measures.iter().filter(|m| !m.in_force).collect()
    }
}

/// The missing measures, for a warning.
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.missing().iter().map(|m| format!("{} ({})", m.name, m.detail)).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Confines this thread, and all that it starts from now on. There is no way back.
pub fn enter(needs: &Needs) -> Confinement {
    // Landlock and seccomp are open to every process that promises to gain nothing by another program.
    let promised = rustix::thread::set_no_new_privs(true);
    let promised = promised.map(|()| "no program can give a privilege back".to_owned());
    let capabilities = capabilities::keep(needs.reopens);
    let landlock = files::restrict(needs);
    let seccomp = system_calls::restrict(needs);
    Confinement {
        measures: vec![
            Measure::of("capabilities", capabilities),
            Measure::of("no_new_privileges", promised.map_err(|e| e.to_string())),
            Measure::of("landlock", landlock),
            Measure::of("seccomp", seccomp),
        ],
    }
}

/// Gives up the capabilities that [`enter`] left for the threads that were started since: this thread, and those that
/// it starts from now on, need none.
pub fn give_up_capabilities() {
    if let Err(e) = capabilities::keep(false) {
        tracing::warn!("the main thread keeps its capabilities: {e}");
    }
}
