//! Statements by the API: the golden vector of census rules §3, closing, corrections and prices.

use netcensus::billing::statement;
use netcensus::plan::permission::Role;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{CredentialKind, Scope};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::database::{Backend, on_both_stores};
use crate::harness::{Plan, problem, send};

fn monthly(devices: u64) -> Value {
    json!({"kind": "monthly", "devices": devices, "accept_terms": true})
}

/// 1700 devices from the start of November until 22 November 11:00, then 2100.
async fn golden(plan: &Plan) {
    plan.set_time("2026-11-01T00:00:00Z");
    assert_eq!(plan.post("/plan", monthly(1700)).await.0, StatusCode::CREATED);
    plan.set_time("2026-11-22T10:00:00Z");
    assert_eq!(plan.post("/plan/replace", monthly(2100)).await.0, StatusCode::CREATED);
}

/// Moves the clock further than a token lasts.
async fn months_later(plan: &mut Plan, text: &str) {
    plan.set_time(text);
    let now = plan.clock_now();
    plan.token = plan.store.issue(CredentialKind::Token, Some("owner"), now).await.unwrap().secret;
}

/// What a global admin posts.
async fn admin(plan: &Plan, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
    send(plan.client.post(plan.of(path)).bearer_auth(token).json(&body)).await
}

fn column(statement: &Value, name: &str) -> Vec<String> {
    let lines = statement["lines"].as_array().unwrap();
    lines.iter().map(|l| l[name].as_str().unwrap_or("-").to_owned()).collect()
}

on_both_stores! {
    async fn the_golden_vector_is_met_to_the_digit_and_closes_after_72_hours(plan: Plan) {
        golden(&plan).await;
        plan.set_time("2026-11-22T11:00:00Z");
        let open = plan.get("/statements/2026-11").await;
        assert_eq!((&open["state"], &open["sha256"]), (&json!("open"), &Value::Null));
        assert_eq!(open["statement"]["device_months"], "1215.972222", "what was in effect so far");
        assert_eq!(open["expected"], json!({"device_months": "1813.888889", "amounts": []}));
        plan.set_time("2026-12-03T23:59:59Z");
        let draft = plan.get("/statements/2026-11").await;
        assert_eq!((&draft["state"], &draft["expected"]), (&json!("draft"), &Value::Null));
        assert_eq!(column(&draft["statement"], "device_months"), ["1215.972222", "597.916667"]);

        // A price may be set for a draft, and then shows as money beside the device-months.
        let token = plan.person("grace", Role::GlobalAdmin).await;
        let price = json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-01T00:00:00Z"});
        assert_eq!(admin(&plan, &token, "/prices", price).await.0, StatusCode::CREATED);
        plan.set_time("2026-12-04T00:00:00Z");
        let response = plan.client.get(plan.of("/statements/2026-11")).bearer_auth(&plan.token).send().await.unwrap();
        assert!(response.headers().contains_key("etag"));
        let text = response.text().await.unwrap();
        let closed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&closed["state"], &closed["closes_at"]), (&json!("closed"), &json!("2026-12-04T00:00:00Z")));
        assert_eq!(column(&closed["statement"], "device_months"), ["1215.972222", "597.916667"]);
        assert_eq!(column(&closed["statement"], "amount"), ["1215.972222", "597.916667"]);
        assert_eq!(closed["statement"]["amounts"], json!([{"currency": "EUR", "amount": "1813.888889"}]));

        // The bytes that are shown are those that are hashed, and their arithmetic holds.
        let (_, rest) = text.split_once("\"statement\":").unwrap();
        let (body, _) = rest.rsplit_once(",\"expected\":").unwrap();
        assert_eq!(closed["sha256"], statement::digest(body));
        let read = statement::read(body).unwrap();
        assert_eq!(read.canonical().unwrap(), body);
        let november: statement::Month = "2026-11".parse().unwrap();
        let kept = plan.store.closed_statements(&plan.sid, november.into(), plan.clock_now()).await.unwrap();
        assert_eq!(kept, [(november, body.to_owned())]);
    }

    async fn what_is_closed_stays_to_the_byte_whatever_happens_later(mut plan: Plan) {
        golden(&plan).await;
        plan.set_time("2027-01-05T00:00:00Z");
        let closed = plan.get("/statements/2026-11").await;
        let december = plan.get("/statements/2026-12").await;
        assert_eq!(december["statement"]["previous"], closed["sha256"]);
        // A clock that is put back opens nothing, and nobody cancels in what is closed.
        plan.set_time("2026-11-22T10:30:00Z");
        assert_eq!(plan.get("/statements/2026-11").await, closed);
        let cancelled = plan.post("/plan/cancel", Value::Null).await.1;
        assert_eq!(cancelled["to"], "2027-01-05T01:00:00Z");
        months_later(&mut plan, "2027-03-05T00:00:00Z").await;
        assert_eq!(plan.get("/statements/2026-11").await, closed);
        assert_eq!(plan.get("/statements/2026-12").await, december);
        assert_eq!(plan.get("/statements/2027-02").await["statement"]["lines"], json!([]));
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 1_000).await.unwrap();
        let closings: Vec<_> = trail.iter().rev().filter(|e| e.action == "statement.close").collect();
        let objects: Vec<&str> = closings.iter().map(|e| e.object.as_str()).collect();
        assert_eq!(objects, ["statement/2026-11", "statement/2026-12", "statement/2027-01", "statement/2027-02"]);
        assert!(closings.iter().all(|e| e.actor == "service"));
    }

    async fn the_database_refuses_to_change_what_is_closed_set_or_corrected(plan: Plan) {
        golden(&plan).await;
        let token = plan.person("grace", Role::GlobalAdmin).await;
        admin(&plan, &token, "/prices", json!({"currency": "EUR", "micros": 1})).await;
        plan.set_time("2026-12-05T00:00:00Z");
        let fix = json!({"line": 1, "committed": 1600, "reason": "1600 were ordered"});
        assert_eq!(admin(&plan, &token, "/statements/2026-11/corrections", fix).await.0, StatusCode::CREATED);
        for change in [
            "UPDATE statement SET body = '{}'",
            "DELETE FROM statement",
            "UPDATE price SET micros = 2",
            "DELETE FROM price",
            "UPDATE correction SET line = 2",
            "DELETE FROM correction",
        ] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(sql(change)).await.is_err(), "{change}");
        }
    }

    async fn a_correction_is_a_line_of_the_next_open_statement_and_says_who_and_why(plan: Plan) {
        golden(&plan).await;
        let token = plan.person("grace", Role::GlobalAdmin).await;
        let price = json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-01T00:00:00Z"});
        assert_eq!(admin(&plan, &token, "/prices", price).await.0, StatusCode::CREATED);
        let path = "/statements/2026-11/corrections";
        let fix = json!({"line": 1, "committed": 1600, "reason": "1600 were ordered"});
        assert_eq!(problem(&admin(&plan, &token, path, fix.clone()).await), (409, "statement-not-closed"));
        plan.set_time("2026-12-05T09:00:00Z");
        assert_eq!(problem(&plan.post(path, fix.clone()).await), (403, "not-permitted"), "not even the owner");
        let closed = plan.get("/statements/2026-11").await;
        let tried = admin(&plan, &token, &format!("{path}?dry_run=true"), fix.clone()).await;
        let expected = plan.get("/statements/2026-12").await["expected"].clone();
        let made = admin(&plan, &token, path, fix.clone()).await;
        assert_eq!((made.0, &made), (StatusCode::CREATED, &tried));
        assert_eq!((&made.1["appears_in"], &made.1["by"]), (&json!("2026-12"), &json!("person:grace")));
        assert_eq!(plan.get("/statements/2026-11").await, closed);

        plan.set_time("2027-01-04T00:00:00Z");
        let december = plan.get("/statements/2026-12").await;
        let line = &december["statement"]["lines"][1];
        assert_eq!((&line["amount"], &line["device_months"]), (&json!("-71.527778"), &json!("-71.527778")));
        assert_eq!((&line["from"], &line["to"]), (&json!("2026-11-01T00:00:00Z"), &json!("2026-11-22T11:00:00Z")));
        assert_eq!((&line["corrects"]["statement"], &line["corrects"]["line"]), (&json!("2026-11"), &json!(1)));
        assert_eq!(line["corrects"]["reason"], "1600 were ordered");
        assert_eq!((&expected["device_months"], &december["statement"]["device_months"]), (&json!("2100.000000"), &json!("2028.472222")));
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 1_000).await.unwrap();
        let audited: Vec<_> = trail.iter().filter(|e| e.action == "statement.correct").collect();
        assert_eq!((audited.len(), audited[0].reason.as_deref()), (1, Some("1600 were ordered")));
    }

    async fn each_correction_that_makes_no_sense_is_its_own_problem(plan: Plan) {
        plan.set_time("2026-10-31T00:00:00Z");
        plan.onboard_trial().await;
        plan.set_time("2026-11-01T00:00:00Z");
        plan.post("/plan/replace", monthly(1700)).await;
        let token = plan.person("grace", Role::GlobalAdmin).await;
        let price = json!({"currency": "EUR", "micros": 1_000_000, "valid_from": "2026-11-01T00:00:00Z"});
        admin(&plan, &token, "/prices", price).await;
        plan.set_time("2026-12-05T00:00:00Z");
        let fix = |more: Value| {
            let mut body = json!({"line": 2, "reason": "as ordered"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let yen = json!({"price": {"currency": "JPY", "micros": 1}});
        let dear = json!({"price": {"currency": "EUR", "micros": 1_000_000_000_001_u64}});
        let cases = [
            ("2026-11", fix(json!({})), 422, "correction-changes-nothing"),
            ("2026-11", fix(json!({"committed": 1700})), 422, "correction-changes-nothing"),
            ("2026-11", fix(json!({"committed": 1650})), 422, "number-not-multiple"),
            ("2026-11", fix(json!({"committed": 0})), 422, "number-not-multiple"),
            ("2026-11", fix(json!({"seconds": -1})), 422, "correction-seconds"),
            ("2026-11", fix(json!({"seconds": 2_592_000})), 422, "correction-seconds"),
            ("2026-11", fix(yen), 422, "correction-currency"),
            ("2026-11", fix(dear), 422, "price-too-high"),
            ("2026-11", fix(json!({"seconds": 0, "reason": " "})), 422, "correction-reason"),
            ("2026-11", fix(json!({"seconds": 0, "line": 1})), 422, "correction-of-trial"),
            ("2026-11", fix(json!({"seconds": 0, "line": 3})), 422, "statement-line-unknown"),
            ("2026-11", fix(json!({"seconds": 0, "x": 1})), 400, "invalid-request"),
            ("2026-12", fix(json!({"seconds": 0})), 409, "statement-not-closed"),
            ("2026-09", fix(json!({"seconds": 0})), 404, "not-found"),
            ("2027-01", fix(json!({"seconds": 0})), 404, "not-found"),
            ("2026-13", fix(json!({"seconds": 0})), 400, "invalid-request"),
        ];
        for (month, body, status, slug) in cases {
            let answer = admin(&plan, &token, &format!("/statements/{month}/corrections"), body.clone()).await;
            assert_eq!(problem(&answer), (status, slug), "{month} {body} gave {}", answer.1);
        }
        let zero = fix(json!({"seconds": 0}));
        assert_eq!(admin(&plan, &token, "/statements/2026-11/corrections", zero).await.0, StatusCode::CREATED);
        plan.set_time("2027-01-05T00:00:00Z");
        let again = admin(&plan, &token, "/statements/2026-12/corrections", fix(json!({"committed": 100}))).await;
        assert_eq!(problem(&again), (422, "correction-of-correction"));
    }

    async fn prices_are_the_global_admins_and_never_reach_into_what_is_closed(plan: Plan) {
        golden(&plan).await;
        let price = json!({"currency": "EUR", "micros": 1_400_000});
        assert_eq!(problem(&plan.post("/prices", price.clone()).await), (403, "not-permitted"));
        let token = plan.person("grace", Role::GlobalAdmin).await;
        assert_eq!(plan.get("/prices").await, json!({"price": null, "prices": []}));
        let tried = admin(&plan, &token, "/prices?dry_run=true", price.clone()).await;
        assert_eq!(tried.0, StatusCode::CREATED);
        assert_eq!(plan.get("/prices").await["prices"], json!([]));
        assert_eq!(admin(&plan, &token, "/prices", price.clone()).await, tried);
        let set = plan.get("/prices").await;
        assert_eq!((&set["price"], &set["prices"][0]["valid_from"]), (&price, &json!("2026-11-22T10:00:00Z")));
        plan.set_time("2026-12-05T00:00:00Z");
        let cases = [
            (json!({"currency": "EUR", "micros": 1, "valid_from": "2026-11-30T23:59:59Z"}), 409, "price-in-closed-statement"),
            (json!({"currency": "EUR", "micros": 1_000_000_000_001_u64}), 422, "price-too-high"),
            (json!({"currency": "eur", "micros": 1}), 400, "invalid-request"),
            (json!({"currency": "EUR", "micros": -1}), 400, "invalid-request"),
            (json!({"currency": "EUR", "micros": 1, "valid_from": "soon"}), 400, "invalid-request"),
        ];
        for (body, status, slug) in cases {
            let answer = admin(&plan, &token, "/prices", body.clone()).await;
            assert_eq!(problem(&answer), (status, slug), "{body} gave {}", answer.1);
        }
        let edge = json!({"currency": "EUR", "micros": 2_000_000, "valid_from": "2026-12-01T00:00:00Z"});
        assert_eq!(admin(&plan, &token, "/prices", edge).await.0, StatusCode::CREATED);
        let december = plan.get("/statements/2026-12").await;
        assert_eq!(december["expected"]["amounts"], json!([{"currency": "EUR", "amount": "4200.000000"}]));
        let november = plan.get("/statements/2026-11").await;
        let amounts = column(&november["statement"], "amount");
        assert_eq!(amounts, ["-", "3.305556", "837.083333"], "one line for each price, then the next plan");
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 1_000).await.unwrap();
        assert_eq!(trail.iter().filter(|e| e.action == "price.set").count(), 2);
    }

    async fn statements_are_listed_by_pages_from_the_first_plans_month_on(plan: Plan) {
        assert_eq!(plan.get("/statements").await, json!({"statements": [], "next": null}));
        golden(&plan).await;
        plan.set_time("2027-02-02T00:00:00Z");
        let first = plan.get("/statements?limit=3").await;
        let months = |page: &Value| -> Vec<String> {
            let statements = page["statements"].as_array().unwrap();
            statements.iter().map(|s| format!("{} {}", s["month"].as_str().unwrap(), s["state"].as_str().unwrap())).collect()
        };
        assert_eq!(months(&first), ["2027-02 open", "2027-01 draft", "2026-12 closed"]);
        assert_eq!(first["next"], "2026-12");
        let second = plan.get("/statements?limit=3&before=2026-12").await;
        assert_eq!((months(&second), &second["next"]), (vec!["2026-11 closed".to_owned()], &Value::Null));
        assert_eq!(second["statements"][0]["device_months"], "1813.888889");
        for query in ["limit=0", "limit=121", "before=2026", "x=1"] {
            let answer = send(plan.client.get(plan.of(&format!("/statements?{query}"))).bearer_auth(&plan.token)).await;
            assert_eq!(problem(&answer), (400, "invalid-request"), "{query}");
        }
        for month in ["2026-10", "2027-03"] {
            let answer = send(plan.client.get(plan.of(&format!("/statements/{month}"))).bearer_auth(&plan.token)).await;
            assert_eq!(problem(&answer), (404, "not-found"), "{month}");
        }
    }
}

#[tokio::test]
async fn two_services_that_are_asked_at_once_close_once() {
    let mut plan = Plan::start_on(Backend::Postgres).await;
    let second = plan.second().await;
    golden(&plan).await;
    months_later(&mut plan, "2027-11-04T00:00:00Z").await;
    let ask = |url: &str| {
        let url = format!("{url}/api/v1/subscriptions/{}/statements/2027-10", plan.sid);
        send(plan.client.get(url).bearer_auth(&plan.token))
    };
    let (one, two, three, four) = tokio::join!(ask(&plan.url), ask(&second), ask(&plan.url), ask(&second));
    assert_eq!((one.0, &one.1["state"]), (StatusCode::OK, &json!("closed")));
    assert!(one == two && two == three && three == four);
    let trail = plan.store.audit_trail(Some(&plan.sid), None, 1_000).await.unwrap();
    let closings = trail.iter().filter(|e| e.action == "statement.close").count();
    assert_eq!(closings, 12, "November to October, each once");
}
