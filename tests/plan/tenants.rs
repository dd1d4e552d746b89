//! What strangers and other tenants try against an account, a subscription or the service, and what becomes of it.

use netcensus::plan::app::AccessSettings;
use netcensus::plan::app::inventory::CountAt;
use reqwest::header;

use crate::support::browser::{FORM, Page};
use crate::support::people::PASSWORD;
use crate::support::{Backend, Plan};

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
    let forged = format!("{}0", &known[..known.len() - 1]);
    let forged = if forged == known { format!("{}1", &known[..known.len() - 1]) } else { forged };
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
