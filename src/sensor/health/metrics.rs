//! `/metrics`. No metric has an address in a label.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::HealthView;
use crate::census::UnreadEntry;
use crate::sensor::pipeline::capturing::Shared;
use crate::sensor::status::InterfaceStatus;
use crate::sensor::upload::spool::SpoolReader;

/// Media type of the metrics.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Maximum time and size of the capture half's answer.
const RELAY_TIMEOUT: Duration = Duration::from_secs(5);
const RELAY_BYTES: usize = 4 << 20;

pub(super) async fn metrics(extract::State(view): extract::State<HealthView>) -> Response {
    let mut registry = Registry::with_prefix("netcensus_sensor");
    registry.register_collector(Box::new(Scrape(view)));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The metrics of the capture half, which has no network.
pub(super) async fn relay(extract::State(view): extract::State<HealthView>) -> Response {
    let path = view.shared.config.load().health_path();
    match ask_metrics(&path).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(e) => {
            let text = format!("the capture half does not answer on {}: {e}\n", path.display());
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

/// Reads the metrics at each scrape.
struct Scrape(HealthView);

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

type Encoded = Result<(), std::fmt::Error>;

impl Collector for Scrape {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Encoded {
        let HealthView { shared: Shared { config, table, status, .. }, clock, captures, .. } = &self.0;
        if *captures {
            self.encode_capture(&mut out)?;
            gauge(&mut out, "couplings", "Couplings in the table", table.len() as u64)?;
            let hits = status.limit_hits(table.limit_hits());
            counter(&mut out, "couplings_refused", "Sightings refused at the limit", hits.couplings)?;
            counter(&mut out, "memory_refused", "Facts refused beyond limits.memory", hits.memory)?;
            gauge(&mut out, "facts_bytes", "Memory that facts take, by estimate", table.memory() as u64)?;
            counter(&mut out, "tunnels_refused", "Frames in tunnels that found no room", hits.tunnels)?;
            counter(
                &mut out,
                "evidence_refused",
                "Values dropped from full sets of evidence",
                hits.evidence,
            )?;
            counter(&mut out, "fragments_dropped", "Incomplete datagrams dropped", hits.fragments)?;
            let learned = u64::from(hits.learned);
            gauge(&mut out, "segment_full", "1 if no more prefixes or routers are learned", learned)?;
            let in_force = status.indicators();
            gauge(&mut out, "indicators", "Indicators that the sensor watches for", in_force.total)?;
            let help = "Indicators that only the plan service named";
            gauge(&mut out, "indicators_listed", help, in_force.listed)?;
            if let Some(digest) = &in_force.digest {
                let help = "1 for the plan service's set of indicators that is in force";
                let mut encoder = out.encode_descriptor("indicator_set", help, None, MetricType::Gauge)?;
                ConstGauge::new(1_i64).encode(encoder.encode_family(&[("digest", digest.as_str())])?)?;
            }
        }
        let stale = u64::from(status.indicators_problem().is_some());
        gauge(&mut out, "indicators_stale", "1 if the newest set of indicators is not in force", stale)?;
        let load = |a: &AtomicU64| a.load(Ordering::Relaxed);
        let spool = SpoolReader::new(&config.load().spool_directory());
        let (uploads, bytes) = spool.backlog().unwrap_or_default();
        gauge(&mut out, "spool_bytes", "Bytes waiting to be uploaded", bytes)?;
        gauge(&mut out, "spool_uploads", "Uploads waiting in the spool", uploads)?;
        counter(
            &mut out,
            "spool_refused",
            "Times that changes found no room in the spool",
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
            "Uploads dropped undelivered because of their age",
            load(&status.spool_dropped),
        )?;
        if let Some(skew) = status.clock_skew() {
            let help = "Seconds by which the plan service's clock is ahead";
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
            out.encode_descriptor("uploads", "Upload attempts by result", None, MetricType::Counter)?;
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
        each("bytes", "Bytes captured, as on the wire", |s| s.counters.bytes)?;
        each("dropped_ring", "Frames dropped because the ring was full", |s| s.statistics.dropped_ring)?;
        each("dropped_interface", "Frames dropped by the interface", |s| s.statistics.dropped_interface)?;
        each("duplicates", "Frames that the mirror copied twice", |s| s.counters.duplicates)?;
        each("malformed_frames", "Frames with a malformed part", |s| s.counters.malformed_frames)?;
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
        let encoder =
            out.encode_descriptor("anomalies", "Oddities of frames, by kind", None, MetricType::Counter)?;
        family(encoder, "kind", total.anomalies.iter().map(|(what, n)| (what.name(), *n)))?;
        let unread = total.unread.entries();
        let mut each = |name: &str, help: &str, value: fn(&UnreadEntry) -> u64| {
            let mut encoder = out.encode_descriptor(name, help, None, MetricType::Counter)?;
            for entry in &unread {
                let labels = [("kind", entry.kind.name()), ("value", entry.value.as_str())];
                ConstCounter::new(value(entry)).encode(encoder.encode_family(&labels)?)?;
            }
            Ok(())
        };
        each("not_understood_frames", "Frames that were not understood, by kind and number", |e| e.frames)?;
        each("not_understood_bytes", "Bytes of frames that were not understood", |e| e.bytes)
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
