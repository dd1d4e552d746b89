//! Prices of a device-month: list, set.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::billing::statement::{Currency, Price, SetPrice};
use crate::billing::timeline::PlanKind;
use crate::census::{Timestamp, time::rfc3339};
use crate::operation;
use crate::plan::app::prices::{self, Prices};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::Json;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{ManageTenant, View};

/// A price to set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPrice {
    /// The currency: three capital letters (ISO 4217).
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// Millionths of the currency for one device and one month.
    #[schema(maximum = 1_000_000_000_000_u64)]
    micros: u64,
    /// `monthly` or `annual`: the price of these plans alone, which goes before the common one. Both if it is missing. The
    /// price of an annual plan holds from its start, or from an anniversary, to the next anniversary.
    #[serde(default)]
    kind: Option<PlanKind>,
    /// The first instant at which the price is valid, floored to the second; default: now. It may lie in the past, but not
    /// in a closed statement.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Timestamp>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(list)).routes(operation!(set, 409, 422))
}

/// All prices.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/prices", tag = "statements",
    responses((status = 200, body = Prices)))]
async fn list(State(app): State<App>, may: May<View>) -> Result<Body<Prices>, Problem> {
    Ok(Body(prices::list(&app, &may).await?))
}

/// Sets a price. If two prices are valid from the same instant, the one that was set later applies.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/prices", tag = "statements",
    request_body = NewPrice, responses((status = 201, body = SetPrice)))]
async fn set(
    State(app): State<App>,
    may: May<ManageTenant>,
    Json(new): Json<NewPrice>,
) -> Result<(StatusCode, Body<SetPrice>), Problem> {
    let currency: Currency = new.currency.parse().map_err(|e| Refusal::invalid(format!("{e}")))?;
    let price = Price { currency, micros: new.micros };
    Ok((StatusCode::CREATED, Body(prices::set(&app, &may, price, new.kind, new.valid_from).await?)))
}
