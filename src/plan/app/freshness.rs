//! Whether an answer counts everything that is known: an answer made of an older view is marked.
//!
//! Many use cases read a view, and each answer has its own form. Therefore the mark is kept beside the request's task:
//! [`App::view`](super::App::view) notes it, and what sends the answer reads it.

use std::cell::Cell;
use std::future::Future;

use super::inventory::View;
use crate::census::Timestamp;

const SECOND: i64 = 1_000_000_000;

tokio::task_local! {
    static NOTED: Cell<Option<Older>>;
}

/// An answer is made of an older view; a newer one is being made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Older {
    /// The instant of its verdicts.
    pub as_of: Timestamp,
    /// Seconds since the view was made.
    pub seconds: u64,
}

/// Runs a request.
pub async fn noting<T>(request: impl Future<Output = T>) -> (T, Option<Older>) {
    NOTED.scope(Cell::new(None), async { (request.await, noted()) }).await
}

/// The mark of the present request's answer, if it needs one.
pub fn noted() -> Option<Older> {
    NOTED.try_with(Cell::get).ok().flatten()
}

/// Marks the answer of the present request. Outside a request, nobody asks for the mark.
pub(super) fn note(view: &View, now: Timestamp) {
    let seconds = u64::try_from(now.since(view.made_at) / SECOND).unwrap_or(0);
    NOTED.try_with(|noted| noted.set(Some(Older { as_of: view.as_of, seconds }))).ok();
}
