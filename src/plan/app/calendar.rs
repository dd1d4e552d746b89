//! The days of a subscription that are sealed, around a day that a page shows.

use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::plan::permission::View;
use crate::plan::store::SealedDays;
use crate::proof::Day;

/// The sealed days around the day that ends at `as_of` or after; around the present without an instant.
pub async fn around(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<SealedDays, Refusal> {
    let day = as_of.map_or_else(|| Day::of(app.now()).plus(1), |at| Day::of(at.plus(-1)));
    Ok(app.store.sealed_around(may.id(), day).await?)
}
