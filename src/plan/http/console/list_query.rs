//! What the address of a list of devices says: filter, order and page, and how the table looks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::page::PageError;
use crate::listing::{BadList, Column, Filter, columns};
use crate::plan::app::Refusal;
use crate::plan::http::auth::cookie;

/// The cookie that remembers how the table looks: keys of columns, separated by dots.
pub(super) const COOKIE: &str = "netcensus-table";
/// The word of the cookie, and of the address, for wide rows.
const ROOMY: &str = "roomy";
/// Devices on a page, unless the address says otherwise.
pub(super) const PAGE: usize = 100;

/// The columns after the name, unless somebody chooses others.
const COLUMNS: [Column; 8] = [
    Column::Type,
    Column::Ip,
    Column::Mac,
    Column::Vendor,
    Column::Model,
    Column::Category,
    Column::Verdict,
    Column::LastSeen,
];

/// What the address of a list says.
#[derive(Clone, Debug, Default)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) look: Look,
    /// The change of which the page tells.
    pub(super) changed: Option<u64>,
}

/// How the table looks, as far as somebody said so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Look {
    /// The columns after the name, which always comes first.
    columns: Option<Vec<Column>>,
    roomy: Option<bool>,
}

impl Look {
    pub(super) fn new(columns: Vec<Column>, roomy: bool) -> Self {
        let mut wanted: Vec<Column> = Vec::new();
        for column in columns {
            if Self::choices().any(|choice| choice == column) && !wanted.contains(&column) {
                wanted.push(column);
            }
        }
        Self { columns: Some(wanted), roomy: Some(roomy) }
    }

    /// The columns that people choose from.
    pub(super) fn choices() -> impl Iterator<Item = Column> {
        let fixed = [Column::Name, Column::AsOf, Column::Policy];
        Column::ALL.iter().copied().filter(move |column| !fixed.contains(column))
    }

    /// What this browser remembers.
    pub(super) fn remembered(headers: &HeaderMap) -> Self {
        let Some(text) = cookie(headers, COOKIE) else { return Self::default() };
        let known = text.split('.').filter_map(|key| key.parse().ok()).collect();
        Self::new(known, text.split('.').any(|word| word == ROOMY))
    }

    /// The value of the cookie.
    pub(super) fn cookie(&self) -> String {
        let keys = self.columns.iter().flatten().map(|column| column.key());
        keys.chain(self.roomy.unwrap_or_default().then_some(ROOMY)).collect::<Vec<_>>().join(".")
    }

    /// This look, completed by `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self { columns: self.columns.or(other.columns), roomy: self.roomy.or(other.roomy) }
    }

    /// The columns to show after the name.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.columns.clone().unwrap_or_else(|| COLUMNS.to_vec())
    }

    pub(super) fn is_roomy(&self) -> bool {
        self.roomy.unwrap_or_default()
    }

    /// The columns of the table for a file.
    pub(super) fn keys(&self) -> String {
        let all = std::iter::once(Column::Name).chain(self.columns());
        all.map(Column::key).collect::<Vec<_>>().join(",")
    }

    /// What the address says of it.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let keys = |columns: &Vec<Column>| columns.iter().map(|c| c.key()).collect::<Vec<_>>().join(",");
        let columns = self.columns.as_ref().map(|columns| ("columns", keys(columns)));
        let density = |roomy| if roomy { ROOMY } else { "compact" }.to_owned();
        columns.into_iter().chain(self.roomy.map(|roomy| ("density", density(roomy)))).collect()
    }
}

impl ListQuery {
    /// Reads the part of an address after the question mark.
    pub(super) fn read(query: &str) -> Result<Self, Refusal> {
        let unreadable = |e: &dyn std::fmt::Display| Refusal::invalid(e.to_string());
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(|e| unreadable(&e))?;
        let (mut look, mut changed, mut page) = (Look::default(), None, None);
        let mut rest = Vec::new();
        for (key, value) in pairs {
            match key.as_str() {
                "columns" => {
                    let wanted = columns(Some(&value)).map_err(BadList::from)?.unwrap_or_default();
                    look.columns = Look::new(wanted, false).columns;
                }
                "density" => look.roomy = Some(value == ROOMY),
                "changed" => changed = value.parse().ok(),
                "page" if value.trim().is_empty() => {}
                "page" => {
                    let number: usize = value.trim().parse().map_err(|e| unreadable(&e))?;
                    page = Some(number.max(1));
                }
                _ => rest.push((key, value)),
            }
        }
        let rest = serde_urlencoded::to_string(rest).map_err(|e| unreadable(&e))?;
        let mut filter: Filter = serde_urlencoded::from_str(&rest).map_err(|e| unreadable(&e))?;
        if let Some(page) = page {
            filter.skip = Some((page - 1).saturating_mul(filter.limit.unwrap_or(PAGE).max(1)));
        }
        Ok(Self { filter, look, changed })
    }

    /// The part of an address after the question mark, for another filter.
    pub(super) fn query(&self, filter: &Filter) -> String {
        let look = serde_urlencoded::to_string(self.look.parameters()).unwrap_or_default();
        let filter = serde_urlencoded::to_string(filter).unwrap_or_default();
        let parts = [filter, look];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&")
    }

    /// The address of the list with another filter.
    pub(super) fn link(&self, base: &str, filter: &Filter) -> String {
        match self.query(filter) {
            query if query.is_empty() => base.to_owned(),
            query => format!("{base}?{query}"),
        }
    }

    /// The list from which a browser comes to another page of the same service, if it is one of `base`.
    pub(super) fn of_referrer(headers: &HeaderMap, base: &str) -> Option<Self> {
        let referrer = headers.get(header::REFERER)?.to_str().ok()?;
        let (page, query) = referrer.split_once('?').unwrap_or((referrer, ""));
        let query = query.split('#').next().unwrap_or_default();
        page.ends_with(&format!("{base}/devices")).then(|| Self::read(query).ok())?
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        Ok(Self::read(parts.uri.query().unwrap_or_default())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_as_the_same() {
        let text = "q=vendor%3Aaxis&sort=name&columns=ip%2Cvendor&density=roomy";
        let query = ListQuery::read(text).unwrap();
        assert_eq!(query.look.columns(), [Column::Ip, Column::Vendor]);
        assert_eq!(query.query(&query.filter), text);
        assert_eq!(query.look.cookie(), "ip.vendor.roomy");
        assert_eq!(query.look.keys(), "name,ip,vendor");
        let page = ListQuery::read("page=3&limit=20&changed=7").unwrap();
        assert_eq!((page.filter.skip, page.changed), (Some(40), Some(7)));
        assert_eq!(ListQuery::read("").unwrap().look.columns(), COLUMNS);
    }

    #[test]
    fn what_an_address_cannot_say_is_refused() {
        for text in ["colour=red", "columns=ip,colour", "page=two", "limit=x"] {
            assert!(ListQuery::read(text).is_err(), "{text}");
        }
        assert!(ListQuery::read("colour=red").unwrap_err().to_string().contains("unknown field `colour`"));
    }

    #[test]
    fn a_cookie_with_unknown_words_shows_what_is_known() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "netcensus-table=mac.colour.name.mac".parse().unwrap());
        assert_eq!(Look::remembered(&headers).columns(), [Column::Mac]);
        headers.insert(header::REFERER, "http://host/subscriptions/a/devices?q=x".parse().unwrap());
        let list = ListQuery::of_referrer(&headers, "/subscriptions/a").unwrap();
        assert_eq!(list.filter.q.as_deref(), Some("x"));
        assert!(ListQuery::of_referrer(&headers, "/subscriptions/b").is_none());
    }
}
