//! What the service tells Prometheus. Labels name subscriptions and verdicts, never a MAC or an address.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::census::Verdict;
use crate::plan::app::inventory::View;
use crate::wire::SubscriptionId;

/// Labels of the upload counter.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct UploadLabels {
    result: &'static str,
}

/// Labels of the device gauge.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct DeviceLabels {
    subscription: String,
    verdict: &'static str,
}

/// Labels of the counter of the service's own jobs.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct JobLabels {
    job: &'static str,
    result: &'static str,
}

/// The service's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    uploads: Family<UploadLabels, Counter<u64, AtomicU64>>,
    rows: Counter<u64, AtomicU64>,
    devices: Family<DeviceLabels, Gauge>,
    jobs: Family<JobLabels, Counter<u64, AtomicU64>>,
    dropped_answers: Counter<u64, AtomicU64>,
    refused: Family<RefusedLabels, Counter<u64, AtomicU64>>,
}

/// Labels of the counter of what is refused because of a limit.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusedLabels {
    limit: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("netcensus_plan");
        let (uploads, rows, devices) = (Family::default(), Counter::default(), Family::default());
        registry.register("uploads", "Uploads by result", uploads.clone());
        registry.register("upload_rows", "Couplings and stations in stored uploads", rows.clone());
        registry.register(
            "devices",
            "Devices by verdict when the census was last asked for; X-VIRT, X-PUB and X-ROUTED in couplings",
            devices.clone(),
        );
        let jobs = Family::default();
        registry.register("jobs", "Runs of the service's own jobs by result", jobs.clone());
        let (dropped_answers, refused) = (Counter::default(), Family::default());
        registry.register(
            "idempotency_answers_dropped",
            "Answers to requests with an Idempotency-Key that gave way to newer ones of the same person",
            dropped_answers.clone(),
        );
        registry.register(
            "refused",
            "Connections, requests and event streams refused by limit",
            refused.clone(),
        );
        registry.register(
            "build",
            "The running version",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        Self { registry, uploads, rows, devices, jobs, dropped_answers, refused }
    }
}

impl Metrics {
    /// Counts an upload by its result, a word from a fixed set.
    pub fn upload(&self, result: &'static str, rows: usize) {
        self.uploads.get_or_create(&UploadLabels { result }).inc();
        self.rows.inc_by(rows as u64);
    }

    /// Counts a run of one of the service's own jobs.
    pub fn job(&self, job: &'static str, failed: bool) {
        let result = if failed { "failed" } else { "done" };
        self.jobs.get_or_create(&JobLabels { job, result }).inc();
    }

    /// Counts answers to requests with a key that gave way to newer ones.
    pub fn dropped_answers(&self, number: u64) {
        self.dropped_answers.inc_by(number);
    }

    /// Counts what a limit refused: a word from a fixed set.
    pub fn refused(&self, limit: &'static str) {
        self.refused.get_or_create(&RefusedLabels { limit }).inc();
    }

    /// Shows the numbers of a view.
    pub fn census(&self, subscription: &SubscriptionId, view: &View) {
        let census = &view.census;
        for verdict in Verdict::ALL {
            let number = match verdict {
                Verdict::CountedNetwork => census.network,
                Verdict::CountedIot => census.iot,
                other => census.excluded.get(other.id()).copied().unwrap_or(0),
            };
            let labels = DeviceLabels { subscription: subscription.to_string(), verdict: verdict.id() };
            self.devices.get_or_create(&labels).set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }

    /// All metrics in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Where formatting fails, which it does not for a string.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
