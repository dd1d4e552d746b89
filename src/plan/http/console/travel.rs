//! The day picker: leads from a page to the same page at another day, and keeps the rest of its address.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::page::{AsOf, PageError};
use crate::census::Timestamp;
use crate::plan::app::calendar;
use crate::plan::app::{App, May};
use crate::plan::permission::View;
use crate::plan::store::SealedDays;
use crate::proof::Day;

/// Parameters that name a place in a list of one instant: at another one they mean nothing.
const PLACES: [&str; 6] = ["after", "from", "before", "page", "list", "changed"];

/// The address of a page, below that of its subscription.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    path: String,
    query: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Here {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let uri = &parts.uri;
        // A query that cannot be read is refused by what reads it.
        let query = serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
        Ok(Self { path: uri.path().trim_end_matches('/').to_owned(), query })
    }
}

impl Here {
    /// The page of a device.
    pub(super) fn device(id: &str) -> Self {
        Self { path: format!("/devices/{id}"), query: Vec::new() }
    }

    /// The page of findings in some state.
    pub(super) fn findings(state: &str) -> Self {
        let query = vec![("state".to_owned(), state.to_owned())];
        Self { path: "/findings".to_owned(), query }
    }
}

/// The day picker of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Travel {
    path: String,
    /// The parameters that another day keeps.
    pub(super) kept: Vec<(String, String)>,
    /// The past day or instant of the page.
    pub(super) as_of: Option<Timestamp>,
    pub(super) sealed: SealedDays,
    /// The newest day that has ended.
    pub(super) ended: Option<Day>,
}

impl Travel {
    pub(super) async fn new(app: &App, may: &May<View>, here: &Here) -> Result<Self, PageError> {
        let asked = here.query.iter().find(|(name, _)| name == "as_of").map(|(_, value)| value.as_str());
        let as_of = AsOf::from(asked).instant()?;
        let keeps = |(name, _): &&(String, String)| name != "as_of" && !PLACES.contains(&name.as_str());
        Ok(Self {
            path: format!("/subscriptions/{}{}", may.id(), here.path),
            kept: here.query.iter().filter(keeps).cloned().collect(),
            as_of,
            sealed: calendar::around(app, may, as_of).await?,
            ended: Some(Day::of(app.now()).plus(-1)),
        })
    }

    /// The day of the page; `None` at the present.
    pub(super) fn day(&self) -> Option<Day> {
        self.as_of.map(|at| Day::of(at.plus(-1)))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The same page at the end of a day.
    pub(super) fn to(&self, day: &Day) -> String {
        self.link(Some(day.end()))
    }

    /// The same page at the present.
    pub(super) fn present(&self) -> String {
        self.link(None)
    }

    fn link(&self, as_of: Option<Timestamp>) -> String {
        let mut query = self.kept.clone();
        query.extend(as_of.map(|at| ("as_of".to_owned(), at.to_string())));
        match serde_urlencoded::to_string(query) {
            Ok(query) if !query.is_empty() => format!("{}?{query}", self.path),
            _ => self.path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_day_keeps_the_filter_and_drops_the_place_in_the_list() {
        let day: Day = "2026-11-21".parse().unwrap();
        let kept = vec![("q".to_owned(), "a b".to_owned())];
        let travel = Travel { path: "/subscriptions/s/devices".into(), kept, ..Travel::default() };
        assert_eq!(travel.to(&day), "/subscriptions/s/devices?q=a+b&as_of=2026-11-22T00%3A00%3A00Z");
        assert_eq!(travel.present(), "/subscriptions/s/devices?q=a+b");
        assert_eq!(Travel { kept: Vec::new(), ..travel }.present(), "/subscriptions/s/devices");
    }
}
