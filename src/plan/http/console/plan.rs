//! The plan: what is in effect, onboarding with the arithmetic of the census, cancelling and keeping.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, denial, render_with};
use super::show;
use crate::billing::timeline::{Onboarding, PlanKind};
use crate::plan::app::census::{self, CensusReport, Outlook};
use crate::plan::app::plans::{self, Timeline};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, ChangePlan, ReplacePlan, View};

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

/// The form. An empty field counts as not given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnboardForm {
    kind: String,
    devices: String,
    accept_terms: Option<String>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    page(&app, &may, OnboardForm::default(), None).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/plan"))
}

/// Onboards a plan, or shows the form again with what is wrong.
pub(super) async fn onboard(
    State(app): State<App>,
    Visitor(may): Visitor<May<ChangePlan>>,
    Form(form): Form<OnboardForm>,
) -> Result<Response, PageError> {
    let outcome = match asked(&form) {
        Ok(asked) => plans::onboard(&app, &may, &asked).await.map(drop),
        Err(refusal) => Err(refusal),
    };
    after(&app, &may.view(), form, outcome).await
}

/// Replaces the plan in effect, or shows the form again with what is wrong.
pub(super) async fn replace(
    State(app): State<App>,
    Visitor(may): Visitor<May<ReplacePlan>>,
    Form(form): Form<OnboardForm>,
) -> Result<Response, PageError> {
    let outcome = match asked(&form) {
        Ok(asked) => plans::replace(&app, &may, &asked).await.map(drop),
        Err(refusal) => Err(refusal),
    };
    after(&app, &may.view(), form, outcome).await
}

/// Cancels the plan in effect.
pub(super) async fn cancel(
    State(app): State<App>,
    Visitor(may): Visitor<May<ChangePlan>>,
) -> Result<Response, PageError> {
    let outcome = plans::cancel(&app, &may).await.map(drop);
    after(&app, &may.view(), OnboardForm::default(), outcome).await
}

/// Withdraws the cancellation.
pub(super) async fn withdraw(
    State(app): State<App>,
    Visitor(may): Visitor<May<ChangePlan>>,
) -> Result<Response, PageError> {
    let outcome = plans::withdraw(&app, &may).await.map(drop);
    after(&app, &may.view(), OnboardForm::default(), outcome).await
}

async fn after(
    app: &App,
    may: &May<View>,
    form: OnboardForm,
    outcome: Result<(), Refusal>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/subscriptions/{}/plan", may.id())).into_response()),
        Err(refused) => page(app, may, form, Some(refused.into())).await,
    }
}

async fn page(
    app: &App,
    may: &May<View>,
    form: OnboardForm,
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let Outlook { timeline, report } = census::outlook(app, may).await?;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        report,
        timeline,
        form,
        refused,
        denial: denial(Action::ChangePlan),
        frame: Frame::new(may, "plan", "Plan"),
    };
    Ok(render_with(status, &page))
}

fn asked(form: &OnboardForm) -> Result<Onboarding, Refusal> {
    let kind: PlanKind = form.kind.parse().map_err(|_| Refusal::invalid("choose a kind of plan"))?;
    let digits = form.devices.trim().replace([',', ' '], "");
    let devices = match digits.as_str() {
        "" => None,
        digits => {
            let number = digits.parse();
            Some(number.map_err(|_| Refusal::invalid("write the number of devices in digits"))?)
        }
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
