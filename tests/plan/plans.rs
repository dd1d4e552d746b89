//! Plans by the API: the vectors of census rules §5 about onboarding and cancelling, and who may do what.

use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::By;
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send};

on_both_stores! {
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
            assert_eq!(problem(&answer), (status, slug), "{body} gave {}", answer.1);
        }
        let (_, body) =
            plan.post("/plan", json!({"kind": "monthly", "devices": 1650, "accept_terms": true})).await;
        assert_eq!(body["next"], 1700);
        assert_eq!(plan.get("/plan").await["history"], json!([]), "a refusal stores nothing");
    }
}

on_both_stores! {
    async fn a_plan_cancelled_at_ten_is_in_effect_until_eleven_and_not_one_second_more(plan: Plan) {
        let asked = json!({"kind": "monthly", "devices": 1700, "accept_terms": true});
        assert_eq!(plan.post("/plan", asked.clone()).await.0, 201);
        assert_eq!(problem(&plan.post("/plan", asked.clone()).await), (409, "plan-active"));
        assert_eq!(problem(&plan.post("/plan/cancel/withdraw", Value::Null).await), (409, "plan-not-cancelled"));

        plan.set_time("2026-11-22T10:00:00Z");
        let (status, cancelled) = plan.post("/plan/cancel", Value::Null).await;
        assert_eq!((status.as_u16(), cancelled["to"].as_str()), (200, Some("2026-11-22T11:00:00Z")));
        assert_eq!(problem(&plan.post("/plan/cancel", Value::Null).await), (409, "plan-cancelled"));
        plan.set_time("2026-11-22T10:59:59.999Z");
        assert_eq!(plan.get("/plan").await["plan"]["status"], "cancelling");
        assert_eq!(problem(&plan.post("/plan", asked.clone()).await), (409, "plan-active"));
        plan.set_time("2026-11-22T11:00:00Z");
        assert_eq!(plan.get("/plan").await["plan"], Value::Null);
        assert_eq!(problem(&plan.post("/plan/cancel/withdraw", Value::Null).await), (409, "no-plan"));
        assert_eq!(plan.post("/plan", asked).await.0, 201);
        assert_eq!(plan.get("/plan").await["history"][0]["status"], "cancelled");
    }
}

on_both_stores! {
    async fn a_cancellation_can_be_withdrawn_within_its_hour(plan: Plan) {
        plan.post("/plan", json!({"kind": "annual", "devices": 100, "accept_terms": true})).await;
        plan.post("/plan/cancel", Value::Null).await;
        plan.set_time("2026-11-22T09:59:59Z");
        assert_eq!(plan.post("/plan/cancel/withdraw", Value::Null).await.0, 200);
        plan.set_time("2027-01-22T09:59:59Z");
        assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
    }
}

on_both_stores! {
    async fn a_trial_ends_by_itself_after_thirty_days(plan: Plan) {
        plan.onboard_trial().await;
        assert_eq!(plan.get("/plan").await["plan"]["to"], "2026-12-22T09:00:00Z");
        plan.set_time("2026-12-22T08:59:59Z");
        assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
        plan.set_time("2026-12-22T09:00:00Z");
        assert_eq!(plan.get("/plan").await["plan"], Value::Null);
        assert_eq!(plan.get("/plan").await["history"][0]["status"], "expired");
    }
}

on_both_stores! {
    async fn nobody_does_anything_without_signing_in(plan: Plan) {
        for path in ["", "/plan", "/sensors", "/census", "/inventory", "/devices", "/devices/x", "/devices/x/why"]
        {
            let answer = send(plan.client.get(plan.of(path))).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
            let answer = send(plan.client.get(plan.of(path)).bearer_auth("nct_wrong")).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
        }
        for path in ["/plan", "/plan/cancel", "/plan/cancel/withdraw", "/sensors/tokens", "/sensors/x/revoke"] {
            let answer = send(plan.client.post(plan.of(path)).json(&json!({}))).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
        }
    }
}

on_both_stores! {
    async fn each_role_may_what_the_matrix_says_and_a_denial_names_who_may(plan: Plan) {
        for role in Role::ALL {
            let token = plan.person(role.key(), role).await;
            let routes = [
                (Action::ChangePlan, plan.of("/plan/cancel")),
                (Action::ManageSensors, plan.of("/sensors/tokens")),
                (Action::ManageTenant, format!("{}/api/v1/subscriptions", plan.url)),
            ];
            for (action, url) in routes {
                let body = json!({"name": format!("made by {role}")});
                let answer = send(plan.client.post(url).bearer_auth(&token).json(&body)).await;
                let denied = problem(&answer) == (403, "not-permitted");
                assert_eq!(denied, !action.allowed(&[role]), "{role} {action:?}: {}", answer.1);
                if denied {
                    let named: Vec<&str> = action.roles().iter().map(|r| r.key()).collect();
                    assert_eq!(answer.1["roles"], json!(named));
                }
            }
            let seen = send(plan.client.get(plan.of("/census")).bearer_auth(&token)).await;
            assert_eq!(seen.0, 200, "{role}");
        }
    }
}

on_both_stores! {
    async fn a_subscription_without_a_role_on_it_does_not_exist(plan: Plan) {
        let other = plan.store.create_subscription("Fabrikam", None, &By::operator(), plan.clock_now()).await.unwrap();
        let url = format!("{}/api/v1/subscriptions/{}/census", plan.url, other.id);
        let answer = send(plan.client.get(url).bearer_auth(&plan.token)).await;
        assert_eq!(problem(&answer), (404, "not-found"));
        let list =
            send(plan.client.get(format!("{}/api/v1/subscriptions", plan.url)).bearer_auth(&plan.token)).await;
        assert_eq!(list.1["subscriptions"].as_array().unwrap().len(), 1);
    }
}
