//! The table of devices: tabs, query, facets, order and pages.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::bulk::Banner;
use super::device_views::{self, ViewLink};
use super::list_query::{COOKIE, ListQuery, Look, PAGE};
use super::page::{AsOf, Form, Frame, PageError, Visitor, render, render_with};
use super::session::set_cookie;
use super::show;
use super::travel::Here;
use crate::census::Category;
use crate::listing::{BadQuery, Column, DevicePage as Devices, Facet, Field, Filter, Query, Sort};
use crate::plan::app::{App, May, devices};
use crate::plan::permission::{Action, View};
use crate::wire::{DeviceEntry, Subject};

/// How long a browser remembers how the table looks, in seconds.
const YEAR: i64 = 365 * 24 * 3_600;
/// Values of a facet that the page shows.
const VALUES: usize = 8;
/// The longest query of which the page shows facets, in bytes: each of their links repeats it.
const LINKED: usize = 400;

#[derive(Template)]
#[template(path = "devices.html")]
struct ListPage {
    frame: Frame,
    tabs: Vec<Tab>,
    q: String,
    /// The address or MAC that is searched for.
    subject: Option<String>,
    verdict: String,
    /// The rest of the address, which the search form sends along.
    kept: Vec<(&'static str, String)>,
    /// The list by category alone, if this one is narrower.
    all: Option<String>,
    /// The columns after the name.
    columns: Vec<Column>,
    roomy: bool,
    /// All columns that can be shown, those that are shown first.
    choices: Vec<Choice>,
    headers: Vec<Header>,
    groups: Vec<Group>,
    csv: String,
    ndjson: String,
    /// The list without its place, for forms.
    list: String,
    pages: Pages,
    /// Whether the list is sorted by a text, so that letters lead into it.
    has_letters: bool,
    changed: Option<Banner>,
    views: Vec<ViewLink>,
    page: Devices,
}

impl ListPage {
    fn may_edit(&self) -> bool {
        // A change is one of the present.
        self.frame.may(Action::EditDevices) && self.frame.past().is_none()
    }

    fn may_share(&self) -> bool {
        self.frame.may(Action::EditDevices)
    }

    /// The ids of the page, for a form.
    fn ids(&self) -> String {
        self.page.devices.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn shows(&self, column: Column) -> bool {
        self.columns.contains(&column)
    }

    /// What a column says of a device, in plain text.
    fn text(&self, column: &Column, device: &DeviceEntry) -> String {
        column.text(device, self.page.as_of, "")
    }
}

/// A column that can be shown.
struct Choice {
    key: &'static str,
    title: &'static str,
    is_shown: bool,
}

/// Links from page to page.
struct Pages {
    first: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    /// The number of this page, and how many there are.
    number: usize,
    of: usize,
    /// The places of its first and its last device.
    from: usize,
    to: usize,
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
    /// `None` if lists cannot be sorted by it.
    href: Option<String>,
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
    headers: HeaderMap,
    mut query: ListQuery,
) -> Result<Response, PageError> {
    // The day picker sends a day.
    let as_of = AsOf::from(query.filter.as_of.as_deref()).instant()?;
    query.filter.as_of = as_of.map(|at| at.to_string());
    let ListQuery { filter, look, changed } = &query;
    let frame = Frame::new(&may, "devices", "Devices").travelling(&app, &may, &here).await?;
    let base = format!("{}/devices", frame.base());
    let link = |filter: &Filter| query.link(&base, filter);
    let all = link(&Filter { category: filter.category.clone(), ..Filter::default() });
    let q = filter.q.clone().unwrap_or_default();
    let kept = kept(filter, look);
    let terms = match filter.query() {
        Ok(terms) => terms,
        Err(fault) => {
            return Ok(render_with(StatusCode::BAD_REQUEST, &FaultPage { frame, q, kept, fault, all }));
        }
    };
    let changed = match changed {
        Some(number) => Banner::new(&app, &may, *number, &frame, &query.query(&filter.whole())).await?,
        None => None,
    };
    let (page, facets) = devices::faceted(&app, &may, filter, VALUES).await?;
    let category = filter.category.clone().unwrap_or_default();
    let tab = |category: Option<Category>| {
        link(&Filter { category: category.map(|c| c.key().to_owned()), ..filter.whole() })
    };
    let look = query.look.clone().or(Look::remembered(&headers));
    let file = |form: &str| {
        let file = query_string(&format!("/api/v1{}/devices.{form}", frame.base()), &filter.whole());
        format!("{file}{}columns={}", if file.contains('?') { "&" } else { "?" }, look.keys())
    };
    let (csv, ndjson) = (file("csv"), file("ndjson"));
    let mut tabs =
        vec![Tab { title: "All", number: page.tabs.all, href: tab(None), current: category.is_empty() }];
    tabs.extend(page.tabs.by_category().map(|(c, number)| Tab {
        title: c.title(),
        number,
        href: tab(Some(c)),
        current: category == c.key(),
    }));
    let groups = if q.len() > LINKED { Vec::new() } else { groups(&link, filter, &terms, facets) };
    let narrows = |(name, _): &(&str, String)| !["category", "sort", "columns", "density"].contains(name);
    let narrower = !q.trim().is_empty() || kept.iter().any(narrows);
    let columns = look.columns();
    let choice = |column: Column| Choice {
        key: column.key(),
        title: show::column(column),
        is_shown: columns.contains(&column),
    };
    let others = Look::choices().filter(|column| !columns.contains(column));
    let choices = columns.iter().copied().chain(others).map(choice).collect();
    let page = ListPage {
        tabs,
        subject: subject(&q),
        q,
        verdict: filter.verdict.clone().unwrap_or_default(),
        kept,
        all: narrower.then_some(all),
        headers: heads(&link, filter, &columns),
        roomy: look.is_roomy(),
        choices,
        columns,
        groups,
        csv,
        ndjson,
        list: query.query(&filter.whole()),
        pages: pages(&link, filter, &page),
        has_letters: filter.order().is_ok_and(Sort::has_texts),
        changed,
        views: device_views::links(&app, &may, &base, filter).await?,
        frame,
        page,
    };
    Ok(render(&page))
}

/// Changes how the table looks, and leads back to it.
pub(super) async fn table(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let one = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
    let mut list = ListQuery::read(one("list").unwrap_or_default())?;
    let base = format!("/subscriptions/{}/devices", may.id());
    let chosen = fields.iter().filter(|(key, _)| key == "c");
    let mut columns: Vec<Column> = chosen.filter_map(|(_, key)| key.parse().ok()).collect();
    for (key, step) in [("earlier", -1_isize), ("later", 1)] {
        let place = one(key).and_then(|key| columns.iter().position(|column| column.key() == key));
        let Some(place) = place else { continue };
        let other = place.saturating_add_signed(step).min(columns.len().saturating_sub(1));
        columns.swap(place, other);
    }
    let is_reset = one("step") == Some("reset");
    let look = Look::new(columns, one("density") == Some("roomy"));
    list.look = if is_reset { Look::default() } else { look.clone() };
    let mut response = Redirect::to(&list.link(&base, &list.filter)).into_response();
    let (value, seconds) = match one("step") {
        Some("remember") => (look.cookie(), YEAR),
        Some("reset") => (String::new(), 0),
        _ => return Ok(response),
    };
    response.headers_mut().append(header::SET_COOKIE, set_cookie(COOKIE, &value, seconds, app.is_https())?);
    Ok(response)
}

fn pages(link: &impl Fn(&Filter) -> String, filter: &Filter, page: &Devices) -> Pages {
    let limit = filter.limit.unwrap_or(PAGE).clamp(1, 1_000);
    let to = page.skipped + page.devices.len();
    let beside = |after: Option<String>, before: Option<String>| {
        (after.is_some() || before.is_some())
            .then(|| link(&Filter { after, before, limit: filter.limit, ..filter.whole() }))
    };
    Pages {
        first: (page.skipped > 0).then(|| link(&Filter { limit: filter.limit, ..filter.whole() })),
        previous: beside(None, page.previous.clone()),
        next: beside(page.next.clone(), None),
        number: page.skipped.div_ceil(limit) + 1,
        of: page.total.div_ceil(limit).max(1),
        from: (page.skipped + 1).min(to),
        to,
    }
}

/// The address or MAC that the search is for.
fn subject(q: &str) -> Option<String> {
    let word = q.trim();
    let value = word.strip_prefix("ip:").or_else(|| word.strip_prefix("mac:")).unwrap_or(word);
    value.parse::<Subject>().is_ok().then(|| value.to_owned())
}

fn heads(link: &impl Fn(&Filter) -> String, filter: &Filter, columns: &[Column]) -> Vec<Header> {
    let sort = filter.sort.as_deref().filter(|sort| !sort.is_empty()).unwrap_or("ip");
    let header = |column: Column| {
        let key = column.key();
        let order = match sort.strip_prefix('-') {
            Some(by) if by == key => Some("descending"),
            None if sort == key => Some("ascending"),
            _ => None,
        };
        // The newest and the most first, at the first click.
        let large_first = matches!(column, Column::LastSeen | Column::FirstSeen | Column::Couplings);
        let descending = order == Some("ascending") || order.is_none() && large_first;
        let sort = format!("{}{key}", if descending { "-" } else { "" });
        let href = Sort::BY
            .contains(&column)
            .then(|| link(&Filter { sort: Some(sort), limit: filter.limit, ..filter.whole() }));
        Header { title: show::column(column), href, order }
    };
    std::iter::once(Column::Name).chain(columns.iter().copied()).map(header).collect()
}

fn groups(
    link: &impl Fn(&Filter) -> String,
    filter: &Filter,
    query: &Query,
    facets: Vec<Facet>,
) -> Vec<Group> {
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
                let href = link(&Filter { q, ..filter.whole() });
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

/// The address without the search and the page.
fn kept(filter: &Filter, look: &Look) -> Vec<(&'static str, String)> {
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
    let given = |(key, value): (&'static str, &Option<String>)| {
        Some((key, value.clone().filter(|value| !value.is_empty())?))
    };
    let limit = filter.limit.map(|limit| ("limit", limit.to_string()));
    all.into_iter().filter_map(given).chain(limit).chain(look.parameters()).collect()
}

/// `base` with the filter as its query.
pub(super) fn query_string(base: &str, filter: &Filter) -> String {
    match serde_urlencoded::to_string(filter) {
        Ok(query) if !query.is_empty() => format!("{base}?{query}"),
        _ => base.to_owned(),
    }
}
