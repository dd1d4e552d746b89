//! The days of a subscription that are sealed, around a day that a page shows.

use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::plan::permission::View;
use crate::proof::Day;

/// The sealed days around an instant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SealedDays {
    /// The newest before.
    pub previous: Option<Day>,
    /// The oldest after.
    pub next: Option<Day>,
    /// The oldest of all.
    pub first: Option<Day>,
    /// The newest of all.
    pub last: Option<Day>,
}

/// The sealed days around the day that ends at `as_of` or after; around the present without an instant.
pub async fn around(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<SealedDays, Refusal> {
    let day = as_of.map_or_else(|| Day::of(app.now()).plus(1), |at| Day::of(at.plus(-1)));
    Ok(app.store.sealed_around(may.id(), day).await?)
}
