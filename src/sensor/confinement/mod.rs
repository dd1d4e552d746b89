//! Confinement: what the process gives up after it has opened everything that needs a privilege.
//!
//! Four independent measures of the kernel: the process drops its **capabilities**; **no new privileges** stops it from
//! gaining any by starting a program; **Landlock** limits writing to the state and spool folders, and reading to what it
//! needs; **seccomp** limits system calls to those that the sensor makes. Each holds for the calling thread and the
//! threads that it starts later, so [`enter`] is called after the captures are opened and before the first thread.
//!
//! If the kernel lacks a measure, the sensor warns once and continues without it, and `doctor` reports it. With
//! `confinement.mode = "require"` it does not start.

mod capabilities;
mod files;
mod system_calls;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the process still needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// Capture threads reopen interfaces, so they keep `CAP_NET_RAW` and packet sockets.
    pub reopens: bool,
    /// The process connects to the plan service.
    pub network: bool,
    /// Folders and files to read. Missing ones are ignored.
    pub readable: Vec<PathBuf>,
    /// Folders to write to. Missing ones are ignored.
    pub writable: Vec<PathBuf>,
}

/// One measure and whether it is in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Measure {
    /// `capabilities`, `no_new_privileges`, `landlock`, `seccomp`.
    pub name: String,
    /// Whether it is completely in force.
    pub in_force: bool,
    /// What the process may still do, or why the measure is not in force.
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

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Confinement {
    /// In the order in which they were taken; empty if confinement is off.
    pub measures: Vec<Measure>,
}

impl Confinement {
    /// The measures that are not completely in force.
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

/// Confines this thread and all that it starts from now on, for good.
pub fn enter(needs: &Needs) -> Confinement {
    // An unprivileged process may use Landlock and seccomp only with no_new_privs.
    let promised = rustix::thread::set_no_new_privs(true);
    let promised = promised.map(|()| "no program can give back a privilege".to_owned());
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

/// Gives up the capabilities that [`enter`] kept for the capture threads, which have started: this thread and those that
/// it starts from now on need none.
pub fn give_up_capabilities() {
    if let Err(e) = capabilities::keep(false) {
        tracing::warn!("the main thread keeps its capabilities: {e}");
    }
}
