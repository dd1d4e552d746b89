//! Plans by the API: the vectors of census rules §5 about onboarding and cancelling, and who may do what.

use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::By;
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, START, problem, send, upload};

fn monthly(devices: u64) -> Value {
    json!({"kind": "monthly", "devices": devices, "accept_terms": true})
}

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
    async fn a_trial_takes_fifty_thousand_devices(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let names: Vec<(String, String)> = (0..50_000_u32)
            .map(|n| {
                let [_, a, b, c] = n.to_be_bytes();
                (format!("02:00:00:{a:02x}:{b:02x}:{c:02x}"), format!("10.{a}.{b}.{c}"))
            })
            .collect();
        let seen: Vec<_> = names.iter().map(|(mac, ip)| (mac.as_str(), ip.as_str(), "iot-1", START)).collect();
        let answer = plan.upload(&sensor, &upload(1, "hq", &seen)).await;
        assert_eq!(answer.0, 201, "{}", answer.1);
        let census = plan.get("/census").await;
        assert_eq!((&census["billable"], &census["committed"], &census["over"]), (&json!(50_000), &Value::Null, &json!(0)));
        assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
    }
}

on_both_stores! {
    async fn what_is_billable_is_rounded_up_to_what_can_be_committed(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let mut known = 0_u32;
        for (n, (billable, commitment)) in [(0, 0), (1, 100), (99, 100), (100, 100), (101, 200)].into_iter().enumerate() {
            let names: Vec<(String, String)> =
                (known..billable).map(|i| (format!("02:00:00:00:00:{i:02x}"), format!("10.0.0.{}", i + 1))).collect();
            let seen: Vec<_> = names.iter().map(|(mac, ip)| (mac.as_str(), ip.as_str(), "iot-1", START)).collect();
            if !seen.is_empty() {
                assert_eq!(plan.upload(&sensor, &upload(n as u64, "hq", &seen)).await.0, 201);
            }
            known = billable;
            let census = plan.get("/census").await;
            assert_eq!((&census["billable"], &census["commitment"]), (&json!(billable), &json!(commitment)));
        }
    }

    async fn a_replaced_plan_ends_where_its_successor_starts(plan: Plan) {
        assert_eq!(problem(&plan.post("/plan/replace", monthly(2100)).await), (409, "no-plan"));
        assert_eq!(plan.post("/plan", monthly(1700)).await.0, 201);
        plan.set_time("2026-11-22T10:00:00Z");
        let refused = plan.post("/plan/replace", monthly(1650)).await;
        assert_eq!((problem(&refused), &refused.1["next"]), ((422, "number-not-multiple"), &json!(1700)));
        assert_eq!(plan.get("/plan").await["plan"]["status"], "active", "a refusal stores nothing");
        let (status, replaced) = plan.post("/plan/replace", monthly(2100)).await;
        assert_eq!(status, 201, "{replaced}");
        assert_eq!((&replaced["ending"]["to"], &replaced["booked"]["from"]), (&json!("2026-11-22T11:00:00Z"), &json!("2026-11-22T11:00:00Z")));
        let again = plan.post("/plan/replace", monthly(2200)).await;
        assert_eq!((problem(&again), &again.1["from"]), ((409, "plan-booked"), &json!("2026-11-22T11:00:00Z")));
        assert_eq!(plan.get("/plan").await["booked"]["committed"], 2100);
        plan.set_time("2026-11-22T11:00:00Z");
        let timeline = plan.get("/plan").await;
        assert_eq!((&timeline["plan"]["committed"], &timeline["plan"]["status"]), (&json!(2100), &json!("active")));
        assert_eq!((&timeline["booked"], &timeline["history"][0]["status"]), (&Value::Null, &json!("cancelled")));
    }

    async fn a_successor_that_is_withdrawn_or_cancelled_is_never_in_effect(plan: Plan) {
        plan.post("/plan", monthly(1700)).await;
        plan.post("/plan/replace", monthly(2100)).await;
        plan.set_time("2026-11-22T09:30:00Z");
        assert_eq!(plan.post("/plan/cancel/withdraw", Value::Null).await.1["status"], "active");
        plan.set_time("2026-11-22T11:00:00Z");
        let timeline = plan.get("/plan").await;
        assert_eq!((&timeline["plan"]["number"], &timeline["history"][1]["status"]), (&json!(1), &json!("withdrawn")));
        plan.post("/plan/replace", monthly(1800)).await;
        let cancelled = plan.post("/plan/cancel", Value::Null).await;
        assert_eq!((cancelled.0.as_u16(), &cancelled.1["number"], &cancelled.1["to"]), (200, &json!(1), &json!("2026-11-22T12:00:00Z")));
        plan.set_time("2026-11-22T12:00:00Z");
        let timeline = plan.get("/plan").await;
        assert_eq!((&timeline["plan"], &timeline["history"][2]["status"]), (&Value::Null, &json!("withdrawn")));
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
            let (tried, answer) = plan.post(&format!("{path}?dry_run=true"), body.clone()).await;
            assert!(tried.is_success(), "{path}: {answer}");
            assert_eq!(plan.get("/plan").await, before, "{path}");
            let request = plan.client.post(plan.of(path)).bearer_auth(&plan.token).header("x-reason", "grown");
            let done = send(request.json(&body)).await;
            assert_eq!((done.0, &done.1), (tried, &answer), "a dry run answers as if it were done");
            let trail = plan.store.audit_trail(Some(&plan.sid), None, 100).await.unwrap();
            let of_plans: Vec<_> = trail.iter().filter(|e| e.action.starts_with("plan.")).collect();
            assert_eq!((of_plans.len(), of_plans[0].action.as_str()), (n + 1, action));
            assert_eq!((of_plans[0].actor.as_str(), of_plans[0].reason.as_deref()), ("person:owner", Some("grown")));
        }
    }

    async fn a_clock_that_is_put_back_moves_no_plan_back(plan: Plan) {
        plan.post("/plan", monthly(1700)).await;
        plan.set_time("2026-11-22T10:00:00Z");
        plan.post("/plan/cancel", Value::Null).await;
        plan.set_time("2026-11-22T11:00:00Z");
        plan.post("/plan", monthly(100)).await;
        plan.set_time("2026-11-22T09:30:00Z");
        let timeline = plan.get("/plan").await;
        assert_eq!((&timeline["history"][0]["status"], &timeline["plan"]["number"]), (&json!("cancelled"), &json!(2)));
        let cancelled = plan.post("/plan/cancel", Value::Null).await.1;
        assert_eq!(cancelled["to"], "2026-11-22T12:00:00Z", "an hour from the newest instant that is stored");
    }
}

on_both_stores! {
    async fn nobody_does_anything_without_signing_in(plan: Plan) {
        for path in ["", "/plan", "/prices", "/statements", "/statements/2026-11", "/sensors", "/census", "/inventory", "/devices", "/devices/x", "/devices/x/why"]
        {
            let answer = send(plan.client.get(plan.of(path))).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
            let answer = send(plan.client.get(plan.of(path)).bearer_auth("nct_wrong")).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
        }
        for path in ["/plan", "/plan/cancel", "/plan/cancel/withdraw", "/plan/replace", "/prices", "/statements/2026-11/corrections", "/sensors/tokens", "/sensors/x/revoke"] {
            let answer = send(plan.client.post(plan.of(path)).json(&json!({}))).await;
            assert_eq!(problem(&answer), (401, "unauthenticated"), "{path}");
        }
    }
}

on_both_stores! {
    async fn each_role_may_what_the_matrix_says_and_a_denial_names_who_may(plan: Plan) {
        for role in Role::ALL {
            let token = plan.person(role.key(), role).await;
            let price = json!({"currency": "EUR", "micros": 1});
            let fix = json!({"line": 1, "seconds": 0, "reason": "as ordered"});
            let routes = [
                (Action::ChangePlan, plan.of("/plan/cancel"), Value::Null),
                (Action::ReplacePlan, plan.of("/plan/replace"), monthly(100)),
                (Action::ManageSensors, plan.of("/sensors/tokens"), json!({})),
                (Action::ManageTenant, format!("{}/api/v1/subscriptions", plan.url), json!({"name": format!("made by {role}")})),
                (Action::ManageTenant, plan.of("/prices"), price),
                (Action::ManageTenant, plan.of("/statements/2026-10/corrections"), fix),
            ];
            for (action, url, body) in routes {
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
