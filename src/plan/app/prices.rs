//! Prices of a device-month: list, set.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::billing::statement::{Price, SetPrice, price_at};
use crate::census::Timestamp;
use crate::plan::permission::{ManageTenant, View};

/// The prices of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Prices {
    /// The price at present, if any.
    pub price: Option<Price>,
    /// All prices, in the order in which they were set: at most 1000.
    pub prices: Vec<SetPrice>,
}

/// All prices. If none is set, statements show device-months without amounts.
pub async fn list(app: &App, may: &May<View>) -> Result<Prices, Refusal> {
    let prices = app.store.prices(may.id()).await?;
    Ok(Prices { price: price_at(&prices, app.now()), prices })
}

/// Sets a price that is valid from an instant on, or from now. That instant may lie in the past, but not in a closed
/// statement (P9).
pub async fn set(
    app: &App,
    may: &May<ManageTenant>,
    price: Price,
    valid_from: Option<Timestamp>,
) -> Result<SetPrice, Refusal> {
    let now = app.now();
    // Statements are closed on demand. One that is due but not yet closed would not protect its month from the new price.
    app.store.close_due(may.id(), now).await?;
    Ok(app.store.set_price(may.id(), price, valid_from, &may.by, now).await?)
}
