//! What the service does on its own, minute by minute: a plain list of jobs. Each is idempotent and finds out by itself
//! what is due, so that a stop, a second service or a failure costs nothing but time. Nothing that a person is shown
//! waits for a job: states are functions of rows and the clock.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{App, Refusal, aside};
use super::{alert_record, findings, mail, notices, sealing, uploads};

/// How often jobs run.
const EVERY: Duration = Duration::from_secs(60);

type Running = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// One job.
struct Job {
    /// Its name in metrics and the log.
    name: &'static str,
    /// Whether it works on the database: then one service runs it at a time.
    shared: bool,
    run: fn(App) -> Running,
}

/// All jobs, in the order in which they run.
const JOBS: &[Job] = &[
    Job { name: "seal_days", shared: true, run: |service| Box::pin(sealing::seal_due(service)) },
    // After the days, whose counts a statement tells.
    Job { name: "close_statements", shared: true, run: |service| Box::pin(close_statements(service)) },
    Job { name: "record_findings", shared: true, run: |service| Box::pin(findings::record_due(service)) },
    Job { name: "record_alerts", shared: true, run: |service| Box::pin(alert_record::record_due(service)) },
    // After the findings, alerts and statements, of which they tell.
    Job { name: "record_notices", shared: true, run: |service| Box::pin(notices::record_due(service)) },
    Job { name: mail::JOB, shared: true, run: |service| Box::pin(mail::run(service)) },
    Job { name: "free_memory", shared: false, run: |service| Box::pin(free_memory(service)) },
    Job { name: "prune_receipts", shared: true, run: |service| Box::pin(uploads::prune_receipts(service)) },
];

async fn free_memory(service: App) -> Result<(), Refusal> {
    service.differences.rest(service.now());
    // Without the rules, nothing was counted yet.
    if let Some(counting) = service.counting.get() {
        let (inventories, memory) = (counting.inventories.clone(), service.settings.memory);
        let kept = aside(move || inventories.rest(memory)).await?;
        tracing::debug!(kept.subscriptions, kept.bytes, "let go of what nobody used");
    }
    Ok(())
}

async fn close_statements(service: App) -> Result<(), Refusal> {
    let closed = service.store.close_all_due(service.now()).await?;
    if closed > 0 {
        tracing::info!(closed, "closed statements");
    }
    Ok(())
}

/// Runs the jobs until the service stops.
pub async fn run(service: App) {
    let mut stopping = service.stopping.subscribe();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // The service itself holds the sender, so this ends only by a stop.
        let stopped = async { stopping.wait_for(|stop| *stop).await.map(drop) };
        tokio::select! {
            _ = stopped => return,
            _ = every.tick() => drop(once(&service).await),
        }
    }
}

/// Runs a job, unless another service is at it.
async fn run_in_turn(service: &App, job: &Job) -> Result<(), Refusal> {
    if !job.shared {
        return (job.run)(service.clone()).await;
    }
    match service.store.turn(job.name).await? {
        Some(_turn) => (job.run)(service.clone()).await,
        None => Ok(()),
    }
}

/// Runs every job once; returns how many failed. Failures are logged and counted.
pub async fn once(service: &App) -> usize {
    let mut failures = 0;
    for job in JOBS {
        let outcome = run_in_turn(service, job).await;
        service.metrics.job(job.name, outcome.is_err());
        if let Err(error) = outcome {
            failures += 1;
            tracing::error!(%error, job = job.name, "a job failed; it runs again in a minute");
        }
    }
    failures
}
