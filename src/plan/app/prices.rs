//! Prices of a device-month: list, set.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::billing::statement::{Price, SetPrice, price_at};
use crate::billing::timeline::PlanKind;
use crate::census::Timestamp;
use crate::plan::permission::{ManageTenant, View};

/// The prices of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Prices {
    /// The price of monthly plans at present, if any.
    pub price: Option<Price>,
    /// The price of an annual plan that starts or renews at present, if any.
    pub annual: Option<Price>,
    /// All prices, in the order in which they were set: at most 1000.
    pub prices: Vec<SetPrice>,
}

/// All prices. If none is set, statements show device-months without amounts.
pub async fn list(app: &App, may: &May<View>) -> Result<Prices, Refusal> {
    let prices = app.store.prices(may.id()).await?;
    let at_present = |kind| price_at(&prices, kind, app.now());
    Ok(Prices { price: at_present(PlanKind::Monthly), annual: at_present(PlanKind::Annual), prices })
}

/// Sets a price of a kind of plan, or of all that have a committed number, that is valid from an instant on, or from now. That instant may lie in the past, but not in a closed
/// statement (P9).
pub async fn set(
    app: &App,
    may: &May<ManageTenant>,
    price: Price,
    kind: Option<PlanKind>,
    valid_from: Option<Timestamp>,
) -> Result<SetPrice, Refusal> {
    if kind == Some(PlanKind::Trial) {
        return Err(Refusal::invalid("a trial is never charged (P1); name monthly or annual, or no kind"));
    }
    let now = app.now();
    // Statements are closed on demand. One that is due but not yet closed would not protect its month from the new price.
    app.store.close_due(may.id(), now).await?;
    Ok(app.store.set_price(may.id(), price, kind, valid_from, &may.by, now).await?)
}
