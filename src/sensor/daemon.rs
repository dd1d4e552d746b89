//! The daemon, `run`: both halves or one of them, until a signal ends it.
//!
//! ```text
//! capture threads ─► table ─► collector thread ─► spool ─► delivery task ─► plan service
//! └────────────── --only capture ──────────────────┘  └──── --only upload ────┘
//! ```
//!
//! The order of the start matters: first the captures are opened, which needs a privilege, then threads start, then
//! the runtime. The order of the end too: capture threads hand over what they hold, then the collector puts it into
//! the spool, then the delivery tries for a bounded time to send it.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::capturing::{self, Shared};
use super::collector::Collector;
use super::config::Config;
use super::delivery::{Delivery, IDLE, Pace, Step};
use super::health::{self, View};
use super::notify;
use super::route::Route;
use super::rules::Accepted;
use super::spool::{Reader, SpoolError};
use super::table::Table;
use crate::capture::live::LiveError;
use crate::classify::RuleError;
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;

const STATUS_EVERY: Duration = Duration::from_secs(5);

/// One half of the sensor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Half {
    /// Captures, and fills the spool. Has no network.
    Capture,
    /// Empties the spool. Cannot capture.
    Upload,
}

/// What to run.
pub struct Options {
    /// The configuration file that was named.
    pub config_path: Option<PathBuf>,
    /// The configuration, as read from it.
    pub config: Config,
    /// One half only.
    pub only: Option<Half>,
    /// Changes the log's level, for a reload.
    pub set_level: Box<dyn Fn(&str) + Send + Sync>,
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No interface is configured.
    #[error(
        "no interface to capture on; set capture.interfaces, or name one with --interface; 'netcensus-sensor interfaces' lists them"
    )]
    NoInterface,
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule pack is broken.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// An interface cannot be captured.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address}: {error}; set health.listen and state_directory to what this sensor may use"
    )]
    Listen {
        /// The address or socket.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// The system refuses a thread, a signal handler or the runtime.
    #[error("the system refuses a thread or a signal handler: {0}; look at the limits of the process")]
    System(#[from] std::io::Error),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Only at the start: what happens later is shown, logged and tried again.
pub fn run(options: Options) -> Result<(), RunError> {
    let Options { config_path, config, only, set_level } = options;
    let (captures, uploads) = (only != Some(Half::Upload), only != Some(Half::Capture));
    if captures && config.capture.interfaces.is_empty() {
        return Err(RunError::NoInterface);
    }
    let shared = Shared {
        table: Arc::new(Table::new(config.limits.couplings)),
        status: Arc::default(),
        stop: Arc::new(AtomicBool::new(false)),
        rules: Arc::new(ArcSwap::from_pointee(if captures {
            Accepted::at_start(&config.rules.directory)
        } else {
            Accepted::default()
        })),
        config: Arc::new(ArcSwap::from_pointee(config)),
    };
    let capture = if captures { Some(CaptureHalf::start(&shared)?) } else { None };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let daemon = Daemon { config_path, shared, set_level, captures, uploads };
    let result = runtime.block_on(daemon.run(capture));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// The threads of the capture half.
struct CaptureHalf {
    threads: Vec<JoinHandle<()>>,
    collector: JoinHandle<()>,
    /// Dropped to end the collector.
    running: mpsc::Sender<()>,
}

impl CaptureHalf {
    fn start(shared: &Shared) -> Result<Self, RunError> {
        let config = shared.config.load_full();
        let opened = capturing::open(&config, &config.capture.interfaces)?;
        let (table, status) = (shared.table.clone(), shared.status.clone());
        let (spool, bounds) = (config.spool_directory(), config.spool_bounds());
        let mut collector = Collector::open(table, status, &spool, bounds, &config.zone)?;
        collector.restore(&config.checkpoint_path())?;
        let (running, ended) = mpsc::channel();
        let threads: Result<Vec<_>, _> =
            opened.into_iter().map(|o| capturing::start(o, shared.clone())).collect();
        let shared = shared.clone();
        let collector = thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || collect(collector, &shared, &ended))?;
        Ok(Self { threads: threads?, collector, running })
    }

    /// Ends capturing: what is held goes to the spool. Waits for it.
    fn stop(self, stop: &AtomicBool) {
        stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a capture thread ended by a defect: please report it");
            }
        }
        drop(self.running);
        if self.collector.join().is_err() {
            tracing::error!("the collector ended by a defect: please report it");
        }
    }
}

/// The collector's thread: collects every interval, and once more at the end; writes the checkpoint now and then.
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
        collector.pass(round.elapsed());
        round = Instant::now();
        match collector.collect() {
            Ok(_) if troubled => {
                tracing::info!("the spool takes changes again");
                troubled = false;
            }
            Ok(_) => {}
            Err(e) if !troubled || last => {
                tracing::error!("{e}");
                troubled = true;
            }
            Err(_) => {}
        }
        if last || saved.elapsed() >= config.spool.checkpoint_every {
            saved = Instant::now();
            match collector.save() {
                Ok(()) => unsaved = false,
                Err(e) if !unsaved || last => {
                    tracing::error!("the inventory is not written down: {e}");
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

struct Daemon {
    config_path: Option<PathBuf>,
    shared: Shared,
    set_level: Box<dyn Fn(&str) + Send + Sync>,
    captures: bool,
    uploads: bool,
}

/// What the delivery task is told.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Order {
    Run(Pace, Arc<Route>),
    /// Send what waits until this instant, then end.
    Finish(Instant),
}

impl Daemon {
    async fn run(self, capture: Option<CaptureHalf>) -> Result<(), RunError> {
        let served = self.serve(capture.is_some()).await;
        notify::stopping();
        self.end_capture(capture).await;
        let (orders, delivery) = served?;
        let grace = self.shared.config.load().upload.grace;
        orders.send_replace(Order::Finish(Instant::now() + grace));
        if let Some(delivery) = delivery
            && let Err(e) = delivery.await
        {
            tracing::error!("the delivery ended by a defect, please report it: {e}");
        }
        tracing::info!("stopped; {}", self.line());
        if self.captures {
            health::unbind_control(&self.shared.config.load().control_path());
        }
        Ok(())
    }

    /// One line on how it goes.
    fn line(&self) -> String {
        let spool = Reader::new(&self.shared.config.load().spool_directory());
        let (waiting, _) = spool.backlog().unwrap_or_default();
        self.shared.status.line(self.shared.table.len(), waiting)
    }

    async fn end_capture(&self, capture: Option<CaptureHalf>) {
        if let Some(capture) = capture {
            let stop = self.shared.stop.clone();
            if let Err(e) = tokio::task::spawn_blocking(move || capture.stop(&stop)).await {
                tracing::error!("the capture half ended by a defect, please report it: {e}");
            }
        }
    }

    /// Starts the tasks and runs until a signal ends it.
    async fn serve(
        &self,
        captures: bool,
    ) -> Result<(watch::Sender<Order>, Option<tokio::task::JoinHandle<()>>), RunError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        self.listen().await?;
        let (orders, order) = watch::channel(order(&self.shared.config.load()));
        let delivery = self.uploads.then(|| tokio::spawn(deliver(self.delivery(), order)));

        let config = self.shared.config.load();
        if captures {
            tracing::info!("capturing on {} as zone '{}'", config.capture.interfaces.join(", "), config.zone);
        }
        drop(config);
        notify::ready();
        self.watch(&orders, &mut terminate, &mut interrupt, &mut hangup).await;
        Ok((orders, delivery))
    }

    /// Looks after the process until it shall end.
    async fn watch(
        &self,
        orders: &watch::Sender<Order>,
        terminate: &mut Signal,
        interrupt: &mut Signal,
        hangup: &mut Signal,
    ) {
        let mut status = tokio::time::interval(STATUS_EVERY);
        let mut watchdog = tokio::time::interval(notify::watchdog_interval());
        let mut rounds = u64::MAX;
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => self.reload(orders),
                _ = status.tick() => notify::status(&self.line()),
                _ = watchdog.tick() => {
                    // A capture thread makes ten rounds a second, traffic or not.
                    let now = self.shared.status.rounds.load(Ordering::Relaxed);
                    if now != rounds || !self.captures {
                        notify::alive();
                    }
                    rounds = now;
                }
            }
        }
    }

    async fn listen(&self) -> Result<(), RunError> {
        let config = self.shared.config.load_full();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let view = View { shared: self.shared.clone(), clock, captures: self.captures };
        if let Some(address) = config.listen() {
            let bound = TcpListener::bind(address).await;
            let listener = bound.map_err(|error| RunError::Listen { address: address.to_string(), error })?;
            tokio::spawn(axum::serve(listener, health::routes(view.clone())).into_future());
        }
        if self.captures {
            let path = config.control_path();
            let listener = health::bind_control(&path)
                .map_err(|error| RunError::Listen { address: path.display().to_string(), error })?;
            tokio::spawn(axum::serve(listener, health::control_routes(view)).into_future());
        }
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        let config = self.shared.config.load();
        Delivery::new(
            Reader::new(&config.spool_directory()),
            config.identity_source(),
            pace(&config),
            self.shared.status.clone(),
            Arc::new(SystemClock),
        )
    }

    /// Reads the configuration and the rules anew. Where one of both is wrong, both stay.
    fn reload(&self, orders: &watch::Sender<Order>) {
        notify::reloading();
        match self.read_again() {
            Ok((config, rules)) => {
                (self.set_level)(&config.log.level);
                orders.send_replace(order(&config));
                self.shared.config.store(Arc::new(config));
                self.shared.rules.store(Arc::new(rules));
                tracing::info!("the configuration and the rules were read again");
            }
            Err(e) => tracing::error!("{e}; the old configuration stays in use"),
        }
        notify::ready();
    }

    fn read_again(&self) -> Result<(Config, Accepted), RunError> {
        let mut config = Config::load(self.config_path.as_deref())?;
        let old = self.shared.config.load();
        // What a running process cannot change stays; the file says so beside each of these keys.
        config.capture.interfaces.clone_from(&old.capture.interfaces);
        config.zone.clone_from(&old.zone);
        config.state_directory.clone_from(&old.state_directory);
        config.spool.directory.clone_from(&old.spool.directory);
        config.health.clone_from(&old.health);
        config.limits.clone_from(&old.limits);
        let rules =
            if self.captures { Accepted::read(&config.rules.directory)? } else { Accepted::default() };
        if self.captures {
            // Opens what it would capture, so that a wrong filter is refused here.
            capturing::open(&config, &config.capture.interfaces)?;
        }
        Ok((config, rules))
    }
}

fn order(config: &Config) -> Order {
    Order::Run(pace(config), Arc::new(config.route()))
}

fn pace(config: &Config) -> Pace {
    Pace {
        first: config.upload.retry_after,
        longest: config.upload.retry_at_most,
        timeout: config.upload.timeout,
        bytes_per_second: NonZeroU64::new(config.upload.max_bytes_per_second),
    }
}

/// The delivery task: steps and waits, until it is told to finish.
async fn deliver(mut delivery: Delivery, mut order: watch::Receiver<Order>) {
    loop {
        let now = order.borrow_and_update().clone();
        match now {
            Order::Finish(until) => return finish(&mut delivery, until).await,
            Order::Run(pace, route) => {
                delivery.set_pace(pace);
                delivery.set_route(route.as_ref().clone());
            }
        }
        loop {
            let wait = match delivery.step().await {
                Step::Stored(_) | Step::PutAside(_) | Step::Replaced(_) => Duration::ZERO,
                Step::Idle => IDLE,
                Step::Wait(wait) => wait,
            };
            let wait = wait.max(delivery.rest());
            // A wait ends early only for a new order.
            if tokio::time::timeout(wait, order.changed()).await.is_ok() {
                break;
            }
        }
    }
}

/// Sends what waits, until `until`.
async fn finish(delivery: &mut Delivery, until: Instant) {
    let drain = async {
        while matches!(delivery.step().await, Step::Stored(_) | Step::PutAside(_) | Step::Replaced(_)) {
            tokio::time::sleep(delivery.rest()).await;
        }
    };
    if tokio::time::timeout_at(until, drain).await.is_err() {
        tracing::info!("what is left in the spool is sent after the next start");
    }
}
