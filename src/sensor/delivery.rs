//! Delivery: from the spool to the plan service, oldest first, each upload until it is acknowledged.
//!
//! [`Delivery::step`] makes at most one attempt and says how long to wait before the next; who calls it waits. So the
//! whole behaviour is one state machine, and tests need no time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::identity::Identity;
use super::spool::{Item, Reader};
use super::status::Status;
use super::uploader::{UploadError, Uploader};
use crate::clock::Clock;
use crate::wire::{Upload, UploadReceipt};

/// How often to look for new uploads where none wait.
pub const IDLE: Duration = Duration::from_secs(1);

/// How often to look for an identity where there is none.
const UNENROLLED: Duration = Duration::from_secs(10);

/// The waits after failures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// The first wait; it doubles with every further failure, with jitter.
    pub first: Duration,
    /// The longest wait; also the wait where only a person can help.
    pub longest: Duration,
    /// The longest that one upload may take.
    pub timeout: Duration,
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
    uploader: Option<Uploader>,
    waits: Option<ExponentialBackoff>,
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
        Self { spool, identity, pace, status, clock, uploader: None, waits: None }
    }

    /// Changes the waits, and reads the identity anew.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        self.uploader = None;
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
        let body = self.spool.read(&item).map_err(|e| self.slow(e))?;
        let upload = match Upload::decode(&body) {
            Ok(upload) if upload.sequence == item.sequence => upload,
            Ok(_) => return self.put_aside(&item, "its number is not that of its file"),
            Err(e) => return self.put_aside(&item, &e.to_string()),
        };
        let uploader = match self.uploader.clone() {
            Some(uploader) => uploader,
            None => {
                let identity = Identity::load(&self.identity).map_err(|e| Obstacle {
                    problem: e.to_string(),
                    wait: self.pace.longest.min(UNENROLLED),
                })?;
                let new = Uploader::with_timeout(&identity, self.pace.timeout).map_err(|e| self.slow(e))?;
                self.uploader.insert(new).clone()
            }
        };
        let mut answer = uploader.send(body, self.clock.now()).await;
        if let Err(UploadError::Conflict { detail }) = &answer {
            // A spool that came back from a backup counts anew. Facts are joined, so another name does no harm.
            tracing::warn!("upload {}: {detail}; it is sent under a new name", item.sequence);
            let renamed = rename(upload).map_err(|e| self.slow(e))?;
            answer = uploader.send(renamed, self.clock.now()).await;
        }
        match answer {
            Ok(receipt) if receipt.sequence == item.sequence => self.done(&item, &receipt),
            Ok(_) => Err(self.soon("the receipt is for another upload; is this a plan service?", None)),
            Err(UploadError::Refused { status, detail }) => {
                self.put_aside(&item, &format!("the plan service refuses it with {status}: {detail}"))
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
                | UploadError::Token { .. }),
            ) => {
                // A new enrolment writes a new identity: look for it before the next attempt.
                self.uploader = None;
                Err(self.slow(e))
            }
            Err(e @ UploadError::NoPlan { .. }) => Err(self.slow(e)),
        }
    }

    fn done(&mut self, item: &Item, receipt: &UploadReceipt) -> Result<Step, Obstacle> {
        self.spool.done(item).map_err(|e| self.slow(e))?;
        let counter =
            if receipt.duplicate { &self.status.uploads_duplicate } else { &self.status.uploads_stored };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.status.delivery_problem().is_some() {
            tracing::info!("uploads are delivered again");
        }
        self.status.acknowledged(self.clock.now());
        self.waits = None;
        tracing::debug!(sequence = item.sequence, duplicate = receipt.duplicate, "upload stored");
        Ok(Step::Stored(item.sequence))
    }

    fn put_aside(&self, item: &Item, why: &str) -> Result<Step, Obstacle> {
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
