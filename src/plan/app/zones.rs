//! Zones: the same address in two zones belongs to two devices (I9).

use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::ZoneSummary;
use super::{App, May, Refusal};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::View;
use crate::wire::Basis;

/// The zones of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Zones {
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The zones, by name.
    pub zones: Vec<ZoneSummary>,
}

/// The zones that sensors report, at `as_of` or at the service's default instant.
pub async fn list(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<Zones, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    Ok(Zones { as_of: inventory.as_of, basis: inventory.basis.clone(), zones: inventory.zones() })
}
