//! The console's table of devices: order, facets, columns, pages, views, changes of many devices, and a device's page.

use netcensus::plan::permission::Role;
use reqwest::{Method, header};
use serde_json::json;

use crate::console::{device_path, tag_of, with_a_hostile_device};
use crate::support::answers::send;
use crate::support::browser::{Browser, Page};
use crate::support::{Plan, Seen, assert_has};

/// 120 cameras and a computer, in one zone.
pub(crate) async fn with_many_devices() -> Plan {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let seen = Seen::default().many("iot", 0, 120);
    seen.arp("00:40:8c:00:ff:01", "10.9.0.1", "computer_mobile-pc").send(&plan, &sensor, 1, "default").await;
    plan
}

/// The link of the part of a page that begins with `start`.
pub(crate) fn link(page: &Page, start: &str) -> String {
    let (before, _) = page.html.split_once(start).unwrap_or_else(|| panic!("{start}: {}", page.html));
    let (_, href) = before.rsplit_once("href=\"").unwrap();
    href.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

#[tokio::test]
async fn a_header_sorts_the_list_and_then_turns_its_order_around() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let follow = async |href: String| browser.get(&format!("{}{href}", plan.url)).await;
    let page = browser.show("/devices?category=iot&q=iot").await;
    page.assert(200, "aria-sort=\"ascending\"");
    let by_name = link(&page, ">Device</a>");
    assert!(by_name.ends_with("/devices?category=iot&q=iot&sort=name"), "{by_name}");
    let page = follow(by_name).await;
    let (_, head) = page.html.split_once("aria-sort=\"ascending\"").unwrap();
    assert!(head.split("</th>").next().unwrap().contains("Device"), "{head}");
    assert_eq!(page.html.matches("aria-sort").count(), 1);
    let turned = link(&page, ">Device <span");
    assert!(turned.ends_with("sort=-name"), "{turned}");
    follow(turned).await.assert(200, "aria-sort=\"descending\"");
    let next = link(&page, ">Next page");
    let second = follow(next).await;
    let first = link(&second, ">First page");
    assert!(first.ends_with("/devices?category=iot&q=iot&sort=name"), "{first}");
}

#[tokio::test]
async fn a_facet_counts_the_devices_of_its_link_which_adds_a_term_and_takes_it_back() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/devices?q=10.&sort=-mac").await;
    page.assert(200, "X-CM <span class=\"count\">1</span>");
    let narrower = link(&page, ">X-CM <span");
    let page = browser.get(&format!("{}{narrower}", plan.url)).await;
    page.assert(200, "id=\"tally\">1 device");
    page.assert(200, "value=\"10. verdict:X-CM\"");
    let file = browser.get(&format!("{}{}", plan.url, link(&page, ">CSV"))).await;
    assert_eq!((file.status.as_u16(), file.html.lines().count()), (200, 2), "{}", file.html);
    let wider = link(&page, " aria-current=\"true\"");
    assert!(wider.ends_with("/devices?q=10.&sort=-mac"), "{wider}");
}

#[tokio::test]
async fn a_page_of_devices_has_at_most_150_kib() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let long = "ip:10.0.0.0/8+or+".repeat(55) + "iot";
    for path in
        ["/devices".to_owned(), format!("/devices?q={long}"), "/devices?q=ip:10.*+not+lobby".to_owned()]
    {
        let page = browser.show(&path).await;
        page.assert(200, "Next page");
        assert!(page.html.len() <= 150 << 10, "{path}: {}", page.html.len());
    }
}

/// The ids of the rows of a table of devices.
fn rows(page: &Page) -> Vec<String> {
    let (_, table) = page.html.split_once("<tbody>").unwrap_or_default();
    table.split("name=\"id\" value=\"").skip(1).map(|rest| rest.get(..16).unwrap().to_owned()).collect()
}

/// The value of the first field of that name.
pub(crate) fn value(page: &Page, name: &str) -> String {
    let (_, rest) = page
        .html
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("{name}: {}", page.html));
    rest.split('"').next().unwrap().replace("&#38;", "&").replace("&#34;", "\"").replace("&#61;", "=")
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

#[tokio::test]
async fn a_change_of_all_devices_that_match_is_previewed_made_and_undone() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let follow = async |href: &str| browser.get(&format!("{}{href}", plan.url)).await;
    let chosen = [("scope", "all"), ("list", "category=iot&columns=ip"), ("action", "edit")];
    let empty = browser.post("/devices/bulk", &form(&chosen)).await;
    empty.assert(200, "<h1>Edit: 120 devices</h1>");
    let ids = value(&empty, "id");
    assert_eq!(ids.split(' ').count(), 120);
    let fields = [
        ("id", &*ids),
        ("list", "category=iot&columns=ip"),
        ("category", "computer_mobile"),
        ("add_tags", "lab, roof"),
    ];
    let preview = browser.post("/devices/bulk", &form(&fields)).await;
    preview.assert(200, "120 → 0 billable, commitment 200 → 0");
    preview.assert(200, "IoT · C-IOT</td><td>");
    preview.assert(200, "X-CM #lab #roof");
    preview.assert(200, "and 20 more");
    assert!(preview.html.len() <= 150 << 10, "{}", preview.html.len());
    assert_eq!(plan.get("/changes").await["changes"], json!([]), "a preview stores nothing");
    let mut confirmed = fields.to_vec();
    let seen = value(&preview, "seen");
    confirmed.extend([("seen", &*seen), ("reason", "moved"), ("step", "confirm")]);
    let done = browser.post("/devices/bulk", &form(&confirmed)).await;
    assert_eq!(done.status, 303, "{}", done.html);
    let list = done.header(header::LOCATION);
    assert!(list.ends_with("/devices?category=iot&columns=ip&changed=1"), "{list}");
    let list = follow(list).await;
    list.assert(200, "<b>Change 1:</b> set category, tags of 120 devices. 120 → 0 billable");
    assert_has(
        &plan.get("/changes/1").await,
        json!({"reason": "moved", "count": {"before": 120, "after": 0}}),
    );
    assert_eq!(plan.get("/devices?q=tag:roof").await["total"], 120);
    let undone =
        browser.post("/devices/undo", &form(&[("change", "1"), ("list", &value(&list, "list"))])).await;
    let back = undone.header(header::LOCATION).to_owned();
    assert!(back.ends_with("/devices?category=iot&columns=ip&changed=2"), "{back}");
    follow(&back).await.assert(200, "undid change 1");
    assert_eq!(plan.get("/census").await["billable"], 120);
    browser.post("/devices/undo", "change=1").await.assert(409, "already undone");
}

#[tokio::test]
async fn a_confirmed_change_is_one_of_the_devices_that_the_preview_showed() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let list = browser.show("/devices?limit=2&category=iot").await;
    let page = [("scope", "page"), ("action", "delete"), ("page", &*value(&list, "page"))];
    let preview = browser.post("/devices/bulk", &form(&page)).await;
    preview.assert(200, "Delete: 2 devices");
    preview.assert(200, "120 → 118 billable, commitment 200 stays");
    let (ids, seen) = (value(&preview, "id"), value(&preview, "seen"));
    let first = ids.split(' ').next().unwrap();
    plan.post("/devices/edit", json!({"ids": [first], "set": {"location": "roof"}})).await.succeeds(200);
    let confirm = [("id", &*ids), ("action", "delete"), ("seen", &*seen), ("step", "confirm")];
    let stale = browser.post("/devices/bulk", &form(&confirm)).await;
    stale.assert(412, "The resource was changed meanwhile");
    stale.assert(412, "118 billable");
    assert_eq!(plan.get("/census").await["billable"], 120);
    let confirm =
        [("id", &*ids), ("action", "delete"), ("seen", &*value(&stale, "seen")), ("step", "confirm")];
    assert_eq!(browser.post("/devices/bulk", &form(&confirm)).await.status, 303);
    assert_eq!(plan.get("/census").await["billable"], 118);
    let restore = [("id", &*ids), ("action", "restore"), ("step", "preview")];
    browser.post("/devices/bulk", &form(&restore)).await.assert(200, "118 → 120 billable");
}

#[tokio::test]
async fn devices_are_merged_marked_as_managed_and_split_from_the_console() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let ids = rows(&browser.show("/devices?limit=4&sort=-ip&category=iot").await);
    let listed = plan.get("/devices?limit=3&sort=-ip&category=iot").await;
    let (first, second, third) = (&listed["devices"][0], &listed["devices"][1], &listed["devices"][2]);
    let with = format!("{}, {}", second["ip"].as_str().unwrap(), third["mac"].as_str().unwrap());
    let merge = [("id", &*ids[0]), ("with", &*with), ("action", "merge")];
    let preview = browser.post("/devices/bulk", &form(&merge)).await;
    preview.assert(200, "120 → 118 billable");
    preview.assert(200, "part of the first device");
    let all = value(&preview, "id");
    let confirm =
        [("id", &*all), ("action", "merge"), ("seen", &*value(&preview, "seen")), ("step", "confirm")];
    assert_eq!(browser.post("/devices/bulk", &form(&confirm)).await.status, 303);
    let merged = plan.get(&format!("/devices?q={}%20couplings:3", first["ip"].as_str().unwrap())).await;
    let id = merged["devices"][0]["id"].as_str().unwrap();
    let page = browser.show(&format!("/devices/{id}")).await;
    page.assert(200, "merged 3 devices");
    let one = value(&page, "coupling");
    let split =
        |step: &str| format!("tag={}&{}", tag_of(&page), form(&[("coupling", &*one), ("step", step)]));
    let tried = browser.post(&format!("/devices/{id}/split"), &split("preview")).await;
    tried.assert(200, "118 → 119 billable, commitment 200 stays");
    tried.assert(200, &format!("value=\"{one}\" checked"));
    let to = browser.post(&format!("/devices/{id}/split"), &split("confirm")).await;
    assert!(to.header(header::LOCATION).ends_with("?changed=2"));
    let manage = [("id", &*ids[3]), ("action", "manage"), ("source", "mdm")];
    browser.post("/devices/bulk", &form(&manage)).await.assert(200, "X-MANAGED");
    let choose = [("action", "split"), ("scope", "chosen"), ("id", &*ids[3])];
    let to = browser.post("/devices/bulk", &form(&choose)).await;
    assert!(to.header(header::LOCATION).ends_with(&format!("/devices/{}#split", ids[3])));
}

#[tokio::test]
async fn a_choice_that_cannot_be_changed_is_refused_in_words() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    for (fields, status, text) in [
        (vec![("scope", "chosen"), ("action", "edit")], 400, "no device is chosen"),
        (vec![("with", "10.0.0.250"), ("action", "merge")], 400, "0 devices have 10.0.0.250"),
        (vec![("id", "0000000000000001"), ("action", "delete")], 404, "there is no device"),
        (vec![("id", "0000000000000001 0000000000000002"), ("action", "delete")], 422, "does not exist"),
        (vec![("id", "x"), ("action", "split"), ("page", "y")], 303, ""),
    ] {
        browser.post("/devices/bulk", &form(&fields)).await.assert(status, text);
    }
    let sensor = plan.enrol().await;
    Seen::default().many("iot", 1_000, 900).send(&plan, &sensor, 1, "far").await;
    let all = form(&[("scope", "all"), ("action", "delete")]);
    browser.post("/devices/bulk", &all).await.assert(422, "at most 1000 devices, not 1021");
    let reader = plan.person("reader", Role::Reader).await;
    for path in ["/devices/bulk", "/devices/undo"] {
        let request =
            browser.form(path, "id=x&change=1").header(header::AUTHORIZATION, format!("Bearer {reader}"));
        assert_eq!(Page::read(request).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_table_has_the_columns_of_its_address_and_a_browser_remembers_them() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/devices?columns=vendor,first_seen,roles&density=roomy").await;
    let (_, head) = page.html.split_once("<thead>").unwrap();
    let head = head.split("</thead>").next().unwrap();
    let at = |text: &str| head.find(text).unwrap_or_else(|| panic!("{text}: {head}"));
    assert!(at(">Device<") < at(">Vendor<") && at(">Vendor<") < at(">First seen<"));
    assert!(at(">First seen<") < at(">Roles<") && !head.contains("MAC"));
    page.assert(200, "class=\"devices roomy\"");
    page.assert(200, "title=\"2026-11-22 09:00:00 UTC\">just now</time>");
    let file = browser.get(&format!("{}{}", plan.url, link(&page, ">CSV"))).await;
    assert!(file.html.starts_with("name,vendor,first_seen,roles\r\n"), "{}", file.html);
    let fields =
        [("list", "q=iot"), ("c", "ip"), ("c", "vendor"), ("earlier", "vendor"), ("density", "compact")];
    let moved = browser.post("/devices/table", &form(&fields)).await;
    assert!(moved.header(header::LOCATION).ends_with("/devices?q=iot&columns=vendor%2Cip&density=compact"));
    assert!(!moved.headers.contains_key(header::SET_COOKIE));
    let kept = browser.post("/devices/table", &form(&[("c", "os"), ("step", "remember")])).await;
    let kept = kept.cookie();
    let cookies = format!("{}; {kept}", browser.cookie);
    let request = plan.client.get(browser.page("/devices")).header(header::COOKIE, cookies);
    let page = Page::read(request).await;
    page.assert(200, ">System</a>");
    assert!(!page.html.contains(">Vendor</a>"));
    browser.show("/devices?columns=colour").await.assert(400, "unknown column");
}

#[tokio::test]
async fn pages_lead_back_and_forth_and_jump_to_a_number_or_a_letter() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let follow = async |href: String| browser.get(&format!("{}{href}", plan.url)).await;
    let first = browser.show("/devices?limit=50&sort=name").await;
    first.assert(200, "1–50 of 121");
    let second = follow(link(&first, ">Next page")).await;
    second.assert(200, "51–100 of 121");
    let back = follow(link(&second, ">Previous page")).await;
    assert_eq!(rows(&back), rows(&first));
    assert!(!back.html.contains(">Previous page"));
    let third = browser.show("/devices?limit=50&sort=name&page=3").await;
    third.assert(200, "101–121 of 121");
    assert!(!third.html.contains(">Next page"));
    assert_eq!(rows(&follow(link(&third, ">Previous page")).await), rows(&second));
    let lettered = browser.show("/devices?limit=50&sort=name&from=I").await;
    lettered.assert(200, "2–51 of 121");
    browser.show("/devices?from=i&sort=ip").await.assert(400, "sorted by a text");
}

#[tokio::test]
async fn a_device_leads_to_its_neighbours_in_the_list_from_which_one_came() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let list = "/devices?category=iot&sort=-ip";
    let ids = rows(&browser.show(list).await);
    let request = plan
        .client
        .get(browser.page(&format!("/devices/{}", ids[1])))
        .header(header::COOKIE, &browser.cookie);
    let page = Page::read(request.header(header::REFERER, browser.page(list))).await;
    page.assert(200, ">2 of 120</a>");
    let (previous, next) = (link(&page, ">← Previous"), link(&page, ">Next device"));
    assert!(previous.contains(&ids[0]) && next.contains(&ids[2]), "{previous} {next}");
    let next = browser.get(&format!("{}{next}", plan.url)).await;
    next.assert(200, ">3 of 120</a>");
    let alone = browser.show(&format!("/devices/{}", ids[1])).await;
    assert!(!alone.html.contains("Next device"));
    let unknown = browser.show(&format!("/devices/{}?colour=red", ids[1])).await;
    unknown.assert(400, "unknown field `colour`");
}

#[tokio::test]
async fn the_page_of_a_device_tells_the_effect_before_it_saves_and_has_its_history() {
    let plan = with_a_hostile_device().await;
    let browser = Browser::sign_in(&plan).await;
    let path = device_path(&plan).await;
    let tag = tag_of(&browser.show(&path).await);
    let fields = format!("tag={tag}&type=&category=computer_mobile&location=Roof&reason=moved");
    let tried = browser.post(&format!("{path}/edit"), &format!("{fields}&step=preview")).await;
    tried.assert(200, "<b>Not saved yet:</b> 1 → 0 billable, commitment 100 → 0");
    tried.assert(200, "value=\"Roof\"");
    tried.assert(200, "value=\"computer_mobile\" selected");
    tried.assert(200, "Nobody has changed this device");
    let saved = browser.post(&format!("{path}/edit"), &fields).await;
    let told = browser.get(&format!("{}{}", plan.url, saved.header(header::LOCATION))).await;
    told.assert(200, "<b>Change 1:</b>");
    told.assert(200, "aria-label=\"Undo change 1\"");
    told.assert(200, "<td>moved</td>");
    let id = path.rsplit('/').next().unwrap();
    let undone = browser.post("/devices/undo", &form(&[("change", "1"), ("device", id)])).await;
    assert!(undone.header(header::LOCATION).ends_with(&format!("{path}?changed=2")));
    browser.show(&path).await.assert(200, "undone by 2");
    let (form_at, evidence_at) =
        (told.html.find("id=\"edit\"").unwrap(), told.html.find("id=\"evidence\"").unwrap());
    assert!(form_at < evidence_at, "the form comes before the evidence");
}

#[tokio::test]
async fn views_are_saved_with_their_columns_counted_shared_and_deleted() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let list = "q=iot&sort=name&columns=ip&page=2";
    let saved = browser.post("/devices/views", &form(&[("name", "Cameras <1>"), ("list", list)])).await;
    assert_eq!(saved.status, 303, "{}", saved.html);
    let shared = form(&[("name", "Network"), ("list", "category=network")]);
    assert_eq!(browser.post("/devices/views/share", &shared).await.status, 303);
    let page = browser.show("/devices?q=iot&sort=name").await;
    let own = link(&page, ">Cameras &#60;1&#62; <span class=\"count\">120</span>");
    assert!(own.ends_with("/devices?q=iot&sort=name&columns=ip"), "{own}");
    page.assert(200, " aria-current=\"true\">Cameras");
    page.assert(200, " title=\"shared\">Network <span class=\"count\">0</span>");
    let reader = plan.person("reader", Role::Reader).await;
    let views = send(plan.request_as(&reader, Method::GET, "/views")).await.body;
    assert_has(&views["views"][0], json!({"name": "Network", "shared": true, "devices": 0, "by": "owner"}));
    assert_eq!(views["views"].as_array().unwrap().len(), 1, "{views}");
    let forbidden = browser.form("/devices/views/share", &shared);
    let forbidden = forbidden.header(header::AUTHORIZATION, format!("Bearer {reader}"));
    assert_eq!(Page::read(forbidden).await.status, 403);
    for (path, name) in [("delete", "Cameras <1>"), ("unshare", "Network")] {
        assert_eq!(
            browser.post(&format!("/devices/views/{path}"), &form(&[("name", name)])).await.status,
            303
        );
    }
    assert_eq!(plan.get("/views").await["views"], json!([]));
    for (name, list, status) in [("", "", 422), ("x", "colour=red", 400), ("x", "q=vendro:x", 400)] {
        let refused = browser.post("/devices/views", &form(&[("name", name), ("list", list)])).await;
        assert_eq!(refused.status, status, "{name} {list}");
    }
    for n in 0..50 {
        let saved = browser.post("/devices/views", &form(&[("name", &n.to_string())])).await;
        assert_eq!(saved.status, 303, "{n}");
    }
    browser.post("/devices/views", &form(&[("name", "one more")])).await.assert(409, "too many saved views");
    assert_eq!(browser.post("/devices/views", &form(&[("name", "7"), ("list", "q=x")])).await.status, 303);
    let page = browser.show("/devices").await;
    assert!(page.html.len() <= 150 << 10, "{}", page.html.len());
}

#[test]
fn a_card_on_a_narrow_window_names_each_column() {
    let css = include_str!("../../assets/console/console.css");
    let columns = include_str!("../../src/listing/column.rs");
    for line in columns.lines().filter(|line| line.ends_with("\";") && line.contains(" = \"")) {
        let key = line.split('"').nth(1).unwrap();
        let fixed = ["name", "as_of", "policy"].contains(&key);
        assert!(fixed || css.contains(&format!(".devices .c-{key}::before")), "{key}");
    }
}

#[tokio::test]
async fn text_is_compressed_as_the_client_asks_and_events_are_not() {
    let plan = with_many_devices().await;
    let browser = Browser::sign_in(&plan).await;
    let plain = browser.show("/devices").await;
    assert!(!plain.headers.contains_key(header::CONTENT_ENCODING));
    let ask = async |path: &str, accepted: &str| {
        let request = plan.client.get(browser.page(path)).header(header::COOKIE, &browser.cookie);
        request.header(header::ACCEPT_ENCODING, accepted).send().await.unwrap()
    };
    for (accepted, expected) in [("gzip, deflate, br, zstd", "zstd"), ("gzip, br", "br"), ("gzip", "gzip")] {
        let answer = ask("/devices", accepted).await;
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], expected, "{accepted}");
        assert_eq!(answer.headers()[header::VARY], "accept-encoding");
        let body = answer.bytes().await.unwrap();
        assert!(body.len() * 4 < plain.html.len(), "{accepted}: {} of {}", body.len(), plain.html.len());
        if expected == "zstd" {
            assert_eq!(zstd::bulk::decompress(&body, 1 << 20).unwrap(), plain.html.as_bytes());
        }
    }
    let events = ask("/events", "gzip, br, zstd").await;
    assert!(!events.headers().contains_key(header::CONTENT_ENCODING));
    let file = plan.client.get(format!("{}/assets/console.css", plan.url));
    let file = file.header(header::ACCEPT_ENCODING, "br").send().await.unwrap();
    assert_eq!(file.headers()[header::CONTENT_ENCODING], "br");
}
