//! What all pages share: the frame around them, how they fail, how numbers and instants look.

use super::travel::{Here, Travel};
use crate::census::Timestamp;
use crate::plan::app::{May, MayHere, Own, Refusal, freshness, notices};
use crate::plan::permission::{Permission, View};
use crate::wire::{Basis, SubscriptionId};
use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::{Action, Role};
use crate::plan::store::Subscription;
use crate::proof::Day;
use serde::de::DeserializeOwned;

/// The frame around a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// The title in the browser's tab.
    pub(super) title: String,
    /// Who is signed in; empty for nobody.
    pub(super) person: String,
    /// The subscription that the page is about.
    pub(super) subscription: Option<Subscription>,
    /// The entry of the navigation that the page belongs to.
    pub(super) section: &'static str,
    /// The caller's roles on the subscription.
    pub(super) roles: Vec<Role>,
    /// The day picker, on pages that show a census.
    pub(super) travel: Option<Travel>,
}

impl Frame {
    /// The frame of a page about a subscription, for a caller who may see it.
    pub(super) fn new(may: &May<View>, section: &'static str, title: &str) -> Self {
        Self {
            title: format!("{title} · {}", may.subscription.name),
            person: may.by.person_name().to_owned(),
            subscription: Some(may.subscription.clone()),
            section,
            roles: may.roles.clone(),
            travel: None,
        }
    }

    /// The frame with a day picker that leads to the same page.
    pub(super) async fn travelling(self, app: &App, may: &May<View>, here: &Here) -> Result<Self, PageError> {
        Ok(Self { travel: Some(Travel::new(app, may, here).await?), ..self })
    }

    /// The frame of a page about nothing in particular.
    pub(super) fn plain(title: &str, person: &str) -> Self {
        Self { title: title.to_owned(), person: person.to_owned(), ..Self::default() }
    }

    /// The base of the subscription's pages.
    pub(super) fn base(&self) -> String {
        self.subscription.as_ref().map_or_else(String::new, |s| format!("/subscriptions/{}", s.id))
    }

    /// The instant of the page's count, if a newer one is being made. Known once the page has what it shows.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn older(&self) -> Option<Timestamp> {
        Some(freshness::noted().older?.as_of)
    }

    /// The instant of the page's count and from what it is made, if it is a past one.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn past(&self) -> Option<(Timestamp, Basis)> {
        freshness::noted().past
    }

    /// The past instant of the page for the query of a link, behind `separator`; empty on pages of the present.
    pub(super) fn at(&self, separator: &str) -> String {
        self.past().map_or_else(String::new, |(as_of, _)| format!("{separator}as_of={as_of}"))
    }

    /// How many notices the reader has not read yet.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn unread(&self) -> u64 {
        freshness::noted().unread
    }

    /// Whether the page is one of those that the menu shows behind "More".
    pub(super) fn is_in_more(&self) -> bool {
        !matches!(
            self.section,
            "" | "overview" | "devices" | "findings" | "alerts" | "sensors" | "plan" | "notices"
        )
    }

    /// Whether the caller may do `action`.
    pub(super) fn may(&self, action: Action) -> bool {
        action.allowed(&self.roles)
    }
}

/// The instant that a page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AsOf {
    pub(super) as_of: String,
}

impl From<Option<&str>> for AsOf {
    fn from(text: Option<&str>) -> Self {
        Self { as_of: text.unwrap_or_default().to_owned() }
    }
}

impl AsOf {
    /// RFC 3339, or as a field for date and time gives it, in UTC; a day is its end; `None` for the present.
    pub(super) fn instant(&self) -> Result<Option<Timestamp>, Refusal> {
        let text = self.as_of.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(day) = text.parse::<Day>() {
            return Ok(Some(day.end()));
        }
        let read = |text: String| text.parse::<Timestamp>();
        let read = read(text.to_owned()).or_else(|error| {
            let in_utc = read(format!("{text}Z")).or_else(|_| read(format!("{text}:00Z")));
            in_utc.map_err(|_| error)
        });
        read.map(Some).map_err(|error| Refusal::invalid(error.to_string()))
    }
}

/// A caller, or the proof of what they may, as pages extract it: nobody who is signed in gets the sign-in form, every other
/// refusal an error page.
pub(super) struct Visitor<T = Caller>(pub(super) T);

impl<T: FromRequestParts<App, Rejection = Problem> + Reader + Send + Sync> FromRequestParts<App>
    for Visitor<T>
{
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        if parts.method == Method::GET {
            freshness::note_page();
        }
        let reader = T::from_request_parts(parts, app).await?;
        if let Some((subscription, person)) = reader.of_subscription() {
            freshness::note_unread(notices::unread(app, subscription, person).await?);
        }
        Ok(Self(reader))
    }
}

/// Who reads a page: of a subscription, by name, or something else.
pub(super) trait Reader {
    fn of_subscription(&self) -> Option<(&SubscriptionId, &str)> {
        None
    }
}

impl<A: Permission> Reader for May<A> {
    fn of_subscription(&self) -> Option<(&SubscriptionId, &str)> {
        Some((self.id(), self.by.person_name()))
    }
}

impl<A: Permission> Reader for MayHere<A> {}
impl Reader for Caller {}
impl Reader for Own {}

/// Query parameters, as pages extract them: what is wrong with them is told by an error page.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let extract::Parameters(value) = extract::Parameters::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A form, as pages extract it.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let extract::Form(value) = extract::Form::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) struct PageError(pub(super) Problem);

impl<E: Into<Problem>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    title: &'static str,
    detail: String,
    help: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        if problem.kind == ProblemType::Unauthenticated {
            return Redirect::to("/login").into_response();
        }
        let page = ErrorPage {
            frame: Frame::plain(problem.kind.title(), ""),
            status: problem.kind.status(),
            title: problem.kind.title(),
            help: problem.kind.help(),
            detail: problem.detail.clone(),
        };
        let mut response = render_with(problem.status(), &page);
        if let Some(seconds) = problem.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a page says in place of a form that the caller may not use.
pub(super) fn denial(action: Action) -> String {
    Refusal::NotPermitted { action, by_token: false }.to_string()
}

/// A page that goes well.
pub(super) fn render(page: &impl Template) -> Response {
    render_with(StatusCode::OK, page)
}

/// A page with another status.
pub(super) fn render_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
