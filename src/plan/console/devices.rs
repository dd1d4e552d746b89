//! The device table with its tabs, and the page that tells why a device counts.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, PageError, Visitor, render};
use super::show;
use crate::census::Category;
use crate::census::Outcome;
use crate::plan::api::extract::{Parameters, Path};
use crate::plan::api::problem::Problem;
use crate::plan::listing::{Filter, Page as Devices};
use crate::plan::service::Service;
use crate::wire::{DeviceAnswer, Subject};

#[derive(Template)]
#[template(path = "devices.html")]
struct ListPage<'a> {
    frame: Frame,
    tabs: Vec<Tab>,
    q: String,
    /// Whether what is searched for is an address or a MAC.
    asks_subject: bool,
    category: String,
    verdict: String,
    next: Option<String>,
    paged: bool,
    page: Devices<'a>,
}

struct Tab {
    title: &'static str,
    number: usize,
    href: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "device.html")]
struct WhyPage {
    frame: Frame,
    why: DeviceAnswer,
}

/// The table.
pub(super) async fn list(
    State(service): State<Service>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, PageError> {
    let frame = Frame::of(&service, &caller, &sid, "devices", "Devices").await?;
    let view = service.view(&sid, filter.instant().map_err(Problem::from)?).await?;
    let page = Devices::new(&view, &filter).map_err(Problem::from)?;
    let category = filter.category.clone().unwrap_or_default();
    let base = format!("{}/devices", frame.base());
    let tab = |category: Option<Category>| {
        let category = category.map(|c| c.key().to_owned());
        let query =
            Filter { category, q: filter.q.clone(), as_of: filter.as_of.clone(), ..Filter::default() };
        query_string(&base, &query)
    };
    let mut tabs = vec![Tab {
        title: "All",
        number: view.document.devices.len(),
        href: tab(None),
        current: category.is_empty(),
    }];
    tabs.extend(view.tabs().map(|(c, number)| Tab {
        title: c.title(),
        number,
        href: tab(Some(c)),
        current: category == c.key(),
    }));
    let next =
        page.next.clone().map(|after| query_string(&base, &Filter { after: Some(after), ..filter.clone() }));
    let page = ListPage {
        frame,
        tabs,
        asks_subject: filter.q.as_deref().is_some_and(|q| q.trim().parse::<Subject>().is_ok()),
        q: filter.q.clone().unwrap_or_default(),
        category,
        verdict: filter.verdict.clone().unwrap_or_default(),
        next,
        paged: filter.after.is_some(),
        page,
    };
    Ok(render(&page))
}

/// Why one device counts, or does not.
pub(super) async fn why(
    State(service): State<Service>,
    Path((sid, id)): Path<(String, String)>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    let mut frame = Frame::of(&service, &caller, &sid, "devices", "").await?;
    let view = service.view(&sid, None).await?;
    let why = view.why(&id).ok_or_else(|| Problem::not_found("device", &id))?;
    frame.title = format!("{} · why", show::label(&why.device));
    Ok(render(&WhyPage { frame, why }))
}

fn query_string(base: &str, filter: &Filter) -> String {
    match serde_urlencoded::to_string(filter) {
        Ok(query) if !query.is_empty() => format!("{base}?{query}"),
        _ => base.to_owned(),
    }
}
