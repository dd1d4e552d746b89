//! Capturing: one thread an interface, from its ring through a [`Worker`] into the table.
//!
//! An interface that goes does not end the sensor: the thread opens it again, with growing pauses, and says meanwhile
//! what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::table::Table;
use super::worker::Worker;
use crate::capture::live::{self, Live, LiveError, Settings, Statistics};
use crate::sensor::config::{Capture, Config};
use crate::sensor::rules::Accepted;
use crate::sensor::status::{InterfaceStatus, Status};

/// How long one wait for frames takes; also how soon a thread notices that it shall stop.
const WAIT: Duration = Duration::from_millis(100);
/// How often the cache is merged into the table, and the counters are shown.
const FLUSH: Duration = Duration::from_millis(500);
/// How long a stopping thread still takes frames that the kernel holds: two blocks of its ring.
const LAST_FRAMES: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What all capture threads share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration, which may change.
    pub config: Arc<ArcSwap<Config>>,
    /// The rules in use, which may change.
    pub rules: Arc<ArcSwap<Accepted>>,
    /// Where facts go.
    pub table: Arc<Table>,
    /// Where counts go.
    pub status: Arc<Status>,
    /// Set once the threads shall end.
    pub stop: Arc<AtomicBool>,
    /// How an interface is opened after the start.
    pub reopening: Reopening,
}

/// How an interface is opened that was away, or that shall be captured with other settings.
#[derive(Clone, Debug)]
pub enum Reopening {
    /// By its thread, which has kept the privilege.
    Here,
    /// By a new start of the process, as this one gave the privilege up; whoever waits here brings it about.
    Restart(Arc<Notify>),
}

/// The settings of one interface.
pub fn settings(capture: &Capture, interface: &str) -> Settings {
    Settings {
        interface: interface.to_owned(),
        filter: capture.filter.clone(),
        ring_mib: capture.ring_mib,
        snap_length: capture.snap_length,
        promiscuous: capture.promiscuous,
    }
}

/// An interface that was opened, or could not be opened yet.
pub struct Opened {
    interface: String,
    settings: Settings,
    live: Result<Live, LiveError>,
}

/// Opens all interfaces. One that is away is opened later.
///
/// # Errors
/// Where a person must change something first.
pub fn open(config: &Config, interfaces: &[String]) -> Result<Vec<Opened>, LiveError> {
    let mut all = Vec::new();
    for interface in interfaces {
        let settings = settings(&config.capture, interface);
        let live = Live::open(&settings);
        match live {
            Err(e) if !e.may_pass() => return Err(e),
            live => all.push(Opened { interface: interface.clone(), settings, live }),
        }
    }
    Ok(all)
}

/// Starts the thread of an interface.
///
/// # Errors
/// Where the system gives no thread.
pub fn start(opened: Opened, shared: Shared) -> std::io::Result<JoinHandle<()>> {
    let name = format!("capture {}", opened.interface);
    // The kernel keeps 15 bytes of a thread's name.
    let name = name.chars().take(15).collect();
    thread::Builder::new().name(name).spawn(move || Thread::new(opened, &shared).run())
}

struct Thread<'s> {
    interface: String,
    settings: Settings,
    shared: &'s Shared,
    worker: Worker<'s>,
    live: Option<Live>,
    problem: Option<String>,
    /// Totals of handles that are closed.
    closed: Statistics,
    pause: Duration,
    next_attempt: Instant,
    flushed: Instant,
}

impl<'s> Thread<'s> {
    fn new(opened: Opened, shared: &'s Shared) -> Self {
        let (live, problem) = match opened.live {
            Ok(live) => (Some(live), None),
            Err(e) => (None, Some(e.to_string())),
        };
        if let Some(problem) = &problem {
            tracing::warn!("{problem}; it is tried again");
        }
        Self {
            interface: opened.interface,
            settings: opened.settings,
            shared,
            worker: Worker::new(&shared.table),
            live,
            problem,
            closed: Statistics::default(),
            pause: FIRST_PAUSE,
            next_attempt: Instant::now() + FIRST_PAUSE,
            flushed: Instant::now(),
        }
    }

    fn run(mut self) {
        self.publish();
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.round();
            self.shared.status.rounds.fetch_add(1, Ordering::Relaxed);
            if self.flushed.elapsed() >= FLUSH {
                self.publish();
            }
        }
        let end = Instant::now() + LAST_FRAMES;
        while self.live.is_some() && Instant::now() < end {
            self.round();
        }
        self.publish();
    }

    /// Takes frames for a moment, or tries to open the interface.
    fn round(&mut self) {
        if let Some(live) = &mut self.live {
            let worker = &mut self.worker;
            if let Err(e) = live.poll(WAIT, &mut |frame| worker.frame(frame)) {
                self.close(&e);
            }
        } else if Instant::now() >= self.next_attempt {
            self.reopen();
        } else {
            thread::sleep(WAIT);
        }
    }

    fn close(&mut self, why: &LiveError) {
        tracing::warn!("{why}; it is tried again");
        if let Some(mut live) = self.live.take() {
            self.closed = sum(self.closed, live.statistics());
        }
        self.problem = Some(why.to_string());
        self.pause = FIRST_PAUSE;
        self.next_attempt = Instant::now() + self.pause;
        self.publish();
    }

    fn reopen(&mut self) {
        if let Reopening::Restart(wanted) = &self.shared.reopening {
            let there = live::is_up(&self.interface);
            if there {
                tracing::info!("{}: it is there; a new start opens it", self.interface);
                wanted.notify_one();
            }
            self.next_attempt = Instant::now() + if there { LONGEST_PAUSE } else { FIRST_PAUSE };
            return;
        }
        match Live::open(&self.settings) {
            Ok(live) => {
                tracing::info!("{}: captured again", self.interface);
                (self.live, self.problem, self.pause) = (Some(live), None, FIRST_PAUSE);
            }
            Err(e) => {
                self.problem = Some(e.to_string());
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.next_attempt = Instant::now() + self.pause;
            }
        }
        self.publish();
    }

    /// Merges the cache into the table, shows the counts, and takes over changed settings.
    fn publish(&mut self) {
        self.flushed = Instant::now();
        self.worker.flush();
        let now = self.live.as_mut().map(Live::statistics).unwrap_or_default();
        let status = InterfaceStatus {
            problem: self.problem.clone(),
            counters: self.worker.counters().clone(),
            statistics: sum(self.closed, now),
        };
        self.shared.status.publish(&self.interface, status);
        self.shared.status.tell_bounds(self.shared.table.bounds());
        let wanted = settings(&self.shared.config.load().capture, &self.interface);
        if wanted != self.settings {
            self.change(wanted);
        }
    }

    /// Captures with other settings; where that fails the old handle stays.
    fn change(&mut self, wanted: Settings) {
        if let Reopening::Restart(restart) = &self.shared.reopening {
            tracing::info!("{}: a new start captures with the changed settings", self.interface);
            restart.notify_one();
            self.settings = wanted;
            return;
        }
        match Live::open(&wanted) {
            Ok(live) => {
                if let Some(mut old) = self.live.replace(live) {
                    self.closed = sum(self.closed, old.statistics());
                }
                self.problem = None;
                tracing::info!("{}: captured with the changed settings", self.interface);
            }
            Err(e) if self.live.is_some() => tracing::error!("{e}; the old settings stay"),
            Err(_) => {}
        }
        // Also where it failed: the same settings are not tried twice.
        self.settings = wanted;
    }
}

fn sum(a: Statistics, b: Statistics) -> Statistics {
    Statistics {
        received: a.received + b.received,
        dropped_ring: a.dropped_ring + b.dropped_ring,
        dropped_interface: a.dropped_interface + b.dropped_interface,
    }
}
