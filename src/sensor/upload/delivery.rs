//! Delivery: sends the spool to the plan service, oldest upload first, each until it is acknowledged.
//!
//! [`Delivery::step`] makes at most one attempt and returns how long to wait before the next; the caller waits. So it is
//! a state machine that tests drive without waiting.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::identity::Identity;
use super::route::Route;
use super::set_fetch;
use super::spool::{QueuedUpload, SpoolReader, random_epoch};
use crate::census::Timestamp;
use crate::clock::Clock;
use crate::sensor::indicator_set::{SavedSet, WantedSet};
use crate::sensor::status::{FORKED, Status};
use crate::sensor::upload::client::{Answer, UploadError, Uploader};
use crate::sensor::upload::feedback::Feedback;
use crate::wire::{Upload, UploadReceipt};
use tokio::task::JoinHandle;

/// How often to look for new uploads while none wait.
pub const IDLE: Duration = Duration::from_secs(1);

/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The longest wait for a service that is there and says when it may have time, unless it asks for more. After an outage
/// it serves many sensors in turn, and none should wait long once the others are done.
const BUSY: Duration = Duration::from_secs(30);

/// Seconds after a failure until the set of indicators is fetched again.
const FETCH_AGAIN: i64 = 60;

/// How often to look for an identity while the sensor is not enrolled.
const UNENROLLED: Duration = Duration::from_secs(10);

/// How fast to send and to retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// The wait after the first failure; it doubles with each further failure, with jitter.
    pub first: Duration,
    /// The longest wait; also the wait if only a person can help.
    pub longest: Duration,
    /// The longest time of one upload, to which a second a KiB is added.
    pub timeout: Duration,
    /// Bytes to send in a second, averaged over an upload; `None` for no limit.
    pub bytes_per_second: Option<NonZeroU64>,
}

/// What a step did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing waits.
    Idle,
    /// An upload was acknowledged and removed: continue at once.
    Stored(u64),
    /// An upload was moved to `bad/`: continue at once.
    PutAside(u64),
    /// The capture half merged the upload into others meanwhile: continue at once.
    Replaced(u64),
    /// The attempt failed: wait this long.
    Wait(Duration),
}

/// The upload half's state.
pub struct Delivery {
    spool: SpoolReader,
    identity: PathBuf,
    pace: Pace,
    status: Arc<Status>,
    clock: Arc<dyn Clock>,
    uploader: Option<(Uploader, Feedback)>,
    waits: Option<ExponentialBackoff>,
    route: Route,
    /// Bytes sent since the last [`Delivery::rest`].
    sent: u64,
    /// The set of indicators that is being fetched.
    fetching: Option<JoinHandle<Result<SavedSet, String>>>,
    /// When fetching a set failed last.
    unfetched: Option<Timestamp>,
}

impl Delivery {
    /// Delivers what is in `spool` as the identity in the file `identity`, which need not exist yet.
    pub fn new(
        spool: SpoolReader,
        identity: PathBuf,
        pace: Pace,
        status: Arc<Status>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let route = Route::default();
        Self {
            spool,
            identity,
            pace,
            status,
            clock,
            uploader: None,
            waits: None,
            route,
            sent: 0,
            fetching: None,
            unfetched: None,
        }
    }

    /// Changes the pace, and reads the identity again before the next attempt.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        self.uploader = None;
    }

    /// Changes how to reach the service.
    pub fn set_route(&mut self, route: Route) {
        self.route = route;
        self.uploader = None;
    }

    /// How long to rest to keep the pace. Ask once after every step.
    pub fn rest(&mut self) -> Duration {
        let sent = std::mem::take(&mut self.sent);
        let Some(rate) = self.pace.bytes_per_second else { return Duration::ZERO };
        Duration::from_millis(sent.saturating_mul(1_000) / rate)
    }

    /// Makes at most one attempt.
    pub async fn step(&mut self) -> Step {
        match self.attempt().await {
            Ok(step) => step,
            Err(Obstacle { problem, wait }) => {
                self.status.uploads_failed.fetch_add(1, Ordering::Relaxed);
                if self.status.not_delivered(problem.clone()) {
                    tracing::warn!("upload failed: {problem}");
                }
                Step::Wait(wait)
            }
        }
    }

    async fn attempt(&mut self) -> Result<Step, Obstacle> {
        self.end_fetch().await?;
        let Some(item) = self.spool.oldest().map_err(|e| self.slow(e))? else {
            return Ok(Step::Idle);
        };
        let Some(body) = self.spool.read(&item).map_err(|e| self.slow(e))? else {
            return Ok(Step::Replaced(item.sequence));
        };
        let mut upload = match Upload::decode(&body) {
            Ok(upload) if upload.sequence == item.sequence => upload,
            Ok(_) => {
                return self.put_aside(&item, "its sequence number is not the one in its file name", true);
            }
            Err(e) => return self.put_aside(&item, &e.to_string(), true),
        };
        let (uploader, mut feedback) = self.uploader()?;
        upload.health.receipt = feedback.receipt;
        upload.health.clock_skew = feedback.clock_skew.or(upload.health.clock_skew);
        let body = upload.encode().map_err(|e| self.slow(e))?;
        let mut answer = self.send(&uploader, body).await;
        if let Err(UploadError::Conflict { detail }) = &answer.result {
            // A spool restored from a backup gives out numbers again. Facts are joined, so a new name does no harm.
            tracing::warn!("upload {}: {detail}; sending it under a new name", item.sequence);
            let renamed = rename(upload).map_err(|e| self.slow(e))?;
            answer = self.send(&uploader, renamed).await;
        }
        if let Some(date) = answer.date {
            // Dates have whole seconds, so the difference may be off by one.
            let skew = date.since(self.clock.now()) / SECOND;
            let changed = feedback.clock_skew.is_none_or(|known| known.abs_diff(skew) > 1);
            feedback.clock_skew = Some(skew);
            self.status.set_feedback(&feedback);
            if changed {
                self.report(&feedback)?;
                if let Some(problem) = self.status.clock_problem() {
                    tracing::warn!("{problem}");
                }
            }
        }
        match answer.result {
            Ok(receipt) if receipt.sequence == item.sequence => {
                self.begin_fetch(&uploader, &receipt, &feedback);
                self.done(&item, &receipt, feedback)
            }
            Ok(_) => {
                Err(self
                    .soon("the receipt is for another upload; check that the URL is a plan service's", None))
            }
            Err(UploadError::Refused { status, detail }) => {
                self.put_aside(&item, &format!("the plan service refused it with {status}: {detail}"), false)
            }
            Err(e @ UploadError::Conflict { .. }) => Err(self.soon(e, None)),
            Err(e @ UploadError::Busy { retry_after: Some(after), .. }) => {
                let obstacle = self.soon(e, None);
                Err(Obstacle { wait: while_busy(obstacle.wait).max(after), ..obstacle })
            }
            Err(e @ UploadError::Busy { .. }) => Err(self.soon(e, None)),
            Err(e @ (UploadError::Unreachable { .. } | UploadError::Certificate { .. })) => {
                // A certificate may change, and a new enrolment may name another one.
                self.uploader = None;
                Err(self.soon(e, None))
            }
            Err(
                e @ (UploadError::Unauthorized { .. }
                | UploadError::Address { .. }
                | UploadError::Proxy(_)
                | UploadError::Token { .. }),
            ) => {
                // A new enrolment writes a new identity: look for it before the next attempt.
                self.uploader = None;
                Err(self.slow(e))
            }
            Err(e @ UploadError::NoPlan { .. }) => Err(self.slow(e)),
        }
    }

    /// The client, and the feedback about its service so far.
    fn uploader(&mut self) -> Result<(Uploader, Feedback), Obstacle> {
        if let Some(known) = &self.uploader {
            return Ok(known.clone());
        }
        let identity = Identity::load(&self.identity)
            .map_err(|e| Obstacle { problem: e.to_string(), wait: self.pace.longest.min(UNENROLLED) })?;
        let new = Uploader::new(&identity, self.pace.timeout, &self.route).map_err(|e| self.slow(e))?;
        let mut feedback = self.spool.feedback();
        let recipient = format!("{} {}", identity.url, identity.subscription);
        if (&feedback.recipient, &feedback.sensor) != (&recipient, &identity.sensor) {
            // Each service numbers its receipts, for each sensor.
            feedback = Feedback {
                recipient,
                sensor: identity.sensor,
                receipt: None,
                clock_skew: None,
                indicators: None,
                indicators_problem: None,
                ..feedback
            };
        }
        Ok(self.uploader.insert((new, feedback)).clone())
    }

    async fn send(&mut self, uploader: &Uploader, body: Vec<u8>) -> Answer<UploadReceipt> {
        self.sent = self.sent.saturating_add(body.len() as u64);
        uploader.send(body, self.clock.now()).await
    }

    fn done(
        &mut self,
        item: &QueuedUpload,
        receipt: &UploadReceipt,
        feedback: Feedback,
    ) -> Result<Step, Obstacle> {
        // Feedback first, then remove: after a crash in between the upload is sent again, which the service recognises.
        let lost = feedback.lost + u64::from(receipt.lost);
        let feedback = Feedback { receipt: receipt.number.or(feedback.receipt), lost, ..feedback };
        if receipt.lost {
            tracing::warn!("the plan service was restored from a backup; sending all facts again");
        }
        self.report(&feedback)?;
        self.spool.done(item).map_err(|e| self.slow(e))?;
        let counter =
            if receipt.duplicate { &self.status.uploads_duplicate } else { &self.status.uploads_stored };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.status.delivery_problem().is_some() {
            tracing::info!("uploads succeed again");
        }
        self.status.acknowledged(self.clock.now());
        if receipt.forked && !self.status.forked.swap(true, Ordering::Relaxed) {
            tracing::error!("{FORKED}");
        }
        self.waits = None;
        tracing::debug!(sequence = item.sequence, duplicate = receipt.duplicate, "upload stored");
        Ok(Step::Stored(item.sequence))
    }

    /// Begins to fetch the set of indicators that a receipt names, if it is another one than the saved set. After a failure,
    /// a later receipt begins it again.
    fn begin_fetch(&mut self, uploader: &Uploader, receipt: &UploadReceipt, feedback: &Feedback) {
        let now = self.clock.now();
        let Some(digest) = receipt.indicators.as_ref().filter(|digest| is_digest(digest)) else { return };
        let saved = feedback.indicators.as_ref();
        let is_saved = saved.is_some_and(|saved| saved.digest == *digest);
        let is_early = self.unfetched.is_some_and(|at| (0..FETCH_AGAIN * SECOND).contains(&now.since(at)));
        if is_saved || is_early || self.fetching.is_some() {
            return;
        }
        let subscription = uploader.subscription().to_owned();
        let key = saved.map(|saved| saved.key.clone());
        let wanted = WantedSet { subscription, digest: digest.clone(), key };
        tracing::info!("fetching the set of indicators {digest}");
        let spool = self.spool.directory().to_owned();
        self.fetching = Some(tokio::spawn(set_fetch::fetch(uploader.clone(), wanted, spool, now)));
    }

    /// Notes how a fetch ended, if one did.
    async fn end_fetch(&mut self) -> Result<(), Obstacle> {
        let Some(ended) = self.fetching.take_if(|fetching| fetching.is_finished()) else { return Ok(()) };
        let ended = ended.await.unwrap_or_else(|_| Err("fetching the set of indicators failed".to_owned()));
        let (_, mut feedback) = self.uploader()?;
        match ended {
            Ok(saved) => {
                // Meanwhile the sensor may have been enrolled elsewhere.
                if !feedback.recipient.ends_with(&format!(" {}", saved.subscription)) {
                    return Ok(());
                }
                tracing::info!("saved the set of indicators {}", saved.digest);
                self.unfetched = None;
                (feedback.indicators, feedback.indicators_problem) = (Some(saved), None);
            }
            Err(problem) => {
                if feedback.indicators_problem.as_ref() != Some(&problem) {
                    tracing::warn!("{problem}; the set of indicators that was saved before stays");
                }
                self.unfetched = Some(self.clock.now());
                feedback.indicators_problem = Some(problem);
            }
        }
        self.status.set_feedback(&feedback);
        self.report(&feedback)
    }

    fn report(&mut self, feedback: &Feedback) -> Result<(), Obstacle> {
        self.spool.write_feedback(feedback).map_err(|e| self.slow(e))?;
        if let Some((_, known)) = &mut self.uploader {
            known.clone_from(feedback);
        }
        Ok(())
    }

    fn put_aside(&mut self, item: &QueuedUpload, why: &str, damaged: bool) -> Result<Step, Obstacle> {
        let mut feedback =
            self.uploader.as_ref().map_or_else(|| self.spool.feedback(), |(_, feedback)| feedback.clone());
        feedback.put_aside += 1;
        feedback.lost += u64::from(damaged);
        // Feedback first: after a crash in between, facts are sent twice rather than never.
        self.report(&feedback)?;
        self.spool.put_aside(item).map_err(|e| self.slow(e))?;
        self.status.uploads_put_aside.fetch_add(1, Ordering::Relaxed);
        tracing::error!("moved upload {} to the spool's bad/: {why}", item.sequence);
        Ok(Step::PutAside(item.sequence))
    }

    /// An obstacle that time may remove.
    fn soon(&mut self, problem: impl ToString, retry_after: Option<Duration>) -> Obstacle {
        let pace = self.pace;
        let waits = self.waits.get_or_insert_with(|| {
            ExponentialBuilder::new()
                .with_min_delay(pace.first)
                .with_max_delay(pace.longest)
                .without_max_times()
                .with_jitter()
                .build()
        });
        // Jitter adds to the delay; the bound holds for the sum.
        let wait = waits.next().unwrap_or(pace.longest).min(pace.longest);
        Obstacle { problem: problem.to_string(), wait: wait.max(retry_after.unwrap_or_default()) }
    }

    /// An obstacle that a person removes.
    fn slow(&self, problem: impl ToString) -> Obstacle {
        Obstacle { problem: problem.to_string(), wait: self.pace.longest }
    }
}

/// Whether a text is a SHA-256 in hex.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// The wait for a busy service. What is left of a longer one spreads the sensors.
fn while_busy(wait: Duration) -> Duration {
    let half = BUSY / 2;
    if wait <= BUSY {
        return wait;
    }
    let rest = wait.as_nanos().checked_rem(half.as_nanos()).and_then(|nanos| u64::try_from(nanos).ok());
    half + Duration::from_nanos(rest.unwrap_or_default())
}

/// The same upload under a new epoch.
fn rename(upload: Upload) -> std::io::Result<Vec<u8>> {
    Upload { epoch: random_epoch()?, ..upload }.encode()
}

struct Obstacle {
    problem: String,
    wait: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_busy_service_stays_short_and_is_spread() {
        let waits = [2, 30, 31, 47, 300].map(|seconds| while_busy(Duration::from_secs(seconds)).as_secs());
        assert_eq!(waits, [2, 30, 16, 17, 15]);
    }
}
