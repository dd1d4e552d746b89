//! The plan: what is in effect, onboarding with the arithmetic of the census, cancelling and keeping.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Visitor, denial, render_with};
use super::show;
use crate::billing::timeline::{Onboarding, PlanKind};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::plans::Timeline;
use crate::plan::http::api::census::CensusReport;
use crate::plan::http::extract::{Form, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::store::StoreError;

#[derive(Template)]
#[template(path = "plan.html")]
struct Page {
    frame: Frame,
    report: CensusReport,
    timeline: Timeline,
    form: OnboardForm,
    refused: Option<Problem>,
    denial: String,
}

/// What the form sends: empty fields are left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnboardForm {
    kind: String,
    devices: String,
    accept_terms: Option<String>,
}

/// The page.
pub(super) async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    page(&service, &caller, &sid, OnboardForm::default(), None).await
}

/// Where a person lands who reloads the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{}/plan", sid))
}

/// Onboards a plan, or shows the form again with what is wrong.
pub(super) async fn onboard(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Form(form): Form<OnboardForm>,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ChangePlan, &sid).await?;
    let outcome = match asked(&form) {
        Ok(asked) => service
            .store
            .onboard(&sid, &asked, &caller.by, service.now())
            .await
            .map(|_| ())
            .map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    after(&service, &caller, &sid, form, outcome).await
}

/// Replaces the plan in effect, or shows the form again with what is wrong.
pub(super) async fn replace(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Form(form): Form<OnboardForm>,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ReplacePlan, &sid).await?;
    let outcome = match asked(&form) {
        Ok(asked) => done(service.store.replace_plan(&sid, &asked, &caller.by, service.now()).await),
        Err(problem) => Err(problem),
    };
    after(&service, &caller, &sid, form, outcome).await
}

/// Cancels the plan in effect.
pub(super) async fn cancel(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ChangePlan, &sid).await?;
    let outcome = service.store.cancel_plan(&sid, &caller.by, service.now()).await;
    after(&service, &caller, &sid, OnboardForm::default(), done(outcome)).await
}

/// Withdraws the cancellation.
pub(super) async fn withdraw(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ChangePlan, &sid).await?;
    let outcome = service.store.withdraw_cancellation(&sid, &caller.by, service.now()).await;
    after(&service, &caller, &sid, OnboardForm::default(), done(outcome)).await
}

fn done<T>(outcome: Result<T, StoreError>) -> Result<(), Problem> {
    outcome.map(|_| ()).map_err(Problem::from)
}

async fn after(
    service: &App,
    caller: &Caller,
    sid: &str,
    form: OnboardForm,
    outcome: Result<(), Problem>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/subscriptions/{sid}/plan")).into_response()),
        Err(refused) => page(service, caller, sid, form, Some(refused)).await,
    }
}

async fn page(
    service: &App,
    caller: &Caller,
    sid: &str,
    form: OnboardForm,
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let frame = Frame::of(service, caller, sid, "plan", "Plan").await?;
    let view = service.view(sid, None).await?;
    let history = service.store.history(sid, service.now()).await?;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        report: CensusReport::new(&view, history.plans(), &[], history.now()),
        timeline: Timeline::from(&history),
        form,
        refused,
        denial: denial(Action::ChangePlan),
        frame,
    };
    Ok(render_with(status, &page))
}

fn asked(form: &OnboardForm) -> Result<Onboarding, Problem> {
    use crate::plan::http::problem::ProblemType::InvalidRequest;
    let kind: PlanKind =
        form.kind.parse().map_err(|_| Problem::new(InvalidRequest, "choose a kind of plan"))?;
    let devices = form.devices.trim().replace([',', ' '], "");
    let devices = match devices.as_str() {
        "" => None,
        digits => Some(
            digits
                .parse()
                .map_err(|_| Problem::new(InvalidRequest, "write the number of devices in digits"))?,
        ),
    };
    Ok(Onboarding { kind, devices, accept_terms: form.accept_terms.is_some() })
}

impl Page {
    fn may_change(&self) -> bool {
        self.frame.may(Action::ChangePlan)
    }

    fn may_replace(&self) -> bool {
        self.frame.may(Action::ReplacePlan)
    }

    /// Whether the kind is the chosen one.
    fn chosen(&self, kind: &str) -> bool {
        if self.form.kind.is_empty() { kind == "monthly" } else { self.form.kind == kind }
    }

    fn devices(&self) -> String {
        if self.form.devices.is_empty() {
            self.report.proposed().max(100).to_string()
        } else {
            self.form.devices.clone()
        }
    }
}
