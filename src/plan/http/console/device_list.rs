//! The table of devices: tabs, query, facets, order and pages.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{AsOf, Frame, PageError, Parameters, Visitor, render, render_with};
use super::show;
use super::travel::Here;
use crate::census::Category;
use crate::listing::{BadQuery, DevicePage as Devices, Facet, Field, Filter, Query};
use crate::plan::app::{App, May, devices};
use crate::plan::permission::View;
use crate::wire::Subject;

/// Values of a facet that the page shows.
const VALUES: usize = 8;
/// The longest query of which the page shows facets, in bytes: each of their links repeats it.
const LINKED: usize = 400;

/// Headers of the table: title, and the column that sorts by it.
const HEADERS: [(&str, &str); 9] = [
    ("Device", "name"),
    ("Type", "type"),
    ("IP address", "ip"),
    ("MAC", "mac"),
    ("Vendor", "vendor"),
    ("Model", "model"),
    ("Category", "category"),
    ("Counts?", "verdict"),
    ("Last seen, UTC", "last_seen"),
];

#[derive(Template)]
#[template(path = "devices.html")]
struct ListPage {
    frame: Frame,
    tabs: Vec<Tab>,
    q: String,
    /// The address or MAC that is searched for.
    subject: Option<String>,
    verdict: String,
    /// The rest of the filter, which the search form sends along.
    kept: Vec<(&'static str, String)>,
    /// The list by category alone, if this one is narrower.
    all: Option<String>,
    headers: Vec<Header>,
    groups: Vec<Group>,
    csv: String,
    ndjson: String,
    first: Option<String>,
    next: Option<String>,
    page: Devices,
}

#[derive(Template)]
#[template(path = "query.html")]
struct FaultPage {
    frame: Frame,
    q: String,
    kept: Vec<(&'static str, String)>,
    fault: BadQuery,
    all: String,
}

impl FaultPage {
    /// The query with a mark below the place of the fault.
    fn place(&self) -> String {
        let spaces: String = self.q.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{spaces}\n{}^", " ".repeat(self.fault.column.saturating_sub(1)))
    }
}

struct Tab {
    title: &'static str,
    number: u64,
    href: String,
    current: bool,
}

/// The head of a column.
struct Header {
    title: &'static str,
    href: String,
    /// For `aria-sort`; `None` if the list has another order.
    order: Option<&'static str>,
}

/// The values of a field: links that add a term to the query, or take it back.
struct Group {
    title: &'static str,
    chips: Vec<Chip>,
    more: usize,
}

struct Chip {
    label: String,
    number: usize,
    href: String,
    /// Whether the query has its term.
    current: bool,
}

/// The table.
pub(super) async fn list(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(mut filter): Parameters<Filter>,
) -> Result<Response, PageError> {
    let frame = Frame::new(&may, "devices", "Devices").travelling(&app, &may, &here).await?;
    // The day picker sends a day.
    let as_of = AsOf::from(filter.as_of.as_deref()).instant()?;
    filter.as_of = as_of.map(|at| at.to_string());
    let base = format!("{}/devices", frame.base());
    let all = Filter { category: filter.category.clone(), ..Filter::default() };
    let all = query_string(&base, &all);
    let q = filter.q.clone().unwrap_or_default();
    let kept = kept(&filter);
    let query = match filter.query() {
        Ok(query) => query,
        Err(fault) => {
            return Ok(render_with(StatusCode::BAD_REQUEST, &FaultPage { frame, q, kept, fault, all }));
        }
    };
    let (page, facets) = devices::faceted(&app, &may, &filter, VALUES).await?;
    let category = filter.category.clone().unwrap_or_default();
    let tab = |category: Option<Category>| {
        query_string(&base, &Filter { category: category.map(|c| c.key().to_owned()), ..filter.whole() })
    };
    let file = |form: &str| query_string(&format!("/api/v1{}/devices.{form}", frame.base()), &filter.whole());
    let (csv, ndjson) = (file("csv"), file("ndjson"));
    let mut tabs =
        vec![Tab { title: "All", number: page.tabs.all, href: tab(None), current: category.is_empty() }];
    tabs.extend(page.tabs.by_category().map(|(c, number)| Tab {
        title: c.title(),
        number,
        href: tab(Some(c)),
        current: category == c.key(),
    }));
    let next =
        page.next.clone().map(|after| query_string(&base, &Filter { after: Some(after), ..filter.clone() }));
    let groups = if q.len() > LINKED { Vec::new() } else { groups(&base, &filter, &query, facets) };
    let narrows = |(name, _): &(&str, String)| !matches!(*name, "category" | "sort");
    let narrower = !q.trim().is_empty() || kept.iter().any(narrows);
    let page = ListPage {
        tabs,
        subject: subject(&q),
        q,
        verdict: filter.verdict.clone().unwrap_or_default(),
        kept,
        all: narrower.then_some(all),
        headers: headers(&base, &filter),
        groups,
        csv,
        ndjson,
        first: filter.after.is_some().then(|| query_string(&base, &filter.whole())),
        next,
        frame,
        page,
    };
    Ok(render(&page))
}

/// The address or MAC that the search is for.
fn subject(q: &str) -> Option<String> {
    let word = q.trim();
    let value = word.strip_prefix("ip:").or_else(|| word.strip_prefix("mac:")).unwrap_or(word);
    value.parse::<Subject>().is_ok().then(|| value.to_owned())
}

fn headers(base: &str, filter: &Filter) -> Vec<Header> {
    let sort = filter.sort.as_deref().filter(|sort| !sort.is_empty()).unwrap_or("ip");
    let header = |(title, column): (&'static str, &str)| {
        let order = match sort.strip_prefix('-') {
            Some(by) if by == column => Some("descending"),
            None if sort == column => Some("ascending"),
            _ => None,
        };
        // The newest first, at the first click.
        let descending = order == Some("ascending") || order.is_none() && column == "last_seen";
        let sort = format!("{}{column}", if descending { "-" } else { "" });
        Header { title, href: query_string(base, &Filter { sort: Some(sort), ..filter.whole() }), order }
    };
    HEADERS.map(header).into()
}

fn groups(base: &str, filter: &Filter, query: &Query, facets: Vec<Facet>) -> Vec<Group> {
    let group = |facet: Facet| {
        let chips: Vec<Chip> = facet
            .values
            .into_iter()
            .map(|value| {
                let current = query.has(&value.term);
                let q = if current {
                    query.without(&value.term).to_string()
                } else {
                    format!("{} {}", filter.q.as_deref().unwrap_or_default().trim(), value.term)
                };
                let q = Some(q.trim().to_owned()).filter(|q| !q.is_empty());
                let href = query_string(base, &Filter { q, ..filter.whole() });
                let label =
                    if facet.field == Field::Type { value.label.replace('_', " ") } else { value.label };
                Chip { label, number: value.number, href, current }
            })
            .collect();
        // One value does not divide the list.
        let divides = chips.len() > 1 || chips.iter().any(|chip| chip.current);
        divides.then_some(Group { title: facet.field.title(), chips, more: facet.more })
    };
    facets.into_iter().filter_map(group).collect()
}

/// The filter without the search and the page.
fn kept(filter: &Filter) -> Vec<(&'static str, String)> {
    let all = [
        ("category", &filter.category),
        ("verdict", &filter.verdict),
        ("zone", &filter.zone),
        ("type", &filter.kind),
        ("vendor", &filter.vendor),
        ("tag", &filter.tag),
        ("importance", &filter.importance),
        ("managed", &filter.managed),
        ("sort", &filter.sort),
        ("as_of", &filter.as_of),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value.clone().filter(|v| !v.is_empty())?))).collect()
}

/// `base` with the filter as its query.
pub(super) fn query_string(base: &str, filter: &Filter) -> String {
    match serde_urlencoded::to_string(filter) {
        Ok(query) if !query.is_empty() => format!("{base}?{query}"),
        _ => base.to_owned(),
    }
}
