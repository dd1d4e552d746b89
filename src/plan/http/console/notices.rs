//! The bell: what is new for a person, and how they want to hear of it.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render, render_with};
use super::show;
use crate::census::Timestamp;
use crate::plan::app::notices::{
    self, AddressCode, LISTED, NoticeChange, NoticeList, NoticeSettings, ReadUpTo,
};
use crate::plan::app::{App, May, Own, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::notice::{Channel, Choices, NoticeKind};
use crate::plan::permission::View;

#[derive(Template)]
#[template(path = "notices.html")]
struct ListPage {
    frame: Frame,
    list: NoticeList,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "notice-choices.html")]
struct ChoicesPage {
    frame: Frame,
    settings: NoticeSettings,
    /// What the person wrote in the field of the address.
    address: String,
    changed: bool,
    refused: Option<Problem>,
}

impl ChoicesPage {
    fn is_chosen(&self, kind: impl Borrow<NoticeKind>, channel: impl Borrow<Channel>) -> bool {
        self.settings.choices.of(*kind.borrow()) == *channel.borrow()
    }
}

/// Up to which number the page showed notices.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct ReadForm {
    up_to: i64,
}

/// The form of the choices: a field a kind, and the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChoicesForm {
    address: Option<String>,
    #[serde(flatten)]
    channels: BTreeMap<String, String>,
}

/// The list.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    let list = notices::list(&app, &may).await?;
    Ok(render(&ListPage { frame: Frame::new(&may, "notices", "Notices"), list, now: app.now() }))
}

/// Answers a reload of the answer to the form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/notices"))
}

/// Records that the person has read what the page showed.
pub(super) async fn read(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Form(ReadForm { up_to }): Form<ReadForm>,
) -> Result<Response, PageError> {
    notices::read(&app, &may, ReadUpTo { up_to }).await?;
    Ok(Redirect::to(&format!("/subscriptions/{}/notices", may.id())).into_response())
}

/// The page of the choices.
pub(super) async fn settings(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
) -> Result<Response, PageError> {
    let settings = notices::settings(&app, &caller).await?;
    Ok(choices_page(&caller, settings, None, false, None))
}

/// Changes of what the person hears.
pub(super) async fn choose(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
    Form(form): Form<ChoicesForm>,
) -> Result<Response, PageError> {
    let asked = form.address.clone();
    let outcome = match form.change() {
        Ok(change) => notices::choose(&app, &caller, change).await,
        Err(refused) => Err(refused),
    };
    answered(&app, &caller, outcome, asked).await
}

/// Confirms an address.
pub(super) async fn confirm(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
    Form(code): Form<AddressCode>,
) -> Result<Response, PageError> {
    let outcome = notices::confirm(&app, &caller, &code).await;
    answered(&app, &caller, outcome, None).await
}

async fn answered(
    app: &App,
    caller: &Own,
    outcome: Result<NoticeSettings, Refusal>,
    asked: Option<String>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(settings) => Ok(choices_page(caller, settings, None, true, None)),
        Err(refused) => {
            let settings = notices::settings(app, caller).await?;
            Ok(choices_page(caller, settings, asked, false, Some(refused.into())))
        }
    }
}

fn choices_page(
    caller: &Own,
    settings: NoticeSettings,
    asked: Option<String>,
    changed: bool,
    refused: Option<Problem>,
) -> Response {
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let frame = Frame::plain("Notices", &caller.person.name);
    let known = settings.pending.clone().or_else(|| settings.address.clone());
    let address = asked.or(known).unwrap_or_default();
    render_with(status, &ChoicesPage { frame, settings, address, changed, refused })
}

impl ChoicesForm {
    fn change(self) -> Result<NoticeChange, Refusal> {
        let choice = |(kind, channel): (&String, &String)| {
            let unknown =
                || Refusal::invalid(format!("there is no notice '{kind}' that is told by '{channel}'"));
            let kind = NoticeKind::from_key(kind).ok_or_else(unknown)?;
            let channel = Channel::ALL.into_iter().find(|c| c.key() == channel).ok_or_else(unknown)?;
            Ok((kind, channel))
        };
        let choices = self.channels.iter().map(choice).collect::<Result<Choices, Refusal>>()?;
        Ok(NoticeChange { choices, address: self.address })
    }
}
