//! Who may call which route: every operation of the description, by everybody.

use std::collections::BTreeSet;

use netcensus::plan::http::api;
use netcensus::plan::http::guard::{Access, Guarded, operations};
use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::{By, CredentialKind, NewToken};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send};

/// Everybody who may knock: what they present, and their role on the subscription.
struct Knocker {
    name: String,
    token: Option<String>,
    role: Option<Role>,
    /// Whether the token is good.
    known: bool,
}

fn all() -> Vec<Guarded> {
    operations(&api::description())
}

async fn everybody(plan: &Plan) -> Vec<Knocker> {
    let mut out = Vec::new();
    for role in Role::ALL {
        let token = plan.person(role.key(), role).await;
        out.push(Knocker { name: role.to_string(), token: Some(token), role: Some(role), known: true });
    }
    let (by, now) = (By::operator(), plan.clock_now());
    let mut outsider = async |name: &str, known| {
        plan.store.create_person(name, "a long enough password", false, &by, now).await.unwrap();
        let new = NewToken { name: "t".into(), days: Some(1), ..NewToken::default() };
        let made = plan.store.create_token(name, &new, None, &by, now).await.unwrap();
        out.push(Knocker { name: name.to_owned(), token: Some(made.secret), role: None, known });
        made.id
    };
    outsider("without a role", true).await;
    outsider("owner of another subscription", true).await;
    let revoked = outsider("revoked", false).await;
    outsider("disabled", false).await;
    plan.store
        .create_subscription("Fabrikam", Some("owner of another subscription"), &by, now)
        .await
        .unwrap();
    plan.bind("revoked", Role::Owner).await;
    plan.bind("disabled", Role::Owner).await;
    plan.store.end_credential(CredentialKind::Token, "revoked", &revoked, &by, now).await.unwrap();
    plan.store.set_disabled("disabled", true, &by, now).await.unwrap();
    let expired = plan
        .store
        .create_token(
            "owner",
            &NewToken { name: "t".into(), days: Some(1), ..NewToken::default() },
            None,
            &by,
            now.plus(-86_400_000_000_000),
        )
        .await
        .unwrap();
    for (name, token) in
        [("expired", Some(expired.secret)), ("nobody", None), ("forger", Some("nct_x".to_owned()))]
    {
        out.push(Knocker { name: name.to_owned(), token, role: None, known: false });
    }
    out
}

#[test]
fn every_operation_tells_who_may_call_it() {
    for operation in all() {
        assert!(operation.access.is_some(), "{} {}", operation.method, operation.path);
    }
    let used: BTreeSet<&str> = all().iter().map(|o| o.access.unwrap().key()).collect();
    for access in [Access::Account, Access::Sensor, Access::Enrolment, Access::Action(Action::View)] {
        assert!(used.contains(access.key()), "{}", access.key());
    }
}

on_both_stores! {
    async fn everybody_may_call_exactly_what_the_matrix_says(plan: Plan) {
        let knockers = everybody(&plan).await;
        for Guarded { method, path, access } in all() {
            let url = url(&plan, &path, "0");
            for knocker in &knockers {
                let mut request = plan.client.request(method.clone(), format!("{url}?dry_run=true"));
                if let Some(token) = &knocker.token {
                    request = request.bearer_auth(token);
                }
                if method != Method::GET {
                    request = request.json(&json!({}));
                }
                let answer = send(request).await;
                let what = format!("{} {method} {path}: {} {}", knocker.name, answer.0, answer.1);
                assert!(!answer.0.is_server_error(), "{what}");
                expect(&answer, access.unwrap(), knocker, path.contains("{sid}"), &what);
            }
        }
    }
}

fn expect(answer: &(StatusCode, Value), access: Access, knocker: &Knocker, on_one: bool, what: &str) {
    let unseen = problem(answer) == (404, "not-found")
        && answer.1["detail"].as_str().unwrap().starts_with("there is no subscription");
    let let_in = answer.0 != 401 && problem(answer) != (403, "not-permitted") && !unseen;
    match access {
        Access::Sensor => assert_eq!(problem(answer), (401, "bad-sensor-key"), "{what}"),
        Access::Enrolment => assert_eq!(problem(answer), (400, "invalid-request"), "{what}"),
        _ if !knocker.known => assert_eq!(problem(answer), (401, "unauthenticated"), "{what}"),
        Access::Account => assert!(let_in, "{what}"),
        Access::Action(action) => {
            // On the tenant as a whole, only a global admin has a role.
            let role = knocker.role.filter(|role| on_one || *role == Role::GlobalAdmin);
            let may = role.is_some_and(|role| action.allowed(&[role]));
            assert_eq!(let_in, may, "{what}");
            if on_one && role.is_none() {
                assert!(unseen, "{what}");
            } else if !may {
                let named: Vec<&str> = action.roles().iter().map(|role| role.key()).collect();
                assert_eq!(
                    (problem(answer), &answer.1["roles"]),
                    ((403, "not-permitted"), &json!(named)),
                    "{what}"
                );
            }
        }
    }
}

fn url(plan: &Plan, path: &str, other: &str) -> String {
    let mut out = plan.url.clone();
    for part in path.split('/').skip(1) {
        out.push('/');
        out.push_str(match part {
            "{sid}" => &plan.sid,
            part if part.starts_with('{') => other,
            part => part,
        });
    }
    out
}

on_both_stores! {
    async fn a_token_does_no_more_than_it_is_kept_to(plan: Plan) {
        let (by, now) = (By::operator(), plan.clock_now());
        let fabrikam = plan.store.create_subscription("Fabrikam", Some("owner"), &by, now).await.unwrap().id;
        let make = async |role, subscription: Option<&str>| {
            let subscription = subscription.map(str::to_owned);
            let new = NewToken { name: "t".into(), role, subscription, ..NewToken::default() };
            plan.store.create_token("owner", &new, None, &by, now).await.unwrap().secret
        };
        let ask = async |method: Method, path: &str, token: &str, body: Value| {
            let request = plan.client.request(method, format!("{}/api/v1{path}", plan.url)).bearer_auth(token);
            send(request.json(&body)).await
        };
        let cancel = |sid: &str| format!("/subscriptions/{sid}/plan/cancel");
        let reader = make(Some(Role::Reader), None).await;
        assert_eq!(ask(Method::GET, &format!("/subscriptions/{fabrikam}/plan"), &reader, json!({})).await.0, 200);
        let denied = ask(Method::POST, &cancel(&fabrikam), &reader, json!({})).await;
        assert_eq!(problem(&denied), (403, "not-permitted"));
        assert!(denied.1["detail"].as_str().unwrap().starts_with("this token is kept to less"), "{}", denied.1);

        let one = make(None, Some(&plan.sid)).await;
        assert_eq!(problem(&ask(Method::POST, &cancel(&plan.sid), &one, json!({})).await), (409, "no-plan"));
        let other = ask(Method::GET, &format!("/subscriptions/{fabrikam}/plan"), &one, json!({})).await;
        assert_eq!(problem(&other), (404, "not-found"));
        let seen = ask(Method::GET, "/subscriptions", &one, json!({})).await.1;
        assert_eq!(seen["subscriptions"].as_array().unwrap().len(), 1);

        // A token makes no wider one.
        let tokens = "/account/tokens";
        for wider in [json!({"name": "x"}), json!({"name": "x", "role": "SA"})] {
            assert_eq!(problem(&ask(Method::POST, tokens, &reader, wider).await), (403, "wider-token"));
        }
        let longer = json!({"name": "x", "role": "R", "days": 91});
        assert_eq!(problem(&ask(Method::POST, tokens, &reader, longer).await), (403, "wider-token"));
        let narrower = json!({"name": "x", "role": "R", "subscription": plan.sid, "days": 1});
        assert_eq!(ask(Method::POST, tokens, &reader, narrower).await.0, 201);
        let beyond = json!({"name": "x", "subscription": fabrikam, "days": 1});
        assert_eq!(problem(&ask(Method::POST, tokens, &one, beyond).await), (404, "not-found"));
    }
}

/// The routes of the console that change something, as its router names them.
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

#[tokio::test]
async fn no_form_of_the_console_is_taken_from_another_site_or_from_nowhere() {
    let plan = Plan::start().await;
    let now = plan.clock_now();
    let session = plan.store.issue(CredentialKind::Session, Some("owner"), now).await.unwrap().secret;
    let setup = plan.store.issue(CredentialKind::Setup, None, now).await.unwrap().secret;
    let writes = console_writes();
    for known in ["/login", "/logout", "/setup/{link}", "/account/tokens", "/subscriptions/{sid}/roles"] {
        assert!(writes.iter().any(|path| path == known), "{known} in {writes:?}");
    }
    let rows = plan.audit_rows().await;
    for path in writes {
        let url = url(&plan, &path, &setup);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("x-nothing", "x"),
        ] {
            let request = plan.client.post(&url).header(header::COOKIE, format!("netcensus={session}"));
            let form = "name=a&password=a+long+enough+password&person=a&role=R&current=a&new=b&kind=trial";
            let request =
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
            let answer = request.header(name, value).send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status == 403 && text.contains("another site"), "{path} {name}: {status} {text}");
        }
    }
    // Each is recorded, once a minute, as a denial: nothing else was written.
    let filter = netcensus::plan::store::trail::TrailFilter::default();
    let trail = plan.store.trail(None, &filter, 500).await.unwrap();
    let added = usize::try_from(plan.audit_rows().await - rows).unwrap();
    assert!(added > 0 && trail.iter().take(added).all(|entry| entry.action == "denied"));
}
