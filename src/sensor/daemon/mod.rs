//! The daemon of `run`: both halves or one of them, until a signal ends it.
//!
//! ```text
//! capture threads ─► table ─► collector thread ─► spool ─► delivery task ─► plan service
//! └────────────── --only capture ──────────────────┘  └──── --only upload ────┘
//! ```
//!
//! Start, in this order: open the captures (which needs a privilege) and the sockets; confine the process; start the
//! threads; start the runtime. End, in this order: the capture threads flush into the table; the collector moves it into
//! the spool; the delivery task sends the spool for a limited time.

mod capture_half;
mod milestones;
mod sockets;
mod upload_half;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use self::capture_half::CaptureHalf;
use self::milestones::Milestones;
use self::sockets::Sockets;
use self::upload_half::{Order, deliver, order, pace};
use super::config::{self, Config, ConfinementMode};
use super::confinement::{self, Confinement, Needs};
use super::health::{self, HealthView};
use super::rules::Accepted;
use crate::capture::live::{self, LiveError};
use crate::classify::RuleError;
use crate::cli::log::SetLevel;
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::lock::{LockError, ProcessLock};
use crate::notify;
use crate::sensor::indicators::IndicatorLoader;
use crate::sensor::pipeline::capturing::{Reopening, Shared};
use crate::sensor::pipeline::table::Table;
use crate::sensor::upload::delivery::Delivery;
use crate::sensor::upload::spool::{self, SpoolError, SpoolReader};

const STATUS_EVERY: Duration = Duration::from_secs(5);
/// How often the sensor looks for its first frame, device and upload.
const MILESTONES_EVERY: Duration = Duration::from_millis(500);

/// One half of the sensor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Half {
    /// Captures and fills the spool; has no network.
    Capture,
    /// Empties the spool; cannot capture.
    Upload,
}

pub(crate) struct RunOptions {
    /// The file that `--config` named; a reload reads it again.
    pub(crate) config_path: Option<PathBuf>,
    pub(crate) config: Config,
    /// `None` for both halves.
    pub(crate) only: Option<Half>,
    /// Whether to wait for interfaces that are not there.
    pub(crate) wait: bool,
    /// Changes the log level, at a reload.
    pub(crate) set_level: SetLevel,
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(
        "no interface to capture on; set capture.interfaces or use --interface ('netcensus-sensor interfaces' lists them)"
    )]
    NoInterface,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rules(#[from] RuleError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(
        "there is no interface '{0}'; 'netcensus-sensor interfaces' lists them, and 'netcensus-sensor run --wait' waits for one that comes later"
    )]
    NoSuchInterface(String),
    /// Another sensor uses the state directory.
    #[error(
        "the process {} runs a sensor with the state directory {} already; stop it first ('systemctl stop netcensus-sensor netcensus-upload'), or choose another state_directory", pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()), directory.display()
    )]
    Running {
        /// The process.
        pid: Option<u32>,
        /// The directory.
        directory: PathBuf,
    },
    #[error(
        "cannot listen on {address}: {error}; another sensor or another program uses it: end that, or choose another health.listen or state_directory"
    )]
    Listen {
        /// The address or socket.
        address: String,
        error: std::io::Error,
    },
    /// The kernel lacks a measure, and `confinement.mode` is `require`.
    #[error(
        "the sensor cannot confine itself completely: {0}; update the kernel, or set confinement.mode to \"try\""
    )]
    Confinement(Confinement),
    /// An interface must be opened, but this process has given up the privilege.
    #[error(
        "an interface must be opened again, which needs a privilege that this process gave up; systemd restarts the sensor"
    )]
    Restart,
    #[error("the system refused a thread, a signal handler or the runtime: {0}; check the process's limits")]
    System(#[from] std::io::Error),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Only at the start. Later failures are logged, shown in the metrics, and retried.
pub(crate) fn run(options: RunOptions) -> Result<(), RunError> {
    let RunOptions { config_path, config, only, wait, set_level } = options;
    let (captures, uploads) = (only != Some(Half::Upload), only != Some(Half::Capture));
    if captures && config.capture.interfaces.is_empty() {
        return Err(RunError::NoInterface);
    }
    if captures
        && !wait
        && let Some(missing) = config.capture.interfaces.iter().find(|name| !live::is_there(name))
    {
        return Err(RunError::NoSuchInterface(missing.clone()));
    }
    let _locks = locks(&config, captures, uploads)?;
    // The capture half alone gives up every privilege, so it needs a restart; both halves in one process keep what they need.
    let restart = Arc::new(Notify::new());
    let reopens = uploads || config.confinement.mode == ConfinementMode::Off;
    let table = Arc::new(Table::with_memory(config.limits.couplings, config.limits.memory()));
    table.trust(config.tunnels());
    let shared = Shared {
        table,
        status: Arc::default(),
        stop: Arc::new(AtomicBool::new(false)),
        rules: Arc::new(ArcSwap::from_pointee(if captures {
            Accepted::at_start(&config.rules.directory)
        } else {
            Accepted::default()
        })),
        config: Arc::new(ArcSwap::from_pointee(config)),
        reopening: if reopens { Reopening::Here } else { Reopening::Restart(restart.clone()) },
        indicators: IndicatorLoader::default(),
    };
    if captures {
        shared.load_indicators(false);
    }
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

/// Locks the state directory of each half. A second sensor there would mix up the spool.
fn locks(config: &Config, captures: bool, uploads: bool) -> Result<Vec<ProcessLock>, RunError> {
    let halves = [(captures, config.state_directory.clone()), (uploads, config.upload_directory())];
    let mut locks = Vec::new();
    for (_, directory) in halves.into_iter().filter(|(runs, _)| *runs) {
        // If it cannot be made, the spool or a socket says so, with the path.
        spool::make_private(&directory).ok();
        match ProcessLock::take(&directory.join("run.lock")) {
            Ok(lock) => locks.push(lock),
            Err(LockError::Held { pid, .. }) => {
                return Err(RunError::Running { pid, directory: config.state_directory.clone() });
            }
            Err(error) => {
                tracing::warn!("{error}; a second sensor on this state directory would not be noticed")
            }
        }
    }
    Ok(locks)
}

/// What the process still needs when everything is open.
fn needs(config: &Config, path: Option<&Path>, captures: bool, uploads: bool) -> Needs {
    let file = path.unwrap_or_else(|| Path::new(config::DEFAULT_PATH));
    // The folder, not the file: editors often replace a file instead of changing it.
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
        tracing::warn!("confinement.mode is \"off\", so the process keeps its privileges");
        return Ok(Confinement::default());
    }
    let confinement = confinement::enter(needs);
    if !confinement.missing().is_empty() {
        if mode == ConfinementMode::Require {
            return Err(RunError::Confinement(confinement));
        }
        tracing::warn!("the sensor continues without full confinement: {confinement}");
    }
    Ok(confinement)
}

struct Daemon {
    config_path: Option<PathBuf>,
    shared: Shared,
    set_level: SetLevel,
    captures: bool,
    uploads: bool,
    confinement: Arc<Confinement>,
    /// Notified if the process must be started again.
    restart: Arc<Notify>,
}

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Asked,
    Restart,
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
            tracing::error!("the delivery task panicked; please report this defect: {e}");
        }
        tracing::info!("stopped; {}", self.status_line());
        paths.iter().for_each(|path| health::unbind(path));
        if end == End::Restart { Err(RunError::Restart) } else { Ok(()) }
    }

    fn status_line(&self) -> String {
        let spool = SpoolReader::new(&self.shared.config.load().spool_directory());
        let (waiting, _) = spool.backlog().unwrap_or_default();
        self.shared.status.line(self.shared.table.len(), waiting)
    }

    async fn end_capture(&self, capture: Option<CaptureHalf>) {
        if let Some(capture) = capture {
            let stop = self.shared.stop.clone();
            if let Err(e) = tokio::task::spawn_blocking(move || capture.stop(&stop)).await {
                tracing::error!("ending the capture half panicked; please report this defect: {e}");
            }
        }
    }

    /// Starts the tasks, and runs until a signal.
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
            let away = self.shared.status.interfaces().into_iter().filter(|(_, i)| i.problem.is_some());
            let away: Vec<String> = away.map(|(name, _)| name).collect();
            let open: Vec<&String> =
                config.capture.interfaces.iter().filter(|name| !away.contains(name)).collect();
            let names = |names: &[&String]| names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
            if !open.is_empty() {
                tracing::info!("capturing on {} as zone '{}'", names(&open), config.zone);
            }
            if !away.is_empty() {
                tracing::warn!("waiting for {}", away.join(", "));
            }
        }
        drop(config);
        notify::ready();
        let end = self.watch(&orders, &mut terminate, &mut interrupt, &mut hangup).await;
        Ok((end, orders, delivery))
    }

    /// Handles signals, reports the status and feeds the watchdog until the process must end.
    async fn watch(
        &self,
        orders: &watch::Sender<Order>,
        terminate: &mut Signal,
        interrupt: &mut Signal,
        hangup: &mut Signal,
    ) -> End {
        let mut status = tokio::time::interval(STATUS_EVERY);
        let mut watchdog = tokio::time::interval(notify::watchdog_interval());
        let mut looks = tokio::time::interval(MILESTONES_EVERY);
        let mut milestones = Milestones::new(self.captures, self.uploads);
        milestones.begin(&self.shared.config.load());
        let mut progress = BTreeMap::new();
        loop {
            tokio::select! {
                _ = terminate.recv() => return End::Asked,
                _ = interrupt.recv() => return End::Asked,
                () = self.restart.notified() => return End::Restart,
                _ = hangup.recv() => self.reload(orders),
                _ = status.tick() => notify::status(&self.status_line()),
                _ = looks.tick(), if !milestones.are_done() => {
                    let couplings = if self.captures { self.shared.table.len() } else { 0 };
                    milestones.look(&self.shared.config.load(), &self.shared.status, couplings);
                }
                _ = watchdog.tick() => {
                    // A capture thread goes on at least five times a second, with and without traffic.
                    if self.shared.status.goes_on(&mut progress) || !self.captures {
                        notify::alive();
                    }
                }
            }
        }
    }

    fn listen(&self, sockets: Sockets) -> Result<(), RunError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let view = HealthView {
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
            SpoolReader::new(&config.spool_directory()),
            config.identity_source(),
            pace(&config),
            self.shared.status.clone(),
            Arc::new(SystemClock),
        )
    }

    /// Reads the configuration and the rules again. If either is invalid, both stay.
    fn reload(&self, orders: &watch::Sender<Order>) {
        notify::reloading();
        match self.read_again() {
            Ok((config, rules)) => {
                (self.set_level)(&config.log.level);
                orders.send_replace(order(&config));
                self.shared.table.trust(config.tunnels());
                self.shared.config.store(Arc::new(config));
                self.shared.rules.store(Arc::new(rules));
                if self.captures {
                    self.shared.load_indicators(false);
                }
                tracing::info!("reloaded the configuration and the rules");
            }
            Err(e) => tracing::error!("{e}; keeping the old configuration and rules"),
        }
        notify::ready();
    }

    fn read_again(&self) -> Result<(Config, Accepted), RunError> {
        let mut config = Config::load(self.config_path.as_deref())?;
        let old = self.shared.config.load();
        // A running process cannot change these; the shipped file says so at each key.
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
            // Only check the filter: this thread has given up the privilege to open an interface.
            live::check_filter(&config.capture.filter)?;
        }
        Ok((config, rules))
    }
}
