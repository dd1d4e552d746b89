//! The console: the pages that people with different roles get, and hostile names of devices in pages.

use netcensus::plan::permission::Role;
use netcensus::plan::store::CredentialKind;
use reqwest::header;
use serde_json::json;

use crate::device_table::link;
use crate::support::browser::{Browser, FORM, Page};
use crate::support::{Plan, Seen, assert_has};

const HOSTILE: &str = "iot-<img src=x onerror=alert(1)>\"'&";

pub(crate) async fn with_a_hostile_device() -> Plan {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    Seen::default().arp("00:40:8c:00:00:01", "10.0.0.1", HOSTILE).send(&plan, &sensor, 1, "default").await;
    plan
}

/// The path of the page of the only device.
pub(crate) async fn device_path(plan: &Plan) -> String {
    let devices = plan.get("/devices").await;
    format!("/devices/{}", devices["devices"][0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn every_page_has_the_strict_policy_and_nothing_inline() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let device = device_path(&plan).await;
    let own = ["", "/devices", "/findings", "/plan", "/sensors", &device].map(|path| browser.page(path));
    let others = [
        "/subscriptions",
        "/login",
        "/problems",
        "/problems/plan-active",
        "/rules",
        "/rules/Roles",
        "/nowhere",
    ];
    for url in own.into_iter().chain(others.map(|path| format!("{}{path}", plan.url))) {
        let page = browser.get(&url).await;
        let expected = if url.ends_with("/nowhere") { 404 } else { 200 };
        assert_eq!(page.status, expected, "{url}");
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        let scripts_and_styles = "default-src 'none'; script-src 'self'; style-src 'self';";
        assert!(policy.starts_with(scripts_and_styles), "{url}: {policy}");
        for part in ["base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'", "connect-src 'self'"]
        {
            assert!(policy.contains(part), "{url}: {policy}");
        }
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let html = &page.html;
        for inline in ["style=", "onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!html.contains(inline), "{url} has {inline}");
        }
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/assets/").count(), "{url}");
        assert!(html.contains("<html lang=\"en\">") && html.contains("<h1>"), "{url}");
    }
}

#[tokio::test]
async fn the_names_that_devices_give_themselves_are_escaped() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let search = "/devices?q=%22%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22";
    let fault = "/devices?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22";
    for (path, status) in [("/devices", 200), (search, 200), (fault, 400), (&device_path(&plan).await, 200)] {
        let page = browser.show(path).await;
        page.assert(status, "onerror=alert(1)");
        assert!(!page.html.contains("<img src=x"), "{path}");
    }
}

#[tokio::test]
async fn a_device_links_its_verdict_to_the_page_of_the_rule() {
    let plan = with_a_hostile_device().await;
    let page = Browser::sign_in(&plan).await.show(&device_path(&plan).await).await;
    page.assert(200, "<a href=\"/rules/C-IOT\"><code>C-IOT</code></a>");
}

#[tokio::test]
async fn anybody_may_read_the_rules() {
    let plan = Plan::start().await;
    for (path, status, text) in [
        ("/rules/C-IOT", 200, "OT, building and medical devices are IoT"),
        ("/rules/I8c", 200, "cloned images"),
        ("/rules/I15", 200, "quarantine.daily"),
        ("/rules", 200, "href=\"/rules/I16\""),
        ("/rules/nothing", 404, "nothing"),
    ] {
        Page::read(plan.client.get(format!("{}{path}", plan.url))).await.assert(status, text);
    }
}

#[tokio::test]
async fn the_overview_shows_the_numbers_of_the_census() {
    let plan = with_a_hostile_device().await;
    let page = Browser::sign_in(&plan).await.show("").await;
    page.assert(200, "C-IOT\"><b>1</b>");
    page.assert(200, "<b>100</b><span>to commit");
}

#[tokio::test]
async fn a_browser_that_is_not_signed_in_is_sent_to_the_form() {
    let plan = Plan::start().await;
    for path in [
        "/",
        "/subscriptions",
        &format!("/subscriptions/{}", plan.sid),
        &format!("/subscriptions/{}/plan", plan.sid),
    ] {
        let page = Page::read(plan.client.get(format!("{}{path}", plan.url))).await;
        assert_eq!((page.status.as_u16(), page.header(header::LOCATION)), (303, "/login"), "{path}");
    }
}

#[tokio::test]
async fn assets_need_no_session_and_are_not_sent_twice() {
    let plan = Plan::start().await;
    for (path, kind) in [
        ("/assets/console.css", "text/css"),
        ("/assets/console.js", "text/javascript"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let request = || plan.client.get(format!("{}{path}", plan.url));
        let asset = Page::read(request()).await;
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header(header::CONTENT_TYPE).starts_with(kind), "{path}");
        let known = request().header(header::IF_NONE_MATCH, asset.header(header::ETAG));
        assert_eq!(Page::read(known).await.status, 304, "{path}");
    }
    let demo = plan.client.get(format!("{}/assets/demo.pcap.zst", plan.url));
    assert_eq!(Page::read(demo).await.status, 404);
}

async fn send_form(plan: &Plan, path: &str, form: String) -> Page {
    let request = plan.client.post(format!("{}{path}", plan.url)).header(header::ORIGIN, &plan.url);
    Page::read(request.header(header::CONTENT_TYPE, FORM).body(form)).await
}

#[tokio::test]
async fn the_first_administrator_is_created_by_a_link_that_works_once() {
    let plan = Plan::start().await;
    let path = format!("/setup/{}", plan.issue(CredentialKind::Setup, None).await);
    let get = async |path: &str| Page::read(plan.client.get(format!("{}{path}", plan.url))).await;
    assert_eq!(get(&path).await.status, 200);
    assert_eq!(get(&format!("{path}x")).await.status, 404);
    let set_up =
        async |password: &str| send_form(&plan, &path, format!("name=root&password={password}")).await;
    assert_eq!(set_up("short").await.status, 422);
    let done = set_up("a+long+enough+password").await;
    assert_eq!(done.status, 303);
    let home = plan.client.get(&plan.url).header(header::COOKIE, done.cookie());
    assert_eq!(Page::read(home).await.header(header::LOCATION), format!("/subscriptions/{}", plan.sid));
    assert_eq!(get(&path).await.status, 404);
    assert_eq!(set_up("a+long+enough+password").await.status, 404);
}

#[tokio::test]
async fn the_first_administrator_signs_in_by_the_password_that_they_chose() {
    let plan = Plan::start().await;
    let link = plan.issue(CredentialKind::Setup, None).await;
    let form = |password: &str| format!("name=root&password={password}");
    send_form(&plan, &format!("/setup/{link}"), form("a+long+enough+password")).await;
    assert_eq!(send_form(&plan, "/login", form("a+long+enough+password")).await.status, 303);
    send_form(&plan, "/login", form("a+wrong+password")).await.assert(422, "is wrong");
}

#[tokio::test]
async fn forms_onboard_cancel_and_keep_a_plan() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let form = |devices: &str| format!("kind=monthly&devices={devices}&accept_terms=yes");
    browser.post("/plan", &form("1650")).await.assert(422, "commit 1700");
    let done = browser.post("/plan", &form("1%2C700")).await;
    assert_eq!(done.status, 303);
    assert!(done.header(header::LOCATION).ends_with("/plan"));
    assert_eq!(plan.get("/plan").await["plan"]["committed"], 1700);
    assert_eq!(browser.post("/plan/cancel", "").await.status, 303);
    let page = browser.show("/plan").await;
    page.assert(200, "2026-11-22 10:00:00 UTC");
    page.assert(200, "Withdraw");
    assert_eq!(browser.post("/plan/withdraw", "").await.status, 303);
    assert_eq!(plan.get("/plan").await["plan"]["status"], "active");
}

#[tokio::test]
async fn a_form_books_a_successor_and_withdraws_it() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    plan.onboard_monthly(1700).await;
    let form = |devices: u32| format!("kind=annual&devices={devices}&accept_terms=yes");
    let refused = browser.post("/plan/replace", &form(2050)).await;
    refused.assert(422, "commit 2100");
    refused.assert(422, "Replace the plan");
    assert_eq!(browser.post("/plan/replace", &form(2100)).await.status, 303);
    let page = browser.show("/plan").await;
    page.assert(200, "Then follows: annual plan for 2,100 committed devices");
    assert_eq!(browser.post("/plan/withdraw", "").await.status, 303);
    assert_eq!(plan.get("/plan").await["history"][1]["status"], "withdrawn");
}

#[tokio::test]
async fn a_form_of_another_site_or_of_a_reader_changes_nothing() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let form = "kind=trial&accept_terms=yes";
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-nothing", "x")]
    {
        let page = Page::read(browser.form("/plan", form).header(name, value)).await;
        assert_eq!(page.status, 403, "{name}");
    }
    let reader = plan.person("reader", Role::Reader).await;
    let request = browser.form("/plan", form).header(header::AUTHORIZATION, format!("Bearer {reader}"));
    assert_eq!(Page::read(request).await.status, 403);
    assert_eq!(plan.get("/plan").await["history"], json!([]));
}

/// The tag that a page of a device sends back with its forms.
pub(crate) fn tag_of(page: &Page) -> String {
    let (_, rest) = page.html.split_once("name=\"tag\" value=\"").unwrap();
    rest.split('"').next().unwrap().replace("&#34;", "%22").replace("&quot;", "%22")
}

#[tokio::test]
async fn a_form_edits_a_device_that_nobody_changed_since_the_page_showed_it() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let path = device_path(&plan).await;
    let edit = format!("{path}/edit");
    let tag = tag_of(&browser.show(&path).await);
    let form = format!(
        "tag={tag}&name=%3Db%3E&type=camera&category=&location=Roof&tags=a%2C+b&importance=high&reason=moved"
    );
    let done = browser.post(&edit, &form).await;
    assert_eq!(done.status, 303, "{}", done.html);
    assert!(done.header(header::LOCATION).ends_with(&format!("{path}?changed=1")));
    let device = plan.get(&path).await;
    assert_has(&device, json!({"name": "=b>", "type": "camera", "tags": ["a", "b"], "location": "Roof"}));
    assert_eq!(plan.get("/changes/1").await["reason"], "moved");
    browser.post(&edit, &form).await.assert(412, "The resource was changed meanwhile");
    let page = browser.show(&path).await;
    page.assert(200, "type set by owner at");
    page.assert(200, "value=\"camera\" selected");
    let refused = browser.post(&edit, &format!("tag={}&type=toaster9", tag_of(&page))).await;
    refused.assert(422, "unknown type");
}

#[tokio::test]
async fn a_form_deletes_a_device_which_then_is_not_counted() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let path = device_path(&plan).await;
    let tag = tag_of(&browser.show(&path).await);
    // What was typed stays if the change is refused.
    let old = browser.post(&format!("{path}/delete"), "tag=%22old%22&reason=gone+%22for+good%22").await;
    old.assert(412, "value=\"gone &#34;for good&#34;\"");
    assert_eq!(browser.post(&format!("{path}/delete"), &format!("tag={tag}")).await.status, 303);
    assert_eq!(plan.get("/census").await["billable"], 0);
    browser.show(&path).await.assert(200, "not counted: deleted, and no traffic since");
}

#[tokio::test]
async fn a_device_is_changed_by_no_reader_and_by_no_form_of_unknown_origin() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let path = device_path(&plan).await;
    let reader = plan.person("reader", Role::Reader).await;
    for form in ["edit", "delete"] {
        let request = || browser.form(&format!("{path}/{form}"), "tag=%2A");
        let by_reader = request().header(header::AUTHORIZATION, format!("Bearer {reader}"));
        assert_eq!(Page::read(by_reader).await.status, 403, "{form}");
        assert_eq!(Page::read(request()).await.status, 403, "{form}");
    }
}

#[tokio::test]
async fn a_list_keeps_its_filters_and_leads_to_the_same_list_as_a_file() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let list = browser.show("/devices?category=iot&zone=default&sort=-last_seen&q=img").await;
    for part in [
        "name=\"category\" value=\"iot\"",
        "name=\"zone\" value=\"default\"",
        "name=\"sort\" value=\"-last_seen\"",
        "devices?category=network&#38;zone=default&#38;q=img&#38;sort=-last_seen",
    ] {
        list.assert(200, part);
    }
    let link = link(&list, ">CSV");
    let file = browser.get(&format!("{}{link}", plan.url)).await;
    assert_eq!((file.status.as_u16(), file.html.lines().count()), (200, 2), "{}", file.html);
    assert!(file.header(header::CONTENT_DISPOSITION).contains("devices.csv"));
}

#[tokio::test]
async fn a_page_says_what_is_wrong_with_its_query_or_its_parameters() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/devices?q=camera%20vendro:axis&category=iot").await;
    page.assert(400, "query, column 8: unknown field &#39;vendro&#39;; did you mean &#39;vendor&#39;?");
    page.assert(400, "camera vendro:axis\n       ^");
    page.assert(400, "value=\"camera vendro:axis\"");
    page.assert(400, "name=\"category\" value=\"iot\"");
    for path in ["/devices?colour=red", "/devices?sort=colour", "/devices?verdict=X-Y", "/findings?state=odd"]
    {
        let page = browser.show(path).await;
        assert!(page.header(header::CONTENT_TYPE).starts_with("text/html"), "{path}");
        page.assert(400, "<h1>");
    }
    browser.show("/devices?colour=red").await.assert(400, "unknown field `colour`");
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
    Seen::default().arp("00:40:8c:00:00:02", "10.0.0.2", "iot-b").send(&plan, &sensor, 1, "default").await;
    let change = stream.chunk().await.unwrap().unwrap();
    assert!(change.starts_with(b"event: change"), "{change:?}");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let out = plan.client.post(format!("{}/logout", plan.url)).header(header::COOKIE, &browser.cookie);
    assert_eq!(Page::read(out.header(header::ORIGIN, &plan.url)).await.status, 303);
    assert_eq!(browser.show("/plan").await.status, 303);
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
