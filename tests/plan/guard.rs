//! Who may call which route: every operation of the description, called by everybody.

use std::collections::BTreeSet;

use netcensus::plan::http::api;
use netcensus::plan::http::guard::{Access, Guarded, operations};
use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::{By, CredentialKind, NewToken};
use netcensus::wire::SubscriptionId;
use reqwest::{Method, header};
use serde_json::json;

use crate::support::browser::{FORM, Page};
use crate::support::databases::on_each_database;
use crate::support::{Answer, HOUR, Plan, send};

on_each_database! {
    everybody_may_call_exactly_what_the_matrix_says,
    a_token_with_a_role_has_no_other_rights_of_its_person,
    a_token_for_one_subscription_sees_no_other,
    a_token_with_limits_neither_sees_nor_changes_the_account_of_its_person,
    a_token_creates_no_token_that_lives_longer,
}

/// Somebody who calls the service, and what they present.
struct Caller {
    name: String,
    token: Option<String>,
    /// Their role on the subscription.
    role: Option<Role>,
    /// Whether the token is valid.
    known: bool,
}

impl Caller {
    fn known(name: &str, token: String, role: Option<Role>) -> Self {
        Self { name: name.to_owned(), token: Some(token), role, known: true }
    }

    fn unknown(name: &str, token: Option<String>) -> Self {
        Self { name: name.to_owned(), token, role: None, known: false }
    }
}

fn all() -> Vec<Guarded> {
    operations(&api::description())
}

fn a_day() -> NewToken {
    NewToken { days: Some(1), ..NewToken::default() }
}

async fn everybody(plan: &Plan) -> Vec<Caller> {
    let mut callers = Vec::new();
    for role in Role::ALL {
        let token = plan.person(role.key(), role).await;
        callers.push(Caller::known(&role.to_string(), token, Some(role)));
    }
    for name in ["without a role", "owner of another subscription", "revoked", "disabled"] {
        plan.create_person(name, false).await;
    }
    plan.subscription("Fabrikam", Some("owner of another subscription")).await;
    for name in ["without a role", "owner of another subscription"] {
        callers.push(Caller::known(name, plan.create_token(name, a_day()).await.1, None));
    }

    let (by, now) = (By::operator(), plan.now());
    plan.bind("revoked", Role::Owner).await;
    let (id, revoked) = plan.create_token("revoked", a_day()).await;
    plan.store.end_credential(CredentialKind::Token, "revoked", &id, &by, now).await.unwrap();
    plan.bind("disabled", Role::Owner).await;
    let (_, disabled) = plan.create_token("disabled", a_day()).await;
    plan.store.set_disabled("disabled", true, &by, now).await.unwrap();
    plan.move_to(now.plus(-24 * HOUR));
    let (_, expired) = plan.create_token("owner", a_day()).await;
    plan.move_to(now);
    callers.extend([
        Caller::unknown("revoked", Some(revoked)),
        Caller::unknown("disabled", Some(disabled)),
        Caller::unknown("expired", Some(expired)),
        Caller::unknown("nobody", None),
        Caller::unknown("forger", Some("nct_x".to_owned())),
    ]);
    callers
}

#[test]
fn every_operation_says_who_may_call_it() {
    for operation in all() {
        assert!(operation.access.is_some(), "{} {}", operation.method, operation.path);
    }
    let used: BTreeSet<&str> = all().iter().map(|o| o.access.unwrap().key()).collect();
    for access in
        [Access::Account, Access::SignedIn, Access::Sensor, Access::Enrolment, Access::Action(Action::View)]
    {
        assert!(used.contains(access.key()), "{}", access.key());
    }
}

async fn everybody_may_call_exactly_what_the_matrix_says(plan: Plan) {
    let callers = everybody(&plan).await;
    for Guarded { method, path, access } in all() {
        let url = url(&plan, &path, "0");
        for caller in &callers {
            let mut request = plan.client.request(method.clone(), format!("{url}?dry_run=true"));
            if let Some(token) = &caller.token {
                request = request.bearer_auth(token);
            }
            if method != Method::GET {
                request = request.json(&json!({}));
            }
            let answer = send(request).await;
            let what = format!("{} {method} {path}: {answer:?}", caller.name);
            assert!(!answer.status.is_server_error(), "{what}");
            check(&answer, access.unwrap(), caller, path.contains("{sid}"), &what);
        }
    }
}

/// Asserts that the answer is the one for this caller. `on_one` says whether the path is below a subscription.
fn check(answer: &Answer, access: Access, caller: &Caller, on_one: bool, what: &str) {
    let problem = answer.problem();
    let unseen = problem == (404, "not-found")
        && answer.body["detail"].as_str().unwrap().starts_with("there is no subscription");
    let let_in = answer.status != 401 && problem != (403, "not-permitted") && !unseen;
    match access {
        Access::Sensor => assert_eq!(problem, (401, "bad-sensor-key"), "{what}"),
        Access::Enrolment => assert_eq!(problem, (400, "invalid-request"), "{what}"),
        _ if !caller.known => assert_eq!(problem, (401, "unauthenticated"), "{what}"),
        Access::Account | Access::SignedIn => assert!(let_in, "{what}"),
        Access::Action(action) => {
            // Only a global admin has a role on the installation as a whole.
            let role = caller.role.filter(|role| on_one || *role == Role::GlobalAdmin);
            let may = role.is_some_and(|role| action.allowed(&[role]));
            assert_eq!(let_in, may, "{what}");
            if on_one && role.is_none() {
                assert!(unseen, "{what}");
            } else if !may {
                let named: Vec<&str> = action.roles().iter().map(|role| role.key()).collect();
                assert_eq!(problem, (403, "not-permitted"), "{what}");
                assert_eq!(answer.body["roles"], json!(named), "{what}");
            }
        }
    }
}

/// The URL of a route. `other` stands for each parameter but the subscription.
fn url(plan: &Plan, path: &str, other: &str) -> String {
    let part = |part| match part {
        "{sid}" => plan.sid.as_str(),
        part if part.starts_with('{') => other,
        part => part,
    };
    let parts: Vec<&str> = path.split('/').map(part).collect();
    format!("{}{}", plan.url, parts.join("/"))
}

fn cancel(sid: &SubscriptionId) -> String {
    format!("/subscriptions/{sid}/plan/cancel")
}

async fn a_token_with_a_role_has_no_other_rights_of_its_person(plan: Plan) {
    let fabrikam = plan.subscription("Fabrikam", Some("owner")).await;
    let reader = NewToken { role: Some(Role::Reader), ..NewToken::default() };
    let (_, reader) = plan.create_token("owner", reader).await;
    let timeline = format!("/subscriptions/{fabrikam}/plan");
    send(plan.api_as(&reader, Method::GET, &timeline)).await.succeeds(200);
    let denied = plan.api(&reader, Method::POST, &cancel(&fabrikam), json!({})).await;
    let denied = denied.fails(403, "not-permitted");
    assert!(denied["detail"].as_str().unwrap().starts_with("this token permits less"), "{denied}");
}

async fn a_token_for_one_subscription_sees_no_other(plan: Plan) {
    let fabrikam = plan.subscription("Fabrikam", Some("owner")).await;
    let one = NewToken { subscription: Some(plan.sid.to_string()), ..NewToken::default() };
    let (_, one) = plan.create_token("owner", one).await;
    plan.api(&one, Method::POST, &cancel(&plan.sid), json!({})).await.fails(409, "no-plan");
    let timeline = format!("/subscriptions/{fabrikam}/plan");
    send(plan.api_as(&one, Method::GET, &timeline)).await.fails(404, "not-found");
    let seen = send(plan.api_as(&one, Method::GET, "/subscriptions")).await.body;
    assert_eq!(seen["subscriptions"].as_array().unwrap().len(), 1);
}

async fn a_token_with_limits_neither_sees_nor_changes_the_account_of_its_person(plan: Plan) {
    let reader = NewToken { role: Some(Role::Reader), ..NewToken::default() };
    let one = NewToken { subscription: Some(plan.sid.to_string()), ..NewToken::default() };
    for limited in [reader, one] {
        let (_, limited) = plan.create_token("owner", limited).await;
        for Guarded { method, path, .. } in all().into_iter().filter(|o| o.access == Some(Access::Account)) {
            let request = plan.client.request(method, url(&plan, &path, "0")).bearer_auth(&limited);
            let refused = send(request.json(&json!({}))).await.fails(403, "not-permitted");
            assert!(refused["detail"].as_str().unwrap().starts_with("this token is limited"), "{refused}");
        }
        for path in ["/account", "/account/tokens", "/account/password"] {
            let form = "name=x&current=a&new=b";
            let post =
                plan.client.post(format!("{}{path}", plan.url)).header("sec-fetch-site", "same-origin");
            let post = post.bearer_auth(&limited).header(header::CONTENT_TYPE, FORM).body(form);
            let page = if path == "/account" {
                Page::read(plan.client.get(format!("{}{path}", plan.url)).bearer_auth(&limited)).await
            } else {
                Page::read(post).await
            };
            page.assert(403, "this token is limited");
        }
    }
    assert!(!plan.installation_trail_of("denied").await.is_empty(), "what it tried to change is recorded");
}

async fn a_token_creates_no_token_that_lives_longer(plan: Plan) {
    let (_, short) = plan.create_token("owner", NewToken { days: Some(2), ..NewToken::default() }).await;
    let longer = json!({"name": "x", "days": 3});
    plan.api(&short, Method::POST, "/account/tokens", longer).await.fails(403, "wider-token");
    let narrower = json!({"name": "x", "role": "R", "subscription": plan.sid, "days": 1});
    plan.api(&short, Method::POST, "/account/tokens", narrower).await.succeeds(201);
}

/// The console's routes that change something, as its router names them.
fn console_writes() -> Vec<String> {
    let code = include_str!("../../src/plan/http/console/mod.rs");
    let (tenant, rest) = code.split_once("let tenant").unwrap().1.split_once(";\n    Router::new()").unwrap();
    let of = |text: &str, base: &str| {
        let routes = text.split(".route(\"").skip(1).filter(|route| route.contains("post("));
        routes.map(|route| format!("{base}{}", route.split('"').next().unwrap())).collect::<Vec<_>>()
    };
    let mut all = of(tenant, "/subscriptions/{sid}");
    all.extend(of(rest, ""));
    all
}

#[test]
fn the_routes_of_the_console_that_change_something_are_found() {
    let writes = console_writes();
    for known in ["/login", "/logout", "/setup/{link}", "/account/tokens", "/subscriptions/{sid}/roles"] {
        assert!(writes.iter().any(|path| path == known), "{known} in {writes:?}");
    }
}

#[tokio::test]
async fn the_console_takes_no_form_of_another_site_or_of_unknown_origin() {
    let plan = Plan::start().await;
    let session = plan.issue(CredentialKind::Session, Some("owner")).await;
    let setup = plan.issue(CredentialKind::Setup, None).await;
    let rows = plan.audit_rows().await;
    for path in console_writes() {
        let url = url(&plan, &path, &setup);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("x-nothing", "x"),
        ] {
            let form = "name=a&password=a+long+enough+password&person=a&role=R&current=a&new=b&kind=trial";
            let request = plan.client.post(&url).header(header::COOKIE, format!("netcensus={session}"));
            let request = request.header(header::CONTENT_TYPE, FORM).body(form);
            let page = Page::read(request.header(name, value)).await;
            let refused = page.status == 403 && page.html.contains("another site");
            assert!(refused, "{path} {name}: {} {}", page.status, page.html);
        }
    }
    // Each attempt is recorded as a denial, once a minute. Nothing else is written.
    let added = usize::try_from(plan.audit_rows().await - rows).unwrap();
    let trail = plan.store.trail(None, &Default::default(), 500).await.unwrap();
    assert!(added > 0 && trail.iter().take(added).all(|entry| entry.action == "denied"));
}

#[tokio::test]
async fn a_text_that_cannot_be_an_id_names_nothing() {
    let plan = Plan::start().await;
    plan.create_person("admin", true).await;
    let admin = plan.issue_token("admin").await;
    for token in [&admin, &plan.token] {
        let get = async |path: String| send(plan.api_as(token, Method::GET, &path)).await;
        // A subscription is found by its id alone, never by its name.
        get("/subscriptions/Contoso".to_owned()).await.fails(404, "not-found");
        get("/subscriptions/a%20b/plan".to_owned()).await.fails(404, "not-found");
        get(format!("/subscriptions/{}/sensors/a%20b", plan.sid)).await.fails(404, "not-found");
        // Nobody is asked for a right on the installation because the path cannot be read.
        get(format!("/subscriptions/{}/devices/%FF", plan.sid)).await.fails(400, "invalid-request");
    }
}
