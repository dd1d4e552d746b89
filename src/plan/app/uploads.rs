//! Uploads: who sends one, and storing it.
//!
//! The service knows the sender before it reads a byte of the body: first by the bearer key, which is cheap to look up,
//! then by the signature, which covers the body's digest.

use std::sync::Arc;

use super::sensors::note_suspicion;
use super::shares::{Most, Share, Shares};
use super::suspicion::Suspicion;
use super::upload_bytes::HeldBytes;
use super::{App, Refusal};
use crate::census::time::DAY;
use crate::plan::secret;
use crate::plan::store::{Arrival, By, Receipt, Sender, StoreError};
use crate::wire::signature::PublicKey;
use crate::wire::{BadUpload, Upload, UploadReceipt};
use crate::wire::{SensorId, SubscriptionId};

/// The sensor that a request claims to be from, and where the request came from.
#[derive(Clone, Debug)]
pub struct Claim {
    pub subscription: SubscriptionId,
    pub sensor: SensorId,
    pub origin: By,
}

/// The proof that the sensor itself sent a request: the sender knows the sensor's bearer key and signed with its key pair.
#[derive(Clone, Debug)]
pub struct Proven {
    claim: Claim,
    /// Identifies the request: SHA-256 of its signature.
    request: [u8; 32],
}

/// A stored upload.
#[derive(Clone, Debug)]
pub struct Stored {
    pub receipt: UploadReceipt,
    /// The number of rows that the upload changed.
    pub rows: usize,
}

impl Proven {
    /// The subscription of the sensor.
    pub const fn subscription(&self) -> &SubscriptionId {
        &self.claim.subscription
    }
}

impl Claim {
    /// The public key of the sensor, for a sender who knows its bearer key. All others get the same refusal.
    pub async fn public_key(&self, app: &App, bearer: Option<&str>) -> Result<PublicKey, Refusal> {
        let bearer = bearer.ok_or(Refusal::UnknownSensor)?;
        match app.store.sender(&self.subscription, &self.sensor, bearer).await? {
            Sender::Sensor(key) => {
                app.limits.note_valid(secret::hash(bearer));
                Ok(key)
            }
            Sender::Suspect(what) => {
                self.note(app, what).await;
                Err(Refusal::UnknownSensor)
            }
            Sender::Nobody => Err(Refusal::UnknownSensor),
        }
    }

    /// The proof, after the sensor's key was found to have signed the request; `request` is the SHA-256 of the signature.
    pub const fn proven(self, request: [u8; 32]) -> Proven {
        Proven { claim: self, request }
    }

    /// Refuses a request whose head the sensor's key has not signed.
    pub async fn refuse_unsigned(&self, app: &App) -> Refusal {
        self.note(app, Suspicion::BadSignature).await;
        Refusal::Unsigned(
            "the request is not signed by the key that the sensor enrolled with; update or enrol it",
        )
    }

    async fn note(&self, app: &App, what: Suspicion) {
        note_suspicion(app, &self.subscription, Some(&self.sensor), what, &self.origin).await;
    }
}

/// Refuses a body that is not the signed one.
pub async fn refuse_tampered(app: &App, from: &Proven) -> Refusal {
    from.claim.note(app, Suspicion::Tampered).await;
    Refusal::Unsigned("the body is not the signed one; send the body unchanged")
}

/// Stores the upload in `body`, a signed body of the sensor. Returns after the commit. Storing it again changes nothing.
pub async fn store<B>(app: &App, from: &Proven, body: B) -> Result<Stored, Refusal>
where
    B: AsRef<[u8]> + Send + 'static,
{
    let subscription = &from.claim.subscription;
    let mut place = app.uploads.place(subscription)?;
    let (sequence, arrival, bytes) = decoded(app, from, body).await?;
    place.decoded = Some(app.upload_bytes.decoded(subscription, bytes)?);
    let done = app.ingest(subscription.clone(), arrival, place).await;
    if matches!(done, Err(Refusal::Store(StoreError::UploadConflict { .. }))) {
        from.claim.note(app, Suspicion::Conflict).await;
    }
    let done = done?;
    // A replay changes nothing, so it gets the first answer: a proxy may have sent the request twice.
    if done.receipt == Receipt::Replayed {
        from.claim.note(app, Suspicion::Replayed).await;
    }
    // The upload is stored: if the set cannot be looked up now, a later receipt names it.
    let indicators = app.store.indicator_digest(subscription).await.ok().flatten();
    let receipt = UploadReceipt {
        sequence,
        duplicate: done.receipt != Receipt::Stored,
        number: u64::try_from(done.number).ok(),
        forked: done.forked,
        lost: done.lost,
        indicators,
    };
    Ok(Stored { receipt, rows: done.rows })
}

/// The upload in `body`, with its sequence number and its length when it was decoded. Waits until a decoder is free, and frees
/// it when it is done.
async fn decoded<B>(app: &App, from: &Proven, body: B) -> Result<(u64, Arrival, usize), Refusal>
where
    B: AsRef<[u8]> + Send + 'static,
{
    let stopping = |_| Refusal::Defect("the service is stopping".to_owned());
    let decoder = Arc::clone(&app.decoders).acquire_owned().await.map_err(stopping)?;
    let (sensor, request, is_shared, now) =
        (from.claim.sensor.clone(), from.request, app.store.is_shared(), app.now());
    let newest = app.newest_time.at(now, &app.store).await?;
    let decode = move || {
        let (upload, bytes) = Upload::decode_counted(body.as_ref())?;
        // Only services that share a database read the body again.
        let kept = if is_shared { body.as_ref().to_vec() } else { Vec::new() };
        let sequence = upload.sequence;
        let arrival = Arrival::new(sensor, (upload, kept), request, now, newest)?;
        drop(decoder);
        Ok((sequence, arrival, bytes))
    };
    let failed = |_| BadUpload::Format("the decoder failed".to_owned());
    tokio::task::spawn_blocking(decode).await.map_err(failed)?
}

/// How long receipts of uploads are kept: longer than an upload may wait in a sensor's spool by default.
const RECEIPTS_KEPT: i64 = 35 * DAY;
/// Transactions of one round of pruning.
const PRUNINGS: usize = 20;

/// Removes old receipts.
pub(super) async fn prune_receipts(app: App) -> Result<(), Refusal> {
    let before = app.now().plus(-RECEIPTS_KEPT);
    for _ in 0..PRUNINGS {
        let (removed, more) = app.store.prune_receipts(before).await?;
        if removed > 0 {
            tracing::debug!(removed, "removed old receipts of uploads");
        }
        if !more {
            break;
        }
    }
    Ok(())
}

/// Uploads at once, from when their body has come until they are stored. A sensor that is refused sends its upload again.
const UPLOADS: usize = 512;
/// Uploads of one subscription at once: it does not fill the places of the others.
const UPLOADS_OF_ONE: usize = 256;
/// Seconds after which a sensor that is refused may try again.
const AGAIN: u64 = 2;

/// The uploads that are being stored, by subscription.
#[derive(Debug)]
pub struct Queue(Shares<SubscriptionId>);

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub struct QueuePlace {
    /// What the decoded upload takes.
    decoded: Option<HeldBytes>,
    _place: Share<SubscriptionId>,
}

impl Default for Queue {
    fn default() -> Self {
        Self(Shares::new(Most { all: UPLOADS, of_one: UPLOADS_OF_ONE }))
    }
}

impl Queue {
    /// A place for an upload of a subscription.
    fn place(&self, subscription: &SubscriptionId) -> Result<QueuePlace, Refusal> {
        let busy = Refusal::Busy { what: "too many uploads wait to be stored", seconds: AGAIN };
        Ok(QueuePlace { decoded: None, _place: self.0.take(subscription, 1).ok_or(busy)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscription_does_not_fill_the_queue_of_the_others() {
        let (queue, id) = (Queue::default(), |n: u8| SubscriptionId::from_bits([n; 8]));
        let take = |n| -> Vec<_> { std::iter::from_fn(|| queue.place(&id(n)).ok()).collect() };
        let first = take(1);
        assert_eq!(first.len(), UPLOADS_OF_ONE);
        let others: Vec<_> = (2..20).map(take).collect();
        assert_eq!(first.len() + others.iter().map(Vec::len).sum::<usize>(), UPLOADS);
        assert!(queue.place(&id(99)).is_err());
        drop(first);
        assert!(queue.place(&id(99)).is_ok());
    }
}
