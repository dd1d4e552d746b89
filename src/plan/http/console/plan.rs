//! The plan: what is in effect, onboarding with the arithmetic of the census, cancelling and keeping.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Parameters, Visitor, denial, render_with};
use super::show;
use crate::billing::statement::{Micros, Price};
use crate::billing::timeline::{Onboarding, PlanKind};
use crate::plan::app::census::{self, CensusReport, Outlook};
use crate::plan::app::plan_costs::{self, Considered, PlanNote, PlanPreview};
use crate::plan::app::plans::{self, Timeline};
use crate::plan::app::prices::{self, Prices};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, ChangePlan, ManageTenant, ReplacePlan, View};
use crate::plan::terms::Terms;

#[derive(Template)]
#[template(path = "plan.html")]
struct Page {
    frame: Frame,
    report: CensusReport,
    timeline: Timeline,
    form: OnboardForm,
    refused: Option<Problem>,
    denial: String,
    /// The prices of today.
    prices: Prices,
    /// The price of each plan, and who accepted the terms.
    notes: Vec<PlanNote>,
    terms: Option<Terms>,
    /// What a change would come to.
    preview: Option<PlanPreview>,
    /// The same for cancelling.
    cancelling: Option<PlanPreview>,
}

/// The form. An empty field counts as not given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnboardForm {
    kind: String,
    devices: String,
    accept_terms: Option<String>,
    /// The SHA-256 of the terms that the page showed.
    terms: Option<String>,
    /// Whether only the cost is asked for.
    preview: Option<String>,
}

/// A number to fill the form with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Prefilled {
    devices: String,
    kind: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Prefilled { devices, kind }): Parameters<Prefilled>,
) -> Result<Response, PageError> {
    page(&app, &may, OnboardForm { devices, kind, ..OnboardForm::default() }, None, None).await
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
    if form.preview.is_some() {
        return preview(&app, &may.view(), form, Considered::Onboard).await;
    }
    let outcome = match asked(&app, &form) {
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
    if form.preview.is_some() {
        return preview(&app, &may.view(), form, Considered::Replace).await;
    }
    let outcome = match asked(&app, &form) {
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

/// A price of a device-month, as people write it: `1.25`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PriceForm {
    amount: String,
    currency: String,
    /// Empty for every kind.
    kind: String,
}

impl PriceForm {
    fn read(&self) -> Result<(Price, Option<PlanKind>), Refusal> {
        let wrong = |error: &dyn std::fmt::Display| Refusal::invalid(error.to_string());
        let currency = self.currency.trim().parse().map_err(|e| wrong(&e))?;
        let amount: Micros = self.amount.trim().parse().map_err(|e| wrong(&e))?;
        let micros = u64::try_from(amount.0).map_err(|_| Refusal::invalid("a price is not negative"))?;
        let kind = Some(self.kind.trim()).filter(|kind| !kind.is_empty());
        Ok((Price { currency, micros }, kind.map(str::parse).transpose().map_err(|e| wrong(&e))?))
    }
}

/// Sets a price that is valid from now on.
pub(super) async fn set_price(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageTenant>>,
    Form(form): Form<PriceForm>,
) -> Result<Response, PageError> {
    let outcome = match form.read() {
        Ok((price, kind)) => prices::set(&app, &may, price, kind, None).await.map(drop),
        Err(refusal) => Err(refusal),
    };
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
        Err(refused) => page(app, may, form, Some(refused.into()), None).await,
    }
}

/// Shows the form again with what the change would come to.
async fn preview(
    app: &App,
    may: &May<View>,
    form: OnboardForm,
    change: fn(Onboarding) -> Considered,
) -> Result<Response, PageError> {
    let considered = read(&form).map(change);
    let made = match considered {
        Ok(considered) => plan_costs::preview(app, may, &considered).await,
        Err(refusal) => Err(refusal),
    };
    match made {
        Ok(preview) => page(app, may, form, None, Some(preview)).await,
        Err(refused) => page(app, may, form, Some(refused.into()), None).await,
    }
}

async fn page(
    app: &App,
    may: &May<View>,
    form: OnboardForm,
    refused: Option<Problem>,
    preview: Option<PlanPreview>,
) -> Result<Response, PageError> {
    let Outlook { timeline, report } = census::outlook(app, may).await?;
    // Without a plan to cancel there is nothing to show.
    let cancelling = plan_costs::preview(app, may, &Considered::Cancel).await.ok();
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        report,
        timeline,
        form,
        refused,
        prices: prices::list(app, may).await?,
        notes: plan_costs::notes(app, may).await?,
        terms: plan_costs::terms(app, may, None).await?,
        preview,
        cancelling,
        denial: denial(Action::ChangePlan),
        frame: Frame::new(may, "plan", "Plan"),
    };
    Ok(render_with(status, &page))
}

/// The plan that the form asks for. The terms that it accepts must be those that hold now.
fn asked(app: &App, form: &OnboardForm) -> Result<Onboarding, Refusal> {
    let shown = form.terms.as_deref().filter(|hash| !hash.is_empty());
    let now = app.settings.terms.as_ref().map(|terms| terms.sha256.to_string());
    if form.accept_terms.is_some() && shown.is_some_and(|shown| Some(shown) != now.as_deref()) {
        return Err(Refusal::invalid("the terms changed since the page was shown; read them again"));
    }
    read(form)
}

fn read(form: &OnboardForm) -> Result<Onboarding, Refusal> {
    let kind: PlanKind = form.kind.parse().map_err(|_| Refusal::invalid("choose a kind of plan"))?;
    let digits = form.devices.trim().replace([',', ' '], "");
    let devices = match digits.as_str() {
        "" => None,
        digits => {
            let number = digits.parse();
            Some(number.map_err(|_| Refusal::invalid("write the number of devices in digits"))?)
        }
    };
    // The page proposes a number; a trial covers any.
    let devices = devices.filter(|_| kind != PlanKind::Trial);
    Ok(Onboarding { kind, devices, accept_terms: form.accept_terms.is_some() })
}

impl Page {
    fn may_change(&self) -> bool {
        self.frame.may(Action::ChangePlan)
    }

    fn may_price(&self) -> bool {
        self.frame.may(Action::ManageTenant)
    }

    fn may_replace(&self) -> bool {
        self.frame.may(Action::ReplacePlan)
    }

    /// The price of a plan, and who accepted the terms with it.
    fn note(&self, number: &i64) -> PlanNote {
        self.notes.iter().find(|n| n.number == *number).cloned().unwrap_or_default()
    }

    fn terms_hash(&self) -> String {
        self.terms.as_ref().map(|terms| terms.sha256.to_string()).unwrap_or_default()
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
