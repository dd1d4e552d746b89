//! Where a person lands, and the list of subscriptions.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::api::subscriptions::visible;
use crate::plan::http::extract::Form;
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::store::Subscription;

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct Page {
    frame: Frame,
    subscriptions: Vec<Subscription>,
    may_create: bool,
    refused: Option<Problem>,
}

/// A new subscription's name.
#[derive(Debug, Deserialize)]
pub(super) struct NewForm {
    name: String,
}

/// The only subscription, or the list.
pub(super) async fn start(
    State(service): State<App>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    let subscriptions = visible(&service, &caller).await?;
    let target = match subscriptions.as_slice() {
        [only] => format!("/subscriptions/{}", only.id),
        _ => "/subscriptions".to_owned(),
    };
    Ok(Redirect::to(&target).into_response())
}

/// The list.
pub(super) async fn show(
    State(service): State<App>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    page(&service, &caller, None).await
}

/// Creates a subscription; its creator owns it.
pub(super) async fn create(
    State(service): State<App>,
    Visitor(caller): Visitor,
    Form(form): Form<NewForm>,
) -> Result<Response, PageError> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    let owner = Some(caller.person.name.as_str());
    match service.store.create_subscription(&form.name, owner, &caller.by, service.now()).await {
        Ok(created) => Ok(Redirect::to(&format!("/subscriptions/{}", created.id)).into_response()),
        Err(error) => page(&service, &caller, Some(error.into())).await,
    }
}

async fn page(service: &App, caller: &Caller, refused: Option<Problem>) -> Result<Response, PageError> {
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::plain("Subscriptions", &caller.person.name),
        subscriptions: visible(service, caller).await?,
        may_create: caller.is_permitted_here(Action::ManageTenant),
        refused,
    };
    Ok(render_with(status, &page))
}
