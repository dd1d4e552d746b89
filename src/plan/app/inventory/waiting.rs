//! Uploads that wait for the writer of their subscription. Whoever has the turn stores all of them, in one transaction for
//! several.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::plan::app::Refusal;
use crate::plan::store::{Arrival, Ingested};

/// Uploads that are stored together. The other writers of the database wait meanwhile.
const TOGETHER: usize = 64;
/// Couplings and stations of uploads that are stored together, unless a single upload has more.
const ROWS: usize = 20_000;

/// What a sender is told.
pub(super) type Told = Result<Ingested, Refusal>;

/// The uploads of a subscription that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<VecDeque<(Arrival, Sender<Told>)>>);

impl Waiting {
    /// Adds an upload; the outcome comes through the receiver.
    pub(super) fn put(&self, arrival: Arrival) -> Receiver<Told> {
        let (sender, receiver) = oneshot::channel();
        self.lock().push_back((arrival, sender));
        receiver
    }

    /// Takes uploads to store together: those that came first, and one of a sensor.
    pub(super) fn take(&self) -> (Vec<Arrival>, Vec<Sender<Told>>) {
        let mut waiting = self.lock();
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        let (mut sensors, mut rows) = (HashSet::new(), 0);
        while let Some((arrival, sender)) = waiting.pop_front() {
            let more = arrival.rows();
            if !taken.is_empty() && (taken.len() >= TOGETHER || rows + more > ROWS) {
                waiting.push_front((arrival, sender));
                break;
            }
            if sensors.insert(arrival.sensor().clone()) {
                rows += more;
                taken.push((arrival, sender));
            } else {
                left.push_back((arrival, sender));
            }
        }
        left.append(&mut waiting);
        *waiting = left;
        drop(waiting);
        taken.into_iter().unzip()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Arrival, Sender<Told>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Coupling, CouplingKey, MacAddr, Sign, Timestamp, Zone};
    use crate::wire::{Health, UPLOAD_SCHEMA, Upload};

    fn arrival(sensor: &str, sequence: u64, couplings: u16) -> Arrival {
        let mut delta = Zone::default();
        for n in 0..couplings {
            let [a, b] = n.to_be_bytes();
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
            delta.couplings.insert(key, Coupling::new(Timestamp(5), Sign::ArpAsked.into()));
        }
        let (schema, epoch, zone, health) =
            (UPLOAD_SCHEMA.to_owned(), "e".to_owned(), "z".to_owned(), Health::default());
        let upload = Upload { schema, epoch, sequence, zone, delta, health };
        Arrival::new(sensor.parse().unwrap(), (upload, Vec::new()), [0; 32], Timestamp(9), Timestamp(9))
            .unwrap()
    }

    #[test]
    fn uploads_are_taken_in_their_order_one_of_a_sensor_and_within_the_bounds() {
        let waiting = Waiting::default();
        for (sensor, sequence, couplings) in
            [("a", 1, 5), ("b", 1, 5), ("a", 2, 5), ("c", 1, 20_001), ("d", 1, 1)]
        {
            drop(waiting.put(arrival(sensor, sequence, couplings)));
        }
        let taken = || -> Vec<String> {
            waiting.take().0.iter().map(|arrival| arrival.sensor().as_str().to_owned()).collect()
        };
        assert_eq!(taken(), ["a", "b"]);
        assert_eq!(taken(), ["a"]);
        assert_eq!(taken(), ["c"]);
        assert_eq!(taken(), ["d"]);
        assert!(taken().is_empty());
        for n in 0..TOGETHER + 1 {
            drop(waiting.put(arrival(&format!("s{n}"), 1, 1)));
        }
        assert_eq!((taken().len(), taken().len()), (TOGETHER, 1));
    }
}
