//! Delivery: from the spool to the plan service, oldest first, each upload until it is acknowledged.
//!
//! [`Delivery::step`] makes at most one attempt and says how long to wait before the next; who calls it waits. So the
//! whole behaviour is one state machine, and tests need no time.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::identity::Identity;
use super::route::Route;
use super::spool::{Item, Reader};
use crate::clock::Clock;
use crate::sensor::status::Status;
use crate::sensor::upload::client::{Answer, UploadError, Uploader};
use crate::sensor::upload::feedback::Told;
use crate::wire::{Upload, UploadReceipt};

/// How often to look for new uploads where none wait.
pub const IDLE: Duration = Duration::from_secs(1);

/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// What is told of an identity that two use.
pub const FORKED: &str = "another appliance uses this sensor's identity, or this one's state came back from a backup; if it was copied, revoke the sensor and enrol each appliance with a token of its own";

/// How often to look for an identity where there is none.
const UNENROLLED: Duration = Duration::from_secs(10);

/// The waits after failures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// The first wait; it doubles with every further failure, with jitter.
    pub first: Duration,
    /// The longest wait; also the wait where only a person can help.
    pub longest: Duration,
    /// The longest that one upload may take, and a second more for each KiB of it.
    pub timeout: Duration,
    /// How many bytes of uploads may be sent in a second, averaged over an upload; none for as many as go.
    pub bytes_per_second: Option<NonZeroU64>,
}

/// What a step did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing waits.
    Idle,
    /// An upload was acknowledged and removed: go on at once.
    Stored(u64),
    /// An upload was put aside: go on at once.
    PutAside(u64),
    /// An upload was merged into others meanwhile: go on at once.
    Replaced(u64),
    /// It did not work: wait this long.
    Wait(Duration),
}

/// The sending half.
pub struct Delivery {
    spool: Reader,
    identity: PathBuf,
    pace: Pace,
    status: Arc<Status>,
    clock: Arc<dyn Clock>,
    uploader: Option<(Uploader, Told)>,
    waits: Option<ExponentialBackoff>,
    route: Route,
    /// Bytes that were sent and not yet paid for by a rest.
    sent: u64,
}

impl Delivery {
    /// Delivers what is in `spool` as the identity in the file `identity`, which need not exist yet.
    pub fn new(
        spool: Reader,
        identity: PathBuf,
        pace: Pace,
        status: Arc<Status>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let route = Route::default();
        Self { spool, identity, pace, status, clock, uploader: None, waits: None, route, sent: 0 }
    }

    /// Changes the waits, and reads the identity anew.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        self.uploader = None;
    }

    /// Changes the way to the service.
    pub fn set_route(&mut self, route: Route) {
        self.route = route;
        self.uploader = None;
    }

    /// How long to rest after what was sent, so that the pace is kept. To be asked once after every step.
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
                    tracing::warn!("not delivered: {problem}");
                }
                Step::Wait(wait)
            }
        }
    }

    async fn attempt(&mut self) -> Result<Step, Obstacle> {
        let Some(item) = self.spool.oldest().map_err(|e| self.slow(e))? else {
            return Ok(Step::Idle);
        };
        let Some(body) = self.spool.read(&item).map_err(|e| self.slow(e))? else {
            return Ok(Step::Replaced(item.sequence));
        };
        let mut upload = match Upload::decode(&body) {
            Ok(upload) if upload.sequence == item.sequence => upload,
            Ok(_) => return self.put_aside(&item, "its number is not that of its file", true),
            Err(e) => return self.put_aside(&item, &e.to_string(), true),
        };
        let (uploader, mut told) = self.uploader()?;
        upload.health.receipt = told.receipt;
        let body = upload.encode().map_err(|e| self.slow(e))?;
        let mut answer = self.send(&uploader, body).await;
        if let Err(UploadError::Conflict { detail }) = &answer.result {
            // A spool that came back from a backup counts anew. Facts are joined, so another name does no harm.
            tracing::warn!("upload {}: {detail}; it is sent under a new name", item.sequence);
            let renamed = rename(upload).map_err(|e| self.slow(e))?;
            answer = self.send(&uploader, renamed).await;
        }
        if let Some(date) = answer.date {
            // Dates have whole seconds: the truth may be one more.
            let skew = date.since(self.clock.now()) / SECOND;
            let news = told.clock_skew.is_none_or(|known| known.abs_diff(skew) > 1);
            told.clock_skew = Some(skew);
            self.status.told(&told);
            if news {
                self.tell(&told)?;
            }
        }
        match answer.result {
            Ok(receipt) if receipt.sequence == item.sequence => self.done(&item, &receipt, told),
            Ok(_) => Err(self.soon("the receipt is for another upload; is this a plan service?", None)),
            Err(UploadError::Refused { status, detail }) => {
                self.put_aside(&item, &format!("the plan service refuses it with {status}: {detail}"), false)
            }
            Err(e @ UploadError::Conflict { .. }) => Err(self.soon(e, None)),
            Err(e @ UploadError::Busy { retry_after, .. }) => Err(self.soon(e, retry_after)),
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

    /// The client, and what was told of its service before.
    fn uploader(&mut self) -> Result<(Uploader, Told), Obstacle> {
        if let Some(known) = &self.uploader {
            return Ok(known.clone());
        }
        let identity = Identity::load(&self.identity)
            .map_err(|e| Obstacle { problem: e.to_string(), wait: self.pace.longest.min(UNENROLLED) })?;
        let new = Uploader::new(&identity, self.pace.timeout, &self.route).map_err(|e| self.slow(e))?;
        let mut told = self.spool.told();
        let recipient = format!("{} {}", identity.url, identity.subscription);
        if (&told.recipient, &told.sensor) != (&recipient, &identity.sensor) {
            // Receipts are numbered by whoever gives them, for each sensor.
            told = Told { recipient, sensor: identity.sensor, receipt: None, clock_skew: None, ..told };
        }
        Ok(self.uploader.insert((new, told)).clone())
    }

    async fn send(&mut self, uploader: &Uploader, body: Vec<u8>) -> Answer<UploadReceipt> {
        self.sent = self.sent.saturating_add(body.len() as u64);
        uploader.send(body, self.clock.now()).await
    }

    fn done(&mut self, item: &Item, receipt: &UploadReceipt, told: Told) -> Result<Step, Obstacle> {
        // First the number, then the file goes: in between a crash sends it again, which the service knows.
        let lost = told.lost + u64::from(receipt.lost);
        let told = Told { receipt: receipt.number.or(told.receipt), lost, ..told };
        if receipt.lost {
            tracing::warn!("the plan service came back from a backup; everything is said again");
        }
        self.tell(&told)?;
        self.spool.done(item).map_err(|e| self.slow(e))?;
        let counter =
            if receipt.duplicate { &self.status.uploads_duplicate } else { &self.status.uploads_stored };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.status.delivery_problem().is_some() {
            tracing::info!("uploads are delivered again");
        }
        self.status.acknowledged(self.clock.now());
        if receipt.forked && !self.status.forked.swap(true, Ordering::Relaxed) {
            tracing::error!("{FORKED}");
        }
        self.waits = None;
        tracing::debug!(sequence = item.sequence, duplicate = receipt.duplicate, "upload stored");
        Ok(Step::Stored(item.sequence))
    }

    fn tell(&mut self, told: &Told) -> Result<(), Obstacle> {
        self.spool.tell(told).map_err(|e| self.slow(e))?;
        if let Some((_, known)) = &mut self.uploader {
            known.clone_from(told);
        }
        Ok(())
    }

    fn put_aside(&mut self, item: &Item, why: &str, damaged: bool) -> Result<Step, Obstacle> {
        let mut told = self.uploader.as_ref().map_or_else(|| self.spool.told(), |(_, told)| told.clone());
        told.put_aside += 1;
        told.lost += u64::from(damaged);
        // Told first: a crash in between says too much again, never too little.
        self.tell(&told)?;
        self.spool.put_aside(item).map_err(|e| self.slow(e))?;
        self.status.uploads_put_aside.fetch_add(1, Ordering::Relaxed);
        tracing::error!("upload {} is put aside in the spool's bad/: {why}", item.sequence);
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

/// The same upload in an epoch of its own.
fn rename(upload: Upload) -> std::io::Result<Vec<u8>> {
    Upload { epoch: super::spool::random_hex()?, ..upload }.encode()
}

struct Obstacle {
    problem: String,
    wait: Duration,
}
