//! The threads of the capture half.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::RunError;
use crate::sensor::pipeline::capturing::{self, Opened, Shared};
use crate::sensor::pipeline::collector::Collector;

pub(super) struct CaptureHalf {
    threads: Vec<JoinHandle<()>>,
    collector: JoinHandle<()>,
    /// Dropping it ends the collector.
    running: mpsc::Sender<()>,
}

/// The parts of the capture half that need a privilege or a new folder, opened.
pub(super) struct OpenedHalf {
    interfaces: Vec<Opened>,
    collector: Collector,
}

impl OpenedHalf {
    pub(super) fn start(self, shared: &Shared) -> Result<CaptureHalf, RunError> {
        let Self { interfaces: opened, collector } = self;
        let (running, ended) = mpsc::channel();
        let threads: Result<Vec<_>, _> =
            opened.into_iter().map(|o| capturing::start(o, shared.clone())).collect();
        let shared = shared.clone();
        let collector = thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || collect(collector, &shared, &ended))?;
        Ok(CaptureHalf { threads: threads?, collector, running })
    }
}

impl CaptureHalf {
    pub(super) fn open(shared: &Shared) -> Result<OpenedHalf, RunError> {
        let config = shared.config.load_full();
        let interfaces = capturing::open(&config, &config.capture.interfaces)?;
        let (table, status) = (shared.table.clone(), shared.status.clone());
        let (spool, bounds) = (config.spool_directory(), config.spool_bounds());
        let mut collector = Collector::open(table, status, &spool, bounds, &config.zone)?;
        collector.restore(&config.checkpoint_path())?;
        Ok(OpenedHalf { interfaces, collector })
    }

    /// Stops capturing, and waits until the remaining facts are in the spool.
    pub(super) fn stop(self, stop: &AtomicBool) {
        stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a capture thread panicked; please report this defect");
            }
        }
        drop(self.running);
        if self.collector.join().is_err() {
            tracing::error!("the collector panicked; please report this defect");
        }
    }
}

/// The collector's thread: collects at every interval and once at the end, and writes the checkpoint.
fn collect(mut collector: Collector, shared: &Shared, ended: &mpsc::Receiver<()>) {
    let (mut troubled, mut unsaved) = (false, false);
    let (mut round, mut saved) = (Instant::now(), Instant::now());
    loop {
        let config = shared.config.load_full();
        let last = match ended.recv_timeout(config.upload.interval) {
            Err(RecvTimeoutError::Timeout) | Ok(()) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        let config = shared.config.load_full();
        collector.set_bounds(config.spool_bounds());
        collector.set_freshness(config.freshness());
        collector.pass(round.elapsed());
        round = Instant::now();
        match if last { collector.collect_all() } else { collector.collect() } {
            Ok(_) if troubled => {
                tracing::info!("the spool accepts changes again");
                troubled = false;
            }
            Ok(_) => {}
            Err(e) if !troubled || last => {
                tracing::error!("{e}");
                troubled = true;
            }
            Err(_) => {}
        }
        if !last && shared.indicators.is_due(&config.spool_directory()) {
            look_for_indicators(shared);
        }
        if last || saved.elapsed() >= config.spool.checkpoint_every {
            saved = Instant::now();
            match collector.save() {
                Ok(()) => unsaved = false,
                Err(e) if !unsaved || last => {
                    tracing::error!("cannot write the inventory to disk: {e}");
                    unsaved = true;
                }
                Err(_) => {}
            }
        }
        if last {
            return;
        }
    }
}

/// Loads another set of indicators in a thread of its own: a large set takes seconds, and the spool must not wait.
fn look_for_indicators(shared: &Shared) {
    let shared = shared.clone();
    let started =
        thread::Builder::new().name("indicators".to_owned()).spawn(move || shared.load_indicators(true));
    if let Err(error) = started {
        tracing::warn!("the set of indicators was not loaded: {error}");
    }
}
