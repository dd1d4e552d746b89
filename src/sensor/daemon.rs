//! The daemon, `run`: both halves or one of them, until a signal ends it.
//!
//! ```text
//! capture threads ─► table ─► collector thread ─► spool ─► delivery task ─► plan service
//! └────────────── --only capture ──────────────────┘  └──── --only upload ────┘
//! ```
//!
//! The order of the start matters: first the captures are opened, which needs a privilege, and the sockets; then the
//! process confines itself; then threads start, then the runtime. The order of the end too: capture threads hand over
//! what they hold, then the collector puts it into the spool, then the delivery tries for a bounded time to send it.

use std::net::TcpListener;
use std::num::NonZeroU64;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::config::{self, Config, ConfinementMode};
use super::confinement::{self, Confinement, Needs};
use super::health::{self, View};
use super::rules::Accepted;
use crate::capture::live::{self, LiveError};
use crate::classify::RuleError;
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::notify;
use crate::sensor::pipeline::capturing::{self, Opened, Reopening, Shared};
use crate::sensor::pipeline::collector::Collector;
use crate::sensor::pipeline::table::Table;
use crate::sensor::upload::delivery::{Delivery, IDLE, Pace, Step};
use crate::sensor::upload::route::Route;
use crate::sensor::upload::spool::{self, Reader, SpoolError};

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
    /// A measure of confinement is required and not to be had.
    #[error(
        "the sensor cannot confine itself wholly: {0}; update the kernel, or set confinement.mode to \"try\""
    )]
    Confinement(Confinement),
    /// An interface is to be opened, and this process gave the privilege up.
    #[error("an interface is to be opened anew, which needs a new start; systemd starts the sensor again")]
    Restart,
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
    // The half that captures is nothing else, so it gives up all; both halves in one process go on by themselves.
    let restart = Arc::new(Notify::new());
    let reopens = uploads || config.confinement.mode == ConfinementMode::Off;
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
        reopening: if reopens { Reopening::Here } else { Reopening::Restart(restart.clone()) },
    };
    let capture = if captures { Some(CaptureHalf::open(&shared)?) } else { None };
    let sockets = Sockets::open(&shared.config.load(), captures, uploads)?;
    let needs = needs(&shared.config.load(), config_path.as_deref(), captures, uploads);
    let confinement = confine(shared.config.load().confinement.mode, &needs)?;
    let capture = capture.map(|half| half.start(&shared)).transpose()?;
    if !confinement.measures.is_empty() {
        confinement::give_up_capabilities();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let daemon = Daemon {
        config_path,
        shared,
        set_level,
        captures,
        uploads,
        confinement: Arc::new(confinement),
        restart,
    };
    let result = runtime.block_on(daemon.run(capture, sockets));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// What the process still needs once all is open.
fn needs(config: &Config, path: Option<&Path>, captures: bool, uploads: bool) -> Needs {
    let file = path.unwrap_or_else(|| Path::new(config::DEFAULT_PATH));
    // The folder, not the file: who changes a file often puts another in its place.
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut readable = vec![folder.to_owned(), config.rules.directory.clone()];
    if uploads {
        readable.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
        readable.extend(
            ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from),
        );
    }
    let state = if captures { config.state_directory.clone() } else { config.upload_directory() };
    Needs {
        reopens: captures && uploads,
        network: uploads,
        readable,
        writable: vec![state, config.spool_directory()],
    }
}

fn confine(mode: ConfinementMode, needs: &Needs) -> Result<Confinement, RunError> {
    if mode == ConfinementMode::Off {
        tracing::warn!("confinement.mode is \"off\": the process keeps its privileges");
        return Ok(Confinement::default());
    }
    let confinement = confinement::enter(needs);
    if !confinement.missing().is_empty() {
        if mode == ConfinementMode::Require {
            return Err(RunError::Confinement(confinement));
        }
        tracing::warn!("the sensor goes on without: {confinement}");
    }
    Ok(confinement)
}

/// Where the sensor answers. Opened before it confines itself, as listening is given up then.
struct Sockets {
    loopback: Option<TcpListener>,
    control: UnixListener,
    /// The capture half's metrics, for the other half to serve.
    health: Option<UnixListener>,
    paths: Vec<PathBuf>,
}

impl Sockets {
    fn open(config: &Config, captures: bool, uploads: bool) -> Result<Self, RunError> {
        let refused = |address: String| move |error| RunError::Listen { address, error };
        let open = |address| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        // The half that captures has no network, not even this one.
        let address = config.listen().filter(|_| uploads);
        let loopback = address.map(|a| open(a).map_err(refused(a.to_string()))).transpose()?;
        let control_path = if captures { config.control_path() } else { config.upload_control_path() };
        let control =
            health::bind_control(&control_path).map_err(refused(control_path.display().to_string()))?;
        let mut paths = vec![control_path];
        let health = if uploads {
            None
        } else {
            let path = config.health_path();
            let bound = health::bind_health(&path).map_err(refused(path.display().to_string()))?;
            paths.push(path);
            Some(bound)
        };
        if !captures {
            // What the other half makes, where it was not started yet: what is not there cannot be left open.
            let spool = config.spool_directory();
            spool::make_private(&spool).map_err(|error| SpoolError::Io { path: spool, error })?;
        }
        Ok(Self { loopback, control, health, paths })
    }
}

/// The threads of the capture half.
struct CaptureHalf {
    threads: Vec<JoinHandle<()>>,
    collector: JoinHandle<()>,
    /// Dropped to end the collector.
    running: mpsc::Sender<()>,
}

/// What the capture half needs a privilege or a new folder for.
struct OpenedHalf {
    interfaces: Vec<Opened>,
    collector: Collector,
}

impl OpenedHalf {
    fn start(self, shared: &Shared) -> Result<CaptureHalf, RunError> {
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
    fn open(shared: &Shared) -> Result<OpenedHalf, RunError> {
        let config = shared.config.load_full();
        let interfaces = capturing::open(&config, &config.capture.interfaces)?;
        let (table, status) = (shared.table.clone(), shared.status.clone());
        let (spool, bounds) = (config.spool_directory(), config.spool_bounds());
        let mut collector = Collector::open(table, status, &spool, bounds, &config.zone)?;
        collector.restore(&config.checkpoint_path())?;
        Ok(OpenedHalf { interfaces, collector })
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
    confinement: Arc<Confinement>,
    /// Notified where a new start is needed.
    restart: Arc<Notify>,
}

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Asked,
    Restart,
}

/// What the delivery task is told.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Order {
    Run(Pace, Arc<Route>),
    /// Send what waits until this instant, then end.
    Finish(Instant),
}

impl Daemon {
    async fn run(self, capture: Option<CaptureHalf>, sockets: Sockets) -> Result<(), RunError> {
        let paths = sockets.paths.clone();
        let served = self.serve(sockets).await;
        notify::stopping();
        self.end_capture(capture).await;
        let (end, orders, delivery) = served?;
        let grace = self.shared.config.load().upload.grace;
        orders.send_replace(Order::Finish(Instant::now() + grace));
        if let Some(delivery) = delivery
            && let Err(e) = delivery.await
        {
            tracing::error!("the delivery ended by a defect, please report it: {e}");
        }
        tracing::info!("stopped; {}", self.line());
        paths.iter().for_each(|path| health::unbind(path));
        if end == End::Restart { Err(RunError::Restart) } else { Ok(()) }
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
        sockets: Sockets,
    ) -> Result<(End, watch::Sender<Order>, Option<tokio::task::JoinHandle<()>>), RunError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        self.listen(sockets)?;
        let (orders, order) = watch::channel(order(&self.shared.config.load()));
        let delivery = self.uploads.then(|| tokio::spawn(deliver(self.delivery(), order)));

        let config = self.shared.config.load();
        if self.captures {
            tracing::info!("capturing on {} as zone '{}'", config.capture.interfaces.join(", "), config.zone);
        }
        drop(config);
        notify::ready();
        let end = self.watch(&orders, &mut terminate, &mut interrupt, &mut hangup).await;
        Ok((end, orders, delivery))
    }

    /// Looks after the process until it shall end.
    async fn watch(
        &self,
        orders: &watch::Sender<Order>,
        terminate: &mut Signal,
        interrupt: &mut Signal,
        hangup: &mut Signal,
    ) -> End {
        let mut status = tokio::time::interval(STATUS_EVERY);
        let mut watchdog = tokio::time::interval(notify::watchdog_interval());
        let mut rounds = u64::MAX;
        loop {
            tokio::select! {
                _ = terminate.recv() => return End::Asked,
                _ = interrupt.recv() => return End::Asked,
                () = self.restart.notified() => return End::Restart,
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

    fn listen(&self, sockets: Sockets) -> Result<(), RunError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let view = View {
            shared: self.shared.clone(),
            clock,
            captures: self.captures,
            uploads: self.uploads,
            confinement: self.confinement.clone(),
        };
        if let Some(loopback) = sockets.loopback {
            let listener = tokio::net::TcpListener::from_std(loopback)?;
            tokio::spawn(axum::serve(listener, health::routes(view.clone())).into_future());
        }
        if let Some(health) = sockets.health {
            let listener = tokio::net::UnixListener::from_std(health)?;
            tokio::spawn(axum::serve(listener, health::routes(view.clone())).into_future());
        }
        let listener = tokio::net::UnixListener::from_std(sockets.control)?;
        tokio::spawn(axum::serve(listener, health::control_routes(view)).into_future());
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
        config.confinement = old.confinement;
        let rules =
            if self.captures { Accepted::read(&config.rules.directory)? } else { Accepted::default() };
        if self.captures {
            // This thread may open no interface any more: the capture threads do, where it can be done.
            live::check_filter(&config.capture.filter)?;
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
