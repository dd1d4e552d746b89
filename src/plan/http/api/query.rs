//! Query parameters that several routes take.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::census::{FindingKind, Timestamp, time::BadTimestamp};
use crate::plan::app::Refusal;
use crate::plan::finding_ledger::StateFilter;

/// The instant of a count.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// RFC 3339; the service's default if it is missing.
    pub as_of: Option<String>,
}

impl AsOf {
    pub fn instant(&self) -> Result<Option<Timestamp>, Refusal> {
        instant(self.as_of.as_deref())
    }
}

/// Which findings, and at which instant.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FindingQuery {
    /// A kind; all kinds if it is missing.
    pub kind: Option<FindingKind>,
    /// A zone's name; all zones if it is missing.
    pub zone: Option<String>,
    /// `open`, `closed` or `all`; `open` if it is missing.
    pub state: Option<StateFilter>,
    /// RFC 3339; the service's default if it is missing.
    pub as_of: Option<String>,
}

/// Which zone of the map, and at which instant.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MapQuery {
    /// A zone's name; the largest zones if it is missing.
    pub zone: Option<String>,
    /// RFC 3339; the service's default if it is missing.
    pub as_of: Option<String>,
}

/// Whether a write is only tried. [`crate::plan::http::auth`] reads it; routes only describe it.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Trial {
    /// `true`: the service checks everything and answers what would change, and by how much the count, but stores nothing.
    pub dry_run: Option<bool>,
}

/// Reads an instant.
pub fn instant(text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let bad = |e: BadTimestamp| Refusal::invalid(e.to_string());
    text.map(str::parse).transpose().map_err(bad)
}
