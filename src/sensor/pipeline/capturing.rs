//! The capture threads: one for each ring of an interface, from it through a [`Worker`] into the table.
//!
//! If an interface disappears, its thread reports the problem and tries to open it again, with growing pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::table::Table;
use super::traffic::Traffic;
use super::worker::Worker;
use crate::capture::fanout::Group;
use crate::capture::live::{self, Live, LiveError, Settings, Statistics};
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::config::{CaptureConfig, Config};
use crate::sensor::indicators::{IndicatorLoader, Place};
use crate::sensor::rules::Accepted;
use crate::sensor::status::{InterfaceStatus, Status};

/// Longest wait for frames, and so the time in which a thread notices that it must stop.
const WAIT: Duration = Duration::from_millis(100);
/// How often the cache is merged into the table and the counters are published.
const FLUSH: Duration = Duration::from_millis(500);
/// How long a stopping thread still reads frames that the kernel holds: two blocks of the ring.
const LAST_FRAMES: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What all capture threads share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// A reload replaces it.
    pub(crate) config: Arc<ArcSwap<Config>>,
    /// The operator's rules in use; a reload replaces them.
    pub(crate) rules: Arc<ArcSwap<Accepted>>,
    pub(crate) table: Arc<Table>,
    pub(crate) status: Arc<Status>,
    /// Tells the threads to end.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) reopening: Reopening,
    pub(crate) indicators: IndicatorLoader,
}

impl Shared {
    /// Reads all indicators again, or only looks whether the upload half saved another set.
    pub(crate) fn load_indicators(&self, look: bool) {
        let config = self.config.load();
        let (files, spool) = (&config.alerts.indicators, config.spool_directory());
        let now = SystemClock.now();
        let place = Place { files, spool: &spool, table: &self.table, status: &self.status, now };
        if look { self.indicators.look(&place) } else { self.indicators.load(&place) }
    }
}

/// How to open an interface that was away or has new settings.
#[derive(Clone, Debug)]
pub(crate) enum Reopening {
    /// Its thread opens it, with the privilege that it kept.
    Here,
    /// The process gave the privilege up and must be started again; notifies the daemon to end.
    Restart(Arc<Notify>),
}

pub(crate) fn settings(capture: &CaptureConfig, interface: &str) -> Settings {
    Settings {
        interface: interface.to_owned(),
        filter: capture.filter.clone(),
        ring_mib: capture.ring_mib,
        snap_length: capture.snap_length,
        promiscuous: capture.promiscuous,
        rings: capture.threads(),
    }
}

/// A ring of an interface that is open, or that could not be opened yet.
pub(crate) struct Opened {
    interface: String,
    /// The number of the ring.
    ring: usize,
    group: Group,
    traffic: Traffic,
    settings: Settings,
    live: Result<Live, LiveError>,
}

/// Opens all interfaces, except those that are away, which are opened later.
///
/// # Errors
/// If an interface cannot be opened until a person changes something.
pub(crate) fn open(config: &Config, interfaces: &[String]) -> Result<Vec<Opened>, LiveError> {
    let mut all = Vec::new();
    for interface in interfaces {
        let settings = settings(&config.capture, interface);
        let group = Group::default();
        for (ring, traffic) in Traffic::of(settings.rings).enumerate() {
            let live = Live::open(&settings, &group);
            if let Err(e) = &live
                && !e.may_pass()
            {
                return Err(e.clone());
            }
            let (interface, group, settings) = (interface.clone(), group.clone(), settings.clone());
            all.push(Opened { interface, ring, group, traffic, settings, live });
        }
    }
    Ok(all)
}

/// Starts the thread of a ring.
///
/// # Errors
/// If the system refuses a thread.
pub(crate) fn start(opened: Opened, shared: Shared) -> std::io::Result<JoinHandle<()>> {
    // The kernel keeps 15 bytes of a thread's name.
    let name = match opened.ring {
        0 => format!("capture {:.7}", opened.interface),
        ring => format!("capture {:.4} {ring}", opened.interface),
    };
    thread::Builder::new().name(name).spawn(move || Thread::new(opened, &shared).run())
}

struct Thread<'s> {
    interface: String,
    ring: usize,
    group: Group,
    settings: Settings,
    shared: &'s Shared,
    worker: Worker<'s>,
    live: Option<Live>,
    problem: Option<String>,
    /// Totals of the closed handles.
    closed: Statistics,
    pause: Duration,
    next_attempt: Instant,
    flushed: Instant,
    /// What was published last.
    published: InterfaceStatus,
    /// Feeds the watchdog.
    progress: Arc<AtomicU64>,
}

impl<'s> Thread<'s> {
    fn new(opened: Opened, shared: &'s Shared) -> Self {
        let (live, problem) = match opened.live {
            Ok(live) => (Some(live), None),
            Err(e) => (None, Some(e.to_string())),
        };
        if let Some(problem) = &problem {
            tracing::warn!("{problem}; retrying");
        }
        Self {
            progress: shared.status.progress_of(&opened.interface, opened.ring),
            interface: opened.interface,
            ring: opened.ring,
            group: opened.group,
            settings: opened.settings,
            shared,
            worker: Worker::of(&shared.table, opened.traffic),
            live,
            problem,
            closed: Statistics::default(),
            pause: FIRST_PAUSE,
            next_attempt: Instant::now() + FIRST_PAUSE,
            flushed: Instant::now(),
            published: InterfaceStatus::default(),
        }
    }

    fn run(mut self) {
        self.publish();
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.round();
            self.progress.fetch_add(1, Ordering::Relaxed);
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

    /// Reads some frames, waiting for the first for at most [`WAIT`], or tries to open the interface. It always comes back:
    /// what it reads is bounded, so a flood keeps neither the counters nor the watchdog waiting.
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
        tracing::warn!("{why}; retrying");
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
            let up = live::is_up(&self.interface);
            if up {
                tracing::info!("{}: up again; restarting to open it", self.interface);
                wanted.notify_one();
            }
            self.next_attempt = Instant::now() + if up { LONGEST_PAUSE } else { FIRST_PAUSE };
            return;
        }
        match Live::open(&self.settings, &self.group) {
            Ok(live) => {
                tracing::info!("{}: capturing again", self.interface);
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

    /// Merges the cache into the table, publishes the counters, and applies changed settings.
    fn publish(&mut self) {
        self.flushed = Instant::now();
        self.worker.flush();
        let now = self.live.as_mut().map(Live::statistics).unwrap_or_default();
        let mut status = InterfaceStatus {
            problem: self.problem.clone(),
            counters: self.worker.counters().clone(),
            statistics: sum(self.closed, now),
            drops: None,
        };
        status.note_drops(&self.published);
        self.published.clone_from(&status);
        self.shared.status.publish(&self.interface, self.ring, status);
        self.shared.status.warn_of_limits(self.shared.table.limit_hits());
        // How many rings there are is settled at the start.
        let rings = self.settings.rings;
        let wanted = Settings { rings, ..settings(&self.shared.config.load().capture, &self.interface) };
        if wanted != self.settings {
            self.change(wanted);
        }
    }

    /// Captures with new settings; if that fails, the old handle stays open.
    fn change(&mut self, wanted: Settings) {
        if let Reopening::Restart(restart) = &self.shared.reopening {
            tracing::info!("{}: restarting to capture with the changed settings", self.interface);
            restart.notify_one();
            self.settings = wanted;
            return;
        }
        match Live::open(&wanted, &self.group) {
            Ok(live) => {
                if let Some(mut old) = self.live.replace(live) {
                    self.closed = sum(self.closed, old.statistics());
                }
                self.problem = None;
                tracing::info!("{}: capturing with the changed settings", self.interface);
            }
            Err(e) if self.live.is_some() => tracing::error!("{e}; keeping the old settings"),
            Err(_) => {}
        }
        // Even after a failure: do not try the same settings twice.
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
