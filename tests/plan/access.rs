//! People, their passwords, sessions, tokens and roles: who gets in, how often they may try, and how it ends.

use netcensus::plan::permission::Role;
use netcensus::plan::store::{By, CredentialKind, NewToken};
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};

use crate::support::browser::{FORM, Page};
use crate::support::databases::on_each_database;
use crate::support::people::PASSWORD;
use crate::support::{Answer, Plan, Seen, assert_has, send};

on_each_database! {
    a_person_who_is_disabled_is_out_at_once,
    a_person_who_is_enabled_signs_in_again_and_gets_no_old_session_back,
    the_last_global_admin_cannot_be_disabled,
    an_invited_person_chooses_a_password_once,
    a_global_admin_manages_people_in_the_console,
    a_person_changes_their_password_with_the_current_one_and_keeps_only_this_session,
    a_password_that_an_admin_sets_ends_all_sessions,
    sessions_are_listed_without_their_secrets_and_ended,
    tokens_are_listed_without_their_secrets_with_the_hour_of_their_last_use,
    a_token_that_is_ended_opens_nothing,
    a_token_lasts_a_day_to_a_year,
    an_idempotency_key_does_not_keep_a_secret_that_is_shown_once,
    a_person_has_at_most_100_tokens,
    a_person_has_at_most_100_sessions,
    a_role_is_bound_by_those_who_may_and_changed_only_by_its_current_tag,
    the_only_owner_stays_until_there_is_another,
    the_database_itself_keeps_the_only_owner,
    a_subscription_is_shown_with_its_id_and_name,
    a_global_admin_renames_a_subscription_by_its_current_tag,
    a_sensor_is_renamed_by_its_current_tag_which_an_upload_does_not_change,
}

fn login_form(plan: &Plan, name: &str, password: &str) -> RequestBuilder {
    let request = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    request.header(header::CONTENT_TYPE, FORM).body(form)
}

async fn login(plan: &Plan, name: &str, password: &str) -> Page {
    Page::read(login_form(plan, name, password)).await
}

/// Signs in, and gives the session's cookie.
async fn sign_in(plan: &Plan, name: &str, password: &str) -> String {
    let page = login(plan, name, password).await;
    assert_eq!(page.status, 303);
    page.cookie()
}

/// A request with a session's cookie to a path below `/api/v1/account`.
fn by_cookie(plan: &Plan, cookie: &str, method: Method, path: &str) -> RequestBuilder {
    let request = plan.client.request(method, format!("{}/api/v1/account{path}", plan.url));
    request.header(header::COOKIE, cookie).header("sec-fetch-site", "same-origin")
}

async fn is_in(plan: &Plan, cookie: &str) -> bool {
    send(by_cookie(plan, cookie, Method::GET, "")).await.status == 200
}

/// The status that a token gets.
async fn account(plan: &Plan, token: &str) -> u16 {
    send(plan.api_as(token, Method::GET, "/account")).await.status.as_u16()
}

async fn a_person_who_is_disabled_is_out_at_once(plan: Plan) {
    let admin = plan.admin().await;
    let alice = plan.person("alice", Role::Contributor).await;
    let cookie = sign_in(&plan, "alice", PASSWORD).await;
    assert!(is_in(&plan, &cookie).await);
    let disabled = plan.api(&admin, Method::POST, "/people/alice/disable", json!({})).await.succeeds(200);
    assert_eq!(disabled["disabled_at"], "2026-11-22T09:00:00Z");
    assert!(!is_in(&plan, &cookie).await);
    assert_eq!(account(&plan, &alice).await, 401);
    assert_eq!(login(&plan, "alice", PASSWORD).await.status, 422);
}

async fn a_person_who_is_enabled_signs_in_again_and_gets_no_old_session_back(plan: Plan) {
    let admin = plan.admin().await;
    let alice = plan.person("alice", Role::Contributor).await;
    let cookie = sign_in(&plan, "alice", PASSWORD).await;
    plan.api(&admin, Method::POST, "/people/alice/disable", json!({})).await.succeeds(200);
    plan.api(&admin, Method::POST, "/people/alice/enable", json!({})).await.succeeds(200);
    assert!(!is_in(&plan, &cookie).await);
    assert_eq!(account(&plan, &alice).await, 401);
    assert!(is_in(&plan, &sign_in(&plan, "alice", PASSWORD).await).await);
}

async fn the_last_global_admin_cannot_be_disabled(plan: Plan) {
    let admin = plan.admin().await;
    let disable = async |person: &str| {
        plan.api(&admin, Method::POST, &format!("/people/{person}/disable"), json!({})).await
    };
    disable("admin").await.fails(409, "last-admin");
    disable("nobody").await.fails(404, "not-found");
}

async fn a_person_changes_their_password_with_the_current_one_and_keeps_only_this_session(plan: Plan) {
    let token = plan.person("alice", Role::Reader).await;
    let other = sign_in(&plan, "alice", PASSWORD).await;
    let own = sign_in(&plan, "alice", PASSWORD).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        send(by_cookie(&plan, &own, Method::POST, "/password").json(&body)).await
    };
    change("a wrong password", "another long password").await.fails(403, "wrong-password");
    change(PASSWORD, "short").await.fails(422, "invalid-password");
    change(PASSWORD, "another long password").await.succeeds(204);
    assert!(is_in(&plan, &own).await && !is_in(&plan, &other).await);
    assert_eq!(account(&plan, &token).await, 200, "tokens stay");
    assert_eq!(login(&plan, "alice", PASSWORD).await.status, 422);
    sign_in(&plan, "alice", "another long password").await;
}

async fn a_password_that_an_admin_sets_ends_all_sessions(plan: Plan) {
    let admin = plan.admin().await;
    plan.person("alice", Role::Reader).await;
    let cookie = sign_in(&plan, "alice", PASSWORD).await;
    let new = json!({"password": "a third long password"});
    plan.api(&admin, Method::POST, "/people/alice/password", new).await.succeeds(204);
    assert!(!is_in(&plan, &cookie).await);
    sign_in(&plan, "alice", "a third long password").await;
}

async fn sessions_are_listed_without_their_secrets_and_ended(plan: Plan) {
    let cookie = sign_in(&plan, "owner", PASSWORD).await;
    let second = sign_in(&plan, "owner", PASSWORD).await;
    let listed = send(by_cookie(&plan, &cookie, Method::GET, "/sessions")).await.body;
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(!listed.to_string().contains(cookie.split_once('=').unwrap().1));
    let ids = sessions.iter().map(|session| session["id"].as_str().unwrap());
    let other = ids.into_iter().find(|id| Some(*id) != listed["current"].as_str()).unwrap();
    send(by_cookie(&plan, &cookie, Method::DELETE, &format!("/sessions/{other}"))).await.succeeds(204);
    assert!(is_in(&plan, &cookie).await && !is_in(&plan, &second).await);
}

/// Creates a token as the owner's browser does.
async fn new_token(plan: &Plan, cookie: &str, body: Value) -> Answer {
    send(by_cookie(plan, cookie, Method::POST, "/tokens").json(&body)).await
}

async fn tokens_are_listed_without_their_secrets_with_the_hour_of_their_last_use(plan: Plan) {
    let cookie = sign_in(&plan, "owner", PASSWORD).await;
    let new = json!({"name": "backup", "days": 30});
    let made = new_token(&plan, &cookie, new).await.succeeds(201);
    let (token, id) = (made["token"].as_str().unwrap(), &made["id"]);
    assert_eq!(made["expires_at"], "2026-12-22T09:00:00Z");
    let seen = send(plan.api_as(token, Method::GET, "/account")).await.body;
    assert_eq!(seen["person"]["name"], "owner");
    plan.set_time("2026-11-22T10:59:00Z");
    assert_eq!(account(&plan, token).await, 200);
    let listed = send(by_cookie(&plan, &cookie, Method::GET, "/tokens")).await.body;
    let entry = listed["tokens"].as_array().unwrap().iter().find(|token| token["id"] == *id).unwrap();
    assert_has(entry, json!({"name": "backup", "used_at": "2026-11-22T10:00:00Z"}));
    assert!(!listed.to_string().contains(token));
}

async fn a_token_that_is_ended_opens_nothing(plan: Plan) {
    let cookie = sign_in(&plan, "owner", PASSWORD).await;
    let made = new_token(&plan, &cookie, json!({"name": "backup"})).await.succeeds(201);
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(account(&plan, token).await, 200);
    send(by_cookie(&plan, &cookie, Method::DELETE, &format!("/tokens/{id}"))).await.succeeds(204);
    assert_eq!(account(&plan, token).await, 401);
}

async fn a_token_lasts_a_day_to_a_year(plan: Plan) {
    let cookie = sign_in(&plan, "owner", PASSWORD).await;
    for days in [0, 366, -1] {
        let answer = new_token(&plan, &cookie, json!({"name": "x", "days": days})).await;
        assert_eq!(answer.problem(), (422, "token-life"), "{days}");
    }
}

async fn an_idempotency_key_does_not_keep_a_secret_that_is_shown_once(plan: Plan) {
    let make = async || {
        let request = plan.api_as(&plan.token, Method::POST, "/account/tokens");
        send(request.header("idempotency-key", "k").json(&json!({"name": "x"}))).await.body["id"].clone()
    };
    assert_ne!(make().await, make().await);
}

async fn a_person_has_at_most_100_tokens(plan: Plan) {
    for _ in 1..100 {
        plan.create_token("owner", NewToken::default()).await;
    }
    let new = json!({"name": "x"});
    plan.api(&plan.token, Method::POST, "/account/tokens", new).await.fails(409, "access-full");
}

async fn a_person_has_at_most_100_sessions(plan: Plan) {
    for _ in 0..101 {
        plan.store.begin_session("owner", "test", &By::operator(), plan.now()).await.unwrap();
    }
    let sessions = plan.store.credentials(CredentialKind::Session, "owner", plan.now()).await.unwrap();
    assert_eq!(sessions.len(), 100);
}

/// A request with the `If-Match` header, if there is a tag.
fn on_tag(request: RequestBuilder, tag: Option<&str>) -> RequestBuilder {
    tag.into_iter().fold(request, |request, tag| request.header(header::IF_MATCH, tag))
}

async fn put_role(plan: &Plan, token: &str, person: &str, role: &str, tag: Option<&str>) -> Answer {
    let request = plan.request_as(token, Method::PUT, &format!("/roles/{person}"));
    send(on_tag(request, tag).json(&json!({"role": role}))).await
}

async fn an_invited_person_chooses_a_password_once(plan: Plan) {
    let admin = plan.admin().await;
    let post = |path: &str, body: Value| {
        send(plan.api_as(&admin, Method::POST, &format!("/people{path}")).json(&body))
    };
    post("", json!({"name": "maria"})).await.succeeds(201);
    assert!(!plan.store.person("maria").await.unwrap().has_password);
    assert_eq!(login(&plan, "maria", "").await.status, 422, "without a password nobody signs in by one");
    let first = post("/maria/invitation", json!({})).await.succeeds(201)["link"].as_str().unwrap().to_owned();
    let link = post("/maria/invitation", json!({})).await.succeeds(201)["link"].as_str().unwrap().to_owned();
    post("/nobody/invitation", json!({})).await.fails(404, "not-found");
    let accept = async |link: &str, password: &str| {
        let request = plan.client.post(link).header("sec-fetch-site", "same-origin");
        let request = request.header(header::CONTENT_TYPE, FORM);
        Page::read(request.body(format!("password={}", password.replace(' ', "+")))).await
    };
    assert_eq!(accept(&first, PASSWORD).await.status, 404, "a new invitation ends the former one");
    let sign_in = link.replace("/invitation/", "/login/");
    assert_eq!(Page::read(plan.client.get(sign_in)).await.status, 404, "it is not a link that signs in");
    assert!(Page::read(plan.client.get(&link)).await.html.contains("Welcome, maria"));
    assert_eq!(accept(&link, "short").await.status, 422);
    assert_eq!(accept(&link, PASSWORD).await.status, 303);
    assert_eq!(accept(&link, PASSWORD).await.status, 404, "it works once");
    assert_eq!(login(&plan, "maria", PASSWORD).await.status, 303);
    let row = plan.installation_trail_of("person.password").await.into_iter().next().unwrap();
    assert_eq!((row.actor.as_str(), row.reason.as_deref()), ("person:maria", Some("by an invitation")));
}

async fn a_global_admin_manages_people_in_the_console(plan: Plan) {
    plan.create_person("admin", true).await;
    let cookie = sign_in(&plan, "admin", PASSWORD).await;
    let get = async |cookie: &str| {
        Page::read(plan.client.get(format!("{}/people", plan.url)).header(header::COOKIE, cookie)).await
    };
    let post = async |path: &str, form: &str| {
        let request = plan.client.post(format!("{}/people{path}", plan.url)).header(header::COOKIE, &cookie);
        let request = request.header("sec-fetch-site", "same-origin").header(header::CONTENT_TYPE, FORM);
        Page::read(request.body(form.to_owned())).await
    };
    assert!(get(&cookie).await.html.contains("owner <span class=\"dim\">signs in by password"));
    assert_eq!(get(&sign_in(&plan, "owner", PASSWORD).await).await.status, 403);
    let invited = post("", "name=maria%2Fx").await;
    assert!(invited.status == 200 && invited.html.contains("/invitation/"), "{}", invited.html);
    assert!(invited.html.contains("invited, has no password yet"), "{}", invited.html);
    assert_eq!(post("", "name=maria%2Fx").await.status, 409, "the name is taken");
    assert_eq!(post("/maria%2Fx/disable", "").await.status, 303);
    assert_eq!(post("/maria%2Fx/invitation", "").await.status, 403, "a disabled person is not invited");
    assert_eq!(post("/maria%2Fx/enable", "").await.status, 303);
    let last = post("/admin/disable", "").await;
    assert!(last.status == 409 && last.html.contains("the only global admin"), "{}", last.html);
}

async fn a_role_is_bound_by_those_who_may_and_changed_only_by_its_current_tag(plan: Plan) {
    let (admin, owner) = (plan.admin().await, plan.token.as_str());
    let reader = plan.person("reader", Role::Reader).await;
    plan.create_person("alice", false).await;
    put_role(&plan, &reader, "alice", "O", None).await.fails(403, "not-permitted");
    put_role(&plan, &admin, "nobody", "R", None).await.fails(404, "not-found");
    put_role(&plan, &admin, "alice", "G", None).await.fails(422, "tenant-role");
    put_role(&plan, &admin, "alice", "X", None).await.fails(400, "invalid-request");
    put_role(&plan, owner, "alice", "C", None).await.succeeds(200);
    put_role(&plan, owner, "alice", "R", None).await.fails(428, "precondition-required");
    let seen = plan.tag("/roles/alice").await;
    put_role(&plan, &admin, "alice", "SA", Some(&seen)).await.succeeds(200);
    put_role(&plan, owner, "alice", "R", Some(&seen)).await.fails(412, "precondition-failed");
}

async fn the_only_owner_stays_until_there_is_another(plan: Plan) {
    let admin = plan.admin().await;
    plan.create_person("alice", false).await;
    let seen = plan.tag("/roles/owner").await;
    let leave = async || send(on_tag(plan.request(Method::DELETE, "/roles/owner"), Some(&seen))).await;
    put_role(&plan, &admin, "owner", "R", Some(&seen)).await.fails(409, "last-owner");
    leave().await.fails(409, "last-owner");
    put_role(&plan, &plan.token, "alice", "O", None).await.succeeds(200);
    leave().await.succeeds(204);
    assert_eq!(plan.try_get("/census").await.status, 404, "at once");
    assert_eq!(plan.store.role_bindings(&plan.sid).await.unwrap().len(), 1);
}

async fn the_database_itself_keeps_the_only_owner(plan: Plan) {
    plan.assert_database_refuses(&["DELETE FROM role_binding", "UPDATE role_binding SET role = 'R'"]).await;
}

#[tokio::test]
async fn a_store_that_refuses_to_remove_the_only_owner_says_what_to_do() {
    let plan = Plan::start().await;
    let refused = plan.try_unbind("owner").await.unwrap_err().to_string();
    assert!(refused.contains("bind the role O for another person first"), "{refused}");
}

async fn rename(plan: &Plan, token: &str, path: &str, name: &str, tag: Option<&str>) -> Answer {
    send(on_tag(plan.request_as(token, Method::PATCH, path), tag).json(&json!({"name": name}))).await
}

async fn a_subscription_is_shown_with_its_id_and_name(plan: Plan) {
    assert_has(&plan.get("").await, json!({"id": plan.sid, "name": "Contoso"}));
}

async fn a_global_admin_renames_a_subscription_by_its_current_tag(plan: Plan) {
    let admin = plan.admin().await;
    let seen = plan.tag("").await;
    rename(&plan, &plan.token, "", "x", Some(&seen)).await.fails(403, "not-permitted");
    rename(&plan, &admin, "", "x", None).await.fails(428, "precondition-required");
    let renamed = rename(&plan, &admin, "", "Contoso Ltd", Some(&seen)).await.succeeds(200);
    assert_eq!(renamed["name"], "Contoso Ltd");
    rename(&plan, &admin, "", "x", Some(&seen)).await.fails(412, "precondition-failed");
    plan.subscription("Fabrikam", None).await;
    let seen = plan.tag("").await;
    rename(&plan, &admin, "", "Fabrikam", Some(&seen)).await.fails(409, "name-taken");
}

async fn a_sensor_is_renamed_by_its_current_tag_which_an_upload_does_not_change(plan: Plan) {
    let sensor = plan.ready().await;
    let (path, owner) = (format!("/sensors/{}", sensor.id), plan.token.as_str());
    let seen = plan.tag(&path).await;
    Seen::default().arp("00:40:8c:00:00:01", "10.0.0.1", "iot-a").send(&plan, &sensor, 1, "z").await;
    let renamed = rename(&plan, owner, &path, "hall 4", Some(&seen)).await.succeeds(200);
    assert_eq!(renamed["name"], "hall 4");
    rename(&plan, owner, &path, "x", Some(&seen)).await.fails(412, "precondition-failed");
    rename(&plan, owner, "/sensors/x", "x", Some("*")).await.fails(404, "not-found");
}

#[tokio::test]
async fn the_trail_has_one_failed_sign_in_a_minute_for_an_account_and_each_success() {
    let plan = Plan::start().await;
    for _ in 0..10 {
        login(&plan, "owner", "a wrong password").await;
    }
    plan.set_time("2026-11-22T09:00:31Z");
    sign_in(&plan, "owner", PASSWORD).await;
    let failed = plan.installation_trail_of("sign-in-failed").await;
    let newest = &failed[0];
    assert_eq!((failed.len(), &*newest.actor, &*newest.object), (1, "nobody", "person/owner"));
    assert_eq!(plan.installation_trail_of("sign-in").await[0].actor, "person:owner");
}

#[tokio::test]
async fn the_trail_does_not_keep_unknown_names_which_may_be_passwords() {
    let plan = Plan::start().await;
    login(&plan, "hunter2-my-password", "x").await;
    login(&plan, "another-one", "x").await;
    let failed = plan.installation_trail_of("sign-in-failed").await;
    assert_eq!((failed.len(), &*failed[0].object), (1, "person?"));
}
