//! Statements over the API: the example of rule P9, closing, corrections and prices.

use netcensus::billing::statement;
use netcensus::plan::permission::Role;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::Browser;
use crate::support::databases::Backend::Postgres;
use crate::support::databases::on_each_database;
use crate::support::service::monthly;
use crate::support::{Plan, assert_has, send};

on_each_database! {
    an_open_statement_shows_what_is_owed_so_far_and_what_is_expected,
    the_golden_vector_is_met_to_the_digit_and_closes_after_72_hours,
    a_price_that_is_set_for_a_draft_gives_amounts_beside_the_device_months,
    the_bytes_of_a_closed_statement_are_those_that_are_hashed_and_stored,
    a_closed_statement_stays_the_same_to_the_byte_whatever_happens_later,
    the_database_refuses_to_change_statements_prices_and_corrections,
    only_a_global_admin_corrects_and_only_a_closed_statement,
    a_correction_is_a_line_of_the_next_open_statement_and_says_why,
    each_refusal_to_correct_a_statement_is_its_own_problem,
    a_correction_cannot_be_corrected,
    only_a_global_admin_sets_prices_and_a_dry_run_sets_none,
    each_refusal_of_a_price_is_its_own_problem,
    a_part_of_a_month_without_a_price_is_named_in_the_total,
    an_annual_plan_has_a_price_of_its_own_until_its_anniversary,
    each_currency_is_a_total_of_its_own_in_its_smallest_unit,
    a_statement_is_exported_as_csv_and_printed_from_the_console,
    a_new_price_holds_from_the_end_of_the_closed_month_and_splits_a_line_within_a_month,
    statements_are_listed_by_pages_from_the_month_of_the_first_plan_on,
    statements_of_other_months_and_wrong_queries_are_refused,
}

const CORRECTIONS: &str = "/statements/2026-11/corrections";

/// 1700 devices from the start of November until 22 November 11:00, then 2100.
async fn golden(plan: &Plan) {
    plan.set_time("2026-11-01T00:00:00Z");
    plan.onboard_monthly(1700).await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.post("/plan/replace", monthly(2100)).await.succeeds(201);
}

pub(crate) async fn global_admin(plan: &Plan) -> String {
    plan.person("grace", Role::GlobalAdmin).await
}

/// One euro a device-month from the start of November on.
pub(crate) fn one_euro() -> Value {
    json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-01T00:00:00Z"})
}

/// A column of the lines of a statement.
fn column(statement: &Value, name: &str) -> Vec<String> {
    each(&statement["lines"], name)
}

async fn an_open_statement_shows_what_is_owed_so_far_and_what_is_expected(plan: Plan) {
    golden(&plan).await;
    plan.set_time("2026-11-22T11:00:00Z");
    let open = plan.get("/statements/2026-11").await;
    assert_has(&open, json!({"state": "open", "sha256": null}));
    assert_eq!(open["statement"]["device_months"], "1215.972222");
    assert_has(&open["expected"], json!({"device_months": "1813.888889", "amounts": [], "invoice": []}));
    assert_has(&open["expected"]["unpriced"], json!({"device_months": "1813.888889", "lines": [1, 2]}));
}

async fn the_golden_vector_is_met_to_the_digit_and_closes_after_72_hours(plan: Plan) {
    golden(&plan).await;
    plan.set_time("2026-12-03T23:59:59Z");
    let draft = plan.get("/statements/2026-11").await;
    assert_has(&draft, json!({"state": "draft", "expected": null}));
    assert_eq!(column(&draft["statement"], "device_months"), ["1215.972222", "597.916667"]);
    plan.set_time("2026-12-04T00:00:00Z");
    let closed = plan.get("/statements/2026-11").await;
    assert_has(&closed, json!({"state": "closed", "closes_at": "2026-12-04T00:00:00Z"}));
    assert_eq!(column(&closed["statement"], "device_months"), ["1215.972222", "597.916667"]);
}

async fn a_price_that_is_set_for_a_draft_gives_amounts_beside_the_device_months(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    plan.set_time("2026-12-03T23:59:59Z");
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    plan.set_time("2026-12-04T00:00:00Z");
    let closed = plan.get("/statements/2026-11").await;
    assert_eq!(closed["state"], "closed");
    assert_eq!(column(&closed["statement"], "amount"), ["1215.972222", "597.916667"]);
    assert_eq!(closed["statement"]["amounts"], json!([{"currency": "EUR", "amount": "1813.888889"}]));
    let invoice = json!([{"currency": "EUR", "total": "1813.89", "amount": "1813.888889"}]);
    assert_has(&closed["totals"], json!({"invoice": invoice, "unpriced": null}));
}

async fn the_bytes_of_a_closed_statement_are_those_that_are_hashed_and_stored(plan: Plan) {
    golden(&plan).await;
    plan.set_time("2026-12-04T00:00:00Z");
    let response = plan.request(Method::GET, "/statements/2026-11").send().await.unwrap();
    assert!(response.headers().contains_key(header::ETAG));
    let text = response.text().await.unwrap();
    let closed: Value = serde_json::from_str(&text).unwrap();
    let (_, rest) = text.split_once("\"statement\":").unwrap();
    let (body, _) = rest.rsplit_once(",\"expected\":").unwrap();
    assert_eq!(closed["sha256"], statement::digest(body));
    // To read a statement checks its arithmetic.
    assert_eq!(statement::read(body).unwrap().canonical().unwrap(), body);
    let november: statement::Month = "2026-11".parse().unwrap();
    let stored = plan.store.closed_statements(&plan.sid, november.into(), plan.now()).await.unwrap();
    assert_eq!(stored, [(november, body.to_owned())]);
}

async fn a_closed_statement_stays_the_same_to_the_byte_whatever_happens_later(mut plan: Plan) {
    golden(&plan).await;
    plan.set_time("2027-01-05T00:00:00Z");
    let closed = plan.get("/statements/2026-11").await;
    let december = plan.get("/statements/2026-12").await;
    assert_eq!(december["statement"]["previous"], closed["sha256"]);
    // A clock that is put back opens nothing, and a plan does not end in a closed month.
    plan.set_time("2026-11-22T10:30:00Z");
    assert_eq!(plan.get("/statements/2026-11").await, closed);
    let cancelled = plan.post("/plan/cancel", Value::Null).await.body;
    assert_eq!(cancelled["to"], "2027-01-05T01:00:00Z");
    plan.months_later("2027-03-05T00:00:00Z").await;
    assert_eq!(plan.get("/statements/2026-11").await, closed);
    assert_eq!(plan.get("/statements/2026-12").await, december);
    assert_eq!(plan.get("/statements/2027-02").await["statement"]["lines"], json!([]));
    let closings = plan.trail_of("statement.close").await;
    let objects: Vec<&str> = closings.iter().rev().map(|entry| entry.object.as_str()).collect();
    let months = ["2026-11", "2026-12", "2027-01", "2027-02"].map(|month| format!("statement/{month}"));
    assert_eq!(objects, months);
    assert!(closings.iter().all(|entry| entry.actor == "service"));
}

async fn the_database_refuses_to_change_statements_prices_and_corrections(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    plan.post_as(&admin, "/prices", json!({"currency": "EUR", "micros": 1})).await.succeeds(201);
    plan.set_time("2026-12-05T00:00:00Z");
    let fix = json!({"line": 1, "committed": 1600, "reason": "1600 were ordered"});
    plan.post_as(&admin, CORRECTIONS, fix).await.succeeds(201);
    plan.assert_database_refuses(&[
        "UPDATE statement SET body = '{}'",
        "DELETE FROM statement",
        "UPDATE price SET micros = 2",
        "DELETE FROM price",
        "UPDATE correction SET line = 2",
        "DELETE FROM correction",
    ])
    .await;
}

fn of_1600() -> Value {
    json!({"line": 1, "committed": 1600, "reason": "1600 were ordered"})
}

async fn only_a_global_admin_corrects_and_only_a_closed_statement(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    plan.post_as(&admin, CORRECTIONS, of_1600()).await.fails(409, "statement-not-closed");
    plan.set_time("2026-12-05T09:00:00Z");
    plan.post(CORRECTIONS, of_1600()).await.fails(403, "not-permitted");
    let closed = plan.get("/statements/2026-11").await;
    let tried = plan.post_as(&admin, &format!("{CORRECTIONS}?dry_run=true"), of_1600()).await;
    let made = plan.post_as(&admin, CORRECTIONS, of_1600()).await;
    assert_eq!(made, tried, "a dry run answers as if it were done");
    assert_has(&made.succeeds(201), json!({"appears_in": "2026-12", "by": "person:grace"}));
    assert_eq!(plan.get("/statements/2026-11").await, closed);
}

async fn a_correction_is_a_line_of_the_next_open_statement_and_says_why(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    plan.set_time("2026-12-05T09:00:00Z");
    plan.get("/statements/2026-11").await;
    let expected = plan.get("/statements/2026-12").await["expected"].clone();
    assert_eq!(expected["device_months"], "2100.000000");
    plan.post_as(&admin, CORRECTIONS, of_1600()).await.succeeds(201);

    plan.set_time("2027-01-04T00:00:00Z");
    let december = &plan.get("/statements/2026-12").await["statement"];
    assert_has(
        &december["lines"][1],
        json!({
            "amount": "-71.527778", "device_months": "-71.527778",
            "from": "2026-11-01T00:00:00Z", "to": "2026-11-22T11:00:00Z",
            "corrects": {"statement": "2026-11", "line": 1, "reason": "1600 were ordered"},
        }),
    );
    assert_eq!(december["device_months"], "2028.472222");
    let audited = plan.trail_of("statement.correct").await;
    assert_eq!((audited.len(), audited[0].reason.as_deref()), (1, Some("1600 were ordered")));
}

/// A trial on 31 October, then 1700 devices from 1 November on for a euro each; November is closed.
async fn closed_november(plan: &Plan) -> String {
    plan.set_time("2026-10-31T00:00:00Z");
    plan.onboard_trial().await;
    plan.set_time("2026-11-01T00:00:00Z");
    plan.post("/plan/replace", monthly(1700)).await.succeeds(201);
    let admin = global_admin(plan).await;
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    plan.set_time("2026-12-05T00:00:00Z");
    admin
}

/// A correction of the line 2, with these members added or replaced.
fn correction(more: Value) -> Value {
    let mut body = json!({"line": 2, "reason": "as ordered"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn each_refusal_to_correct_a_statement_is_its_own_problem(plan: Plan) {
    let admin = closed_november(&plan).await;
    let yen = json!({"price": {"currency": "JPY", "micros": 1}});
    let dear = json!({"price": {"currency": "EUR", "micros": 1_000_000_000_001_u64}});
    let cases = [
        ("2026-11", json!({}), 422, "correction-changes-nothing"),
        ("2026-11", json!({"committed": 1700}), 422, "correction-changes-nothing"),
        ("2026-11", json!({"committed": 1650}), 422, "number-not-multiple"),
        ("2026-11", json!({"committed": 0}), 422, "number-not-multiple"),
        ("2026-11", json!({"seconds": -1}), 422, "correction-seconds"),
        ("2026-11", json!({"seconds": 2_592_000}), 422, "correction-seconds"),
        ("2026-11", yen, 422, "correction-currency"),
        ("2026-11", dear, 422, "price-too-high"),
        ("2026-11", json!({"seconds": 0, "reason": " "}), 422, "correction-reason"),
        ("2026-11", json!({"seconds": 0, "line": 1}), 422, "correction-of-trial"),
        ("2026-11", json!({"seconds": 0, "line": 3}), 422, "statement-line-unknown"),
        ("2026-11", json!({"seconds": 0, "x": 1}), 400, "invalid-request"),
        ("2026-12", json!({"seconds": 0}), 409, "statement-not-closed"),
        ("2026-09", json!({"seconds": 0}), 404, "not-found"),
        ("2027-01", json!({"seconds": 0}), 404, "not-found"),
        ("2026-13", json!({"seconds": 0}), 400, "invalid-request"),
    ];
    for (month, more, status, slug) in cases {
        let path = format!("/statements/{month}/corrections");
        let answer = plan.post_as(&admin, &path, correction(more.clone())).await;
        assert_eq!(answer.problem(), (status, slug), "{month} {more} gave {}", answer.body);
    }
}

async fn a_correction_cannot_be_corrected(plan: Plan) {
    let admin = closed_november(&plan).await;
    plan.post_as(&admin, CORRECTIONS, correction(json!({"seconds": 0}))).await.succeeds(201);
    plan.set_time("2027-01-05T00:00:00Z");
    let again = correction(json!({"committed": 100}));
    let answer = plan.post_as(&admin, "/statements/2026-12/corrections", again).await;
    answer.fails(422, "correction-of-correction");
}

async fn only_a_global_admin_sets_prices_and_a_dry_run_sets_none(plan: Plan) {
    golden(&plan).await;
    let price = json!({"currency": "EUR", "micros": 1_400_000});
    plan.post("/prices", price.clone()).await.fails(403, "not-permitted");
    let admin = global_admin(&plan).await;
    assert_eq!(plan.get("/prices").await, json!({"price": null, "annual": null, "prices": []}));
    let tried = plan.post_as(&admin, "/prices?dry_run=true", price.clone()).await;
    assert_eq!(tried.status, 201);
    assert_eq!(plan.get("/prices").await["prices"], json!([]));
    assert_eq!(plan.post_as(&admin, "/prices", price.clone()).await, tried);
    let set = plan.get("/prices").await;
    assert_eq!(set["price"], price);
    assert_eq!(set["prices"][0]["valid_from"], "2026-11-22T10:00:00Z");
    assert_eq!(plan.trail_of("price.set").await.len(), 1);
}

async fn each_refusal_of_a_price_is_its_own_problem(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    plan.set_time("2026-12-05T00:00:00Z");
    let in_november = json!({"currency": "EUR", "micros": 1, "valid_from": "2026-11-30T23:59:59Z"});
    let cases = [
        (in_november, 409, "price-in-closed-statement"),
        (json!({"currency": "EUR", "micros": 1_000_000_000_001_u64}), 422, "price-too-high"),
        (json!({"currency": "eur", "micros": 1}), 400, "invalid-request"),
        (json!({"currency": "EUR", "micros": -1}), 400, "invalid-request"),
        (json!({"currency": "EUR", "micros": 1, "valid_from": "soon"}), 400, "invalid-request"),
    ];
    for (body, status, slug) in cases {
        let answer = plan.post_as(&admin, "/prices", body.clone()).await;
        assert_eq!(answer.problem(), (status, slug), "{body} gave {}", answer.body);
    }
}

async fn a_new_price_holds_from_the_end_of_the_closed_month_and_splits_a_line_within_a_month(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    let price = json!({"currency": "EUR", "micros": 1_400_000});
    plan.post_as(&admin, "/prices", price).await.succeeds(201);
    plan.set_time("2026-12-05T00:00:00Z");
    plan.get("/statements/2026-11").await;
    let edge = json!({"currency": "EUR", "micros": 2_000_000, "valid_from": "2026-12-01T00:00:00Z"});
    plan.post_as(&admin, "/prices", edge).await.succeeds(201);
    let december = plan.get("/statements/2026-12").await;
    assert_eq!(december["expected"]["amounts"], json!([{"currency": "EUR", "amount": "4200.000000"}]));
    // The first plan without a price, the same with one, the next plan.
    let amounts = column(&plan.get("/statements/2026-11").await["statement"], "amount");
    assert_eq!(amounts, ["null", "3.305556", "837.083333"]);
    assert_eq!(plan.trail_of("price.set").await.len(), 2);
}

async fn a_part_of_a_month_without_a_price_is_named_in_the_total(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    let late = json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-22T11:00:00Z"});
    plan.post_as(&admin, "/prices", late).await.succeeds(201);
    plan.set_time("2026-12-04T00:00:00Z");
    let closed = plan.get("/statements/2026-11").await;
    let invoice = json!([{"currency": "EUR", "total": "597.92", "amount": "597.916667"}]);
    let unpriced = json!({"device_months": "1215.972222", "lines": [1]});
    assert_has(&closed["totals"], json!({"invoice": invoice, "unpriced": unpriced}));
    assert_has(
        &plan.get("/statements").await["statements"][1],
        json!({"month": "2026-11", "unpriced": unpriced}),
    );
}

async fn an_annual_plan_has_a_price_of_its_own_until_its_anniversary(mut plan: Plan) {
    let admin = global_admin(&plan).await;
    let price = |micros: u64, kind: Option<&str>, from: &str| json!({"currency": "EUR", "micros": micros, "kind": kind, "valid_from": from});
    plan.set_time("2026-11-01T00:00:00Z");
    for set in [
        price(3_000_000, None, "2026-11-01T00:00:00Z"),
        price(2_000_000, Some("annual"), "2026-11-01T00:00:00Z"),
        price(1_000_000, Some("annual"), "2026-12-01T00:00:00Z"),
    ] {
        plan.post_as(&admin, "/prices", set).await.succeeds(201);
    }
    plan.post_as(&admin, "/prices", price(1, Some("trial"), "2026-11-01T00:00:00Z"))
        .await
        .fails(400, "invalid-request");
    assert_has(
        &plan.get("/prices").await,
        json!({"price": {"micros": 3_000_000}, "annual": {"micros": 2_000_000}}),
    );
    let annual = json!({"kind": "annual", "devices": 100, "accept_terms": true});
    plan.post("/plan", annual).await.succeeds(201);
    let term = json!({"from": "2026-11-01T00:00:00Z", "to": "2027-11-01T00:00:00Z"});
    assert_eq!(plan.get("/plan").await["plan"]["term"], term);
    plan.months_later("2027-12-05T00:00:00Z").await;
    for (month, amount) in [("2026-11", "200.00"), ("2027-10", "200.00"), ("2027-11", "100.00")] {
        let closed = plan.get(&format!("/statements/{month}")).await;
        assert_eq!(closed["totals"]["invoice"][0]["total"], amount, "{month}");
        assert_has(&closed["statement"]["lines"][0], json!({"kind": "annual", "committed": 100}));
    }
    assert_eq!(plan.get("/plan").await["plan"]["term"]["to"], "2028-11-01T00:00:00Z");
}

async fn each_currency_is_a_total_of_its_own_in_its_smallest_unit(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    let yen = json!({"currency": "JPY", "micros": 1_000_000, "valid_from": "2026-11-01T00:00:00Z"});
    let dinar = json!({"currency": "KWD", "micros": 1_000_000, "valid_from": "2026-11-22T11:00:00Z"});
    plan.post_as(&admin, "/prices", yen).await.succeeds(201);
    plan.post_as(&admin, "/prices", dinar).await.succeeds(201);
    plan.set_time("2026-12-04T00:00:00Z");
    let closed = plan.get("/statements/2026-11").await;
    let invoice = json!([
        {"currency": "JPY", "total": "1216", "amount": "1215.972222"},
        {"currency": "KWD", "total": "597.917", "amount": "597.916667"},
    ]);
    assert_has(&closed["totals"], json!({"invoice": invoice, "unpriced": null}));
}

async fn a_statement_is_exported_as_csv_and_printed_from_the_console(plan: Plan) {
    golden(&plan).await;
    let admin = global_admin(&plan).await;
    let late = json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-22T11:00:00Z"});
    plan.post_as(&admin, "/prices", late).await.succeeds(201);
    plan.set_time("2026-12-04T00:00:00Z");
    let response = plan.request(Method::GET, "/statements/2026-11/csv").send().await.unwrap();
    assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    let text = response.text().await.unwrap();
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let names = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| rows[row][names.iter().position(|n| n == name).unwrap()].to_owned();
    let records: Vec<String> = (0..rows.len()).map(|row| cell(row, "record")).collect();
    assert_eq!(records, ["line", "line", "device_months", "total", "unpriced"]);
    assert_eq!((cell(1, "committed"), cell(1, "amount")), ("2100".into(), "597.916667".into()));
    assert_eq!((cell(3, "currency"), cell(3, "invoice_total")), ("EUR".into(), "597.92".into()));
    assert_eq!((cell(4, "line"), cell(4, "device_months")), ("1".into(), "1215.972222".into()));
    let browser = Browser::sign_in(&plan).await;
    browser.show("/statements").await.assert(200, "/statements/2026-11\">2026-11</a>");
    let page = browser.show("/statements/2026-11").await;
    for said in ["<b>597.92</b>", "597.916667", "Without a price:", "Closed: it never changes again."] {
        page.assert(200, said);
    }
}

async fn statements_are_listed_by_pages_from_the_month_of_the_first_plan_on(plan: Plan) {
    assert_eq!(plan.get("/statements").await, json!({"statements": [], "next": null}));
    golden(&plan).await;
    plan.set_time("2027-02-02T00:00:00Z");
    let first = plan.get("/statements?limit=3").await;
    assert_eq!(each(&first["statements"], "month"), ["2027-02", "2027-01", "2026-12"]);
    assert_eq!(each(&first["statements"], "state"), ["open", "draft", "closed"]);
    assert_eq!(first["next"], "2026-12");
    let second = plan.get("/statements?limit=3&before=2026-12").await;
    let november = json!({"month": "2026-11", "state": "closed", "device_months": "1813.888889"});
    assert_has(&second["statements"][0], november);
    assert_eq!(second["statements"].as_array().unwrap().len(), 1);
    assert_eq!(second["next"], Value::Null);
}

async fn statements_of_other_months_and_wrong_queries_are_refused(plan: Plan) {
    golden(&plan).await;
    plan.set_time("2027-02-02T00:00:00Z");
    for query in ["limit=0", "limit=121", "before=2026", "x=1"] {
        let answer = plan.try_get(&format!("/statements?{query}")).await;
        assert_eq!(answer.problem(), (400, "invalid-request"), "{query}");
    }
    for month in ["2026-10", "2027-03"] {
        let answer = plan.try_get(&format!("/statements/{month}")).await;
        assert_eq!(answer.problem(), (404, "not-found"), "{month}");
    }
}

#[tokio::test]
async fn two_services_that_are_asked_at_once_close_a_statement_once() {
    let mut plan = Plan::start_on(Postgres).await;
    let second = plan.second().await;
    golden(&plan).await;
    plan.months_later("2027-11-04T00:00:00Z").await;
    let ask = |url: &str| {
        let url = format!("{url}/api/v1/subscriptions/{}/statements/2027-10", plan.sid);
        send(plan.client.get(url).bearer_auth(&plan.token))
    };
    let (one, two, three, four) = tokio::join!(ask(&plan.url), ask(&second), ask(&plan.url), ask(&second));
    assert!(one == two && two == three && three == four);
    assert_eq!(one.succeeds(200)["state"], "closed");
    assert_eq!(plan.trail_of("statement.close").await.len(), 12, "November to October, each once");
}
