//! A gate in the middle of surveys: a test closes it, and each survey stops at it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use netcensus::census::{Classification, Classifier, ClassifierInput};
use netcensus::plan::app::inventory::Patience;

use super::service::ByName;
use super::{Backend, Plan};

/// How the names of the devices begin at which surveys stop. A survey classifies only devices of which it knows something new.
pub(crate) const GATE: &str = "iot-gate";

/// Opens when it is dropped, so that a test that fails leaves no survey behind.
pub(crate) struct Gate(Arc<Gated>);

#[derive(Default)]
struct Gated {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// Surveys that stand at the gate.
    stopped: usize,
    /// Surveys that came to the gate.
    surveys: usize,
}

impl Gated {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Classifier for Gated {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let made = ByName.classify(subject);
        if made.name.as_deref().is_some_and(|name| name.starts_with(GATE)) {
            let mut state = self.state();
            state.surveys += 1;
            state.stopped += 1;
            let mut state = self.opened.wait_while(state, |state| state.closed).unwrap();
            state.stopped -= 1;
        }
        made
    }
}

impl Gate {
    pub(crate) fn close(&self) {
        self.0.state().closed = true;
    }

    pub(crate) fn open(&self) {
        self.0.state().closed = false;
        self.0.opened.notify_all();
    }

    /// Waits until a survey stands at the closed gate.
    pub(crate) async fn stopped(&self) {
        while self.0.state().stopped == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many surveys came to the gate.
    pub(crate) fn surveys(&self) -> usize {
        self.0.state().surveys
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Plan {
    /// Starts a service with a gate in its surveys.
    pub(crate) async fn with_gate(backend: Backend, patience: Patience) -> (Self, Gate) {
        let gate = Arc::new(Gated::default());
        let plan = Self::start_counted_by(backend, Arc::<Gated>::clone(&gate), patience).await;
        (plan, Gate(gate))
    }
}
