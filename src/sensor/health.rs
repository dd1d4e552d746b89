//! What the sensor tells about itself: `/metrics`, `/healthz` and `/readyz` on a loopback port, and the inventory on
//! a socket that only the sensor's user may open. No metric ever has an address in a label.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use super::confinement::Confinement;
use super::status::{InterfaceStatus, Status};
use crate::census::Inventory;
use crate::classify::RuleFiles;
use crate::clock::Clock;
use crate::sensor::pipeline::capturing::Shared;
use crate::sensor::upload::spool::{self, Reader};
use crate::wire::CaptureSummary;

/// The media type of metrics.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long the other half may take for its metrics, and how large they may be.
const RELAY_TIMEOUT: Duration = Duration::from_secs(5);
const RELAY_BYTES: usize = 4 << 20;

/// What the running sensor holds, as its commands get it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Snapshot {
    /// The facts.
    pub inventory: Inventory,
    /// Totals since it started.
    pub capture: CaptureSummary,
    /// Couplings that were refused at the bound.
    pub refused: u64,
    /// The operator's rules in use.
    #[serde(default)]
    pub rules: RuleFiles,
    /// Why the configured rules are not in use, where it is so.
    #[serde(default)]
    pub rules_problem: Option<String>,
    /// What is wrong with capturing and delivering.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// What the handlers read.
#[derive(Clone)]
pub struct View {
    /// The state of the capture half.
    pub shared: Shared,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Whether this process captures.
    pub captures: bool,
    /// Whether this process uploads.
    pub uploads: bool,
    /// What confines it.
    pub confinement: Arc<Confinement>,
}

/// How the running sensor, or one half of it, fares: for `doctor`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct State {
    /// Its version.
    pub version: String,
    /// Whether it captures.
    pub captures: bool,
    /// Whether it uploads.
    pub uploads: bool,
    /// Each interface: what is wrong with it, the frames that came, and those that the ring or the interface dropped.
    pub interfaces: BTreeMap<String, (Option<String>, u64, u64)>,
    /// What is wrong with delivering.
    pub delivery_problem: Option<String>,
    /// Seconds since the plan service last acknowledged an upload.
    pub acknowledged_seconds_ago: Option<u64>,
    /// Times that a change had to stay in memory as the spool could not take it.
    pub spool_refused: u64,
    /// What confines the process.
    pub confinement: Confinement,
}

/// The routes of the loopback port.
pub fn routes(view: View) -> Router {
    let routes =
        if view.captures { Router::new() } else { Router::new().route("/capture/metrics", get(relay)) };
    routes
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(view)
}

/// The routes of the control socket.
pub fn control_routes(view: View) -> Router {
    let captures = view.captures;
    let routes = routes(view.clone()).route("/state", get(state).with_state(view.clone()));
    if captures { routes.route("/inventory", get(inventory).with_state(view)) } else { routes }
}

/// Opens a socket that only the sensor's user may open, in place of one that an earlier process left.
///
/// # Errors
/// Where the file system refuses.
pub fn bind_control(path: &Path) -> io::Result<UnixListener> {
    bind(path, 0o600)
}

/// Opens the socket of the routes of the loopback port, for the half of the sensor that uploads: it is in the same group.
///
/// # Errors
/// Where the file system refuses.
pub fn bind_health(path: &Path) -> io::Result<UnixListener> {
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

/// Removes a socket, so that nobody waits for an answer from a sensor that has ended.
pub fn unbind(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::debug!("{}: {e}", path.display());
    }
}

/// Ready is: every interface is captured, and uploads are delivered or at least not failing.
async fn ready(extract::State(view): extract::State<View>) -> Response {
    let problems = problems(&view.shared.status);
    if problems.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
    }
}

/// What hinders: a clock that is wrong does not.
fn problems(status: &Status) -> Vec<String> {
    let mut problems: Vec<String> = status.interfaces().into_values().filter_map(|i| i.problem).collect();
    problems.extend(status.spool_problem());
    problems.extend(status.delivery_problem());
    problems
}

async fn state(extract::State(view): extract::State<View>) -> Json<State> {
    let status = &view.shared.status;
    let interfaces = status.interfaces().into_iter().map(|(name, i)| {
        let dropped = i.statistics.dropped_ring + i.statistics.dropped_interface;
        (name, (i.problem, i.counters.frames, dropped))
    });
    let ago = |last| (view.clock.now().since(last).max(0) / 1_000_000_000).cast_unsigned();
    Json(State {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        captures: view.captures,
        uploads: view.uploads,
        interfaces: interfaces.collect(),
        delivery_problem: status.delivery_problem(),
        acknowledged_seconds_ago: status.last_ack().map(ago),
        spool_refused: status.spool_refused.load(Ordering::Relaxed),
        confinement: (*view.confinement).clone(),
    })
}

async fn inventory(extract::State(view): extract::State<View>) -> Json<Snapshot> {
    let Shared { config, rules, table, status, .. } = &view.shared;
    let rules = rules.load();
    Json(Snapshot {
        inventory: Inventory::of(&config.load().zone, table.snapshot()),
        capture: status.capture(),
        refused: table.refused(),
        rules: rules.files.clone(),
        rules_problem: rules.problem.clone(),
        problems: status.problems(),
    })
}

/// The metrics of the half that captures, which has no network.
async fn relay(extract::State(view): extract::State<View>) -> Response {
    let path = view.shared.config.load().health_path();
    match ask_metrics(&path).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(e) => {
            let text = format!("the half that captures does not answer on {}: {e}\n", path.display());
            (StatusCode::BAD_GATEWAY, text).into_response()
        }
    }
}

async fn ask_metrics(path: &Path) -> Result<Vec<u8>, reqwest::Error> {
    let client = crate::tls::client().unix_socket(path).timeout(RELAY_TIMEOUT).build()?;
    let mut answer = client.get("http://sensor/metrics").send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if text.len() + chunk.len() > RELAY_BYTES {
            break;
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

async fn metrics(extract::State(view): extract::State<View>) -> Response {
    let mut registry = Registry::with_prefix("netcensus_sensor");
    registry.register_collector(Box::new(Scrape(view)));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The metrics at the moment of a scrape.
struct Scrape(View);

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

type Encoded = Result<(), std::fmt::Error>;

impl Collector for Scrape {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Encoded {
        let View { shared: Shared { config, table, status, .. }, clock, captures, .. } = &self.0;
        if *captures {
            self.encode_capture(&mut out)?;
            gauge(&mut out, "couplings", "Couplings held", table.len() as u64)?;
            let refused = status.bounds(table.bounds());
            counter(&mut out, "couplings_refused", "Sightings refused at the limit", refused.couplings)?;
            counter(&mut out, "evidence_refused", "Values that full sets gave up", refused.evidence)?;
            counter(&mut out, "fragments_dropped", "Datagrams given up in parts", refused.fragments)?;
            let learned = u64::from(refused.learned);
            gauge(&mut out, "segment_full", "1 when no more prefixes or routers are learned", learned)?;
        }
        let load = |a: &std::sync::atomic::AtomicU64| a.load(Ordering::Relaxed);
        let spool = Reader::new(&config.load().spool_directory());
        let (uploads, bytes) = spool.backlog().unwrap_or_default();
        gauge(&mut out, "spool_bytes", "Bytes that wait to be uploaded", bytes)?;
        gauge(&mut out, "spool_uploads", "Uploads that wait", uploads)?;
        counter(
            &mut out,
            "spool_refused",
            "Changes that the spool had no room for",
            load(&status.spool_refused),
        )?;
        counter(
            &mut out,
            "spool_compacted",
            "Times that waiting uploads were merged",
            load(&status.spool_compacted),
        )?;
        counter(
            &mut out,
            "spool_dropped",
            "Uploads dropped undelivered for their age",
            load(&status.spool_dropped),
        )?;
        if let Some(skew) = status.clock_skew() {
            let help = "By how much the plan service's clock is ahead";
            ConstGauge::new(skew).encode(out.encode_descriptor(
                "clock_skew_seconds",
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        let results = [
            ("stored", load(&status.uploads_stored)),
            ("duplicate", load(&status.uploads_duplicate)),
            ("failed", load(&status.uploads_failed)),
            ("put_aside", load(&status.uploads_put_aside)),
        ];
        let encoder =
            out.encode_descriptor("uploads", "Attempts to upload by result", None, MetricType::Counter)?;
        family(encoder, "result", results.into_iter())?;
        if let Some(last) = status.last_ack() {
            let seconds = clock.now().since(last).max(0) / 1_000_000_000;
            let help = "Seconds since the plan service last acknowledged an upload";
            gauge(&mut out, "last_acknowledgement_age_seconds", help, seconds.cast_unsigned())?;
        }
        Ok(())
    }
}

impl Scrape {
    fn encode_capture(&self, out: &mut DescriptorEncoder<'_>) -> Encoded {
        let interfaces = self.0.shared.status.interfaces();
        let mut each = |name: &str, help: &str, value: fn(&InterfaceStatus) -> u64| {
            let encoder = out.encode_descriptor(name, help, None, MetricType::Counter)?;
            family(encoder, "interface", interfaces.iter().map(|(i, s)| (i.as_str(), value(s))))
        };
        each("frames", "Frames captured", |s| s.counters.frames)?;
        each("bytes", "Their bytes on the wire", |s| s.counters.bytes)?;
        each("dropped_ring", "Frames that the ring had no room for", |s| s.statistics.dropped_ring)?;
        each("dropped_interface", "Frames that the interface dropped", |s| s.statistics.dropped_interface)?;
        each("duplicates", "Frames that the mirror copied twice", |s| s.counters.duplicates)?;
        each("malformed_frames", "Frames of which a part was malformed", |s| s.counters.malformed_frames)?;
        each("dissector_panics", "Frames lost to a defect in a dissector", |s| s.counters.panics)?;
        let mut encoder = out.encode_descriptor(
            "interface_up",
            "1 while the interface is captured",
            None,
            MetricType::Gauge,
        )?;
        for (interface, status) in &interfaces {
            let up = ConstGauge::new(i64::from(status.problem.is_none()));
            up.encode(encoder.encode_family(&[("interface", interface.as_str())])?)?;
        }
        let total = self.0.shared.status.counters();
        let mut encoder = out.encode_descriptor(
            "malformed",
            "Malformed parts by protocol and reason",
            None,
            MetricType::Counter,
        )?;
        for (what, n) in &total.malformed {
            let labels = [("protocol", what.protocol), ("reason", what.reason)];
            ConstCounter::new(*n).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Encoded {
    ConstCounter::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Encoded {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    ConstGauge::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn family<'a>(
    mut encoder: MetricEncoder<'_>,
    label: &str,
    values: impl Iterator<Item = (&'a str, u64)>,
) -> Encoded {
    for (name, value) in values {
        ConstCounter::new(value).encode(encoder.encode_family(&[(label, name)])?)?;
    }
    Ok(())
}
