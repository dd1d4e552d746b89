//! People, their passwords, sessions and tokens: who gets in, how often they may try, and how it ends.

use netcensus::plan::permission::Role;
use netcensus::plan::store::trail::TrailFilter;
use netcensus::plan::store::{By, CredentialKind, Expected, NewToken, RoleBinding};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send};

const PASSWORD: &str = "a long enough password";

async fn ask(plan: &Plan, method: Method, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let request = plan.client.request(method, format!("{}/api/v1{path}", plan.url)).bearer_auth(token);
    send(request.json(&body)).await
}

fn login(plan: &Plan, name: &str, password: &str) -> RequestBuilder {
    let request = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
}

/// Signs in, and gives the session's cookie.
async fn sign_in(plan: &Plan, name: &str, password: &str) -> String {
    let answer = login(plan, name, password).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn is_in(plan: &Plan, cookie: &str) -> bool {
    let request = plan.client.get(format!("{}/api/v1/account", plan.url)).header(header::COOKIE, cookie);
    send(request).await.0 == 200
}

on_both_stores! {
    async fn whoever_is_disabled_is_out_at_once_and_enabled_signs_in_again(plan: Plan) {
        let admin = plan.admin().await;
        let alice = plan.person("alice", Role::Contributor).await;
        let cookie = sign_in(&plan, "alice", PASSWORD).await;
        assert!(is_in(&plan, &cookie).await);
        let disabled = ask(&plan, Method::POST, "/people/alice/disable", &admin, json!({})).await;
        assert_eq!((disabled.0.as_u16(), disabled.1["disabled_at"].as_str()), (200, Some("2026-11-22T09:00:00Z")));
        assert!(!is_in(&plan, &cookie).await);
        assert_eq!(ask(&plan, Method::GET, "/account", &alice, json!({})).await.0, 401);
        assert_eq!(login(&plan, "alice", PASSWORD).send().await.unwrap().status(), 422);
        assert_eq!(ask(&plan, Method::POST, "/people/alice/enable", &admin, json!({})).await.0, 200);
        assert!(!is_in(&plan, &cookie).await, "what ended stays ended");
        assert_eq!(ask(&plan, Method::GET, "/account", &alice, json!({})).await.0, 401);
        assert!(is_in(&plan, &sign_in(&plan, "alice", PASSWORD).await).await);
        assert_eq!(problem(&ask(&plan, Method::POST, "/people/admin/disable", &admin, json!({})).await), (409, "last-admin"));
        assert_eq!(problem(&ask(&plan, Method::POST, "/people/nobody/disable", &admin, json!({})).await), (404, "not-found"));
    }

    async fn a_new_password_ends_sessions_and_takes_the_present_one(plan: Plan) {
        let admin = plan.admin().await;
        let token = plan.person("alice", Role::Reader).await;
        let old = sign_in(&plan, "alice", PASSWORD).await;
        let own = sign_in(&plan, "alice", PASSWORD).await;
        let change = async |cookie: &str, current: &str, new: &str| {
            let request = plan.client.post(format!("{}/api/v1/account/password", plan.url));
            let request = request.header(header::COOKIE, cookie).header("sec-fetch-site", "same-origin");
            send(request.json(&json!({"current": current, "new": new}))).await
        };
        assert_eq!(problem(&change(&own, "a wrong password", "another long password").await), (403, "wrong-password"));
        assert_eq!(problem(&change(&own, PASSWORD, "short").await), (422, "invalid-password"));
        assert_eq!(change(&own, PASSWORD, "another long password").await.0, 204);
        assert!(is_in(&plan, &own).await && !is_in(&plan, &old).await, "only the one that asked stays");
        assert_eq!(ask(&plan, Method::GET, "/account", &token, json!({})).await.0, 200, "tokens stay");
        assert_eq!(login(&plan, "alice", PASSWORD).send().await.unwrap().status(), 422);
        let given = ask(&plan, Method::POST, "/people/alice/password", &admin, json!({"password": "a third long password"})).await;
        assert_eq!(given.0, 204);
        assert!(!is_in(&plan, &own).await);
        sign_in(&plan, "alice", "a third long password").await;
    }

    async fn sessions_and_tokens_are_listed_without_their_secrets_and_ended(plan: Plan) {
        let cookie = sign_in(&plan, "owner", PASSWORD).await;
        let by_cookie = |method: Method, path: &str| {
            let request = plan.client.request(method, format!("{}/api/v1/account{path}", plan.url));
            request.header(header::COOKIE, &cookie).header("sec-fetch-site", "same-origin")
        };
        let second = sign_in(&plan, "owner", PASSWORD).await;
        let (_, listed) = send(by_cookie(Method::GET, "/sessions")).await;
        let sessions = listed["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        assert!(!listed.to_string().contains(cookie.split_once('=').unwrap().1));
        let other = sessions.iter().map(|s| s["id"].as_str().unwrap()).find(|id| Some(*id) != listed["current"].as_str()).unwrap();
        assert_eq!(send(by_cookie(Method::DELETE, &format!("/sessions/{other}"))).await.0, 204);
        assert!(is_in(&plan, &cookie).await && !is_in(&plan, &second).await);

        let made = send(by_cookie(Method::POST, "/tokens").json(&json!({"name": "backup", "days": 30, "role": "R"}))).await;
        assert_eq!(made.0, 201, "{}", made.1);
        let (token, id) = (made.1["token"].as_str().unwrap(), made.1["id"].as_str().unwrap());
        assert_eq!(made.1["expires_at"], "2026-12-22T09:00:00Z");
        assert_eq!(ask(&plan, Method::GET, "/account", token, json!({})).await.1["role"], "R");
        plan.set_time("2026-11-22T10:59:00Z");
        assert_eq!(ask(&plan, Method::GET, "/account", token, json!({})).await.0, 200);
        let (_, listed) = send(by_cookie(Method::GET, "/tokens")).await;
        let entry = listed["tokens"].as_array().unwrap().iter().find(|t| t["id"] == id).unwrap().clone();
        assert_eq!((&entry["name"], &entry["used_at"]), (&json!("backup"), &json!("2026-11-22T10:00:00Z")), "to the hour");
        assert!(!listed.to_string().contains(token));
        assert_eq!(send(by_cookie(Method::DELETE, &format!("/tokens/{id}"))).await.0, 204);
        assert_eq!(ask(&plan, Method::GET, "/account", token, json!({})).await.0, 401);
        for days in [0, 366, -1] {
            let answer = send(by_cookie(Method::POST, "/tokens").json(&json!({"name": "x", "days": days}))).await;
            assert_eq!(problem(&answer), (422, "token-life"), "{days}");
        }
    }

    async fn a_secret_that_is_shown_once_is_kept_for_no_idempotency_key(plan: Plan) {
        let make = async || {
            let request = plan.client.post(format!("{}/api/v1/account/tokens", plan.url)).bearer_auth(&plan.token);
            send(request.header("idempotency-key", "k").json(&json!({"name": "x"}))).await.1["id"].clone()
        };
        assert_ne!(make().await, make().await);
    }

    async fn a_person_has_a_hundred_tokens_and_sessions_at_most(plan: Plan) {
        let (by, now) = (By::operator(), plan.clock_now());
        let new = NewToken { name: "t".into(), ..NewToken::default() };
        for _ in 1..100 {
            plan.store.create_token("owner", &new, None, &by, now).await.unwrap();
        }
        let full = ask(&plan, Method::POST, "/account/tokens", &plan.token, json!({"name": "x"})).await;
        assert_eq!(problem(&full), (409, "access-full"));
        for _ in 0..101 {
            plan.store.begin_session("owner", "test", &by, now).await.unwrap();
        }
        let sessions = plan.store.credentials(CredentialKind::Session, "owner", now).await.unwrap();
        assert_eq!(sessions.len(), 100);
    }
}

on_both_stores! {
    async fn roles_are_bound_and_taken_away_but_for_the_only_owner(plan: Plan) {
        let admin = plan.admin().await;
        let reader = plan.person("reader", Role::Reader).await;
        plan.store.create_person("alice", PASSWORD, false, &By::operator(), plan.clock_now()).await.unwrap();
        let put = async |person: &str, role: &str, tag: Option<&str>, token: &str| {
            let request = plan.client.put(plan.of(&format!("/roles/{person}"))).bearer_auth(token);
            let request = tag.iter().fold(request, |request, tag| request.header(header::IF_MATCH, *tag));
            send(request.json(&json!({"role": role}))).await
        };
        let tag = async |person: &str| {
            let request = plan.client.get(plan.of(&format!("/roles/{person}"))).bearer_auth(&plan.token);
            let answer = request.send().await.unwrap();
            answer.headers()[header::ETAG].to_str().unwrap().to_owned()
        };
        let delete = async |person: &str, tag: &str| {
            let request = plan.client.delete(plan.of(&format!("/roles/{person}"))).bearer_auth(&plan.token);
            send(request.header(header::IF_MATCH, tag)).await
        };
        assert_eq!(problem(&put("alice", "O", None, &reader).await), (403, "not-permitted"));
        assert_eq!(problem(&put("nobody", "R", None, &admin).await), (404, "not-found"));
        assert_eq!(problem(&put("alice", "G", None, &admin).await), (422, "tenant-role"));
        assert_eq!(problem(&put("alice", "X", None, &admin).await), (400, "invalid-request"));
        assert_eq!(put("alice", "C", None, &plan.token).await.0, 200);
        assert_eq!(problem(&put("alice", "R", None, &plan.token).await), (428, "precondition-required"));
        let seen = tag("alice").await;
        assert_eq!(put("alice", "SA", Some(&seen), &admin).await.0, 200);
        assert_eq!(problem(&put("alice", "R", Some(&seen), &plan.token).await), (412, "precondition-failed"));

        let owner = tag("owner").await;
        assert_eq!(problem(&put("owner", "R", Some(&owner), &admin).await), (409, "last-owner"));
        assert_eq!(problem(&delete("owner", &owner).await), (409, "last-owner"));
        assert_eq!(put("alice", "O", Some(&tag("alice").await), &plan.token).await.0, 200);
        assert_eq!(delete("owner", &owner).await.0, 204);
        assert_eq!(send(plan.client.get(plan.of("/census")).bearer_auth(&plan.token)).await.0, 404, "at once");
        let bindings: Vec<RoleBinding> = plan.store.role_bindings(&plan.sid).await.unwrap();
        assert_eq!(bindings.len(), 2);
    }

    async fn the_database_itself_keeps_the_only_owner(plan: Plan) {
        use netcensus::plan::store::{Scope, engine::sql};
        for change in ["DELETE FROM role_binding", "UPDATE role_binding SET role = 'R'"] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(sql(change)).await.is_err(), "{change}");
        }
    }

    async fn subscriptions_and_sensors_are_renamed_on_what_was_seen(plan: Plan) {
        let admin = plan.admin().await;
        let rename = async |path: &str, name: &str, tag: Option<&str>, token: &str| {
            let request = plan.client.patch(plan.of(path)).bearer_auth(token);
            let request = tag.iter().fold(request, |request, tag| request.header(header::IF_MATCH, *tag));
            send(request.json(&json!({"name": name}))).await
        };
        let tag = async |path: &str| {
            let answer = plan.client.get(plan.of(path)).bearer_auth(&plan.token).send().await.unwrap();
            answer.headers()[header::ETAG].to_str().unwrap().to_owned()
        };
        let seen = tag("").await;
        assert_eq!(problem(&rename("", "x", Some(&seen), &plan.token).await), (403, "not-permitted"));
        assert_eq!(problem(&rename("", "x", None, &admin).await), (428, "precondition-required"));
        assert_eq!(rename("", "Contoso Ltd", Some(&seen), &admin).await.1["name"], "Contoso Ltd");
        assert_eq!(problem(&rename("", "x", Some(&seen), &admin).await), (412, "precondition-failed"));
        plan.store.create_subscription("Fabrikam", None, &By::operator(), plan.clock_now()).await.unwrap();
        assert_eq!(problem(&rename("", "Fabrikam", Some(&tag("").await), &admin).await), (409, "name-taken"));

        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let path = format!("/sensors/{}", sensor.id);
        let seen = tag(&path).await;
        let upload = crate::harness::upload(1, "z", &[("00:40:8c:00:00:01", "10.0.0.1", "iot-a", "2026-11-22T08:00:00Z")]);
        assert_eq!(plan.upload(&sensor, &upload).await.0, 201);
        let renamed = rename(&path, "hall 4", Some(&seen), &plan.token).await;
        assert_eq!((renamed.0.as_u16(), &renamed.1["name"]), (200, &json!("hall 4")), "an upload changes no tag");
        assert_eq!(problem(&rename(&path, "x", Some(&seen), &plan.token).await), (412, "precondition-failed"));
        assert_eq!(problem(&rename("/sensors/x", "x", Some("*"), &plan.token).await), (404, "not-found"));
    }
}

#[tokio::test]
async fn whoever_guesses_passwords_is_held_back_and_told_when_to_try_again() {
    let plan = Plan::start().await;
    for _ in 0..10 {
        assert_eq!(login(&plan, "owner", "a wrong password").send().await.unwrap().status(), 422);
    }
    let answer = login(&plan, "owner", PASSWORD).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[header::RETRY_AFTER]),
        (429, &header::HeaderValue::from(31))
    );
    assert!(answer.text().await.unwrap().contains("Too many requests"));
    let change =
        ask(&plan, Method::POST, "/account/password", &plan.token, json!({"current": "x", "new": "y"})).await;
    assert_eq!(problem(&change), (429, "too-many-requests"), "the same account, by the API");
    plan.set_time("2026-11-22T09:00:31Z");
    sign_in(&plan, "owner", PASSWORD).await;

    // The trail: one failure a minute for the account, and the success.
    let of = async |action: &str| {
        let filter = TrailFilter { action: Some(action.to_owned()), ..TrailFilter::default() };
        plan.store.trail(None, &filter, 100).await.unwrap()
    };
    let failed = of("sign-in-failed").await;
    assert_eq!(
        (failed.len(), failed[0].actor.as_str(), failed[0].object.as_str()),
        (1, "nobody", "person/owner")
    );
    assert_eq!(of("sign-in").await[0].actor, "person:owner");
    // What is typed as an unknown name may be a password: it is not kept.
    login(&plan, "hunter2-my-password", "x").send().await.unwrap();
    login(&plan, "another-one", "x").send().await.unwrap();
    let failed = of("sign-in-failed").await;
    assert_eq!((failed.len(), failed[0].object.as_str()), (2, "person?"));
}

#[tokio::test]
async fn a_store_error_of_access_is_no_failure_of_the_service() {
    let plan = Plan::start().await;
    let outcome =
        plan.store.unbind_role(&plan.sid, "owner", &Expected::Any, &By::operator(), plan.clock_now()).await;
    assert!(outcome.unwrap_err().to_string().contains("bind the role O for another person first"));
}
