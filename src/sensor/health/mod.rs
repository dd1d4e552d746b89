//! What the sensor reports about itself: `/metrics`, `/healthz` and `/readyz` on a loopback port; the same, its state and
//! the inventory on a control socket that only the sensor's user may open.

mod metrics;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use self::metrics::{metrics, relay};
use super::confinement::Confinement;
use super::indicators::IndicatorsInForce;
use super::status::Status;
use crate::census::{Inventory, Limit, MostlyUnread};
use crate::classify::RuleFiles;
use crate::clock::Clock;
use crate::sensor::pipeline::capturing::Shared;
use crate::sensor::upload::spool;
use crate::wire::CaptureSummary;

/// The running sensor's answer to its commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SensorSnapshot {
    pub(crate) inventory: Inventory,
    /// Totals since the sensor started.
    pub(crate) capture: CaptureSummary,
    /// Sightings of couplings refused at the limit.
    pub(crate) refused: u64,
    /// Which limits refused something.
    #[serde(default)]
    pub(crate) limits: Vec<Limit>,
    /// The judgement on what was captured, if most of it was not understood.
    #[serde(default)]
    pub(crate) mostly_unread: Option<MostlyUnread>,
    /// The operator's rules in use.
    #[serde(default)]
    pub(crate) rules: RuleFiles,
    /// Why the configured rules are not in use, if they are not.
    #[serde(default)]
    pub(crate) rules_problem: Option<String>,
    /// Problems of capture and upload.
    #[serde(default)]
    pub(crate) problems: Vec<String>,
    /// What the sensor watches for.
    #[serde(default)]
    pub(crate) indicators: IndicatorsInForce,
}

#[derive(Clone)]
pub(crate) struct HealthView {
    pub(crate) shared: Shared,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether this process is or includes the capture half.
    pub(crate) captures: bool,
    /// Whether this process is or includes the upload half.
    pub(crate) uploads: bool,
    pub(crate) confinement: Arc<Confinement>,
}

/// The state of the running sensor, or of one of its halves, for `doctor`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SensorState {
    pub version: String,
    pub captures: bool,
    pub uploads: bool,
    /// For each interface: its problem, the frames captured, and the frames dropped by ring or interface.
    pub interfaces: BTreeMap<String, (Option<String>, u64, u64)>,
    /// Interfaces most of whose bytes were not understood.
    #[serde(default)]
    pub mostly_unread: BTreeMap<String, MostlyUnread>,
    /// Why uploads fail, if they do.
    pub delivery_problem: Option<String>,
    /// Seconds since the plan service last acknowledged an upload.
    pub acknowledged_seconds_ago: Option<u64>,
    /// How often changes had to stay in memory because the spool refused them.
    pub spool_refused: u64,
    pub confinement: Confinement,
    /// What the sensor watches for.
    #[serde(default)]
    pub indicators: IndicatorsInForce,
}

/// The routes of the loopback port.
pub(crate) fn routes(view: HealthView) -> Router {
    let routes =
        if view.captures { Router::new() } else { Router::new().route("/capture/metrics", get(relay)) };
    routes
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(view)
}

/// The routes of the control socket.
pub(crate) fn control_routes(view: HealthView) -> Router {
    let captures = view.captures;
    let routes = routes(view.clone()).route("/state", get(state).with_state(view.clone()));
    if captures { routes.route("/inventory", get(inventory).with_state(view)) } else { routes }
}

/// Creates the control socket, which only the sensor's user may open. Replaces a socket that an earlier process left.
///
/// # Errors
/// If the file system refuses.
pub(crate) fn bind_control(path: &Path) -> io::Result<UnixListener> {
    bind(path, 0o600)
}

/// Creates the socket for the loopback port's routes. The upload half may open it, because it is in the same group.
///
/// # Errors
/// If the file system refuses.
pub(crate) fn bind_health(path: &Path) -> io::Result<UnixListener> {
    bind(path, 0o660)
}

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        spool::make_private(directory)?;
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a socket, so that no client waits for a sensor that has ended.
pub(crate) fn unbind(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::debug!("{}: {e}", path.display());
    }
}

/// Ready means that every interface is captured and uploads do not fail.
async fn ready(extract::State(view): extract::State<HealthView>) -> Response {
    let problems = problems(&view.shared.status);
    if problems.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
    }
}

/// The problems that make the sensor not ready. A wrong clock does not.
fn problems(status: &Status) -> Vec<String> {
    let mut problems: Vec<String> = status.interfaces().into_values().filter_map(|i| i.problem).collect();
    problems.extend(status.spool_problem());
    problems.extend(status.delivery_problem());
    problems
}

async fn state(extract::State(view): extract::State<HealthView>) -> Json<SensorState> {
    let status = &view.shared.status;
    let captured = status.interfaces();
    let mostly_unread =
        captured.iter().filter_map(|(name, i)| Some((name.clone(), i.counters.mostly_unread()?)));
    let mostly_unread = mostly_unread.collect();
    let interfaces = captured.into_iter().map(|(name, i)| {
        let dropped = i.statistics.dropped_ring + i.statistics.dropped_interface;
        (name, (i.problem, i.counters.frames, dropped))
    });
    let ago = |last| (view.clock.now().since(last).max(0) / 1_000_000_000).cast_unsigned();
    Json(SensorState {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        captures: view.captures,
        uploads: view.uploads,
        interfaces: interfaces.collect(),
        mostly_unread,
        delivery_problem: status.delivery_problem(),
        acknowledged_seconds_ago: status.last_ack().map(ago),
        spool_refused: status.spool_refused.load(Ordering::Relaxed),
        confinement: (*view.confinement).clone(),
        indicators: status.indicators(),
    })
}

async fn inventory(extract::State(view): extract::State<HealthView>) -> Json<SensorSnapshot> {
    let Shared { config, rules, table, status, .. } = &view.shared;
    let rules = rules.load();
    Json(SensorSnapshot {
        inventory: Inventory::of(&config.load().zone, table.snapshot()),
        capture: status.capture(),
        refused: table.refused(),
        limits: table.limit_hits().limits(),
        mostly_unread: status.counters().mostly_unread(),
        rules: rules.files.clone(),
        rules_problem: rules.problem.clone(),
        problems: status.problems(),
        indicators: status.indicators(),
    })
}
