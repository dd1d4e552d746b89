//! What an answer tells of the count that it is made of: that it is an older one, or one of a past instant.
//!
//! Many use cases read a view, and each answer has its own form. Therefore the mark is kept beside the request's task:
//! [`App::view`](super::App::view) notes it, and what sends the answer reads it.

use std::cell::RefCell;
use std::future::Future;
use std::time::Instant;

use super::inventory::View;
use crate::census::Timestamp;
use crate::wire::Basis;

const SECOND: i64 = 1_000_000_000;
/// What was derived longer ago is not shown to a page instead of the newest: it waits.
pub(super) const STALE: i64 = 600 * SECOND;

tokio::task_local! {
    static NOTED: RefCell<Noted>;
}

/// What is noted of the count that an answer is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Noted {
    /// If a newer count is being made.
    pub older: Option<Older>,
    /// If it is that of a past instant: the instant, and from what it is made.
    pub past: Option<(Timestamp, Basis)>,
    /// How many notices the reader has not read yet: each page of a subscription shows it.
    pub unread: u64,
    /// Since when the answer is a page in the making. A page shows an older count at once rather than the newest one late: it is
    /// replaced when the newest is there.
    pub page_since: Option<Instant>,
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
pub async fn noting<T>(request: impl Future<Output = T>) -> (T, Noted) {
    NOTED.scope(RefCell::default(), async { (request.await, noted()) }).await
}

/// The marks of the present request's answer.
pub fn noted() -> Noted {
    NOTED.try_with(|noted| noted.borrow().clone()).unwrap_or_default()
}

/// Notes how many notices the reader has not read yet.
pub(in crate::plan) fn note_unread(unread: u64) {
    NOTED.try_with(|noted| noted.borrow_mut().unread = unread).ok();
}

/// Notes that the answer is a page, which is made from now on.
pub(in crate::plan) fn note_page() {
    let note = |noted: &RefCell<Noted>| {
        noted.borrow_mut().page_since.get_or_insert_with(Instant::now);
    };
    NOTED.try_with(note).ok();
}

/// Since when the answer is a page in the making; `None` if it is none.
pub(super) fn page_since() -> Option<Instant> {
    NOTED.try_with(|noted| noted.borrow().page_since).ok().flatten()
}

/// Marks the answer of the present request. Outside a request, nobody asks for the mark.
pub(super) fn note(view: &View, is_older: bool, now: Timestamp) {
    if is_older {
        note_older(view.as_of, view.made_at, now);
    }
    if let Some(basis) = &view.basis {
        NOTED.try_with(|noted| noted.borrow_mut().past = Some((view.as_of, basis.clone()))).ok();
    }
}

/// Marks the answer as one about that instant, made then, while a newer one is being made. If it has several such parts, the
/// oldest tells.
pub(super) fn note_older(as_of: Timestamp, made_at: Timestamp, now: Timestamp) {
    let seconds = u64::try_from(now.since(made_at) / SECOND).unwrap_or(0);
    let mark = |noted: &RefCell<Noted>| {
        let mut noted = noted.borrow_mut();
        let known = noted.older.filter(|known| known.as_of <= as_of);
        noted.older = known.or(Some(Older { as_of, seconds }));
    };
    NOTED.try_with(mark).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_several_older_parts_of_an_answer_the_oldest_tells() {
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        let ((), noted) = noting(async {
            note_older(at(40), at(40), at(100));
            note_older(at(10), at(30), at(100));
            note_older(at(90), at(90), at(100));
        })
        .await;
        assert_eq!(noted.older, Some(Older { as_of: at(10), seconds: 70 }));
    }
}
