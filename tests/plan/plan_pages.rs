//! The console's pages of the plan: what a change comes to before it is confirmed, prices, terms, and the estimate's number.

use netcensus::plan::store::engine::sql;
use netcensus::plan::terms::Terms;
use reqwest::header;
use serde_json::json;

use crate::decisions::with_devices;
use crate::estimates::{TYPE, lists};
use crate::statements::{global_admin, one_euro};
use crate::support::Plan;
use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;

on_each_database! {
    who_accepted_which_terms_is_kept_and_never_changed,
    plans_from_before_the_terms_were_kept_stay_as_they_are,
}

fn terms(text: &str) -> Terms {
    Terms::new("", text.to_owned())
}

async fn who_accepted_which_terms_is_kept_and_never_changed(mut plan: Plan) {
    let (first, second) = (terms("Pay by the month.\n\nBe kind."), terms("Pay by the year."));
    plan.terms = Some(first.clone());
    plan.restart().await;
    plan.onboard_monthly(100).await;
    plan.terms = Some(second.clone());
    plan.restart().await;
    let asked = json!({"kind": "annual", "devices": 200, "accept_terms": true});
    plan.post("/plan/replace", asked).await.succeeds(201);
    let kept = plan.store.acceptances(&plan.sid).await.unwrap();
    let all: Vec<_> = kept.iter().map(|a| (a.plan, a.by.as_str(), a.terms.clone().unwrap().0)).collect();
    assert_eq!(all, [(1, "person:owner", first.sha256), (2, "person:owner", second.sha256)]);
    assert_eq!(plan.store.accepted_terms(&plan.sid, first.sha256).await.unwrap(), first);
    let other = terms("Never accepted.");
    assert!(plan.store.accepted_terms(&plan.sid, other.sha256).await.is_err());
    plan.assert_database_refuses(&[
        "UPDATE terms SET body = 'Pay nothing.'",
        "DELETE FROM terms",
        "UPDATE acceptance SET accepted_by = 'nobody'",
        "DELETE FROM acceptance",
    ])
    .await;
}

async fn plans_from_before_the_terms_were_kept_stay_as_they_are(plan: Plan) {
    let insert = "INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at,
                                    cancelled_at, withdrawn_at, changed_at)
                  VALUES ($1, 1, 'monthly', 100, $2, $2, NULL, NULL, NULL, $2)";
    let start = crate::support::at("2026-11-01T00:00:00Z").0;
    assert!(plan.execute(sql(insert).bind(&plan.sid).bind(start)).await);
    assert_eq!(plan.store.acceptances(&plan.sid).await.unwrap(), []);
    assert_eq!(plan.get("/plan").await["plan"]["committed"], 100);
    let page = Browser::sign_in(&plan).await.show("/plan").await;
    page.assert(200, "accepted 2026-11-01 00:00:00 UTC");
}

#[tokio::test]
async fn a_change_of_the_plan_shows_what_it_comes_to_before_it_is_confirmed() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let admin = global_admin(&plan).await;
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    // The month has 30 days, of which 8 and 15 hours are left.
    let page = browser.post("/plan", "kind=monthly&devices=1000&preview=yes").await;
    page.assert(200, "Preview: nothing was changed");
    page.assert(200, "1.000000 EUR a device-month");
    page.assert(200, "<b>287.50 EUR</b>");
    page.assert(200, "<b>1000.00 EUR</b>");
    assert_eq!(plan.get("/plan").await["history"], json!([]), "a preview changes nothing");
    browser.post("/plan", "kind=monthly&devices=1050&preview=yes").await.assert(422, "commit 1100");
    plan.onboard_monthly(1000).await;
    let page = browser.post("/plan/replace", "kind=monthly&devices=2000&preview=yes").await;
    page.assert(200, "Begins at <time datetime=\"2026-11-22T10:00:00Z\">");
    page.assert(200, "<b>1000.00 EUR</b><br><span class=\"dim\">1000.000000 device-months</span></td>");
    page.assert(200, "<b>2000.00 EUR</b>");
    assert_eq!(plan.get("/plan").await["booked"], json!(null));
    let page = browser.show("/plan").await;
    page.assert(200, "instead of <b>1000.00 EUR</b>");
    page.assert(200, "<td class=\"num\">1.000000 EUR</td>");
}

#[tokio::test]
async fn the_terms_are_read_in_the_console_and_accepted_in_the_version_that_was_shown() {
    let mut plan = Plan::start().await;
    let none = Browser::sign_in(&plan).await.show("/terms").await;
    none.assert(200, "has put no text here");
    let (first, second) = (terms("Pay by the <month>.\n\nBe kind."), terms("Pay by the year."));
    plan.terms = Some(first.clone());
    plan.restart().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/terms").await;
    page.assert(200, "Pay by the &#60;month&#62;.</p><p class=\"terms\">Be kind.</p>");
    browser.show("/plan").await.assert(200, &format!("name=\"terms\" value=\"{}\"", first.sha256));
    plan.terms = Some(second.clone());
    plan.restart().await;
    let browser = Browser::sign_in(&plan).await;
    let form = |hash| format!("kind=trial&devices=&accept_terms=yes&terms={hash}");
    browser.post("/plan", &form(first.sha256)).await.assert(400, "the terms changed since");
    assert_eq!(browser.post("/plan", &form(second.sha256)).await.status, 303);
    let page = browser.show("/plan").await;
    page.assert(200, &format!("/terms?sha256={}\">{}</a>", second.sha256, second.version));
    page.assert(200, "by person:owner at");
    let old = browser.show(&format!("/terms?sha256={}", first.sha256)).await;
    assert_eq!(old.status, 404, "nobody accepted them");
}

#[tokio::test]
async fn the_number_of_an_estimate_fills_the_form_of_the_plan() {
    let plan = Plan::start().await;
    with_devices(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/estimate").await;
    page.assert(200, "/plan?devices=100\">Use this number: 100</a>");
    let page = browser.show("/plan?devices=300").await;
    page.assert(200, "name=\"devices\" inputmode=\"numeric\" autocomplete=\"off\" value=\"300\"");
    page.assert(200, "<details open><summary>Replace the plan</summary>");
}

#[tokio::test]
async fn an_estimate_shows_the_rows_that_counted_and_gives_all_as_a_file() {
    let plan = Plan::start().await;
    with_devices(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    let list = "name,mac,ip,type\n=cam,00:40:8c:00:00:77,10.0.0.77,camera\nbroken,,,\n";
    let send = async |path: &str| {
        let request = plan.client.post(browser.page(path)).header(header::COOKIE, &browser.cookie);
        let request = request.header(header::ORIGIN, &plan.url).header(header::CONTENT_TYPE, TYPE);
        Page::read(request.body(lists(&[("list.csv", list.as_bytes())]))).await
    };
    let page = send("/estimate").await;
    page.assert(200, "What counted");
    page.assert(200, "list.csv:2");
    let file = send("/estimate/rows").await;
    assert!(file.header(header::CONTENT_DISPOSITION).contains("estimate.csv"));
    let lines: Vec<&str> = file.html.lines().collect();
    assert_eq!(lines.len(), 3, "{}", file.html);
    assert!(lines[1].starts_with("list.csv,2,counted,") && lines[1].contains("'=cam"), "{}", lines[1]);
}
