//! Prices of a device-month. Statements show device-months alone where none is set.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::billing::statement::{Currency, Price, SetPrice, price_at};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;

/// The prices of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Prices {
    /// What holds now, if anything does.
    pub price: Option<Price>,
    /// All prices, in the order in which they were set: at most 1000.
    pub prices: Vec<SetPrice>,
}

impl Prices {
    /// The prices at `now`.
    pub fn new(prices: Vec<SetPrice>, now: Timestamp) -> Self {
        Self { price: price_at(&prices, now), prices }
    }
}

/// A price to set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// The currency: three capital letters (ISO 4217).
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Millionths of the currency for one device and one month.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub micros: u64,
    /// The first instant for which it holds, floored to the second; now where it is left out. It may lie in the past,
    /// but not in a closed statement.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_from: Option<Timestamp>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, set))
}

/// All prices.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/prices", extensions(("x-netcensus-action" = json!("view"))), tag = "statements",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Prices)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Prices>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(Prices::new(service.store.prices(&sid).await?, service.now())))
}

/// Sets a price. Of two that hold from one instant, the later set one is meant.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/prices", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "statements", request_body = NewPrice,
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 201, body = SetPrice), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn set(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(new): Json<NewPrice>,
) -> Result<(StatusCode, axum::Json<SetPrice>), Problem> {
    caller.may_do(&service, Action::ManageTenant, &sid).await?;
    let unknown = |e: &dyn std::fmt::Display| Problem::new(ProblemType::InvalidRequest, e.to_string());
    let currency: Currency = new.currency.parse().map_err(|e| unknown(&e))?;
    let price = Price { currency, micros: new.micros };
    let set = service.store.set_price(&sid, price, new.valid_from, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(set)))
}
