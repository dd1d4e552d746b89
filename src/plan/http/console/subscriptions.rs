//! Where a person lands, and the list of subscriptions.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::subscriptions::{self, Subscriptions};
use crate::plan::app::{App, Caller, May};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, ManageTenant};
use crate::plan::store::{Expected, Subscription, tag};

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct Page {
    frame: Frame,
    subscriptions: Vec<Subscription>,
    may_create: bool,
    refused: Option<Problem>,
}

impl Page {
    /// The tag that a form sends back.
    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn tag(&self, subscription: &Subscription) -> String {
        tag(subscription)
    }
}

/// A new subscription's name.
#[derive(Debug, Deserialize)]
pub(super) struct NewForm {
    name: String,
}

/// The only subscription, or the list.
pub(super) async fn start(State(app): State<App>, Visitor(caller): Visitor) -> Result<Response, PageError> {
    let Subscriptions { subscriptions } = subscriptions::visible(&app, &caller).await?;
    let target = match subscriptions.as_slice() {
        [only] => format!("/subscriptions/{}", only.id),
        _ => "/subscriptions".to_owned(),
    };
    Ok(Redirect::to(&target).into_response())
}

/// The list.
pub(super) async fn show(State(app): State<App>, Visitor(caller): Visitor) -> Result<Response, PageError> {
    page(&app, &caller, None).await
}

/// Creates a subscription; its creator owns it.
pub(super) async fn create(
    State(app): State<App>,
    Visitor(caller): Visitor,
    Form(form): Form<NewForm>,
) -> Result<Response, PageError> {
    let may = caller.may_here(&app).await?;
    match subscriptions::create(&app, &may, &form.name, Some(&caller.person.name)).await {
        Ok(created) => Ok(Redirect::to(&format!("/subscriptions/{}", created.id)).into_response()),
        Err(refused) => page(&app, &caller, Some(refused.into())).await,
    }
}

/// A subscription's new name, and the subscription as the page showed it.
#[derive(Debug, Deserialize)]
pub(super) struct RenameForm {
    name: String,
    tag: String,
}

/// Gives a subscription another name.
pub(super) async fn rename(
    State(app): State<App>,
    Visitor(caller): Visitor,
    Visitor(may): Visitor<May<ManageTenant>>,
    Form(form): Form<RenameForm>,
) -> Result<Response, PageError> {
    match subscriptions::rename(&app, &may, &form.name, &Expected::Tags(form.tag)).await {
        Ok(_) => Ok(Redirect::to("/subscriptions").into_response()),
        Err(refused) => page(&app, &caller, Some(refused.into())).await,
    }
}

async fn page(app: &App, caller: &Caller, refused: Option<Problem>) -> Result<Response, PageError> {
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::plain("Subscriptions", &caller.person.name),
        subscriptions: subscriptions::visible(app, caller).await?.subscriptions,
        may_create: caller.is_permitted_here(Action::ManageTenant),
        refused,
    };
    Ok(render_with(status, &page))
}
