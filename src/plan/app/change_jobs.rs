//! Change jobs: a change that takes long goes on without its caller, who asks for its outcome later.
//!
//! Whoever asks for a change waits for it a while. If it is not done by then, the caller gets a job. A job is kept in memory:
//! the change itself is one transaction, so after a stop of the service the list of changes says whether it was made.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::plan::permission::{Permission, View};
use crate::wire::SubscriptionId;

/// How long a caller waits for a change who does not say how long.
pub const WAIT: Duration = Duration::from_secs(10);
/// The most jobs of a subscription that go on at once: changes of a subscription are made one after another.
const RUNNING: usize = 16;
/// The most jobs of a service that are kept after their end; the oldest go.
const KEPT: usize = 256;

tokio::task_local! {
    static PROGRESS: Progress;
}

/// How far a change is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Other changes and counts come first.
    #[default]
    Waiting,
    /// The devices are counted before and after the change.
    Counting,
    /// What was decided is written.
    Writing,
}

impl Stage {
    /// For people: "it is …".
    pub const fn title(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for other counts and changes",
            Self::Counting => "counting devices before and after the change",
            Self::Writing => "writing what was decided",
        }
    }
}

/// Where a change tells how far it is.
#[derive(Clone, Debug, Default)]
pub struct Progress(watch::Sender<Stage>);

impl Progress {
    /// That of the present task; one that nobody reads if there is none.
    pub(super) fn current() -> Self {
        PROGRESS.try_with(Clone::clone).unwrap_or_default()
    }

    pub(super) fn note(&self, stage: Stage) {
        self.0.send_replace(stage);
    }

    /// Does work that tells here how far it is.
    pub async fn within<T>(self, work: impl Future<Output = T>) -> T {
        PROGRESS.scope(self, work).await
    }

    /// Its stages, as they come.
    pub fn stages(&self) -> watch::Receiver<Stage> {
        self.0.subscribe()
    }

    fn stage(&self) -> Stage {
        *self.0.borrow()
    }
}

/// Notes how far the change of the present task is.
pub(super) fn note(stage: Stage) {
    PROGRESS.try_with(|progress| progress.note(stage)).ok();
}

/// A change that goes on, or went on, without its caller.
#[derive(Debug)]
struct Job {
    id: String,
    subscription: SubscriptionId,
    what: &'static str,
    by: String,
    dry_run: bool,
    since: Timestamp,
    progress: Progress,
    outcome: OnceLock<Outcome>,
}

#[derive(Clone, Debug)]
struct Outcome {
    at: Timestamp,
    answer: Result<Value, Value>,
}

/// Whether a job goes on, and how it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Running,
    /// The change was made, or tried.
    Done,
    /// Nothing was changed.
    Failed,
}

/// A job, for its caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobEntry {
    pub id: String,
    /// What it does: `managed_import`, `change_undo`, …
    pub what: String,
    pub by: String,
    /// Whether the change is only tried.
    pub dry_run: bool,
    pub state: JobState,
    /// How far it is, or how far it came.
    pub stage: Stage,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it ended; `null` while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The answer that the request would have had, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Value>,
    /// The problem (RFC 9457) for which it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub problem: Option<Value>,
}

/// The jobs of a subscription, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobList {
    pub jobs: Vec<JobEntry>,
}

impl Job {
    fn entry(&self) -> JobEntry {
        let outcome = self.outcome.get();
        let state = match outcome.map(|outcome| outcome.answer.is_ok()) {
            None => JobState::Running,
            Some(true) => JobState::Done,
            Some(false) => JobState::Failed,
        };
        JobEntry {
            id: self.id.clone(),
            what: self.what.to_owned(),
            by: self.by.clone(),
            dry_run: self.dry_run,
            state,
            stage: self.progress.stage(),
            since: self.since,
            until: outcome.map(|outcome| outcome.at),
            answer: outcome.and_then(|outcome| outcome.answer.clone().ok()),
            problem: outcome.and_then(|outcome| outcome.answer.clone().err()),
        }
    }
}

/// The jobs of a service.
#[derive(Debug)]
pub struct ChangeJobs {
    /// A part of the ids, so that an id never names a job of another run.
    run: String,
    jobs: Mutex<Jobs>,
}

#[derive(Debug, Default)]
struct Jobs {
    /// The oldest first.
    kept: VecDeque<Arc<Job>>,
    made: u64,
}

impl Default for ChangeJobs {
    fn default() -> Self {
        // Each state has a seed of its own.
        let run = format!("{:08x}", RandomState::new().hash_one(std::process::id()) >> 32);
        Self { run, jobs: Mutex::default() }
    }
}

/// A change that was waited for.
#[derive(Debug)]
pub enum Waited<T> {
    Done(T),
    /// It goes on.
    Job(Box<JobEntry>),
}

impl ChangeJobs {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a job, unless too many of the subscription go on.
    fn keep(&self, make: impl FnOnce(String) -> Job) -> Option<Arc<Job>> {
        let mut jobs = self.lock();
        jobs.made += 1;
        let job = Arc::new(make(format!("{}-{}", self.run, jobs.made)));
        let goes_on =
            |other: &&Arc<Job>| other.subscription == job.subscription && other.outcome.get().is_none();
        if jobs.kept.iter().filter(goes_on).count() >= RUNNING {
            return None;
        }
        if jobs.kept.len() >= KEPT
            && let Some(place) = jobs.kept.iter().position(|job| job.outcome.get().is_some())
        {
            jobs.kept.remove(place);
        }
        jobs.kept.push_back(Arc::clone(&job));
        Some(job)
    }

    fn forget(&self, job: &Arc<Job>) {
        self.lock().kept.retain(|other| !Arc::ptr_eq(other, job));
    }
}

/// Makes a change, `what`, and waits for it. If it is not done after `wait`, it goes on as a job. `tell` makes the problem
/// of a refusal.
///
/// # Errors
/// Those of the change; [`Refusal::Busy`] if too many changes of the subscription go on, before it begins.
pub async fn run<T: Serialize + Send + 'static, A: Permission>(
    app: &App,
    may: &May<A>,
    what: &'static str,
    wait: Duration,
    tell: fn(Refusal) -> Value,
    change: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<Waited<T>, Refusal> {
    let progress = Progress::default();
    let new = |id| Job {
        id,
        subscription: may.id().clone(),
        what,
        by: may.by.actor.to_string(),
        dry_run: may.by.dry_run,
        since: app.now(),
        progress: progress.clone(),
        outcome: OnceLock::new(),
    };
    let busy = || Refusal::Busy { what: "too many changes of the subscription go on", seconds: 10 };
    let job = app.change_jobs.keep(new).ok_or_else(busy)?;
    let entry = job.entry();
    let (teller, told) = oneshot::channel();
    // Who does not wait gets a job, however quick the change is.
    let mut told = (!wait.is_zero()).then_some(told);
    let (service, work) = (app.clone(), tokio::spawn(progress.within(change)));
    tokio::spawn(async move {
        let failed = |e| Err(Refusal::Defect(format!("a change failed: {e}")));
        match teller.send(work.await.unwrap_or_else(failed)) {
            Ok(()) => service.change_jobs.forget(&job),
            // Nobody waits any more: the caller has the job, or went away.
            Err(done) => {
                let as_json = |answer| serde_json::to_value(answer).unwrap_or_default();
                job.outcome.set(Outcome { at: service.now(), answer: done.map(as_json).map_err(tell) }).ok();
            }
        }
    });
    if let Some(told) = &mut told {
        if let Ok(Ok(done)) = tokio::time::timeout(wait, &mut *told).await {
            return done.map(Waited::Done);
        }
        told.close();
        // It may have ended just now.
        if let Ok(done) = told.try_recv() {
            return done.map(Waited::Done);
        }
    }
    Ok(Waited::Job(Box::new(entry)))
}

/// The jobs of a subscription that are known, the newest first.
pub fn list(app: &App, may: &May<View>) -> JobList {
    let jobs = app.change_jobs.lock();
    let own = jobs.kept.iter().rev().filter(|job| job.subscription == *may.id());
    JobList { jobs: own.map(|job| job.entry()).collect() }
}

/// One job.
///
/// # Errors
/// [`Refusal::Hidden`] if it is not known: it ended long ago, or another service or an earlier run of this one had it.
pub fn show(app: &App, may: &May<View>, id: &str) -> Result<JobEntry, Refusal> {
    let jobs = app.change_jobs.lock();
    let known = jobs.kept.iter().find(|job| job.id == id && job.subscription == *may.id());
    known.map(|job| job.entry()).ok_or_else(|| Refusal::hidden("job", id))
}
