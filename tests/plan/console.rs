//! The console: what a browser gets, whoever asks and whatever devices call themselves.

use netcensus::plan::permission::Role;
use netcensus::plan::store::CredentialKind;
use reqwest::{RequestBuilder, Response, StatusCode, header};

use crate::harness::{Plan, upload};

const HOSTILE: &str = "iot-<img src=x onerror=alert(1)>\"'&";

/// A browser that signed in by a one-time link.
struct Browser<'a> {
    plan: &'a Plan,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn sign_in(plan: &'a Plan) -> Self {
        let link = plan.store.issue(CredentialKind::Login, Some("owner"), plan.clock_now()).await.unwrap();
        let answer = plan.client.get(format!("{}/login/{}", plan.url, link.secret)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = cookie_of(&answer);
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        Self { plan, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    fn page(&self, path: &str) -> String {
        format!("{}/subscriptions/{}{path}", self.plan.url, self.plan.sid)
    }

    async fn get(&self, url: &str) -> (StatusCode, header::HeaderMap, String) {
        read(self.plan.client.get(url).header(header::COOKIE, &self.cookie)).await
    }

    async fn post(&self, path: &str, form: &str) -> (StatusCode, header::HeaderMap, String) {
        read(self.form(path, form).header(header::ORIGIN, &self.plan.url)).await
    }

    fn form(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.plan.client.post(self.page(path)).header(header::COOKIE, &self.cookie);
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned())
    }
}

async fn read(request: RequestBuilder) -> (StatusCode, header::HeaderMap, String) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
}

fn cookie_of(answer: &Response) -> String {
    answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
}

async fn with_a_hostile_device() -> Plan {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    let seen = [("00:40:8c:00:00:01", "10.0.0.1", HOSTILE, "2026-11-22T08:00:00Z")];
    assert_eq!(plan.upload(&sensor, &upload(1, "default", &seen)).await.0, 201);
    plan
}

#[tokio::test]
async fn every_page_has_the_strict_policy_and_nothing_inline() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let id = plan.get("/devices").await["devices"][0]["id"].as_str().unwrap().to_owned();
    let own = ["", "/devices", "/plan", "/sensors"].map(|p| browser.page(p));
    let others = ["/subscriptions", "/login", "/problems", "/problems/plan-active", "/nowhere"];
    let mut pages: Vec<String> = own.into_iter().chain(others.map(|p| format!("{}{p}", plan.url))).collect();
    pages.push(browser.page(&format!("/devices/{id}")));
    for url in pages {
        let (status, headers, html) = browser.get(&url).await;
        let expected = if url.ends_with("/nowhere") { 404 } else { 200 };
        assert_eq!(status, expected, "{url}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{url}: {policy}"
        );
        for part in ["base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'", "connect-src 'self'"]
        {
            assert!(policy.contains(part), "{url}: {policy}");
        }
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        for inline in ["style=", "onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!html.contains(inline), "{url} has {inline}");
        }
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/assets/").count(), "{url}");
        assert!(html.contains("<html lang=\"en\">") && html.contains("<h1>"), "{url}");
    }
}

#[tokio::test]
async fn what_devices_call_themselves_is_escaped() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let id = plan.get("/devices").await["devices"][0]["id"].as_str().unwrap().to_owned();
    let query = "?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22";
    for path in ["/devices".to_owned(), format!("/devices{query}"), format!("/devices/{id}")] {
        let (status, _, html) = browser.get(&browser.page(&path)).await;
        assert_eq!(status, 200, "{path}");
        assert!(html.contains("onerror=alert(1)"), "{path} shows the name");
        assert!(!html.contains("<img src=x"), "{path}");
    }
}

#[tokio::test]
async fn numbers_on_the_page_are_those_of_the_api() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let (_, _, html) = browser.get(&browser.page("")).await;
    assert!(html.contains("C-IOT\"><b>1</b>"), "{html}");
    assert!(html.contains("<b>100</b><span>to commit"), "{html}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_the_form_and_assets_are_free() {
    let plan = Plan::start().await;
    for path in [
        "/",
        "/subscriptions",
        &format!("/subscriptions/{}", plan.sid),
        &format!("/subscriptions/{}/plan", plan.sid),
    ] {
        let (status, headers, _) = read(plan.client.get(format!("{}{path}", plan.url))).await;
        assert_eq!((status.as_u16(), headers[header::LOCATION].to_str().unwrap()), (303, "/login"), "{path}");
    }
    for (path, kind) in [
        ("/assets/console.css", "text/css"),
        ("/assets/console.js", "text/javascript"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let (status, headers, _) = read(plan.client.get(format!("{}{path}", plan.url))).await;
        assert_eq!(status, 200, "{path}");
        assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with(kind), "{path}");
        let known = plan
            .client
            .get(format!("{}{path}", plan.url))
            .header(header::IF_NONE_MATCH, &headers[header::ETAG]);
        assert_eq!(read(known).await.0, 304, "{path}");
    }
    assert_eq!(read(plan.client.get(format!("{}/assets/demo.pcap.zst", plan.url))).await.0, 404);
}

#[tokio::test]
async fn the_first_administrator_is_made_by_a_link_that_works_once() {
    let plan = Plan::start().await;
    let link = plan.store.issue(CredentialKind::Setup, None, plan.clock_now()).await.unwrap().secret;
    let url = format!("{}/setup/{link}", plan.url);
    assert_eq!(read(plan.client.get(&url)).await.0, 200);
    assert_eq!(read(plan.client.get(format!("{url}x"))).await.0, 404);
    let send = |password: &str| {
        let form = format!("name=root&password={password}");
        let request = plan.client.post(&url).header(header::ORIGIN, &plan.url);
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
    };
    assert_eq!(read(send("short")).await.0, 422);
    let made = send("a+long+enough+password").send().await.unwrap();
    assert_eq!(made.status(), 303);
    let cookie = cookie_of(&made);
    let home = plan.client.get(&plan.url).header(header::COOKIE, cookie.split(';').next().unwrap());
    assert_eq!(read(home).await.1[header::LOCATION], format!("/subscriptions/{}", plan.sid));
    assert_eq!(read(plan.client.get(&url)).await.0, 404);
    assert_eq!(read(send("a+long+enough+password")).await.0, 404);

    let login = |password: &str| {
        let form = format!("name=root&password={password}");
        let request = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
        read(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form))
    };
    assert_eq!(login("a+long+enough+password").await.0, 303);
    let (status, _, html) = login("a+wrong+password").await;
    assert!(status == 422 && html.contains("is wrong"));
}

#[tokio::test]
async fn forms_onboard_cancel_and_keep_a_plan_and_say_what_is_wrong() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let (status, _, html) = browser.post("/plan", "kind=monthly&devices=1650&accept_terms=yes").await;
    assert!(status == 422 && html.contains("commit 1700"), "{html}");
    let (status, headers, _) = browser.post("/plan", "kind=monthly&devices=1%2C700&accept_terms=yes").await;
    assert_eq!(
        (status.as_u16(), headers[header::LOCATION].to_str().unwrap().ends_with("/plan")),
        (303, true)
    );
    assert_eq!(plan.get("/plan").await["plan"]["committed"], 1700);
    assert_eq!(browser.post("/plan/cancel", "").await.0, 303);
    let (_, _, html) = browser.get(&browser.page("/plan")).await;
    assert!(html.contains("2026-11-22 10:00:00 UTC") && html.contains("Withdraw"), "{html}");
    assert_eq!(browser.post("/plan/withdraw", "").await.0, 303);
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
    let (status, _, html) = browser.post("/plan/replace", "kind=annual&devices=2050&accept_terms=yes").await;
    assert!(status == 422 && html.contains("commit 2100") && html.contains("Replace the plan"), "{html}");
    assert_eq!(browser.post("/plan/replace", "kind=annual&devices=2100&accept_terms=yes").await.0, 303);
    let (_, _, html) = browser.get(&browser.page("/plan")).await;
    assert!(html.contains("Then follows: annual plan for 2,100 committed devices"), "{html}");
    assert_eq!(browser.post("/plan/withdraw", "").await.0, 303);
    assert_eq!(plan.get("/plan").await["history"][1]["status"], "withdrawn");
}

#[tokio::test]
async fn another_sites_form_and_a_reader_change_nothing() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let form = "kind=trial&accept_terms=yes";
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-nothing", "x")]
    {
        let (status, ..) = read(browser.form("/plan", form).header(name, value)).await;
        assert_eq!(status, 403, "{name}");
    }
    let reader = plan.person("reader", Role::Reader).await;
    let request = browser.form("/plan", form).header(header::AUTHORIZATION, format!("Bearer {reader}"));
    assert_eq!(read(request).await.0, 403);
    assert_eq!(plan.get("/plan").await["history"], serde_json::json!([]));
}

#[tokio::test]
async fn forms_edit_and_delete_a_device_that_is_as_the_page_showed_it() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let id = plan.get("/devices").await["devices"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/devices/{id}");
    let tag_of = |html: &str| {
        let (_, rest) = html.split_once("name=\"tag\" value=\"").unwrap();
        rest.split('"').next().unwrap().replace("&#34;", "%22").replace("&quot;", "%22")
    };
    let (_, _, html) = browser.get(&browser.page(&path)).await;
    let tag = tag_of(&html);
    let form = format!(
        "tag={tag}&name=%3Db%3E&type=camera&category=&location=Roof&tags=a%2C+b&importance=high&reason=moved"
    );
    let (status, headers, html) = browser.post(&format!("{path}/edit"), &form).await;
    assert_eq!(status, 303, "{html}");
    assert!(headers[header::LOCATION].to_str().unwrap().ends_with(&path));
    let device = plan.get(&path).await;
    assert_eq!((&device["name"], &device["type"]), (&serde_json::json!("=b>"), &serde_json::json!("camera")));
    assert_eq!(
        (&device["tags"], &device["location"]),
        (&serde_json::json!(["a", "b"]), &serde_json::json!("Roof"))
    );
    assert_eq!(plan.get("/changes/1").await["reason"], "moved");
    let (status, _, html) = browser.post(&format!("{path}/edit"), &form).await;
    assert!(status == 412 && html.contains("It was changed meanwhile"), "{html}");
    let (_, _, html) = browser.get(&browser.page(&path)).await;
    let form = format!("tag={}&type=toaster9", tag_of(&html));
    let (status, _, html) = browser.post(&format!("{path}/edit"), &form).await;
    assert!(status == 422 && html.contains("is no type of the taxonomy"), "{html}");
    let (_, _, html) = browser.get(&browser.page(&path)).await;
    assert!(html.contains("type set by owner at") && html.contains("value=\"camera\" selected"), "{html}");
    let (status, ..) = browser.post(&format!("{path}/delete"), &format!("tag={}", tag_of(&html))).await;
    assert_eq!((status.as_u16(), plan.get("/census").await["billable"].as_u64()), (303, Some(0)));
    let (_, _, html) = browser.get(&browser.page(&path)).await;
    assert!(html.contains("not counted: deleted, and no traffic since"), "{html}");
    let reader = plan.person("reader", Role::Reader).await;
    for form in ["edit", "delete"] {
        let request = browser.form(&format!("{path}/{form}"), "tag=%2A");
        assert_eq!(read(request.header(header::AUTHORIZATION, format!("Bearer {reader}"))).await.0, 403);
        let (status, ..) = read(browser.form(&format!("{path}/{form}"), "tag=%2A")).await;
        assert_eq!(status, 403, "no page of this service sent it");
    }
}

#[tokio::test]
async fn a_list_keeps_its_filters_and_leads_to_the_same_list_as_a_file() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let (_, _, html) =
        browser.get(&browser.page("/devices?category=iot&zone=default&sort=-last_seen&q=img")).await;
    for part in [
        "name=\"category\" value=\"iot\"",
        "name=\"zone\" value=\"default\"",
        "name=\"sort\" value=\"-last_seen\"",
        "devices?category=network&#38;zone=default&#38;q=img&#38;sort=-last_seen",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let (_, rest) = html.split_once("Export <a href=\"").unwrap();
    let link = rest.split('"').next().unwrap().replace("&#38;", "&");
    let (status, headers, csv) = browser.get(&format!("{}{link}", plan.url)).await;
    assert_eq!((status.as_u16(), csv.lines().count()), (200, 2), "{csv}");
    assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains("devices.csv"));
}

#[tokio::test]
async fn an_open_page_is_told_of_an_upload() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let request = plan.client.get(browser.page("/events")).header(header::COOKIE, &browser.cookie);
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    let hello = stream.chunk().await.unwrap().unwrap();
    assert!(hello.starts_with(b"event: hello"));
    let sensor = plan.enrol().await;
    let seen = [("00:40:8c:00:00:02", "10.0.0.2", "iot-b", "2026-11-22T08:00:00Z")];
    plan.upload(&sensor, &upload(1, "default", &seen)).await;
    let change = stream.chunk().await.unwrap().unwrap();
    assert!(change.starts_with(b"event: change"), "{change:?}");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let out = plan.client.post(format!("{}/logout", plan.url)).header(header::COOKIE, &browser.cookie);
    assert_eq!(read(out.header(header::ORIGIN, &plan.url)).await.0, 303);
    assert_eq!(browser.get(&browser.page("/plan")).await.0, 303);
}

#[tokio::test]
async fn a_stop_ends_open_event_streams_cleanly() {
    let mut plan = Plan::start().await;
    let (url, cookie) = {
        let browser = Browser::sign_in(&plan).await;
        (browser.page("/events"), browser.cookie)
    };
    let mut stream = plan.client.get(url).header(header::COOKIE, cookie).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    plan.restart().await;
    assert!(stream.chunk().await.unwrap().is_none(), "the stream was ended, not cut");
}
