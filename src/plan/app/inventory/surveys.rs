//! The line in which surveys wait: a survey takes a core for as long as its subscription is large.
//!
//! A subscription makes one survey at a time, so it waits in the line of the service with one at most, and however many it
//! wants, the others have their turn after its first.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::super::{Refusal, aside};

/// Cores for one survey: the others receive uploads and answer readers.
const CORES: usize = 2;
/// Surveys of a subscription that people wait for, beside those of the present: explanations, and views of other instants.
/// What is asked for beyond them is refused at once.
const ASKED: usize = 32;
/// Seconds after which somebody may ask again who was refused, or who has waited for a first count.
pub(super) const AGAIN: u64 = 5;

/// The line of the service. Clones are the same line.
#[derive(Clone, Debug)]
pub(super) struct Surveys(Arc<Semaphore>);

/// The line of a subscription. Clones are the same line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    turn: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// A place among the surveys that people wait for.
#[derive(Debug)]
pub(super) struct Place {
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl Default for Surveys {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((cores / CORES).max(1))))
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), room: Arc::new(Semaphore::new(ASKED)) }
    }
}

impl Line {
    /// A place for a survey that somebody asks for.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if too many are waited for.
    pub(super) fn place(&self) -> Result<Place, Refusal> {
        let busy =
            |_| Refusal::Busy { what: "too many counts of this subscription are waited for", seconds: AGAIN };
        Ok(Place { _room: Arc::clone(&self.room).try_acquire_owned().map_err(busy)? })
    }
}

impl Surveys {
    /// Runs a survey on a thread for long work when its turn has come. A caller who leaves before that runs none; a survey
    /// that has begun runs to its end, and keeps its turn until then.
    ///
    /// # Errors
    /// [`Refusal::Defect`] if the survey panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        line: &Line,
        survey: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let closed = |_| Refusal::Defect("the line of surveys is closed".to_owned());
        let turn = Arc::clone(&line.turn).acquire_owned().await.map_err(closed)?;
        let core = Arc::clone(&self.0).acquire_owned().await.map_err(closed)?;
        aside(move || {
            let made = survey();
            drop((turn, core));
            made
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_subscription_that_counts_does_not_take_a_second_place_in_the_line() {
        let (surveys, large, small) =
            (Surveys(Arc::new(Semaphore::new(1))), Line::default(), Line::default());
        let (go, wait) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let (surveys, large) = (surveys.clone(), large.clone());
            async move { surveys.run(&large, move || wait.recv().is_ok()).await }
        });
        while surveys.0.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let (order, ended) = mpsc::channel();
        let told = |name: &'static str| {
            let order = order.clone();
            move || order.send(name).is_ok()
        };
        let mut context = Context::from_waker(Waker::noop());
        // The large subscription wants a second survey before the small one wants its first.
        let mut second = pin!(surveys.run(&large, told("large")));
        let mut other = pin!(surveys.run(&small, told("small")));
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(other.as_mut().poll(&mut context).is_pending());
        go.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        let (second, other) = tokio::join!(second, other);
        assert!(second.unwrap() && other.unwrap());
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), ["small", "large"]);
    }

    #[test]
    fn what_is_asked_for_beyond_the_bound_is_refused() {
        let line = Line::default();
        let places: Vec<_> = (0..ASKED).map(|_| line.place().unwrap()).collect();
        assert!(matches!(line.place(), Err(Refusal::Busy { seconds: AGAIN, .. })));
        drop(places);
        assert!(line.place().is_ok());
    }
}
