//! What strangers and other tenants try against an account, a subscription or the service, and what becomes of it.

use netcensus::census::Sign;
use netcensus::plan::app::AccessSettings;
use netcensus::plan::app::inventory::CountAt;
use netcensus::plan::permission::Role;
use netcensus::plan::secret;
use netcensus::plan::store::{Answer as KeptAnswer, Claim};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::browser::{Browser, FORM, Page};
use crate::support::databases::on_each_database;
use crate::support::people::PASSWORD;
use crate::support::seen::upload_of;
use crate::support::{Backend, HOUR, Plan, Seen, assert_has, send};

on_each_database! {
    a_clock_that_is_years_ahead_makes_no_device_immortal,
    an_upload_of_the_future_is_the_same_upload_when_it_is_sent_again,
    a_service_whose_clock_falls_back_takes_no_times_down,
    a_257th_zone_is_refused_and_the_others_go_on,
    a_sensor_adds_to_no_more_than_eight_zones,
    refused_requests_fill_a_trail_by_a_bounded_number_a_day,
    kept_answers_of_one_person_are_bounded_and_drop_none_of_others,
    owners_are_told_of_a_role_that_a_global_admin_gave_themself,
}

async fn status(plan: &Plan, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let request = plan.client.get(format!("{}{path}", plan.url));
    let answer =
        send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await;
    (answer.status.as_u16(), answer.body["type"].clone())
}

/// A service behind a proxy on this machine, so that a test can come from any address.
async fn behind_a_proxy() -> Plan {
    let trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let access = AccessSettings { trusted_proxies, ..AccessSettings::default() };
    Plan::start_with(Backend::Sqlite, CountAt::Now, |_| access).await
}

/// Sends the form of the sign-in page from an address, with the cookies that the browser has.
async fn login(plan: &Plan, address: &str, cookies: &str, password: &str) -> Page {
    let request = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
    let request = request.header("x-forwarded-for", address).header(header::COOKIE, cookies);
    let form = format!("name=owner&password={}", password.replace(' ', "+"));
    Page::read(request.header(header::CONTENT_TYPE, FORM).body(form)).await
}

/// The cookie by which a browser is known after a sign-in.
fn marker(page: &Page) -> String {
    let cookies = page.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
    let known = cookies.filter(|cookie| cookie.starts_with("netcensus-known=")).collect::<Vec<_>>();
    assert!(known.len() == 1 && known[0].contains("; HttpOnly; SameSite=Strict"), "{known:?}");
    known[0].split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn ten_wrong_passwords_hold_back_their_address_and_tell_it_how_long() {
    let plan = behind_a_proxy().await;
    for _ in 0..10 {
        assert_eq!(login(&plan, "203.0.113.9", "", "a wrong password").await.status, 422);
    }
    let page = login(&plan, "203.0.113.9", "", PASSWORD).await;
    page.assert(429, "Too many requests");
    assert_eq!(page.header(header::RETRY_AFTER), "31");
    assert_eq!(login(&plan, "192.0.2.7", "", PASSWORD).await.status, 303, "the owner, elsewhere");
    plan.set_time("2026-11-22T09:00:31Z");
    assert_eq!(login(&plan, "203.0.113.9", "", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_browser_in_which_a_person_signed_in_is_not_held_back_by_strangers_of_its_address() {
    let plan = behind_a_proxy().await;
    let known = marker(&login(&plan, "203.0.113.9", "", PASSWORD).await);
    // Strangers behind the same router use up all attempts of the address.
    for _ in 0..60 {
        login(&plan, "203.0.113.9", "", "a wrong password").await;
    }
    assert_eq!(login(&plan, "203.0.113.9", "", PASSWORD).await.status, 429);
    let mut forged = known.clone();
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    assert_eq!(login(&plan, "203.0.113.9", &forged, PASSWORD).await.status, 429);
    assert_eq!(login(&plan, "203.0.113.9", &known, PASSWORD).await.status, 303);
    // It does not guess without end either.
    let wrong = async || login(&plan, "203.0.113.9", &known, "a wrong password").await.status;
    for _ in 0..9 {
        assert_eq!(wrong().await, 422);
    }
    assert_eq!(wrong().await, 429);
}

#[tokio::test]
async fn a_marker_is_worth_nothing_for_another_account_or_after_half_a_year() {
    let plan = behind_a_proxy().await;
    plan.create_person("mallory", false).await;
    let request = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
    let form = format!("name=mallory&password={}", PASSWORD.replace(' ', "+"));
    let own = marker(&Page::read(request.header(header::CONTENT_TYPE, FORM).body(form)).await);
    let known = marker(&login(&plan, "192.0.2.7", "", PASSWORD).await);
    plan.set_time("2027-05-22T09:00:00Z");
    for _ in 0..10 {
        login(&plan, "203.0.113.9", "", "a wrong password").await;
    }
    for cookie in [own, known] {
        assert_eq!(login(&plan, "203.0.113.9", &cookie, PASSWORD).await.status, 429);
    }
}

#[tokio::test]
async fn metrics_are_shown_on_this_machine_alone() {
    let plan = behind_a_proxy().await;
    assert_eq!(status(&plan, "/metrics", &[]).await.0, 200);
    let elsewhere = (403, json!("/problems/metrics-elsewhere"));
    assert_eq!(status(&plan, "/metrics", &[("x-forwarded-for", "203.0.113.9")]).await, elsewhere);
    // A proxy on this machine that nobody configured.
    let plain = Plan::start().await;
    assert_eq!(status(&plain, "/metrics", &[("x-forwarded-for", "127.0.0.1")]).await, elsewhere);
    assert_eq!(status(&plain, "/metrics", &[("via", "1.1 proxy")]).await, elsewhere);
}

#[tokio::test]
async fn metrics_with_a_token_are_shown_to_those_who_send_it() {
    let metrics_token = Some(secret::hash("a long enough token"));
    let access = AccessSettings { metrics_token, ..AccessSettings::default() };
    let plan = Plan::start_with(Backend::Sqlite, CountAt::Now, |_| access).await;
    let with = async |token: &str| status(&plan, "/metrics", &[("authorization", token)]).await.0;
    assert_eq!(with("Bearer a long enough token").await, 200);
    assert_eq!(with("Bearer another token").await, 401);
    assert_eq!(with(&format!("Bearer {}", plan.token)).await, 401, "a person's token is another");
    assert_eq!(status(&plan, "/metrics", &[]).await.0, 401);
}

#[tokio::test]
async fn a_service_without_https_asks_for_none() {
    let plan = Plan::start().await;
    let page = Page::read(plan.client.get(format!("{}/login", plan.url))).await;
    assert!(!page.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
}

/// What a sensor sees whose clock is 14 years ahead: a device that it saw before, and a new one.
fn of_2040() -> Seen {
    let seen = Seen::default().arp("00:40:8c:00:00:01", "10.9.0.1", "iot-1");
    let (sign, when) = (Sign::ArpAsked, "2040-01-01T00:00:00Z");
    let seen = seen.sign("00:40:8c:00:00:01", "10.9.0.1", "iot-1", sign, when);
    seen.sign("00:40:8c:00:00:02", "10.9.0.2", "iot-2", sign, when)
}

async fn a_clock_that_is_years_ahead_makes_no_device_immortal(plan: Plan) {
    let sensor = plan.ready().await;
    of_2040().send(&plan, &sensor, 1, "hq").await;
    let listed = plan.get("/sensors").await;
    let ahead = listed["sensors"][0]["health"]["clock_ahead"].as_i64().unwrap();
    assert_eq!(ahead, crate::support::at("2040-01-01T00:00:00Z").since(plan.now()) / 1_000_000_000);
    let page = Browser::sign_in(&plan).await.show("/sensors").await;
    page.assert(200, "d ahead</span>");
    plan.set_time("2026-11-22T09:11:00Z");
    assert_eq!(plan.get("/census").await["billable"], 2);
    plan.move_to(plan.now().plus(31 * 24 * HOUR));
    let census = plan.get("/census").await;
    assert_has(&census, json!({"billable": 0, "excluded": {"X-IDLE": 2}}));
}

async fn an_upload_of_the_future_is_the_same_upload_when_it_is_sent_again(plan: Plan) {
    let sensor = plan.ready().await;
    let upload = upload_of(1, "hq", of_2040().0);
    let first = plan.upload(&sensor, &upload).await.succeeds(201);
    plan.move_to(plan.now().plus(HOUR));
    let again = plan.upload(&sensor, &upload).await.succeeds(200);
    assert_eq!((&again["duplicate"], &again["number"]), (&json!(true), &first["number"]));
    // Its times stay those of when it first came, so another service on the database holds the same.
    let inventory = plan.store.inventory(&plan.sid).await.unwrap();
    let latest = crate::support::at("2026-11-22T09:10:00Z");
    assert!(inventory.zones["hq"].couplings.values().all(|coupling| coupling.last_seen == latest));
    assert_eq!(inventory.last_frame(), Some(latest));
}

async fn a_service_whose_clock_falls_back_takes_no_times_down(plan: Plan) {
    let sensor = plan.ready().await;
    let times = ["2026-11-22T11:00:00Z", "2026-11-22T11:00:30Z"];
    let seen = |when| Seen::default().sign("00:40:8c:00:00:01", "10.9.0.1", "iot-1", Sign::ArpAsked, when);
    plan.set_time(times[0]);
    seen(times[0]).send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:30:00Z");
    seen(times[1]).send(&plan, &sensor, 2, "hq").await;
    let inventory = plan.store.inventory(&plan.sid).await.unwrap();
    assert_eq!(inventory.last_frame(), Some(crate::support::at(times[1])));
}

async fn a_257th_zone_is_refused_and_the_others_go_on(plan: Plan) {
    plan.onboard_trial().await;
    let seen = |n: u32| Seen::default().many("iot", n, 1);
    let mut sensors = Vec::new();
    for n in 0..256 {
        if n % 8 == 0 {
            sensors.push(plan.enrol().await);
        }
        seen(n).send(&plan, sensors.last().unwrap(), u64::from(n % 8) + 1, &format!("zone {n}")).await;
    }
    let newcomer = plan.enrol().await;
    let one_more = upload_of(1, "zone 256", seen(256).0);
    plan.upload(&newcomer, &one_more).await.fails(507, "zones-full");
    let inventory = plan.store.inventory(&plan.sid).await.unwrap();
    assert_eq!(inventory.zones.len(), 256, "no part of it is stored");
    plan.upload(&newcomer, &upload_of(1, "zone 0", seen(256).0)).await.succeeds(201);
    seen(257).send(&plan, &sensors[0], 9, "zone 7").await;
}

async fn a_sensor_adds_to_no_more_than_eight_zones(plan: Plan) {
    let (mover, other) = (plan.ready().await, plan.enrol().await);
    Seen::default().many("iot", 0, 1).send(&plan, &other, 1, "lobby").await;
    for n in 1..=8 {
        Seen::default().many("iot", n, 1).send(&plan, &mover, u64::from(n), &format!("zone {n}")).await;
    }
    for zone in ["zone 9", "lobby"] {
        let upload = upload_of(9, zone, Seen::default().many("iot", 9, 1).0);
        plan.upload(&mover, &upload).await.fails(507, "sensor-zones-full");
    }
    Seen::default().many("iot", 9, 1).send(&plan, &mover, 9, "zone 1").await;
}

async fn refused_requests_fill_a_trail_by_a_bounded_number_a_day(plan: Plan) {
    let reader = plan.person("reader", Role::Reader).await;
    let attempt = async |n: u32| {
        let request = plan.request_as(&reader, Method::PUT, &format!("/roles/person-{n}"));
        send(request.json(&json!({"role": "O"}))).await.fails(403, "not-permitted");
    };
    for n in 0..230 {
        attempt(n).await;
    }
    let page = plan.get("/audit?action=denied&limit=500").await;
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["unrecorded"]), (200, &json!(30)));
    // Other rows are not bounded, and a day later the next refusal tells how many have none.
    plan.enrolment_token().await;
    plan.move_to(plan.now().plus(24 * HOUR));
    attempt(230).await;
    let page = plan.get("/audit?action=denied&limit=1").await;
    assert_has(&page["entries"][0], json!({"after": {"action": "bind-roles", "unrecorded": 30}}));
    assert_eq!(page["unrecorded"], 0);
}

async fn kept_answers_of_one_person_are_bounded_and_drop_none_of_others(plan: Plan) {
    let (hoarder, other) = ([1; 32], [2; 32]);
    let answer = || KeptAnswer { status: 200, kind: String::new(), body: vec![b' '; 1 << 20] };
    let keep = async |holder: [u8; 32], key: &str| {
        let claimed = plan.store.claim_key(holder, key, [0; 32], plan.now()).await.unwrap();
        plan.store.keep_answer(holder, key, Some(answer())).await.unwrap();
        plan.advance();
        claimed
    };
    keep(other, "theirs").await;
    for n in 0..16 {
        assert_eq!(keep(hoarder, &n.to_string()).await, Claim::First { dropped: 0 });
    }
    assert_eq!(keep(hoarder, "16").await, Claim::First { dropped: 3 }, "the oldest");
    let again = plan.store.claim_key(hoarder, "16", [0; 32], plan.now()).await.unwrap();
    assert!(matches!(again, Claim::Done(_)));
    let again = plan.store.claim_key(hoarder, "0", [0; 32], plan.now()).await.unwrap();
    assert!(matches!(again, Claim::First { .. }));
    let theirs = plan.store.claim_key(other, "theirs", [0; 32], plan.now()).await.unwrap();
    assert!(matches!(theirs, Claim::Done(_)));
}

async fn owners_are_told_of_a_role_that_a_global_admin_gave_themself(plan: Plan) {
    let admin = plan.admin().await;
    let bind = async |person: &str, role: &str| {
        let request = plan.request_as(&admin, Method::PUT, &format!("/roles/{person}"));
        send(request.json(&json!({"role": role}))).await.succeeds(200);
    };
    bind("admin", "O").await;
    plan.create_person("puppet", false).await;
    let told = plan.get("/admin-grants").await;
    let grant =
        json!({"person": "admin", "role": "O", "granted_by": "admin", "granted_at": "2026-11-22T09:00:00Z"});
    assert_eq!(told["grants"], json!([grant]));
    let browser = Browser::sign_in(&plan).await;
    browser.show("").await.assert(200, "A global admin gave");
    browser.show("/roles").await.assert(200, "admin was given the role owner by admin");
    // They do not confirm their own, and taking the role away does not take back that it was given.
    let seen = async |token: &str| plan.post_as(token, "/admin-grants/seen", Value::Null).await;
    seen(&admin).await.fails(403, "owners-only");
    plan.unbind("admin").await;
    assert_eq!(plan.get("/admin-grants").await["grants"].as_array().unwrap().len(), 1);
    seen(&admin).await.fails(403, "owners-only");
    seen(&plan.token).await.succeeds(204);
    assert_eq!(plan.get("/admin-grants").await["grants"], json!([]));
    assert_eq!(plan.trail_of("role.grants-seen").await.len(), 1);
    let page = browser.show("").await;
    assert!(page.status == 200 && !page.html.contains("A global admin gave"));
}

#[tokio::test]
async fn a_role_that_an_owner_gives_is_no_news_to_owners() {
    let plan = Plan::start().await;
    plan.create_person("alice", false).await;
    let request = plan.request(Method::PUT, "/roles/alice");
    send(request.json(&json!({"role": "C"}))).await.succeeds(200);
    assert_eq!(plan.get("/admin-grants").await["grants"], json!([]));
}
