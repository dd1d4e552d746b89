//! Saved views of the table of devices: their links, and forms that save and delete them.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::list_query::{ListQuery, Look};
use super::page::{Form, PageError, Visitor};
use crate::listing::Filter;
use crate::plan::app::views::{self, CountedView, NewView};
use crate::plan::app::{App, May, Refusal};
use crate::plan::permission::{EditDevices, View};

/// A link to a view.
pub(super) struct ViewLink {
    pub(super) name: String,
    pub(super) shared: bool,
    pub(super) devices: Option<u64>,
    pub(super) href: String,
    /// Whether it is the list that the page shows.
    pub(super) is_current: bool,
}

impl ViewLink {
    fn new(view: CountedView, base: &str, shown: &str) -> Self {
        let CountedView { view, devices } = view;
        let parts = [&*view.filter, &*view.look].into_iter().filter(|part| !part.is_empty());
        let query = parts.collect::<Vec<_>>().join("&");
        let href = if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") };
        Self { name: view.name, shared: view.shared, devices, href, is_current: view.filter == shown }
    }
}

/// The views of the visitor and the shared ones.
pub(super) async fn links(
    app: &App,
    may: &May<View>,
    base: &str,
    filter: &Filter,
) -> Result<Vec<ViewLink>, Refusal> {
    let shown = serde_urlencoded::to_string(filter.whole()).unwrap_or_default();
    let views = views::list(app, may).await?.views;
    Ok(views.into_iter().map(|view| ViewLink::new(view, base, &shown)).collect())
}

/// A view to save, or to delete.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ViewForm {
    name: String,
    /// The address of the list, without its path.
    list: String,
}

impl ViewForm {
    fn new_view(&self) -> Result<NewView, Refusal> {
        let ListQuery { filter, look, .. } = ListQuery::read(&self.list)?;
        let text = |pairs: Result<String, _>| pairs.unwrap_or_default();
        let look: Look = look;
        Ok(NewView {
            filter: text(serde_urlencoded::to_string(filter.whole())),
            look: text(serde_urlencoded::to_string(look.parameters())),
        })
    }

    fn back(&self, sid: &crate::wire::SubscriptionId) -> Response {
        let list = ListQuery::read(&self.list).unwrap_or_default();
        Redirect::to(&list.link(&format!("/subscriptions/{sid}/devices"), &list.filter)).into_response()
    }
}

/// Saves a view of the visitor's own.
pub(super) async fn save(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Form(form): Form<ViewForm>,
) -> Result<Response, PageError> {
    views::save_own(&app, &may, form.name.clone(), form.new_view()?).await?;
    Ok(form.back(may.id()))
}

/// Saves a view for everybody.
pub(super) async fn share(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<ViewForm>,
) -> Result<Response, PageError> {
    views::save_shared(&app, &may, form.name.clone(), form.new_view()?).await?;
    Ok(form.back(may.id()))
}

/// Deletes a view of the visitor's own.
pub(super) async fn delete(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Form(form): Form<ViewForm>,
) -> Result<Response, PageError> {
    views::delete_own(&app, &may, &form.name).await?;
    Ok(form.back(may.id()))
}

/// Deletes a shared view.
pub(super) async fn unshare(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<ViewForm>,
) -> Result<Response, PageError> {
    views::delete_shared(&app, &may, &form.name).await?;
    Ok(form.back(may.id()))
}
