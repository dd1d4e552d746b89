//! Plans over the API: onboarding, replacing, cancelling (docs/rules.md), and who may do what.

use netcensus::plan::permission::{Action, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases::on_each_database;
use crate::support::service::monthly;
use crate::support::{Plan, Seen, assert_has, send};

on_each_database! {
    each_refusal_to_onboard_is_its_own_problem,
    a_plan_cancelled_at_ten_is_in_effect_until_eleven_and_not_one_second_more,
    each_refusal_to_cancel_a_plan_or_to_keep_it_is_its_own_problem,
    a_cancellation_can_be_withdrawn_within_its_hour,
    a_trial_ends_by_itself_after_thirty_days,
    a_trial_takes_fifty_thousand_devices,
    the_billable_number_is_rounded_up_to_one_that_can_be_committed,
    a_replaced_plan_ends_where_its_successor_starts,
    each_refusal_to_replace_a_plan_is_its_own_problem_and_stores_nothing,
    a_successor_that_is_withdrawn_is_never_in_effect,
    a_cancellation_withdraws_the_successor_that_is_booked,
    every_change_of_a_plan_is_audited_once_and_a_dry_run_stores_nothing,
    a_clock_that_is_put_back_moves_no_plan_back,
    nobody_does_anything_without_signing_in,
    each_role_may_do_what_the_matrix_says_and_a_denial_names_the_roles_that_may,
    a_subscription_on_which_a_person_has_no_role_does_not_exist_for_them,
}

async fn each_refusal_to_onboard_is_its_own_problem(plan: Plan) {
    let cases = [
        (json!({"kind": "monthly", "devices": 1650, "accept_terms": true}), 422, "number-not-multiple"),
        (json!({"kind": "monthly", "devices": 0, "accept_terms": true}), 422, "number-not-multiple"),
        (json!({"kind": "monthly", "devices": 1700}), 422, "terms-not-accepted"),
        (json!({"kind": "monthly", "accept_terms": true}), 422, "number-missing"),
        (json!({"kind": "annual", "accept_terms": true}), 422, "number-missing"),
        (json!({"kind": "trial", "devices": 100, "accept_terms": true}), 422, "number-for-trial"),
        (json!({"kind": "monthly", "devices": u64::MAX, "accept_terms": true}), 422, "number-too-large"),
        (json!({"kind": "weekly", "accept_terms": true}), 400, "invalid-request"),
        (json!({"kind": "monthly", "devices": -100, "accept_terms": true}), 400, "invalid-request"),
        (json!({"kind": "monthly", "devices": 100, "accept_terms": true, "x": 1}), 400, "invalid-request"),
    ];
    for (body, status, slug) in cases {
        let answer = plan.post("/plan", body.clone()).await;
        assert_eq!(answer.problem(), (status, slug), "{body} gave {}", answer.body);
    }
    assert_eq!(plan.get("/plan").await["history"], json!([]), "a refusal stores nothing");
}

#[tokio::test]
async fn a_refused_number_comes_with_the_next_one_that_can_be_committed() {
    let plan = Plan::start().await;
    let refused = plan.post("/plan", monthly(1650)).await.fails(422, "number-not-multiple");
    assert_eq!(refused["next"], 1700);
}

async fn a_plan_cancelled_at_ten_is_in_effect_until_eleven_and_not_one_second_more(plan: Plan) {
    plan.onboard_monthly(1700).await;
    plan.set_time("2026-11-22T10:00:00Z");
    let cancelled = plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    assert_eq!(cancelled["to"], "2026-11-22T11:00:00Z");
    plan.set_time("2026-11-22T10:59:59.999Z");
    assert_eq!(plan.get("/plan").await["plan"]["status"], "cancelling");
    plan.post("/plan", monthly(1700)).await.fails(409, "plan-active");
    plan.set_time("2026-11-22T11:00:00Z");
    assert_eq!(plan.get("/plan").await["plan"], Value::Null);
    plan.onboard_monthly(1700).await;
    assert_eq!(plan.get("/plan").await["history"][0]["status"], "cancelled");
}

async fn each_refusal_to_cancel_a_plan_or_to_keep_it_is_its_own_problem(plan: Plan) {
    plan.onboard_monthly(1700).await;
    plan.post("/plan", monthly(1700)).await.fails(409, "plan-active");
    plan.post("/plan/cancel/withdraw", Value::Null).await.fails(409, "plan-not-cancelled");
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.post("/plan/cancel", Value::Null).await.fails(409, "plan-cancelled");
    plan.set_time("2026-11-22T10:00:00Z");
    plan.post("/plan/cancel/withdraw", Value::Null).await.fails(409, "no-plan");
}

async fn a_cancellation_can_be_withdrawn_within_its_hour(plan: Plan) {
    let annual = json!({"kind": "annual", "devices": 100, "accept_terms": true});
    plan.post("/plan", annual).await.succeeds(201);
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T09:59:59Z");
    plan.post("/plan/cancel/withdraw", Value::Null).await.succeeds(200);
    plan.set_time("2027-01-22T09:59:59Z");
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
}

async fn a_trial_ends_by_itself_after_thirty_days(plan: Plan) {
    plan.onboard_trial().await;
    assert_eq!(plan.get("/plan").await["plan"]["to"], "2026-12-22T09:00:00Z");
    plan.set_time("2026-12-22T08:59:59Z");
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
    plan.set_time("2026-12-22T09:00:00Z");
    let ended = plan.get("/plan").await;
    assert_eq!(ended["plan"], Value::Null);
    assert_eq!(ended["history"][0]["status"], "expired");
}

async fn a_trial_takes_fifty_thousand_devices(plan: Plan) {
    let sensor = plan.ready().await;
    Seen::default().many("iot", 0, 50_000).send(&plan, &sensor, 1, "hq").await;
    let census = plan.get("/census").await;
    assert_has(&census, json!({"billable": 50_000, "committed": null, "over": 0}));
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
}

async fn the_billable_number_is_rounded_up_to_one_that_can_be_committed(plan: Plan) {
    let sensor = plan.ready().await;
    let mut known = 0;
    for (sequence, billable, commitment) in
        [(1, 0, 0), (2, 1, 100), (3, 99, 100), (4, 100, 100), (5, 101, 200)]
    {
        Seen::default().many("iot", known, billable - known).send(&plan, &sensor, sequence, "hq").await;
        known = billable;
        let census = plan.get("/census").await;
        assert_has(&census, json!({"billable": billable, "commitment": commitment}));
    }
}

async fn a_replaced_plan_ends_where_its_successor_starts(plan: Plan) {
    plan.onboard_monthly(1700).await;
    plan.set_time("2026-11-22T10:00:00Z");
    let replaced = plan.post("/plan/replace", monthly(2100)).await.succeeds(201);
    let eleven = "2026-11-22T11:00:00Z";
    assert_has(&replaced, json!({"ending": {"to": eleven}, "booked": {"from": eleven}}));
    assert_eq!(plan.get("/plan").await["booked"]["committed"], 2100);
    plan.set_time(eleven);
    let timeline = plan.get("/plan").await;
    assert_has(&timeline, json!({"plan": {"committed": 2100, "status": "active"}, "booked": null}));
    assert_eq!(timeline["history"][0]["status"], "cancelled");
}

async fn each_refusal_to_replace_a_plan_is_its_own_problem_and_stores_nothing(plan: Plan) {
    plan.post("/plan/replace", monthly(2100)).await.fails(409, "no-plan");
    plan.onboard_monthly(1700).await;
    plan.set_time("2026-11-22T10:00:00Z");
    let refused = plan.post("/plan/replace", monthly(1650)).await.fails(422, "number-not-multiple");
    assert_eq!(refused["next"], 1700);
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
    plan.post("/plan/replace", monthly(2100)).await.succeeds(201);
    let booked = plan.post("/plan/replace", monthly(2200)).await.fails(409, "plan-booked");
    assert_eq!(booked["from"], "2026-11-22T11:00:00Z");
    assert_eq!(plan.get("/plan").await["booked"]["committed"], 2100);
}

async fn a_successor_that_is_withdrawn_is_never_in_effect(plan: Plan) {
    plan.onboard_monthly(1700).await;
    plan.post("/plan/replace", monthly(2100)).await.succeeds(201);
    plan.set_time("2026-11-22T09:30:00Z");
    let kept = plan.post("/plan/cancel/withdraw", Value::Null).await.body;
    assert_eq!(kept["status"], "active");
    plan.set_time("2026-11-22T11:00:00Z");
    let timeline = plan.get("/plan").await;
    assert_eq!(timeline["plan"]["number"], 1);
    assert_eq!(timeline["history"][1]["status"], "withdrawn");
}

async fn a_cancellation_withdraws_the_successor_that_is_booked(plan: Plan) {
    plan.onboard_monthly(1700).await;
    // An earlier successor was withdrawn: this one is the third plan.
    plan.post("/plan/replace", monthly(2100)).await.succeeds(201);
    plan.post("/plan/cancel/withdraw", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T11:00:00Z");
    plan.post("/plan/replace", monthly(1800)).await.succeeds(201);
    let cancelled = plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    assert_has(&cancelled, json!({"number": 1, "to": "2026-11-22T12:00:00Z"}));
    plan.set_time("2026-11-22T12:00:00Z");
    let timeline = plan.get("/plan").await;
    assert_eq!(timeline["plan"], Value::Null);
    assert_eq!(timeline["history"][2]["status"], "withdrawn");
}

async fn every_change_of_a_plan_is_audited_once_and_a_dry_run_stores_nothing(plan: Plan) {
    let steps = [
        ("/plan", monthly(1700), "plan.onboard"),
        ("/plan/replace", monthly(2100), "plan.replace"),
        ("/plan/cancel/withdraw", Value::Null, "plan.withdraw"),
        ("/plan/cancel", Value::Null, "plan.cancel"),
    ];
    for (n, (path, body, action)) in steps.into_iter().enumerate() {
        let before = plan.get("/plan").await;
        let tried = plan.post(&format!("{path}?dry_run=true"), body.clone()).await;
        assert!(tried.status.is_success(), "{path}: {}", tried.body);
        assert_eq!(plan.get("/plan").await, before, "{path}");
        let request = plan.request(Method::POST, path).header("x-reason", "grown");
        let done = send(request.json(&body)).await;
        assert_eq!(done, tried, "a dry run answers as if it were done");
        let trail = plan.trail().await;
        let of_plans: Vec<_> = trail.iter().filter(|e| e.action.starts_with("plan.")).collect();
        let newest = of_plans[0];
        assert_eq!((of_plans.len(), newest.action.as_str()), (n + 1, action));
        assert_eq!((newest.actor.as_str(), newest.reason.as_deref()), ("person:owner", Some("grown")));
    }
}

async fn a_clock_that_is_put_back_moves_no_plan_back(plan: Plan) {
    plan.onboard_monthly(1700).await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T11:00:00Z");
    plan.onboard_monthly(100).await;
    plan.set_time("2026-11-22T09:30:00Z");
    let timeline = plan.get("/plan").await;
    assert_eq!(timeline["history"][0]["status"], "cancelled");
    assert_eq!(timeline["plan"]["number"], 2);
    let cancelled = plan.post("/plan/cancel", Value::Null).await.body;
    assert_eq!(cancelled["to"], "2026-11-22T12:00:00Z", "an hour from the newest stored time");
}

async fn nobody_does_anything_without_signing_in(plan: Plan) {
    for path in [
        "",
        "/plan",
        "/prices",
        "/statements",
        "/statements/2026-11",
        "/sensors",
        "/census",
        "/inventory",
        "/devices",
        "/devices/x",
        "/devices/x/why",
    ] {
        let answer = send(plan.client.get(plan.of(path))).await;
        assert_eq!(answer.problem(), (401, "unauthenticated"), "{path}");
        let answer = send(plan.request_as("nct_wrong", Method::GET, path)).await;
        assert_eq!(answer.problem(), (401, "unauthenticated"), "{path}");
    }
    for path in [
        "/plan",
        "/plan/cancel",
        "/plan/cancel/withdraw",
        "/plan/replace",
        "/prices",
        "/statements/2026-11/corrections",
        "/sensors/tokens",
        "/sensors/x/revoke",
    ] {
        let answer = send(plan.client.post(plan.of(path)).json(&json!({}))).await;
        assert_eq!(answer.problem(), (401, "unauthenticated"), "{path}");
    }
}

async fn each_role_may_do_what_the_matrix_says_and_a_denial_names_the_roles_that_may(plan: Plan) {
    for role in Role::ALL {
        let token = plan.person(role.key(), role).await;
        let price = json!({"currency": "EUR", "micros": 1});
        let correction = json!({"line": 1, "seconds": 0, "reason": "as ordered"});
        let subscription = json!({"name": format!("made by {role}")});
        let routes = [
            (Action::ChangePlan, plan.of("/plan/cancel"), Value::Null),
            (Action::ReplacePlan, plan.of("/plan/replace"), monthly(100)),
            (Action::ManageSensors, plan.of("/sensors/tokens"), json!({})),
            (Action::ManageTenant, format!("{}/api/v1/subscriptions", plan.url), subscription),
            (Action::ManageTenant, plan.of("/prices"), price),
            (Action::ManageTenant, plan.of("/statements/2026-10/corrections"), correction),
        ];
        for (action, url, body) in routes {
            let answer = send(plan.client.post(url).bearer_auth(&token).json(&body)).await;
            let denied = answer.problem() == (403, "not-permitted");
            assert_eq!(denied, !action.allowed(&[role]), "{role} {action:?}: {}", answer.body);
            if denied {
                let named: Vec<&str> = action.roles().iter().map(|r| r.key()).collect();
                assert_eq!(answer.body["roles"], json!(named));
            }
        }
        send(plan.request_as(&token, Method::GET, "/census")).await.succeeds(200);
    }
}

async fn a_subscription_on_which_a_person_has_no_role_does_not_exist_for_them(plan: Plan) {
    let other = plan.subscription("Fabrikam", None).await;
    let path = format!("/subscriptions/{other}/census");
    send(plan.api_as(&plan.token, Method::GET, &path)).await.fails(404, "not-found");
    let list = send(plan.api_as(&plan.token, Method::GET, "/subscriptions")).await.body;
    assert_eq!(list["subscriptions"].as_array().unwrap().len(), 1);
}
