//! Bytes of uploads in memory: of bodies while they are received and decoded, and of decoded uploads until they are stored.

use super::Refusal;
use super::shares::{Most, Share, Shares};
use crate::wire::{COMPRESSED_BYTES, DECOMPRESSED_BYTES, SubscriptionId};

/// Bytes of bodies, in all and of one subscription.
const BODIES: Most = Most { all: 16 * COMPRESSED_BYTES, of_one: 8 * COMPRESSED_BYTES };
/// Bytes of decoded uploads, in all and of one subscription.
const DECODED: Most = Most { all: 8 * DECOMPRESSED_BYTES, of_one: 4 * DECOMPRESSED_BYTES };
/// Seconds after which a sensor that is refused may try again.
const AGAIN: u64 = 2;

/// Bytes that an upload takes, until this is dropped.
pub type HeldBytes = Share<SubscriptionId>;

/// The bytes that uploads take.
#[derive(Debug)]
pub struct UploadBytes {
    bodies: Shares<SubscriptionId>,
    decoded: Shares<SubscriptionId>,
}

impl Default for UploadBytes {
    fn default() -> Self {
        Self { bodies: Shares::new(BODIES), decoded: Shares::new(DECODED) }
    }
}

impl UploadBytes {
    /// Room for a body of `bytes`, before it is read. If its length is not announced, it counts as the longest.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub fn body(&self, subscription: &SubscriptionId, bytes: Option<usize>) -> Result<HeldBytes, Refusal> {
        held(&self.bodies, subscription, bytes.unwrap_or(COMPRESSED_BYTES).min(COMPRESSED_BYTES))
    }

    /// Room for an upload that is `bytes` long when it is decoded.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub fn decoded(&self, subscription: &SubscriptionId, bytes: usize) -> Result<HeldBytes, Refusal> {
        held(&self.decoded, subscription, bytes)
    }
}

fn held(shares: &Shares<SubscriptionId>, of: &SubscriptionId, bytes: usize) -> Result<HeldBytes, Refusal> {
    let busy = Refusal::Busy { what: "the uploads that wait take too much memory", seconds: AGAIN };
    shares.take(of, bytes).ok_or(busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscription_does_not_take_the_memory_of_the_others() {
        let (bytes, id) = (UploadBytes::default(), |n: u8| SubscriptionId::from_bits([n; 8]));
        let take = |n| -> Vec<_> { std::iter::from_fn(|| bytes.body(&id(n), None).ok()).collect() };
        let (first, second) = (take(1), take(2));
        assert_eq!((first.len(), second.len()), (8, 8));
        assert!(bytes.body(&id(3), Some(1)).is_err());
        assert!(bytes.decoded(&id(1), DECOMPRESSED_BYTES).is_ok(), "what is decoded has a bound of its own");
        drop(first);
        assert!(bytes.body(&id(3), Some(1)).is_ok() && bytes.body(&id(2), Some(1)).is_err());
    }
}
