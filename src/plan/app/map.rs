//! The network as seen: zones, networks, routers.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, Refusal, aside};
use crate::census::{Timestamp, time::rfc3339};
use crate::listing::map::MapZone;
use crate::plan::permission::View;
use crate::wire::Basis;

/// The schema of [`NetworkMap`].
pub const SCHEMA: &str = "netcensus.map/1";
/// The most zones of a map, and the networks of each, unless one zone is asked for.
pub const ZONES: usize = 10;
const NETWORKS: usize = 10;
/// The most networks of a zone that is asked for.
const OF_ZONE: usize = 100;

/// The network as frames show it. Nothing in it is a guess: what no frame told is null.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NetworkMap {
    /// `netcensus.map/1`.
    pub schema: &'static str,
    /// The instant of the count.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The zones with most devices first; at most 10, with at most 10 networks each. A zone that is asked for has at most 100.
    pub zones: Vec<MapZone>,
    /// Further zones, by name.
    pub more_zones: Vec<String>,
}

/// The map of a zone, or of the largest zones, at `as_of` or at the service's default instant.
///
/// # Errors
/// [`Refusal::Hidden`] if there is no such zone, or the store's.
pub async fn show(
    app: &App,
    may: &May<View>,
    zone: Option<String>,
    as_of: Option<Timestamp>,
) -> Result<NetworkMap, Refusal> {
    let view = app.view(may.id(), as_of).await?;
    let asked = zone.filter(|zone| !zone.is_empty());
    aside(move || {
        let mut names: Vec<(u64, String)> =
            view.zones().into_iter().map(|zone| (zone.devices, zone.name)).collect();
        names.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        if let Some(asked) = &asked {
            let of_label = view.zone_name(asked);
            names.retain(|(_, name)| name == of_label);
            if names.is_empty() {
                return Err(Refusal::hidden("zone", asked));
            }
        }
        let more = names.split_off(ZONES.min(names.len()));
        let most = if asked.is_some() { OF_ZONE } else { NETWORKS };
        let zones = names.iter().filter_map(|(_, name)| view.map_of(name, most)).collect();
        let mut more_zones: Vec<String> = more.into_iter().map(|(_, name)| name).collect();
        more_zones.sort();
        Ok(NetworkMap { schema: SCHEMA, as_of: view.as_of, basis: view.basis.clone(), zones, more_zones })
    })
    .await?
}
