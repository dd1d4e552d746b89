//! Every operation of the API that a person would use has a way to it in the console.
//!
//! The table names the link or the form of each operation. The test follows links from the first page, and finds each of
//! them. Operations without a page are named with the reason.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use netcensus::census::conduct::DeedKind;
use netcensus::plan::http::api;
use netcensus::plan::permission::Role;
use netcensus::plan::store::CredentialKind;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::decisions::{id, with_devices};
use crate::notices::pending_address;
use crate::statements::{global_admin, one_euro};
use crate::support::browser::Page;
use crate::support::{Plan, Seen};

/// How a person reaches an operation.
enum Way {
    /// A page, or a file, that a link leads to.
    Link(&'static str),
    /// A form with that action.
    Form(&'static str),
    /// No page has it, and why.
    None(&'static str),
}

/// `{}` stands for one part of a path; `~` for that of the subscription.
use self::Way::{Form, Link, None as Nowhere};

const WAYS: &[(&str, Way)] = &[
    ("GET /account", Link("/account")),
    ("GET /account/notices", Link("/account/notices")),
    ("PATCH /account/notices", Form("/account/notices")),
    ("POST /account/notices/confirm", Form("/account/notices/confirm")),
    ("POST /account/password", Form("/account/password")),
    ("GET /account/sessions", Link("/account")),
    ("DELETE /account/sessions/{id}", Form("/account/sessions/{}/end")),
    ("GET /account/tokens", Link("/account")),
    ("POST /account/tokens", Form("/account/tokens")),
    ("DELETE /account/tokens/{id}", Form("/account/tokens/{}/revoke")),
    ("GET /audit", Link("/audit")),
    ("GET /audit/export", Link("/api/v1/audit/export")),
    ("POST /enrol", Nowhere("an appliance enrols itself, with the token that the page of sensors makes")),
    ("GET /people", Link("/people")),
    ("POST /people", Form("/people")),
    ("POST /people/{person}/disable", Form("/people/{}/disable")),
    ("POST /people/{person}/enable", Form("/people/{}/enable")),
    ("POST /people/{person}/invitation", Form("/people/{}/invitation")),
    (
        "POST /people/{person}/password",
        Nowhere("people choose their own password, by a link that the page makes"),
    ),
    (
        "POST /people/{person}/relink",
        Nowhere("the page of people has it if an identity provider is configured"),
    ),
    ("GET /subscriptions", Link("/subscriptions")),
    ("POST /subscriptions", Form("/subscriptions")),
    ("GET ~", Link("~")),
    ("PATCH ~", Form("~/rename")),
    ("GET ~/admin-grants", Link("~/roles")),
    ("POST ~/admin-grants/seen", Form("~/roles/seen")),
    ("GET ~/audit", Link("~/audit")),
    ("GET ~/audit/export", Link("/api/v1~/audit/export")),
    ("GET ~/bundle", Link("/api/v1~/bundle")),
    ("GET ~/census", Link("~")),
    ("GET ~/changes", Link("~/changes")),
    ("GET ~/changes/{number}", Link("~/changes/{}")),
    ("POST ~/changes/{number}/undo", Form("~/changes/{}/undo")),
    ("GET ~/devices", Link("~/devices")),
    ("GET ~/devices.csv", Link("/api/v1~/devices.csv")),
    ("GET ~/devices.ndjson", Link("/api/v1~/devices.ndjson")),
    ("POST ~/devices/edit", Form("~/devices/bulk")),
    ("POST ~/devices/merge", Form("~/devices/bulk")),
    ("GET ~/devices/{id}", Link("~/devices/{}")),
    ("DELETE ~/devices/{id}", Form("~/devices/{}/delete")),
    ("PATCH ~/devices/{id}", Form("~/devices/{}/edit")),
    ("POST ~/devices/{id}/split", Form("~/devices/{}/split")),
    ("GET ~/devices/{id}/vulnerabilities", Link("~/devices/{}")),
    ("GET ~/devices/{id}/why", Link("~/devices/{}")),
    ("GET ~/estimate", Link("~/estimate")),
    ("POST ~/estimate", Form("~/estimate")),
    ("GET ~/estimate/mappings", Nowhere("columns are remembered for the command line's regular imports")),
    (
        "GET ~/estimate/mappings/{signature}",
        Nowhere("columns are remembered for the command line's regular imports"),
    ),
    (
        "PUT ~/estimate/mappings/{signature}",
        Nowhere("columns are remembered for the command line's regular imports"),
    ),
    (
        "DELETE ~/estimate/mappings/{signature}",
        Nowhere("columns are remembered for the command line's regular imports"),
    ),
    ("GET ~/explain", Link("~/explain")),
    ("GET ~/alerts", Link("~/alerts")),
    ("GET ~/alerts.csv", Link("/api/v1~/alerts.csv")),
    ("GET ~/alerts.ndjson", Link("/api/v1~/alerts.ndjson")),
    ("GET ~/alerts.ocsf.ndjson", Link("/api/v1~/alerts.ocsf.ndjson")),
    ("GET ~/alerts/{id}", Nowhere("the page of alerts shows each whole")),
    ("GET ~/alerts/changes", Link("~/alerts/changes")),
    ("POST ~/alerts/change", Form("~/alerts/change")),
    ("POST ~/alerts/changes/{number}/undo", Form("~/alerts/changes/{}/undo")),
    ("GET ~/alerts/ledger", Link("~/alerts/ledger")),
    ("GET ~/alerts/withdrawn", Link("~/alerts/ledger")),
    ("GET ~/alerts/{id}/history", Link("~/alerts/{}/history")),
    ("GET ~/mutes", Link("~/mutes")),
    ("POST ~/mutes", Form("~/mutes")),
    ("DELETE ~/mutes/{number}", Form("~/mutes/{}/end")),
    ("GET ~/feeds", Link("~/feeds")),
    ("POST ~/feeds/{name}", Form("~/feeds")),
    ("DELETE ~/feeds/{name}", Form("~/feeds/delete")),
    ("GET ~/indicators", Form("~/feeds")),
    ("GET ~/sensors/{sensor}/indicators/{digest}", Nowhere("sensors fetch it")),
    ("POST ~/alerts/{id}/state", Form("~/alerts/{}/state")),
    ("GET ~/recommendations", Link("~/recommendations")),
    ("GET ~/findings", Link("~/findings")),
    ("POST ~/findings/{id}/close", Form("~/findings/{}/close")),
    ("POST ~/findings/{id}/reopen", Form("~/findings/{}/reopen")),
    ("GET ~/forecast", Link("~")),
    ("GET ~/inventory", Nowhere("the whole document is for programs; the pages show its parts")),
    ("GET ~/jobs", Nowhere("the page that begins a long change leads to its job")),
    ("GET ~/jobs/{job}", Nowhere("the page that begins a long change leads to its job")),
    ("GET ~/managed", Link("~/managed")),
    ("POST ~/managed/import", Nowhere("lists as JSON are for programs; the page takes files")),
    ("POST ~/managed/import/file", Form("~/managed")),
    ("DELETE ~/managed/{source}", Form("~/managed/forget")),
    ("GET ~/map", Link("~/map")),
    ("GET ~/notices", Link("~/notices")),
    ("POST ~/notices/read", Form("~/notices/read")),
    ("GET ~/plan", Link("~/plan")),
    ("POST ~/plan", Form("~/plan")),
    ("POST ~/plan/cancel", Form("~/plan/cancel")),
    ("POST ~/plan/cancel/withdraw", Form("~/plan/withdraw")),
    ("POST ~/plan/replace", Form("~/plan/replace")),
    ("GET ~/prices", Link("~/plan")),
    ("POST ~/prices", Form("~/plan/price")),
    ("GET ~/roles", Link("~/roles")),
    ("GET ~/roles/{person}", Link("~/roles")),
    ("PUT ~/roles/{person}", Form("~/roles")),
    ("DELETE ~/roles/{person}", Form("~/roles/unbind")),
    ("GET ~/sensors", Link("~/sensors")),
    ("POST ~/sensors/tokens", Form("~/sensors")),
    ("GET ~/sensors/{sensor}", Link("~/sensors/{}")),
    ("GET ~/sensors/{sensor}/history", Link("~/sensors/{}")),
    ("PATCH ~/sensors/{sensor}", Form("~/sensors/{}/rename")),
    ("POST ~/sensors/{sensor}/revoke", Form("~/sensors/{}/revoke")),
    ("POST ~/sensors/{sensor}/uploads", Nowhere("sensors upload")),
    ("GET ~/snapshots", Link("~/snapshots")),
    ("GET ~/snapshots/{day}", Link("~/snapshots/{}")),
    ("POST ~/snapshots/{day}", Form("~/snapshots/{}/seal")),
    ("GET ~/snapshots/{day}/leaves", Link("/api/v1~/snapshots/{}/leaves")),
    ("GET ~/snapshots/{day}/proof", Form("/api/v1~/snapshots/{}/proof")),
    ("GET ~/statements", Link("~/statements")),
    ("GET ~/statements/{month}", Link("~/statements/{}")),
    (
        "POST ~/statements/{month}/corrections",
        Nowhere("the operator corrects statements by the command line"),
    ),
    ("GET ~/statements/{month}/csv", Link("/api/v1~/statements/{}/csv")),
    ("GET ~/views", Link("~/devices")),
    ("PUT ~/views/own/{name}", Form("~/devices/views")),
    ("DELETE ~/views/own/{name}", Form("~/devices/views/delete")),
    ("PUT ~/views/shared/{name}", Form("~/devices/views/share")),
    ("DELETE ~/views/shared/{name}", Form("~/devices/views/unshare")),
    ("GET ~/vulnerabilities", Link("~/vulnerabilities")),
    ("GET ~/vulnerabilities.csv", Link("/api/v1~/vulnerabilities.csv")),
    ("GET ~/vulnerabilities.ndjson", Link("/api/v1~/vulnerabilities.ndjson")),
    ("GET ~/vulnerabilities/coverage", Link("~/vulnerabilities/coverage")),
    ("GET ~/vulnerabilities/coverage.csv", Link("/api/v1~/vulnerabilities/coverage.csv")),
    ("GET ~/vulnerabilities/coverage.ndjson", Link("/api/v1~/vulnerabilities/coverage.ndjson")),
    ("GET ~/vulnerabilities/{cve}", Link("~/vulnerabilities/{}")),
    ("GET ~/zones", Link("~/zones")),
    ("POST ~/zones/merge", Form("~/zones")),
    ("POST ~/zones/rename", Form("~/zones")),
];

const SUBSCRIPTION: &str = "/subscriptions/{sid}";

/// The operations in the description of the API, each with its method.
fn operations() -> BTreeSet<String> {
    let description: Value = serde_json::to_value(api::description()).unwrap();
    let mut out = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap().replace(SUBSCRIPTION, "~");
        for method in ["get", "post", "put", "patch", "delete"] {
            if methods.get(method).is_some() {
                out.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    out
}

/// What pages lead to: links and forms, without queries.
#[derive(Default)]
struct Found {
    links: BTreeSet<String>,
    forms: BTreeSet<String>,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.links.extend(other.links);
        self.forms.extend(other.forms);
    }
}

/// The values of an attribute.
fn values<'h>(html: &'h str, attribute: &str) -> impl Iterator<Item = String> + 'h {
    let start = format!("{attribute}=\"");
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&start)?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        Some(value.replace("&#38;", "&").replace("&amp;", "&"))
    })
}

/// The kind of a page: ids and days do not matter.
fn kind(path: &str, sid: &str) -> String {
    let own = format!("/subscriptions/{sid}");
    let path = path.split(['?', '#']).next().unwrap_or_default().replace(&own, "~");
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let is_id = part.bytes().any(|b| b.is_ascii_digit()) && !part.starts_with("v1");
        let is_name = std::mem::replace(&mut before, part) == "people";
        if is_id || is_name { "{}" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Follows links from the first page, one or two of each kind.
async fn crawl(plan: &Plan, cookie: &str, starts: &[String]) -> Found {
    let mut found = Found::default();
    let mut queue: VecDeque<String> = starts.iter().cloned().collect();
    let (mut seen, mut visited) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    while let Some(path) = queue.pop_front() {
        if !path.starts_with('/') || path.starts_with("/assets") || !seen.insert(path.clone()) {
            continue;
        }
        let kind = kind(&path, plan.sid.as_str());
        found.links.insert(kind.clone());
        let state = path.split_once("state=").map_or("", |(_, state)| state);
        let times = visited.entry(format!("{kind} {state}")).or_default();
        *times += 1;
        if path.starts_with("/api/") || *times > 3 {
            continue;
        }
        let page = plan.client.get(format!("{}{path}", plan.url)).header(header::COOKIE, cookie);
        let page = Page::read(page).await;
        // Without a plan, what it buys is withheld.
        let is_withheld = page.status == 403 && page.html.contains("are withheld");
        let is_shown = page.status == 200 || page.status.is_redirection() || is_withheld;
        assert!(is_shown, "{path}: {} {}", page.status, page.html);
        assert!(page.html.len() <= 150 * 1024, "{path} has {} bytes", page.html.len());
        queue.extend(values(&page.html, "href"));
        for action in values(&page.html, "action").chain(values(&page.html, "formaction")) {
            found.forms.insert(self::kind(&action, plan.sid.as_str()));
        }
    }
    found
}

/// A subscription with something of everything, and a session of its owner, who is a global admin.
async fn with_everything() -> (Plan, String) {
    let plan = Plan::start().await;
    with_devices(&plan).await;
    let admin = global_admin(&plan).await;
    plan.person("alice", Role::Reader).await;
    plan.person("roger", Role::Reader).await;
    plan.api(&admin, Method::POST, "/people/roger/disable", json!({})).await.succeeds(200);
    // Two cards use one address, and so does another pair, whose finding is closed.
    let sensor = plan.enrol().await;
    let seen = ["10.7.0.1", "10.7.0.2"].into_iter().zip(1..).fold(Seen::default(), |seen, (ip, n)| {
        let card = |last: u8| format!("00:40:8c:07:0{n}:{last:02x}");
        seen.arp(&card(1), ip, "iot-x").arp(&card(2), ip, "iot-y")
    });
    let seen = seen.did("00:40:8c:07:01:01", "10.7.0.1", DeedKind::Mines, None, "stratum");
    seen.send(&plan, &sensor, 1, "hq").await;
    let alert = plan.get("/alerts").await["alerts"][0]["id"].as_str().unwrap().to_owned();
    plan.post(&format!("/alerts/{alert}/state"), json!({"state": "active"})).await.succeeds(200);
    let rule = json!({"filter": {"zone": "elsewhere"}, "reason": "x", "until": "2027-01-01T00:00:00Z"});
    plan.post("/mutes", rule).await.succeeds(201);
    let feed = plan.request(Method::POST, "/feeds/drop").body("203.0.113.7\n");
    assert!(feed.send().await.unwrap().status().is_success());
    let findings = plan.get("/findings?kind=address_conflict").await;
    let finding = findings["findings"][0]["id"].as_str().unwrap();
    plan.post(&format!("/findings/{finding}/close"), json!({"note": "a spare"})).await.succeeds(200);
    let import = json!({"source": "mdm", "entries": [{"external_id": "a", "mac": "00:40:8c:00:00:0b"}]});
    plan.post("/managed/import", import).await.succeeds(200);
    let one = id(&plan, "10.0.0.1").await;
    let edit = plan.request(Method::PATCH, &format!("/devices/{one}")).header("if-match", "*");
    edit.json(&json!({"name": "a"})).send().await.unwrap();
    let merged = json!({"ids": [one, id(&plan, "10.0.0.3").await]});
    plan.post("/devices/merge", merged).await.succeeds(200);
    let camera = Seen::default().arp("00:40:8c:00:00:77", "10.0.0.77", "iot-axis");
    camera.send(&plan, &sensor, 2, "hq").await;
    crate::vulnerabilities::imported(&plan, &[crate::vulnerabilities::FEED]).await;
    plan.begin_day("2026-11-23").await;
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    // An address that waits for its code, and a finding of which nobody has read.
    pending_address(&plan, "grace", "a code").await;
    plan.run_jobs().await;
    (plan, admin)
}

/// A session of the global admin who is an owner too.
async fn session(plan: &Plan) -> String {
    let link = plan.issue(CredentialKind::Login, Some("grace")).await;
    Page::read(plan.client.get(format!("{}/login/{link}", plan.url))).await.cookie()
}

#[test]
fn the_table_names_each_operation_of_the_api_once() {
    let named: BTreeSet<String> = WAYS.iter().map(|(operation, _)| (*operation).to_owned()).collect();
    assert_eq!(named.len(), WAYS.len());
    assert_eq!(named, operations());
}

#[tokio::test]
async fn every_operation_has_a_way_to_it_in_the_console_or_a_reason() {
    let (plan, admin) = with_everything().await;
    let starts = ["/".to_owned(), "/subscriptions".to_owned(), format!("/subscriptions/{}", plan.sid)];
    // A plan in effect; a global admin gave themselves a role, and owners are told.
    let bind = plan.request_as(&admin, Method::PUT, "/roles/grace").json(&json!({"role": "O"}));
    assert!(bind.send().await.unwrap().status().is_success());
    for owner in ["own", "shared"] {
        let path = format!("/views/{owner}/cameras");
        let view = json!({"filter": "q=type%3Acamera", "look": ""});
        plan.request_as(&admin, Method::PUT, &path).json(&view).send().await.unwrap();
    }
    let mut found = crawl(&plan, &session(&plan).await, &starts).await;
    // One that ends within the hour, and none.
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    found.add(crawl(&plan, &session(&plan).await, &starts).await);
    plan.set_time("2026-11-23T11:00:00Z");
    found.add(crawl(&plan, &session(&plan).await, &starts).await);
    let mut missing = Vec::new();
    for (operation, way) in WAYS {
        let is_found = match way {
            Link(pattern) => found.links.contains(*pattern),
            Form(pattern) => found.forms.contains(*pattern),
            Nowhere(reason) => !reason.is_empty(),
        };
        if !is_found {
            missing.push(*operation);
        }
    }
    assert_eq!(missing, [""; 0], "links: {:#?}\nforms: {:#?}", found.links, found.forms);
}
